# SPDX-License-Identifier: Apache-2.0
"""Makes certificates: the parts that Matter certificates and TLS certificates share. No I/O."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

NO_EXPIRY = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280, 4.1.2.5


def new_key() -> ec.EllipticCurvePrivateKey:
    """Makes a P-256 key, the only kind this authority uses."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial_number() -> int:
    """Draws 16 random octets that begin with the bits 01: always a positive number of 32 hexadecimal digits."""
    return 1 << 126 | secrets.randbits(126)


def key_usage(*, digital_signature: bool = False, sign_certificates: bool = False) -> x509.KeyUsage:
    """The key usage extension; a key that signs certificates may sign revocation lists, too."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True, slots=True)
class Template:
    """A certificate's content without the keys."""

    subject: x509.Name
    constraints: x509.BasicConstraints
    usage: x509.KeyUsage
    valid_from: datetime
    valid_until: datetime = NO_EXPIRY
    more: tuple[x509.ExtensionType, ...] = ()
    serial_number: int = field(default_factory=new_serial_number)


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def root(cls, template: Template) -> Self:
        """Makes a key and a self-signed certificate for it."""
        key = new_key()
        return cls(_sign(template, key.public_key(), template.subject, key), key)

    def certify(self, template: Template, public_key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """Signs a certificate for another party's key."""
        return _sign(template, public_key, self.certificate.subject, self.key)

    def subordinate(self, template: Template) -> Self:
        """Makes a key and signs a certificate for it."""
        key = new_key()
        return type(self)(self.certify(template, key.public_key()), key)


def _sign(
    template: Template, public_key: ec.EllipticCurvePublicKey, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder(subject_name=template.subject, issuer_name=issuer, public_key=public_key)
        .serial_number(template.serial_number)
        .not_valid_before(template.valid_from)
        .not_valid_after(template.valid_until)
        .add_extension(template.constraints, critical=True)
        .add_extension(template.usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for extension in template.more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())
