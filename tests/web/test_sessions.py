# SPDX-License-Identifier: Apache-2.0
"""A PIN's token ends after its time, and wrong PINs delay the address that they come from, and no other."""

import pytest

from station.domain.people import Person, Role
from station.web.sessions import LONGEST_DELAY, MOST_ADDRESSES, MOST_SESSIONS, SECONDS, Delayed, Sessions, Tokens

ANNA = Person("Anna", Role.ENGINEER)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock)


def delay(sessions: Sessions, address: str) -> float:
    """How long the address has to wait now; a try that is let in counts as wrong."""
    try:
        sessions.begin_try(address)
    except Delayed as exc:
        return exc.seconds
    return 0.0


def test_a_token_is_good_for_its_time(sessions: Sessions, clock: Clock) -> None:
    """And it is the person's, whoever else has one."""
    sessions.begin_try("10.0.0.1")
    token = sessions.open(ANNA, "10.0.0.1")
    assert sessions.person(token) == ANNA
    assert sessions.person(token + "x") is None
    assert sessions.person("") is None
    assert sessions.person("\udcff") is None
    clock.now += SECONDS
    assert sessions.person(token) is None


def test_each_wrong_pin_doubles_the_delay_of_its_address(sessions: Sessions, clock: Clock) -> None:
    """Up to a minute; while an address waits, its tries are not looked at and do not count."""
    delays = []
    for _ in range(9):
        assert delay(sessions, "10.0.0.1") == 0.0
        left = delay(sessions, "10.0.0.1")
        delays.append(left)
        assert delay(sessions, "10.0.0.1") == left
        assert delay(sessions, "10.0.0.2") in {0.0, *delays}
        clock.now += left
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_DELAY, LONGEST_DELAY, LONGEST_DELAY]


def test_tries_at_once_are_one_try(sessions: Sessions) -> None:
    """A PIN counts as wrong while it is looked up, which takes time."""
    assert delay(sessions, "10.0.0.1") == 0.0
    assert [delay(sessions, "10.0.0.1") > 0 for _ in range(100)] == [True] * 100


def test_a_right_pin_ends_the_delay(sessions: Sessions, clock: Clock) -> None:
    for _ in range(3):
        clock.now += delay(sessions, "10.0.0.1") + 100
    clock.now += 100
    sessions.begin_try("10.0.0.1")
    sessions.open(ANNA, "10.0.0.1")
    assert delay(sessions, "10.0.0.1") == 0.0


def test_neither_tokens_nor_addresses_grow_without_bound(sessions: Sessions) -> None:
    """The oldest go."""
    tokens = [sessions.open(ANNA, "") for _ in range(MOST_SESSIONS + 1)]
    assert [sessions.person(token) is None for token in tokens] == [True] + [False] * MOST_SESSIONS
    for number in range(MOST_ADDRESSES + 1):
        sessions.begin_try(str(number))
    assert delay(sessions, "0") == 0.0
    assert delay(sessions, str(MOST_ADDRESSES)) > 0.0


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),  # a PC chooses the rest of its address itself
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("::1", "::2", False),
        ("not an address", "neither", False),
    ],
)
def test_a_pc_with_many_addresses_is_one(sessions: Sessions, first: str, second: str, *, one: bool) -> None:
    """It gains no tries by taking another address of its own network, which IPv6 lets everybody do."""
    assert delay(sessions, first) == 0.0
    assert (delay(sessions, second) > 0.0) is one


def test_a_token_that_was_closed_is_none(clock: Clock) -> None:
    tokens: Tokens[Person] = Tokens(60.0, 2, clock)
    first, second = tokens.open(ANNA), tokens.open(ANNA)
    tokens.close(first)
    tokens.close("none")
    assert (tokens.holder(first), tokens.holder(second)) == (None, ANNA)
    assert (tokens.left(first), tokens.left(second)) == (0.0, 60.0)
