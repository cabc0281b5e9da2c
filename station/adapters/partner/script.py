# SPDX-License-Identifier: Apache-2.0
"""Runs a partner's provisioning script for one board, in a process of its own, with a deadline; its output is kept.

When a run ends, for whatever reason, the process and all processes that it started are dead, and the serial port is
free.
"""

import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from station.adapters.system.child import Budget, Child, OverBudget, Patience
from station.faults.line import PartnerUnusable
from station.faults.resources import named, no_process
from station.faults.slot import PartnerFailed
from station.faults.unit import PartnerRefused, PartnerStuck

RECORDED_LINES = 2000
# the script gets neither settings nor secrets of the station
KEPT = ("HOME", "PATH", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV", "PYTHONPATH")
CHECKED_WITHIN = 30.0  # a script may take long to import its packages
LARGEST_RESULT = 1 << 16
LONGEST_MESSAGE = 200
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # ST's scripts return messages with colour codes
BUDGET = Budget(size=16 << 20, lines=100_000)  # a script may print more than a programmer does
PATIENCE = Patience(interrupted=1.0, terminated=1.0)  # a script has no transfer that a kill could tear
STATION = Path(__file__).parents[3]  # the folder from which `station` is imported


@dataclass(frozen=True, slots=True)
class PartnerScript:
    """One script for one board (`Partner`). `record` gets the script's output."""

    script: Path
    production: bool
    header: str
    tty: str
    within: float
    gone: asyncio.Event
    record: Callable[[str], None]

    async def deliver(self) -> None:
        """Returns when the script reports that the board has its certificates; the caller still has to prove it."""
        arguments = ("1" if self.production else "0", self.header, self.tty)
        outcome = await self._outcome(arguments)
        match outcome:
            case {"ok": True}:
                return
            case {"ok": False, "message": str(message)}:
                raise PartnerRefused(_one_line(message))
            case {"unusable": str(reason)}:
                raise PartnerUnusable(self.script.name, _one_line(reason))
            case {"raised": str(reason)}:
                raise PartnerFailed(_one_line(reason))
            case _:
                raise PartnerFailed("it ended without a result")

    async def _outcome(self, arguments: Sequence[str]) -> object:
        try:
            async with asyncio.timeout(self.within):
                return await _run(self.script, arguments, self.gone, self.record)
        except TimeoutError as exc:
            raise PartnerStuck(self.within) from exc
        except OverBudget as exc:
            raise PartnerFailed(str(exc)) from exc


async def check(script: Path, record: Callable[[str], None]) -> str:
    """The name of the script's entry point; raises `PartnerUnusable`. The script is loaded, and no board is touched."""
    try:
        async with asyncio.timeout(CHECKED_WITHIN):
            outcome = await _run(script, (), asyncio.Event(), record)
    except TimeoutError as exc:
        raise PartnerUnusable(script.name, f"it is not loaded within {CHECKED_WITHIN:g} s") from exc
    except OverBudget as exc:
        raise PartnerUnusable(script.name, str(exc)) from exc
    match outcome:
        case {"ok": True, "message": str(name)}:
            return name
        case {"unusable": str(reason)} | {"raised": str(reason)}:
            raise PartnerUnusable(script.name, _one_line(reason))
        case _:
            raise PartnerUnusable(script.name, "it ends the process when it is loaded")


async def _run(script: Path, arguments: Sequence[str], gone: asyncio.Event, record: Callable[[str], None]) -> object:
    """The bytes that the process wrote into the pipe; None if it wrote none."""
    with named("open a pipe for the partner's script"):
        readable, writable = os.pipe()
    os.set_blocking(readable, False)
    command = [sys.executable, "-P", "-m", "station.partner", str(script.absolute()), str(writable), *arguments]
    lines = [f"started: {shlex.join(command[4:])}"]
    try:
        async with Child.started(
            command, environment=_environment(), gone=gone, patience=PATIENCE, inherited=[writable], budget=BUDGET
        ) as child:
            async for line in child.lines():
                lines.append(line)
                del lines[1:-RECORDED_LINES]
            lines.append(f"ended: exit status {await child.ended()}")
        return _result(readable)
    except OSError as exc:
        if fault := no_process("start the partner's script", exc):
            raise fault from exc
        raise
    finally:
        os.close(readable)
        os.close(writable)
        record("\n".join(f"{script.name}: {line}" for line in lines))


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (str(STATION), kept.get("PYTHONPATH"))))}


def _result(readable: int) -> object:
    try:
        return json.loads(os.read(readable, LARGEST_RESULT))
    except (BlockingIOError, ValueError, RecursionError):  # JSON with brackets nested too deeply raises RecursionError
        return None


def _one_line(text: str) -> str:
    """The message, bounded and without colour codes, for journal and screen."""
    return " ".join(ANSI.sub("", text).split())[:LONGEST_MESSAGE]
