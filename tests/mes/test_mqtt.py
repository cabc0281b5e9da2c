# SPDX-License-Identifier: Apache-2.0
"""MQTT 5 against a real broker: verdicts at least once, state of line and slots, and what a broker refuses."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from station.adapters.ledger import Ledger
from station.adapters.outbox import mqtt
from station.adapters.outbox.mqtt import MQTT
from station.adapters.outbox.mqtt import Broker as Address
from station.adapters.outbox.pump import Pump, SystemClock
from station.adapters.outbox.reports import LineReports
from station.domain.attempt import Failed as FailedVerdict
from station.mes.message import Delivered, Failed, Waiting
from tests.builders.bench import Secrets, begun, recognised
from tests.mes.broker import Broker, Ear, brokered, hearing

MESSAGE = Waiting(1, "line-1/1", "attempt.finished.v1", '{"id": "line-1/1"}', 0, 0)


@pytest.fixture
def reports() -> LineReports:
    return LineReports(["mqtt"])


@asynccontextmanager
async def connected(
    broker: Broker, station: str = "line-1", states: dict[str, object] | None = None
) -> AsyncIterator[MQTT]:
    """A station at the broker, with its task."""
    found = MQTT(Address("127.0.0.1", broker.port), station, "application/json", lambda: states or {})
    news = asyncio.Event()
    found.connected = news.set
    async with asyncio.TaskGroup() as group:
        task = group.create_task(found.run())
        async with asyncio.timeout(60):
            await news.wait()
        try:
            yield found
        finally:
            task.cancel()


def ids(ear: Ear) -> list[str]:
    return [json.loads(bytes(message.payload))["id"] for message in ear.of("station/line-1/attempt")]


def told(message: aiomqtt.Message) -> dict[str, object]:
    """A message's properties, by their names in the specification."""
    assert message.properties is not None
    found: dict[str, object] = message.properties.json()  # type: ignore[no-untyped-call]  # the library has no type for it
    return found


async def test_a_verdict_arrives_with_its_properties(tmp_path: Path) -> None:
    async with brokered(tmp_path) as broker, hearing(broker) as ear, connected(broker) as station:
        assert await station.deliver(MESSAGE) == Delivered()
        await ear.until(lambda _: bool(ear.of("station/line-1/attempt")))
        [message] = ear.of("station/line-1/attempt")
        assert message.payload == MESSAGE.body.encode()
        assert (message.qos, message.retain) == (1, False)
        properties = told(message)
        assert properties["ContentType"] == "application/json"
        assert properties["UserProperty"] == [("id", "line-1/1"), ("type", "attempt.finished.v1")]


async def test_the_state_is_kept_for_half_a_minute(tmp_path: Path) -> None:
    """Whoever subscribes later learns the state, which expires when the station no longer repeats it."""
    states: dict[str, object] = {"line": {"state": "open"}, "slot/1": {"state": "empty"}}
    async with brokered(tmp_path) as broker, connected(broker, states=states):
        async with hearing(broker) as early:
            await early.until(lambda _: all(early.of(f"station/line-1/{each}") for each in states))
        async with hearing(broker) as late:
            await late.until(lambda messages: len(messages) >= 3)
            for name, state in states.items():
                message = late.of(f"station/line-1/{name}")[0]
                assert json.loads(bytes(message.payload)) == state
                assert message.retain
                assert 0 < int(str(told(message)["MessageExpiryInterval"])) <= 30
            states["slot/1"] = {"state": "running"}
            await late.until(lambda _: any(b"running" in bytes(m.payload) for m in late.messages))


async def test_the_broker_says_that_a_station_is_gone(tmp_path: Path) -> None:
    """Online is retained; after an end in order it is false, and after a silent one by the will."""
    async with brokered(tmp_path) as broker, hearing(broker, "station/line-1/online") as ear:
        async with connected(broker):
            await ear.until(lambda messages: len(messages) == 1)
        await ear.until(lambda messages: len(messages) == 2)
        assert [json.loads(bytes(m.payload)) for m in ear.messages] == [{"online": True}, {"online": False}]
        async with connected(broker) as station:
            client = station._client  # noqa: SLF001  to cut its connection without a word
            assert client is not None
            sock = client._client.socket()  # noqa: SLF001  the same
            assert isinstance(sock, socket.socket)
            sock.shutdown(socket.SHUT_RDWR)
            await ear.until(lambda messages: b"false" in bytes(messages[-1].payload) and len(messages) >= 4)


async def test_a_message_that_the_broker_refuses_is_not_taken_for_delivered(tmp_path: Path) -> None:
    """A PUBACK may say no, as that of a broker whose list of rights lacks the topic; the library alone takes it for a yes."""
    rights = tmp_path / "rights"
    rights.write_text("topic write station/line-1/online\ntopic readwrite station/line-1/line\n")
    async with brokered(tmp_path, f"acl_file {rights}") as broker, connected(broker) as station:
        answer = await station.deliver(MESSAGE)
        assert isinstance(answer, Failed)
        assert "ot authorized" in answer.reason


async def test_a_broker_that_is_started_again_gets_everything_in_order(
    tmp_path: Path, ledger: Ledger, reports: LineReports, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between verdicts and started again; each unit's events arrive in their order, and repetitions have the same id."""
    monkeypatch.setattr(mqtt, "TIMEOUT", 1.0)
    async with brokered(tmp_path) as broker, connected(broker) as station, asyncio.TaskGroup() as group:
        pump = Pump("mqtt", ledger.outbox, station.deliver, SystemClock(), reports.news())
        station.connected = pump.soon
        task = group.create_task(pump.run())

        async def judged(*boards: int) -> None:
            for board in boards:
                journal = await begun(ledger, secrets)
                await recognised(journal, board)
                await journal.finish(FailedVerdict("flash.mismatch"))

        async with hearing(broker) as before:
            await judged(1, 2)
            await before.until(lambda _: len(set(ids(before))) == 2)
        await broker.stop()
        await judged(1, 2, 1)
        await broker.start()
        async with hearing(broker) as after:
            await judged(3)
            async with asyncio.timeout(90):
                while (await ledger.outbox.counts("mqtt")).pending:
                    await asyncio.sleep(0.05)
        task.cancel()
        assert set(ids(after)) <= {f"line-1/{number}" for number in range(1, 7)}
        of_one = [each for each in ids(after) if each in {"line-1/3", "line-1/5"}]
        assert of_one == sorted(of_one)


async def test_a_station_without_its_broker_says_why(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    station = MQTT(Address("127.0.0.1", broker.port), "line-1", "application/json", dict)
    answer = await station.deliver(MESSAGE)
    assert isinstance(answer, Failed)


async def test_a_station_with_a_strange_name_has_a_topic_of_its_own(tmp_path: Path) -> None:
    async with brokered(tmp_path) as broker, hearing(broker) as ear, connected(broker, "line/+#1") as station:
        assert await station.deliver(MESSAGE) == Delivered()
        await ear.until(lambda _: bool(ear.of("station/line%2F%2B%231/attempt")))
