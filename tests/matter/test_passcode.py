# SPDX-License-Identifier: Apache-2.0
"""Passcodes and discriminators refuse invalid values in their constructors."""

import pytest

from station.matter.onboarding.passcode import Discriminator, Passcode

TRIVIAL = [*(int(digit * 8) for digit in "123456789"), 12345678, 87654321, 0]


@pytest.mark.parametrize("value", [*TRIVIAL, -1, 99_999_999, 1 << 27])
def test_a_forbidden_passcode_cannot_be_built(value: int) -> None:
    """Matter Core Specification 5.1.7.1; the message does not contain the value."""
    with pytest.raises(ValueError, match="1 to 99999998") as caught:
        Passcode(value)
    assert str(value) not in str(caught.value).replace("1 to 99999998", "")


@pytest.mark.parametrize("value", [1, 20202021, 99_999_998])
def test_a_passcode_has_eight_digits(value: int) -> None:
    """A label shows the leading zeros."""
    assert len(Passcode(value).digits) == 8
    assert int(Passcode(value).digits) == value


@pytest.mark.parametrize("shown", [f"{Passcode(20202021)}", repr(Passcode(20202021)), str([Passcode(20202021)])])
def test_a_passcode_does_not_show_itself(shown: str) -> None:
    """Neither a log line nor the text of another value shows the passcode."""
    assert shown.strip("[]") == "<Passcode>"


def test_random_passcodes_are_spread_over_their_range() -> None:
    """A thousand are all different, and reach both ends of the range."""
    values = sorted(Passcode.random().value for _ in range(1000))
    assert len(set(values)) > 990
    assert values[0] < 2_000_000
    assert values[-1] > 98_000_000


@pytest.mark.parametrize("value", [-1, 4096])
def test_a_discriminator_has_twelve_bits(value: int) -> None:
    """A greater number cannot be built."""
    with pytest.raises(ValueError, match="12 bits"):
        Discriminator(value)


def test_the_short_discriminator_is_the_top_four_bits() -> None:
    """A manual pairing code carries the short discriminator."""
    assert Discriminator(0xF01).short == 0xF


def test_random_discriminators_are_spread_over_their_range() -> None:
    """A thousand have all sixteen short discriminators."""
    assert {Discriminator.random().short for _ in range(1000)} == set(range(16))
