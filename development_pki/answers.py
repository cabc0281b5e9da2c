# SPDX-License-Identifier: Apache-2.0
"""The forms of an answer: as this authority gives it, as others have been seen to, and refusals. No I/O."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from development_pki.faults import Fault, Faults

CERTS_ONLY = "application/pkcs7-mime; smime-type=certs-only"
PKIX_CERT = "application/pkix-cert"
PEM_FILE = "application/x-pem-file"
# In DER: the version 1, no digest algorithms, the content type `data` without content; no signers (RFC 5652, 5.1).
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
VERSION, NO_DIGESTS, NO_CONTENT = (
    bytes.fromhex("020101"),
    bytes.fromhex("3100"),
    bytes.fromhex("300b06092a864886f70d010701"),
)
NO_SIGNERS = bytes.fromhex("3100")
STATUSES = {
    Fault.PENDING: 202,
    Fault.BUSY: 503,
    Fault.TOO_MANY: 429,
    Fault.STATUS_204: 204,
    Fault.STATUS_301: 301,
    Fault.STATUS_307: 307,
    Fault.STATUS_401: 401,
    Fault.STATUS_403: 403,
    Fault.STATUS_404: 404,
    Fault.STATUS_500: 500,
    Fault.STATUS_502: 502,
}
PROXY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; without a content type the header is absent."""

    body: bytes = b""
    status: int = 200
    content_type: str | None = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    complete: bool = True
    """Whether it has the certificate."""


@dataclass(frozen=True, slots=True)
class Made:
    """The certificates that an answer may hold: one that was issued, or two, and the authority's own."""

    dacs: Sequence[x509.Certificate]
    pai: x509.Certificate
    paa: x509.Certificate

    @property
    def chain(self) -> list[x509.Certificate]:
        return [self.dacs[0], self.pai, self.paa]

    def single(self, encoding: Encoding) -> bytes:
        return self.dacs[0].public_bytes(encoding)

    def pkcs7(self, encoding: Encoding) -> bytes:
        return pkcs7.serialize_certificates(list(self.dacs), encoding)


def certs_only(*certificates: x509.Certificate) -> Answer:
    """The form of RFC 8951, in one line, since some clients refuse a wrapped answer, and none refuses this."""
    return _base64(base64.b64encode(_pkcs7(certificates)))


def with_certificates(form: Fault | None, faults: Faults, made: Made) -> Answer:
    """Answers with what was issued, in the form that a switch asks for."""
    if form is Fault.WRAPPED:
        return _wrapped(made, int(faults.number(form, "columns")), b"\n")
    if form is Fault.CR_LF:
        return _wrapped(made, int(faults.number(form, "columns")), b"\r\n")
    if form is None or form is Fault.TWO_CERTIFICATES:
        return certs_only(*made.dacs)
    return FORMS[form](made)


def with_head(answer: Answer, faults: Faults) -> Answer:
    """Changes status and content type as switches ask for."""
    if faults.strikes(Fault.STATUS_201):
        answer = replace(answer, status=201)
    if faults.strikes(Fault.CONTENT_TYPE_WRONG):
        answer = replace(answer, content_type="text/html; charset=utf-8")
    if faults.strikes(Fault.CONTENT_TYPE_MISSING):
        answer = replace(answer, content_type=None)
    return answer


def refusal(fault: Fault, faults: Faults, retry_after: float, path: str) -> Answer:
    """Answers without a certificate; `path` is that of the request."""
    status = STATUSES[fault]
    match fault:
        case Fault.PENDING | Fault.BUSY | Fault.TOO_MANY:
            seconds = faults.number(fault, "seconds", retry_after)
            text = _retry_after(faults.word(fault, "form"), seconds, datetime.now(UTC))
            return Answer(status=status, content_type=None, headers={"Retry-After": text} if text is not None else {})
        case Fault.STATUS_301 | Fault.STATUS_307:
            location = _location(faults.word(fault, "to"), path)
            return Answer(status=status, headers={"Location": location} if location is not None else {})
        case Fault.STATUS_204:
            return Answer(status=status, content_type=None)
        case Fault.STATUS_401:
            return Answer(b"Unauthorized\n", status, headers={"WWW-Authenticate": 'Basic realm="development PKI"'})
        case Fault.STATUS_502:
            return Answer(PROXY.encode(), status, "text/html", {"Server": "nginx"})
        case _:
            return Answer(f"{status}: so the switch {fault.label} asks for.\n".encode(), status)


def subject_taken(subject: str, faults: Faults) -> Answer:
    """Refuses a request in the words of `openssl ca`."""
    status = int(faults.number(Fault.UNIQUE_SUBJECT, "status"))
    return Answer(f"There is already a certificate for {subject}\n".encode(), status)


def _retry_after(form: str, seconds: float, now: datetime) -> str | None:
    then = now + timedelta(seconds=min(seconds, 10**9))
    return {
        "seconds": f"{seconds:.0f}",
        "date": format_datetime(then, usegmt=True),
        "date_past": format_datetime(now - timedelta(days=1), usegmt=True),
        "date_without_zone": format_datetime(then, usegmt=True).removesuffix(" GMT"),
        "date_absurd_zone": "Fri, 31 Dec 9999 23:59:59 -2300",
        "garbage": "when the cows come home",
        "superscript": "\N{SUPERSCRIPT TWO}",
        "digits": "9" * 400,
        "none": None,
    }[form]


def _location(to: str, path: str) -> str | None:
    moved = path.replace("/est", "/est/moved", 1)  # a label, below which the same authority answers
    return {
        "same_origin": moved,
        "other_origin": f"https://localhost:1{path}",  # nobody listens there
        "plain_http": f"http://localhost:1{path}",
        "itself": path,
        "none": None,
    }[to]


def _base64(body: bytes, content_type: str = CERTS_ONLY) -> Answer:
    return Answer(body, content_type=content_type, headers={"Content-Transfer-Encoding": "base64"})


def _wrapped(made: Made, columns: int, end: bytes) -> Answer:
    text, width = base64.b64encode(made.pkcs7(Encoding.DER)), max(columns, 1)
    return _base64(b"".join(text[start : start + width] + end for start in range(0, len(text), width)))


def _pkcs7(certificates: Sequence[x509.Certificate]) -> bytes:
    if not certificates:  # the library makes no empty set
        return _signed_data(b"")
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


def _unsorted_pkcs7(certificates: Sequence[x509.Certificate]) -> bytes:
    """The library sorts, as DER asks for; this writes the set in the opposite order."""
    backwards = sorted((each.public_bytes(Encoding.DER) for each in certificates), reverse=True)
    return _signed_data(_element(0xA0, b"".join(backwards)))


def _signed_data(certificates: bytes) -> bytes:
    signed = _element(0x30, VERSION + NO_DIGESTS + NO_CONTENT + certificates + NO_SIGNERS)
    return _element(0x30, SIGNED_DATA + _element(0xA0, signed))


def _element(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


# Wrapped lines and two certificates aside.
FORMS: Mapping[Fault, Callable[[Made], Answer]] = {
    Fault.GARBAGE: lambda _: replace(_base64(base64.b64encode(b"This is not a certificate.")), complete=False),
    Fault.EMPTY: lambda _: replace(_base64(b""), complete=False),
    Fault.DER: lambda made: Answer(made.pkcs7(Encoding.DER), content_type=CERTS_ONLY),
    Fault.PEM: lambda made: Answer(made.pkcs7(Encoding.PEM), content_type=PEM_FILE),
    Fault.SINGLE: lambda made: _base64(base64.b64encode(made.single(Encoding.DER)), PKIX_CERT),
    Fault.SINGLE_DER: lambda made: Answer(made.single(Encoding.DER), content_type=PKIX_CERT),
    Fault.SINGLE_PEM: lambda made: Answer(made.single(Encoding.PEM), content_type=PEM_FILE),
    Fault.BOM: lambda made: _base64(b"\xef\xbb\xbf" + base64.b64encode(made.pkcs7(Encoding.DER))),
    Fault.WITH_PAI: lambda made: certs_only(*made.chain[:2]),
    Fault.WITH_PAA: lambda made: certs_only(*made.chain),
    Fault.UNSORTED: lambda made: _base64(base64.b64encode(_unsorted_pkcs7(made.chain))),
}
