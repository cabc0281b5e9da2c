# SPDX-License-Identifier: Apache-2.0
"""A line's file gets one more `[[slot]]`, and nothing else of it changes."""

import tomllib
from pathlib import Path

import pytest

from station.config.problems import ConfigurationInvalid
from station.config.slot_tables import next_name, slot_tables, tables_in, with_place

FILE = Path("line.toml")
PLACE = "pci-0000:00:14.0-usb-0:2.1"
OTHER = "pci-0000:00:14.0-usb-0:2.2"
NEW = f'[[slot]]\nname = "1"\npath = "{PLACE}"\n'
FIRST = f'[[slot]]\nname = "1"   # the left one\npath = "{OTHER}" # at the wall\n'
SECOND = f'[[slot]]\nname = "2"\npath = "{PLACE}"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", NEW),
        ("# a line\n", f"# a line\n\n{NEW}"),
        ('[log]\nfile = "x" # here', f'[log]\nfile = "x" # here\n\n{NEW}'),
        ("[log]\nlevel = 'info'\n\n# [[slot]]\n", f"[log]\nlevel = 'info'\n\n# [[slot]]\n\n{NEW}"),
        (FIRST, f"{FIRST}\n{SECOND}"),
        (FIRST.rstrip("\n"), f"{FIRST}\n{SECOND}"),
        (f"{FIRST}\n", f"{FIRST}\n{SECOND}\n"),
        (f"{FIRST}# that was all\n", f"{FIRST}# that was all\n\n{SECOND}"),
        (f"{FIRST}\n[log]\nlevel = 'info'\n", f"{FIRST}\n{SECOND}\n[log]\nlevel = 'info'\n"),
        ("[[slot]]\nname = '7'\ncolour = 'red'\n", f"[[slot]]\nname = '7'\ncolour = 'red'\npath = \"{PLACE}\"\n"),
        ('[[slot]]\nname = "7"\npath = "" # fill in\n', f'[[slot]]\nname = "7"\npath = "{PLACE}" # fill in\n'),
        ('[[slot]]\npath = ""\n', f'[[slot]]\npath = "{PLACE}"\nname = "1"\n'),
        ("slot = []\n", f"\n{NEW}"),
        (
            f'slot = [{{name = "1", path = "{OTHER}"}}]\n',
            f'slot = [{{name = "1", path = "{OTHER}"}}, {{name = "2", path = "{PLACE}"}}]\n',
        ),
        (FIRST.replace("\n", "\r\n"), f"{FIRST}\n{SECOND}".replace("\n", "\r\n")),
    ],
    ids=[
        "an empty file",
        "comments alone",
        "no line end at the end",
        "a commented example",
        "after another slot",
        "a slot without its line end",
        "an empty line at the end",
        "a comment at the end",
        "tables behind it",
        "a slot without a path",
        "a slot with an empty path",
        "a slot with nothing",
        "an empty list",
        "a list of inline tables",
        "line ends of Windows",
    ],
)
def test_a_place_becomes_a_slot(before: str, after: str) -> None:
    """It gets the first slot without a path, else a new one with the smallest number."""
    assert with_place(FILE, before, PLACE) == after


@pytest.mark.parametrize(
    "path", [PLACE, PLACE.replace("-usb-", "-usbv2-")], ids=["as hotplug has it", "with the USB revision"]
)
def test_a_place_that_has_a_slot_changes_nothing(path: str) -> None:
    """Newer systems have two names for one port: both are one place."""
    text = f'[[slot]]\nname = "left"\npath = "{path}"\n'
    assert with_place(FILE, text, PLACE) == text


@pytest.mark.parametrize("path", [f"/dev/serial/by-path/{PLACE}:1.2", f"{PLACE}:1.2", f" {PLACE}"])
def test_a_misspelt_path_of_this_place_is_corrected(path: str) -> None:
    """No board would ever have arrived there, and a second slot would not be what was meant."""
    text = f'[[slot]]\nname = "left" # L\npath = "{path}" # port\n'
    assert with_place(FILE, text, PLACE) == text.replace(path, PLACE)


def test_a_new_slot_gets_a_number_that_is_free() -> None:
    text = f'[[slot]]\nname = "2"\npath = "{OTHER}"\n[[slot]]\nname = "1"\npath = "x"\n'
    assert next_name(slot_tables(FILE, text)) == "3"
    assert next_name(slot_tables(FILE, text + '[[slot]]\nname = "left"\n')) == "left"


def test_slots_on_both_sides_of_another_table_stay_what_they_are() -> None:
    text = f'# top\n[[slot]]\nname = "1"\npath = "{OTHER}"\n[log]\nlevel = "info" # quiet\n[[slot]]\nname = "b"\npath = "b"\n'
    changed = tomllib.loads(with_place(FILE, text, PLACE))
    assert changed == {**tomllib.loads(text), "slot": [*tomllib.loads(text)["slot"], {"name": "2", "path": PLACE}]}


@pytest.mark.parametrize("text", ["[slot]\nname = '1'\n", "slot = 7\n", "slot = ['a']\n"])
def test_what_is_no_list_of_tables_is_told(text: str) -> None:
    with pytest.raises(
        ConfigurationInvalid, match=r"line\.toml: slot: found something else, expected one table for each"
    ):
        with_place(FILE, text, PLACE)


@pytest.mark.parametrize(
    "text", ["", f"{FIRST}\n[log]\nlevel = 'info'\n", f"slot = [{{name = '1', path = '{OTHER}'}}]\n"]
)
def test_the_tables_alone_can_be_shown(text: str) -> None:
    """They are TOML again."""
    shown = "\n".join(tables_in(FILE, with_place(FILE, text, PLACE)))
    assert tomllib.loads(shown)["slot"] == tomllib.loads(with_place(FILE, text, PLACE))["slot"]
    assert "[log]" not in shown
