# SPDX-License-Identifier: Apache-2.0
"""Makes the entries of a revocation set from an authority's revocation list (Matter Core Specification 6.2.4.1). Pure."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

from station.matter.certificates.dcl_answers import RevocationPoint
from station.matter.certificates.names import Identifiers
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate

_SIGNS_LISTS = 0x02  # cRLSign, in the fourth byte of a key usage in DER


class ListUnproven(Exception):
    """A revocation list is not proven to be the authority's; the text says why."""


@dataclass(frozen=True, slots=True)
class RevokedOf:
    """The revoked certificates of one authority: its name in DER, its key identifier, and their serial numbers.

    An authority may publish several lists; `is_whole` is false if one of them was missing.
    """

    issuer: bytes
    issuer_key_id: bytes
    serial_numbers: frozenset[int]
    is_whole: bool = True

    @property
    def entry(self) -> Mapping[str, object]:
        """As the CHIP SDK's tools write it: serial numbers in an even number of upper-case digits."""
        return {
            "type": "revocation_set",
            "issuer_subject_key_id": self.issuer_key_id.hex().upper(),
            "issuer_name": base64.b64encode(self.issuer).decode(),
            "revoked_serial_numbers": [
                number.to_bytes((number.bit_length() + 7) // 8 or 1, "big").hex().upper()
                for number in sorted(self.serial_numbers)
            ],
        }


def revoked_by(point: RevocationPoint, crls: Iterable[bytes], paas: Mapping[bytes, Certificate]) -> RevokedOf:
    """What the authority of this point has revoked, by a list that its signer has signed under a trusted PAA.

    Raises `ListUnproven`.
    """
    try:
        signer = Certificate.read(point.signer)
        delegator = Certificate.read(point.delegator) if point.delegator else None
    except RuleBroken as broken:
        raise ListUnproven(f"the signer's certificate breaks {broken.rule.name}: {broken.reason}") from broken
    paa = _paa_above(signer, delegator, paas)
    is_delegated = point.is_paa and signer.der != paa.der
    authority = paa if is_delegated else delegator or signer
    if authority.extensions.subject_key_id != point.issuer_key_id:
        raise ListUnproven("its signer is another authority's")
    named = Identifiers.of(authority.subject).vendor_id
    if named is not None and named != point.vendor_id:
        raise ListUnproven(f"its signer is of vendor 0x{named:04X}, and the point of vendor 0x{point.vendor_id:04X}")
    if not int.from_bytes(signer.extensions.key_usage[3:4]) & _SIGNS_LISTS:
        raise ListUnproven("its signer's certificate is for other purposes than lists")
    crl = _signed_by(signer, crls)
    return RevokedOf(authority.subject.raw, point.issuer_key_id, frozenset(_serial_numbers(crl, authority)))


def _paa_above(signer: Certificate, delegator: Certificate | None, paas: Mapping[bytes, Certificate]) -> Certificate:
    own = paas.get(signer.extensions.subject_key_id)
    if own is not None and own.der == signer.der:
        return own
    if delegator is not None and not _issued(signer, delegator):
        raise ListUnproven("its signer's certificate is not the delegator's")
    below = delegator or signer
    if (known := paas.get(below.extensions.subject_key_id)) is not None and known.der == below.der:
        return known
    paa = paas.get(below.extensions.authority_key_id or b"")
    if paa is None or not _issued(below, paa):
        raise ListUnproven("its signer stands under no trusted PAA")
    return paa


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    linked = certificate.extensions.authority_key_id == issuer.extensions.subject_key_id
    return linked and certificate.issuer.raw == issuer.subject.raw and certificate.is_signed_by(issuer.public_key)


def _signed_by(signer: Certificate, crls: Iterable[bytes]) -> x509.CertificateRevocationList:
    """The newest list that the signer has signed."""
    found = []
    for content in crls:
        try:
            crl = x509.load_der_x509_crl(content)
            algorithm = crl.signature_hash_algorithm
            if crl.issuer.public_bytes() != signer.subject.raw or algorithm is None:
                continue
            signer.public_key.verify(crl.signature, crl.tbs_certlist_bytes, ECDSA(algorithm))
        except (ValueError, InvalidSignature, UnsupportedAlgorithm):
            continue
        found.append(crl)
    if not found:
        raise ListUnproven("no list that its signer has signed is there")
    return max(found, key=lambda crl: crl.last_update_utc)


def _serial_numbers(crl: x509.CertificateRevocationList, authority: Certificate) -> Iterable[int]:
    """A list of several authorities names each certificate's; an entry that cannot be read counts as this authority's."""
    for revoked in crl:
        try:
            issuer = revoked.extensions.get_extension_for_class(x509.CertificateIssuer).value
            names = issuer.get_values_for_type(x509.DirectoryName)
        except (ValueError, x509.ExtensionNotFound):
            names = []
        if revoked.serial_number <= 0:  # no certificate of Matter's: rule C5
            continue
        if not names or authority.subject.raw in {name.public_bytes() for name in names}:
            yield revoked.serial_number
