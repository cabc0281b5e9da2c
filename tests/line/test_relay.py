# SPDX-License-Identifier: Apache-2.0
"""The relay to the PKI: its journal entries, the requests that it repeats, and those that it never repeats."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from development_pki.attestation import make_pai
from development_pki.authority import issued_by, opened
from development_pki.faults import Faults
from development_pki.server import ESTServer, serving, tls_context
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.relay import Relay
from station.adapters.pki.waits import Limits
from station.domain.credentials import csr_key
from station.faults import Fault
from station.faults.line import (
    LedgerUnavailable,
    PKIAnswerInvalid,
    PKIAuthorityWrong,
    PKIRefusedStation,
    PKIUnavailable,
    PKIUntrusted,
    ResourcesExhausted,
)
from station.faults.slot import PKIAnswerLost, PKIPending
from station.faults.unit import CSRRejected, KeyShared
from tests.line.pki_bench import client
from tests.line.relay_bench import (
    LOST,
    NOTHING,
    PAA,
    PENDING,
    PINNED,
    PKI,
    PRODUCT,
    PROMPT,
    UID_1,
    UID_2,
    URL,
    Journal,
    accept,
    between,
    board,
    new_csr,
    relay,
)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def csr() -> bytes:
    return new_csr()


async def test_the_request_is_written_down_before_it_leaves(journal: Journal, csr: bytes) -> None:
    """The order is journal entry, PKI, certificate; the board gets the pinned PAI with it."""
    async with relay(journal) as authority:
        credentials = await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", "asked", "issued"]
    assert credentials.key == csr_key(csr)
    assert credentials.pai == PINNED
    assert journal.known[csr_key(csr)] == credentials


async def test_a_wait_for_the_journal_takes_nothing_from_the_pkis_time(journal: Journal, csr: bytes) -> None:
    """The request leaves when it is durable, however long that takes, and does not count as lost."""
    journal.writable.clear()
    async with relay(journal, limits=Limits(answer_within=2.0)) as authority, asyncio.TaskGroup() as group:
        issuing = group.create_task(authority.issue_dac(csr, UID_1))
        await asyncio.sleep(2.5)  # more than the PKI's deadline
        assert not issuing.done()
        journal.writable.set()
    assert journal.lines == ["submitted", "asked", "issued"]
    assert journal.unanswered == {csr_key(csr): 0}


async def test_who_gets_no_turn_for_a_journal_in_trouble_is_told_of_that(journal: Journal, csr: bytes) -> None:
    """The caller gets the ledger's fault, since the PKI is not to blame."""
    journal.writable.clear()
    journal.trouble = LedgerUnavailable("database is locked")
    async with relay(journal, limits=Limits(answer_within=2.0, at_once=1)) as authority, asyncio.TaskGroup() as group:
        group.create_task(authority.issue_dac(csr, UID_1))
        await asyncio.sleep(0)
        with pytest.raises(LedgerUnavailable, match="locked"):
            await authority.issue_dac(new_csr(), UID_2)
        journal.writable.set()


async def test_a_station_without_descriptors_has_asked_nothing(journal: Journal, csr: bytes) -> None:
    """There was no connection, so the request does not count as lost, and the fault has the reason."""
    none_left = ResourcesExhausted("connect", "Too many open files")
    async with relay(journal, none_left) as authority:
        with pytest.raises(ResourcesExhausted):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", "asked", "rejected"]


async def test_a_key_that_has_a_dac_gets_that_dac(journal: Journal, csr: bytes) -> None:
    """The relay asks the PKI once per key; a later relay with the same journal does not ask again."""
    async with relay(journal) as authority:
        first = await authority.issue_dac(csr, UID_1)
    async with relay(journal) as authority:
        again = await authority.issue_dac(csr, UID_1)
    assert again == first
    assert journal.lines.count("asked") == 1


async def test_another_request_for_the_same_key_is_the_same_key(journal: Journal) -> None:
    """Signatures are random, so a repeated request has other bytes: the relay compares keys."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    requests = [
        x509.CertificateSigningRequestBuilder(x509.Name([]))
        .sign(private_key, hashes.SHA256())
        .public_bytes(Encoding.DER)
        for _ in range(2)
    ]
    async with relay(journal) as authority:
        answers = [await authority.issue_dac(each, UID_1) for each in requests]
    assert requests[0] != requests[1]
    assert answers[0] == answers[1]
    assert journal.lines.count("asked") == 1


async def test_two_at_once_share_one_request(journal: Journal, csr: bytes) -> None:
    """A second request for a key waits for the answer to the first."""
    async with relay(journal) as authority, asyncio.TaskGroup() as group:
        tasks = [group.create_task(authority.issue_dac(csr, UID_1)) for _ in range(3)]
    assert len({task.result() for task in tasks}) == 1
    assert journal.lines == ["submitted", "asked", "issued"]


async def test_two_boards_with_one_key_do_not_share_its_request(journal: Journal, csr: bytes) -> None:
    """The second board asks before the first one's answer is in the journal."""
    async with relay(journal) as authority, asyncio.TaskGroup() as group:
        first = group.create_task(authority.issue_dac(csr, UID_1))
        await asyncio.sleep(0)  # it has asked
        with pytest.raises(KeyShared) as caught:
            await authority.issue_dac(csr, UID_2)
    assert first.result().key == csr_key(csr)
    assert caught.value.issued_to == str(UID_1)
    assert journal.lines == ["submitted", "asked", "issued"]


async def test_a_certificate_is_not_lost_with_its_board(journal: Journal, csr: bytes) -> None:
    """The relay awaits and records the answer for a pulled board; the next attempt gets it."""
    pki = PKI(journal)
    pki.open.clear()
    async with between(pki, journal) as authority:
        attempt = asyncio.create_task(authority.issue_dac(csr, UID_1))
        await pki.asked.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        pki.open.set()
        credentials = await authority.issue_dac(csr, UID_1)
    assert credentials.key == csr_key(csr)
    assert journal.lines == ["submitted", "asked", "issued"]


async def test_an_error_after_the_board_has_left_disturbs_nobody(journal: Journal, csr: bytes) -> None:
    """The relay logs a failure for which no caller waits, and goes on."""
    pki = PKI(journal, CSRRejected("400"))
    pki.open.clear()
    with capture_logs() as logs:
        async with between(pki, journal) as authority:
            attempt = asyncio.create_task(authority.issue_dac(csr, UID_1))
            await pki.asked.wait()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
            pki.open.set()
            await authority.issue_dac(new_csr(), UID_2)
    assert journal.lines.count("rejected") == 1
    assert [line["key"] for line in logs if line["event"] == "dac.missed"] == [csr_key(csr)]


async def test_what_is_under_way_at_the_end_stays_unanswered(journal: Journal, csr: bytes) -> None:
    """At the daemon's end the journal has the request without an answer, for the next start."""
    pki = PKI(journal)
    pki.open.clear()
    async with between(pki, journal, Limits(reply_within=0.01)) as authority:
        attempt = asyncio.create_task(authority.issue_dac(csr, UID_1))
        await pki.asked.wait()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert journal.unanswered == {csr_key(csr): 1}


# --- asking again ----------------------------------------------------------------------------------------------------


async def test_a_busy_pki_is_asked_again(journal: Journal, csr: bytes) -> None:
    """The journal records each answer that nothing was issued, so no request stays open."""
    async with relay(journal, NOTHING, NOTHING) as authority:
        await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", "asked", "rejected"] * 2 + ["submitted", "asked", "issued"]
    assert journal.unanswered == {csr_key(csr): 0}


async def test_a_pki_that_stays_busy_is_unavailable(journal: Journal, csr: bytes) -> None:
    """The relay gives up after six requests."""
    async with relay(journal, *[NOTHING] * 10) as authority:
        with pytest.raises(PKIUnavailable, match="busy"):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines.count("asked") == 6
    assert journal.unanswered == {csr_key(csr): 0}


async def test_a_lost_answer_is_asked_for_once_more(journal: Journal, csr: bytes) -> None:
    """The journal shows the possibly lost certificate beside the one that came."""
    with capture_logs() as logs:
        async with relay(journal, LOST) as authority:
            await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", "asked", "submitted", "asked", "issued"]
    assert journal.unanswered == {csr_key(csr): 1}
    assert [line["requests"] for line in logs if line["event"] == "dac.orphan_possible"] == [1]


async def test_answers_that_are_always_lost_do_not_buy_many_certificates(journal: Journal, csr: bytes) -> None:
    """The board's slot stops after two requests without an answer."""
    async with relay(journal, *[LOST] * 10) as authority:
        with pytest.raises(PKIAnswerLost):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", "asked"] * 2
    assert journal.unanswered == {csr_key(csr): 2}


async def test_a_pending_request_is_one_request(journal: Journal, csr: bytes) -> None:
    """Polling for the PKI's decision is not a new request."""
    async with relay(journal, *[PENDING] * 9) as authority:
        await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", *["asked", "pending", "questioned"] * 9, "asked", "issued"]
    assert journal.unanswered == {csr_key(csr): 0}


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (Outcome.NOTHING_ISSUED, PKIUnavailable),
        (Outcome.UNKNOWN, PKIUnavailable),
        (Outcome.PENDING, PKIPending),
    ],
)
async def test_nobody_waits_for_what_will_come_too_late(
    journal: Journal, csr: bytes, outcome: Outcome, fault: type[Fault]
) -> None:
    """If the PKI asks for an hour, the attempt ends at once."""
    async with relay(journal, NotNow("come back later", outcome, after=3600.0)) as authority:
        with pytest.raises(fault):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines.count("asked") == 1


@pytest.mark.parametrize(
    "fault", [CSRRejected("400"), PKIRefusedStation(URL, "401"), PKIUntrusted(URL, "self-signed certificate")]
)
async def test_a_refusal_is_final(journal: Journal, csr: bytes, fault: Fault) -> None:
    """The journal records that nothing was issued, and the PKI is not asked again."""
    async with relay(journal, fault) as authority:
        with pytest.raises(type(fault)):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", "asked", "rejected"]


async def test_a_wrong_answer_stays_in_the_journal(journal: Journal, csr: bytes) -> None:
    """The journal keeps an unusable answer, and the PKI is not asked again: the next certificate would be no better."""
    async with relay(journal, AnswerUnusable(PKIAnswerInvalid(URL, "another key"))) as authority:
        with pytest.raises(PKIAnswerInvalid):
            await authority.issue_dac(csr, UID_1)
        with pytest.raises(PKIAnswerInvalid):
            await authority.issue_dac(new_csr(), UID_2)
    assert journal.lines == ["submitted", "asked", "refused"]
    assert journal.unanswered == {csr_key(csr): 0}


async def test_after_a_failure_the_key_can_be_asked_for_again(journal: Journal, csr: bytes) -> None:
    """A failed request does not block its key."""
    async with relay(journal, CSRRejected("400")) as authority:
        with pytest.raises(CSRRejected):
            await authority.issue_dac(csr, UID_1)
        assert (await authority.issue_dac(csr, UID_1)).key == csr_key(csr)


async def test_a_silent_pki_is_unavailable(journal: Journal, csr: bytes) -> None:
    """The board's wait has a deadline, and the journal keeps the request without an answer."""
    pki = PKI(journal)
    pki.open.clear()
    async with between(pki, journal, Limits(answer_within=0.02)) as authority:
        with pytest.raises(PKIUnavailable, match="within"):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines == ["submitted", "asked"]


async def test_who_does_not_get_a_turn_has_requested_nothing(journal: Journal, csr: bytes) -> None:
    """The deadline includes the wait for a turn, and a request that cannot leave is not journalled."""
    async with relay(journal, limits=Limits(answer_within=0.02, at_once=0)) as authority:
        with pytest.raises(PKIUnavailable, match="within"):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines == []


async def test_only_so_many_are_at_the_pki_at_once(journal: Journal) -> None:
    """Sixty-four boards that are ready at the same time do not overload the PKI."""
    pki = PKI(journal)
    async with between(pki, journal, Limits(at_once=3)) as authority:
        issued = await asyncio.gather(*[authority.issue_dac(new_csr(), board(n)) for n in range(64)])
    assert len({each.dac_serial_number for each in issued}) == 64
    assert pki.most_at_once == 3


# --- and the rest ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "after", "least", "most"),
    [(1, None, 0.1, 0.25), (3, None, 0.1, 1.0), (9, None, 0.1, 8.0), (1, 0.0, 0.1, 0.1), (5, 7.0, 7.0, 7.7)],
)
def test_pauses(asked: int, after: float | None, least: float, most: float) -> None:
    """A pause is random up to a limit that doubles; a wish of the PKI is exceeded by at most a tenth; none is too short."""
    pauses = [Limits().pause(asked, after) for _ in range(200)]
    assert all(least <= pause <= most for pause in pauses)
    assert len(set(pauses)) > 1 or most == least


async def test_every_certificate_of_a_real_pki_is_accounted_for(journal: Journal, csr: bytes, tmp_path: Path) -> None:
    """The PKI is busy, then loses an answer: of its two certificates one is delivered and one is an orphan."""
    directory, faults = tmp_path / "pki", Faults()
    with opened(directory, PRODUCT) as pki:
        pai = pki.pai.certificate.public_bytes(Encoding.DER)
        faults.set({"busy": 1, "pending": 1, "drop_after_issue": 1})
        async with (
            serving(ESTServer(pki, faults, retry_after=0), tls_context(directory), "127.0.0.1", 0) as url,
            client(directory, url) as est,
            Relay.opened(est, pai, journal, PROMPT, check=accept) as authority,
        ):
            await authority.check()
            credentials = await authority.issue_dac(csr, UID_1)
    issued = [each["serial_number"] for each in issued_by(directory)]
    assert len(issued) == 2
    assert issued[1] == credentials.dac_serial_number
    assert journal.unanswered == {csr_key(csr): 1}


@pytest.mark.parametrize("others", [[], [PAA.certificate], [make_pai(PAA, PRODUCT).certificate]])
async def test_the_pki_must_have_the_pinned_pai(journal: Journal, others: Sequence[x509.Certificate]) -> None:
    """The relay notices a PKI with another PAI before any board is provisioned; its certificates come in any order."""
    pki = PKI(journal)
    async with between(pki, journal) as authority:
        await authority.check()
        pki.serving = list(others)
        with pytest.raises(PKIAuthorityWrong, match="TEST PAI"):
            await authority.check()
    assert journal.lines == []


async def test_requests_are_not_logged(journal: Journal, csr: bytes) -> None:
    """Logs name a key by its hash and a certificate by its serial number."""
    with capture_logs() as logs:
        async with relay(journal, NOTHING, LOST) as authority:
            credentials = await authority.issue_dac(csr, UID_1)
            await authority.issue_dac(csr, UID_1)
    assert [line["event"] for line in logs] == [
        "retry.scheduled",
        "retry.scheduled",
        "dac.orphan_possible",
        "dac.issued",
        "dac.found",
    ]
    assert {line["key"] for line in logs} == {csr_key(csr)}
    said = repr(logs)
    assert not any(secret.hex() in said or repr(secret) in said for secret in (csr, credentials.dac, PINNED))
