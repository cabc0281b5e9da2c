# SPDX-License-Identifier: Apache-2.0
"""The example programs of `[pki] kind = "exec"` against the development PKI."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.pki import answers, providers
from station.adapters.pki.enroller import NotNow, Outcome
from station.config.pki_kinds import ExecSection
from station.config.sections import PKISection
from station.domain.credentials import csr_key
from station.faults.line import PKIRefusedStation
from tests.commissioning.test_est_clients import ROOT, served
from tests.line.pki_bench import new_csr

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(900)]

EXAMPLES = ROOT / "docs" / "examples"
FAULTS = ("--fault=busy=1", "--fault=pending=1", "--fault=status_403=1,at=simpleenroll", "--retry-after=3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pki"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    with served(folder, *FAULTS) as url:
        yield url


async def test_the_example_tells_each_outcome(url: str, folder: Path) -> None:
    """Busy, forbidden, not decided, and then a certificate: each as its exit status says."""
    csr, _ = new_csr()
    section = PKISection(
        kind="exec",
        pai=folder / "pai.pem",
        paa=folder / "paa.pem",
        reply_within=300,
        exec=ExecSection(
            command=(str(EXAMPLES / "enrol-by-curl"), url, str(folder / "tls")),
            check=(str(EXAMPLES / "authorities-by-curl"), url, str(folder / "tls")),
        ),
    )
    told: list[tuple[Outcome, float | None] | str] = []
    dac = b""
    async with providers.opened(section) as client:
        pai = x509.load_pem_x509_certificate((folder / "pai.pem").read_bytes())
        assert pai in await client.authorities()
        while not dac:
            assert len(told) < len(FAULTS)
            try:
                dac = await client.enroll(csr)
            except NotNow as exc:
                told.append((exc.outcome, exc.after))
            except PKIRefusedStation:
                told.append("refused")
    assert sorted(map(str, told)) == sorted(
        map(str, [(Outcome.NOTHING_ISSUED, 3.0), "refused", (Outcome.PENDING, 3.0)])
    )
    assert answers.key_of(dac) == csr_key(csr)
    assert x509.load_der_x509_certificate(dac).public_bytes(Encoding.DER) == dac
