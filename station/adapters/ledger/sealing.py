# SPDX-License-Identifier: Apache-2.0
"""Seals the onboarding secrets of one unit (AES-256-GCM), under a key of its own, which the station's key wraps. Pure but for chance.

A unit is forgotten when its wrapped key is overwritten: then no key opens its secrets.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from station.domain.identity import OnboardingSecrets
from station.domain.target import UID
from station.matter.onboarding.passcode import Discriminator, Passcode

KEY_SIZE, NONCE_SIZE, TAG_SIZE = 32, 12, 16
WRAPPED_SIZE = NONCE_SIZE + KEY_SIZE + TAG_SIZE
ID_SIZE = 16  # hexadecimal digits


class SealBroken(Exception):
    """What was sealed does not open with this key for this unit: it was changed, or is another unit's."""


@dataclass(frozen=True, slots=True)
class StationKey:
    """A key of the station, which wraps the units' keys. Its `id` reveals nothing of it."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_SIZE:
            raise ValueError(f"a station's key has {KEY_SIZE} bytes")

    @classmethod
    def random(cls) -> Self:
        return cls(secrets.token_bytes(KEY_SIZE))

    @property
    def id(self) -> str:
        return hmac.digest(self.key, b"matter provisioning station: id of the key", hashlib.sha256).hex()[:ID_SIZE]

    def wrap(self, unit_key: bytes, unit: bytes) -> bytes:
        return _sealed(self.key, unit_key, b"key of " + unit)

    def unwrap(self, wrapped: bytes, unit: bytes) -> bytes:
        """The unit's key; raises `SealBroken`."""
        return _opened(self.key, wrapped, b"key of " + unit)


@dataclass(frozen=True, slots=True)
class Sealed:
    """The secrets of one unit, as the ledger keeps them."""

    key_id: str
    wrapped_key: bytes = field(repr=False)
    content: bytes = field(repr=False)

    def rewrapped(self, old: StationKey, new: StationKey, unit: bytes) -> "Sealed":
        """The same under another station's key; raises `SealBroken`."""
        return Sealed(new.id, new.wrap(old.unwrap(self.wrapped_key, unit), unit), self.content)


def unit_name(uid: UID, identity: int) -> bytes:
    """What binds a sealed secret to its unit: moved to another unit's row, it does not open."""
    return f"{uid} {identity}".encode()


def seal(key: StationKey, unit: bytes, onboarding: OnboardingSecrets, rotating_device_id: str | None) -> Sealed:
    """Seals under a new key, which nothing else will ever use."""
    unit_key = secrets.token_bytes(KEY_SIZE)
    content = _sealed(unit_key, _packed(onboarding, rotating_device_id), b"secrets of " + unit)
    return Sealed(key.id, key.wrap(unit_key, unit), content)


def unseal(
    key: StationKey, unit: bytes, sealed: Sealed, discriminator: Discriminator
) -> tuple[OnboardingSecrets, str | None]:
    """The secrets, and the rotating device id if there is one; raises `SealBroken`."""
    unit_key = key.unwrap(sealed.wrapped_key, unit)
    return _unpacked(_opened(unit_key, sealed.content, b"secrets of " + unit), discriminator)


def _sealed(key: bytes, content: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, content, bound_to)


def _opened(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], bound_to)
    except (InvalidTag, ValueError) as exc:
        raise SealBroken from exc


def _packed(onboarding: OnboardingSecrets, rotating_device_id: str | None) -> bytes:
    """A form of one size for salts and ids of one size: passcode, iterations, then three fields with their lengths."""
    number = onboarding.passcode.value.to_bytes(4, "big") + onboarding.iterations.to_bytes(4, "big")
    fields = (onboarding.salt, onboarding.verifier, (rotating_device_id or "").encode())
    return number + b"".join(len(each).to_bytes(1, "big") + each for each in fields)


def _unpacked(content: bytes, discriminator: Discriminator) -> tuple[OnboardingSecrets, str | None]:
    passcode, iterations = Passcode(int.from_bytes(content[:4], "big")), int.from_bytes(content[4:8], "big")
    fields, rest = [], content[8:]
    while rest:
        size = rest[0]
        fields.append(rest[1 : 1 + size])
        rest = rest[1 + size :]
    salt, verifier, rotating = fields
    return OnboardingSecrets(passcode, discriminator, salt, iterations, verifier), rotating.decode() or None
