# SPDX-License-Identifier: Apache-2.0
"""Signed checkpoints of a ledger's chain: a statement of how far it reaches, its signature, and both as JSON. Pure.

A checkpoint that is kept elsewhere shows that nothing up to its line was changed or cut off since.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 1
_HASH, _KEY, _SIGNATURE = 32, 32, 64  # bytes
LARGEST_STAMP = 16_384  # bytes of an authority's answer
_MOST = 2**63  # of a line's number: as SQLite counts
_KEYS = {"version", "station", "ledger", "incarnation", "number", "hash", "at"}


class SigningKey(Protocol):
    """An Ed25519 key pair, in memory as an `Ed25519PrivateKey` or in a token."""

    def public_key(self) -> Ed25519PublicKey: ...

    def sign(self, data: bytes, /) -> bytes: ...


class NotACheckpoint(ValueError):
    """A text is no checkpoint, or its signature is another's."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain of this incarnation reaches line `number`, which has this `hash`. `ledger` is the id of the chain."""

    station: str
    ledger: str
    incarnation: int
    number: int
    hash: bytes
    at: datetime

    def __post_init__(self) -> None:
        if len(self.hash) != _HASH or not 0 <= self.number < _MOST or self.incarnation < 0 or self.at.tzinfo is None:
            raise ValueError("no such line of a chain")

    def statement(self) -> bytes:
        """The canonical JSON that the signature covers."""
        return json.dumps(self._said(), sort_keys=True, separators=(",", ":")).encode("ascii")

    def signed(self, key: SigningKey) -> "Signed":
        return Signed(self, key.public_key().public_bytes_raw(), key.sign(self.statement()))

    def _said(self) -> dict[str, object]:
        return {
            "version": VERSION,
            "station": self.station,
            "ledger": self.ledger,
            "incarnation": self.incarnation,
            "number": self.number,
            "hash": self.hash.hex(),
            "at": self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }

    @classmethod
    def read(cls, said: object) -> Self:
        """Raises `NotACheckpoint`."""
        match said:
            case dict() as members if len(members) != len(_KEYS):
                pass
            case {
                "version": int(version),
                "station": str(station),
                "ledger": str(ledger),
                "incarnation": int(incarnation),
                "number": int(number),
                "hash": str(hashed),
                "at": str(at),
            } if version == VERSION:
                try:
                    return cls(station, ledger, incarnation, number, bytes.fromhex(hashed), datetime.fromisoformat(at))
                except (ValueError, OverflowError) as exc:
                    raise NotACheckpoint("its members are no line of a chain") from exc
        raise NotACheckpoint(f"it does not have the members of a checkpoint of version {VERSION}")


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint with its signer's public key and signature (Ed25519, raw bytes). Not verified by itself.

    `timestamp` is an authority's answer about its statement (RFC 3161, DER), as soon as there is one.
    """

    checkpoint: Checkpoint
    public_key: bytes
    signature: bytes
    timestamp: bytes | None = None

    @property
    def bare(self) -> Self:
        """The same without its time stamp."""
        return replace(self, timestamp=None)

    def is_sound(self) -> bool:
        """Whether the key that it names has signed it; says nothing about whose key that is."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(self.signature, self.checkpoint.statement())
        except (InvalidSignature, ValueError):
            return False
        return True

    def line(self) -> str:
        """One line of JSON, without its end."""
        said = {
            "checkpoint": json.loads(self.checkpoint.statement()),
            "public_key": self.public_key.hex(),
            "signature": self.signature.hex(),
        }
        if self.timestamp is not None:
            said["timestamp"] = self.timestamp.hex()
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def read(cls, line: str | bytes) -> Self:
        """The checkpoint of such a line, not verified; raises `NotACheckpoint`."""
        try:
            said: object = json.loads(line)
        except (ValueError, TypeError, RecursionError) as exc:
            raise NotACheckpoint("it is not JSON") from exc
        if not isinstance(said, Mapping) or set(said) - {"timestamp"} != {"checkpoint", "public_key", "signature"}:
            raise NotACheckpoint("it does not have the members of a signed checkpoint")
        key, signature = _octets(said["public_key"], _KEY), _octets(said["signature"], _SIGNATURE)
        stamp = _stamp(said["timestamp"]) if "timestamp" in said else None
        return cls(Checkpoint.read(said["checkpoint"]), key, signature, stamp)


def verified(line: str | bytes, *public_keys: bytes) -> Signed:
    """The signed checkpoint of this line, by one of the keys given or else by the one that it names; raises `NotACheckpoint`."""
    signed = Signed.read(line)
    if public_keys and signed.public_key not in public_keys:
        raise NotACheckpoint(f"another key has signed it: {signed.public_key.hex()}")
    if not signed.is_sound():
        raise NotACheckpoint("its signature is wrong")
    return signed


def _octets(value: object, length: int) -> bytes:
    found = _hexadecimal(value)
    if len(found) != length:
        raise NotACheckpoint(f"it has no {length} bytes in hexadecimal where they belong")
    return found


def _stamp(value: object) -> bytes:
    found = _hexadecimal(value)
    if not 0 < len(found) <= LARGEST_STAMP:
        raise NotACheckpoint("its time stamp is not what belongs there")
    return found


def _hexadecimal(value: object) -> bytes:
    """Empty for anything else."""
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""
