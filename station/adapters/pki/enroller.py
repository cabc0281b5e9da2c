# SPDX-License-Identifier: Apache-2.0
"""The interface that the relay needs of a PKI, and the possible outcomes of one request."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cryptography import x509

from station.faults.line import PKIAnswerInvalid


class Outcome(Enum):
    """The state of a request that brought no certificate."""

    NOTHING_ISSUED = "nothing was issued"
    UNKNOWN = "the answer was lost, and a certificate may have been issued"
    PENDING = "the PKI has the request and decides later; the same request again is a question, not a new request"


@dataclass(frozen=True, slots=True)
class Issued:
    """An answer with the certificate for the key, DER. `others` are those that came along, in no order: authorities, mostly."""

    certificate: bytes
    others: tuple[bytes, ...] = ()


@dataclass(eq=False)
class NotNow(Exception):
    """This request brought no certificate; the next one may."""

    reason: str
    outcome: Outcome
    after: float | None = None
    """Seconds that the PKI asks to wait."""


@dataclass(eq=False)
class AnswerUnusable(Exception):
    """A whole answer came, and it holds no certificate that the station could use, although one was or may have been issued."""

    fault: PKIAnswerInvalid
    content: bytes = b""
    """The answer's body, as far as it was read."""
    certificates: tuple[bytes, ...] = ()
    """Every certificate that could be read from it, DER."""


class Enroller(Protocol):
    """An interface to a certificate authority.

    It never repeats a request by itself, since every request may buy a certificate.
    """

    @property
    def url(self) -> str: ...

    async def enroll(self, csr: bytes) -> Issued:
        """Makes one request and returns the certificate for its key; raises NotNow, AnswerUnusable or a fault.

        After CSRRejected, PKIRefusedStation, PKIUntrusted and ResourcesExhausted no certificate was issued.
        """

    async def issued_for(self, csr: bytes) -> list[bytes] | None:
        """The certificates for the request's key in the PKI's own list, DER; None if the PKI shows its list to no station.

        Changes nothing at the PKI; raises faults of the line only.
        """

    async def authorities(self) -> list[x509.Certificate]:
        """The CA certificates under which the authority issues.

        Changes nothing at the PKI; raises faults of the line, and NotNow if the PKI asks not to be asked for some time.
        """
