# SPDX-License-Identifier: Apache-2.0
"""What the memories of a board say, read from its files: factory data, key, firmware, and whether a commissioner would take it."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.campaign.referee.codes import verifier_of
from virtual_bench.board.factory_data import BLOCK, Unreadable, records

FLASHES = ("internal.bin", "qspi.bin")
FACTORY_DATA = 0x1C0000  # from the beginning of qspi.bin
DECLARATION, DAC, PAI, KEY, PUBLIC_KEY = 1, 3, 4, 5, 6
DISCRIMINATOR, ITERATIONS, SALT, VERIFIER, PASSCODE = 11, 12, 13, 14, 15
VENDOR, PRODUCT, SERIAL_NUMBER, MANUFACTURED, ROTATING = 22, 24, 25, 26, 29
ALLOWED_ITERATIONS = range(1_000, 100_001)  # Matter's CRYPTO_PBKDF_ITERATIONS_MIN and _MAX
HIGHEST_PASSCODE = 99_999_998
VENDOR_ID, PRODUCT_ID = (x509.ObjectIdentifier(f"1.3.6.1.4.1.37244.2.{last}") for last in (1, 2))


@dataclass(frozen=True)
class Board:
    """One board as the bench has left it; `images` are the SHA-256 of the known images that its flash begins with."""

    number: int
    uid: str
    probe: str
    records: Mapping[int, bytes] = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    """Of the secure storage."""
    images: frozenset[str]

    @classmethod
    def read(cls, folder: Path, images: Mapping[str, bytes]) -> "Board":
        plate = json.loads((folder / "board.json").read_text(encoding="utf-8"))
        block = _content(folder / "qspi.bin")[FACTORY_DATA : FACTORY_DATA + BLOCK]
        try:
            found = records(block)
        except Unreadable:
            found = {}
        internal = _content(folder / "internal.bin")
        begun = frozenset(name for name, image in images.items() if internal.startswith(image))
        stored = json.loads((folder / "secure_storage.json").read_text(encoding="utf-8"))
        keys = tuple(bytes.fromhex(each["private_key"]) for each in stored)
        return cls(int(plate["number"]), str(plate["uid"]), folder.name, found, keys, begun)

    def number_in(self, tag: int) -> int | None:
        value = self.records.get(tag)
        return None if value is None else int.from_bytes(value, "little")

    def text_in(self, tag: int) -> str | None:
        value = self.records.get(tag)
        return None if value is None else value.rstrip(b"\0").decode(errors="replace")

    @property
    def serial_number(self) -> str | None:
        return self.text_in(SERIAL_NUMBER)

    @property
    def passcode(self) -> int | None:
        return self.number_in(PASSCODE)

    @property
    def dac(self) -> bytes | None:
        return self.records.get(DAC)

    @cached_property
    def certificate(self) -> x509.Certificate | None:
        """The DAC, if its bytes are a certificate."""
        return _certificate(self.dac)

    def opens_by(self, passcode: int) -> bool:
        """Whether the board's verifier is that of the passcode."""
        salt, iterations = self.records.get(SALT, b""), self.number_in(ITERATIONS)
        if iterations is None or iterations not in ALLOWED_ITERATIONS or not 0 < passcode <= HIGHEST_PASSCODE:
            return False
        return verifier_of(passcode, salt, iterations) == self.records.get(VERIFIER)

    def flaws(self, operational: frozenset[str], paa: x509.Certificate) -> Iterator[str]:
        """Why a commissioner would refuse this board; `operational` are the images of which one must be in its flash."""
        if not self.records:
            yield "no readable factory data"
            return
        if not self.images & operational:
            yield "no operational image"
        for tag, name in {DECLARATION: "certification declaration", VERIFIER: "verifier", SALT: "salt"}.items():
            if not self.records.get(tag):
                yield f"no {name}"
        if self.passcode is not None and not self.opens_by(self.passcode):
            yield "a verifier that its passcode does not make"
        yield from self._flaws_of_attestation(paa)

    def _flaws_of_attestation(self, paa: x509.Certificate) -> Iterator[str]:
        certificate, pai = self.certificate, _certificate(self.records.get(PAI))
        if certificate is None or pai is None:
            yield "no certificate" if certificate is None else "no PAI"
            return
        if not (_signed(certificate, pai) and _signed(pai, paa)):
            yield "a certificate that does not chain to the PAA"
        public = certificate.public_key()
        if not any(_public(key) == public for key in (self.records.get(KEY), *self.keys) if key):
            yield "no private key of its certificate"
        if (own := self.records.get(PUBLIC_KEY)) is not None and own != _point(certificate):
            yield "another public key than its certificate's"
        for tag, oid in {VENDOR: VENDOR_ID, PRODUCT: PRODUCT_ID}.items():
            named = [str(each.value) for each in certificate.subject.get_attributes_for_oid(oid)]
            if named != [f"{self.number_in(tag) or 0:04X}"]:
                yield "a certificate of another product"


def pack(folder: Path) -> None:
    """Compresses the flash files of a board that no bench serves any more: 3 MB each would fill a disk."""
    for name in FLASHES:
        with gzip.open(folder / f"{name}.gz", "wb", compresslevel=1) as packed:
            packed.write((folder / name).read_bytes())
        (folder / name).unlink()


def _content(file: Path) -> bytes:
    packed = file.with_name(f"{file.name}.gz")
    return gzip.decompress(packed.read_bytes()) if packed.exists() else file.read_bytes()


def _certificate(value: bytes | None) -> x509.Certificate | None:
    """None also if it is one that nobody can use, since its key is of no known kind."""
    if value is None:
        return None
    try:
        certificate = x509.load_der_x509_certificate(value)
        certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None
    return certificate


def _point(certificate: x509.Certificate) -> bytes:
    """The certificate's key, uncompressed; empty if it is on no curve."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _public(key: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.derive_private_key(int.from_bytes(key), ec.SECP256R1()).public_key()
    except ValueError:
        return None
