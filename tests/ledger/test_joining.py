# SPDX-License-Identifier: Apache-2.0
"""A ledger is standalone or shared, and says so; a standalone one joins with its past; a restored one begins anew."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.fleet_key import FleetKey
from station.adapters.ledger.register import Register, default_folder
from station.adapters.ledger.restoration import examine, restore
from station.adapters.ledger.shared import reading
from station.adapters.ledger.sharing import Shared
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import FactoryDataWritten, Failed, Phase
from station.domain.identity import Identity
from station.domain.shared import Claim, Line
from station.faults.line import LeaseExhausted, LedgerUnavailable
from station.interfaces import RefusedAnswer
from tests.builders.bench import LOT, RECIPE, Secrets, begun, credentials, passed, recognised, rows, target
from tests.builders.commands import station
from tests.builders.sharing import FLEET, Told, enrol, enrolled, lines, of, shared, stock, stocked


def bodies(told: list[Line], kind: str) -> list[dict[str, object]]:
    values = [json.loads(line.text) for line in told]
    return [value[4] for value in values if value[2] == kind]


@pytest.fixture
async def past(path: Path) -> list[Identity]:
    """A standalone ledger: a unit that passed, one with an open request, a refused one, one on its board, and a forgotten one."""
    secrets = Secrets()
    async with Ledger.open(path, station="line-1") as ledger:
        one = await passed(await begun(ledger, secrets), board=1)
        dac = credentials(1)
        await ledger.issuance.submitted(dac.key, b"CSR", one.uid)
        await ledger.issuance.record_issued(dac.key, dac)
        units = [await recognised(await begun(ledger, secrets), board) for board in range(2, 8)]
        await ledger.issuance.submitted("c2" * 32, b"CSR", target(2).uid)
        await ledger.issuance.submitted("c3" * 32, b"CSR", target(3).uid)
        await ledger.issuance.record_refused("c3" * 32, RefusedAnswer("no certificate", b"{}"))
        journal = await begun(ledger, secrets)
        await recognised(journal, 4)
        async with journal.step(Phase.FLASH_DATA):
            await journal.record(FactoryDataWritten())
        await ledger.forget(target(7).uid, who="anna", reason="sold")
        return [one, *units]


@pytest.fixture
async def joined(path: Path, past: list[Identity]) -> AsyncIterator[Ledger]:
    assert len(past) == 7
    opened = Shared(FLEET, RECIPE.release, Told(None), joining=True)
    async with Ledger.open(path, station="line-1", shared=opened) as ledger:
        await enrol(ledger, 1)
        assert [await of(ledger).join(3) for _ in range(4)] == [4, 1, 0, 0]
        yield ledger


async def test_a_standalone_ledger_with_units_must_join_first(path: Path, past: list[Identity]) -> None:
    assert past
    with pytest.raises(LedgerUnavailable, match="station central join"):
        async with Ledger.open(path, station="line-1", shared=shared()):
            pass
    async with Ledger.open(path, station="line-1"):  # nothing has changed by that
        pass


async def test_the_hashes_of_all_pairs_are_known_before(path: Path, past: list[Identity]) -> None:
    async with Ledger.open(path, station="line-1", shared=Shared(FLEET, "", joining=True)) as ledger:
        found = [some async for some in of(ledger).hashes(most=2)]
        with pytest.raises(ValueError, match="not enrolled"):
            await of(ledger).join()
    hashes = [hashed for some in found for hashed in some.hashes]
    assert hashes == [FLEET.pair_hash(each.secrets.passcode, each.secrets.discriminator) for each in past[:-1]]
    assert sum(some.forgotten for some in found) == 1
    assert max(len(some.hashes) for some in found) == 2


async def test_units_requests_and_certificates_of_the_past_are_told(joined: Ledger, past: list[Identity]) -> None:
    told = await lines(joined)
    taken = bodies(told, "IdentityTaken")
    assert [(body["uid"], body["index"], body["serial_number"]) for body in taken] == [
        (str(unit.uid), index, unit.serial_number) for index, unit in enumerate(past)
    ]
    assert taken[-1]["sealed"] == ""  # it was forgotten
    first = FLEET.unseal(past[0].uid, bytes.fromhex(str(taken[0]["sealed"])))
    assert (first.onboarding, first.rotating_device_id) == (past[0].secrets, past[0].rotating_device_id)
    assert [(body["index"], body["rank"]) for body in bodies(told, "IdentityAdvanced")] == [(0, 4), (3, 2)]
    assert [body["request"] for body in bodies(told, "RequestSubmitted")] == [1, 2, 3]
    assert [(body["request"], body["reason"]) for body in bodies(told, "RequestAnswered")] == [(3, "no certificate")]
    (issued,) = bodies(told, "CertificateIssued")
    assert (issued["request"], issued["uid"]) == (1, str(past[0].uid))
    assert len(bodies(told, "IntermediateSeen")) == 1


async def test_a_ledger_that_has_joined_goes_on_with_its_units(
    path: Path, joined: Ledger, past: list[Identity]
) -> None:
    await stock(joined, [2])
    journal = await begun(joined, Secrets())
    await journal.claim(target(1))  # its own: the centre, which is away, is not asked
    assert await joined.identity(target(1).uid) is not None
    assert past[0].serial_number == "SN000001"
    with reading(path) as reader:
        assert reader.verify() is None


async def test_it_opens_as_one_of_many_from_then_on(path: Path, joined: Ledger) -> None:
    assert (await of(joined).standing()).joined is None
    assert path.exists()


async def test_a_shared_ledger_does_not_open_as_a_standalone_one(path: Path) -> None:
    """It would give out the recipe's numbers by itself, which other stations have."""
    async with stocked(path):
        pass
    with pytest.raises(LedgerUnavailable, match=r"the configuration has no \[shared\]"):
        async with Ledger.open(path, station="line-1"):
            pass


async def test_another_fleet_key_is_refused(path: Path) -> None:
    async with enrolled(path):
        pass
    with pytest.raises(LedgerUnavailable, match="the fleet key is another one") as raised:
        async with Ledger.open(path, station="line-1", shared=Shared(FleetKey(bytes(32)))):
            pass
    assert FLEET.check in str(raised.value)
    assert FLEET.key.hex() not in str(raised.value)


async def test_a_restored_ledger_gives_out_nothing_until_it_has_enrolled_anew(path: Path) -> None:
    """No serial number is skipped: the centre burns what it had given. Its units are asked for again."""
    centre = Told(None)
    async with stocked(path, centre) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        before = await of(ledger).standing()
    register = Register(default_folder())
    finding = examine(path, register)
    assert (finding.shared, finding.least) == (True, 0)
    restore(path, "line-1", register, skip=0, new_key=False)
    async with (
        Ledger.open(path, station="line-1", shared=shared(centre)) as ledger,
        VerifierPool(1000, 2, of(ledger).pair) as secrets,
    ):
        found = await of(ledger).standing()
        assert (found.moved, found.must_enrol, found.lines) == (True, True, before.lines)
        assert (await of(ledger).leases(LOT.name, RECIPE.release)).items == 0
        with pytest.raises(LeaseExhausted):
            await recognised(await begun(ledger, secrets), board=2)
        centre.answer = Claim(target(1).uid, 1, None, was_ours=False)
        await (await begun(ledger, secrets)).claim(target(1))
        assert len(centre.asked) == 1
        await enrol(ledger, 2)
        await stock(ledger, [1])
        assert not (await of(ledger).standing()).must_enrol
        assert (await of(ledger).leases(LOT.name, RECIPE.release)).items == 256
        with reading(path) as reader:
            assert reader.verify() is None
    assert rows(path, "SELECT count(*) FROM lot_floor WHERE next_index > 1") == [(0,)]


async def test_restored_asks_for_no_number_to_skip_in_a_shared_ledger(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await (await begun(ledger, secrets)).finish(Failed("board.silent"))
    done = station("ledger", "restored", "--yes", "--ledger", str(path))
    assert done.exit_code == 0, done.output
    assert "it gets more once it has enrolled anew" in done.stdout
    assert "serial number" not in done.stdout


async def test_a_person_lets_a_board_of_a_lost_tail_begin_anew(path: Path) -> None:
    """Its station has lost what it knew, and the centre has never heard of it."""
    centre = Told(Claim(target(1).uid, 1, None, was_ours=False))
    async with stocked(path, centre) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        await enrol(ledger, 2)
        await stock(ledger, [1])
        await ledger.release_unit(target(1).uid, account="anna", reason="the disk was lost")
        journal = await begun(ledger, secrets)
        await journal.claim(replace(target(1), agent_key="c1" * 32))
        identity = await recognised(journal, board=1)
    assert identity.serial_number == "SN000257"
