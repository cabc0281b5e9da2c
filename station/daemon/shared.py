# SPDX-License-Identifier: Apache-2.0
"""The shared ledger as one daemon deals with it: its replication, what the line does about it, and what people see of it.

Imported only where the configuration has `[shared]`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.adapters.ledger import Ledger
from station.adapters.ledger.fleet_key_file import fleet_key
from station.adapters.ledger.key_file import KeyUnusable, signing_key
from station.adapters.ledger.place import Place
from station.adapters.ledger.shared_reader import reading
from station.adapters.ledger.sharing import Shared
from station.config.line import Config
from station.config.problems import ConfigurationInvalid, Problem
from station.config.shared import SharedSection
from station.faults import LineFault
from station.faults.line import LeaseExhausted, ReleaseNotApproved
from station.line.line import Line
from station.line.status import SharedStatus
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe
from station.replication.replicator import Pace, Terms
from station.replication.running import Means, Replication
from station.replication.seen import Seen, fault_for_new_boards, nothing_left, pausing_fault
from station.web.models import NO_STOCK, Stock

LOW = 1.0  # hours
NOTED_EACH = 5  # pushes: the ledger records how far the centre has its journal


class Sharing:
    """One daemon's part in the shared ledger. `opening` is what its ledger is opened with.

    Raises `ConfigurationInvalid` for keys and connection strings that cannot be used.
    """

    def __init__(self, config: Config, section: SharedSection, recipe: Recipe | Laboratory) -> None:
        self._config = config
        self._section = section
        self._recipe = recipe
        self._changed = asyncio.Event()
        self._replication: Replication | None = None
        try:
            fleet = fleet_key(section.fleet_key)
            self._connections = [
                Connection(section.dsn, config.station.name, deadline=deadline)
                for deadline in (section.deadline, section.claim_within)
            ]
            self._signer = (
                None
                if section.signing_key is None
                else signing_key(section.signing_key, "station's signing key", private=False)
            )
        except (KeyUnusable, ValueError) as exc:
            raise ConfigurationInvalid([Problem("", "shared", str(exc))]) from exc
        self.opening = Shared(fleet, recipe.release, none_left=self._none_left)

    @asynccontextmanager
    async def running(self, ledger: Ledger) -> AsyncIterator[None]:
        """Replicates the ledger, which was opened with `opening`, for the block."""
        assert ledger.shared is not None
        section, path = self._section, self._config.ledger
        terms = Terms(
            json.dumps(asdict(Place.of(path)), sort_keys=True),
            section.hold_hours,
            section.keep_local_days,
            Pace(sync_every=section.sync_every, noted_every=NOTED_EACH * section.sync_every),
            self._signer,
        )
        makes_units = self._recipe.new_secrets is not None
        centre, claims = (Centre(connection) for connection in self._connections)
        reader = partial(reading, path, self._recipe if makes_units else None)
        means = Means(centre, claims, self._connections, reader)
        release, changed = self._recipe.release, self._changed.set
        async with Replication.running(means, ledger.shared, terms, release, changed) as replication:
            self._replication = replication
            self.opening.claims = replication.claims
            await self._first_word(section.deadline)
            try:
                yield
            finally:
                self.opening.claims = None

    async def _first_word(self, within: float) -> None:
        """Waits until the centre has known the ledger or is known to be away, so that the line need not begin with a pause."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self.seen.greeted and self.seen.reason is None:
                    self._changed.clear()
                    await self._changed.wait()
        self._changed.set()  # `watch` has not seen it yet

    @property
    def seen(self) -> Seen:
        return self._replication.seen if self._replication is not None else Seen()

    # --- what the line does ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises the fault of the shared ledger that pauses the whole line."""
        offline_start = self._section.offline_start == "same-place"
        fault = pausing_fault(self.seen, self._config.station.name, offline_start=offline_start)
        if fault is not None:
            raise fault

    async def watch(self, line: Line) -> None:
        """Pauses the line as soon as the replication finds a reason, and opens it to new boards once there are items for them."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                self.check()
            except LineFault as fault:
                line.pause(fault)
            if (missing := fault_for_new_boards(self.seen)) is not None:
                line.pause(missing)
            elif self.seen.items:
                line.open_to_new(LeaseExhausted, ReleaseNotApproved)

    def _none_left(self, lot: str) -> LineFault:
        return nothing_left(self.seen, lot)

    # --- what people see ------------------------------------------------------------------------------------------------

    @property
    def stock(self) -> Stock:
        """What the operator's page shows: something only while the centre is away, or the line's items are running out."""
        seen, hours = self.seen, self.seen.hours_left
        if seen.lot is None or seen.standing is None:
            return NO_STOCK
        away = not seen.up and seen.reason is not None
        low = not seen.items or (hours is not None and hours < LOW)
        return Stock(away=away, left=seen.items if away or (low and seen.ungranted is not None) else None)

    @property
    def status(self) -> SharedStatus:
        seen, now = self.seen, datetime.now(UTC)
        hours = seen.hours_left
        return SharedStatus(
            state=seen.state.value,
            reason=seen.reason or seen.ungranted_reason,
            pushed_at=seen.pushed_at,
            pushed_seconds_ago=None
            if seen.pushed_at is None
            else round(max(0.0, (now - seen.pushed_at).total_seconds()), 1),
            lines_waiting=seen.waiting,
            lot=seen.lot,
            items_left=seen.items,
            items_held=seen.hold,
            release=self._recipe.release,
            hours_left=None if hours is None else round(hours, 1),
        )
