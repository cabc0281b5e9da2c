# SPDX-License-Identifier: Apache-2.0
"""The checks of a certificate signing request before a DAC is made from it. Pure."""

import base64
import binascii
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import SignatureAlgorithmOID

from development_pki.attestation import Product

DER_SEQUENCE = b"\x30\x81", b"\x30\x82"  # of a request's length
# `cryptography` raises KeyError for a subject whose value is of an ASN.1 type that no name may have.
UNREADABLE = (ValueError, KeyError, UnsupportedAlgorithm, x509.InvalidVersion)


class RequestRefused(Exception):
    """The authority makes no DAC from this request; the text gives the station the reason."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for."""

    key: ec.EllipticCurvePublicKey
    subject: x509.Name


def wanted(body: bytes, product: Product, *, lenient: bool = False) -> Wanted:
    """Returns key and subject for which an enrolment's body requests a DAC, or raises RequestRefused.

    The body is base64, with whitespace anywhere (RFC 8951, 3.1), of a PKCS#10 request in DER; a lenient reader takes
    DER and PEM too.
    """
    try:
        if lenient and body.startswith(DER_SEQUENCE):
            request = x509.load_der_x509_csr(body)
        elif lenient and body.startswith(b"-----BEGIN"):
            request = x509.load_pem_x509_csr(body)
        else:
            request = x509.load_der_x509_csr(base64.b64decode(b"".join(body.split()), validate=True))
        key, named = request.public_key(), Product.named_in(request.subject)
    except binascii.Error as exc:
        raise RequestRefused("The body is not base64.") from exc
    except UNREADABLE as exc:
        raise RequestRefused("The body is not a PKCS#10 request in DER.") from exc

    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestRefused("The key is not a P-256 key.")
    # The library reads spelled-out curve parameters and compressed points too; Matter allows neither.
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) not in request.tbs_certrequest_bytes:
        raise RequestRefused("The key is not written as a named curve and an uncompressed point.")
    if request.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise RequestRefused("The request is not signed with ecdsa-with-SHA256.")
    if not request.is_signature_valid:
        raise RequestRefused("The request's signature does not verify under the key in it.")
    if named != product:
        raise RequestRefused(f"The subject names {named or 'no vendor and product'}; DACs here are for {product}.")
    return Wanted(key, request.subject)
