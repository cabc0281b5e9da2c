# SPDX-License-Identifier: Apache-2.0
"""Requests to the PKI and its answers in the ledger."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader, Orphan
from station.domain import target as board
from station.domain.credentials import Credentials
from station.faults.line import CredentialsInvalid
from station.faults.unit import KeyChanged, KeyShared
from tests.builders.bench import Secrets, begun, credentials, recognised, rows, target

UID, OTHER_UID = target(1).uid, target(2).uid


async def issued(ledger: Ledger, answer: Credentials, uid: board.UID = UID) -> None:
    await ledger.submitted(answer.key, b"CSR", uid)
    await ledger.record_issued(answer.key, answer)


async def test_what_was_issued_is_found_by_its_key(path: Path) -> None:
    """The next daemon finds it, too, so no key gets two certificates."""
    answer = credentials(0xAB)
    async with Ledger.open(path, station="line-1") as ledger:
        assert await ledger.issued(answer.key, UID) is None
        await issued(ledger, answer)
    async with Ledger.open(path, station="line-1") as ledger:
        assert await ledger.issued(answer.key, UID) == answer
        assert await ledger.issued("00" * 32, UID) is None


async def test_a_key_belongs_to_one_board(ledger: Ledger) -> None:
    """A second board with the same key is a copy, and gets no certificate."""
    answer = credentials(0xAB)
    await issued(ledger, answer)
    with pytest.raises(KeyShared):
        await ledger.issued(answer.key, OTHER_UID)


async def test_a_board_has_one_key(ledger: Ledger, path: Path) -> None:
    """If two boards show one UID at the same time, only one gets a certificate; the issued ones are listed."""
    first, second = credentials(1), credentials(2)
    for answer in (first, second):
        await ledger.submitted(answer.key, b"CSR", UID)
    await ledger.record_issued(first.key, first)
    with pytest.raises(KeyChanged):
        await ledger.record_issued(second.key, second)
    assert [orphan.key for orphan in LedgerReader(path).orphans()] == [second.key]


async def test_a_request_is_durable_before_it_leaves(ledger: Ledger, path: Path) -> None:
    """After a power cut the ledger has the request without an answer."""
    await ledger.submitted("aa" * 32, b"CSR", UID)
    assert rows(path, "SELECT key, uid, csr, outcome FROM pki_request") == [("aa" * 32, str(UID), b"CSR", None)]


async def test_unanswered_requests_are_counted_by_key(ledger: Ledger) -> None:
    """The relay warns if a further request may leave an orphan."""
    counts = [await ledger.submitted("aa" * 32, b"CSR", UID) for _ in range(3)]
    assert counts == [0, 1, 2]
    assert await ledger.submitted("bb" * 32, b"CSR", UID) == 0


async def test_a_rejected_request_is_no_orphan(ledger: Ledger, path: Path) -> None:
    """The PKI issued nothing for a rejected request."""
    await ledger.submitted("aa" * 32, b"CSR", UID)
    await ledger.record_rejected("aa" * 32, "unknown vendor")
    assert await ledger.submitted("aa" * 32, b"CSR", UID) == 0
    assert rows(path, "SELECT outcome, reason FROM pki_request ORDER BY id") == [
        ("rejected", "unknown vendor"),
        (None, None),
    ]


async def test_requests_whose_answer_was_lost_are_listed(ledger: Ledger, path: Path) -> None:
    """The list has the certificate that the key finally got, so that the others can be revoked."""
    answer = credentials(0xAB)
    await ledger.submitted(answer.key, b"CSR", UID)
    await issued(ledger, answer)
    await ledger.submitted("bb" * 32, b"CSR", UID)
    found = LedgerReader(path).orphans()
    assert [(orphan.key, orphan.uid, orphan.dac_serial_number) for orphan in found] == [
        (answer.key, str(UID), "AB"),
        ("bb" * 32, str(UID), None),
    ]
    assert all(isinstance(orphan, Orphan) for orphan in found)


async def test_a_key_has_one_certificate(ledger: Ledger, path: Path) -> None:
    """A second answer for the same key does not replace the first."""
    key = ec.generate_private_key(ec.SECP256R1())
    await issued(ledger, credentials(1, key))
    with pytest.raises(Exception, match=r"UNIQUE constraint failed: certificate\.key"):
        await issued(ledger, credentials(2, key))
    assert rows(path, "SELECT dac_serial_number FROM certificate") == [("01",)]


async def test_a_serial_number_that_comes_twice_is_refused(ledger: Ledger, path: Path) -> None:
    """A PKI that repeats a serial number pauses the line, and its answer has no effect."""
    await issued(ledger, credentials(1))
    with pytest.raises(CredentialsInvalid, match="serial number 01 was issued before"):
        await issued(ledger, credentials(1), OTHER_UID)
    assert rows(path, "SELECT count(*) FROM certificate") == [(1,)]


async def test_an_answer_without_a_request_is_our_bug(ledger: Ledger) -> None:
    """The ledger records every request before it is sent."""
    with pytest.raises(ValueError, match="without a request"):
        await ledger.record_issued("aa" * 32, credentials(1))
    with pytest.raises(ValueError, match="without a request"):
        await ledger.record_rejected("aa" * 32, "no")


async def test_a_units_story_has_its_certificate(ledger: Ledger, path: Path) -> None:
    """The certificate belongs to the board that asked for it."""
    identity = await recognised(await begun(ledger, Secrets()), board=1)
    answer = credentials(0xAB)
    await issued(ledger, answer)
    story = LedgerReader(path).unit(identity.serial_number)
    assert story is not None
    assert [(each.key, each.dac_serial_number, each.dac) for each in story.certificates] == [
        (answer.key, "AB", answer.dac)
    ]
