# SPDX-License-Identifier: Apache-2.0
"""The example programs of `[pki] kind = "exec"` against the development PKI, alone and as a whole line's way to its PKI."""

import json
from collections import Counter
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
from tests.builders.line import Line, configuration
from tests.commissioning.test_est_clients import ROOT, served
from tests.line import pki_line
from tests.line.pki_bench import new_csr
from tests.line.pki_line import Switches
from tests.line.standing_line import Standing

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
                dac = (await client.enroll(csr)).certificate
            except NotNow as exc:
                told.append((exc.outcome, exc.after))
            except PKIRefusedStation:
                told.append("refused")
    assert sorted(map(str, told)) == sorted(
        map(str, [(Outcome.NOTHING_ISSUED, 3.0), "refused", (Outcome.PENDING, 3.0)])
    )
    assert answers.key_of(dac) == csr_key(csr)
    assert x509.load_der_x509_certificate(dac).public_bytes(Encoding.DER) == dac


class ExecLine(Line):
    """`Line` whose PKI is asked through the example programs."""

    def start_daemon(self) -> None:
        """Starts the daemon; the address is the programs' business."""
        probes = json.loads((self.folder / "bench.json").read_text())["probes"]
        url = json.loads((self.folder / "pki" / "ready.json").read_text())["url"]
        before, _, rest = configuration(self.recipe, probes).partition("[pki]\n")
        log = rest[rest.index("[log]") :]
        arguments = json.dumps([url, str(self.folder / "pki" / "tls")])[1:-1]
        pki = f"""[pki]
kind = "exec"
pai = "pki/pai.pem"
paa = "pki/paa.pem"
reply_within = 300
answer_within = 900
check_every = 0.2

[pki.exec]
command = [{json.dumps(str(EXAMPLES / "enrol-by-curl"))}, {arguments}]
check = [{json.dumps(str(EXAMPLES / "authorities-by-curl"))}, {arguments}]

"""
        config = self.folder / "line.toml"
        config.write_text(before + pki + log)
        self.start("daemon", "station", "run", "--config", str(config))
        self.wait_for("daemon", self._daemon_answers)


def test_a_line_asks_its_pki_through_the_programs(tmp_path: Path) -> None:
    """Four boards pass at the price of one certificate each, through a busy PKI, one that decides later, and one that loses an answer."""
    boards = 4
    with ExecLine.standing(tmp_path / "line", boards, time_scale=0.02) as line:
        standing, switches = Standing(line), Switches(line.folder)
        switches.set({"busy": 1, "pending": 1})
        standing.bench("plug", "--all")
        for number in range(1, boards + 1):
            assert standing.wait(number, lambda slot: slot.state in {"pass", "fail"}).state == "pass"
        assert switches.fired("busy") == switches.fired("pending") == 1
        assert sorted(pki_line.bought(line.folder).values()) == [1] * boards
        assert pki_line.orphans(line.folder) == ()

        switches.set({"drop_after_issue": 1})
        standing.bench("unplug", "1")
        standing.wait(1, lambda slot: slot.probe is None)
        standing.bench("plug", "1", "--new")
        assert standing.wait(1, lambda slot: slot.state in {"pass", "fail"}).state == "pass"
        assert Counter(pki_line.bought(line.folder).values()) == {1: boards, 2: 1}
        assert len(pki_line.orphans(line.folder)) == 1
