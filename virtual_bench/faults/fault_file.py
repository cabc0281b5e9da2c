# SPDX-License-Identifier: Apache-2.0
"""Reads fault files: TOML, one `[[fault]]` per fault. Reports every mistake in a file at once, with entry and key."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from virtual_bench.faults.armed import Fault, Kind, Nature, Parameter, Value
from virtual_bench.faults.catalogue import CATALOGUE
from virtual_bench.faults.phases import Phase

PICKED = {"power_cut", "wedge_on_kill"}  # faults at one of several events of the phase, so two may both happen
OWN_KEYS = {"board", "at", "what", "times", "expect"}  # `expect` is for the program that judges the run

PULLS = frozenset({"unplug", "bounce"})  # faults that end the board's stay


class FaultsInvalid(Exception):
    """The file has mistakes; the text has one line for each."""


def load(path: Path) -> list[Fault]:
    """The faults of a file. Raises FaultsInvalid, and OSError if it cannot be read."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise FaultsInvalid(f"{path}: {exc}") from exc
    mistakes = [f"{key}: only [[fault]] belongs here" for key in content if key != "fault"]
    faults: dict[int, Fault] = {}
    entries = content.get("fault", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        mistakes.append("fault: each fault is a table under its own [[fault]]")
        entries = []
    for number, entry in enumerate(entries, start=1):
        try:
            fault = read(entry)
            check_beside([(f"fault {place}", other) for place, other in faults.items()], fault)
            faults[number] = fault
        except FaultsInvalid as exc:
            mistakes += [f"fault {number}: {line}" for line in str(exc).splitlines()]
    if mistakes:
        raise FaultsInvalid("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return list(faults.values())


def check_beside(armed: Iterable[tuple[str, Fault]], fault: Fault) -> None:
    """Raises FaultsInvalid if an earlier fault, given by name, keeps this fault from ever happening."""
    for name, before in armed:
        if (before.board, before.at) == (fault.board, fault.at) and (why := _hidden_by(before, fault, name)):
            raise FaultsInvalid(f"what: {fault.kind.name} at {fault.at} {why}")


def _hidden_by(before: Fault, fault: Fault, name: str) -> str | None:
    always, same = before.times == 0, before.kind is fault.kind
    if same and fault.kind.nature in {Nature.LASTING, Nature.PLUGGED}:
        return f"is the same as {name}, which lasts until the board is unplugged"
    if always and before.kind.name in PULLS and fault.kind.nature is Nature.ENTRY:
        return f"never happens, since {name} pulls the board each time"
    if always and same and fault.kind.nature is Nature.MOMENT and fault.kind.name not in PICKED:
        return f"never happens, since {name} is the same fault and happens each time"
    return None


def read(entry: Mapping[str, object]) -> Fault:
    """One fault from its table. Raises FaultsInvalid."""
    mistakes: list[str] = []
    board, times, expect = entry.get("board"), entry.get("times", 1), entry.get("expect", {})
    if type(board) is not int or board < 1:
        mistakes.append("board: the number of a board in order of first plugging, from 1")
    if type(times) is not int or times < 0:
        mistakes.append("times: the number of times that it happens, 0 for always")
    if not isinstance(expect, dict):
        mistakes.append("expect: a table")
    kind = _kind(entry.get("what"), mistakes)
    at = _phase(entry.get("at"), kind, mistakes)
    values = _values({key: value for key, value in entry.items() if key not in OWN_KEYS}, kind, mistakes)
    if mistakes or type(board) is not int or type(times) is not int or kind is None or at is None:
        raise FaultsInvalid("\n".join(mistakes))
    return Fault(board, at, kind, values, times)


def typed(parameter: Parameter, text: str) -> object:
    """Converts a parameter's text from the command line; returns the text itself if it is not of the type."""
    try:
        return int(text, 0) if parameter.kind is int else parameter.kind(text)
    except ValueError:
        return text


def _kind(what: object, mistakes: list[str]) -> Kind | None:
    kind = CATALOGUE.get(what) if isinstance(what, str) else None
    if kind is None:
        mistakes.append(f"what: {what!r} is not one of {', '.join(CATALOGUE)}")
    return kind


def _phase(at: object, kind: Kind | None, mistakes: list[str]) -> Phase | None:
    try:
        phase = Phase(str(at))
    except ValueError:
        mistakes.append(f"at: {at!r} is not one of {', '.join(Phase)}")
        return None
    if kind is not None and phase not in kind.phases:
        mistakes.append(f"at: {kind.name} happens in {', '.join(kind.phases)}, not in {phase}")
    return phase


def _values(given: Mapping[str, object], kind: Kind | None, mistakes: list[str]) -> dict[str, Value]:
    parameters = kind.parameters if kind is not None else {}
    values: dict[str, Value] = {}
    for name, value in given.items():
        parameter = parameters.get(name)
        if parameter is None:
            if kind is not None:
                mistakes.append(f"{name}: {kind.name} has {', '.join(parameters) or 'no parameters'}")
        elif (fitting := _fitting(parameter, value)) is None:
            mistakes.append(f"{name}: {_expected(parameter)}, not {value!r}")
        else:
            values[name] = fitting
    return values


def _fitting(parameter: Parameter, value: object) -> Value | None:
    if parameter.kind is float and type(value) is int:
        value = float(value)
    if type(value) is not parameter.kind or (isinstance(value, int | float) and value < 0):
        return None
    if parameter.choices and value not in parameter.choices:
        return None
    return value


def _expected(parameter: Parameter) -> str:
    if parameter.choices:
        return f"one of {', '.join(parameter.choices)}"
    return {int: "a number", float: "seconds", str: "text"}[parameter.kind]
