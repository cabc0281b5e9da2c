# SPDX-License-Identifier: Apache-2.0
"""The `[[slot]]` tables of a line's file, and the file's text with one more of them. Pure; the one home of tomlkit.

Comments, the order and all other settings stay as they are.
"""

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeGuard

import tomlkit
from tomlkit.items import AoT, Array
from tomlkit.toml_document import TOMLDocument

from station.config.problems import ConfigurationInvalid, Problem
from station.domain.usb_port import mistake_in, place_meant


@dataclass(frozen=True, slots=True)
class SlotTable:
    """One `[[slot]]` as it is written; a setting that is missing is empty."""

    name: str
    path: str

    @property
    def place(self) -> str:
        """The USB port in the spelling that hotplug has, also where the file has another one."""
        return place_meant(self.path)


def slot_tables(file: Path, text: str) -> tuple[SlotTable, ...]:
    """The slots in the text of this file; raises `ConfigurationInvalid` where `slot` is something else."""
    return tuple(SlotTable(_text(table, "name"), _text(table, "path")) for table in _tables(file, tomllib.loads(text)))


def next_name(slots: Sequence[SlotTable]) -> str:
    """The name of the slot that the next place gets: of the first slot without a path, else the smallest free number."""
    unplaced = next((slot.name for slot in slots if not slot.path), "")
    names = {slot.name for slot in slots}
    return unplaced or next(name for number in count(1) if (name := str(number)) not in names)


def tables_in(file: Path, text: str) -> list[str]:
    """The slots of the text as tables, line by line, with all their settings."""
    return tomlkit.dumps({"slot": _tables(file, tomllib.loads(text))}).strip("\n").split("\n")


def with_place(file: Path, text: str, place: str) -> str:
    """The file's text in which a slot has this place. The text itself if a slot has it, with a path that the station takes.

    A slot at this place whose path is misspelt gets the right one. Otherwise the first slot without a path gets this
    one, else a new slot.
    """
    slots = slot_tables(file, text)
    at = next((number for number, slot in enumerate(slots) if slot.place == place), None)
    if at is not None and not mistake_in(slots[at].path):
        return text
    if at is None:
        at = next((number for number, slot in enumerate(slots) if not slot.path), len(slots))
    given = {"path": place}
    if at == len(slots) or not slots[at].name:
        given = {"name": next_name(slots), "path": place}
    changed = _changed(text, at, given)
    if not _is_as_meant(text, changed, at, given):
        sentence = "no table can be added to these without a change of other settings: move them to the end of the file"
        raise ConfigurationInvalid([Problem(file, "slot", sentence)])
    return changed


def _changed(text: str, at: int, given: Mapping[str, str]) -> str:
    document = tomlkit.parse(text)
    match document.get("slot"):
        case AoT() as tables:
            if at < len(tables):
                tables[at].update(given)
            else:
                _append(tables, given)
        case Array() as array if len(array):
            if at < len(array):
                array[at].update(given)
            else:
                inline = tomlkit.inline_table()
                inline.update(given)
                array.append(inline)
        case _:
            _begin(document, given)
    changed = document.as_string()
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        changed = changed.replace("\r\n", "\n").replace("\n", "\r\n")
    return changed


def _append(tables: AoT, given: Mapping[str, str]) -> None:
    """With one empty line before it, as people write it."""
    table = tomlkit.table()
    table.update(given)
    before = tables.as_string()
    if not before.endswith("\n"):
        table.trivia.indent = "\n\n"
    elif before.endswith(("\n\n", "\n\r\n")):
        table.add(tomlkit.nl())  # another table may follow
    else:
        table.trivia.indent = "\n"
    tables.append(table)


def _begin(document: TOMLDocument, given: Mapping[str, str]) -> None:
    """The file's first slot; an empty list in its place has no other meaning."""
    document.pop("slot", None)
    table, tables = tomlkit.table(), tomlkit.aot()
    table.update(given)
    tables.append(table)
    document.append("slot", tables)


def _is_as_meant(before: str, changed: str, at: int, given: Mapping[str, str]) -> bool:
    """Whether nothing but this slot has changed."""
    expected = deepcopy(tomllib.loads(before))
    tables = expected.setdefault("slot", [])
    tables[at:] = [{**tables[at], **given}, *tables[at + 1 :]] if at < len(tables) else [dict(given)]
    try:
        return tomllib.loads(changed) == expected
    except tomllib.TOMLDecodeError:
        return False


def _tables(file: Path, values: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = values.get("slot", [])
    if not _are_tables(found):
        sentence = "found something else, expected one table for each place, each with the heading [[slot]]"
        raise ConfigurationInvalid([Problem(file, "slot", sentence)])
    return found


def _are_tables(found: object) -> TypeGuard[list[Mapping[str, object]]]:
    return isinstance(found, list) and all(isinstance(each, Mapping) for each in found)


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""
