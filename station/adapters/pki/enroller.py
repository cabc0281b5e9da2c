"""What the relay asks of an interface to a PKI, and what may come of one request."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cryptography import x509


class Outcome(Enum):
    """What became of a request that brought no certificate."""

    NOTHING_ISSUED = "nothing was issued"
    UNKNOWN = "the answer was lost, and a certificate may have been issued"
    PENDING = "the PKI has the request and decides later; the same request again is a question, not a new request"


@dataclass(eq=False)
class NotNow(Exception):
    """There is no certificate this time, and there may be one the next time."""

    reason: str
    outcome: Outcome
    after: float | None = None
    """Seconds that the PKI asks to wait."""


class Enroller(Protocol):
    """An interface to a certificate authority. Every request may buy a certificate, so it never repeats one itself."""

    @property
    def url(self) -> str: ...

    async def enroll(self, csr: bytes) -> bytes:
        """Makes one request and returns the certificate for its key, DER; raises NotNow or a fault.

        Nothing was issued after CSRRejected, PKIRefusedStation, PKIUntrusted and ResourcesExhausted; after PKIAnswerInvalid
        something was.
        """

    async def authorities(self) -> list[x509.Certificate]:
        """The certificates that the authority issues under; asking has no effect. Raises faults of the line only."""
