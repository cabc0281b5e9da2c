# SPDX-License-Identifier: Apache-2.0
"""The cost of the relay itself, over the request, its records and its check; without the connection to the PKI."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.attestation import PRODUCT_ID, VENDOR_ID, Product, make_dac, make_paa, make_pai
from station.adapters.ledger import Ledger
from station.adapters.pki.enroller import Issued
from station.adapters.pki.relay import Relay
from station.adapters.system import logs
from station.domain.credentials import Credentials, csr_key
from station.domain.target import UID
from station.matter.certificates import chain

ROUNDS, BOARDS = 5, 50
PRODUCT = Product.numbered(0xFFF1, 0x8004)


class Prepared:
    """A PKI (`Enroller`) that has made every certificate in advance, since signing is not the relay's work."""

    url = "https://benchmark.example"

    def __init__(self, boards: int) -> None:
        self.paa = make_paa(PRODUCT)
        pai = make_pai(self.paa, PRODUCT)
        self.pai = pai.certificate
        self.requests, self._certificates = list[bytes](), dict[str, bytes]()
        subject = x509.Name([x509.NameAttribute(VENDOR_ID, "FFF1"), x509.NameAttribute(PRODUCT_ID, "8004")])
        for _ in range(boards):
            key = ec.generate_private_key(ec.SECP256R1())
            csr = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
            self.requests.append(csr)
            dac = make_dac(pai, PRODUCT, key.public_key())
            self._certificates[csr_key(csr)] = dac.public_bytes(Encoding.DER)

    async def enroll(self, csr: bytes) -> Issued:
        return Issued(self._certificates[csr_key(csr)])

    async def issued_for(self, csr: bytes) -> None:
        """It shows its list to nobody."""

    async def authorities(self) -> list[x509.Certificate]:
        return [self.pai, self.paa.certificate]

    def check(self, csr: bytes, credentials: Credentials) -> None:
        pai = self.pai.public_bytes(Encoding.DER)
        chain.check_credentials(
            csr=csr,
            dac=credentials.dac,
            pai=credentials.pai,
            pinned_pai=pai,
            paa=self.paa.certificate.public_bytes(Encoding.DER),
            vendor_id=0xFFF1,
            product_id=0x8004,
            at=datetime.now(UTC),
            allow_test_vendor=True,
        )


def relay_costs(folder: Path) -> list[float]:
    """CPU seconds a board that the relay adds to the request, its two records and the check, for each round; all threads together."""
    with logs.configured("error", None):
        return [asyncio.run(_round(folder / f"{number}.sqlite", folder)) for number in range(ROUNDS)]


async def _round(file: Path, register: Path) -> float:
    pki = Prepared(2 * BOARDS + 2)
    pai = pki.pai.public_bytes(Encoding.DER)
    numbered = list(enumerate(pki.requests))
    without, through = numbered[: BOARDS + 1], numbered[BOARDS + 1 :]
    async with Ledger.open(file, station="benchmark", register=register) as ledger:

        async def plain(csr: bytes, uid: UID) -> None:
            key = csr_key(csr)
            await ledger.issuance.submitted(key, csr, uid)
            credentials = Credentials((await pki.enroll(csr)).certificate, pai)
            pki.check(csr, credentials)
            await ledger.issuance.record_issued(key, credentials)

        async with Relay.opened(pki, pai, ledger.issuance, check=pki.check) as relay:
            bare = await _cost(plain, without)
            return await _cost(relay.issue_dac, through) - bare


async def _cost(issue: Callable[[bytes, UID], Awaitable[object]], requests: Sequence[tuple[int, bytes]]) -> float:
    """CPU seconds a request; the first one is left out, since SQLAlchemy compiles its statements for it."""
    (number, csr), *others = requests
    await issue(csr, _uid(number))
    began = time.process_time()
    for number, csr in others:
        await issue(csr, _uid(number))
    return (time.process_time() - began) / len(others)


def _uid(number: int) -> UID:
    return UID(number.to_bytes(12, "big"))
