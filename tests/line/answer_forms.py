# SPDX-License-Identifier: Apache-2.0
"""For the tests of answers: certificates in every form in which servers of a PKI send them, and the encoders for it."""

import base64
import textwrap
from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from development_pki.attestation import make_dac, make_paa, make_pai
from station.adapters.pki import ber
from tests.line.pki_bench import PRODUCT, new_csr

PAA = make_paa(PRODUCT)
PAI = make_pai(PAA, PRODUCT)
DAC = make_dac(PAI, PRODUCT, new_csr()[1])
CHAIN = [each.public_bytes(Encoding.DER) for each in (DAC, PAI.certificate, PAA.certificate)]


def tlv(tag: int, *content: bytes) -> bytes:
    """An element in DER."""
    joined = b"".join(content)
    size = len(joined).to_bytes(4, "big").lstrip(b"\0") or b"\0"
    return bytes([tag]) + (size if len(joined) < 0x80 else bytes([0x80 | len(size)]) + size) + joined


def endless(tag: int, *content: bytes) -> bytes:
    """An element of indefinite length, as BouncyCastle streams it."""
    return bytes([tag, 0x80]) + b"".join(content) + b"\0\0"


class Encoder(Protocol):
    def __call__(self, tag: int, *content: bytes) -> bytes: ...


def oid(content: str) -> bytes:
    """An OBJECT IDENTIFIER, from its content in hexadecimal."""
    return tlv(0x06, bytes.fromhex(content))


def cms(*certificates: bytes, element: Encoder = tlv, version: bytes = b"\x02\x01\x01") -> bytes:
    """Certs-only CMS whose set has this order."""
    empty, data = tlv(0x31), tlv(0x30, tlv(0x06, bytes.fromhex("2a864886f70d010701")))
    signed = element(0x30, version, empty, data, element(0xA0, *certificates), tlv(0xA1), empty)
    return element(0x30, tlv(0x06, ber.SIGNED_DATA), element(0xA0, signed))


def pem(label: str, der: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()


def wrapped(der: bytes, columns: int, end: str) -> bytes:
    return (end.join(textwrap.wrap(base64.b64encode(der).decode(), columns)) + end).encode()


SORTED = pkcs7.serialize_certificates([DAC, PAI.certificate, PAA.certificate], Encoding.DER)

FORMS: dict[str, bytes] = {
    "CMS in one line of base64": base64.b64encode(SORTED),
    "CMS in lines of 76": base64.encodebytes(SORTED),
    "CMS in lines of 64 with CR LF": wrapped(SORTED, 64, "\r\n"),
    "CMS in lines of one character": wrapped(SORTED, 1, "\n"),
    "CMS in base64 with spaces": b" \t" + wrapped(SORTED, 20, " \r\n\t"),
    "CMS in base64 after a byte order mark": b"\xef\xbb\xbf" + base64.b64encode(SORTED),
    "CMS in base64 without padding": base64.b64encode(cms(*CHAIN, version=b"\x02\x02\x00\x01")).rstrip(b"="),
    "CMS in DER": SORTED,
    "CMS in DER with a line end": SORTED + b"\r\n",
    "CMS with an unsorted set": cms(*reversed(CHAIN)),
    "CMS with an unsorted set in base64": base64.encodebytes(cms(*CHAIN)),
    "CMS in BER": cms(*CHAIN, element=endless),
    "CMS with each certificate twice": cms(*CHAIN, *CHAIN),
    "CMS in PEM": pem("PKCS7", SORTED),
    "CMS in PEM by its other name": pem("CMS", cms(*CHAIN)),
    "certificates in PEM": b"".join(pem("CERTIFICATE", each) for each in CHAIN),
    "certificates in PEM with text": b"Subject: DAC\r\n" + b"\n".join(pem("CERTIFICATE", each) for each in CHAIN),
    "certificates in PEM with CR LF": b"".join(pem("CERTIFICATE", each) for each in CHAIN).replace(b"\n", b"\r\n"),
    "certificates in PEM after a byte order mark": b"\xef\xbb\xbf" + b"".join(pem("CERTIFICATE", e) for e in CHAIN),
    "certificates in DER": b"".join(CHAIN),
    "certificates in base64": base64.encodebytes(b"".join(CHAIN)),
    "PEM in base64": base64.b64encode(b"".join(pem("CERTIFICATE", each) for each in CHAIN)),
}
