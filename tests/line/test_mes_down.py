# SPDX-License-Identifier: Apache-2.0
"""An hour without the MES, in virtual time: webhook and broker are down, and two messages in front are ones that nobody takes."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing
from tests.line.test_page import Page, answer, opened
from tests.mes.broker import Broker, Ear, hearing
from tests.mes.receiver import SECRET, Receiver, receiving
from tests.mes.steered_daemon import VARIABLE, Steering

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

HOUR, STEP = 3600.0, 300.0  # a step is the longest pause between two tries
BY = ("--reason", "the test says so")
Event = dict[str, object]


class Outside:
    """A webhook's receiver, and a broker with somebody who hears all that it gets, in a thread with a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.receiver = Receiver()
        self.broker = Broker(folder)
        self.ear = Ear()
        self._stands, self._cut, self._is_cut = (threading.Event() for _ in range(3))
        self._listen, self._listens, self._ended = (threading.Event() for _ in range(3))

    @contextmanager
    def standing(self) -> Iterator["Outside"]:
        """For the block; the broker is down from `cut` to `listen`."""
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        self._stands.wait()
        try:
            yield self
        finally:
            for each in (self._cut, self._listen, self._ended):
                each.set()
            thread.join()

    async def _serve(self) -> None:
        async with receiving(self.receiver):
            await self.broker.start()
            self._stands.set()
            await asyncio.to_thread(self._cut.wait)
            await self.broker.stop()
            self._is_cut.set()
            await asyncio.to_thread(self._listen.wait)
            await self.broker.start()
            async with hearing(self.broker, "station/demo-line/attempt") as self.ear:
                self._listens.set()
                await asyncio.to_thread(self._ended.wait)
            await self.broker.stop()

    def cut(self) -> None:
        """Takes receiver and broker away."""
        self.receiver.mode = "down"
        self._cut.set()
        self._is_cut.wait()

    def listen(self) -> None:
        """Starts the broker again, and returns when the one who hears is there."""
        self._listen.set()
        self._listens.wait()

    @property
    def heard(self) -> list[Event]:
        return [json.loads(bytes(message.payload)) for message in self.ear.messages]


def configured(outside: Outside, secret: Path) -> str:
    secret.write_text(SECRET)
    secret.chmod(0o600)
    mqtt = f"mqtt://127.0.0.1:{outside.broker.port}"
    return f'[mes]\nwebhook = "{outside.receiver.url}"\nsecret_file = "{secret}"\nmqtt = "{mqtt}"\n'


def told(page: Page, so: Callable[[int], bool]) -> int:
    """The number of late messages of the first event of the page that has such a number."""
    while not so(late := page.until("mes")["late"]):  # type: ignore[arg-type]
        pass
    assert isinstance(late, int)
    return late


def listed(standing: Standing, *more: str) -> list[Event]:
    messages: list[Event] = json.loads(standing.station("outbox", "list", "--json", *more))["messages"]
    return messages


def order_of(events: list[Event]) -> list[list[str]]:
    """The ids of each unit's events as they came, repetitions left out; in the order of the units' least ids."""
    found = dict[object, list[str]]()
    for event in events:
        of_unit = found.setdefault(event["subject"], [])
        if event["id"] not in of_unit:
            of_unit.append(str(event["id"]))
    return sorted(found.values(), key=min)


def passes(standing: Standing, slot: int, *, new: bool = False) -> None:
    """Seats a board, which passes, and pulls it."""
    standing.bench("plug", str(slot), *(["--new"] if new else []))
    assert standing.wait(slot, lambda seen: seen.verdict is not None).verdict == "pass"
    standing.bench("unplug", str(slot))
    standing.wait(slot, lambda seen: seen.probe is None)


def undelivered(standing: Standing) -> list[Event]:
    """The same list from the API, which costs no process."""
    page = standing.line.status().page
    assert page is not None
    status, found = answer(page.url or "", "/api/v1/outbox")
    assert status == 200
    messages: list[Event] = found["messages"]  # type: ignore[assignment]
    return messages


def tries(standing: Standing, first: int) -> int:
    """How often the webhook was tried with the first so many messages that it has not taken.

    A try is counted when the next one is planned, so a test may move the clock on then.
    """
    waiting = [each for each in undelivered(standing) if each["sink"] == "webhook"]
    return sum(int(str(each["tries"])) for each in waiting[:first])


def an_hour_later(standing: Standing, steering: Steering) -> None:
    """Lets an hour go by; in each step the receiver is tried again."""
    for _ in range(int(HOUR / STEP)):
        before = tries(standing, 3)
        steering.forward(STEP)
        standing.until(lambda before=before: tries(standing, 3) > before)  # type: ignore[misc]


def test_an_hour_without_the_mes_costs_no_verdict_and_no_order(
    tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line stays open, the page tells how many are late, and afterwards everything arrives in each unit's order.

    Of the two messages in front that nobody takes, one is retried once the receiver has mended its ways, and one dropped.
    """
    steering = Steering(tmp_path)
    for name, value in {**SHORT_DEADLINES, VARIABLE: str(steering.file)}.items():
        monkeypatch.setenv(name, value)
    with Outside(tmp_path).standing() as outside:
        receiver, further = outside.receiver, configured(outside, tmp_path / "webhook.secret")
        place = tmp_path / "line"
        with Line.standing(place, 3, further=further, program="tests.mes.steered_daemon") as line:
            standing = Standing(line)
            page = line.status().page
            assert page is not None
            with opened(page.url or "") as seen:
                assert seen.until("snapshot")["mes"] == 0
                passes(standing, 1)
                standing.until(lambda: undelivered(standing) == [])
                outside.cut()
                for slot in (1, 2, 3):
                    passes(standing, slot)
                an_hour_later(standing, steering)
                assert told(seen, lambda late: late >= 6) == 6, "three verdicts, for each of two receivers"
                for slot in (3, 1, 2):  # the same boards again, and the line takes them
                    passes(standing, slot)
                assert told(seen, lambda late: late >= 12) == 12
                status = line.status()
                assert (status.line.state, status.mes.up if status.mes else None) == ("open", False)

                waiting = listed(standing)
                ids = [f"demo-line/{number}" for number in range(2, 8)]
                assert len(waiting) == 12
                assert {each["dead_at"] for each in waiting} == {None}
                os.kill(line.processes["daemon"].pid, signal.SIGSTOP)  # it shall not come before the one who listens
                outside.listen()
                receiver.poison = {ids[0], ids[1]}
                receiver.mode = "ok"
                os.kill(line.processes["daemon"].pid, signal.SIGCONT)
                steering.forward(STEP)
                standing.until(lambda: {each["id"] for each in outside.heard} == set(ids))
                standing.until(lambda: set(receiver.ids) >= {ids[2], ids[3]})
                assert not {ids[4], ids[5]} & set(receiver.ids), "they wait for the ones before them about their unit"

                while dead(standing) < 2:
                    before = tries(standing, 2)
                    steering.forward(STEP)
                    standing.until(lambda before=before: tries(standing, 2) > before or dead(standing) == 2)  # type: ignore[misc]
                standing.until(lambda: set(receiver.ids) == {"demo-line/1", *ids[2:]})
                assert told(seen, lambda late: late <= 2) == 2, "the dead ones"
            check_decisions(standing, outside, ids)
            with opened(page.url or "") as seen:
                assert seen.until("snapshot")["mes"] == 0
    assert order_of(outside.heard) == [[ids[0], ids[4]], [ids[1], ids[5]], [ids[2], ids[3]]]
    # The dropped one is missing, and the retried one comes behind the later one of its unit.
    assert order_of(receiver.taken) == [["demo-line/1", ids[4], ids[0]], [ids[2], ids[3]], [ids[5]]]


def dead(standing: Standing) -> int:
    return sum(each["dead_at"] is not None for each in undelivered(standing))


def check_decisions(standing: Standing, outside: Outside, ids: list[str]) -> None:
    """The first dead message is retried and taken, the second dropped and never seen."""
    told = listed(standing)
    assert len(told) == 2
    assert all(each["dead_at"] and "400" in str(each["error"]) for each in told)
    assert "0 pending, 2 dead" in standing.station("outbox", "list")
    outside.receiver.poison = set()
    first, second = (str(each["number"]) for each in told)
    standing.station("outbox", "drop", second, *BY)
    standing.station("outbox", "retry", first, *BY)
    standing.until(lambda: set(outside.receiver.ids) == {"demo-line/1", ids[0], *ids[2:]})
    standing.until(lambda: "Every message has been delivered" in standing.station("outbox", "list"))
