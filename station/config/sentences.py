# SPDX-License-Identifier: Apache-2.0
"""Sentences about mistaken settings: what was found, what is expected, and which setting was probably meant. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel

MISSING = "this setting is missing"
LONGEST_SHOWN = 80  # characters of a mistaken value
CLOSE = 0.6  # of 1: how much alike a mistaken and a known name must be

_ACCOUNT_IN_URL = re.compile(r"//[^/@]*@")
_QUOTED = re.compile(r'"([^"]*)"')
_EXPECTED = {
    "string_type": "text in quotes",
    "path_type": "a path in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false, without quotes",
    "bool_parsing": "true or false, without quotes",
    "tuple_type": "an array of tables, each with a heading in double brackets in the file",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "frozen_set_type": "a list in square brackets",
}


@dataclass(frozen=True, slots=True)
class Detail:
    """One of pydantic's findings."""

    kind: str
    place: tuple[int | str, ...]
    found: object
    message: str
    context: Mapping[str, object]


def sentence(detail: Detail, model: type[BaseModel]) -> str:  # noqa: C901, PLR0911  a case a finding reads as a table
    """One of pydantic's findings about this model, without any word of Python's."""
    found, context = shown(detail.found), detail.context
    match detail.kind:
        case "missing":
            return MISSING
        case "extra_forbidden":
            return unknown(str(detail.place[-1]), detail.place[:-1], model)
        case "literal_error" | "enum":
            expected = str(context["expected"]).replace("'", '"')
            known = _QUOTED.findall(expected)
            meant = _meant(detail.found, known) if len(known) > 1 else ""  # the only value is told already
            return f"found {found}, expected {expected}{meant}"
        case "greater_than":
            return f"found {found}, expected more than {_short(context['gt'])}"
        case "greater_than_equal":
            return f"found {found}, expected {context['ge']} or more"
        case "less_than_equal":
            return f"found {found}, expected {context['le']} or less"
        case "string_too_short" if context["min_length"] == 1:
            return f"found {found}, expected text that is not empty"
        case "string_too_short":
            return f"found {found}, expected {context['min_length']} characters or more"
        case "string_too_long":
            return f"found {found}, expected {context['max_length']} characters or fewer"
        case "string_pattern_mismatch":
            return f"found {found}, expected {_of_pattern(str(context['pattern']))}"
        case kind if kind in _EXPECTED:
            return f"found {found}, expected {_EXPECTED[kind]}"
        case _:
            return detail.message.removeprefix("Value error, ")  # our own rules' messages need no such prefix


def unknown(name: str, place: Sequence[int | str], model: type[BaseModel]) -> str:
    """That no setting has this name here, and where a setting of this name, or of nearly this name, is known."""
    here = place_of(place)
    said = f"there is no such setting in [{here}]" if here else "there is no such setting above the first table"
    known = dict(_tables(model))
    beside = known.get(".".join(part for part in place if isinstance(part, str)), ())
    if near := nearest(name, beside):
        return f'{said}; did you mean "{near}"?'
    elsewhere = [table for table, names in known.items() if name in names]
    if "" in elsewhere:
        return f'{said}: "{name}" belongs above the first table of the file'
    if elsewhere:
        return f'{said}: "{name}" belongs to {" or ".join(f"[{table}]" for table in elsewhere)}'
    return f"{said}; the settings here are {', '.join(beside)}" if beside else f"{said}: check its spelling"


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that was probably meant; None if no name is near."""
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), by_lower, 1, CLOSE)
    return by_lower[near[0]] if near else None


def place_of(location: Sequence[int | str]) -> str:
    """The place as a reader counts it: `slot[1].path` is in the first [[slot]]."""
    place = ""
    for part in location:
        place += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def shown(value: object) -> str:  # noqa: PLR0911  a case a type
    """A value as TOML writes it, in one short line of ASCII."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            text = json.dumps(_ACCOUNT_IN_URL.sub("//...@", value[: 2 * LONGEST_SHOWN]))
            return text if len(text) <= LONGEST_SHOWN else f'{text[:LONGEST_SHOWN]}..."'
        case int() | float():
            return str(value)[:LONGEST_SHOWN]
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
        case date() | time():
            return "a date or time"
        case _:
            return "something else"


def field_names(model: type[BaseModel]) -> list[str]:
    """The names of a table's settings, as files write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _tables(model: type[BaseModel], name: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every table below a model, by its name, with the names of its settings."""
    yield name, field_names(model)
    for key, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            yield from _tables(inner, f"{name}.{key}".lstrip("."))


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The tables that a setting of this type may have."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def _meant(value: object, known: Sequence[str]) -> str:
    near = nearest(value, known) if isinstance(value, str) else None
    return f'; did you mean "{near}"?' if near else ""


def _short(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _of_pattern(pattern: str) -> str:
    match pattern:
        case "^https://":
            return "an address that begins with https://"
        case r"\S":
            return "text that is not empty"
        case "^[0-9a-f]{64}$":
            return "a SHA-256, which has 64 digits 0 to 9 and a to f"
        case _:
            return "a name of letters, digits, dots, dashes and underscores, which begins with a letter or a digit"
