# SPDX-License-Identifier: Apache-2.0
"""Some test raises every fault."""

import re
import tomllib
from pathlib import Path

from station.faults import LineFault
from station.faults.line import PKI_FAULTS
from tests.builders.fault_catalogue import catalogue

TESTS = Path(__file__).parent
FAULTS = (TESTS / "line" / "faults.toml", TESTS / "line" / "more_faults.toml")
ELSEWHERE = TESTS / "line" / "faults_elsewhere.toml"


def expected() -> set[str]:
    """The codes of the faults that the fault files cause."""
    entries = [entry for file in FAULTS for entry in tomllib.loads(file.read_text())["fault"]]
    return {entry["expect"]["fault"] for entry in entries if "fault" in entry.get("expect", {})}


def test_every_fault_is_raised_by_a_test() -> None:
    """A fault file raises each fault that the bench can cause; a test named for it raises each other one."""
    elsewhere = tomllib.loads(ELSEWHERE.read_text())
    codes = {fault.code: fault.__name__ for fault in catalogue()}
    assert expected() | elsewhere.keys() == codes.keys()
    assert expected() & elsewhere.keys() == set()
    for code, place in elsewhere.items():
        file, name = place.split("::")
        text = (TESTS / file).read_text()
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), place
        assert code in text or re.search(rf"\b{codes[code]}\b", text), place


def test_the_faults_of_the_pki_are_those_that_the_line_pauses_for_under_its_name() -> None:
    named = {fault for fault in catalogue() if fault.code.startswith("pki.") and issubclass(fault, LineFault)}
    assert set(PKI_FAULTS) == named
