# SPDX-License-Identifier: Apache-2.0
"""The file of people: who has which PIN or token, and what is refused."""

import json
from datetime import UTC
from pathlib import Path

import pytest

from station.adapters.system.people_file import MOST_PEOPLE, PeopleFile, PeopleUnusable, Refused
from station.domain.people import Person, Role, mistake_in_name, mistake_in_pin

PIN, OTHER = "739154", "280461"


@pytest.fixture
def file(tmp_path: Path) -> PeopleFile:
    return PeopleFile(tmp_path / "people.json")


def test_a_person_is_known_by_the_pin(file: PeopleFile, tmp_path: Path) -> None:
    """The file is the daemon's alone, and has no PIN and no token."""
    file.add("Anna Berg", Role.ENGINEER, PIN)
    file.add("Ben", Role.OPERATOR, OTHER)
    token = file.add_token("MES", Role.OPERATOR)
    assert file.by_pin(PIN) == Person("Anna Berg", Role.ENGINEER)
    assert file.by_pin(OTHER) == Person("Ben", Role.OPERATOR)
    assert file.by_token(token) == Person("MES", Role.OPERATOR)
    assert [file.by_pin(pin) for pin in ("739155", "", "73915x", "7" * 500, token)] == [None] * 5
    assert [file.by_token(text) for text in (PIN, "", token[1:], "\udcff")] == [None] * 4
    assert [person.name for person in file.people()] == ["Anna Berg", "Ben", "MES"]
    assert file.tokens() == {"MES"}
    path = tmp_path / "people.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not [secret for secret in (PIN, OTHER, token) if secret in path.read_text()]


def test_who_was_removed_is_known_no_more(file: PeopleFile) -> None:
    file.add("Anna", Role.ENGINEER, PIN)
    token = file.add_token("MES", Role.OPERATOR)
    file.remove("anna")
    file.remove("MES")
    assert (file.by_pin(PIN), file.by_token(token), file.people()) == (None, None, [])
    with pytest.raises(Refused, match="nobody is called Anna"):
        file.remove("Anna")


def test_two_people_need_two_names_and_two_pins(file: PeopleFile) -> None:
    """Since the page tells people apart by the PIN alone."""
    file.add("Anna", Role.ENGINEER, PIN)
    with pytest.raises(Refused, match="somebody else has this PIN") as caught:
        file.add("Ben", Role.OPERATOR, PIN)
    assert PIN not in str(caught.value)
    with pytest.raises(Refused, match="ANNA is there already"):
        file.add("ANNA", Role.OPERATOR, OTHER)
    with pytest.raises(Refused, match="Anna is there already"):
        file.add_token("Anna", Role.OPERATOR)


@pytest.mark.parametrize(
    "pin",
    [
        "",
        "12345",
        "1234567890123",
        "73915a",
        "\uff17\uff13\uff19\uff11\uff15\uff14",
        "000000",
        "123456",
        "987654",
        "890123",
    ],
)
def test_a_pin_that_is_none_or_easy_is_refused(file: PeopleFile, pin: str) -> None:
    assert mistake_in_pin(pin)
    with pytest.raises(Refused):
        file.add("Anna", Role.OPERATOR, pin)
    assert file.people() == []


@pytest.mark.parametrize("name", ["", " Anna", "Anna ", "a\nb", "x" * 65, "-", "\x1b[31m", "a\u202eb", "a" + " " * 9])
def test_a_name_that_would_spoil_the_record_is_refused(file: PeopleFile, name: str) -> None:
    assert mistake_in_name(name)
    with pytest.raises(Refused):
        file.add(name, Role.OPERATOR, PIN)


@pytest.mark.parametrize("name", ["Anna", "Ján Č.", "李雷", "MES-2", "o'Neil", "a@b.example"])
def test_names_of_people_are_names(name: str) -> None:
    assert mistake_in_name(name) is None


def test_each_role_may_do_what_the_ones_before_it_may() -> None:
    assert list(Role) == [Role.READER, Role.OPERATOR, Role.ENGINEER]
    assert [role.may(needed) for role in Role for needed in Role] == [
        *(True, False, False),
        *(True, True, False),
        *(True, True, True),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "Invalid JSON"),
        ("[]", "the file"),
        ('{"salt": "00"}', "salt"),
        (json.dumps({"salt": "00" * 16, "people": [{"name": "A", "role": "king", "since": 0}]}), "people.0.role"),
    ],
)
def test_a_damaged_file_lets_nobody_in_and_says_where(
    file: PeopleFile, tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "people.json"
    path.touch(0o600)
    path.write_text(content)
    for ask in (file.people, lambda: file.by_pin(PIN), lambda: file.add("Anna", Role.OPERATOR, PIN)):
        with pytest.raises(PeopleUnusable, match=told) as caught:
            ask()
        assert str(path) in str(caught.value)
    assert path.read_text() == content


def test_a_file_that_others_can_read_lets_nobody_in(file: PeopleFile, tmp_path: Path) -> None:
    file.add("Anna", Role.OPERATOR, PIN)
    (tmp_path / "people.json").chmod(0o644)
    with pytest.raises(PeopleUnusable, match="chmod 600"):
        file.by_pin(PIN)


def test_an_empty_file_is_one_of_nobody(file: PeopleFile, tmp_path: Path) -> None:
    """As a power cut leaves it right after it was made."""
    (tmp_path / "people.json").touch(0o600)
    assert file.people() == []
    file.add("Anna", Role.OPERATOR, PIN)
    assert file.by_pin(PIN) is not None


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(PeopleUnusable, match=r"nowhere/people.json cannot be written: No such file"):
        PeopleFile(tmp_path / "nowhere" / "people.json").add("Anna", Role.OPERATOR, PIN)


def test_the_file_has_a_bound(file: PeopleFile, tmp_path: Path) -> None:
    entry = {"role": "operator", "token": "00" * 32, "since": "2026-01-01T00:00:00Z"}
    path = tmp_path / "people.json"
    path.touch(0o600)
    path.write_text(json.dumps({"salt": "00" * 16, "people": [{"name": f"P{n}", **entry} for n in range(MOST_PEOPLE)]}))
    with pytest.raises(Refused, match="all that it may have"):
        file.add_token("one more", Role.OPERATOR)


def test_when_each_was_added_is_known_without_reading_again(file: PeopleFile, tmp_path: Path) -> None:
    """A person who is removed, or added again, is another one at the next look."""
    assert file.since() == {}
    file.add("Anna", Role.READER, "739154")
    [(anna, first)] = file.since().items()
    assert (anna.name, anna.role.named) == ("Anna", "a reader")
    assert file.since() is file.since()
    file.remove("Anna")
    assert file.since() == {}
    (tmp_path / "people.json").chmod(0o644)
    with pytest.raises(PeopleUnusable, match="chmod 600"):
        file.since()
    assert first.tzinfo is UTC  # a zone of pydantic's that is kept until the process ends makes it crash then
