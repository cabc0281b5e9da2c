# SPDX-License-Identifier: Apache-2.0
"""The states of an identity, and the lot of its serial number."""

import pytest

from station.domain.attempt import (
    Confirmed,
    CredentialsChosen,
    CSRReceived,
    Event,
    FactoryDataWritten,
    Failed,
    IdentityReserved,
    Passed,
    Voided,
)
from station.domain.identity import IDENTITY_TRANSITIONS, IdentityState, Lot, OnboardingSecrets, advanced
from station.matter.onboarding.passcode import Discriminator, Passcode

RESERVED, ON_BOARD, CERTIFIED, CONFIRMED, PASSED, BURNED, RELEASED = IdentityState
WRITTEN, CHOSEN = FactoryDataWritten(), CredentialsChosen("c0" * 32, "0A")


@pytest.mark.parametrize(
    ("state", "event", "reached"),
    [
        (RESERVED, WRITTEN, ON_BOARD),
        (ON_BOARD, CHOSEN, CERTIFIED),
        (CERTIFIED, Confirmed(), CONFIRMED),
        (CONFIRMED, Passed(), PASSED),
        (ON_BOARD, WRITTEN, ON_BOARD),
        (CERTIFIED, WRITTEN, CERTIFIED),
        (CERTIFIED, CHOSEN, CERTIFIED),
        (PASSED, WRITTEN, PASSED),
        (PASSED, CHOSEN, PASSED),
        (PASSED, Confirmed(), PASSED),
        (PASSED, Passed(), PASSED),
    ],
)
def test_an_identity_goes_on_and_never_back(state: IdentityState, event: Event, reached: IdentityState) -> None:
    """In a further attempt on the same board, the identity may already be in a later state."""
    assert advanced(state, event) is reached


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (RESERVED, CHOSEN),
        (RESERVED, Passed()),
        (ON_BOARD, Confirmed()),
        (ON_BOARD, Passed()),
        (CERTIFIED, Passed()),
        *((state, event) for state in (BURNED, RELEASED) for event in (WRITTEN, CHOSEN, Passed())),
    ],
)
def test_an_identity_skips_no_state_and_does_not_come_back(state: IdentityState, event: Event) -> None:
    """A burned or released identity is never used again."""
    with pytest.raises(ValueError, match=f"cannot happen to an identity that is {state}"):
        advanced(state, event)


@pytest.mark.parametrize("state", IdentityState)
@pytest.mark.parametrize("event", [IdentityReserved("SN1"), CSRReceived("c0" * 32), Failed("x"), Voided("x")])
def test_other_events_change_nothing(state: IdentityState, event: Event) -> None:
    """A failed attempt does not change an identity's state."""
    assert advanced(state, event) is state


def test_every_identity_can_be_burned_until_its_end() -> None:
    """An identity can be burned in every state except a final one."""
    ends = {state for state, following in IDENTITY_TRANSITIONS.items() if not following}
    assert ends == {BURNED, RELEASED}
    assert all(BURNED in following for state, following in IDENTITY_TRANSITIONS.items() if state not in ends)


def test_a_lot_numbers_from_its_first_to_its_last() -> None:
    """A number after the lot's last is refused."""
    lot = Lot("LOT-1", "SN{:06d}", first=500, size=3)
    assert [lot.serial_number(index) for index in range(3)] == ["SN000500", "SN000501", "SN000502"]
    for index in (-1, 3):
        with pytest.raises(ValueError, match="lot LOT-1 has 3 serial numbers"):
            lot.serial_number(index)


def test_onboarding_secrets_do_not_show_themselves() -> None:
    """The text of a value may end in a log."""
    text = repr(OnboardingSecrets(Passcode(20202021), Discriminator(3840), b"canary salt", 1000, b"canary verifier"))
    assert "20202021" not in text
    assert "canary" not in text
