# SPDX-License-Identifier: Apache-2.0
"""A shared ledger of many units costs a line no more than an empty one."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from station.adapters.ledger import Ledger
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import Failed
from station.domain.shared import Claim
from tests.builders.bench import LOT, RECIPE, begun, passed, rows, target
from tests.builders.sharing import Told, enrol, of, stock, stocked

# of the few: the row of the ledger itself, the open request's candidates, the pairs that are left, and one lot's blocks
ALLOWED = re.compile(
    r"SCAN (s|l|shared_state|ledger|attempt)\b|ix_pair_ours|ix_pair_open|ix_attempt_open|CONSTANT ROW|SCAN 1 "
)


@contextmanager
def traced() -> Iterator[list[str]]:
    """Every statement on the connections that are opened in the block, with its values."""
    found = list[str]()

    def watch(connection: DBAPIConnection, _record: object) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.set_trace_callback(found.append)

    event.listen(Engine, "connect", watch)
    try:
        yield found
    finally:
        event.remove(Engine, "connect", watch)


def walks(path: Path, statements: list[str]) -> list[str]:
    """The plans of the statements that look all rows of a table over, or sort; a temporary table has those of one transaction."""
    asked = {statement for statement in statements if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))}
    asked = {statement for statement in asked if " temp." not in statement}
    found = []
    for statement in asked:
        plan = [str(row[3]) for row in rows(path, f"EXPLAIN QUERY PLAN {statement}")]
        found += [
            f"{statement}\n{line}" for line in plan if re.match("SCAN|USE TEMP", line) and not ALLOWED.search(line)
        ]
    return found


async def test_no_statement_of_a_shared_ledger_looks_over_what_it_does_not_want(path: Path) -> None:
    centre = Told(Claim(target(0).uid, 1, None, was_ours=False))
    async with stocked(path, centre):
        pass
    with traced() as statements:
        async with stocked(path, centre) as (ledger, secrets):
            del statements[:]
            await work(ledger, secrets)
            told = list(statements)
    assert any("INSERT INTO chain" in statement for statement in told)
    assert walks(path, told) == []
    assert walks(
        path, ["SELECT * FROM event", "SELECT uid FROM identity WHERE NOT owned ORDER BY uid"]
    )  # it would be seen


async def work(ledger: Ledger, secrets: VerifierPool) -> None:
    """Everything that repeats while a line works."""
    journal = await begun(ledger, secrets)
    await journal.claim(target(1))
    await journal.finish(Failed("board.silent"))
    await passed(await begun(ledger, secrets), board=1)
    await ledger.issuance.submitted("c1" * 32, b"CSR", target(1).uid)
    await ledger.issuance.record_rejected("c1" * 32, "no")
    await of(ledger).leases(LOT.name, RECIPE.release)
    await stock(ledger, [1])
    standing = await of(ledger).standing()
    await of(ledger).unsent(standing.lines - 5, 100)
    await of(ledger).acknowledged(standing.lines)
    await of(ledger).hash_at(standing.lines)
    await of(ledger).prune(30)
    await of(ledger).prune(-1)


async def test_a_new_incarnation_of_a_large_ledger_asks_for_every_unit_again(path: Path) -> None:
    """Only then is a whole table gone over, since what this copy knows of any unit may be old."""
    async with stocked(path) as (ledger, secrets):
        await passed(await begun(ledger, secrets), board=1)
        await enrol(ledger, 2)
    assert rows(path, "SELECT owned FROM identity") == [(0,)]
