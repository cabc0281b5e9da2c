# SPDX-License-Identifier: Apache-2.0
"""The key that all stations of one shared ledger have: it tells pairs apart by keyed hashes, and seals units' secrets. Pure but for chance.

The centre sees hashes and sealed secrets only.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from station.domain.identity import OnboardingSecrets
from station.domain.target import UID
from station.matter.onboarding.passcode import Discriminator, Passcode

KEY_SIZE, NONCE_SIZE, TAG_SIZE, CHECK_SIZE = 32, 12, 16, 8
PAIR_SIZE = 6
SEALED_PAIR_SIZE = NONCE_SIZE + PAIR_SIZE + TAG_SIZE


class FleetSealBroken(Exception):
    """What was sealed does not open with this fleet key for this unit or pair."""


@dataclass(frozen=True, slots=True)
class Unsealed:
    """The secrets of one unit."""

    onboarding: OnboardingSecrets
    rotating_device_id: str | None = field(repr=False)
    manufacturing_date: str


@dataclass(frozen=True, slots=True)
class FleetKey:
    """The fleet's key, 32 bytes, and what is derived from it (HKDF-SHA256 without a salt)."""

    key: bytes = field(repr=False)
    check: str = field(init=False)
    """16 hexadecimal digits that reveal nothing of the key: two stations with one key show the same."""
    _pairing: bytes = field(init=False, repr=False, compare=False)
    _sealing: AESGCM = field(init=False, repr=False, compare=False)
    _pairs: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_SIZE:
            raise ValueError(f"a fleet key has {KEY_SIZE} bytes")
        set_once = object.__setattr__
        set_once(self, "check", self._derived(b"check", CHECK_SIZE).hex())
        set_once(self, "_pairing", self._derived(b"pairing", KEY_SIZE))
        set_once(self, "_sealing", AESGCM(self._derived(b"sealing", KEY_SIZE)))
        set_once(self, "_pairs", AESGCM(self._derived(b"pairs", KEY_SIZE)))

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """The key in a file: 32 bytes, or 64 hexadecimal digits. Raises `ValueError`, which does not show the content."""
        if len(content) == KEY_SIZE:
            return cls(content)
        try:
            return cls(bytes.fromhex(content.decode("ascii")))
        except ValueError:
            raise ValueError(f"it holds no fleet key: {KEY_SIZE} bytes, or {2 * KEY_SIZE} hexadecimal digits") from None

    def pair_hash(self, passcode: Passcode, discriminator: Discriminator) -> int:
        """What the centre compares instead of the pair: a signed 64-bit number."""
        digest = hmac.digest(self._pairing, _packed_pair(passcode, discriminator), hashlib.sha256)
        return int.from_bytes(digest[:8], "big", signed=True)

    def seal(
        self, uid: UID, onboarding: OnboardingSecrets, rotating_device_id: str | None, manufacturing_date: str
    ) -> bytes:
        """Seals a unit's secrets, so that every station of the fleet can finish the unit."""
        fields = (
            onboarding.salt,
            onboarding.verifier,
            (rotating_device_id or "").encode(),
            manufacturing_date.encode(),
        )
        content = _packed_pair(onboarding.passcode, onboarding.discriminator) + onboarding.iterations.to_bytes(
            4, "little"
        )
        content += b"".join(len(each).to_bytes(1, "big") + each for each in fields)
        return _sealed(self._sealing, content, uid.raw)

    def unseal(self, uid: UID, sealed: bytes) -> Unsealed:
        """The unit's secrets; raises `FleetSealBroken`."""
        content = _opened(self._sealing, sealed, uid.raw)
        passcode, discriminator = _unpacked_pair(content)
        iterations, rest = int.from_bytes(content[PAIR_SIZE : PAIR_SIZE + 4], "little"), content[PAIR_SIZE + 4 :]
        fields = list[bytes]()
        while rest:
            size = rest[0]
            fields.append(rest[1 : 1 + size])
            rest = rest[1 + size :]
        salt, verifier, rotating, date = fields
        onboarding = OnboardingSecrets(passcode, discriminator, salt, iterations, verifier)
        return Unsealed(onboarding, rotating.decode() or None, date.decode())

    def seal_pair(self, number: int, passcode: Passcode, discriminator: Discriminator) -> bytes:
        """Seals a pair that no unit has yet, under its hash."""
        return _sealed(self._pairs, _packed_pair(passcode, discriminator), _name(number))

    def unseal_pair(self, number: int, sealed: bytes) -> tuple[Passcode, Discriminator]:
        """The pair with this hash; raises `FleetSealBroken`."""
        return _unpacked_pair(_opened(self._pairs, sealed, _name(number)))

    def _derived(self, purpose: bytes, size: int) -> bytes:
        return HKDF(SHA256(), size, salt=None, info=b"matter-station " + purpose).derive(self.key)


def _packed_pair(passcode: Passcode, discriminator: Discriminator) -> bytes:
    return passcode.value.to_bytes(4, "little") + discriminator.value.to_bytes(2, "little")


def _unpacked_pair(content: bytes) -> tuple[Passcode, Discriminator]:
    return Passcode(int.from_bytes(content[:4], "little")), Discriminator(int.from_bytes(content[4:6], "little"))


def _name(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)


def _sealed(key: AESGCM, content: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + key.encrypt(nonce, content, bound_to)


def _opened(key: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], bound_to)
    except (InvalidTag, ValueError) as exc:
        raise FleetSealBroken from exc
