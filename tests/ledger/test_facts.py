# SPDX-License-Identifier: Apache-2.0
"""The lines of a shared ledger tell everything that its tables hold of attempts, identities, requests and certificates."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from station.adapters.ledger import Ledger
from station.adapters.ledger.orphans import Told as TheList
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import (
    Confirmed,
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    FactoryDataWritten,
    Failed,
    LaboratoryUnit,
    Passed,
    Phase,
    UnitIdentified,
    Voided,
)
from station.domain.intervention import Decision
from station.domain.issuance import Listed
from station.domain.product import KeyStorage
from station.domain.shared import Line
from station.domain.target import UID
from station.interfaces import RefusedAnswer
from station.procedure.identity import adopt
from station.recipe.recipe import Delivered
from tests.builders.bench import begun, credentials, recognised, rows, target
from tests.builders.sharing import FLEET, lines, stocked

ANNA = Decision("anna", "the PKI's operator has looked")


@dataclass
class Replayed:
    """What somebody knows who has read the lines and nothing else."""

    attempts: dict[object, Mapping[str, object]] = field(default_factory=dict)
    events: list[tuple[object, ...]] = field(default_factory=list)
    identities: dict[object, dict[str, object]] = field(default_factory=dict)
    requests: dict[object, list[object]] = field(default_factory=dict)
    certificates: dict[object, tuple[object, ...]] = field(default_factory=dict)
    intermediates: dict[object, object] = field(default_factory=dict)
    blocks: list[tuple[object, object]] = field(default_factory=list)

    def read(self, line: Line) -> None:  # noqa: C901  a case a fact
        number, at, kind, attempt, body = json.loads(line.text)
        if attempt is not None:
            self.events.append((attempt, at, kind, body))
            return
        match kind:
            case "AttemptBegun":
                self.attempts[body["attempt"]] = body | {"started_at": at, "first": number}
            case "AttemptEnded":
                before = self.attempts[body["attempt"]]
                assert (before["first"], before["started_at"]) == (body["first"], body["started_at"])
                self.attempts[body["attempt"]] = before | body
            case "IdentityTaken":
                self.identities[body["uid"]] = body | {"rank": 1}
            case "IdentityAdvanced":
                known = self.identities[body["uid"]]
                assert (known["lot"], known["index"]) == (body["lot"], body["index"])
                assert int(str(known["rank"])) < body["rank"]
                known["rank"] = body["rank"]
            case "RequestSubmitted":
                self.requests[body["request"]] = [body["key"], body["uid"], None]
            case "RequestAnswered":
                self.requests[body["request"]][2] = body["reason"]
            case "CertificateIssued":
                assert body["pai"] in self.intermediates
                self.requests[body["request"]][2] = "issued"
                self.certificates[body["key"]] = (body["request"], body["dac_serial_number"], body["dac"], body["pai"])
            case "IntermediateSeen":
                assert body["pai"] not in self.intermediates
                self.intermediates[body["pai"]] = body["content"]
            case "BlockReceived":
                self.blocks.append((body["lot"], body["number"]))
            case _:
                assert kind == "IncarnationBegun"


async def passes(ledger: Ledger, secrets: VerifierPool, board: int) -> None:
    """With an answer that is refused, one that is lost, and one that comes."""
    uid, answer = target(board).uid, credentials(board)
    journal = await begun(ledger, secrets)
    await recognised(journal, board)
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    async with journal.step(Phase.FLASH_PROVISIONER):
        pass
    async with journal.step(Phase.AWAIT_CSR):
        await journal.record(CSRReceived(answer.key))
    async with journal.step(Phase.RELAY_TO_PKI):
        await ledger.issuance.submitted(answer.key, b"CSR", uid)
        await ledger.issuance.record_rejected(answer.key, "busy")
        await ledger.issuance.submitted(answer.key, b"CSR", uid)
        await ledger.issuance.record_refused(
            answer.key, RefusedAnswer("no certificate", b"{}", (credentials(900 + board).dac,))
        )
        await ledger.issuance.submitted(answer.key, b"CSR", uid)
        await ledger.issuance.record_pending(answer.key, datetime(2030, 1, 1, tzinfo=UTC))
        await ledger.issuance.submitted(answer.key, b"CSR", uid)  # the same request, asked about again
        await ledger.issuance.record_issued(answer.key, answer)
        await journal.record(CredentialsChosen(answer.key, answer.dac_serial_number))
    async with journal.step(Phase.DELIVER):
        await journal.record(CredentialsDelivered(answer.dac_serial_number))
    async with journal.step(Phase.FLASH_OPERATIONAL):
        pass
    async with journal.step(Phase.CONFIRM):
        await journal.record(Confirmed())
    await journal.finish(Passed())


async def certified_by_a_partner(ledger: Ledger, secrets: VerifierPool, board: int) -> None:
    """Twice, with two certificates for one key: the second replaces the first."""
    key = ec.generate_private_key(ec.SECP256R1())
    for delivered in (credentials(100 + board, key), credentials(150 + board, key)):
        journal = await begun(ledger, secrets)
        await recognised(journal, board)
        async with journal.step(Phase.FLASH_DATA):
            await journal.record(FactoryDataWritten())
        for step in (Phase.FLASH_PROVISIONER, Phase.DELIVER, Phase.FLASH_OPERATIONAL):
            async with journal.step(step):
                pass
        async with journal.step(Phase.CONFIRM):
            await adopt(Delivered(delivered, KeyStorage.FLASH), target(board).uid, journal)
        await journal.finish(Failed("readback.differs"))


async def loses_its_answers(ledger: Ledger, secrets: VerifierPool, board: int) -> None:
    """One answer is excused by a person, one closed, one found in the PKI's list; two in the list are nobody's."""
    uid, key = target(board).uid, f"{board:02x}" * 32
    journal = await begun(ledger, secrets)
    await recognised(journal, board)
    await ledger.issuance.submitted(key, b"CSR", uid)
    await ledger.issuance.excuse(uid, ANNA)
    (orphan,) = [number for (number,) in rows_of(ledger, "SELECT id FROM pki_request WHERE key = ?", key)]
    await ledger.issuance.close_orphan(f"R{orphan}", ANNA)
    await ledger.issuance.submitted(key, b"CSR", uid)
    await ledger.issuance.record_surplus(key, [credentials(200 + board).dac])
    await ledger.issuance.submitted(key, b"CSR", uid)
    told = TheList([Listed(300 + board, key)], datetime(2030, 1, 1, tzinfo=UTC))
    await ledger.issuance.reconcile(told, ANNA)
    await ledger.issuance.submitted(key, b"CSR", uid)
    await journal.finish(Voided("pki.answer_lost", {"count": "1"}))


async def is_for_the_laboratory(ledger: Ledger, secrets: VerifierPool, board: int) -> None:
    journal = await begun(ledger, secrets)
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(board)))
        await journal.record(LaboratoryUnit())
    async with journal.step(Phase.CONFIRM):
        await journal.record(Confirmed())
    await journal.finish(Passed())


def rows_of(ledger: Ledger, query: str, *values: object) -> list[tuple[object, ...]]:
    return rows(Path(str(ledger.status["path"])), query, *values)


@pytest.fixture
async def told(path: Path) -> list[Line]:
    """The lines of a scripted day."""
    async with stocked(path) as (ledger, secrets):
        for board in (1, 2):
            await passes(ledger, secrets, board)
        await certified_by_a_partner(ledger, secrets, 3)
        await loses_its_answers(ledger, secrets, 4)
        await is_for_the_laboratory(ledger, secrets, 5)
        await recognised(await begun(ledger, secrets), board=6)  # the power fails
        await begun(ledger, secrets)
        assert len(await ledger.close_open_attempts("station.stopped")) == 2
        return await lines(ledger)


@pytest.fixture
def replayed(told: list[Line]) -> Replayed:
    result = Replayed()
    for line in told:
        result.read(line)
    return result


async def test_attempts_and_their_events(path: Path, replayed: Replayed) -> None:
    columns = "id, slot, probe, tty, recipe, recipe_sha256, lot, station_version, station_commit, started_at"
    names = ("attempt", "slot", "probe", "tty", "recipe", "recipe_sha256", "lot", "version", "commit", "started_at")
    sums = ("uid", "verdict", "fault", "laboratory", "seconds")
    query = f"SELECT {columns}, uid, verdict, fault, laboratory, round(seconds, 3) FROM attempt ORDER BY id"  # noqa: S608  of ours
    found = [tuple(attempt[name] for name in (*names, *sums)) for attempt in replayed.attempts.values()]
    assert found == rows(path, query)
    events = rows(path, "SELECT attempt_id, at, type, body FROM event ORDER BY id")
    assert replayed.events == [(number, at, kind, json.loads(str(body))) for number, at, kind, body in events]
    assert len({attempt["release"] for attempt in replayed.attempts.values()}) == 1


async def test_identities_with_their_secrets(path: Path, replayed: Replayed) -> None:
    ranks = {"reserved": 1, "on_board": 2, "certified": 3, "confirmed": 3, "passed": 4}
    found = rows(path, "SELECT uid, lot, lot_index, serial_number, state FROM identity ORDER BY id")
    assert [
        (uid, known["lot"], known["index"], known["serial_number"], known["rank"])
        for uid, known in replayed.identities.items()
    ] == [(*row, ranks[str(state)]) for *row, state in found]
    async with stocked(path) as (ledger, _):
        for uid, known in replayed.identities.items():
            board = UID.parse(str(uid))
            unsealed = FLEET.unseal(board, bytes.fromhex(str(known["sealed"])))
            identity = await ledger.identity(board)
            assert identity is not None
            assert unsealed.onboarding == identity.secrets
            assert unsealed.rotating_device_id == identity.rotating_device_id
            assert unsealed.manufacturing_date == identity.manufacturing_date


async def test_requests_and_certificates(path: Path, replayed: Replayed) -> None:
    found = rows(path, "SELECT id, key, uid, outcome, reason, excused, closed FROM pki_request ORDER BY id")
    assert [(number, key, uid) for number, (key, uid, _) in replayed.requests.items()] == [row[:3] for row in found]
    for number, _, _, outcome, reason, excused, closed in found:
        answer = replayed.requests[number][2]
        assert (answer == "issued") is (outcome == "issued")
        assert (answer is None) is (outcome is None and not excused and not closed)
        if outcome == "rejected":
            assert answer == reason
    certificates = rows(path, "SELECT key, request_id, dac_serial_number, hex(dac), hex(pai) FROM certificate")
    assert replayed.certificates == {
        key: (request, serial, str(dac).lower(), hashlib.sha256(bytes.fromhex(str(pai))).hexdigest())
        for key, request, serial, dac, pai in certificates
    }
    assert list(replayed.intermediates.values()) == [b"the PAI".hex()]  # told once


def test_blocks(path: Path, replayed: Replayed) -> None:
    assert replayed.blocks == rows(path, "SELECT lot, number FROM block")


def test_no_line_of_a_laboratory_unit_tells_of_an_identity(replayed: Replayed) -> None:
    assert str(target(5).uid) not in replayed.identities
    (attempt,) = [each for each in replayed.attempts.values() if each["uid"] == str(target(5).uid)]
    assert attempt["laboratory"] is True
