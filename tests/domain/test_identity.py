# SPDX-License-Identifier: Apache-2.0
"""The states of an identity, and the lot of its serial number."""

from datetime import UTC, datetime

import pytest

from station.domain.attempt import (
    Attempt,
    Confirmed,
    CredentialsChosen,
    CSRReceived,
    Event,
    FactoryDataWritten,
    Failed,
    IdentityReserved,
    LaboratoryUnit,
    Passed,
    Voided,
)
from station.domain.identity import (
    IDENTITY_TRANSITIONS,
    IdentityState,
    Lot,
    NewIdentity,
    OnboardingSecrets,
    advanced,
    moves,
    state_after,
)
from station.domain.target import UID
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


@pytest.mark.parametrize("laboratory", [False, True])
def test_a_laboratorys_attempt_moves_no_identity(laboratory: bool) -> None:  # noqa: FBT001  a parameter of the test
    """An event that names no state moves none either."""
    attempt = Attempt(laboratory=laboratory)
    assert moves(attempt, WRITTEN) is not laboratory
    assert not moves(attempt, IdentityReserved("SN1"))


def test_the_events_of_all_attempts_on_a_board_add_up_to_its_state() -> None:
    """A further attempt goes on from the state that the earlier ones reached, and never falls behind it."""
    assert state_after([]) is RESERVED
    assert state_after([(1, WRITTEN), (1, Failed("board.silent")), (2, WRITTEN), (2, CHOSEN)]) is CERTIFIED
    assert state_after([(1, WRITTEN), (1, CHOSEN), (2, WRITTEN), (2, Failed("board.silent"))]) is CERTIFIED


def test_an_attempt_is_the_laboratorys_from_its_event_on() -> None:
    """The attempt's earlier events count for the identity, and so do other attempts that run at the same time."""
    assert state_after([(1, WRITTEN), (1, LaboratoryUnit()), (1, CHOSEN), (1, Confirmed())]) is ON_BOARD
    assert state_after([(1, LaboratoryUnit()), (2, WRITTEN), (1, CHOSEN), (2, CHOSEN)]) is CERTIFIED


def test_only_a_reserved_identity_gave_nobody_a_key() -> None:
    """Each other state follows factory data on a board, or the identity's end."""
    assert [state for state in IdentityState if not state.may_have_key] == [RESERVED]


def test_a_new_identity_is_made_from_its_secrets_a_moment_and_random_bytes() -> None:
    """It shows neither secrets nor the rotating device id, since the text of a value may end in a log."""
    uid, lot = UID(bytes(12)), Lot("LOT-1", "SN{:06d}", first=1, size=3)
    onboarding = OnboardingSecrets(Passcode(20202021), Discriminator(3840), b"salt", 1000, b"verifier")
    at = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    new = NewIdentity.of(uid, lot, onboarding, at=at, random=b"\xc0" * 16)
    assert (new.uid, new.lot, new.secrets) == (uid, lot, onboarding)
    assert (new.manufacturing_date, new.rotating_device_id) == ("20261123", "c0" * 16)
    assert "c0c0" not in repr(new)


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
