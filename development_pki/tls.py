# SPDX-License-Identifier: Apache-2.0
"""The certificates of the connection: a TLS authority separate from the Matter one, a server and one station.

No I/O.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from development_pki.certificate import Credential, Template, key_usage

SERVER_NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
        x509.IPAddress(ip_address("::1")),
    ]
)
LIFETIME = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class TLSCredentials:
    """The credentials of server and station, and of the authority that signs both."""

    ca: Credential
    server: Credential
    station: Credential

    @classmethod
    def made(cls) -> "TLSCredentials":
        """Makes all three, with new keys."""
        ca = Credential.root(_template("TEST TLS CA", ca=True))
        return cls(ca, server=ca.subordinate(server_template()), station=ca.subordinate(station_template()))


def server_template() -> Template:
    """The server's certificate, which is valid for servers only."""
    return _template("TEST EST server", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), SERVER_NAMES)


def station_template() -> Template:
    """A station's certificate, which is valid for clients only."""
    return _template("TEST station", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))


def _template(common_name: str, *more: x509.ExtensionType, ca: bool = False) -> Template:
    now = datetime.now(UTC)
    return Template(
        subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]),
        constraints=x509.BasicConstraints(ca=ca, path_length=0 if ca else None),
        usage=key_usage(digital_signature=not ca, sign_certificates=ca),
        valid_from=now - timedelta(days=1),
        valid_until=now + LIFETIME,
        more=more,
    )
