# SPDX-License-Identifier: Apache-2.0
"""Reads the answers of a node of the CSA's ledger (DCL) to REST questions, whether they come as files or from a server. Pure.

Nothing in an answer is trusted: `dcl_trust` verifies the certificates, `crl` the revocation lists.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of

CRL_LABEL = "X509 CRL"
ROOTS, CHILDREN, POINTS = "approvedRootCertificates", "childCertificates", "PkiRevocationDistributionPoint"
_CRL_TYPE = 1  # Matter Core Specification 11.23.9: RFC 5280 certificate revocation lists


class AnswerInvalid(Exception):
    """A file is no answer of a DCL node, or lacks a member; the text names both."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A certificate as the ledger lists it: the DER of its subject, and its subject key identifier."""

    subject: bytes
    key_id: bytes


@dataclass(frozen=True, slots=True)
class ListedCertificate:
    identifier: Identifier
    der: bytes
    is_root: bool


@dataclass(frozen=True, slots=True)
class RevocationPoint:
    """Where an authority publishes its revocation list, and the certificates that sign it."""

    vendor_id: int
    label: str
    issuer_key_id: bytes
    is_paa: bool
    signer: bytes
    delegator: bytes | None
    url: str


@dataclass(frozen=True, slots=True)
class Model:
    """A product as its vendor has registered it."""

    vendor_id: int
    product_id: int
    device_type: int
    product_name: str


@dataclass(slots=True)
class Answers:
    """All answers together. A list that was not among them is None."""

    roots: set[Identifier] | None = None
    children: set[Identifier] | None = None
    certificates: list[ListedCertificate] = field(default_factory=list)
    points: list[RevocationPoint] | None = None
    crls: list[bytes] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    _continued: set[str] = field(default_factory=set)
    _ended: set[str] = field(default_factory=set)

    def lacks_its_last_page(self, member: str) -> bool:
        """Whether a list, by the name of its member, has pages here, and no last one."""
        return member in self._continued - self._ended

    def add(self, name: str, content: bytes) -> str | None:
        """Takes one answer, JSON or a revocation list in DER or PEM; raises `AnswerInvalid`. Returns the key of the next page, if any."""
        try:
            if not content.lstrip().startswith(b"{"):
                self._add_list(name, der_of(content, CRL_LABEL))
                return None
            return self._add(json.loads(content))
        except PEMInvalid as exc:
            raise AnswerInvalid(f"{name}: {exc.reason}") from exc
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError, binascii.Error) as exc:
            what = f"a member {exc} is missing" if isinstance(exc, KeyError) else "a member has another form"
            raise AnswerInvalid(f"{name}: no answer of a DCL node that the station knows: {what}") from exc

    def _add_list(self, name: str, crl: bytes) -> None:
        if not crl.startswith(b"\x30"):
            raise AnswerInvalid(f"{name}: neither JSON nor a revocation list")
        self.crls.append(crl)

    def _add(self, answer: Mapping[str, object]) -> str | None:
        match answer:
            case {"approvedRootCertificates": {"certs": list(listed)}}:
                self.roots = (self.roots or set()) | {_identifier(each) for each in listed}
            case {"childCertificates": {"certIds": list(listed)}}:
                self.children = (self.children or set()) | {_identifier(each) for each in listed}
            case {"approvedCertificates": {"certs": list(listed)}}:
                self.certificates += [_certificate(each) for each in listed]
            case {"certificates": list(groups)}:
                for group in groups:
                    self._add({"approvedCertificates": group})
            case {"PkiRevocationDistributionPoint": list(listed)}:
                found = [_point(each) for each in listed if each["revocationType"] == _CRL_TYPE]
                self.points = [*(self.points or []), *found]
            case {
                "model": {"vid": int(vendor), "pid": int(product), "deviceTypeId": int(kind), "productName": str(text)}
            }:
                self.models.append(Model(vendor, product, kind, text))
            case _:
                raise KeyError("that it knows")
        match answer.get("pagination"):
            case {"next_key": str(key)} if key:
                self._continued.update(answer)
                return key
            case _:
                self._ended.update(answer)
                return None


def _identifier(listed: Mapping[str, str]) -> Identifier:
    return Identifier(base64.b64decode(listed["subject"], validate=True), _key_id(listed["subjectKeyId"]))


def _certificate(listed: Mapping[str, object]) -> ListedCertificate:
    identifier = _identifier({name: str(listed[name]) for name in ("subject", "subjectKeyId")})
    return ListedCertificate(identifier, _der(listed["pemCert"]), listed.get("isRoot") is True)


def _point(listed: Mapping[str, object]) -> RevocationPoint:
    delegator = listed.get("crlSignerDelegator")
    return RevocationPoint(
        vendor_id=int(str(listed["vid"])),
        label=str(listed["label"]),
        issuer_key_id=_key_id(str(listed["issuerSubjectKeyID"])),
        is_paa=listed["isPAA"] is True,
        signer=_der(listed["crlSignerCertificate"]),
        delegator=_der(delegator) if delegator else None,
        url=str(listed["dataURL"]),
    )


def _key_id(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _der(pem: object) -> bytes:
    return der_of(str(pem).encode(), *CERTIFICATE)
