# SPDX-License-Identifier: Apache-2.0
"""Refuses a question for a slot or fault that no attempt can have, since its answer would look like good news."""

from pathlib import Path
from typing import Literal

import typer

from station.adapters.ledger.selection import Selection, names_of
from station.cli.places import config_path
from station.config import line as configuration
from station.config.sentences import nearest
from station.domain.attempt import STATION_STOPPED
from station.domain.numbers import natural
from station.faults import Fault, line, slot, unit


def ledger_of(config: Path | None, ledger: Path | None, selection: Selection) -> Path:
    """The given ledger, or the configuration's. Raises `BadParameter` where nothing knows the selected slot or fault.

    Slots are known to the line that the configuration describes, faults to the catalogue, and both to the ledger.
    """
    slots: set[str] = set()
    if ledger is None:
        found = configuration.load(config_path(config))
        ledger, slots = found.ledger, {each.name for each in found.slot}
    if selection.slot is not None:
        _check(ledger, "slot", selection.slot, slots)
    if selection.fault is not None:
        _check(ledger, "fault", selection.fault, _catalogue())
    return ledger


def known_fault(code: str) -> None:
    """Raises `BadParameter` unless the catalogue has a fault of this code."""
    if code not in (known := _catalogue()):
        near = nearest(code, sorted(known))
        raise typer.BadParameter(f"there is no fault {code!r}" + (f'; did you mean "{near}"?' if near else ""))


def _catalogue() -> set[str]:
    classes = [each for module in (unit, slot, line) for each in vars(module).values() if isinstance(each, type)]
    codes = {each.code for each in classes if issubclass(each, Fault) and hasattr(each, "code")}
    return codes | {STATION_STOPPED}


def _check(path: Path, kind: Literal["slot", "fault"], name: str, known: set[str]) -> None:
    if name in known or name in (known := known | names_of(path, kind)):  # only now, since this reads all attempts
        return
    near = nearest(name, sorted(known))
    hint = f'did you mean "{near}"?' if near else f"there are {', '.join(sorted(known, key=natural))}"
    raise typer.BadParameter(f"there is no {kind} {name!r}; {hint}")
