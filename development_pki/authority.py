# SPDX-License-Identifier: Apache-2.0
"""The issuing authority: makes one DAC for every request, and writes each to `issued.jsonl` before handing it out."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypedDict

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from development_pki.attestation import PRODUCT_ID, VENDOR_ID, Product, make_dac
from development_pki.certificate import Credential, new_key
from development_pki.directory import ISSUED, DirectoryUnusable, open_or_make
from development_pki.faults import Fault, Faults


class Issued(TypedDict):
    """One line of `issued.jsonl`; the time is in seconds since 1970, the certificate is PEM."""

    time: float
    serial_number: str
    key_sha256: str
    subject: str
    station: str
    certificate: str


@dataclass(frozen=True, slots=True)
class Authority:
    """A test PAI at work."""

    paa: x509.Certificate
    pai: Credential
    product: Product
    issued: BinaryIO

    def issue(self, public_key: ec.EllipticCurvePublicKey, station: str, faults: Faults) -> x509.Certificate:
        """Makes a DAC, writes it to the disk, and returns it.

        The call blocks the event loop, so that no other request runs between issuing and writing.
        """
        dac = make_dac(
            self.pai,
            self.product.other() if faults.strikes(Fault.WRONG_PRODUCT) else self.product,
            new_key().public_key() if faults.strikes(Fault.WRONG_KEY) else public_key,
            expired=faults.strikes(Fault.EXPIRED),
        )
        self.issued.write(_line(dac, station))
        self.issued.flush()
        os.fsync(self.issued.fileno())
        return dac


@contextmanager
def opened(directory: Path, product: Product) -> Iterator[Authority]:
    """Opens the directory, or makes it, and keeps it locked for the block; raises DirectoryUnusable."""
    paa, pai = open_or_make(directory, product)
    with (directory / ISSUED).open("rb+") as issued:
        try:
            fcntl.flock(issued, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DirectoryUnusable(f"{directory} is being served by another process") from exc
        # A line torn by a power cut has no line end; its certificate was never handed out.
        whole = issued.read().rpartition(b"\n")
        issued.truncate(len(whole[0] + whole[1]))
        issued.seek(0, os.SEEK_END)
        yield Authority(paa, pai, product, issued)


def issued_by(directory: Path) -> list[Issued]:
    """Lists the certificates that the directory's authority has issued, oldest first; it may go on issuing."""
    lines, _, _ = (directory / ISSUED).read_text().rpartition("\n")
    return [json.loads(line) for line in lines.splitlines()]


def key_sha256(certificate: x509.Certificate) -> str:
    """The name of a key in lists and logs: SHA-256 over its SubjectPublicKeyInfo."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


def _line(dac: x509.Certificate, station: str) -> bytes:
    entry: Issued = {
        "time": round(time.time(), 3),
        "serial_number": f"{dac.serial_number:X}",
        "key_sha256": key_sha256(dac),
        "subject": dac.subject.rfc4514_string({VENDOR_ID: "VID", PRODUCT_ID: "PID"}),
        "station": station,
        "certificate": dac.public_bytes(Encoding.PEM).decode(),
    }
    return json.dumps(entry).encode() + b"\n"
