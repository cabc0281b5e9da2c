# SPDX-License-Identifier: Apache-2.0
"""A lot's bundle: what is in it, what never is, and when none is written."""

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest

from station.daemon.control import CommandRefused
from station.evidence.form import ATTEMPTS, BUNDLE, CERTIFICATES, EXCEPTIONS, JOURNAL, REQUESTS, UNITS
from station.evidence.verifying import Trusted, verify
from tests.builders.commands import station
from tests.builders.forge import PAI
from tests.builders.lot_evidence import LOT, members
from tests.evidence.conftest import Made


def rows(content: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in content.splitlines()]


def test_a_bundle_is_verified_by_itself(made: Made) -> None:
    """With the station's key and the root from elsewhere, nothing is left open but what no hash covers."""
    done = station("evidence", "verify", made.bundle, "--key", made.public_key, "--paa", made.paa, "--chained")
    assert done.exit_code == 0, done.output
    assert f"{made.bundle}: sound" in done.stdout
    assert "10 units, 6 passed; 11 attempts, 8 certificates" in done.stdout
    assert "PAA" not in done.stdout


def test_a_bundle_tells_all_of_the_lot_and_nothing_of_another(made: Made) -> None:
    found = members(made.bundle)
    head = json.loads(found[BUNDLE])
    assert (head["lot"], head["open"], head["record"]["work_order"], head["mistakes"]) == (LOT, False, "WO-1", [])
    assert head["tools"]["programmer_version"] == ["2.19.0"]
    assert [each["name"] for each in head["images"]] == ["operational-flash", "provisioning-flash"]
    units = rows(found[UNITS])
    assert [each["serial_number"] for each in units] == [f"W{number:04d}" for number in range(1, 11)]
    assert {each["uid"] for each in rows(found[CERTIFICATES])} < {each["uid"] for each in units}
    assert len(rows(found[REQUESTS])) == 10
    assert [each["verdict"] for each in rows(found[ATTEMPTS])] == ["pass"] * 6 + [
        "fail",
        "void",
        "fail",
        "void",
        "pass",
    ]
    other = b"SN000001"
    assert not [name for name, content in found.items() if other in content]
    assert [name for name in found if name.startswith("pai/")] == [f"pai/{sha256(PAI.der).hexdigest()}.pem"]


def test_every_exception_is_there(made: Made) -> None:
    """Fails and voids, what people did, and the certificate that no unit has."""
    told = rows(members(made.bundle)[EXCEPTIONS])
    kinds = [(each["kind"], each.get("type") or each.get("fault") or each.get("spare")) for each in told]
    assert kinds == [
        ("attempt", "board.possession_unproven"),
        ("attempt", "probe.lost"),
        ("attempt", "pki.credentials_invalid"),
        ("attempt", "pki.unreachable"),
        ("lot", "LotOpened"),
        ("lot", "LotClosed"),
        ("unit", "UnitScrapped"),
        ("spare_certificate", "refused"),
    ]
    assert {each["account"] for each in told if "account" in each} == {"anna", "bert"}


def test_no_secret_is_in_a_bundle(made: Made) -> None:
    """Neither a passcode nor a salt, a verifier or the key that signs, in any form."""
    private = made.key.private_bytes_raw()
    secrets = [b"canary salt ", b"canary verifier", private]
    forms = {form for each in secrets for form in (each, each.hex().encode(), base64.b64encode(each)[:-4])}
    forms |= {str(20202021 + 1000 + number).encode() for number in range(1, 12)}
    found = members(made.bundle)
    assert not [(name, form) for name, content in found.items() for form in forms if form in content]


def test_the_same_lot_has_the_same_members(made: Made, tmp_path: Path) -> None:
    """Two bundles differ only in when they were made."""
    again = tmp_path / "again.zip"
    given = ("--signing-key", made.key_file, "--paa", made.paa, "--ledger", made.ledger)
    assert station("lots", "evidence", LOT, "--to", again, *given).exit_code == 0
    one, other = members(made.bundle), members(again)
    assert list(one) == list(other)
    assert [name for name in one if one[name] != other[name]] == [BUNDLE, "manifest.json", "manifest.sig.json"]


def test_an_open_lot_is_refused_unless_it_is_asked_for(made: Made, tmp_path: Path) -> None:
    """The lot of a recipe is never closed; the bundle says that it is open."""
    bundle = tmp_path / "open.zip"
    given = ("LOT-1", "--to", bundle, "--signing-key", made.key_file, "--ledger", made.ledger)
    with pytest.raises(CommandRefused, match="lot LOT-1 is not closed"):
        station("lots", "evidence", *given)
    assert list(tmp_path.iterdir()) == []
    assert station("lots", "evidence", *given, "--open").exit_code == 0
    result = verify(bundle, Trusted())
    assert (result.open, result.findings, result.passed) == (True, [], 1)
    assert any("no PAA for it is in the bundle" in note for note in result.notes)


def test_a_lot_that_nobody_knows_has_no_bundle(made: Made, tmp_path: Path) -> None:
    given = ("--to", tmp_path / "none.zip", "--signing-key", made.key_file, "--ledger", made.ledger)
    done = station("lots", "evidence", "W9", *given)
    assert (done.exit_code, "knows no lot W9" in done.stderr, list(tmp_path.iterdir())) == (1, True, [])


def test_a_key_that_cannot_sign_is_refused(made: Made, tmp_path: Path) -> None:
    """The message has the file's name and nothing of its content."""
    bad = tmp_path / "bad.pem"
    bad.write_text("canary of a key")
    bad.chmod(0o600)
    done = station("lots", "evidence", LOT, "--to", tmp_path / "x.zip", "--signing-key", bad, "--ledger", made.ledger)
    assert (done.exit_code, "no private key in PEM" in done.stderr, "canary" in done.output) == (2, True, False)
    without = station("lots", "evidence", LOT, "--to", tmp_path / "x.zip", "--ledger", made.ledger)
    assert (without.exit_code, "--signing-key, or as [audit]" in without.stderr) == (2, True)


def test_a_bundle_is_shown(made: Made) -> None:
    shown = station("evidence", "show", made.bundle)
    assert shown.exit_code == 0
    assert "not judged" in shown.stdout
    lines = shown.stdout.splitlines()
    balance = lines.index("balance:")
    assert "  counted: 9" in lines[balance : lines.index("tools:")]
    assert {"mistakes: none", "  programmer_version: 2.19.0", "  stations 1:", "    station: line-1"} <= set(lines)
    told = json.loads(station("evidence", "show", made.bundle, "--json").stdout)
    assert (told["lot"], told["signed_by"], told["exceptions"]["attempt"]) == (LOT, made.public_key, 4)
    assert told["members"][JOURNAL] > 0
