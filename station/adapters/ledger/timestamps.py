# SPDX-License-Identifier: Apache-2.0
"""Time stamps of checkpoints by an authority (RFC 3161): the question to it, and what its answer proves.

The imprint is the SHA-256 of the checkpoint's statement. An answer is checked when it comes and whenever it is read again, by the
authority's pinned certificate; its certificates must have been valid at the stamp's moment, and not today.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cryptography import x509

from station.adapters.ledger.key_file import KeyUnusable, content

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

EXTRA = "pip install 'matter-provisioning-station[timestamp]'"
LARGEST_PEM = 65_536  # bytes that are read
SHA256 = "2.16.840.1.101.3.4.2.1"


class NotAStamp(Exception):
    """There is no time stamp, or it proves nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """A TimeStampReq in DER, and its nonce, which the answer has, too."""

    body: bytes
    nonce: int


class StampAuthority:
    """The authority whose certificates are pinned: its root, and any intermediate that its answers leave out."""

    def __init__(self, certificates: list[x509.Certificate]) -> None:
        self._certificates = certificates

    @classmethod
    def of(cls, file: Path) -> Self:
        """By this file of certificates in PEM. Raises `KeyUnusable`, also where the library is missing."""
        pem = content(file, "time-stamping authority's certificate", LARGEST_PEM, private=False)
        try:
            import rfc3161_client  # noqa: F401  whether it is there
        except ImportError as exc:
            raise KeyUnusable(f"time stamps need rfc3161-client: {EXTRA}") from exc
        try:
            return cls(x509.load_pem_x509_certificates(pem))
        except ValueError:
            raise KeyUnusable(f"{file}: it is no certificate in PEM") from None

    def question(self, statement: bytes) -> Question:
        """Asks for the authority's certificate, too."""
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

        made = TimestampRequestBuilder(statement, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()
        assert made.nonce is not None
        return Question(made.as_bytes(), made.nonce)

    def check(self, statement: bytes, answer: bytes, nonce: int | None = None) -> datetime:
        """The moment at which the statement was there, by this TimeStampResp in DER. Raises `NotAStamp`."""
        from rfc3161_client import VerificationError, VerifierBuilder

        found = _decoded(answer)
        verifier = VerifierBuilder(roots=list(self._certificates), nonce=nonce).build()
        try:
            imprint = found.tst_info.message_imprint
            if imprint.hash_algorithm.dotted_string != SHA256:
                raise NotAStamp("its imprint is no SHA-256")
            verifier.verify(found, hashlib.sha256(statement).digest())
            at = found.tst_info.gen_time
        except (VerificationError, ValueError) as exc:
            raise NotAStamp(_told(exc)) from exc
        return at


def _decoded(answer: bytes) -> "TimeStampResponse":
    from rfc3161_client import decode_timestamp_response

    try:
        found = decode_timestamp_response(answer)
        status = found.status
    except ValueError as exc:
        raise NotAStamp("it is no answer of a time-stamping authority (RFC 3161)") from exc
    if status != 0:
        raise NotAStamp(f"the authority refuses, with the status {status}")
    return found


def _told(exc: Exception) -> str:
    """The library's reason, without OpenSSL's stack of errors."""
    return str(exc).partition(": ErrorStack")[0]
