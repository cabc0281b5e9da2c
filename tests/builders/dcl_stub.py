# SPDX-License-Identifier: Apache-2.0
"""A DCL node for tests: answers in the shape of the real nodes' REST answers, over HTTPS, about certificates of our own."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.attestation import Product
from development_pki.directory import TLS_CA, TLS_SERVER, open_or_make
from tests.builders.forge import (
    AKI,
    COMMON_NAME,
    OTHER_KEY,
    PAA,
    PAA_ID,
    PAA_KEY,
    PAI,
    SKI,
    VENDOR,
    Forged,
    extension,
    name,
    public_key,
    sequence,
    tlv,
)

AUTHORITY_KEY, SIGNER_KEY, NEW_SIGNER_KEY = (ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 12, 13))
AUTHORITY_ID, SIGNER_ID, NEW_SIGNER_ID, NEW_PAA_ID = (bytes([number]) * 20 for number in (0x21, 0x22, 0x23, 0x24))
AUTHORITY_NAME = name((COMMON_NAME, "TEST Certification and Testing CA"), (VENDOR, "C5A0"))


def with_ids(forged: Forged, own: bytes, issuer: bytes) -> Forged:
    return forged.with_extension(SKI, extension(SKI, tlv(0x04, own))).with_extension(
        AKI, extension(AKI, sequence(tlv(0x80, issuer)))
    )


AUTHORITY = with_ids(
    replace(PAA, signer=AUTHORITY_KEY, issuer=AUTHORITY_NAME, subject=AUTHORITY_NAME, key=public_key(AUTHORITY_KEY)),
    AUTHORITY_ID,
    AUTHORITY_ID,
)


def signer(number: int, key: ec.EllipticCurvePrivateKey, own: bytes, by: ec.EllipticCurvePrivateKey) -> Forged:
    """A certificate that signs declarations."""
    subject = name((COMMON_NAME, f"TEST Declaration Signing Key {number:03d}"), (VENDOR, "C5A0"))
    return with_ids(
        replace(PAI, signer=by, issuer=AUTHORITY_NAME, subject=subject, key=public_key(key)), own, AUTHORITY_ID
    )


OLD_SIGNER = signer(1, SIGNER_KEY, SIGNER_ID, AUTHORITY_KEY)
NEW_SIGNER = signer(2, NEW_SIGNER_KEY, NEW_SIGNER_ID, AUTHORITY_KEY)
FALSE_SIGNER = replace(NEW_SIGNER, signer=OTHER_KEY)
NEW_PAA_NAME = name((COMMON_NAME, "TEST PAA of another"))
NEW_PAA = with_ids(
    replace(PAA, signer=OTHER_KEY, issuer=NEW_PAA_NAME, subject=NEW_PAA_NAME, key=public_key(OTHER_KEY)),
    NEW_PAA_ID,
    NEW_PAA_ID,
)


def pem(der: bytes, label: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


def key_id_of(forged: Forged) -> bytes:
    found = x509.load_der_x509_certificate(forged.der).extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return found.value.digest


def identifier(forged: Forged) -> dict[str, str]:
    return {
        "subject": base64.b64encode(forged.subject).decode(),
        "subjectKeyId": key_id_of(forged).hex(":").upper(),
    }


def revocation_list(
    issuer: Forged, key: ec.EllipticCurvePrivateKey, *numbers: int, at: datetime = datetime(2026, 11, 1, tzinfo=UTC)
) -> bytes:
    subject = x509.load_der_x509_certificate(issuer.der).subject
    builder = x509.CertificateRevocationListBuilder(subject, at, at + timedelta(days=30))
    for number in numbers:
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(at)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass
class Ledger:
    """What the node has. Its answers are by path and query, as a node has them; revocation lists are served beside them."""

    roots: list[Forged] = field(default_factory=lambda: [PAA, NEW_PAA, AUTHORITY])
    signers: list[Forged] = field(default_factory=lambda: [OLD_SIGNER, NEW_SIGNER])
    revoked: tuple[int, ...] = (0x1F,)
    crl_key: ec.EllipticCurvePrivateKey = PAA_KEY
    product_name: str = "Light"
    label: str = "TEST PAA"
    url: str = "https://node.example"
    crl: bytes | None = None

    def answers(self) -> Mapping[str, bytes]:
        found: dict[str, object] = {
            "/dcl/pki/root-certificates": {
                "approvedRootCertificates": {"certs": [identifier(each) for each in self.roots], "schemaVersion": 0}
            },
            self._path("child-certificates", AUTHORITY): {
                "childCertificates": {
                    "issuer": base64.b64encode(AUTHORITY_NAME).decode(),
                    "authorityKeyId": AUTHORITY_ID.hex(":").upper(),
                    "certIds": [identifier(each) for each in self.signers],
                    "schemaVersion": 0,
                }
            },
            "/dcl/pki/revocation-points": {
                "PkiRevocationDistributionPoint": [],
                "pagination": {"next_key": "AA+/", "total": "1"},
            },
            f"/dcl/pki/revocation-points?pagination.key={quote('AA+/', safe='')}": {
                "PkiRevocationDistributionPoint": [self._point()],
                "pagination": {"next_key": None, "total": "0"},
            },
            "/dcl/model/models/65521/32772": {
                "model": {
                    "vid": 0xFFF1,
                    "pid": 0x8004,
                    "deviceTypeId": 0x0100,
                    "productName": self.product_name,
                    "productLabel": "Light",
                    "partNumber": "1",
                    "commissioningCustomFlow": 0,
                    "creator": "cosmos1",
                    "schemaVersion": 0,
                }
            },
        }
        for each, is_root in [*((root, True) for root in self.roots), *((each, False) for each in self.signers)]:
            found[self._path("certificates", each)] = {
                "approvedCertificates": {
                    **identifier(each),
                    "certs": [
                        {
                            "pemCert": pem(each.der),
                            "serialNumber": "1229782938247303441",
                            **identifier(each),
                            "subjectAsText": "CN=TEST",
                            "isRoot": is_root,
                            "owner": "cosmos1",
                            "vid": 0xFFF1,
                            "schemaVersion": 0,
                        }
                    ],
                    "schemaVersion": 0,
                }
            }
        served = {path: json.dumps(answer).encode() for path, answer in found.items()}
        served["/paa.crl"] = self.crl or revocation_list(PAA, self.crl_key, *self.revoked)
        return served

    def _point(self) -> dict[str, object]:
        return {
            "vid": 0xFFF1,
            "label": self.label,
            "issuerSubjectKeyID": PAA_ID.hex().upper(),
            "pid": 0,
            "isPAA": True,
            "crlSignerCertificate": pem(PAA.der),
            "dataURL": f"{self.url}/paa.crl",
            "dataFileSize": "0",
            "dataDigest": "",
            "dataDigestType": 0,
            "revocationType": 1,
            "schemaVersion": 0,
            "crlSignerDelegator": "",
        }

    @staticmethod
    def _path(kind: str, forged: Forged) -> str:
        named = identifier(forged)
        return f"/dcl/pki/{kind}/{quote(named['subject'], safe='')}/{quote(named['subjectKeyId'], safe='')}"


def normal(path: str) -> str:
    """A path as servers compare it: characters that need no escape are not escaped."""
    parts = urlsplit(path)
    plain = parts.path.replace("%3A", ":").replace("%3D", "=").replace("%2B", "+")
    return f"{plain} {parse_qsl(parts.query)}"


@contextmanager
def serving(folder: Path, ledger: Ledger) -> Iterator[Path]:
    """Serves the ledger over HTTPS and sets its URL. Yields the file with the authority of the server's certificate."""
    open_or_make(folder, Product.numbered(0xFFF1, 0x8004))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{TLS_SERVER}.pem", folder / f"{TLS_SERVER}-key.pem")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answers = {normal(path): content for path, content in ledger.answers().items()}
            content = answers.get(normal(self.path))
            self.send_response(200 if content else 404)
            content = content or b'{"code": 5, "message": "not found", "details": []}'
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    ledger.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield folder / f"{TLS_CA}.pem"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
