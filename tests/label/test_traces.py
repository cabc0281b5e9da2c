# SPDX-License-Identifier: Apache-2.0
"""Finds secrets in every form, so that where it finds none there are none."""

import base64
import gzip
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from station.domain.identity import OnboardingSecrets
from station.matter.onboarding import codes, spake2p
from station.matter.onboarding.codes import OnboardingPayload
from tests.builders.bench import onboarding
from tests.builders.traces import chances, contents, forms, found

_MADE = onboarding(4711)
_SALT = b"a salt of a unit, which has 32 b"
SECRET = replace(_MADE, salt=_SALT, verifier=spake2p.verifier(_MADE.passcode, _SALT, _MADE.iterations))
PAYLOAD = OnboardingPayload(0xFFF1, 0x8004, SECRET.discriminator, SECRET.passcode)
QR, MANUAL = codes.qr_code(PAYLOAD), codes.manual_code(PAYLOAD)


def in_a_free_page(file: Path, secret: OnboardingSecrets) -> None:
    """A row that was deleted, which SQLite leaves in its page."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute("CREATE TABLE a (b)")
        connection.execute("INSERT INTO a VALUES (?)", (secret.verifier,))
        connection.execute("DELETE FROM a")


@pytest.mark.parametrize(
    "leave",
    [
        lambda file, secret: file.write_text(f"passcode {secret.passcode.digits}, so far"),
        lambda file, _: file.write_text(QR),
        lambda file, _: file.write_text(f"{MANUAL[:4]}-{MANUAL[4:7]}-{MANUAL[7:]}", encoding="utf-16"),
        lambda file, secret: file.write_text(secret.verifier[40:].hex()[:50] + secret.verifier.hex().upper()),
        lambda file, secret: file.write_bytes(b"xy" + secret.salt),
        lambda file, secret: file.write_bytes(base64.b64encode(b"1" + secret.verifier)),
        lambda file, secret: file.write_bytes(base64.b64encode(b'{"passcode": ' + secret.passcode.digits.encode())),
        lambda file, secret: file.write_bytes(b"PDF " + zlib.compress(b"x" + zlib.compress(secret.verifier)) + b" end"),
        lambda file, _: file.write_bytes(gzip.compress(b"^FDMA," + QR.encode())[:-9]),
        in_a_free_page,
        lambda file, secret: file.with_name(secret.passcode.digits).touch(),
    ],
)
def test_it_is_found(tmp_path: Path, leave: Callable[[Path, OnboardingSecrets], object]) -> None:
    leave(tmp_path / "file", SECRET)
    assert found(contents(tmp_path), forms(SECRET, PAYLOAD))
    other = replace(onboarding(4712), salt=b"another salt", verifier=bytes(range(97)))
    assert not found(
        contents(tmp_path), forms(other, OnboardingPayload(0xFFF1, 0x8004, other.discriminator, other.passcode))
    )


@pytest.mark.parametrize("form", range(5))
def test_its_number_is_found(tmp_path: Path, form: int) -> None:
    """In both orders of its bytes, and as text, digits around it or not."""
    number = SECRET.passcode.value
    left = [number.to_bytes(4, "little"), number.to_bytes(4, "big"), b"%x" % number, b"%X" % number, b"%d" % number]
    (tmp_path / "file").write_bytes(b"0000000" + left[form] + b"3840")
    (content,) = contents(tmp_path).values()
    assert chances(SECRET)[form] in content
