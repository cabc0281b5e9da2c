# SPDX-License-Identifier: Apache-2.0
"""Fault files: their content, and the messages about their mistakes."""

from pathlib import Path

import pytest

from virtual_bench.faults.catalogue import CATALOGUE
from virtual_bench.faults.fault_file import FaultsInvalid, load, read
from virtual_bench.faults.phases import Phase

MUTE = {"board": 1, "at": "await_csr", "what": "mute"}


def test_a_file_is_a_list_of_faults(tmp_path: Path) -> None:
    """The bench ignores `expect`, which is for the station's demonstration."""
    file = tmp_path / "faults.toml"
    file.write_text(
        """
        [[fault]]
        board = 3
        at = "relay to-pki"
        what = "unplug"
        after = 2
        times = 0
        expect = { verdict = "void", fault = "board.removed" }

        [[fault]]
        board = 1
        at = "flash_data"
        what = "verify_mismatch"
        address = 0x901C0000
        """
    )
    unplug, mismatch = load(file)
    assert (unplug.board, unplug.at, unplug.kind.name, unplug.times) == (3, Phase.RELAY_TO_PKI, "unplug", 0)
    assert unplug.number("after") == 2.0
    assert (mismatch.integer("address"), mismatch.times) == (0x901C0000, 1)


def test_every_mistake_is_told_at_once_with_entry_and_key(tmp_path: Path) -> None:
    """Each mistake has a line."""
    file = tmp_path / "faults.toml"
    file.write_text(
        """
        seed = 1

        [[fault]]
        board = 0
        at = "lunch"
        what = "mute"
        times = -1
        expect = "pass"

        [[fault]]
        at = "await_csr"
        what = "fire"

        [[fault]]
        board = true
        at = "confirm"
        what = "verify_mismatch"
        address = "here"
        colour = "red"
        """
    )
    with pytest.raises(FaultsInvalid) as caught:
        load(file)
    told = [line.removeprefix(f"{file}: ").split(": ")[:-1] for line in str(caught.value).splitlines()]
    assert told == [
        ["seed"],
        ["fault 1", "board"],
        ["fault 1", "times"],
        ["fault 1", "expect"],
        ["fault 1", "at"],
        ["fault 2", "board"],
        ["fault 2", "what"],
        ["fault 3", "board"],
        ["fault 3", "at"],
        ["fault 3", "address"],
        ["fault 3", "colour"],
    ]


@pytest.mark.parametrize("content", [b"[[fault]", b"fault = 3", b"[fault]\nboard = 1", b"\xff"])
def test_what_is_no_fault_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """The message has the file's name."""
    file = tmp_path / "faults.toml"
    file.write_bytes(content)
    with pytest.raises(FaultsInvalid, match=r"faults\.toml"):
        load(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [("after", -1.0), ("after", "soon"), ("after", True), ("times", 1.5), ("board", "1"), ("at", 3), ("what", None)],
)
def test_values_have_their_type(key: str, value: object) -> None:
    """A number is not a Boolean, and a Boolean is not a number."""
    with pytest.raises(FaultsInvalid, match=key):
        read({**MUTE, "what": "unplug", key: value})


def test_a_choice_is_one_of_its_values() -> None:
    """The message lists the allowed values."""
    with pytest.raises(FaultsInvalid, match="where: one of before, between, inside"):
        read({**MUTE, "what": "uart_noise", "where": "beneath"})


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_fault_can_be_asked_for_in_each_of_its_phases(name: str) -> None:
    """The defaults of its parameters have the parameters' types."""
    kind = CATALOGUE[name]
    for phase in kind.phases:
        assert read({"board": 1, "at": phase.value, "what": name}).kind is kind
    defaults = {key: value.default for key, value in kind.parameters.items() if value.default is not None}
    assert read({"board": 1, "at": kind.phases[0].value, "what": name, **defaults}).values == defaults
