# SPDX-License-Identifier: Apache-2.0
"""Requests to the PKI and its answers in the ledger."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.ledger import Ledger, orphans
from station.adapters.ledger.orphans import News, Told
from station.adapters.ledger.reader import LedgerReader
from station.cli.ledger import pki
from station.domain import target as board
from station.domain.credentials import Credentials
from station.domain.intervention import Decision, DecisionRefused
from station.domain.issuance import Asked, Listed, OrphanKind, Reconciled
from station.faults.line import CredentialsInvalid
from station.faults.slot import PKIAnswerLost
from station.faults.unit import KeyChanged, KeyShared
from station.interfaces import RefusedAnswer
from tests.builders.bench import Secrets, begun, credentials, recognised, rows, target

UID, OTHER_UID = target(1).uid, target(2).uid


async def issued(ledger: Ledger, answer: Credentials, uid: board.UID = UID) -> None:
    await ledger.issuance.submitted(answer.key, b"CSR", uid)
    await ledger.issuance.record_issued(answer.key, answer)


async def test_what_was_issued_is_found_by_its_key(path: Path) -> None:
    """The next daemon finds it, too, so no key gets two certificates."""
    answer = credentials(0xAB)
    async with Ledger.open(path, station="line-1") as ledger:
        assert (await ledger.issuance.of_key(answer.key, UID)).credentials is None
        await issued(ledger, answer)
    async with Ledger.open(path, station="line-1") as ledger:
        assert (await ledger.issuance.of_key(answer.key, UID)).credentials == answer
        assert (await ledger.issuance.of_key("00" * 32, UID)).credentials is None


async def test_what_came_besides_in_an_answer_is_an_orphan(ledger: Ledger, path: Path) -> None:
    """Also if it comes again; and the list to be revoked has its serial number."""
    answer, foreign = credentials(0xAB), credentials(0xCD)
    await ledger.issuance.submitted(answer.key, b"CSR", UID)
    await ledger.issuance.record_issued(answer.key, answer, [foreign.dac, answer.dac, foreign.dac])
    (orphan,) = orphans.listed(path)
    assert (orphan.kind, orphan.uid, orphan.serial_number) == (OrphanKind.SURPLUS, str(UID), foreign.dac_serial_number)
    assert orphan.live_serial_number == answer.dac_serial_number
    assert orphan.reason == "it came in the answer to another key's request"
    assert (await ledger.issuance.of_key(answer.key, UID)).credentials == answer


async def test_a_key_belongs_to_one_board(ledger: Ledger) -> None:
    """A second board with the same key is a copy, and gets no certificate."""
    answer = credentials(0xAB)
    await issued(ledger, answer)
    with pytest.raises(KeyShared):
        await ledger.issuance.of_key(answer.key, OTHER_UID)


async def test_a_board_has_one_key(ledger: Ledger, path: Path) -> None:
    """If two boards show one UID at the same time, only one gets a certificate; the issued ones are listed."""
    first, second = credentials(1), credentials(2)
    for answer in (first, second):
        await ledger.issuance.submitted(answer.key, b"CSR", UID)
    await ledger.issuance.record_issued(first.key, first)
    with pytest.raises(KeyChanged):
        await ledger.issuance.record_issued(second.key, second)
    assert [orphan.key for orphan in orphans.listed(path)] == [second.key]


async def test_a_request_is_durable_before_it_leaves(ledger: Ledger, path: Path) -> None:
    """After a power cut the ledger has the request without an answer."""
    await ledger.issuance.submitted("aa" * 32, b"CSR", UID)
    assert rows(path, "SELECT key, uid, csr, outcome FROM pki_request") == [("aa" * 32, str(UID), b"CSR", None)]


async def test_unanswered_requests_are_counted_by_key(ledger: Ledger) -> None:
    """The relay warns if a further request may leave an orphan; a third one is not recorded, and so not made."""
    assert [await ledger.issuance.submitted("aa" * 32, b"CSR", UID) for _ in range(2)] == [0, 1]
    with pytest.raises(PKIAnswerLost):
        await ledger.issuance.submitted("aa" * 32, b"CSR", UID)
    assert await ledger.issuance.submitted("bb" * 32, b"CSR", UID) == 0
    assert (await ledger.issuance.asked(UID)).exhausted
    assert not (await ledger.issuance.asked(OTHER_UID)).exhausted


async def test_what_the_pki_owes_a_board_is_read_with_its_past(ledger: Ledger, secrets: Secrets) -> None:
    """Once: whoever asks again gets what is true then."""
    await ledger.issuance.submitted("aa", b"CSR", UID)
    journal = await begun(ledger, secrets)
    await recognised(journal, 1)
    await journal.past_of(UID)
    commits = ledger.commits
    assert await ledger.issuance.asked(UID) == Asked(1)
    assert ledger.commits == commits
    assert await ledger.issuance.asked(UID) == Asked(1)
    assert ledger.commits == commits + 1


@pytest.mark.parametrize("when", ["after the past", "beside it"])
async def test_what_happens_at_the_pki_after_the_past_was_read_counts(
    ledger: Ledger, secrets: Secrets, when: str
) -> None:
    """Another request, and a person's word: queued behind the past while that is read, or later."""

    async def asked_again() -> None:
        await ledger.issuance.submitted("aa", b"CSR", UID)

    async def excused() -> None:
        await ledger.issuance.excuse(UID, Decision("ana", "looked"))

    journal = await begun(ledger, secrets)
    await recognised(journal, 1)
    for happens, then in ((asked_again, Asked(1)), (excused, Asked())):
        if when == "beside it":
            await asyncio.gather(journal.past_of(UID), happens())
        else:
            await journal.past_of(UID)
            await happens()
        assert await ledger.issuance.asked(UID) == then


async def test_a_lost_answer_stays_lost_when_a_person_allows_another_request(ledger: Ledger) -> None:
    """The PKI's own list is looked into before that request, too; a pending or answered one is not lost."""
    key, decision = "aa" * 32, Decision("anna", "the PKI is well again")
    assert not await ledger.issuance.is_unanswered(key)
    await ledger.issuance.submitted(key, b"CSR", UID)
    await ledger.issuance.excuse(UID, decision)
    assert await ledger.issuance.is_unanswered(key)
    assert not await ledger.issuance.is_unanswered("bb" * 32)
    await ledger.issuance.record_pending(key, datetime.now(UTC) + timedelta(hours=1))
    assert not await ledger.issuance.is_unanswered(key)
    await ledger.issuance.submitted(key, b"CSR", UID)
    await ledger.issuance.record_rejected(key, "busy")
    assert not await ledger.issuance.is_unanswered(key)


async def test_a_rejected_request_is_no_orphan(ledger: Ledger, path: Path) -> None:
    """The PKI issued nothing for a rejected request."""
    await ledger.issuance.submitted("aa" * 32, b"CSR", UID)
    await ledger.issuance.record_rejected("aa" * 32, "unknown vendor")
    assert await ledger.issuance.submitted("aa" * 32, b"CSR", UID) == 0
    assert rows(path, "SELECT outcome, reason FROM pki_request ORDER BY id") == [
        ("rejected", "unknown vendor"),
        (None, None),
    ]


async def test_requests_whose_answer_was_lost_are_listed(ledger: Ledger, path: Path) -> None:
    """The list has the certificate that the key finally got, so that the others can be revoked."""
    answer = credentials(0xAB)
    await ledger.issuance.submitted(answer.key, b"CSR", UID)
    await issued(ledger, answer)
    await ledger.issuance.submitted("bb" * 32, b"CSR", UID)
    assert [(orphan.id, orphan.key, orphan.uid, orphan.live_serial_number) for orphan in orphans.listed(path)] == [
        ("R1", answer.key, str(UID), "AB"),
        ("R3", "bb" * 32, str(UID), None),
    ]
    assert not (await ledger.issuance.asked(OTHER_UID)).unanswered
    assert (await ledger.issuance.asked(UID)).unanswered == 1  # the certified key's request counts no more


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
        await ledger.issuance.record_issued("aa" * 32, credentials(1))
    with pytest.raises(ValueError, match="without a request"):
        await ledger.issuance.record_rejected("aa" * 32, "no")


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


# --- answers that were refused, pending requests, times to wait -----------------------------------------------------------


async def test_a_refused_answer_is_kept_and_its_key_may_be_asked_for_again(ledger: Ledger, path: Path) -> None:
    """Its certificate is listed with its serial number, beside the one that became live later."""
    key = ec.generate_private_key(ec.SECP256R1())
    bad, good = credentials(1, key), credentials(2, key)
    await ledger.issuance.submitted(bad.key, b"CSR", UID)
    await ledger.issuance.record_refused(
        bad.key, RefusedAnswer("expired", b"whole answer", (bad.dac, b"no certificate"))
    )
    assert rows(path, "SELECT content FROM pki_answer") == [(b"whole answer",)]
    assert (await ledger.issuance.of_key(bad.key, UID)).credentials is None
    assert await ledger.issuance.asked(UID) == Asked()
    await issued(ledger, good)
    assert [(each.id, each.kind, each.serial_number, each.live_serial_number) for each in orphans.listed(path)] == [
        ("C1", OrphanKind.REFUSED, "01", "02"),
        ("C2", OrphanKind.REFUSED, None, "02"),
    ]


async def test_a_units_serial_number_is_never_given_out_for_revocation(
    ledger: Ledger, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A PKI that repeats a number has made two certificates with it, and revoking the refused one would revoke the unit's."""
    unit, twin, other = credentials(0xAB), credentials(0xAB), credentials(0xCD)
    await issued(ledger, unit)
    for refused in (twin, other):
        await ledger.issuance.submitted(refused.key, b"CSR", OTHER_UID)
        await ledger.issuance.record_refused(refused.key, RefusedAnswer("refused", b"", (refused.dac,)))
    assert [(each.serial_number, each.also_live) for each in orphans.listed(path)] == [("AB", True), ("CD", False)]
    pki.export_revocations(ledger=path)
    told = capsys.readouterr()
    assert [line.split(",")[0] for line in told.out.splitlines()] == ["serial_number", "CD"]
    assert "1 are left out" in told.err


async def test_a_certificate_for_another_key_is_not_given_out_for_revocation_by_itself(
    ledger: Ledger, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A PKI that answers for many at once sends those of other lines along, or mixes answers up: revoking them would revoke units.

    A second certificate for a key of this line is nobody else's, whatever answer brought it.
    """
    unit, besides, instead = credentials(0xAB), credentials(0xCD), credentials(0xEF)
    own_key = ec.generate_private_key(ec.SECP256R1())
    own, again = credentials(0x12, own_key), credentials(0x13, own_key)
    await issued(ledger, own, OTHER_UID)
    await ledger.issuance.submitted(unit.key, b"CSR", UID)
    await ledger.issuance.record_refused(unit.key, RefusedAnswer("for another key", b"", (instead.dac,)))
    await ledger.issuance.submitted(unit.key, b"CSR", UID)
    await ledger.issuance.record_issued(unit.key, unit, [besides.dac, again.dac])
    pki.export_revocations(ledger=path)
    told = capsys.readouterr()
    assert [line.split(",")[0] for line in told.out.splitlines()] == ["serial_number", "13"]
    assert "2 for other keys are left out" in told.err


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()], ids=["RSA", "Ed25519"]
)
async def test_a_certificate_for_a_key_of_another_kind_is_nobodys_here(
    ledger: Ledger, path: Path, capsys: pytest.CaptureFixture[str], key: RSAPrivateKey | Ed25519PrivateKey
) -> None:
    """The station asks for certificates of keys on one curve."""
    unit, maker = credentials(0xAB), ec.generate_private_key(ec.SECP256R1())
    whole = x509.load_der_x509_certificate(unit.dac)
    times = whole.not_valid_before_utc, whole.not_valid_after_utc
    made = x509.CertificateBuilder(whole.issuer, whole.subject, key.public_key(), 0xCD, *times).sign(maker, SHA256())
    await ledger.issuance.submitted(unit.key, b"CSR", UID)
    await ledger.issuance.record_issued(unit.key, unit, [made.public_bytes(Encoding.DER)])
    pki.export_revocations(ledger=path)
    told = capsys.readouterr()
    assert told.out.splitlines() == ["serial_number,key_sha256,kind,uid,since,reason"]
    assert "1 for other keys are left out" in told.err


async def test_a_pending_request_is_no_orphan_and_one_request(ledger: Ledger, path: Path) -> None:
    """Asked about again it counts as unanswered until its answer comes, since the PKI may have decided."""
    due = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    answer = credentials(1)
    await ledger.issuance.submitted(answer.key, b"CSR", UID)
    await ledger.issuance.record_pending(answer.key, due)
    assert orphans.listed(path) == ()
    assert await ledger.issuance.asked(UID) == Asked(0, due)
    assert await ledger.issuance.submitted(answer.key, b"CSR", UID) == 0
    assert await ledger.issuance.asked(UID) == Asked(1, None)
    await ledger.issuance.record_issued(answer.key, answer)
    assert rows(path, "SELECT outcome, due_at FROM pki_request") == [("issued", None)]


async def test_an_endpoints_wait_is_kept(ledger: Ledger) -> None:
    """The latest one holds."""
    assert await ledger.issuance.waiting_until("https://pki") is None
    for year in (2031, 2030):
        await ledger.issuance.record_wait("https://pki", datetime(year, 1, 1, tzinfo=UTC))
    assert await ledger.issuance.waiting_until("https://pki") == datetime(2030, 1, 1, tzinfo=UTC)


# --- decisions of people ----------------------------------------------------------------------------------------------------

WHY = Decision("anna", "the PKI's disk was full")


async def test_a_person_allows_another_request(ledger: Ledger, path: Path) -> None:
    """The unanswered ones stay orphans; the ledger keeps who and why."""
    for _ in range(2):
        await ledger.issuance.submitted("aa" * 32, b"CSR", UID)
    assert await ledger.issuance.excuse(UID, WHY) == 2
    assert await ledger.issuance.asked(UID) == Asked()
    assert await ledger.issuance.submitted("aa" * 32, b"CSR", UID) == 0
    assert len(orphans.listed(path)) == 3
    assert rows(path, "SELECT account, action, subject, reason FROM pki_decision") == [
        ("anna", "again", str(UID), WHY.reason)
    ]
    with pytest.raises(DecisionRefused, match="no request"):
        await ledger.issuance.excuse(OTHER_UID, WHY)


async def test_a_person_has_a_pending_request_asked_about_now(ledger: Ledger, path: Path) -> None:
    """It is no orphan, and stays the same request."""
    await ledger.issuance.submitted("aa" * 32, b"CSR", UID)
    await ledger.issuance.record_pending("aa" * 32, datetime(2099, 1, 1, tzinfo=UTC))
    assert await ledger.issuance.excuse(UID, WHY) == 0
    asked = await ledger.issuance.asked(UID)
    assert asked.until is not None
    assert asked.until <= datetime.now(UTC)
    with pytest.raises(DecisionRefused, match="no request"):
        await ledger.issuance.excuse(UID, WHY)
    assert await ledger.issuance.submitted("aa" * 32, b"CSR", UID) == 0
    assert len(orphans.listed(path)) == 1


async def test_a_person_closes_an_orphan(ledger: Ledger, path: Path) -> None:
    answer = credentials(1)
    await ledger.issuance.submitted(answer.key, b"CSR", UID)
    await ledger.issuance.record_refused(answer.key, RefusedAnswer("expired", b"", (answer.dac,)))
    await ledger.issuance.submitted("aa" * 32, b"CSR", UID)
    for name in ("R2", "c1"):
        await ledger.issuance.close_orphan(name, WHY)
    assert orphans.listed(path) == ()
    for name in ("R2", "C9", "R1", "X1", ""):
        with pytest.raises(DecisionRefused):
            await ledger.issuance.close_orphan(name, WHY)


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "x" * 501])
async def test_a_reason_is_one_line(ledger: Ledger, reason: str) -> None:
    await ledger.issuance.submitted("aa" * 32, b"CSR", UID)
    with pytest.raises(DecisionRefused, match="one line"):
        await ledger.issuance.excuse(UID, Decision("anna", reason))


async def test_the_pkis_list_tells_what_lost_answers_have_bought(ledger: Ledger, path: Path) -> None:
    """A request makes way for the certificate that it bought, or is known to have bought nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    live = credentials(0xAB, key)
    await ledger.issuance.submitted(live.key, b"CSR", UID)
    await issued(ledger, live)
    await ledger.issuance.submitted("bb" * 32, b"CSR", OTHER_UID)
    listed = [Listed(0xAB, live.key), Listed(0xCD, live.key), Listed(1, "ff" * 32)]
    news = orphans.news(path, listed, datetime.now(UTC))
    assert news == News((Listed(0xAB, live.key), Listed(0xCD, live.key)), 1, 0, (), ours=True)
    result = await ledger.issuance.reconcile(Told(news.listed, datetime.now(UTC)), WHY)
    assert (len(result.surplus), len(result.nothing_issued), result.not_listed) == (1, 1, ())
    assert [(each.kind, each.serial_number, each.live_serial_number) for each in orphans.listed(path)] == [
        (OrphanKind.SURPLUS, "CD", "AB")
    ]
    assert orphans.news(path, listed, datetime.now(UTC)) == news
    assert await ledger.issuance.reconcile(Told(news.listed, datetime.now(UTC)), WHY) == Reconciled()
    assert len(orphans.listed(path)) == 1


@pytest.mark.parametrize("serial_numbers", [[], [0x99], [2]], ids=["empty", "another PKI's", "cut off"])
async def test_a_list_that_lacks_a_units_certificate_proves_nothing(
    ledger: Ledger, path: Path, serial_numbers: list[int]
) -> None:
    """A lost certificate must not vanish from the orphans because somebody compared with the wrong file."""
    live = [credentials(1), credentials(2)]
    for number, answer in enumerate(live, 1):
        await issued(ledger, answer, target(number).uid)
    await ledger.issuance.submitted("bb" * 32, b"CSR", target(3).uid)
    keys = {2: live[1].key}
    listed = [Listed(serial_number, keys.get(serial_number, "ff" * 32)) for serial_number in serial_numbers]
    news = orphans.news(path, listed, datetime.now(UTC))
    result = await ledger.issuance.reconcile(Told(news.listed, datetime.now(UTC), news.first_missing, news.ours), WHY)
    assert result.unproven == (3,)
    assert (news.missing, result.nothing_issued) == (2 - len(keys.keys() & set(serial_numbers)), ())
    assert set(result.not_listed) <= {answer.key for answer in live}
    assert [orphan.kind for orphan in orphans.listed(path)] == [OrphanKind.UNKNOWN]


async def test_a_certificate_that_is_newer_than_the_list_is_not_missing(ledger: Ledger, path: Path) -> None:
    await ledger.issuance.submitted("bb" * 32, b"CSR", OTHER_UID)
    made = datetime.now(UTC)
    await issued(ledger, credentials(1))
    news = orphans.news(path, [], made)
    assert news == News((), 0, 0, (), ours=False)
    result = await ledger.issuance.reconcile(Told((), made), WHY)
    assert (result.not_listed, len(result.nothing_issued)) == ((), 1)


async def test_a_list_without_a_key_of_the_ledger_proves_nothing(ledger: Ledger, path: Path) -> None:
    """An empty one, or another PKI's: it does not let a board whose answers were lost ask again."""
    for _ in range(2):
        await ledger.issuance.submitted("bb" * 32, b"CSR", UID)
    news = orphans.news(path, [Listed(1, "ff" * 32)], datetime.now(UTC))
    result = await ledger.issuance.reconcile(Told(news.listed, datetime.now(UTC), ours=news.ours), WHY)
    assert result == Reconciled(unproven=(1, 2))
    assert (await ledger.issuance.asked(UID)).exhausted
    assert len(orphans.listed(path)) == 2


async def test_a_surplus_certificate_without_a_request_has_its_board(ledger: Ledger, path: Path) -> None:
    live = credentials(1)
    await issued(ledger, live)
    await ledger.issuance.reconcile(Told([Listed(1, live.key), Listed(2, live.key)], datetime.now(UTC)), WHY)
    assert [orphan.uid for orphan in orphans.listed(path)] == [str(UID)]


async def test_a_list_is_not_asked_for_what_another_pki_has_issued(ledger: Ledger, path: Path) -> None:
    """A line that has changed its PKI compares with the list of the one or of the other."""
    old, new = credentials(1), credentials(2)
    new = Credentials(new.dac, b"another PAI")
    await issued(ledger, old)
    await issued(ledger, new, OTHER_UID)
    for serial_number, answer in ((1, old), (2, new)):
        assert orphans.news(path, [Listed(serial_number, answer.key)], datetime.now(UTC)).missing == 0
    assert orphans.news(path, [], datetime.now(UTC)).first_missing == (new.key,)


async def test_a_list_tells_nothing_of_a_request_that_is_at_the_pki(ledger: Ledger, path: Path) -> None:
    """Its certificate may be in the list already, and become the unit's a moment later."""
    answer = credentials(1)
    await ledger.issuance.submitted(answer.key, b"CSR", UID)
    for listed in ([Listed(1, answer.key)], []):
        told = Told(listed, datetime.now(UTC), in_flight={answer.key})
        assert await ledger.issuance.reconcile(told, WHY) == Reconciled(too_new=(1,))
    await ledger.issuance.record_issued(answer.key, answer)
    assert orphans.listed(path) == ()


async def test_a_certificate_that_the_ledger_has_answers_no_other_request(ledger: Ledger, path: Path) -> None:
    """The PKI's list still has the one that was refused before, and the lost answer may have brought another."""
    key = ec.generate_private_key(ec.SECP256R1())
    refused, lost = credentials(1, key), credentials(2, key)
    await ledger.issuance.submitted(refused.key, b"CSR", UID)
    await ledger.issuance.record_refused(refused.key, RefusedAnswer("expired", b"", (refused.dac,)))
    await ledger.issuance.submitted(refused.key, b"CSR", UID)
    assert await ledger.issuance.record_surplus(refused.key, [refused.dac]) == 0
    assert await ledger.issuance.is_unanswered(refused.key)
    assert await ledger.issuance.record_surplus(refused.key, [refused.dac, lost.dac]) == 1
    assert [orphan.serial_number for orphan in orphans.listed(path)] == ["01", "02"]
