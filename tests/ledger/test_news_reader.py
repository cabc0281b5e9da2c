# SPDX-License-Identifier: Apache-2.0
"""What the reader of news tells: each attempt, each request and each print once, when it has ended."""

from datetime import UTC, datetime
from pathlib import Path

from station.adapters.ledger import Ledger
from station.adapters.ledger.news_reader import News, NewsReader
from station.domain.attempt import Voided
from station.domain.intervention import Decision
from station.domain.labelling import LabelDeed, LabelEvent
from tests.builders.bench import Secrets, begun, credentials, passed, target


async def test_an_attempt_is_told_once_when_it_has_ended(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Also one that began before the first look, and one that is overtaken; those that had ended by then are not told."""
    await passed(await begun(ledger, secrets), 1)
    running = await begun(ledger, secrets, slot="2")
    reader = NewsReader(path)
    assert reader.look() == News()
    third = await begun(ledger, secrets, slot="3")
    await third.finish(Voided("tty.lost", {}))
    (told,) = reader.look().attempts
    assert (told.slot, told.verdict, told.fault, told.laboratory) == ("3", "void", "tty.lost", False)
    assert reader.look() == News()
    await passed(running, 2)
    (told,) = reader.look().attempts
    assert (told.slot, told.verdict, told.fault) == ("2", "pass", None)
    assert list(told.steps) == [
        "recognise",
        "flash_data",
        "flash_provisioner",
        "await_csr",
        "relay_to_pki",
        "deliver",
        "flash_operational",
        "confirm",
    ]
    assert reader.look() == News()


async def test_a_request_is_told_once_when_it_is_answered(ledger: Ledger, path: Path) -> None:
    """Until then it is one of those without an answer, unless a person has closed it."""
    answer, lost = credentials(1), credentials(2)
    reader = NewsReader(path)
    assert reader.look() == News()
    for number, each in enumerate((answer, lost), start=1):
        await ledger.issuance.submitted(each.key, b"CSR", target(number).uid)
    assert reader.look() == News(unanswered=2)
    await ledger.issuance.record_issued(answer.key, answer)
    news = reader.look()
    assert [request.outcome for request in news.requests] == ["issued"]
    assert news.requests[0].seconds >= 0
    assert news.unanswered == 1
    await ledger.issuance.close_orphan("R2", Decision("anna", "the PKI has none"))
    assert reader.look() == News()


async def test_a_print_is_told_once_by_its_end(ledger: Ledger, path: Path) -> None:
    """Its beginning and its scan are none, and those before the first look are not told."""

    async def happened(event: LabelEvent, copy: int = 1) -> None:
        await ledger.record_label(LabelDeed(datetime.now(UTC), target(1).uid, event, copy, "anna"))

    await happened(LabelEvent.PRINT_STARTED)
    await happened(LabelEvent.PRINTED)
    reader = NewsReader(path)
    assert reader.look() == News()
    await happened(LabelEvent.BOUND)
    await happened(LabelEvent.PRINT_STARTED, 2)
    assert reader.look() == News()
    await happened(LabelEvent.UNPROVEN, 2)
    await happened(LabelEvent.PRINT_STARTED, 3)
    await happened(LabelEvent.PRINTED, 3)
    assert reader.look() == News(prints=("unproven", "printed"))
    assert reader.look() == News()
