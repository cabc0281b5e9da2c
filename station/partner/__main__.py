# SPDX-License-Identifier: Apache-2.0
"""Runs one partner script for one board, in a process that can be killed: `python -m station.partner SCRIPT FD [BOARD…]`.

The result goes through the pipe with the number FD, so that the script's output cannot be mistaken for it.
"""

import asyncio
import importlib.util
import inspect
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from station.faults import UnitFault
from station.partner import common
from station.partner.unit import Refused, Unit

Entry = Callable[..., object]  # type: ignore[explicit-any]  # whatever a partner has written

LONGEST = 1000  # characters of a message; a pipe that nobody reads yet takes much more


class Unusable(Exception):
    """The script lacks an entry point, or returns a result of another form."""


class Board(NamedTuple):
    """The station's arguments about the board; none of them is secret."""

    mode: str
    header: str
    port: str


def main(script: str, result: str, *board: str) -> None:
    """Calls the script's entry point for the board, and writes the result into the pipe.

    Without a board it only loads the script.
    """
    threading.Thread(target=_end_with_station, args=(int(result),), daemon=True).start()
    try:
        entry = _entry(Path(script))
        outcome = _run(entry, Board(*board)) if board else {"ok": True, "message": entry.__name__}
    except Unusable as exc:
        outcome = {"unusable": str(exc)}
    except Exception as exc:  # noqa: BLE001  a script may raise anything; it ends only this process
        sys.excepthook(type(exc), exc, exc.__traceback__)
        outcome = {"raised": f"{type(exc).__name__}: {exc}"[:LONGEST]}
    sys.stdout.flush()
    with os.fdopen(int(result), "w", encoding="utf-8") as pipe:
        json.dump(outcome, pipe)


def _end_with_station(result: int) -> None:
    """Kills this process and those that it started once the pipe has no reader, since then the station was killed.

    The next station gives the board a new attempt, and an old script must not interfere with it.
    """
    pipe = select.poll()
    pipe.register(result, 0)  # poll reports the loss of the reader even without a requested event
    pipe.poll()
    os.killpg(0, signal.SIGKILL)


def _run(entry: Entry, board: Board) -> dict[str, object]:
    """ST's interface returns a message and a code, ours returns nothing and raises `Refused`."""
    if not inspect.iscoroutinefunction(entry):
        return _understood(entry(int(board.mode), board.header, board.port))
    unit = Unit(tty=board.port, production=board.mode == "1", name=board.header)
    try:
        asyncio.run(entry(unit))
    except (Refused, UnitFault) as exc:
        return {"ok": False, "message": str(exc)[:LONGEST]}
    return {"ok": True, "message": ""}


def _understood(returned: object) -> dict[str, object]:
    """Accepts only `(message, code)`: a result of any other form is no success."""
    match returned:
        case (message, int(code)) if not isinstance(code, bool):
            return {"ok": code == common.RET_OK, "message": str(message)[:LONGEST]}
        case _:
            raise Unusable(f"Provisioning returned {type(returned).__name__}; (message, code) is expected")


def _entry(script: Path) -> Entry:
    module = _loaded(script)
    for name, asynchronous in (("provision", True), ("Provisioning", False)):
        entry = getattr(module, name, None)
        if callable(entry) and inspect.iscoroutinefunction(entry) is asynchronous:
            found: Entry = entry
            return found
    raise Unusable("there is neither `Provisioning(provision_mode, header, port)` nor `async def provision(unit)`")


def _loaded(script: Path) -> ModuleType:
    """Imports the script. It can import modules in its own folder, which precede the station's."""
    sys.path.insert(0, str(script.parent.absolute()))
    if not any((script.parent / name).exists() for name in ("common.py", "common")):
        sys.modules["common"] = common
    spec = importlib.util.spec_from_file_location("provisioning_script", script)
    if spec is None or spec.loader is None:
        raise Unusable("it is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as exc:
        sys.excepthook(type(exc), exc, exc.__traceback__)
        raise Unusable(f"it cannot be loaded: {type(exc).__name__}: {exc}"[:LONGEST]) from exc
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
