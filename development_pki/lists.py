# SPDX-License-Identifier: Apache-2.0
"""The authority's own lists, one JSON object a line: what was asked for, what was issued, how each request ended.

A request is joined to its certificates and its end by its number, which goes on over restarts.
"""

import fcntl
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, TypedDict

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from development_pki.attestation import PRODUCT_ID, VENDOR_ID
from development_pki.directory import ANSWERS, ISSUED, REQUESTS, DirectoryUnusable


class Fate(StrEnum):
    """How a request ended, as this server saw it."""

    SENT = "sent"
    """The whole answer, with every certificate, was handed to the connection; the station may have lost it yet."""
    WITHHELD = "withheld"
    """A switch kept the certificate, or part of the answer, back."""
    LOST = "lost"
    """The connection had ended before the answer was sent."""
    REFUSED = "refused"
    """Nothing was issued."""
    UNKNOWN = "unknown"
    """The server has not got to the end of it, or was killed before."""


class Issued(TypedDict):
    """One line of `issued.jsonl`; the time is in seconds since 1970, the certificate is PEM.

    The request's subject is None where there was no request.
    """

    time: float
    serial_number: str
    key_sha256: str
    subject: str
    station: str
    certificate: str
    request: int
    requested_subject: str | None


class Request(TypedDict):
    """One line of `requests.jsonl`: an enrolment arrived; the key is None if the body was no request for a DAC."""

    request: int
    time: float
    station: str
    station_sha256: str
    key_sha256: str | None


class Answer(TypedDict):
    """One line of `answers.jsonl`: an enrolment ended; the status is None if the client got none."""

    request: int
    time: float
    status: int | None
    fate: str


class IssuedWithFate(Issued):
    """A certificate, with how its request ended."""

    fate: str


class RequestWithAnswer(Request):
    """A request, with how it ended and the serial numbers of what was issued for it."""

    status: int | None
    fate: str
    serial_numbers: list[str]


@dataclass(slots=True)
class Lists:
    """The three files, open for the one process that serves the directory."""

    issued: BinaryIO
    requests: BinaryIO
    answers: BinaryIO
    last_request: int
    last_serial_number: int | None
    requested_subjects: set[str]
    """Those for which a certificate was issued."""

    def request_came(self, moment: float, station: x509.Certificate, name: str, key: str | None) -> int:
        """Writes down that an enrolment came, and returns its number."""
        self.last_request += 1
        line: Request = {
            "request": self.last_request,
            "time": round(moment, 3),
            "station": name,
            "station_sha256": hashlib.sha256(station.public_bytes(Encoding.DER)).hexdigest(),
            "key_sha256": key,
        }
        _write(self.requests, line)
        return self.last_request

    def certificate_issued(self, dac: x509.Certificate, station: str, request: int, subject: str | None) -> None:
        """Writes down a certificate, and returns when it is on the disk."""
        entry: Issued = {
            "time": round(time.time(), 3),
            "serial_number": f"{dac.serial_number:X}",
            "key_sha256": key_sha256(dac.public_key()),
            "subject": text_of(dac.subject),
            "station": station,
            "certificate": dac.public_bytes(Encoding.PEM).decode(),
            "request": request,
            "requested_subject": subject,
        }
        _write(self.issued, entry)
        os.fsync(self.issued.fileno())
        if subject is not None:
            self.requested_subjects.add(subject)
        self.last_serial_number = dac.serial_number

    def request_ended(self, request: int, status: int | None, fate: Fate) -> None:
        """Writes down how an enrolment ended."""
        line: Answer = {"request": request, "time": round(time.time(), 3), "status": status, "fate": fate.value}
        _write(self.answers, line)


@contextmanager
def opened_lists(directory: Path) -> Iterator[Lists]:
    """Opens the lists and keeps them locked for the block; raises DirectoryUnusable if another process has them."""
    with ExitStack() as files:
        issued = files.enter_context((directory / ISSUED).open("rb+"))
        try:
            fcntl.flock(issued, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DirectoryUnusable(f"{directory} is being served by another process") from exc
        requests, answers = (
            files.enter_context(os.fdopen(os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o600), "rb+"))
            for name in (REQUESTS, ANSWERS)
        )
        for file in (issued, requests, answers):
            # A line torn by a power cut has no line end; its certificate was never handed out.
            whole = file.read().rpartition(b"\n")
            file.truncate(len(whole[0] + whole[1]))
            file.seek(0, os.SEEK_END)
        before, asked = issued_by(directory), requests_of(directory)
        yield Lists(
            issued,
            requests,
            answers,
            last_request=asked[-1]["request"] if asked else 0,
            last_serial_number=int(before[-1]["serial_number"], 16) if before else None,
            requested_subjects={each for entry in before if (each := entry.get("requested_subject"))},
        )


def issued_by(directory: Path) -> list[Issued]:
    """Lists the certificates that the directory's authority has issued, oldest first; it may go on issuing."""
    return [json.loads(line) for line in _lines(directory / ISSUED)]


def requests_of(directory: Path) -> list[Request]:
    """Lists the enrolments that came, oldest first, refused ones too."""
    return [json.loads(line) for line in _lines(directory / REQUESTS)]


def issued_with_fates(directory: Path) -> list[IssuedWithFate]:
    """Lists the certificates, each with how its request ended."""
    ends = _ends(directory)
    fates = {request: end["fate"] for request, end in ends.items()}
    return [{**entry, "fate": fates.get(entry.get("request", 0), Fate.UNKNOWN.value)} for entry in issued_by(directory)]


def requests_with_answers(directory: Path) -> list[RequestWithAnswer]:
    """Lists the enrolments, each with how it ended and what was issued for it."""
    ends, serial_numbers = _ends(directory), defaultdict[int, list[str]](list)
    for entry in issued_by(directory):
        serial_numbers[entry.get("request", 0)].append(entry["serial_number"])
    open_end: Answer = {"request": 0, "time": 0.0, "status": None, "fate": Fate.UNKNOWN.value}
    return [
        {
            **asked,
            "status": ends.get(asked["request"], open_end)["status"],
            "fate": ends.get(asked["request"], open_end)["fate"],
            "serial_numbers": serial_numbers[asked["request"]],
        }
        for asked in requests_of(directory)
    ]


def text_of(subject: x509.Name) -> str:
    """A subject as the lists have it."""
    return subject.rfc4514_string({VENDOR_ID: "VID", PRODUCT_ID: "PID"})


def key_sha256(key: object) -> str:
    """The name of a key in lists and logs: SHA-256 over its SubjectPublicKeyInfo."""
    if isinstance(key, x509.Certificate):
        key = key.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _ends(directory: Path) -> dict[int, Answer]:
    answers: list[Answer] = [json.loads(line) for line in _lines(directory / ANSWERS)]
    return {answer["request"]: answer for answer in answers}


def _lines(path: Path) -> list[str]:
    if path.parent.is_dir() and path.name != ISSUED and not path.exists():  # never served
        return []
    lines, _, _ = path.read_text().rpartition("\n")
    return lines.splitlines()


def _write(file: BinaryIO, line: Mapping[str, object]) -> None:
    file.write(json.dumps(line).encode() + b"\n")
    file.flush()
