# SPDX-License-Identifier: Apache-2.0
"""A unit's identity and its states. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from station.domain.attempt import (
    Attempt,
    Confirmed,
    CoprocessorReady,
    CredentialsChosen,
    CredentialsFound,
    Event,
    FactoryDataWritten,
    LaboratoryUnit,
    Passed,
)
from station.domain.credentials import Credentials
from station.domain.serial_number import SerialNumberPattern
from station.domain.target import UID
from station.factory_data.device_information import manufacturing_date, rotating_device_id
from station.factory_data.flat_tlv import FactoryData, Tag
from station.matter.onboarding.passcode import Discriminator, Passcode


class IdentityState(StrEnum):
    """The state of an identity. A burned one is never used again; a released one never left the PC."""

    RESERVED = "reserved"
    ON_BOARD = "on_board"
    CERTIFIED = "certified"
    CONFIRMED = "confirmed"
    PASSED = "passed"
    BURNED = "burned"
    RELEASED = "released"

    @property
    def may_have_key(self) -> bool:
        """Whether the identity's board may have run a firmware that makes a key."""
        return self is not IdentityState.RESERVED


IDENTITY_TRANSITIONS: Mapping[IdentityState, frozenset[IdentityState]] = {
    IdentityState.RESERVED: frozenset({IdentityState.ON_BOARD, IdentityState.RELEASED, IdentityState.BURNED}),
    IdentityState.ON_BOARD: frozenset({IdentityState.CERTIFIED, IdentityState.BURNED}),
    IdentityState.CERTIFIED: frozenset({IdentityState.CONFIRMED, IdentityState.BURNED}),
    IdentityState.CONFIRMED: frozenset({IdentityState.PASSED, IdentityState.BURNED}),
    IdentityState.PASSED: frozenset({IdentityState.BURNED}),
    IdentityState.BURNED: frozenset(),
    IdentityState.RELEASED: frozenset(),
}

LIFE = (
    IdentityState.RESERVED,
    IdentityState.ON_BOARD,
    IdentityState.CERTIFIED,
    IdentityState.CONFIRMED,
    IdentityState.PASSED,
)

REACHED_BY: Mapping[type[Event], IdentityState] = {
    FactoryDataWritten: IdentityState.ON_BOARD,
    CredentialsChosen: IdentityState.CERTIFIED,
    CredentialsFound: IdentityState.CERTIFIED,
    Confirmed: IdentityState.CONFIRMED,
    Passed: IdentityState.PASSED,
}


def advanced(state: IdentityState, event: Event) -> IdentityState:
    """The state after an event of one of the identity's attempts. Never goes back; `ValueError` if the table forbids it."""
    reached = REACHED_BY.get(type(event))
    if reached is None or state in LIFE[LIFE.index(reached) :]:
        return state
    if reached not in IDENTITY_TRANSITIONS[state]:
        raise ValueError(f"{event.on_disk.name} cannot happen to an identity that is {state}")
    return reached


def moves(attempt: Attempt, event: Event) -> bool:
    """Whether the event changes the state of its board's identity. `attempt` is the attempt after the event.

    Events of a laboratory unit change none.
    """
    return type(event) in REACHED_BY and not attempt.laboratory


def state_after(journal: Iterable[tuple[int, Event]], state: IdentityState = IdentityState.RESERVED) -> IdentityState:
    """The state of an identity after all events of its board, each paired with its attempt's number, from this state on."""
    laboratory = set[int]()
    for attempt, event in journal:
        if isinstance(event, LaboratoryUnit):
            laboratory.add(attempt)  # earlier events of the attempt count as production
        if attempt not in laboratory:
            state = advanced(state, event)
    return state


@dataclass(frozen=True, slots=True)
class OnboardingSecrets:
    """Passcode and discriminator for the commissioner, and the verifier with which the unit checks the passcode."""

    passcode: Passcode
    discriminator: Discriminator
    salt: bytes = field(repr=False)
    iterations: int
    verifier: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lot:
    """Units traced together. Their serial numbers are `serial_number_format` with the `size` numbers from `first`."""

    name: str
    serial_number_format: str
    first: int
    size: int

    def serial_number(self, index: int) -> str:
        """The serial number at this index, counted from 0; `ValueError` beyond the lot."""
        if not 0 <= index < self.size:
            msg = f"lot {self.name} has {self.size} serial numbers, index {index} asked for"
            raise ValueError(msg)
        return SerialNumberPattern.parse(self.serial_number_format).made(self.first + index)


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """An identity without its serial number, which the ledger takes from the lot."""

    uid: UID
    lot: Lot
    secrets: OnboardingSecrets
    manufacturing_date: str
    rotating_device_id: str = field(repr=False)

    @classmethod
    def of(cls, uid: UID, lot: Lot, secrets: OnboardingSecrets, *, at: datetime, random: bytes) -> Self:
        """The identity of a unit manufactured at `at`. `random` has `ROTATING_DEVICE_ID_SIZE` bytes."""
        return cls(uid, lot, secrets, manufacturing_date(at), rotating_device_id(random))


Draft = Callable[[OnboardingSecrets, datetime], NewIdentity]
"""Makes a new identity from secrets and the time of manufacture."""


@dataclass(frozen=True, slots=True)
class GivenIdentity:
    """The identity in a file, which every board gets in a laboratory: without certificates."""

    data: FactoryData = field(repr=False)

    def of(self, uid: UID) -> "Identity":
        """The identity for one board; raises `ValueError` if the file lacks a part of it."""
        data = self.data
        passcode, discriminator = data.passcode, data.discriminator
        iterations = data.number(Tag.SPAKE2_ITERATION_COUNT)
        salt, verifier = data.octets(Tag.SPAKE2_SALT), data.octets(Tag.SPAKE2_VERIFIER)
        if None in {passcode, discriminator, iterations, salt, verifier}:
            raise ValueError("an identity needs passcode, discriminator, iterations, salt and verifier")
        assert passcode and discriminator and iterations and salt and verifier  # noqa: PT018  the same, for the type checker
        return Identity(
            uid=uid,
            ordinal=1,
            attempts=1,
            state=IdentityState.RESERVED,
            serial_number=data.text(Tag.SERIAL_NUMBER) or "",
            secrets=OnboardingSecrets(passcode, discriminator, salt, iterations, verifier),
            manufacturing_date=data.text(Tag.MANUFACTURING_DATE) or "",
        )


@dataclass(frozen=True, slots=True)
class Confirmation:
    """An attempt has found the board as intended, with images of these SHA-256.

    `touched`: a step that flashes has begun since, in production or in the laboratory, whatever its result.
    """

    images: frozenset[str]
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Belongs to one board for ever, in all its attempts. `ordinal` counts the identities of this ledger from 1."""

    uid: UID
    ordinal: int
    attempts: int
    state: IdentityState
    serial_number: str
    secrets: OnboardingSecrets
    manufacturing_date: str
    credentials: Credentials | None = None
    """The certificate that was issued for this board."""
    rotating_device_id: str | None = field(default=None, repr=False)
    confirmation: Confirmation | None = None
    """The latest confirmation; None before the first."""
    coprocessor: CoprocessorReady | None = None
    """The coprocessor's stack as the last attempt that read it has found it."""

    @property
    def may_have_key(self) -> bool:
        """Whether this board may have run a firmware that makes a key."""
        return self.state.may_have_key

    @property
    def confirmed(self) -> bool:
        """Whether an attempt has found the board as intended."""
        return self.state in {IdentityState.CONFIRMED, IdentityState.PASSED}

    @property
    def issued(self) -> Credentials:
        """The certificate that was issued for this board; `ValueError` if there is none."""
        if self.credentials is None:
            raise ValueError(f"no certificate was issued for {self.serial_number}")
        return self.credentials
