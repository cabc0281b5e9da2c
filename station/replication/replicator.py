# SPDX-License-Identifier: Apache-2.0
"""One station's dealings with the centre, round after round: greet, push, ask for blocks, give back, sign."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from station.adapters.centre.trouble import CentreBroken, CentreRefused, CentreUnreachable
from station.adapters.ledger.shared import Stopped
from station.adapters.ledger.shared_state import Standing
from station.domain.shared import MOST_LINES, Refusal, checkpoint_text
from station.faults import LineFault
from station.faults.line import CentreUnusable
from station.replication import leasing
from station.replication.come_up import come_up
from station.replication.interfaces import Centre, SharedLedger, SharedReader
from station.replication.leasing import Wanted
from station.replication.pushing import push
from station.replication.seen import Seen, State, stopped_state

log = structlog.get_logger()

ENDED = frozenset({State.FENCED, State.FORKED})
# Of a grant: what comes by itself, or by a person's approval. Anything else refuses the station as a whole.
FOR_NOW = frozenset({Refusal.RESTORED, Refusal.STARTING})
_OF_GRANTS = FOR_NOW | {Refusal.NOT_APPROVED, Refusal.LOT_UNKNOWN, Refusal.LOT_EXHAUSTED}

LOOKED_EVERY = 5.0  # seconds, in a longer pause
FAILED = "the replication has failed: the station's log tells why"


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two rounds, and between two of what not every round does."""

    sync_every: float = 1.0
    retried_after: float = 0.5
    retried_within: float = 30.0
    """The pauses while the centre is away double from `retried_after` to this, each with jitter."""
    greeted_every: float = 10.0
    """An empty push shows that the centre is there, and whether this incarnation is still open."""
    noted_every: float = 0.0
    """Between two records in the ledger of what the centre has: each is a durable write of its own."""
    asked_every: float = 10.0
    """Between two requests for blocks that the centre has refused."""
    counted_every: float = 60.0
    signed_every: float = 600.0
    pruned_every: float = 3600.0


class Signer(Protocol):
    """The station's signing key."""

    def sign(self, data: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration says of the replication. `place` is where the ledger's file is, as the centre keeps it."""

    place: str
    hold_hours: float = 8.0
    keep_local_days: int = 30
    pace: Pace = Pace()
    signer: Signer | None = None


class Replicator:
    """Each `round` is a whole; whatever interrupts it, the next one begins where both sides stand.

    `release` is what the line makes. `heard` is called whenever `seen` has changed.
    """

    def __init__(
        self,
        centre: Centre,
        reader: SharedReader,
        ledger: SharedLedger,
        terms: Terms,
        release: str,
        heard: Callable[[Seen], None] = lambda _: None,
    ) -> None:
        self.seen = Seen()
        self._centre = centre
        self._reader = reader
        self._ledger = ledger
        self._terms = terms
        self._release = release
        self._heard = heard
        self._tries = 0
        self._away_since: float | None = None
        self._filled: Wanted | None = None
        self._counted = self._signed = self._pruned = self._pushed = self._refused = self._noted = -1e9
        self._signed_upto = -1
        self._busiest_hour = 0
        self._doubted = asyncio.Event()

    async def run(self) -> None:
        """Goes round until it is cancelled. A ledger that is closed at the centre goes on telling; a forked one ends."""
        while self.seen.state is not State.FORKED:
            await self._rest(await self.round())

    async def round(self) -> float:
        """One round. Returns the seconds until the next."""
        self._doubted.clear()
        try:
            return await self._round()
        except CentreUnreachable as exc:
            self._away(exc.reason)
        except (CentreBroken, CentreUnusable) as exc:
            self._refused_whole(exc.reason)
        except CentreRefused as exc:
            self._refusal(exc)
        except LineFault:  # of the ledger, which tells the line itself
            pass
        return self._pause()

    @property
    def longest_pause(self) -> float:
        return self._terms.pace.retried_within

    def doubt(self) -> None:
        """Has the next round begin at once and ask the centre for something: it may be away."""
        self._pushed = -1e9
        self._doubted.set()

    def failed(self) -> None:
        """Has the centre count as away after a bug of the station, so that people hear of it."""
        self._away(FAILED)

    async def last_push(self) -> None:
        """Tells the centre what the ledger still has for it, if the centre was there. Raises nothing: the next start goes on."""
        try:
            self.look()
            while self.seen.state in {State.UP, State.FENCED} and self.seen.waiting:
                await self._push()
            await self._note(now=True)
        except (CentreUnreachable, CentreRefused, CentreBroken, LineFault) as exc:
            log.info("shared.unpushed", lines=self.seen.waiting, reason=str(exc))

    # --- a round --------------------------------------------------------------------------------------------------------

    async def _round(self) -> float:
        self.look()
        if self.seen.state not in {State.UP, *ENDED}:
            await self._come_up()
        if self.seen.state is State.FORKED:
            return 0.0
        more = await self._push()
        await self._note()
        self._back()
        if self.seen.up and not more:
            more = await self._fill()
            await self._sign()
            await self._prune()
        return 0.0 if more else self._terms.pace.sync_every

    def look(self) -> None:
        """Reads the ledger's own side anew."""
        now = time.monotonic()
        if now - self._counted >= self._terms.pace.counted_every:
            self._busiest_hour, self._counted = self._reader.busiest_hour(datetime.now(UTC)), now
        lot, standing = self._reader.lot(), self._reader.standing()
        self._see(
            replace(
                self.seen,
                standing=standing,
                lot=lot,
                release=self._release,
                items=0 if lot is None else self._reader.leases(lot, self._release).items,
                hold=leasing.to_hold(self._busiest_hour, self._terms.hold_hours),
                busiest_hour=self._busiest_hour,
                cursor=self.seen.cursor if self.seen.greeted else standing.acked,
            )
        )
        if standing.stopped is not None and not standing.moved:
            self._stop(Stopped(standing.stopped))

    async def _come_up(self) -> None:
        standing = await come_up(self._centre, self._reader, self._ledger, self._terms.place)
        before = self.seen.standing
        if before is not None and standing.incarnation != before.incarnation:
            log.info("shared.enrolled", incarnation=standing.incarnation)
        self._pushed = -1e9
        self._see(replace(self.seen, standing=standing, greeted=True, cursor=standing.acked))
        if standing.stopped is not None:
            self._stop(Stopped(standing.stopped))

    async def _push(self) -> bool:
        """Returns whether more lines wait than one push takes."""
        now, pace = time.monotonic(), self._terms.pace
        if not self.seen.waiting and now - self._pushed < pace.greeted_every:
            return False
        pushed = await push(self._centre, self._reader, self._ledger, self.seen.cursor, note=False)
        self._pushed = now
        standing = self._reader.standing()
        self._see(replace(self.seen, standing=standing, cursor=pushed.cursor, pushed_at=datetime.now(UTC)))
        if pushed.stopped is not None:
            self._stop(pushed.stopped)
        return pushed.waiting >= MOST_LINES

    async def _note(self, *, now: bool = False) -> None:
        """Has the ledger record what the centre has, now and then."""
        due = now or time.monotonic() - self._noted >= self._terms.pace.noted_every
        if due and self.seen.greeted and self.seen.cursor > self._open.acked:
            await self._ledger.acknowledged(self.seen.cursor)
            self._noted = time.monotonic()
            self._see(replace(self.seen, standing=self._reader.standing()))

    async def _fill(self) -> bool:
        """Gives back what the line does not need any more, and asks for what it lacks. Returns whether it lacks more."""
        standing, wanted = self._open, Wanted(self.seen.lot, self.seen.release)
        if wanted != self._filled:
            if self._filled is not None:
                await self._sign(now=True)
            for lot, numbers in (await self._ledger.give_up(wanted.lot, wanted.release)).items():
                log.info("shared.returned", lot=lot, blocks=len(numbers))
            self._filled, self._refused = wanted, -1e9
            self._see(replace(self.seen, ungranted=None, ungranted_reason=None))
        if time.monotonic() - self._refused < self._terms.pace.asked_every:
            return False
        try:
            granted = await leasing.lease(self._centre, self._reader, self._ledger, standing, wanted, self.seen.hold)
        except CentreRefused as exc:
            if exc.refusal not in _OF_GRANTS:
                raise
            await self._ungranted(exc, wanted)
            return False
        if granted is None:
            return False
        self._see(replace(self.seen, ungranted=None, ungranted_reason=None))
        self.look()
        log.info("shared.granted", lot=granted.lot, items=self.seen.items)
        if Wanted(granted.lot, granted.release) != wanted:
            self._filled = None  # what came is given up at once
        return True

    async def _ungranted(self, refused: CentreRefused, wanted: Wanted) -> None:
        await leasing.forget_unwanted(self._reader, self._ledger, wanted)
        self._refused = time.monotonic()
        if self.seen.ungranted is not refused.refusal:
            log.warning("shared.ungranted", lot=wanted.lot, reason=refused.detail)
        self._see(replace(self.seen, ungranted=refused.refusal, ungranted_reason=refused.detail))

    async def _sign(self, *, now: bool = False) -> None:
        """Signs the journal's head, if there is a key and the time has come."""
        standing, signer = self._open, self._terms.signer
        due = now or time.monotonic() - self._signed >= self._terms.pace.signed_every
        if signer is None or not due or standing.lines == self._signed_upto:
            return

        def sign(upto: int, head: bytes) -> bytes:
            return signer.sign(checkpoint_text(standing.station, standing.incarnation, upto, head))

        await self._ledger.checkpoint(sign)
        self._signed, self._signed_upto = time.monotonic(), self._reader.standing().lines

    async def _prune(self) -> None:
        if time.monotonic() - self._pruned >= self._terms.pace.pruned_every:
            while await self._ledger.prune(self._terms.keep_local_days):
                pass
            self._pruned = time.monotonic()

    # --- how it stands --------------------------------------------------------------------------------------------------

    @property
    def _open(self) -> Standing:
        assert self.seen.standing is not None
        return self.seen.standing

    def _see(self, seen: Seen) -> None:
        if seen != self.seen:
            self.seen = seen
            self._heard(seen)

    def _back(self) -> None:
        self._tries = 0
        if self.seen.state in ENDED or self.seen.up:
            return
        away = None if self._away_since is None else round(time.monotonic() - self._away_since, 1)
        self._away_since = None
        self._see(replace(self.seen, state=State.UP, reason=None))
        log.info("shared.back", seconds=away, lines=self.seen.waiting)

    def _refusal(self, refused: CentreRefused) -> None:
        if refused.refusal is Refusal.CLOSED and self.seen.up:
            # The next greeting tells what has become of this incarnation.
            self._see(replace(self.seen, state=State.AWAY, reason=refused.detail))
        elif refused.refusal in FOR_NOW:
            self._away(refused.detail)
        else:
            self._refused_whole(refused.detail)

    def _away(self, reason: str) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("shared.away", reason=reason)
        if self.seen.state not in ENDED:
            state = State.AWAY if self.seen.greeted else State.STARTING
            self._see(replace(self.seen, state=state, reason=reason))

    def _refused_whole(self, reason: str) -> None:
        if self.seen.state not in ENDED:
            if (self.seen.state, self.seen.reason) != (State.REFUSED, reason):
                log.error("shared.refused", reason=reason)
            self._see(replace(self.seen, state=State.REFUSED, reason=reason))

    def _pause(self) -> float:
        """The seconds until the next try."""
        pace = self._terms.pace
        longest = min(pace.retried_within, pace.retried_after * 2**self._tries)
        self._tries = min(self._tries + 1, 16)
        return random.uniform(pace.retried_after, longest)  # noqa: S311  no secret

    def _stop(self, why: Stopped) -> None:
        if self.seen.state in ENDED:
            return
        if why is Stopped.FENCED:
            log.error("shared.fenced", lines=self.seen.waiting)
        else:
            log.error("shared.forked", lines=self.seen.waiting)
        self._see(replace(self.seen, state=stopped_state(why), greeted=True))

    async def _rest(self, seconds: float) -> None:
        """Waits, and keeps the ledger's own side in view meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._doubted.is_set():
            try:
                async with asyncio.timeout(min(left, LOOKED_EVERY)):
                    await self._doubted.wait()
            except TimeoutError:
                if left > LOOKED_EVERY:
                    self.look()
