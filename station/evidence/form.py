# SPDX-License-Identifier: Apache-2.0
"""The form of a bundle: the names of its members, the manifest of their hashes, and the signature over the manifest. Pure."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "matter-station-evidence/1"
CONTEXT = f"{FORMAT}\n".encode()
"""Before the manifest in what is signed, so that the signature fits nothing else that the key signs."""

BUNDLE = "bundle.json"
UNITS = "units.ndjson"
CERTIFICATES = "certificates.ndjson"
REQUESTS = "requests.ndjson"
ATTEMPTS = "attempts.ndjson"
JOURNAL = "journal.ndjson"
LABELS = "labels.ndjson"
EXCEPTIONS = "exceptions.ndjson"
AUDIT = "audit.json"
SBOM = "sbom.cdx.json"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig.json"

ALWAYS = (BUNDLE, UNITS, CERTIFICATES, REQUESTS, ATTEMPTS, JOURNAL, LABELS, EXCEPTIONS, AUDIT, SBOM)
"""In every bundle, beside recipes, PAI and PAA, manifest and signature."""
OTHERS = re.compile(r"recipes/[0-9a-f]{64}\.toml|pai/[0-9a-f]{64}\.pem|paa/[0-9a-f]{64}\.pem")

_SHA256 = re.compile("[0-9a-f]{64}")
_PEM_WIDTH = 64


class NotABundle(Exception):
    """The file cannot be read as a bundle; the text says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the manifest has it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All members but itself and its signature, in their order."""

    lot: str
    made_at: str
    members: Sequence[Member]

    def content(self) -> bytes:
        members = [{"name": each.name, "size": each.size, "sha256": each.sha256} for each in self.members]
        return canonical({"format": FORMAT, "lot": self.lot, "made_at": self.made_at, "members": members}) + b"\n"

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Raises `NotABundle`."""
        said = read_object(MANIFEST, content)
        members = said.get("members")
        if said.get("format") != FORMAT:
            raise NotABundle(f"{MANIFEST}: its format is {said.get('format')!a}, and this station reads {FORMAT}")
        if not isinstance(members, list):
            raise NotABundle(f"{MANIFEST}: it lists no members")
        return cls(
            text_of(MANIFEST, said, "lot"), text_of(MANIFEST, said, "made_at"), [_member(each) for each in members]
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature over a manifest, and the key that it verifies under."""

    public_key: bytes
    signature: bytes

    def content(self) -> bytes:
        said = {"algorithm": "Ed25519", "public_key": self.public_key.hex(), "signature": self.signature.hex()}
        return canonical(said) + b"\n"

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Raises `NotABundle`."""
        said = read_object(SIGNATURE, content)
        try:
            found = cls(
                bytes.fromhex(text_of(SIGNATURE, said, "public_key")),
                bytes.fromhex(text_of(SIGNATURE, said, "signature")),
            )
        except ValueError:
            raise NotABundle(f"{SIGNATURE}: key and signature are not hexadecimal") from None
        if said.get("algorithm") != "Ed25519" or len(found.public_key) != 32 or len(found.signature) != 64:
            raise NotABundle(f"{SIGNATURE}: it is no signature of Ed25519")
        return found

    def fits(self, manifest: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(self.signature, CONTEXT + manifest)
        except (InvalidSignature, ValueError):
            return False
        return True


def canonical(value: object) -> bytes:
    """JSON in the one form in which the same value always has the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read_object(place: str, content: bytes | str) -> Mapping[str, object]:
    """A JSON object that every reader reads alike: in UTF-8, each name once, no NaN; raises `NotABundle`."""
    try:
        text = content if isinstance(content, str) else content.decode()
        said: object = json.loads(text, object_pairs_hook=_each_once, parse_constant=_none)
    except (ValueError, RecursionError):
        raise NotABundle(f"{place}: it is no JSON") from None
    if not isinstance(said, dict):
        raise NotABundle(f"{place}: it is no JSON object")
    return said


def _each_once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _none(constant: str) -> object:
    raise ValueError(f"{constant} is no value of JSON")


def text_of(place: str, said: Mapping[str, object], key: str) -> str:
    """A value that must be text; raises `NotABundle` with the member's name."""
    value = said.get(key)
    if not isinstance(value, str):
        raise NotABundle(f"{place}: {key} is {'missing' if value is None else 'no text'}")
    return value


def pem(der: bytes) -> str:
    """A certificate in PEM, whatever bytes it has."""
    text = base64.b64encode(der).decode()
    lines = [text[at : at + _PEM_WIDTH] for at in range(0, len(text), _PEM_WIDTH)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def fingerprint(key: bytes) -> str:
    """A public key as people compare it: SHA-256 of its 32 bytes."""
    return hashlib.sha256(key).hexdigest()


def _member(said: object) -> Member:
    if not isinstance(said, dict):
        raise NotABundle(f"{MANIFEST}: a member is no JSON object")
    size = said.get("size")
    found = Member(
        text_of(MANIFEST, said, "name"), size if isinstance(size, int) else -1, text_of(MANIFEST, said, "sha256")
    )
    if found.size < 0 or not _SHA256.fullmatch(found.sha256):
        raise NotABundle(f"{MANIFEST}: size or SHA-256 of {found.name!a} is missing")
    if found.name not in ALWAYS and not OTHERS.fullmatch(found.name):
        raise NotABundle(f"{MANIFEST}: no bundle has a member {found.name!a}")
    return found
