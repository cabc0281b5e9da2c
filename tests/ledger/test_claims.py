# SPDX-License-Identifier: Apache-2.0
"""A unit that another station began: this ledger takes it over as the centre knows it, and goes on with it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.journal import AttemptJournal
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import (
    CredentialsChosen,
    CSRReceived,
    FactoryDataWritten,
    Failed,
    IdentityReserved,
    LaboratoryUnit,
    Phase,
    UnitIdentified,
    Voided,
)
from station.domain.credentials import Credentials
from station.domain.identity import Confirmation, Identity, IdentityState
from station.domain.intervention import Decision
from station.domain.shared import Claim, KnownUnit, Rank
from station.domain.target import Target
from station.faults.line import CentreUnusable, SerialNumberTaken
from station.faults.slot import UnitElsewhere, UnitScrapped
from station.procedure.identity import identity_of
from tests.builders.bench import LOT, RECIPE, begun, credentials, onboarding, passed, recognised, rows, target
from tests.builders.sharing import FLEET, Told, enrol, lines, of, stock, stocked

ROTATING = "0f" * 16


def seen(board: int, key: str | None = None) -> Target:
    return replace(target(board), agent_key=key)


def unit(
    board: int,
    index: int = 300,
    *,
    rank: Rank = Rank.TAKEN,
    certificates: Sequence[Credentials] = (),
    release: str = "",
    was_ours: bool = False,
) -> Claim:
    """A unit of station line-2, with onboarding secrets by the number of the board."""
    sealed = FLEET.seal(target(board).uid, onboarding(board), ROTATING, "20261126")
    keys = [(each.key, each) for each in certificates]
    known = KnownUnit(LOT.name, index, LOT.serial_number(index), sealed, rank, keys, (), "line-2", release)
    return Claim(target(board).uid, 5, known, was_ours)


async def claimed(ledger: Ledger, secrets: VerifierPool, there: Target) -> tuple[AttemptJournal, Identity]:
    """Carries out the first step of an attempt on this board, with the question to the centre."""
    journal = await begun(ledger, secrets)
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(there))
        await journal.claim(there)
        identity = await identity_of(there.uid, RECIPE, journal)
    return journal, identity


async def test_a_units_identity_secrets_and_certificates_go_on_here(path: Path) -> None:
    dac = credentials(1)
    centre = Told(unit(1, rank=Rank.CERTIFIED, certificates=[credentials(2), dac]))
    async with stocked(path, centre) as (ledger, secrets):
        _, identity = await claimed(ledger, secrets, seen(1, dac.key))
        before = (await of(ledger).standing()).lines
        assert (await ledger.issuance.of_key(dac.key, target(1).uid)).credentials == dac
        _, again = await claimed(ledger, secrets, seen(1, dac.key))
        told = [line.text for line in await lines(ledger)]
    assert identity.serial_number == "SN000301"
    assert identity.secrets == onboarding(1)
    assert (identity.rotating_device_id, identity.manufacturing_date) == (ROTATING, "20261126")
    assert identity.state is IdentityState.CERTIFIED
    assert identity.credentials == dac  # the newest
    assert again.serial_number == identity.serial_number
    assert len(centre.asked) == 1  # from now on the unit is this ledger's own
    assert before
    kinds = [text.split(b",")[2] for text in told]
    assert kinds.count(b'"UnitAdopted"') == 1
    assert not {b'"IdentityTaken"', b'"RequestSubmitted"', b'"CertificateIssued"'} & set(kinds)  # the centre has them


async def test_it_takes_no_number_and_no_pair(path: Path) -> None:
    async with stocked(path, Told(unit(1))) as (ledger, secrets):
        before = await of(ledger).leases(LOT.name, RECIPE.release)
        await claimed(ledger, secrets, seen(1))
        assert await of(ledger).leases(LOT.name, RECIPE.release) == before


@pytest.mark.parametrize(
    ("release", "confirmation"),
    [
        (RECIPE.release, Confirmation(frozenset(image.sha256 for image in RECIPE.images))),
        ("of other images", Confirmation(frozenset())),
    ],
)
async def test_a_unit_that_passed_elsewhere_is_confirmed_with_its_releases_images(
    path: Path, release: str, confirmation: Confirmation
) -> None:
    """By this line's release its images are known; by another they are not, and the firmware is written again."""
    dac = credentials(1)
    claim = unit(1, rank=Rank.PASSED, certificates=[dac], release=release)
    async with stocked(path, Told(claim)) as (ledger, secrets):
        journal, identity = await claimed(ledger, secrets, seen(1, dac.key))
        assert identity.confirmed
        assert identity.confirmation == confirmation
        async with journal.step(Phase.FLASH_OPERATIONAL):
            pass
        _, touched = await claimed(ledger, secrets, seen(1, dac.key))
        assert touched.confirmation == replace(confirmation, touched=True)


@pytest.mark.parametrize("with_key", [True, False])
async def test_a_unit_that_was_scrapped_elsewhere_is_not_touched(path: Path, with_key: bool) -> None:  # noqa: FBT001
    """Its certificate is revoked, or will be: another station must not pass it."""
    dac = credentials(1)
    claim = unit(1, rank=Rank.SCRAPPED, certificates=[dac], release=RECIPE.release)
    async with stocked(path, Told(claim)) as (ledger, secrets):
        with pytest.raises(UnitScrapped):
            await claimed(ledger, secrets, seen(1, dac.key if with_key else None))
    assert not list(LedgerReader(path).units())


async def test_the_centre_is_told_of_scrap(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        await ledger.scrap(target(1).uid, Decision("anna", "cracked"))
        *_, last = await lines(ledger)
    assert b'"IdentityAdvanced",null,{"index":0,"lot":"LOT-1","rank":5' in last.text


async def test_a_unit_that_has_not_passed_has_no_confirmation(path: Path) -> None:
    async with stocked(path, Told(unit(1, rank=Rank.ON_BOARD, release=RECIPE.release))) as (ledger, secrets):
        _, identity = await claimed(ledger, secrets, seen(1))
    assert identity.state is IdentityState.ON_BOARD
    assert identity.confirmation is None


async def test_what_follows_from_events_begins_with_the_adoption(path: Path) -> None:
    """A rebuilt ledger is the same as before."""
    dac = credentials(1)
    async with stocked(path, Told(unit(1, rank=Rank.CERTIFIED, certificates=[dac]))) as (ledger, secrets):
        await claimed(ledger, secrets, seen(1, dac.key))
        before = rows(path, "SELECT * FROM identity")
        await ledger.rebuild()
    assert rows(path, "SELECT * FROM identity") == before


async def test_an_identity_of_a_copy_makes_way_for_the_centres(path: Path) -> None:
    """Its number is burned; the ordinal stays."""
    centre = Told()
    async with stocked(path, centre) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        await enrol(ledger, 2)  # the ledger was put back
        centre.answer = unit(1, rank=Rank.ON_BOARD)
        _, identity = await claimed(ledger, secrets, seen(1))
        await ledger.rebuild()
        assert (await ledger.identity(target(1).uid)) == replace(identity, attempts=2)
    assert identity.serial_number == "SN000301"
    assert identity.secrets == onboarding(1)
    assert (identity.ordinal, identity.state, identity.confirmation) == (1, IdentityState.ON_BOARD, None)
    assert len(list(LedgerReader(path).units())) == 1


async def test_an_identity_of_a_copy_that_the_centre_does_not_know_is_not_used_again(path: Path) -> None:
    """The board is blank, so it gets the next number."""
    centre = Told(Claim(target(1).uid, 1, None, was_ours=False))
    async with stocked(path, centre) as (ledger, secrets):
        _, first = await claimed(ledger, secrets, seen(1))
        await enrol(ledger, 2)
        await stock(ledger, [2])
        _, second = await claimed(ledger, secrets, seen(1))
        _, third = await claimed(ledger, secrets, seen(1))
        await ledger.rebuild()
    assert (first.serial_number, second.serial_number) == ("SN000001", "SN000513")
    assert second.secrets != first.secrets
    assert third.serial_number == second.serial_number


async def test_a_copys_identity_that_the_centre_knows_alike_goes_on(path: Path) -> None:
    centre = Told()
    async with stocked(path, centre) as (ledger, secrets):
        _, first = await claimed(ledger, secrets, seen(1))
        await enrol(ledger, 2)
        sealed = FLEET.seal(first.uid, first.secrets, first.rotating_device_id, first.manufacturing_date)
        known = KnownUnit(LOT.name, 0, first.serial_number, sealed, Rank.ON_BOARD, (), (), "line-1")
        centre.answer = Claim(first.uid, 2, known, was_ours=False)
        _, second = await claimed(ledger, secrets, seen(1))
    assert second == replace(first, attempts=2, state=IdentityState.ON_BOARD)


async def test_a_board_is_new_while_the_centre_is_away_if_it_is_blank_and_unknown(path: Path) -> None:
    async with stocked(path, Told(None)) as (ledger, secrets):
        _, identity = await claimed(ledger, secrets, seen(1))
        assert identity.serial_number == "SN000001"
        with pytest.raises(UnitElsewhere, match="cannot be reached"):
            await claimed(ledger, secrets, seen(2, "c1" * 32))


async def test_a_key_that_may_be_ours_is_asked_about_and_the_board_must_prove_it(path: Path) -> None:
    """The power failed between the firmware that makes the key and the board's request; a void attempt after it changes nothing."""
    key = "c1" * 32
    centre = Told(None)
    async with stocked(path, centre) as (ledger, secrets):
        journal, _ = await claimed(ledger, secrets, seen(1))
        async with journal.step(Phase.FLASH_DATA):
            await journal.record(FactoryDataWritten())
        async with journal.step(Phase.FLASH_PROVISIONER):
            pass
        await journal.finish(Voided("station.stopped"))
        with pytest.raises(UnitElsewhere, match="cannot be reached"):  # another station may have certified it meanwhile
            await (await begun(ledger, secrets)).claim(seen(1, key))
        await (await begun(ledger, secrets)).finish(Voided("unit.elsewhere"))
        centre.answer = Claim(target(1).uid, 1, None, was_ours=True)
        again = await begun(ledger, secrets)
        async with again.step(Phase.RECOGNISE):
            await again.record(UnitIdentified.of(seen(1, key)))
            assert await again.claim(seen(1, key))
            await again.record(IdentityReserved("SN000001"))
        async with again.step(Phase.FLASH_PROVISIONER):
            pass
        async with again.step(Phase.AWAIT_CSR):
            await again.record(CSRReceived(key))
        await ledger.issuance.submitted(key, b"CSR", target(1).uid)
        await again.finish(Voided("board.removed"))
        asked = len(centre.asked)
        assert not await (await begun(ledger, secrets)).claim(seen(1, key))
        assert len(centre.asked) == asked  # its key is this ledger's own now
        with pytest.raises(UnitElsewhere):
            await (await begun(ledger, secrets)).claim(seen(1, "c2" * 32))


async def test_a_key_for_which_no_pki_was_asked_is_still_ours(path: Path) -> None:
    """The station has seen the board's request, and its PKI was not fit to be asked: the board is made here once the PKI is."""
    key = "c1" * 32
    centre = Told(None)
    async with stocked(path, centre) as (ledger, secrets):
        journal, _ = await claimed(ledger, secrets, seen(1))
        async with journal.step(Phase.FLASH_PROVISIONER):
            pass
        async with journal.step(Phase.AWAIT_CSR):
            await journal.record(CSRReceived(key))
        await journal.finish(Voided("pki.credentials_invalid"))
        centre.answer = unit(1, rank=Rank.ON_BOARD, was_ours=True)
        assert await (await begun(ledger, secrets)).claim(seen(1, key))
        with pytest.raises(UnitElsewhere):  # its last key may have been made by anybody
            await (await begun(ledger, secrets)).claim(seen(1, "c2" * 32))
        centre.answer = unit(1, rank=Rank.ON_BOARD)
        with pytest.raises(UnitElsewhere):
            await (await begun(ledger, secrets)).claim(seen(1, key))


async def test_laboratory_units_are_not_claimed(path: Path) -> None:
    centre = Told(unit(1))
    async with stocked(path, centre) as (ledger, secrets):
        journal = await begun(ledger, secrets)
        async with journal.step(Phase.RECOGNISE):
            await journal.record(UnitIdentified.of(target(1)))
            await journal.record(LaboratoryUnit())
            await journal.claim(seen(1))
    assert not centre.asked


async def test_an_adopted_unit_advances_here(path: Path) -> None:
    """Its state is told as that of this station's own units."""
    dac = credentials(1)
    centre = Told(unit(1, rank=Rank.ON_BOARD, certificates=[dac]))
    async with stocked(path, centre) as (ledger, secrets):
        journal, _ = await claimed(ledger, secrets, seen(1, dac.key))
        async with journal.step(Phase.FLASH_PROVISIONER):
            pass
        async with journal.step(Phase.AWAIT_CSR):
            await journal.record(CSRReceived(dac.key))
        async with journal.step(Phase.RELAY_TO_PKI):
            await journal.record(CredentialsChosen(dac.key, dac.dac_serial_number))
        await journal.finish(Failed("board.silent"))
        told = b"\n".join(line.text for line in await lines(ledger))
    assert b'"IdentityAdvanced",null,{"index":300,"lot":"LOT-1","rank":3' in told


async def test_a_unit_whose_secrets_do_not_open_is_the_lines_fault(path: Path) -> None:
    claim = unit(1)
    assert claim.known is not None
    centre = Told(replace(claim, known=replace(claim.known, sealed=b"of another key".ljust(200))))
    async with stocked(path, centre) as (ledger, secrets):
        with pytest.raises(CentreUnusable, match="do not open with this station's fleet key"):
            await claimed(ledger, secrets, seen(1))


async def test_a_serial_number_that_another_unit_has_here_is_the_lines_fault(path: Path) -> None:
    centre = Told(None)
    async with stocked(path, centre) as (ledger, secrets):
        await recognised(await begun(ledger, secrets), board=1)
        centre.answer = unit(2, index=0)
        with pytest.raises(SerialNumberTaken, match="SN000001"):
            await claimed(ledger, secrets, seen(2))
