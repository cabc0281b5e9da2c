# SPDX-License-Identifier: Apache-2.0
"""Serial numbers and pairs come from the centre's blocks, and are used once."""

from datetime import datetime
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.leases import SPARE_PAIRS, Leases
from station.adapters.ledger.shared import Stopped
from station.adapters.system.verifiers import VerifierPool
from station.domain.identity import Lot, NewIdentity, OnboardingSecrets
from station.domain.shared import GRID, Grant
from station.faults import LineFault
from station.faults.line import CentreUnusable, LeaseExhausted, LedgerFenced, LedgerForked, ReleaseNotApproved
from tests.builders.bench import LOT, RECIPE, begun, execute, onboarding, recipe_with, recognised, rows, target
from tests.builders.sharing import FLEET, enrol, enrolled, lines, of, stock, stocked


class Given:
    """Secrets with these pairs, made by the test."""

    def __init__(self, *secrets: OnboardingSecrets) -> None:
        self.secrets = list(secrets)

    async def take(self) -> OnboardingSecrets:
        return self.secrets.pop(0)


async def left(ledger: Ledger, lot: str = LOT.name) -> Leases:
    return await of(ledger).leases(lot, RECIPE.release)


async def test_a_new_board_takes_the_next_index_and_one_pair(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        first = await recognised(await begun(ledger, secrets), board=1)
        second = await recognised(await begun(ledger, secrets), board=2)
        assert await left(ledger) == Leases(GRID - 2, GRID - 2)
    assert [first.serial_number, second.serial_number] == ["SN000001", "SN000002"]
    used = {FLEET.pair_hash(each.secrets.passcode, each.secrets.discriminator) for each in (first, second)}
    assert {hashed for (hashed,) in rows(path, "SELECT hash FROM pair WHERE state = 'used'")} == used


async def test_blocks_are_used_in_order_and_a_block_that_is_given_again_changes_nothing(path: Path) -> None:
    """Asking again brings the same blocks; the numbers that were taken stay taken."""
    async with stocked(path) as (ledger, secrets):
        await recognised(await begun(ledger, secrets), board=1)
        await stock(ledger, [2, 0])
        assert (await left(ledger)).numbers == 2 * GRID - 1
        again = await recognised(await begun(ledger, secrets), board=2)
    assert again.serial_number == "SN000002"


@pytest.mark.slow
async def test_none_left_is_the_lines_fault_and_says_the_reason(path: Path) -> None:
    async with enrolled(path) as ledger, VerifierPool(1000, 2, of(ledger).pair) as secrets:
        with pytest.raises(LeaseExhausted) as without_pairs:
            await recognised(await begun(ledger, secrets), board=1)
        of(ledger).shared.none_left = lambda lot: LeaseExhausted(lot, "no route to host")
        await stock(ledger, [3])  # of 1,000 numbers, the fourth block has the last 232
        for board in range(LOT.size - 3 * GRID):
            await recognised(await begun(ledger, secrets), board=board)
        with pytest.raises(LeaseExhausted) as without_numbers:
            await recognised(await begun(ledger, secrets), board=1000)
        assert await left(ledger) == Leases(0, 4 * GRID - LOT.size)  # a unit without a number keeps no pair
    assert without_pairs.value.evidence == {"lot": LOT.name, "reason": "the centre has given none yet"}
    assert without_numbers.value.evidence == {"lot": LOT.name, "reason": "no route to host"}


async def test_whoever_asks_the_centre_knows_why_none_is_left(path: Path) -> None:
    """The fault is another one where the centre would give more if a person had approved the release."""
    async with enrolled(path) as ledger, VerifierPool(1000, 2, of(ledger).pair) as secrets:
        of(ledger).shared.none_left = lambda lot: ReleaseNotApproved(lot, RECIPE.release)
        with pytest.raises(ReleaseNotApproved):
            await recognised(await begun(ledger, secrets), board=1)


@pytest.mark.parametrize(("why", "fault"), [(Stopped.FENCED, LedgerFenced), (Stopped.FORKED, LedgerForked)])
async def test_a_stopped_ledger_begins_no_unit(path: Path, why: Stopped, fault: type[LineFault]) -> None:
    """Nor does it take one over, or go on with its own."""
    async with stocked(path) as (ledger, secrets):
        await recognised(await begun(ledger, secrets), board=1)
        await of(ledger).stopped(why)
        for board in (1, 2):
            journal = await begun(ledger, secrets)
            with pytest.raises(fault):
                await journal.claim(target(board))
        with pytest.raises(fault):
            await recognised(await begun(ledger, secrets), board=2)


async def test_a_block_is_for_one_release_and_one_lot(path: Path) -> None:
    other = recipe_with(Lot("LOT-2", "B{:04d}", first=500, size=10))
    async with stocked(path) as (ledger, secrets):
        with pytest.raises(LeaseExhausted, match="LOT-2"):
            await recognised(await begun(ledger, secrets, recipe=other), board=1, recipe=other)
        assert (await of(ledger).leases(LOT.name, "another release")).items == 0


async def test_the_centres_lot_must_be_the_recipes(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await stock(ledger, [4], Lot("LOT-5", "B{:04d}", first=7, size=2000))
        recipe = recipe_with(Lot("LOT-5", "B{:05d}", first=7, size=2000))
        with pytest.raises(CentreUnusable, match=r"B\{:04d\} at the centre, and 2000 from 7 on by B\{:05d\}") as raised:
            await of(ledger).begin_request("LOT-5", recipe.release, 1)
            request = await of(ledger).open_request()
            assert request is not None
            await of(ledger).granted(request, Grant([5], request.hashes, 2, 7, 2000, "B{:04d}"))
            await recognised(await begun(ledger, secrets, recipe=recipe), board=1, recipe=recipe)
        assert "LOT-5" in str(raised.value)


async def test_a_pair_that_the_local_mark_refuses_is_burned(path: Path) -> None:
    """Another unit may have the pair, by this ledger's own marks: another pair is taken, and no number lost."""
    async with stocked(path) as (ledger, secrets):
        await recognised(await begun(ledger, secrets), board=1)
        refused, taken = await secrets.take(), await secrets.take()
        mark = ledger._pairing.mark(refused)  # noqa: SLF001  the mark that another unit has
        execute(path, "UPDATE identity SET pairing_hash = ?", mark)
        second = await recognised(await begun(ledger, Given(refused, taken)), board=2)
    assert second.secrets == taken
    assert second.serial_number == "SN000002"
    burned = FLEET.pair_hash(refused.passcode, refused.discriminator)
    assert rows(path, "SELECT hash FROM pair WHERE state = 'gone' AND hash = ?", burned) == [(burned,)]


async def test_a_sample_gets_no_pair_that_a_unit_has(path: Path) -> None:
    """What was taken ahead comes round again at the end of the stock, and may have gone to a unit by then."""
    async with stocked(path) as (ledger, secrets):
        unit = await recognised(await begun(ledger, secrets), board=1)
        free = await secrets.take()
        journal = await begun(ledger, Given(unit.secrets, free))

        def draft(taken: OnboardingSecrets, at: datetime) -> NewIdentity:
            return NewIdentity.of(target(2).uid, LOT, taken, at=at, random=bytes(16))

        sample = await journal.sample_identity(draft)
    assert sample.secrets == free
    burned = FLEET.pair_hash(free.passcode, free.discriminator)
    assert rows(path, "SELECT hash FROM pair WHERE state = 'gone' AND hash = ?", burned) == [(burned,)]


async def test_a_pair_that_the_centre_has_not_given_is_not_used(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        unit = await recognised(await begun(ledger, Given(onboarding(1), await secrets.take())), board=1)
    assert unit.secrets != onboarding(1)
    assert unit.serial_number == "SN000001"


@pytest.mark.slow
async def test_a_pair_taken_ahead_is_free_again_after_a_restart(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await secrets.take()
        assert (await left(ledger)).pairs == GRID
    async with stocked(path) as (ledger, secrets):
        for board in range(GRID):
            await recognised(await begun(ledger, secrets), board=board)
        assert (await left(ledger)).items == 0


@pytest.mark.slow
async def test_a_pair_that_a_pulled_board_has_taken_is_given_to_another(path: Path) -> None:
    """Secrets that were taken and not used come back when the stock ends."""
    async with stocked(path) as (ledger, secrets):
        for _ in range(3):
            await secrets.take()
        for board in range(GRID):
            await recognised(await begun(ledger, secrets), board=board)
        assert (await left(ledger)).items == 0


async def test_a_request_is_durable_before_it_is_sent_and_the_same_until_its_answer(path: Path) -> None:
    async with enrolled(path) as ledger:
        request = await of(ledger).begin_request(LOT.name, RECIPE.release, 1)
        assert len(request.hashes) == GRID + SPARE_PAIRS
        assert await of(ledger).begin_request("LOT-2", "other", 3) == request
    async with enrolled(path) as ledger:
        assert await of(ledger).open_request() == request
        grant = Grant([0], request.hashes[:GRID], 9, LOT.first, LOT.size, LOT.serial_number_format)
        await of(ledger).granted(request, grant)
        await of(ledger).granted(request, grant)
        assert await of(ledger).open_request() is None
        assert (await of(ledger).standing()).tick == 9
        assert await left(ledger) == Leases(GRID, GRID)


async def test_a_new_incarnation_has_nothing_of_the_one_before(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        ahead = await secrets.take()
        await enrol(ledger, 2)
        assert (await left(ledger)).items == 0
        await stock(ledger, [1])
        unit = await recognised(await begun(ledger, Given(ahead, *[await secrets.take() for _ in range(4)])), board=1)
    assert unit.secrets != ahead
    assert unit.serial_number == f"SN{GRID + 1:06d}"


async def test_untouched_blocks_are_given_back_once_and_never_used_again(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await recognised(await begun(ledger, secrets), board=1)
        await stock(ledger, [2])
        assert await of(ledger).give_back(LOT.name) == [2]
        assert await of(ledger).give_back(LOT.name) == [2]
        assert (await left(ledger)).numbers == GRID - 1
        told = [line.text for line in await lines(ledger) if b'"BlockGivenBack"' in line.text]
    assert len(told) == 1


async def test_no_secret_of_pair_or_candidate_is_in_any_file_or_line(path: Path) -> None:
    """Neither in clear, nor as decimal digits, nor in the bytes that the key hashes."""
    async with stocked(path) as (ledger, secrets):
        unit = await recognised(await begun(ledger, secrets), board=1)
        await of(ledger).begin_request(LOT.name, RECIPE.release, 1)  # candidates without an answer
        known = [unit.secrets, *[await secrets.take() for _ in range(20)]]
        opened = [FLEET.unseal_pair(hashed, sealed) for hashed, sealed in sealed_pairs(path)]
        told = [line.text for line in await lines(ledger)]
        contents = [file.read_bytes() for file in path.parent.iterdir() if file.is_file()]
    assert len(opened) > GRID
    pairs = {(each.passcode, each.discriminator) for each in known} | set(opened)
    wanted = {
        passcode.value.to_bytes(4, "little") + discriminator.value.to_bytes(2, "little")
        for passcode, discriminator in pairs
    }
    wanted |= {passcode.digits.encode() for passcode, _ in pairs}
    wanted |= {unit.secrets.salt, unit.secrets.verifier, unit.secrets.verifier.hex().encode()}
    for content in (*contents, *told):
        assert not [secret for secret in wanted if secret in content]
    assert rows(path, "SELECT DISTINCT sealed FROM pair WHERE state IN ('used', 'gone')") == [(bytes(34),)]


def sealed_pairs(path: Path) -> list[tuple[int, bytes]]:
    found = rows(path, "SELECT hash, sealed FROM pair WHERE state IN ('ours', 'open')")
    return [(int(str(hashed)), sealed) for hashed, sealed in found if isinstance(sealed, bytes)]
