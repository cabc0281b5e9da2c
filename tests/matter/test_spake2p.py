# SPDX-License-Identifier: Apache-2.0
"""SPAKE2+ verifiers, compared with four other implementations."""

import json
from pathlib import Path

import pytest

from station.factory_data.flat_tlv import Tag
from station.factory_data.st_json import from_json
from station.faults.unit import VerifierWrong
from station.matter.onboarding.passcode import Passcode
from station.matter.onboarding.spake2p import check_verifier, random_salt, verifier

VECTORS = Path(__file__).parents[1] / "vectors"
WITH_VERIFIER = [
    vector
    for vector in json.loads((VECTORS / "onboarding" / "onboarding_500.json").read_text())
    if vector.get("chip_ver")
]
SALT = b"SPAKE2P Key Salt"
PASSCODE = Passcode(20202021)
VERIFIER = verifier(PASSCODE, SALT, 1000)


@pytest.mark.parametrize("vector", WITH_VERIFIER, ids=lambda vector: f"{vector['pin']:08}")
def test_the_verifier_is_the_one_of_the_chip_sdk(vector: dict[str, str | int]) -> None:
    """Salts, numbers of iterations and passcodes are random."""
    made = verifier(Passcode(int(vector["pin"])), bytes.fromhex(str(vector["salt"])), int(vector["it"]))
    assert made.hex() == vector["chip_ver"]


def test_the_verifier_is_the_one_in_the_json_of_st() -> None:
    """ST's file has passcode 20202021, salt `SPAKE2P Key Salt` and 1,000 iterations."""
    data = from_json((VECTORS / "st" / "Full_FactoryData.json").read_bytes())
    assert data.octets(Tag.SPAKE2_VERIFIER) == VERIFIER


@pytest.mark.parametrize(("size", "iterations"), [(15, 1000), (33, 1000), (16, 999), (16, 100_001)])
def test_salt_and_iterations_keep_to_the_limits_of_matter(size: int, iterations: int) -> None:
    """A value outside the limits raises ValueError."""
    with pytest.raises(ValueError, match="16 to 32 bytes"):
        verifier(PASSCODE, bytes(size), iterations)


def test_the_right_verifier_passes_the_check() -> None:
    """The check returns nothing for the right verifier."""
    check_verifier(VERIFIER, PASSCODE, SALT, 1000)
    assert len(VERIFIER) == 97


@pytest.mark.parametrize(
    ("found", "passcode", "salt", "iterations"),
    [
        (VERIFIER[:-1] + b"\0", PASSCODE, SALT, 1000),
        (VERIFIER[:-1], PASSCODE, SALT, 1000),
        (VERIFIER, Passcode(20202022), SALT, 1000),
        (VERIFIER, PASSCODE, SALT + b"x", 1000),
        (VERIFIER, PASSCODE, SALT, 1001),
        (VERIFIER, PASSCODE, b"", 1000),
        (VERIFIER, PASSCODE, SALT, 0),
    ],
)
def test_a_board_that_would_refuse_the_label_is_refused(
    found: bytes, passcode: Passcode, salt: bytes, iterations: int
) -> None:
    """Passcode, salt, iterations or verifier does not match the others."""
    with pytest.raises(VerifierWrong):
        check_verifier(found, passcode, salt, iterations)


def test_every_salt_is_new() -> None:
    """A salt has Matter's greatest length."""
    assert {len(random_salt()) for _ in range(10)} == {32}
    assert random_salt() != random_salt()
