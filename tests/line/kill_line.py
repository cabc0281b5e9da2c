# SPDX-License-Identifier: Apache-2.0
"""A line that is brought into a state, loses a process there by `kill -9`, gets it back, and whose board then has to pass."""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from station.adapters.ledger import outbox
from station.daemon import control
from station.domain.attempt import Phase
from station.domain.labelling import LabelEvent
from tests.builders.json_lines import objects_of
from tests.campaign.canaries import ProcessSampler
from tests.campaign.referee.boards import pack
from tests.line import held, pki_line, struck
from tests.line.kill_expected import contradictions
from tests.line.kill_judgement import SEATED_AGAIN, JudgedLine, Seen
from tests.line.kill_states import HANGING, Cell, Kind, Part, State, Victim
from tests.line.kill_victims import Process
from tests.line.killed_line import Died
from tests.line.pki_line import Switches
from tests.line.standing_line import Standing
from tests.line.test_recovery import Log, programmers
from tests.mes import receiver_process
from virtual_bench.server import control as bench

OLDER_STACK = {"stack": 0x01170003}  # so that each board's coprocessor has to be upgraded
LATE = 5.0  # seconds of a late answer, in which the kill must come
TRIES = 4  # of a board, whose person seats it again
MOST_BOARDS = 3  # of a state that a slow PC may miss
MOVING = frozenset({"running", "waiting"})
WITHOUT_BOARD = frozenset({Kind.IDLE, Kind.NEW_LOT})


class CellFailed(Exception):
    """A promise is broken, or the line has not come to rest."""


class Missed(Exception):
    """The state was over before the kill."""


@dataclass
class KillLine(JudgedLine):
    """One running line, at which cells are tried one after the other."""

    victims: Mapping[Victim, Process]
    sampler: ProcessSampler
    kills: list[dict[str, object]] = field(default_factory=list)
    boards: list[dict[str, object]] = field(default_factory=list)
    labels: bool = True
    """Whether the line prints labels and tells an MES."""

    def tried(self, cell: Cell) -> Seen:
        """Raises `CellFailed`."""
        for _ in range(MOST_BOARDS):
            try:
                return self._tried(cell)
            except Missed:
                self._brought_to_pass()
                self._labelled(cell.state)
                self._pull()
            except (AssertionError, Died, control.CommandRefused, OSError) as exc:
                raise CellFailed(f"{cell}: {type(exc).__name__} {exc}") from exc
        raise CellFailed(f"{cell}: the state was over before the kill, {MOST_BOARDS} times")

    def _tried(self, cell: Cell) -> Seen:
        first = self._newest() + 1
        scan = self._reached(cell.state)
        begun, known = self._newest() >= first, self._known(cell.state)
        self._struck(cell)
        if cell.victim is Victim.DAEMON:
            self._restarted(cell.state)
        else:
            self._seated_for(cell.state)
            self._settled(cell)
            self.victims[cell.victim].start()
        hands = [*self._brought_to_pass(), *self._labelled(cell.state)]
        if scan is not None:
            scan.join()
        self._seated_again()
        self._until_passed()
        self._rests()
        self._pull()
        seen = self._judged(first, known, hands, begun=begun, labels=self.labels)
        assert not (found := list(contradictions(cell, seen))), found
        return seen

    # --- into the state -------------------------------------------------------------------------------------------------

    def _reached(self, state: State) -> threading.Thread | None:
        """Brings the line into the state. Returns the scan that is under way, if there is one."""
        match state.kind:
            case Kind.HELD:
                self._strikes(state.name)
                self._seat()
                scan = self._scanning() if state.name.endswith(LabelEvent.BOUND) else None
                self._held()
                return scan
            case Kind.GONE:
                self._seat()
                uid = self._until_passed()
                if self.labels:
                    self._until_printed(uid)
                self._pull()
            case Kind.LATE_PKI:
                Switches(self.line.folder).set({"late": {"times": 1, "seconds": LATE}})
                before = len(pki_line.issued(self.line.folder))
                self._seat()
                self._until(lambda: len(pki_line.issued(self.line.folder)) > before)
            case Kind.HANGS:
                self._meets(state, {"what": "hang"})
            case Kind.READS:
                assert state.step is not None
                self._strikes(f"after {state.step.value}")
                self._seat()
                self._held()
                # To the bench this is the reading with which the plan `flash` begins that step.
                self._armed(Phase.FLASH_OPERATIONAL, {"what": "hang"})
                (self.folder / held.GO).touch()
                self._until(lambda: self._has_befallen(len(self.boards), "hang"))
            case Kind.LATE_BOARD:
                # A board that has just booted greets, and the station then asks again at once: both answers are late.
                times = 2 if state.step is Phase.AWAIT_CSR else 1
                self._meets(state, {"what": "late_answer", "seconds": LATE, "times": times})
            case Kind.IDLE:
                pass
        return None

    def _meets(self, state: State, fault: Mapping[str, object]) -> None:
        """Seats a board with a fault, and returns when it has happened, and the ledger has the step, which the bench sees earlier."""
        assert state.step is not None
        number = len(self.boards) + 1
        self._armed(state.step, fault, number)
        self._seat()
        self._until(lambda: self._has_befallen(number, str(fault["what"])))
        step = state.step.value
        self._until(lambda: step in self._begun_steps())

    def _armed(self, at: Phase, fault: Mapping[str, object], board: int | None = None) -> None:
        """Gives a fault to the board with this number, or to the newest."""
        number = board or len(self.boards)
        bench.ask(self.line.folder, "fault", fault={"board": number, "at": at.value, **fault})

    def _strikes(self, moment: str) -> None:
        """Has the daemon stand still at this moment."""
        (self.folder / struck.STRIKE).write_text(moment, encoding="ascii")

    def _held(self) -> None:
        """Returns when the daemon stands still."""
        self._until((self.folder / held.REACHED).exists)
        (self.folder / held.REACHED).unlink()

    def _seat(self) -> None:
        """Seats a fresh board."""
        board = self._plug(OLDER_STACK)
        self.boards.append({"number": board["board"], "away": None, "disturbed": [{"what": "kill", "at": 0.0}]})

    def _put_away(self, board: os.PathLike[str]) -> None:
        """The referee reads its memories in the end."""
        pack(board)  # type: ignore[arg-type]

    def _scanning(self) -> threading.Thread:
        """Scans the label, which the daemon answers only when it goes on."""
        uid = self._until_passed()
        self._until_printed(uid)
        code = self._code(uid)

        def scan() -> None:
            try:
                self._scan(code)
            except (control.CommandRefused, Died):
                return  # the daemon was killed: the person scans again

        thread = threading.Thread(target=scan)
        thread.start()
        return thread

    def _has_befallen(self, board: int, what: str) -> bool:
        lines = objects_of(self.line.folder / "bench.jsonl")
        return any(each["event"] == "fault" and (each["board"], each["what"]) == (board, what) for each in lines)

    def _known(self, state: State) -> list[tuple[object, ...]]:
        return [] if state.kind in WITHOUT_BOARD else self._identity(self._uid())

    # --- the kill -------------------------------------------------------------------------------------------------------

    def _struck(self, cell: Cell) -> None:
        """Kills the process, and lets the one that stands still go on, if that is another."""
        state = cell.state
        if state.step is not None and self._begun_steps()[-1] != state.step.value:
            raise Missed
        self.sampler.sample(each.pid for each in self.line.processes.values())
        if cell.victim is Victim.PRINTER and state.on_paper:
            self._until(lambda: bool(self._prints(self._uid())))  # it may not have read yet what was sent
        if cell.victim is Victim.POWER and state.kind is Kind.HELD:
            self._until(lambda: not programmers(Standing(self.line)))  # it runs on while the daemon stands still
        self.kills.append({"who": str(cell.victim), "at": time.time()})
        self.victims[cell.victim].kill()
        holder = Victim.RECEIVER if state.name == receiver_process.MOMENT else Victim.DAEMON
        if state.kind in {Kind.HELD, Kind.NEW_LOT} and holder is not cell.victim:
            (self.folder / held.GO).touch()

    def _seated_for(self, state: State) -> None:
        """Seats the board of a state without one."""
        if state.kind in WITHOUT_BOARD:
            self._seat()
        elif state.kind is Kind.GONE:
            self._back()

    def _back(self) -> None:
        """Seats the same board again."""
        bench.ask(self.line.folder, "plug", ports=[1], new=False, radio={})

    def _restarted(self, state: State) -> None:
        """Starts the daemon again. It waits for a programmer that has outlived the one before, which the run ends, as systemd does."""
        log = self._log()
        self.victims[Victim.DAEMON].start()
        self._seated_for(state)
        if state.kind in HANGING:
            log.wait(event="probe.awaited")
            self.victims[Victim.PROGRAMMER].kill()

    def _log(self) -> Log:
        return Log(self.line.folder)

    def _settled(self, cell: Cell) -> None:
        """Returns when the line has met the absence of the process, or has done all that it does without."""
        match cell.state.part, cell.victim:
            case Part.LABEL, _:
                self._until(lambda: self._state(self._uid()) is not None or self._label_trouble())
            case Part.MES, _:
                self._until(lambda: all(entry.tries for entry in outbox.listed(self.ledger)))
            case _, Victim.PRINTER:
                self._until_passed()
                self._until(self._label_trouble)
            case _, Victim.RECEIVER:
                self._until_passed()
                self._until(lambda: any(entry.tries for entry in outbox.listed(self.ledger)))
            case _:
                self._until(self._stands)

    def _label_trouble(self) -> bool:
        return self._ask("label_status", {})["fault"] is not None

    def _stands(self) -> bool:
        """Whether the board has its verdict, or waits because the line is paused."""
        status = self._alive(self.line.status)
        slot = status.slots[0]
        return slot.state not in MOVING | {"empty"} or (slot.state == "waiting" and status.line.fault is not None)

    # --- the person -----------------------------------------------------------------------------------------------------

    def _brought_to_pass(self) -> list[str]:
        """Waits until the board has passed; does meanwhile what a person does. Returns what that was."""
        hands = list[str]()
        for _ in range(TRIES):
            self._until(lambda: self._slot().state not in MOVING | {"empty"})
            if (state := self._slot().state) == "pass":
                return hands
            if state == "out of service":
                self._ask("release", {})
                hands.append("releases the slot")
            self._seated_again()
            hands.append(SEATED_AGAIN)
        raise AssertionError(f"the board does not pass: {self._slot()}")

    def _seated_again(self) -> None:
        self._pull()
        self._back()

    def _labelled(self, state: State) -> list[str]:
        """Prints a label again of which nobody knows what became of it, unless it is on paper; scans it, and waits for the MES."""
        if not self.labels:
            return []
        uid, hands = self._until_passed(), list[str]()
        printed = self._until_printed(uid)
        if state.on_paper:
            self._until(lambda: bool(self._prints(uid)))
        if printed == "unproven" and not self._prints(uid):
            self._reprint(uid)
            hands.append("prints the label again")
        self._scan(self._code(uid))
        self._rests()
        self._check_labels(uid, reprinted=bool(hands))
        return hands

    def _rests(self) -> None:
        """Returns when no message waits."""
        self._until(lambda: not outbox.listed(self.ledger))
