# SPDX-License-Identifier: Apache-2.0
"""Signed checkpoints: what their signature covers, and their form as JSON."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.domain.checkpoint import Checkpoint, NotACheckpoint, Signed, verified

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
POINT = Checkpoint("line 3", "ab" * 16, 0, 17, bytes(range(32)), datetime(2026, 11, 26, 8, 15, 30, 250_000, UTC))


def test_the_statement_is_the_same_to_the_byte_for_ever() -> None:
    assert POINT.statement() == (
        b'{"at":"2026-11-26T08:15:30.250Z","hash":"' + bytes(range(32)).hex().encode() + b'",'
        b'"incarnation":0,"ledger":"' + b"ab" * 16 + b'","number":17,"station":"line 3","version":1}'
    )


def test_a_signed_checkpoint_is_itself_again_after_a_line_of_json() -> None:
    signed = POINT.signed(KEY)
    assert verified(signed.line(), KEY.public_key().public_bytes_raw()) == signed


@pytest.mark.parametrize(
    "change",
    [
        {"number": 16},
        {"hash": bytes(32)},
        {"station": "line 4"},
        {"ledger": "cd" * 16},
        {"incarnation": 1},
        {"at": datetime(2026, 11, 26, 8, 15, 31, tzinfo=UTC)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_the_statement_breaks_the_signature(change: dict[str, object]) -> None:
    signed = POINT.signed(KEY)
    changed = Signed(replace(POINT, **change), signed.public_key, signed.signature)  # type: ignore[arg-type]  # one field a case
    with pytest.raises(NotACheckpoint, match="signature is wrong"):
        verified(changed.line())


def test_another_stations_key_is_not_the_pinned_one() -> None:
    with pytest.raises(NotACheckpoint, match="another key"):
        verified(POINT.signed(OTHER).line(), KEY.public_key().public_bytes_raw())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"checkpoint":{},"public_key":"","signature":""}',
        "[" * 5000,
        POINT.signed(KEY).line()[:-2],
    ],
)
def test_a_text_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(NotACheckpoint):
        Signed.read(line)
