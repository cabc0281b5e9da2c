# SPDX-License-Identifier: Apache-2.0
"""The page's words: every language has all of them, for every fault, state, step and act there is."""

import re

import pytest

from station.domain.attempt import VERDICTS, Phase
from station.domain.policy import Act
from station.faults import LineFault, SlotFault, UnitFault
from station.line.states import SlotState
from station.web.assets import FOLDER, LANGUAGES, load, strings
from station.web.catalogue import ENTRIES
from tests.builders.fault_catalogue import catalogue, kind_of
from tests.web.page_weight import LIMITS, parts

LONGEST = 175  # characters of a sentence, which two lines of the footer hold
PAGES = {"plug", "leave", "take", "due", "label"}  # acts that need no fault


def paths(words: object, name: str = "") -> set[str]:
    """The path of every text."""
    if isinstance(words, dict):
        return {path for key, value in words.items() for path in paths(value, f"{name}.{key}")}
    assert isinstance(words, str), name
    assert words.strip() == words != "", name
    return {name}


@pytest.fixture(params=LANGUAGES)
def words(request: pytest.FixtureRequest) -> dict[str, dict[str, str]]:
    return strings(request.param)  # type: ignore[return-value]  # of two levels, as `paths` checks


def test_every_language_has_the_same_texts() -> None:
    english = paths(strings("en"))
    for language in LANGUAGES:
        assert paths(strings(language)) == english, language


def test_every_fault_has_a_sentence(words: dict[str, dict[str, str]]) -> None:
    assert words["fault"].keys() == {fault.code for fault in catalogue()} == ENTRIES.keys()
    assert {code: text for code, text in words["fault"].items() if len(text) > LONGEST} == {}


def test_every_state_step_and_act_has_its_word(words: dict[str, dict[str, str]]) -> None:
    shown = {"out" if state is SlotState.OUT_OF_SERVICE else state.value for state in SlotState} | {"unknown"}
    assert words["word"].keys() == shown
    assert words["spoken"].keys() <= shown
    assert words["act"].keys() == {act.value for act in Act} | PAGES
    assert words["step"].keys() == {phase.value for phase in Phase if phase not in VERDICTS}


def test_every_text_that_the_scripts_ask_for_is_there(words: dict[str, dict[str, str]]) -> None:
    scripts = "".join(path.read_text() for path in FOLDER.glob("*.js"))
    for first, second in re.findall(r"\btexts\.(\w+)(?:\.(\w+))?", scripts):
        assert first in words, first
        if second and second != "toLocaleUpperCase":
            assert second in words[first], f"{first}.{second}"


def test_every_fault_says_who_acts() -> None:
    """A unit's fault is for the reject bin, a slot's for technician or operator, a line's for engineer or nobody."""
    allowed = {
        UnitFault: {Act.REJECT},
        SlotFault: {Act.AGAIN, Act.ASIDE, Act.TECHNICIAN, Act.ENGINEER, Act.WAIT},
        LineFault: {Act.ENGINEER, Act.WAIT},
    }
    for fault in catalogue():
        assert ENTRIES[fault.code].act in allowed[kind_of(fault)], fault.code
    acts = {code: entry.act for code, entry in ENTRIES.items()}
    assert acts["board.silent"] is Act.REJECT
    assert acts["board.removed"] is Act.AGAIN
    assert acts["probe.wedged"] is Act.TECHNICIAN
    assert acts["station.bug"] is Act.ENGINEER
    assert acts["pki.unavailable"] is Act.WAIT
    assert acts["lot.exhausted"] is Act.ENGINEER
    assert acts["unit.elsewhere"] is Act.ASIDE
    assert acts["pki.pending"] is Act.WAIT


def test_the_page_stays_small() -> None:
    found = parts(load("en").files)
    assert found["scripts"].count(b"SPDX-License-Identifier") > 5
    assert {name: len(content) for name, content in found.items() if len(content) > LIMITS[name]} == {}
