# SPDX-License-Identifier: Apache-2.0
"""The line's dealings with the MES: the pumps of its receivers, the question before a board, and what people see of both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import structlog

from station.adapters.ledger import Ledger, lot_reader
from station.adapters.outbox import secret_file
from station.adapters.outbox.http import Post
from station.adapters.outbox.pump import Clock, Deliver, Pump, SystemClock
from station.adapters.outbox.reports import LineReports
from station.adapters.outbox.route import HTTPRoute
from station.adapters.outbox.tls_files import TLS, TLSFiles
from station.adapters.outbox.webhook import Webhook
from station.config.line import Config
from station.config.mes import MQTT as MQTT_SINK
from station.config.mes import WEBHOOK, MESSection
from station.config.problems import ConfigurationInvalid, Problem
from station.daemon.reloading import Settings
from station.domain.work_order import LotState
from station.faults import LineFault
from station.faults.line import MESBacklog
from station.interfaces import RecordedRecipe
from station.line.line import Line
from station.line.slot import Slot
from station.line.status import LineStatus, MESStatus, SinkStatus, SlotStatuses
from station.mes import cfx
from station.mes.message import level

if TYPE_CHECKING:
    from station.adapters.outbox.mqtt import MQTT

log = structlog.get_logger()

LATE_AFTER = timedelta(minutes=15)
LOOKED_EVERY = 0.5
PRUNED_EVERY = 3600.0


def reports_of(mes: MESSection) -> LineReports:
    return LineReports(mes.sinks, as_cfx=mes.format == "cfx")


class MES:
    """The MES as one daemon deals with it; without `[mes]` there are no tasks and no route."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        reports: LineReports,
        clock: Clock,
        check_clock: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._reports = reports
        self._clock = clock
        self._check_clock = check_clock
        self._station = settings.config.station.name
        self._states: Callable[[], Mapping[str, object]] = dict
        self.pumps: list[Pump] = []
        self.route: HTTPRoute | None = None
        self._mqtt: MQTT | None = None

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        settings: Settings,
        recipe: RecordedRecipe,
        ledger: Ledger,
        reports: LineReports,
        check_clock: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Self]:
        """The MES of the configuration. Raises `ConfigurationInvalid` for files that cannot be used.

        `check_clock` raises while the clock is contradicted: then nothing is removed for its age.
        """
        found = cls(settings, ledger, reports, SystemClock(), check_clock)
        config = settings.config
        async with AsyncExitStack() as stack:
            if config.mes.webhook is not None or config.mes.route is not None or config.mes.mqtt is not None:
                await found._open(stack, config, recipe)
            yield found

    async def _open(self, stack: AsyncExitStack, config: Config, recipe: RecordedRecipe) -> None:
        mes = config.mes
        try:
            tls = TLSFiles(mes.ca, mes.certificate, mes.key).newest
        except secret_file.SecretUnusable as exc:
            raise ConfigurationInvalid([Problem("", "mes", str(exc))]) from exc
        post = await stack.enter_async_context(Post.opened(tls))
        if mes.webhook is not None:
            webhook = Webhook(
                post, mes.webhook, mes.secret_file, self._reports.content_type, self._clock.now, mes.answer_within
            )
            self._add(WEBHOOK, webhook.deliver)
        if mes.broker is not None:
            self._add_mqtt(mes, tls)
        if mes.route is not None:
            self.route = HTTPRoute(
                post,
                mes.route,
                station=self._station,
                work_order=partial(_work_order, config.ledger, recipe.lot_name),
                product=recipe.name,
                waits=lambda: self._settings.config.mes.when_down == "wait",
                cfx=mes.format == "cfx",
                within=mes.route_within,
            )

    def _add_mqtt(self, mes: MESSection, tls: TLS) -> None:
        from station.adapters.outbox.mqtt import MQTT, Broker  # its library is an extra

        assert mes.broker is not None
        host, port, speaks_tls = mes.broker
        broker = Broker(host, port, tls if speaks_tls else None, mes.mqtt_user, mes.mqtt_password_file)
        self._mqtt = MQTT(broker, self._station, self._reports.content_type, self._states_now, self._clock)
        self._mqtt.connected = self._add(MQTT_SINK, self._mqtt.deliver).soon

    def _add(self, sink: str, deliver: Deliver) -> Pump:
        pump = Pump(sink, self._ledger.outbox, deliver, self._clock, self._reports.news())
        self.pumps.append(pump)
        return pump

    # --- tasks ----------------------------------------------------------------------------------------------------------

    def tasks(self, line: Line, slots: Mapping[str, Slot]) -> dict[str, Coroutine[object, object, None]]:
        """What is to run as long as the line does, by the tasks' names."""
        found: dict[str, Coroutine[object, object, None]] = {f"outbox {pump.sink}": pump.run() for pump in self.pumps}
        if self._mqtt is not None:
            self._states = partial(_states, line, SlotStatuses(slots))
            found["MQTT"] = self._mqtt.run()
        if self._reports.as_cfx and self.pumps:
            found["line's reports"] = self._report_line(line)
        if self.pumps:
            found["outbox's age"] = self._prune()
        return found

    def _states_now(self) -> Mapping[str, object]:
        return self._states()

    async def _report_line(self, line: Line) -> None:
        """Tells CFX receivers when the line is paused, and when it goes on."""
        before, since = None, self._clock.now()
        while True:
            await asyncio.sleep(LOOKED_EVERY)
            fault = line.paused_by
            now = fault.code if fault else None
            if now == before:
                continue
            at = self._clock.now()
            messages = [
                message
                for sink in self._reports.sinks
                for message in cfx.line_messages(
                    self._station,
                    sink,
                    before=before,
                    now=now,
                    reason=str(fault) if fault else None,
                    since=since,
                    at=at,
                )
            ]
            before, since = now, at
            try:
                await self._ledger.outbox.put(messages, at)
            except LineFault:  # the ledger is closed for good, and the daemon ends
                return
            self._reports.written()

    async def _prune(self) -> None:
        """Removes delivered messages when they are old, unless the clock is in doubt."""
        never = asyncio.Event()
        while True:
            before = self._clock.now() - timedelta(days=self._settings.config.mes.keep_days)
            try:
                self._check_clock()
                if removed := await self._ledger.outbox.prune(before):
                    log.info("outbox.pruned", messages=removed)
            except LineFault as fault:
                log.info("outbox.unpruned", reason=str(fault))
            await self._clock.wait(never, PRUNED_EVERY)

    def soon(self) -> None:
        """Tries again now, since a person wants it."""
        for pump in self.pumps:
            pump.soon()

    # --- what the line asks ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises `MESBacklog` where the configuration wants the line to stop for waiting messages."""
        limit = self._settings.config.mes.stop_line_at
        if limit and (pending := sum(pump.counts.pending for pump in self.pumps)) >= limit:
            raise MESBacklog(pending, limit)

    async def check_up(self) -> None:
        """Raises `MESUnavailable` while the line waits for the MES."""
        if self.route is not None:
            await self.route.check_up()

    # --- what people see ------------------------------------------------------------------------------------------------

    @property
    def late(self) -> int | None:
        """Messages that the MES does not get: given up, or pending since the oldest has waited for long. None without an MES."""
        if not self.pumps:
            return None
        return sum(pump.counts.dead + (pump.counts.pending if self._is_late(pump) else 0) for pump in self.pumps)

    def _is_late(self, pump: Pump) -> bool:
        oldest = pump.counts.oldest
        return oldest is not None and self._clock.now() - oldest >= LATE_AFTER

    @property
    def status(self) -> MESStatus | None:
        """None without an MES."""
        if not self.pumps and self.route is None:
            return None
        now = self._clock.now()
        sinks = [
            SinkStatus(
                sink=pump.sink,
                up=pump.up,
                pending=pump.counts.pending,
                oldest_seconds=round(max(0.0, (now - pump.counts.oldest).total_seconds()), 1)
                if pump.counts.oldest
                else 0.0,
                dead=pump.counts.dead,
                died=pump.died,
            )
            for pump in self.pumps
        ]
        route_up = None if self.route is None else self.route.up
        return MESStatus(
            up=all(sink.up for sink in sinks) and route_up is not False,
            route_up=route_up,
            late=self.late or 0,
            sinks=sinks,
        )


async def _work_order(ledger: Path, lot_of_recipe: str) -> str:
    """The open lot's work order; the recipe's lot where there is none."""
    standing = await asyncio.to_thread(lot_reader.standing, ledger)
    found = standing.lot.work_order if standing and standing.lot.state is LotState.OPEN else None
    return found or lot_of_recipe


def _states(line: Line, statuses: SlotStatuses) -> dict[str, object]:
    """Line and slots as MQTT has them: what the status says, without seconds, which would change at every look."""
    found: dict[str, object] = {"line": LineStatus.of(line).model_dump(mode="json")}
    for status in statuses.now():
        found[f"slot/{level(status.slot)}"] = status.model_dump(
            mode="json", exclude={"seconds", "path", "probe", "tty"}
        )
    return found
