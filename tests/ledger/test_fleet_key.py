# SPDX-License-Identifier: Apache-2.0
"""The fleet's key: what is derived from it, as every station of a fleet must derive it."""

import pytest

from station.adapters.ledger.fleet_key import SEALED_PAIR_SIZE, FleetKey, FleetSealBroken
from station.domain.target import UID
from station.matter.onboarding.passcode import Discriminator, Passcode
from tests.builders.bench import onboarding

KEY = FleetKey(bytes(range(32)))
OTHER = FleetKey(bytes(32))
BOARD = UID(bytes(range(12)))

# Computed with the standard library's HMAC alone (RFC 5869, RFC 2104); the seal with a nonce of zeros.
CHECK = "eebeec596f7af9ee"
PAIRS = {(20202021, 3840): -7217194615799192385, (1, 0): 8969524328855297004, (99999998, 4095): 9025649971190613181}
SEALED = (
    "0000000000000000000000002178fa1dae56d187ea622bcb274b9b79f35e6afe3b57de2404f574577020b2398296af722ab195614d721c812a"
    "297acb1bb754db56bf419176460d6db411b107b8c1197a509166a91709f1f3fd591216100fc2b9482faa77287632292a5f0192f5d08d0ee947"
    "f7255a0b1d877820acaf3b54bfed59d3c83fe416c6cfb282606e162b34561386167025584237cd6773bbe1b9ab49a1ca817a90a33faec21258"
    "3bf7719da0fdf45ccf5d09acc165b353a64abbe655bbdc39"
)
DATE, ROTATING = "20261126", "0f" * 16


def test_the_check_value_is_the_keys_own() -> None:
    assert KEY.check == CHECK != OTHER.check


@pytest.mark.parametrize(("pair", "expected"), PAIRS.items(), ids=str)
def test_a_pair_has_one_hash_in_a_fleet(pair: tuple[int, int], expected: int) -> None:
    passcode, discriminator = Passcode(pair[0]), Discriminator(pair[1])
    assert KEY.pair_hash(passcode, discriminator) == expected
    assert OTHER.pair_hash(passcode, discriminator) != expected
    assert -(2**63) <= expected < 2**63


def test_sealed_secrets_are_the_same_bytes_in_every_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("station.adapters.ledger.fleet_key.secrets.token_bytes", bytes)
    assert KEY.seal(BOARD, onboarding(1), ROTATING, DATE).hex() == SEALED


@pytest.mark.parametrize("rotating", [ROTATING, None])
def test_what_was_sealed_opens_for_its_unit_alone(rotating: str | None) -> None:
    sealed = KEY.seal(BOARD, onboarding(1), rotating, DATE)
    unsealed = KEY.unseal(BOARD, sealed)
    assert (unsealed.onboarding, unsealed.rotating_device_id) == (onboarding(1), rotating)
    assert unsealed.manufacturing_date == DATE
    for key, uid, content in ((OTHER, BOARD, sealed), (KEY, UID(bytes(12)), sealed), (KEY, BOARD, sealed[:-1])):
        with pytest.raises(FleetSealBroken):
            key.unseal(uid, content)


def test_a_sealed_pair_opens_under_its_hash_alone() -> None:
    pair = Passcode(20202021), Discriminator(3840)
    sealed = KEY.seal_pair(7, *pair)
    assert len(sealed) == SEALED_PAIR_SIZE
    assert KEY.unseal_pair(7, sealed) == pair
    with pytest.raises(FleetSealBroken):
        KEY.unseal_pair(8, sealed)
    with pytest.raises(FleetSealBroken):
        KEY.unseal_pair(7, b"")


def test_two_seals_of_one_secret_differ() -> None:
    assert KEY.seal_pair(7, Passcode(1), Discriminator(0)) != KEY.seal_pair(7, Passcode(1), Discriminator(0))


@pytest.mark.parametrize("content", [KEY.key, KEY.key.hex().encode(), KEY.key.hex().upper().encode() + b"\n"])
def test_a_file_holds_the_key_or_its_digits(content: bytes) -> None:
    assert FleetKey.parse(content) == KEY


def test_a_file_with_something_else_is_not_shown() -> None:
    with pytest.raises(ValueError, match="holds no fleet key") as raised:
        FleetKey.parse(b"canary")
    assert "canary" not in str(raised.value)


def test_a_key_has_32_bytes_and_does_not_show_itself() -> None:
    assert repr(KEY) == f"FleetKey(check='{CHECK}')"
    with pytest.raises(ValueError, match="32 bytes"):
        FleetKey(bytes(31))
