# SPDX-License-Identifier: Apache-2.0
"""One run of STM32_Programmer_CLI, from its argument list to its exit status."""

import time
from contextlib import suppress

from virtual_bench.board.board import Board
from virtual_bench.board.stop import KILLED, PROBE_GONE, Stop
from virtual_bench.faults.phases import Phase
from virtual_bench.hub.hub import Hub
from virtual_bench.programmer import listing, output
from virtual_bench.programmer.actions import Actions
from virtual_bench.programmer.arguments import UsageError, parse
from virtual_bench.programmer.commands import CommandLine, Connect
from virtual_bench.programmer.connection import board_instead, establish, free_board
from virtual_bench.programmer.inference import note_options, phase_of, phases_of
from virtual_bench.programmer.process import Failed, Process, Stopped

USAGE = "Usage : \nSTM32_Programmer_CLI [command_1] [Arguments_1][[command_2] [Arguments_2]...] \n"


class NothingDone(Exception):
    """The run ends here and exits with 0, although it has not done its work."""


class Session:
    """One process of the programmer, and the board that it works on."""

    def __init__(self, hub: Hub, process: Process, argv: list[str]) -> None:
        self._hub = hub
        self._process = process
        self._argv = argv
        self._line: CommandLine | None = None  # unless it has an error, which is printed at its place in the run
        self._board: Board | None = None
        self._phase: Phase | None = None

    async def run(self) -> int:
        """Runs the programmer and returns its exit status, after it has journalled the run and freed the probe."""
        started = time.time()
        try:
            status = await self._outcome()
        except Stopped as stopped:
            status = stopped.how.status
            self._process.say(stopped.how.last_words)
            self._note_end(stopped.how)
        finally:
            self._process.close()
            if self._board is not None:
                self._board.release()
        self._process.bench.journal.write(
            "asked_for_version"
            if self._argv == ["--version"]
            else "invocation",  # which has no probe, and takes no board's time
            probe=self._board.probe if self._board else None,
            board=self._board.nameplate.number if self._board else None,
            phase=self._phase,
            argv=self._argv,
            start=started,
            end=time.time(),
            modelled=round(self._process.modelled, 6),
            exit_status=status,
        )
        return status

    async def _outcome(self) -> int:
        process = self._process
        self._know_durations()
        await process.pause(process.profile.process_start)
        process.say(output.banner(process.bench.version), end="")
        status = 0
        try:
            await self._perform(self._line or parse(self._argv))
            if self._board is not None and self._board.faults.due("failed_but_done"):
                status = 1
        except NothingDone:
            pass
        except (UsageError, Failed) as exc:
            process.say(str(exc))
            status = 1
        await process.pause(process.profile.exit)
        return status

    def _know_durations(self) -> None:
        """Selects the durations of this board for this run."""
        with suppress(UsageError):
            self._line = parse(self._argv)
            connect = self._line.connect
            board = self._hub.on_probe(connect.probe, connect.index) if connect else None
            if board is not None:
                board.runs += 1
                self._process.profile = self._process.bench.durations(board.nameplate.number, board.runs)
                self._process.translator = self._hub.translator(board)

    async def _perform(self, line: CommandLine) -> None:
        process = self._process
        process.quiet = line.quiet
        if line.log is not None:
            process.log_to(line.log)
        if line.version:
            process.say(f"STM32CubeProgrammer version: {process.bench.version.number} ")
        if line.listing is not None:
            await listing.show(process, self._hub, line.listing)
        if line.connect is not None:
            await self._use(line, line.connect)
        elif line.listing is None and not line.version:
            process.say(USAGE)

    async def _use(self, line: CommandLine, connect: Connect) -> None:
        """Connects to a board, and carries out the commands in order."""
        process = self._process
        self._board = board = free_board(self._hub, connect)
        board.holder = process
        phases = phases_of(line, board, process.directory)
        note_options(line, board)
        if phases:
            self._phase = phases[0]
            board.faults.enter(phases[0])
        if fault := board.faults.lasting("other_probe"):
            self._board = None
            board.release()
            self._board = board = board_instead(self._hub, fault)
            board.holder = process
        await establish(process, board, connect, phases)
        await self._go_wrong(board)
        actions = Actions(process, board)
        for action in line.actions:
            phase = phase_of(action, line, board, process.directory)
            if phase is not None and phase is not board.faults.phase:
                board.faults.enter(phase)
                await process.pause(0)  # the board may be gone
                await self._go_wrong(board)
            await actions.perform(action)

    async def _go_wrong(self, board: Board) -> None:
        """Carries out the faults that end a run, or let it hang, without any output."""
        if fault := board.faults.due("hang"):
            await self._process.hang_as(fault)
        if board.faults.due("nothing_done"):
            raise NothingDone

    def _note_end(self, how: Stop) -> None:
        """Wedges the probe if this end of the tool does so."""
        board = self._board
        if board is None or how is PROBE_GONE:
            return
        if board.faults.due("wedge_on_kill", fits=lambda fault: how is KILLED or fault.text("by") == "any"):
            board.wedged = True
