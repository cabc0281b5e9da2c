# SPDX-License-Identifier: Apache-2.0
"""OpenBao, and HashiCorp's Vault: `sign-verbatim` of the engine for certificates, which leaves the request's subject as it is."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from station.adapters.pki import answers
from station.adapters.pki.answers import NoCertificates
from station.adapters.pki.enroller import AnswerUnusable, Issued, NotNow, Outcome
from station.adapters.pki.http import Connection
from station.adapters.pki.http_answer import FIRST_REFUSAL, Answer, one_line, refusal_of_station, refused_question
from station.adapters.pki.openbao_list import NOT_THERE, CertificateList
from station.adapters.pki.openbao_session import (
    BAD_REQUEST,
    FORBIDDEN,
    NOT_HANDLED,
    OK,
    Login,
    Session,
    data,
    in_words,
    table,
    told,
    values,
)
from station.domain.credentials import csr_key
from station.faults import LineFault
from station.faults.line import PKIAddressWrong, PKIAnswerInvalid, PKIAuthoritiesInvalid, PKIForbidden
from station.faults.unit import CSRRejected


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server signs, and until when."""

    mount: str = "pki"
    issuer: str | None = None
    role: str | None = None
    not_after: str = "9999-12-31T23:59:59Z"

    @property
    def signing(self) -> str:
        issuer = f"issuer/{self.issuer}/" if self.issuer else ""
        role = f"/{self.role}" if self.role else ""
        return f"v1/{self.mount}/{issuer}sign-verbatim{role}"


class OpenBao:
    """A server, asked with the rights of the station's token or certificate."""

    lacks: tuple[str, ...] | None = None

    def __init__(
        self,
        connection: Connection,
        place: Place,
        *,
        login: Login | None,
        namespace: str | None = None,
        pinned: x509.Certificate | None = None,
    ) -> None:
        """`pinned`: the authority that issues, where the server's own is not to be compared with it."""
        self.url = connection.url
        self._connection = connection
        self._session = Session(connection, login, namespace)
        self._list = CertificateList(self._session, place.mount)
        self._place = place
        self._pinned = pinned

    def time(self) -> datetime | None:
        """See `Provider`."""
        return self._connection.time()

    @property
    def certificate_days(self) -> int | None:
        """See `Provider`."""
        return self._connection.certificate_days if self._connection.has_certificate else None

    def look(self) -> int | None:
        """See `Provider`."""
        return self._connection.look() if self._connection.has_certificate else None

    async def enroll(self, csr: bytes) -> Issued:
        """See `Enroller`."""
        lines = base64.encodebytes(csr).decode()
        wanted: Mapping[str, object] = {
            "csr": f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}-----END CERTIFICATE REQUEST-----\n",
            "format": "pem",
            "key_usage": ["DigitalSignature"],
            "ext_key_usage": [],
            "basic_constraints_valid_for_non_ca": True,
            "not_after": self._place.not_after,
        }
        answer = await self._session.exchange("POST", self._place.signing, wanted)
        if answer.status == OK:
            return self._issued(answer, csr)
        if answer.status == FORBIDDEN:
            raise await self._forbidden(answer)
        raise self._refusal(answer)

    async def issued_for(self, csr: bytes) -> list[bytes] | None:
        """See `Enroller`: from the mount's own list."""
        return await self._list.certificates_for(csr_key(csr))

    async def authorities(self) -> list[x509.Certificate]:
        """See `Enroller`: the issuer and what is above it. Also checks whether the station is let in, and the role."""
        await self._session.check()
        try:
            answer = await self._session.question(
                f"v1/{self._place.mount}/issuer/{self._place.issuer or 'default'}/json"
            )
            if answer.status in NOT_HANDLED and answer.after is not None:
                raise NotNow(told(answer), Outcome.NOTHING_ISSUED, answer.after)
            if answer.status != OK:
                raise refused_question(self.url, in_words(answer))
            await self._check_role()
        except AnswerUnusable as exc:
            raise PKIAuthoritiesInvalid(self.url, exc.fault.reason) from exc
        if self._pinned is not None:
            return [self._pinned]
        chain = data(answer).get("ca_chain")
        texts = [each for each in chain if isinstance(each, str)] if isinstance(chain, list) else []
        try:
            return [x509.load_der_x509_certificate(each) for each in answers.certificates_in("".join(texts).encode())]
        except (NoCertificates, ValueError) as exc:
            reason = f"found {one_line(str(exc))}, expected the issuer's ca_chain"
            raise PKIAuthoritiesInvalid(self.url, reason) from exc

    async def _check_role(self) -> None:
        """A role that is not there is refused like a bad request, for which a board would pay."""
        if self._place.role is None:
            return
        answer = await self._session.question(f"v1/{self._place.mount}/roles/{self._place.role}")
        if answer.status in NOT_THERE:  # another answer says nothing: a station needs no right to read roles
            raise PKIAddressWrong(self.url, f"the mount {self._place.mount} has no role {self._place.role}")

    def _issued(self, answer: Answer, csr: bytes) -> Issued:
        text = data(answer).get("certificate")
        content = text.encode() if isinstance(text, str) else answer.body
        try:
            certificates = answers.certificates_in(content)
        except NoCertificates as exc:
            fault = PKIAnswerInvalid(self.url, f"found {_instead(answer, str(exc))}, expected data.certificate")
            raise AnswerUnusable(fault, answer.body, answers.readable_in(content)) from exc
        key = csr_key(csr)
        if [answers.key_of(each) for each in certificates] == [key]:
            return Issued(certificates[0])
        fault = PKIAnswerInvalid(self.url, f"found {len(certificates)} certificates, expected one for the key {key}")
        raise AnswerUnusable(fault, answer.body, tuple(certificates))

    def _refusal(self, answer: Answer) -> Exception:
        if answer.status in NOT_HANDLED:
            return NotNow(told(answer), Outcome.NOTHING_ISSUED, answer.after)
        if answer.status in BAD_REQUEST:
            return CSRRejected(told(answer))
        if fault := refusal_of_station(self.url, in_words(answer)):
            return fault
        if answer.status < FIRST_REFUSAL:
            unusable = PKIAnswerInvalid(self.url, f"found {answers.found(answer.body)}, expected JSON: {answer.told}")
            return AnswerUnusable(unusable, answer.body, answers.readable_in(answer.body))
        # The server may have failed after it had signed, and a proxy does not know what became of the request.
        return NotNow(told(answer), Outcome.UNKNOWN, answer.after)

    async def _forbidden(self, answer: Answer) -> LineFault:
        """Whether the token is none, or has too few rights: the server says "permission denied" to both."""
        try:
            await self._session.check()
        except LineFault as fault:
            return fault
        except AnswerUnusable as exc:
            return exc.fault
        return PKIForbidden(self.url, f"{told(answer)}: the token gives no right to {self._place.signing}")


def _instead(answer: Answer, found: str) -> str:
    """What a success without a certificate is; never with the token that opens a wrapped answer."""
    if table(values(answer)).get("wrap_info"):
        return "a wrapped answer, which the station does not unwrap: have the proxy or server in between wrap nothing"
    return f"{found} in {answer.told}"
