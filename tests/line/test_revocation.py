# SPDX-License-Identifier: Apache-2.0
"""A revocation set in the recipe's trust store is used by a running line, which needs no restart for a new one."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.builders.line import RECIPE, ROOT, Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing, issued

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture
def standing(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2"}.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(ROOT / "config" / "trust", tmp_path / "trust")
    with Line.standing(tmp_path / "line", 2, recipe=recipe(tmp_path)) as line:
        yield Standing(line)


def recipe(folder: Path) -> Path:
    """The demonstration's recipe, with the trust store in this folder."""
    text = RECIPE.read_text(encoding="utf-8")
    place = 'trust = "development"'
    assert place in text
    text = text.replace(place, f'{place}\ntrust_store = "trust"')
    for name in ("certification-declaration.der", "../../firmware_images/manifest.toml"):
        assert name in text
        text = text.replace(name, str((RECIPE.parent / name).resolve()))
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return folder / "recipe.toml"


def publish(standing: Standing, content: str) -> None:
    """Puts a set into the trust store, whole, as a person's `mv` or the station's own command does."""
    folder = standing.line.recipe.parent / "trust"
    (folder / "new").write_text(content, encoding="utf-8")
    (folder / "new").replace(folder / "revocation-set.json")


def of_pai(standing: Standing) -> str:
    """A set that revokes the PAI of the line's PKI."""
    pai = x509.load_pem_x509_certificate((standing.line.folder / "pki" / "pai.pem").read_bytes())
    issuer = pai.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert issuer is not None
    entry = {
        "type": "revocation_set",
        "issuer_subject_key_id": issuer.hex().upper(),
        "issuer_name": base64.b64encode(pai.issuer.public_bytes()).decode(),
        "revoked_serial_numbers": [f"{pai.serial_number:X}"],
    }
    return json.dumps([entry])


def paused_by(standing: Standing, fault: str) -> bool:
    line = standing.line.status().line
    return line.state == "paused" and line.fault == fault


def test_a_revoked_pai_pauses_the_line(standing: Standing) -> None:
    """The next board waits untouched, and no release opens the line, until the PAI is no longer revoked."""
    publish(standing, "[]")
    assert standing.next_board(1).verdict == "pass"
    before = issued(standing)
    publish(standing, of_pai(standing))
    standing.bench("plug", "2", "--new")
    standing.until(lambda: paused_by(standing, "trust.pai_revoked"))
    assert standing.line.command("slots", "release", "--all", "--reason", "looked").returncode == 0
    assert paused_by(standing, "trust.pai_revoked")
    assert issued(standing) == before
    publish(standing, "[]")
    standing.station("slots", "release", "--all", "--reason", "a mistake of the ledger's")
    assert standing.wait(2, lambda slot: slot.verdict is not None).verdict == "pass"


def test_a_set_that_cannot_be_read_pauses_the_line_until_it_can(standing: Standing) -> None:
    """An idle line notices it, too; and a set that is gone is no empty one."""
    publish(standing, "[")
    standing.until(lambda: paused_by(standing, "trust.unreadable"))
    publish(standing, "[]")
    standing.until(lambda: standing.line.status().line.state == "open")
    (standing.line.recipe.parent / "trust" / "revocation-set.json").unlink()
    standing.until(lambda: paused_by(standing, "trust.unreadable"))


def test_no_line_opens_under_a_revoked_pai(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration's check says the same before the line opens."""
    url = json.loads((standing.line.folder / "pki" / "ready.json").read_text())["url"]
    monkeypatch.setenv("STATION__PKI__URL", url)
    assert standing.line.command("config", "check").returncode == 0
    publish(standing, of_pai(standing))
    done = standing.line.command("config", "check")
    assert done.returncode == 2
    assert "is revoked (rule K7)" in done.stderr + done.stdout
    found = json.loads(standing.line.command("doctor", "--json").stdout)["findings"]
    assert "is revoked (rule K7)" in next(each["text"] for each in found if each["check"] == "configuration")
    publish(standing, "[]")
    found = json.loads(standing.line.command("doctor", "--json").stdout)["findings"]
    assert "has 0 certificates and is 0 days old" in next(
        each["text"] for each in found if each["check"] == "revocations"
    )
