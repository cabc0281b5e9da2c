# SPDX-License-Identifier: Apache-2.0
"""Environment variables as settings: `STATION__SECTION__KEY` overrides a key of a table. Pure.

A variable whose name nearly names a setting is a mistake, since it would silently have no effect.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel

from station.config.problems import ENVIRONMENT, Problem
from station.config.sentences import models_in

PREFIX = "STATION__"
OTHERS = frozenset(
    {"STATION_CONFIG", "STATION_CENTRAL_DSN", "STATION_CHILD"}
)  # a file, the centre, the station's own processes
NEARLY = 0.9  # of 1: how much alike two names of variables must be


class Text(str):
    """A setting from the environment, where every value is text."""

    __slots__ = ()


def overridden(values: Mapping[str, object], environment: Mapping[str, str]) -> dict[str, object]:
    """`values` with `STATION__SECTION__KEY` of the environment in place of `[section] key`."""
    result = dict(values)
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or not all(_keys(variable)):
            continue
        *sections, key = _keys(variable)
        table = result
        for section in sections:
            inner = table.get(section)
            table[section] = inner = dict(inner) if isinstance(inner, dict) else {}
            table = inner
        table[key] = Text(value)
    return result


def misnamed(environment: Mapping[str, str], model: type[BaseModel]) -> Iterator[Problem]:
    """The variables that nearly name a setting."""
    known = {name.replace("_", ""): name for name in _variables(model, PREFIX.rstrip("_"))}
    for variable in environment:
        if variable.startswith(PREFIX) and not all(_keys(variable)):
            yield Problem(ENVIRONMENT, variable, "names no setting, expected STATION__SECTION__KEY or STATION__KEY")
        if variable.startswith(PREFIX) or variable in OTHERS or not variable.upper().startswith("STATION"):
            continue
        meant = known.get(variable.upper().replace("_", ""))
        if meant is None:
            meant = next(iter(get_close_matches(variable.upper(), known.values(), 1, NEARLY)), None)
        if meant is not None:
            yield Problem(ENVIRONMENT, variable, f"found a variable that has no effect; did you mean {meant}?")


def at_their_variables(file: Path, problems: Sequence[Problem], environment: Mapping[str, str]) -> list[Problem]:
    """The mistakes; each of the line's file that a variable has made names the variable."""
    places = {".".join(_keys(name)): name for name in environment if name.startswith(PREFIX)}
    return [_at_variable(problem, places) if problem.file == file else problem for problem in problems]


def _at_variable(problem: Problem, places: Mapping[str, str]) -> Problem:
    for place, variable in places.items():
        is_below = place.startswith(f"{problem.place}.") and "missing" not in problem.text
        if problem.place and (problem.place == place or is_below):
            return replace(problem, file=ENVIRONMENT, place=variable)
    return problem


def _keys(variable: str) -> list[str]:
    return variable.removeprefix(PREFIX).lower().split("__")


def _variables(model: type[BaseModel], name: str) -> Iterator[str]:
    for key, field in model.model_fields.items():
        variable = f"{name}__{key.upper()}"
        inner = list(models_in(field.annotation))
        if not inner:
            yield variable
        for each in inner:
            yield from _variables(each, variable)
