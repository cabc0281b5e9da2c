# SPDX-License-Identifier: Apache-2.0
"""Which identity a board gets, whose certificates are adopted, and which units are the laboratory's: without a database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from station.domain.attempt import (
    Attempt,
    CredentialsFound,
    LaboratoryUnit,
    Phase,
    Record,
    StepStarted,
    UnitIdentified,
)
from station.domain.credentials import Credentials
from station.domain.identity import Draft, GivenIdentity, Identity, IdentityState, NewIdentity
from station.domain.past import Past
from station.domain.product import KeyStorage
from station.domain.target import UID, Target
from station.domain.transitions import after, replay
from station.factory_data import st_json
from station.factory_data.flat_tlv import Tag
from station.faults.slot import UnitElsewhere
from station.procedure.identity import adopt, check_ours, identity_of, mark_laboratory
from station.recipe.recipe import Delivered
from tests.builders.bench import LOT, RECIPE, credentials, onboarding, target

FULL = st_json.from_json((Path(__file__).parents[1] / "vectors" / "st" / "Full_FactoryData.json").read_bytes())
DEVELOPMENT = Credentials(FULL.records[Tag.DEVICE_ATTESTATION_CERTIFICATE], FULL.records[Tag.PAI_CERTIFICATE])
GIVEN = replace(RECIPE, given=GivenIdentity(FULL))
UID_7 = target(7).uid
WITH_KEY = replace(target(7), agent_key="c0" * 32)
MADE_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class MemoryLedger:
    """An attempt's ledger (`interfaces.AttemptLedger`) in memory, which refuses the first `collisions` drafts."""

    attempt: Attempt = field(default_factory=lambda: replay([StepStarted(Phase.RECOGNISE)]))
    known: dict[UID, Identity] = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    asked: list[UID] = field(default_factory=list)
    collisions: int = 0
    records: list[Record] = field(default_factory=list)
    drafts: list[NewIdentity] = field(default_factory=list)
    adopted: list[tuple[Credentials, UID]] = field(default_factory=list)

    @asynccontextmanager
    async def step(self, phase: Phase, *intents: Record) -> AsyncIterator[None]:
        self.attempt = after(self.attempt, StepStarted(phase))
        for event in intents:
            await self.record(event)
        yield

    async def record(self, event: Record) -> None:
        self.attempt = after(self.attempt, event)
        self.records.append(event)

    async def past_of(self, uid: UID) -> Past:
        self.asked.append(uid)
        return self.past

    async def claim(self, target: Target) -> bool:  # noqa: ARG002  of a standalone ledger
        return False

    async def find_identity(self, uid: UID) -> Identity | None:
        return self.known.get(uid)

    async def reserve_identity(self, draft: Draft) -> Identity:
        self.drafts += [draft(onboarding(number), MADE_AT) for number in range(self.collisions + 1)]
        return identity(self.drafts[-1])

    async def sample_identity(self, draft: Draft) -> Identity:
        return identity(draft(onboarding(0), MADE_AT))

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        self.adopted.append((credentials, uid))


def identity(new: NewIdentity) -> Identity:
    return Identity(
        uid=new.uid,
        ordinal=1,
        attempts=1,
        state=IdentityState.RESERVED,
        serial_number="SN000001",
        secrets=new.secrets,
        manufacturing_date=new.manufacturing_date,
        rotating_device_id=new.rotating_device_id,
    )


@pytest.mark.parametrize("past", [Past(), Past(state=IdentityState.RESERVED)])
async def test_a_board_with_a_key_that_this_ledger_cannot_have_given_it_is_elsewhere(past: Past) -> None:
    """The fault names unit and key."""
    with pytest.raises(UnitElsewhere) as caught:
        await check_ours(WITH_KEY, MemoryLedger(past=past))
    evidence = {"uid": str(UID_7), "key": "c0" * 32, "known": "nothing of it is known here"}
    assert caught.value.evidence == evidence


@pytest.mark.parametrize(
    "past",
    [
        *(Past(state=state) for state in IdentityState if state is not IdentityState.RESERVED),
        Past(provisioned=True),
        Past(released=True),
        Past(state=IdentityState.RESERVED, released=True),
    ],
)
async def test_a_board_is_ours_by_its_identity_a_firmware_or_a_release(past: Past) -> None:
    """Each of them is enough."""
    await check_ours(WITH_KEY, MemoryLedger(past=past))


async def test_the_ledger_is_not_asked_about_a_board_without_a_key() -> None:
    """Asking costs a transaction, and nearly every board is new."""
    ledger = MemoryLedger()
    await check_ours(target(7), ledger)
    assert not ledger.asked


async def test_a_board_without_an_identity_gets_one_of_the_recipes_lot() -> None:
    """The unit is one of production."""
    ledger = MemoryLedger()
    found = await identity_of(UID_7, RECIPE, ledger)
    (draft,) = ledger.drafts
    assert (draft.uid, draft.lot, draft.manufacturing_date) == (UID_7, LOT, "20261123")
    assert found == identity(draft)
    assert not ledger.records


async def test_a_board_with_an_identity_keeps_it() -> None:
    """No other identity is drafted."""
    first = await identity_of(UID_7, RECIPE, MemoryLedger())
    again = MemoryLedger(known={UID_7: first})
    assert await identity_of(UID_7, RECIPE, again) is first
    assert not again.drafts


async def test_every_draft_has_a_rotating_device_id_of_its_own() -> None:
    """Also the drafts of one board, of which the ledger refuses those with another unit's secrets."""
    ledger = MemoryLedger(collisions=3)
    await identity_of(UID_7, RECIPE, ledger)
    assert [draft.secrets for draft in ledger.drafts] == [onboarding(number) for number in range(4)]
    assert len({draft.rotating_device_id for draft in ledger.drafts}) == 4


async def test_a_given_identity_makes_a_laboratorys_unit() -> None:
    """Nothing is reserved, even for a board that has an identity of production."""
    known = await identity_of(UID_7, RECIPE, MemoryLedger())
    ledger = MemoryLedger(known={UID_7: known})
    found = await identity_of(UID_7, GIVEN, ledger)
    assert (found.uid, found.serial_number) == (UID_7, "TEST_SN")
    assert ledger.records == [LaboratoryUnit()]
    assert not ledger.drafts


def confirming(*, laboratory: bool = False) -> MemoryLedger:
    return MemoryLedger(Attempt(phase=Phase.CONFIRM, laboratory=laboratory))


async def test_a_delivered_certificate_becomes_the_boards() -> None:
    """The journal also says where the key was found."""
    ledger, found = confirming(), credentials(0x0B)
    await adopt(Delivered(found, KeyStorage.SECURE), UID_7, ledger)
    assert ledger.adopted == [(found, UID_7)]
    assert ledger.records == [CredentialsFound(found.key, "0B", KeyStorage.SECURE)]


async def test_the_development_certificate_makes_a_laboratorys_unit() -> None:
    """Every board has that certificate, so no board owns it."""
    ledger = confirming()
    await adopt(Delivered(DEVELOPMENT, KeyStorage.FLASH), UID_7, ledger)
    assert [type(record) for record in ledger.records] == [LaboratoryUnit, CredentialsFound]
    assert not ledger.adopted


@pytest.mark.parametrize("found", [DEVELOPMENT, credentials(0x0B)], ids=["development", "of its own"])
async def test_a_laboratorys_unit_owns_no_certificate(found: Credentials) -> None:
    """The journal says once that the unit is the laboratory's, and has the certificate."""
    ledger = confirming(laboratory=True)
    await adopt(Delivered(found, KeyStorage.FLASH), UID_7, ledger)
    assert [type(record) for record in ledger.records] == [CredentialsFound]
    assert not ledger.adopted


async def test_a_laboratorys_unit_is_marked_once() -> None:
    """The attempt's other events do not hide the mark."""
    ledger = MemoryLedger()
    await mark_laboratory(ledger)
    await ledger.record(UnitIdentified.of(target(7)))
    await mark_laboratory(ledger)
    assert ledger.records == [LaboratoryUnit(), UnitIdentified.of(target(7))]
