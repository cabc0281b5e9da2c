# SPDX-License-Identifier: Apache-2.0
"""The time stamp of a bundle's checkpoint (RFC 3161) is judged by the authority that the reader names."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from station.cli.exit_codes import FAILED
from station.daemon import control
from station.domain.checkpoint import Signed
from station.evidence.form import AUDIT
from tests.builders.commands import station
from tests.builders.lot_evidence import members, resigned
from tests.builders.tsa import Signer, about
from tests.evidence.conftest import Made


@pytest.fixture
def authority(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "tsa")


def stamped(made: Made, to: Path, authority: Signer, statement: bytes | None = None) -> Path:
    """The bundle, as if an authority had stamped its checkpoint, or something else."""
    contents = members(made.bundle)
    audit = json.loads(contents[AUDIT])
    signed = Signed.read(audit["checkpoint"])
    answer = authority.answer(about(statement or signed.checkpoint.statement()))
    audit["checkpoint"] = replace(signed, timestamp=answer).line()
    return resigned(to, {**contents, AUDIT: json.dumps(audit).encode()}, made.key)


def test_a_stamp_tells_since_when_the_checkpoint_was_there(made: Made, tmp_path: Path, authority: Signer) -> None:
    """Only to whoever names the authority."""
    bundle = stamped(made, tmp_path / "W1.zip", authority)
    done = station("evidence", "verify", bundle)
    assert done.exit_code == 0
    assert "has a time stamp, which is not checked: name the authority with --timestamp-ca" in done.output
    done = station("evidence", "verify", bundle, "--timestamp-ca", authority.ca)
    assert done.exit_code == 0
    assert "note: by its time stamp the newest checkpoint was there on 20" in done.output


def test_a_stamp_that_proves_nothing_is_found(made: Made, tmp_path: Path, authority: Signer) -> None:
    """It is of another statement, or another authority's."""
    other = Signer(tmp_path / "other")
    for name, bundle, told in (
        ("statement", stamped(made, tmp_path / "1.zip", authority, b"another"), "Mismatch between messages"),
        ("authority", stamped(made, tmp_path / "2.zip", other), "verifying certificates"),
    ):
        done = station("evidence", "verify", bundle, "--timestamp-ca", authority.ca)
        assert done.exit_code == FAILED, name
        assert "the time stamp of the checkpoint proves nothing: " in done.output
        assert told in " ".join(done.output.split())


def test_a_bundle_without_a_stamp_says_so(made: Made, authority: Signer) -> None:
    """Whoever names the authority must not take silence for its word."""
    done = station("evidence", "verify", made.bundle, "--timestamp-ca", authority.ca)
    assert done.exit_code == 0
    assert "note: nothing here has a time stamp: no authority vouches for the bundle's age" in " ".join(
        done.output.split()
    )
    assert "time stamp" not in station("evidence", "verify", made.bundle).output


def test_a_file_that_is_no_authority_is_named(made: Made, tmp_path: Path) -> None:
    (tmp_path / "tsa.pem").write_text("no certificate")
    with pytest.raises(control.CommandRefused, match=r"tsa\.pem: it is no certificate in PEM"):
        station("evidence", "verify", made.bundle, "--timestamp-ca", tmp_path / "tsa.pem")
