# SPDX-License-Identifier: Apache-2.0
"""The audit is silent over whole journals, and names station, incarnation and line of whatever was changed."""

import zlib
from datetime import UTC, date, datetime

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from station.adapters.centre import partitions
from station.adapters.centre.audit import audit
from station.domain.facts import Checkpoint
from station.domain.shared import checkpoint_text
from tests.builders.centres import Teller

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
async def _journals(line: Teller, other: Teller) -> None:
    """line-1 has two incarnations, line-2 one; each with several segments, failures and voids."""
    for each in (line, other):
        await each.grant()
        for number in (1, 2):
            each.finish(each.chance.uid(), number)
            each.end(each.chance.uid(), "fail", "flash.mismatch")
            each.end(None, "void", "board.removed")
            each.end(each.chance.uid(), laboratory=True)
            each.journal.write("IdentityAdvanced", "nothing that can be read")
            await each.push()
    await line.enrol()
    line.end(None, "void", "board.removed")
    await line.push()


def findings(boss: psycopg.Connection) -> list[str]:
    return list(audit(boss))


def change(boss: psycopg.Connection, old: bytes, new: bytes, station: int = 2) -> None:
    """Changes the content of a segment in the middle of the station's first journal."""
    (body, first) = boss.execute(
        "SELECT body, first_line FROM segment WHERE station = %s AND first_line > 1", [station]
    ).fetchone() or (b"", 0)
    text = zlib.decompress(body)
    assert old in text
    boss.execute(
        "UPDATE segment SET body = %s WHERE station = %s AND first_line = %s",
        [zlib.compress(text.replace(old, new, 1)), station, first],
    )


def test_whole_journals_have_no_difference(boss: psycopg.Connection) -> None:
    heard = list[tuple[str, int, int]]()
    assert list(audit(boss, lambda *found: heard.append(found))) == []
    assert [name for name, *_ in heard] == ["line-1", "line-1", "line-1", "line-2", "line-2"]
    assert heard[1][1] == heard[1][2]


def test_one_changed_byte_is_found(boss: psycopg.Connection) -> None:
    change(boss, b'"seconds":16.8', b'"seconds":16.9')
    (found,) = findings(boss)
    assert found.startswith("line-2, incarnation 1, lines 17 to 32: their content was changed")


def test_a_segment_that_was_broken_is_found(boss: psycopg.Connection) -> None:
    boss.execute("UPDATE segment SET body = set_byte(body, 20, 255 - get_byte(body, 20)) WHERE station = 2")
    (found,) = findings(boss)
    assert found.startswith("line-2, incarnation 1, lines 1 to 16:")


def test_a_missing_segment_is_found(boss: psycopg.Connection) -> None:
    boss.execute("DELETE FROM segment WHERE station = 1 AND incarnation = 1 AND first_line = 1")
    (found, *_) = findings(boss)
    assert found == "line-1, incarnation 1, lines 1 to 16: missing"


def test_a_missing_end_is_found(boss: psycopg.Connection) -> None:
    boss.execute("DELETE FROM segment WHERE station = 2 AND first_line > 1")
    (found, *_) = findings(boss)
    assert found.startswith("line-2, incarnation 1, line 17: the kept lines end before it")


def test_a_segment_that_is_kept_twice_is_found(boss: psycopg.Connection) -> None:
    boss.execute(
        "INSERT INTO segment SELECT station, incarnation, first_line, last_line, previous, head, body, now() FROM segment"
        " WHERE station = 2 AND first_line = 1"
    )
    (found, *_) = findings(boss)
    assert found == "line-2, incarnation 1, lines 1 to 16: kept twice"


def test_another_head_is_found(boss: psycopg.Connection) -> None:
    boss.execute("UPDATE incarnation SET head = %s WHERE station = 1 AND number = 2", [bytes(32)])
    (found,) = findings(boss)
    assert found.startswith("line-1, incarnation 2, line 3:")


def test_a_removed_attempt_is_found_by_its_line(boss: psycopg.Connection) -> None:
    boss.execute("DELETE FROM attempt WHERE station = 2 AND number = 2")
    (found,) = findings(boss)
    assert found == "line-2, incarnation 1, line 11: an ended attempt, of which no row is there"


def test_an_added_attempt_is_found_by_its_line(boss: psycopg.Connection) -> None:
    boss.execute(
        "INSERT INTO attempt SELECT station, incarnation, 99, uid, slot, verdict, fault, started_at, seconds, lot, release,"
        " laboratory, first_line, 12 FROM attempt WHERE station = 2 AND number = 2"
    )
    (found,) = findings(boss)
    assert found.startswith("line-2, incarnation 1, line 12: an ended attempt, of which a row is there")


def test_another_count_of_the_yield_is_found(boss: psycopg.Connection) -> None:
    boss.execute("UPDATE yield SET attempts = attempts + 1 WHERE station = 2 AND verdict = 'pass'")
    boss.execute("DELETE FROM yield WHERE station = 1 AND verdict = 'fail'")
    told, removed = findings(boss)
    assert told.endswith("its journals tell of 2 attempts with pass, and the yield counts 3")
    assert removed.startswith("line-1, slot 1, lot L1, hour 2026-11-23 08:00Z")
    assert removed.endswith("tell of 2 attempts with fail flash.mismatch, and the yield counts 0")


async def test_a_checkpoint_of_another_chain_is_found(boss: psycopg.Connection, line: Teller) -> None:
    line.journal.tell(Checkpoint(2, bytes(32), b""))
    await line.push()
    (found,) = findings(boss)
    assert found == "line-1, incarnation 2, line 2: the station's checkpoint has another hash"


async def test_the_signature_of_a_checkpoint_is_verified(boss: psycopg.Connection, line: Teller) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    boss.execute("UPDATE station SET public_key = %s WHERE id = 1", [public])
    head = line.journal.head
    line.journal.tell(Checkpoint(2, head, key.sign(checkpoint_text(line.station, line.incarnation, 2, head))))
    await line.push()
    assert findings(boss) == []
    boss.execute("UPDATE checkpoint SET signature = set_byte(signature, 0, 255 - get_byte(signature, 0))")
    (found,) = findings(boss)
    assert found == "line-1, incarnation 2, line 2: the signature of the station's checkpoint is wrong"


async def test_detached_months_are_left_out(boss: psycopg.Connection, line: Teller) -> None:
    """Segments of the month in which they came go with it; the rest of the journal is followed from there."""
    boss.execute("UPDATE segment SET received_at = '2026-11-25Z' WHERE first_line = 1")
    boss.execute("UPDATE segment SET received_at = '2026-12-02Z' WHERE first_line > 1")
    partitions.made(boss, 1, date(2026, 11, 1))
    assert partitions.detach(boss, date(2026, 12, 1)) == ["attempt_2026_11", "segment_2026_11"]
    line.journal.at = datetime(2026, 12, 2, tzinfo=UTC)
    line.end(None)
    await line.push()
    assert findings(boss) == []
    boss.execute("UPDATE yield SET attempts = 2 WHERE hour > '2026-12-01Z'")
    assert len(findings(boss)) == 1
    change(boss, b'"seconds":16.8', b'"seconds":16.9')
    assert len(findings(boss)) == 2
