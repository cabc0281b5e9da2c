# SPDX-License-Identifier: Apache-2.0
"""Each certificate of the PKI has its unit or its reason, and boards and ledgers have none that the PKI has not issued. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.campaign.evidence import Evidence
from tests.campaign.referee.violation import Promise, Violation


def accounted(evidence: Evidence) -> Iterator[Violation]:
    """Each issued certificate is live, known as spare, or in the possible answer of a request that has none."""
    live = {each.dac for ledger in evidence.ledgers for each in ledger.certificates}
    spares = Counter((each.key, each.serial_number) for ledger in evidence.ledgers for each in ledger.spares)
    requested = {each.key for ledger in evidence.ledgers for each in ledger.requests}
    unanswered = Counter(
        each.key for ledger in evidence.ledgers for each in ledger.requests if each.outcome != "issued"
    )
    lost: set[tuple[str, int]] = set()  # key and number of the PKI's requests whose answers never came
    for issued in evidence.pki.issued:
        known = (issued.key, f"{issued.serial_number:X}")
        if issued.dac in live:
            continue
        if spares[known]:
            spares[known] -= 1
        elif issued.request and (issued.key, issued.request) in lost:
            continue  # an answer with two certificates
        elif unanswered[issued.key]:
            unanswered[issued.key] -= 1
            lost.add((issued.key, issued.request))
        else:
            why = (
                "and the requests for its key have others"
                if issued.key in requested
                else "for whose key no ledger has a request"
            )
            yield Violation(Promise.CERTIFICATES, f"the PKI has issued {issued.serial_number:032X}, {why}")
    for key in sorted(evidence.pki.asked - requested):
        yield Violation(Promise.CERTIFICATES, f"the PKI was asked for key {key}, and no ledger has a request for it")


def only_issued(evidence: Evidence) -> Iterator[Violation]:
    """Boards and ledgers have certificates of the PKI's list, each that of its own key."""
    issued = {each.dac: each for each in evidence.pki.issued}
    asked_by: dict[str, set[str]] = defaultdict(set)
    for ledger in evidence.ledgers:
        for request in ledger.requests:
            asked_by[request.key].add(request.uid)
        for certificate in ledger.certificates:
            known = issued.get(certificate.dac)
            if known is None or known.serial_number != certificate.serial_number or known.key != certificate.key:
                yield Violation(
                    Promise.ISSUED,
                    f"the ledger has {certificate.serial_number:032X} for key {certificate.key}, the PKI has not",
                )
    for board in evidence.boards:
        if board.dac is None:
            continue
        known = issued.get(board.dac)
        if known is None:
            yield Violation(Promise.ISSUED, f"board {board.number} has a certificate that the PKI has not issued")
        elif board.uid not in asked_by[known.key]:
            yield Violation(
                Promise.ISSUED, f"board {board.number} has the certificate {known.serial_number:032X} of another board"
            )


def passed_with_theirs(evidence: Evidence) -> Iterator[Violation]:
    """A pass names the certificate that is on the board, and the ledger has it for the board's key."""
    serial_numbers = {each.serial_number: each for ledger in evidence.ledgers for each in ledger.certificates}
    for ledger in evidence.ledgers:
        for attempt in ledger.attempts:
            if attempt.verdict != "pass" or attempt.laboratory:
                continue
            board = evidence.by_uid.get(attempt.uid or "")
            named = {int(text, 16) for text in attempt.texts("CredentialsDelivered", "dac_serial_number")}
            named |= {int(text, 16) for text in attempt.texts("CredentialsChosen", "dac_serial_number")}
            for number in named - serial_numbers.keys():
                yield Violation(
                    Promise.CERTIFICATES, f"{attempt.name} has delivered {number:032X}, which its ledger lacks"
                )
            if board is not None and board.certificate is not None and len(named) > 1:
                yield Violation(Promise.CERTIFICATES, f"{attempt.name} names {len(named)} certificates")
