# SPDX-License-Identifier: Apache-2.0
"""A relay between a scripted PKI and a journal in memory, for the tests of the relay."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.attestation import PRODUCT_ID, VENDOR_ID, Product, make_dac, make_paa, make_pai
from station.adapters.pki.enroller import Issued, NotNow, Outcome
from station.adapters.pki.recovery import Check
from station.adapters.pki.relay import Relay
from station.adapters.pki.waits import Limits
from station.domain.credentials import Credentials, csr_key
from station.domain.issuance import MOST_UNANSWERED, Asked, KeyRecord
from station.domain.target import UID
from station.faults import LineFault
from station.faults.line import CredentialsInvalid, LedgerUnavailable
from station.faults.slot import PKIAnswerLost
from station.interfaces import RefusedAnswer

PRODUCT = Product.numbered(0xFFF1, 0x8004)
PAA = make_paa(PRODUCT)
PAI = make_pai(PAA, PRODUCT)
PINNED = PAI.certificate.public_bytes(Encoding.DER)
URL = "https://pki.example/est"
UID_1, UID_2 = UID(bytes(11) + b"\1"), UID(bytes(11) + b"\2")
PROMPT = Limits(first_pause=0.0, least_pause=0.0, least_decision=0.0)

NOTHING = NotNow("busy", Outcome.NOTHING_ISSUED)
LOST = NotNow("the connection broke", Outcome.UNKNOWN)
PENDING = NotNow("not decided", Outcome.PENDING, after=0.0)


def board(number: int) -> UID:
    return UID(number.to_bytes(12, "big"))


def accept(csr: bytes, credentials: Credentials) -> None:
    """Every certificate for the right key is good."""
    assert credentials.key == csr_key(csr)


class Journal:
    """Collects all entries of the journal in a list."""

    def __init__(self) -> None:
        self.trouble: LedgerUnavailable | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.lines: list[str] = []
        self.known: dict[str, Credentials] = {}
        self.unanswered: dict[str, int] = {}
        self.pending: dict[str, datetime] = {}
        self.refused: list[RefusedAnswer] = []
        self.taken: set[str] = set()
        """Serial numbers of other units' certificates."""
        self.surplus: list[bytes] = []
        self.waits: dict[str, datetime] = {}
        self.boards: dict[str, UID] = {}

    async def of_key(self, key: str, uid: UID) -> KeyRecord:
        return KeyRecord(await self.issued(key, uid), await self.asked(uid), await self.is_unanswered(key))

    async def issued(self, key: str, uid: UID) -> Credentials | None:  # noqa: ARG002  one board a key
        return self.known.get(key)

    async def asked(self, uid: UID) -> Asked:
        keys = [key for key, board in self.boards.items() if board == uid and key not in self.known]
        return Asked(
            max((self.unanswered.get(key, 0) for key in keys), default=0),
            max((self.pending[key] for key in keys if key in self.pending), default=None),
        )

    async def waiting_until(self, endpoint: str) -> datetime | None:
        return self.waits.get(endpoint)

    async def is_unanswered(self, key: str) -> bool:
        return self.unanswered.get(key, 0) > 0

    async def submitted(self, key: str, csr: bytes, uid: UID) -> int:
        assert csr_key(csr) == key
        self.boards[key] = uid
        await self.writable.wait()
        if self.unanswered.get(key, 0) >= MOST_UNANSWERED:
            raise PKIAnswerLost(str(uid), self.unanswered[key])
        self.lines.append("submitted" if self.pending.pop(key, None) is None else "questioned")
        self.unanswered[key] = self.unanswered.get(key, 0) + 1
        return self.unanswered[key] - 1

    async def record_issued(self, key: str, credentials: Credentials, surplus: Sequence[bytes] = ()) -> None:
        if credentials.dac_serial_number in self.taken:
            raise CredentialsInvalid("RFC 5280 4.1.2.2", "issued before")
        self.lines.append("issued")
        self.unanswered[key] -= 1
        self.known[key] = credentials
        self.surplus += surplus

    async def record_rejected(self, key: str, reason: str) -> None:
        assert reason
        self.lines.append("rejected")
        self.unanswered[key] -= 1

    async def record_refused(self, key: str, answer: RefusedAnswer) -> None:
        self.lines.append("refused")
        self.unanswered[key] -= 1
        self.refused.append(answer)

    async def record_surplus(self, key: str, certificates: Sequence[bytes]) -> int:
        new = [each for each in certificates if each not in self.surplus]
        self.unanswered[key] = max(0, self.unanswered[key] - len(new))
        self.surplus += new
        return len(new)

    async def record_pending(self, key: str, due: datetime) -> None:
        self.lines.append("pending")
        self.unanswered[key] -= 1
        self.pending[key] = due

    async def record_wait(self, endpoint: str, until: datetime) -> None:
        self.waits[endpoint] = until


class PKI:
    """Answers by a script, then with certificates; notes in the journal's list when it was asked."""

    url = URL

    def __init__(self, journal: Journal, *script: Exception) -> None:
        self.journal = journal
        self.script: Iterator[Exception] = iter(script)
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.at_once = self.most_at_once = 0
        self.list: list[bytes] | None = None
        """Its own list of the certificates for the key, if it shows one."""
        self.list_fault: LineFault | None = None
        self.away: LineFault | None = None
        self.besides: tuple[bytes, ...] = ()
        """Further certificates in every answer."""
        self.not_now: NotNow | None = None
        """Why it does not show its authorities."""
        self.serving: list[x509.Certificate] = [PAA.certificate, PAI.certificate]

    async def enroll(self, csr: bytes) -> Issued:
        self.journal.lines.append("asked")
        self.asked.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
            await asyncio.sleep(0)  # lets others run, if the relay allows it
        finally:
            self.at_once -= 1
        for trouble in self.script:
            raise trouble
        public_key = x509.load_der_x509_csr(csr).public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        return Issued(make_dac(PAI, PRODUCT, public_key).public_bytes(Encoding.DER), self.besides)

    async def issued_for(self, csr: bytes) -> list[bytes] | None:  # noqa: ARG002  one key a list
        if self.list_fault is not None:
            raise self.list_fault
        return self.list

    async def authorities(self) -> list[x509.Certificate]:
        for trouble in (self.away, self.not_now):
            if trouble is not None:
                raise trouble
        return self.serving


def new_csr() -> bytes:
    subject = x509.Name([x509.NameAttribute(VENDOR_ID, "FFF1"), x509.NameAttribute(PRODUCT_ID, "8004")])
    request = x509.CertificateSigningRequestBuilder(subject)
    return request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)


def dac_for(csr: bytes) -> bytes:
    """A further certificate for the request's key."""
    public_key = x509.load_der_x509_csr(csr).public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    return make_dac(PAI, PRODUCT, public_key).public_bytes(Encoding.DER)


def between(
    pki: PKI, journal: Journal, limits: Limits = PROMPT, *, check: Check = accept, parks: bool = False
) -> AbstractAsyncContextManager[Relay]:
    return Relay.opened(pki, PINNED, journal, limits, check=check, parks=parks)


def relay(journal: Journal, *script: Exception, limits: Limits = PROMPT) -> AbstractAsyncContextManager[Relay]:
    return between(PKI(journal, *script), journal, limits)
