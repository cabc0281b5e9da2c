# SPDX-License-Identifier: Apache-2.0
"""The example of docs/partner-scripts.md, run as its reader would, with its own PKI: every board gets a unique DAC."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import Tag
from tests.st.test_gen_factory_data import IMAGES, ROOT, desk_with

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@contextmanager
def partner(folder: Path) -> Iterator[Path]:
    """A partner's PKI, the example with its settings, and a trust store with the partner's root."""
    pki = folder / "pki"
    command = [sys.executable, "-m", "development_pki", "serve", "--dir", str(pki)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            assert serving.stdout.readline()
            url = json.loads((pki / "ready.json").read_text())["url"]
            tls = pki / "tls"
            (folder / "partner.toml").write_text(
                f'url = "{url}"\nca = "{tls}/ca.pem"\ncertificate = "{tls}/station.pem"\nkey = "{tls}/station-key.pem"\n'
            )
            shutil.copy(ROOT / "docs" / "examples" / "partner_script.py", folder)
            shutil.copytree(ROOT / "config" / "trust", folder / "trust")
            shutil.copy(pki / "paa.pem", folder / "trust" / "paa")
            yield folder / "partner_script.py"
        finally:
            serving.terminate()


def test_every_board_gets_a_dac_of_its_own_once(tmp_path: Path) -> None:
    """The ledger counts them as production units.

    A second run only rewrites the firmware, since the manifest lists no answers of it.
    """
    with desk_with(tmp_path, 3) as desk, partner(tmp_path) as script:
        line = (
            f"--provisioning 1 --json Provisioning_FactoryData.json --m4_provisioning {IMAGES}/provisioning-flash.bin "
            f"--provisioning_script {script} --m4_matter {IMAGES}/operational-flash.bin --trust trust"
        )
        first, second = desk.run(line), desk.run(line)
        units = [flat_tlv.decode(desk.flash(probe)) for probe in desk.probes]
    for done in (first, second):
        assert done.returncode == 0, done.stdout + done.stderr
        assert "laboratory" not in done.stdout
    assert len({unit.octets(Tag.DEVICE_ATTESTATION_CERTIFICATE) for unit in units}) == 3
    issued = (tmp_path / "pki" / "issued.jsonl").read_text().splitlines()
    assert len(issued) == 3
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT state, count(*) FROM identity GROUP BY state").fetchall() == [("passed", 3)]
        chosen = ledger.execute("SELECT body FROM event WHERE type = 'ProcedureChosen' ORDER BY id").fetchall()
    procedures = [json.loads(body)["procedure"] for (body,) in chosen]
    assert procedures == ["provision_by_partner"] * 3 + ["finish"] * 3


def test_a_root_that_nobody_trusts_is_not_a_pass(tmp_path: Path) -> None:
    """The trust store lacks the partner's root."""
    with desk_with(tmp_path, 1) as desk, partner(tmp_path) as script:
        done = desk.run(
            f"--provisioning 1 --json Provisioning_FactoryData.json --m4_provisioning {IMAGES}/provisioning-flash.bin "
            f"--provisioning_script {script} --m4_matter {IMAGES}/operational-flash.bin"
        )
    assert done.returncode == 1
    assert "there is no PAA" in done.stdout
