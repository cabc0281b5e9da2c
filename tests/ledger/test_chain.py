# SPDX-License-Identifier: Apache-2.0
"""The chain of a shared ledger's journal: one order, nothing left out, nothing changed."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, chain
from station.adapters.ledger.chain import Broken
from station.adapters.ledger.shared import reading
from station.domain.attempt import FactoryDataWritten, Failed, Voided
from station.domain.facts import BlockGivenBack
from station.domain.shared import Line
from tests.builders.bench import Secrets, begun, execute, passed, recognised, rows
from tests.builders.sharing import enrol, enrolled, lines, of, stocked


def kinds(told: list[Line]) -> list[str]:
    return [json.loads(line.text)[2] for line in told]


async def test_a_line_is_canonical_json_and_its_hash_covers_the_line_before(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        standing, told = await of(ledger).standing(), await lines(ledger)
    previous = bytes(32)
    for number, line in enumerate(told, 1):
        previous = hashlib.sha256(previous + line.text).digest()
        assert (line.number, line.hash) == (number, previous)
        value = json.loads(line.text)
        assert value[0] == number
        assert datetime.fromisoformat(value[1]).tzinfo is not None
        canonical = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        body = json.dumps(value[4], separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        assert line.text == canonical.encode()
        assert line.text.endswith(f",{body}]".encode())
    assert (standing.head, standing.lines) == (previous, len(told))
    assert kinds(told)[0] == "IncarnationBegun"


async def test_text_of_any_kind_has_one_line(path: Path) -> None:
    """What a MES answers may be anything: signs beyond 16 bits, controls, half of a pair of surrogates."""
    reason = 'ß 漢字 \U0001f4a1 "quoted" \\ \x00 \x7f \u2028 \ud800'
    async with stocked(path) as (ledger, secrets):
        journal = await begun(ledger, secrets)
        await recognised(journal, board=1)
        await journal.finish(Voided("mes.not_routed", {"reason": reason}))
        told = await lines(ledger)
        with reading(path) as reader:
            assert reader.verify() is None
    (body,) = [json.loads(line.text)[4] for line in told if b'"Voided"' in line.text]
    assert body["evidence"]["reason"] == reason


async def test_a_units_work_that_is_undone_leaves_no_line(path: Path) -> None:
    """Units of work share a transaction: the lines of those that go on follow one another."""
    async with stocked(path) as (ledger, secrets):
        journals = [await begun(ledger, secrets, slot=str(slot)) for slot in range(8)]

        async def one(board: int) -> None:
            if board % 2:
                with pytest.raises(ValueError, match="cannot follow"):
                    await journals[board].record(FactoryDataWritten())
            await recognised(journals[board], board)

        async with asyncio.TaskGroup() as group:
            for board in range(8):
                group.create_task(one(board))
        with reading(path) as reader:
            assert reader.verify() is None
        assert kinds(await lines(ledger)).count("IdentityTaken") == 8


async def test_a_standalone_ledger_has_no_chain_for_a_centre(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    await passed(await begun(ledger, secrets), board=1)
    for table in ("chain_attempt", "shared_state", "shared_told", "block", "pair", "adoption"):
        assert rows(path, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  of ours
    for table in ("chain", "chain_base"):
        assert rows(path, f"SELECT DISTINCT incarnation FROM {table}") == [(0,)]  # noqa: S608  of ours
    assert ledger.shared is None


async def test_a_reader_beside_the_daemon_sees_the_same_lines(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        told = await lines(ledger)
        with reading(path) as reader:
            assert reader.unsent(1, 0, 100_000) == told
            assert reader.unsent(1, 3, 2) == told[3:5]
            assert [reader.hash_at(1, number) for number in (0, 1, len(told), len(told) + 1)] == [
                bytes(32),
                told[0].hash,
                told[-1].hash,
                None,
            ]
            assert reader.standing() == await of(ledger).standing()


DAMAGE = {
    'UPDATE event SET body = \'{"step": "confirm"}\' WHERE id = 3': "it was changed",
    "UPDATE event SET at = '2026-01-01T00:00:00.000Z' WHERE id = 3": "it was changed",
    "UPDATE event SET attempt_id = 2 WHERE id = 3": "it was changed",
    "DELETE FROM event WHERE id = 3": "its event 3 is missing",
    "DELETE FROM chain WHERE event_id = 3": "it is missing",
    "UPDATE chain SET hash = zeroblob(32) WHERE event_id = 3": "it was changed",
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGE.items())
async def test_whatever_is_changed_is_found(path: Path, damage: str, reason: str) -> None:
    async with stocked(path) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        await begun(ledger, secrets)
    for table in ("event", "chain"):
        for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", table):
            execute(path, f"DROP TRIGGER {name}")
    ((number,),) = rows(path, "SELECT number FROM chain WHERE incarnation = 1 AND event_id = 3")
    execute(path, damage)
    with reading(path) as reader:
        broken = reader.verify()
    assert isinstance(broken, Broken)
    assert (broken.incarnation, broken.number) == (1, number)
    assert reason in broken.reason


async def test_a_line_is_never_edited(path: Path) -> None:
    async with stocked(path):
        pass
    with pytest.raises(Exception, match="a line of the chain is never edited"):
        execute(path, "UPDATE chain SET hash = zeroblob(32)")


async def test_a_changed_fact_is_found(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await recognised(await begun(ledger, secrets), board=1)
    execute(path, "DROP TRIGGER chain_no_update")
    execute(path, "UPDATE chain SET body = replace(body, 'SN000001', 'SN000002') WHERE type = 'IdentityTaken'")
    ((number,),) = rows(path, "SELECT number FROM chain WHERE type = 'IdentityTaken'")
    with reading(path) as reader:
        assert reader.verify() == Broken(1, int(str(number)), "it was changed, or a line before it")


async def test_old_lines_that_the_centre_has_are_removed_behind_a_base(path: Path) -> None:
    """Their events stay; the rest still verifies."""
    async with stocked(path) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        told = await lines(ledger)
        await of(ledger).acknowledged(20)
        assert await of(ledger).prune(keep_days=1) == 0  # none is a day old
        removed = await of(ledger).prune(keep_days=-1)
        assert 0 < removed <= 20
        assert await of(ledger).prune(keep_days=-1) == 0
        left = await lines(ledger)
        assert left == told[removed:]
        assert await of(ledger).hash_at(removed) == told[removed - 1].hash
        assert await of(ledger).hash_at(1) is None
        before = rows(path, "SELECT count(*) FROM event")
        await of(ledger).acknowledged(len(told))
        await of(ledger).prune(keep_days=-1)
        journal = await begun(ledger, secrets)
        await journal.finish(Failed("board.silent"))
        assert (await lines(ledger))[-1].number == len(told) + 4
        assert rows(path, "SELECT count(*) - 2 FROM event") == before
        with reading(path) as reader:
            assert reader.verify() is None


async def test_a_few_lines_are_removed_at_a_time(path: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=40)
    async with stocked(path) as (ledger, secrets):
        for board in range(3):
            await passed(await begun(ledger, secrets), board, f"{board:02X}")
        told = await lines(ledger)
        await of(ledger).acknowledged(head := len(told))
        removed = [
            await of(ledger)._custody.do(lambda it: chain.prune(it, 1, 30, later, most=10))  # noqa: SLF001  a smaller step
            for _ in range(head // 5)
        ]
        left = await lines(ledger)
    assert max(removed) < head // 3
    assert sum(removed) == head
    assert left == []


async def test_an_incarnation_goes_on_from_the_hash_of_the_one_before(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        first = await begun(ledger, secrets)
        before = await of(ledger).standing()
        await enrol(ledger, 4)
        after, told = await of(ledger).standing(), await lines(ledger)
        await first.finish(Voided("board.removed"))
        with reading(path) as reader:
            assert reader.unsent(1, before.lines, 10) == []
            assert reader.verify() is None
        ended = json.loads((await lines(ledger))[-1].text)
    assert (after.incarnation, after.lines, after.acked) == (4, 1, 0)
    assert told[0].hash == hashlib.sha256(before.head + told[0].text).digest()
    assert json.loads(told[0].text)[2:] == [
        "IncarnationBegun",
        None,
        {"incarnation": 4, "ledger": after.ledger, "version": json.loads(told[0].text)[4]["version"]},
    ]
    assert (ended[2], ended[4]["first"]) == ("AttemptEnded", 0)


async def test_an_enrolment_whose_answer_was_lost_is_asked_for_under_the_same_id(path: Path) -> None:
    async with enrolled(path) as ledger:
        first = await of(ledger).begin_enrolment("there")
        assert await of(ledger).begin_enrolment("there") == first
        assert (await of(ledger).begin_enrolment("a copy's place"))[0] != first[0]


async def test_a_signature_covers_the_newest_line(path: Path) -> None:
    async with enrolled(path) as ledger:
        before = await of(ledger).standing()
        await of(ledger).checkpoint(lambda number, head: b"%d %s" % (number, head.hex().encode()))
        told = json.loads((await lines(ledger))[-1].text)
    signature = f"{before.lines} {before.head.hex()}".encode().hex()
    assert told[4] == {"head": before.head.hex(), "signature": signature, "upto": before.lines}


async def test_the_lines_for_a_reader_are_found_by_their_key(path: Path) -> None:
    """A million lines cost no more than a few: SQLite looks none of them over that is not asked for."""
    async with enrolled(path):
        pass
    statements = (
        (chain._LINES, (1, 2, 3)),  # noqa: SLF001  the statements themselves
        (chain._PRESENT, ()),  # noqa: SLF001
        (chain._HASH, (1, 2)),  # noqa: SLF001
    )
    for statement, values in statements:
        plan = [str(row[3]) for row in rows(path, f"EXPLAIN QUERY PLAN {statement}", *values)]
        assert all(line.startswith(("SEARCH", "SCALAR SUBQUERY")) for line in plan), plan


def test_a_fact_has_the_keys_that_its_class_names() -> None:
    assert chain.body_of(BlockGivenBack("LOT-1", 3)) == {"lot": "LOT-1", "number": 3}
