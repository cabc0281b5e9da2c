# SPDX-License-Identifier: Apache-2.0
"""Delivers messages to an MQTT 5 broker, and keeps the state of line and slots there. The one home of aiomqtt."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import structlog
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from station.adapters.outbox.http import NoAnswer
from station.adapters.outbox.pump import Clock, SystemClock, pause_after
from station.adapters.outbox.secret_file import SecretUnusable, lines
from station.adapters.outbox.tls_files import TLS
from station.adapters.system.shown import shown
from station.mes.message import Answer, Delivered, Failed, Refused, Waiting, level

log = structlog.get_logger()

TIMEOUT, KEEPALIVE = 3.0, 5  # seconds
STATE_EXPIRES, STATE_REPEATED = 30, 10.0
LOOK_EVERY = 0.5
# What a broker says about one message, which others may not meet: topic name invalid, packet too large, payload format
# invalid. Everything else is about the broker or the station's rights, which a person may mend.
ABOUT_THE_MESSAGE = frozenset({0x90, 0x95, 0x99})
JSON = "application/json; charset=utf-8"

States = Callable[[], Mapping[str, object]]
"""The state of line and slots as JSON values, by the ends of their topics: `line`, `slot/3`."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and as whom the station comes. `tls` is None where it speaks without."""

    host: str
    port: int
    tls: TLS | None = None
    user: str | None = None
    password: Path | None = None


async def try_out(broker: Broker) -> None:
    """Connects once as the station does, with no will, and leaves; raises `NoAnswer` if the broker does not take it."""
    try:
        password = None if broker.password is None else lines(broker.password)[0]
        async with aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.user,
            password=password,
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=TIMEOUT,
            tls_context=None if broker.tls is None else broker.tls(),
        ):
            pass
    except (aiomqtt.MqttError, SecretUnusable, OSError, ValueError) as exc:
        raise NoAnswer(str(exc) or type(exc).__name__) from exc


class _Client(aiomqtt.Client):
    """Remembers what the broker says against a message: the library takes every PUBACK as a confirmation."""

    _refused: ReasonCode | None = None

    def taken_refusal(self) -> ReasonCode | None:
        """What the broker has said against a message since the last call."""
        refused, self._refused = self._refused, None
        return refused

    def _on_publish(  # type: ignore[override,unused-ignore]
        self, client: PahoClient, userdata: object, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        if reason_code.is_failure:
            self._refused = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)


class MQTT:
    """One broker, connected as long as it can be reached."""

    def __init__(
        self, broker: Broker, station: str, content_type: str, states: States, clock: Clock | None = None
    ) -> None:
        """`clock` tells when the pause before another connection is over."""
        self.connected: Callable[[], None] = lambda: None
        """Called after each new connection."""
        self._broker = broker
        self._topic = f"station/{level(station)}"
        self._station = station
        self._content_type = content_type
        self._states = states
        self._clock = clock or SystemClock()
        self._client: _Client | None = None
        self._reason = "not connected yet"

    async def run(self) -> None:
        """Connects again and again until it is cancelled."""
        failures, never = 0, asyncio.Event()
        while True:
            try:
                async with self._opened() as client:
                    failures = 0
                    await self._keep_states(client)
            except (aiomqtt.MqttError, SecretUnusable, OSError, ValueError) as exc:
                if self._reason != str(exc):
                    log.warning("mqtt.disconnected", host=self._broker.host, reason=shown(exc))
                self._reason = str(exc)
            failures += 1
            await self._clock.wait(never, min(pause_after(failures), 30.0))

    async def deliver(self, message: Waiting) -> Answer:
        """Publishes one message at least once; the broker's PUBACK confirms it."""
        client = self._client
        if client is None:
            return Failed(f"the broker cannot be reached: {self._reason}")
        properties = _properties(self._content_type, id=message.event_id, type=message.type)
        client.taken_refusal()
        try:
            await client.publish(f"{self._topic}/attempt", message.body.encode(), qos=1, properties=properties)
        except (aiomqtt.MqttError, OSError, ValueError) as exc:
            return Failed(str(exc))
        code = client.taken_refusal()
        if code is None:
            return Delivered()
        return Refused(str(code)) if code.value in ABOUT_THE_MESSAGE else Failed(f"the broker refuses: {code}")

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[_Client]:
        broker = self._broker
        password = None if broker.password is None else lines(broker.password)[0]
        client = _Client(
            broker.host,
            broker.port,
            username=broker.user,
            password=password,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(f"{self._topic}/online", _said(online=False), 1, True, _properties(JSON)),
            timeout=TIMEOUT,
            keepalive=KEEPALIVE,
            tls_context=None if broker.tls is None else broker.tls(),
        )
        async with client:
            await client.publish(f"{self._topic}/online", _said(online=True), 1, True, _properties(JSON))
            log.info("mqtt.connected", host=broker.host)
            self._client = client
            self.connected()
            try:
                yield client
            finally:
                self._client = None
                self._reason = "the connection has ended"
                # A connection that ends in order has no will.
                await self._say_goodbye(client)

    async def _say_goodbye(self, client: _Client) -> None:
        try:
            await client.publish(f"{self._topic}/online", _said(online=False), 1, True, _properties(JSON), timeout=1)
        except (aiomqtt.MqttError, OSError, ValueError):
            return  # the broker itself says it, by the will

    async def _keep_states(self, client: _Client) -> None:
        """Publishes each state when it has changed, and again before it expires."""
        loop = asyncio.get_running_loop()
        told: dict[str, tuple[str, float]] = {}
        while True:
            for name, state in self._states().items():
                text = json.dumps(state)
                before, at = told.get(name, ("", 0.0))
                if text == before and loop.time() - at < STATE_REPEATED:
                    continue
                properties = _properties(JSON, expires=STATE_EXPIRES)
                await client.publish(f"{self._topic}/{name}", text.encode(), 1, True, properties)
                told[name] = text, loop.time()
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    async for _ in client.messages:  # none comes; it raises at once when the connection ends
                        pass
            except TimeoutError:
                continue


def _said(*, online: bool) -> bytes:
    return json.dumps({"online": online}).encode()


def _properties(content_type: str, expires: int | None = None, **user: str) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # the library has no type for it
    properties.ContentType = content_type
    if expires is not None:
        properties.MessageExpiryInterval = expires
    if user:
        properties.UserProperty = list(user.items())
    return properties
