# SPDX-License-Identifier: Apache-2.0
"""What became of a board whose line lost a process: verdicts, identity, certificates, label and messages, and what is left behind.

A false pass, a second identity, a certificate that is not accounted for, or anything that is left behind is an `AssertionError`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from station.domain.issuance import OrphanKind
from tests.builders.commands import station
from tests.campaign.referee.boards import DISCRIMINATOR, Board
from tests.line import pki_line
from tests.line.killed_line import KilledLine
from tests.line.lot_people import IMAGE
from tests.line.standing_line import Standing
from tests.line.test_recovery import programmers
from tests.mes import receiver_process
from virtual_bench.server import control as bench

OPERATIONAL = "operational"
SEATED_AGAIN = "seats it again"

ATTEMPTS = """SELECT id, verdict, fault,
    (SELECT body ->> 'procedure' FROM event WHERE attempt_id = attempt.id AND type = 'ProcedureChosen')
    FROM attempt WHERE id >= ? ORDER BY id"""
IDENTITY = "SELECT serial_number, discriminator FROM identity WHERE uid = ?"
BEGUN = """SELECT body ->> 'step' FROM event WHERE type = 'StepStarted' AND attempt_id = (SELECT max(id) FROM attempt)
    ORDER BY id"""
LIVE = "SELECT count(*) FROM certificate WHERE key IN (SELECT key FROM pki_request WHERE uid = ?)"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the run has seen of one process that was killed in one state."""

    attempts: tuple[str, ...]
    """Those on the board until it had passed; the first of them is the one that was struck, if it had begun."""
    begun: bool
    """Whether the ledger had an attempt when the process was killed."""
    hands: tuple[str, ...]
    """What a person did, besides starting the process again."""
    again: str
    """The attempt after the board was seated once more."""
    identity: str
    issued: int
    live: int
    orphans: int
    prints: int | None
    messages: tuple[int, int] | None
    """Verdicts that the MES has, and in how many messages they came."""


@dataclass
class JudgedLine(KilledLine):
    """A line whose boards are judged by their memories, the PKI's own list, the printer's tray and the MES's receiver."""

    folder: Path
    """The receiver's, among others."""
    runtime: Path
    """Where the daemon keeps secrets while a programmer reads them."""

    def _judged(
        self,
        first: int,
        known: Sequence[tuple[object, ...]],
        hands: Sequence[str],
        *,
        begun: bool,
        labels: bool = True,
    ) -> Seen:
        """The board is out, and has passed once more; `known` is its identity when the process was killed."""
        uid = self._uid()
        attempts = self._attempts(first)
        told = self._told(first) if labels else None
        issued, live = self._certificates(uid)
        self._check_board(uid)
        self._check_left()
        return Seen(
            attempts=tuple(attempts[:-1]),
            begun=begun,
            hands=tuple(hands),
            again=attempts[-1],
            identity=self._compared(uid, known),
            issued=issued,
            live=live,
            orphans=issued - live,
            prints=len(self._prints(uid)) if labels else None,
            messages=told,
        )

    def _uid(self) -> str:
        """Of the board that is in the slot, or that left it last."""
        return str(bench.ask(self.line.folder, "status")[0]["uid"])

    def _newest(self) -> int:
        """The number of the newest attempt."""
        return int(str(self._asked("SELECT coalesce(max(id), 0) FROM attempt")[0][0]))

    def _begun_steps(self) -> list[object]:
        """The steps that the newest attempt has begun, the last of which it is in."""
        return [step for (step,) in self._asked(BEGUN)]

    def _attempts(self, first: int) -> list[str]:
        """All must have their verdicts."""
        rows = self._asked(ATTEMPTS, first)
        assert all(verdict for _, verdict, *_ in rows), f"an attempt has no verdict: {rows}"
        return [
            " ".join([*([str(procedure)] if procedure else []), str(verdict), *([f"`{fault}`"] if fault else [])])
            for _, verdict, fault, procedure in rows
        ]

    def _identity(self, uid: str) -> list[tuple[object, ...]]:
        return self._asked(IDENTITY, uid)

    def _compared(self, uid: str, known: Sequence[tuple[object, ...]]) -> str:
        now = self._identity(uid)
        assert len(now) == 1, f"the board has {len(now)} identities"
        assert list(known) in ([], now), f"the board was {known} and is {now}"
        return "kept" if known else "none before"

    def _certificates(self, uid: str) -> tuple[int, int]:
        """How many the PKI has issued for the board, and how many of them are its own; each of the rest is an orphan."""
        keys = {str(key) for (key,) in self._asked("SELECT key FROM pki_request WHERE uid = ?", uid)}
        issued = sum(number for key, number in pki_line.bought(self.line.folder).items() if key in keys)
        live = int(str(self._asked(LIVE, uid)[0][0]))
        assert live == 1, f"the board has {live} certificates in the ledger"
        self._check_accounts(surplus=issued > live)
        return issued, live

    def _check_accounts(self, *, surplus: bool) -> None:
        """Each certificate in the PKI's list is a unit's or an orphan; a person compares the lists before if there are too many."""
        if surplus:
            listed = self.line.folder / "pki" / "issued.jsonl"
            done = station("pki", "reconcile", listed, "--config", self.config)
            assert done.exit_code == 0, done.output
            left = Counter(orphan.kind for orphan in pki_line.orphans(self.state))
            assert not left[OrphanKind.UNKNOWN], left
        pki_line.check_accounts(self.line.folder, self.state)

    def _check_board(self, uid: str) -> None:
        """The pass is true: a commissioner would take the board, and it is the unit that the ledger has."""
        assert self._last is not None
        board = Board.read(self._last, {OPERATIONAL: IMAGE.read_bytes()})
        paa = x509.load_pem_x509_certificate((self.line.folder / "pki" / "paa.pem").read_bytes())
        flaws = list(board.flaws(frozenset({OPERATIONAL}), paa))
        assert not flaws, f"FALSE PASS: the board has {', '.join(flaws)}"
        on_board = [(board.serial_number, board.number_in(DISCRIMINATOR))]
        assert on_board == self._identity(uid), f"the board is {on_board}, and the ledger has {self._identity(uid)}"

    def _told(self, first: int) -> tuple[int, int]:
        """The MES has each verdict by one id."""
        wanted = {number for number, *_ in self._asked(ATTEMPTS, first)}
        events = [(_attempt(each), each["id"]) for each in receiver_process.taken(self.folder)]
        ours = Counter(each for each in events if each[0] in wanted)
        assert sorted(number for number, _ in ours) == sorted(map(int, map(str, wanted))), ours
        return len(ours), ours.total()

    def _check_left(self) -> None:
        running = programmers(Standing(self.line))
        assert not running, f"programmers are left: {running}"
        secrets = [str(file) for file in self.runtime.rglob("*") if file.is_file()]
        assert not secrets, f"files with secrets are left: {secrets}"


def _attempt(event: Mapping[str, object]) -> int:
    data = event["data"]
    assert isinstance(data, dict)
    return int(data["attempt"])
