# SPDX-License-Identifier: Apache-2.0
"""Certificates are found by an answer's content in every form that servers send, and what is none is named."""

import base64
import textwrap
from contextlib import suppress
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st

from development_pki.attestation import make_dac, make_paa, make_pai
from station.adapters.pki import answers, ber
from station.adapters.pki.answers import NoCertificates
from station.domain.credentials import key_name
from tests.line.pki_bench import PRODUCT, new_csr

PAA = make_paa(PRODUCT)
PAI = make_pai(PAA, PRODUCT)
DAC = make_dac(PAI, PRODUCT, new_csr()[1])
CHAIN = [each.public_bytes(Encoding.DER) for each in (DAC, PAI.certificate, PAA.certificate)]


def tlv(tag: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    size = len(joined).to_bytes(4, "big").lstrip(b"\0") or b"\0"
    return bytes([tag]) + (size if len(joined) < 0x80 else bytes([0x80 | len(size)]) + size) + joined


def endless(tag: int, *content: bytes) -> bytes:
    """An element of indefinite length, as BouncyCastle streams it."""
    return bytes([tag, 0x80]) + b"".join(content) + b"\0\0"


class Encoder(Protocol):
    def __call__(self, tag: int, *content: bytes) -> bytes: ...


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


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_certificates(form: str) -> None:
    """A warning of the library would be an error here."""
    found = answers.certificates_in(FORMS[form])
    assert sorted(found) == sorted(CHAIN)
    assert [answers.key_of(each) for each in found].count(key_name(new_key(DAC))) == 1


def new_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def test_a_single_certificate_is_an_answer() -> None:
    """Some servers send no CMS around it."""
    for body in (CHAIN[0], base64.b64encode(CHAIN[0]), pem("CERTIFICATE", CHAIN[0]), CHAIN[0] + b"\n"):
        assert answers.certificates_in(body) == [CHAIN[0]]


NONE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "nothing"),
    "blank": (b" \r\n", "nothing"),
    "html": (b"<!DOCTYPE html>\n<p>404", "HTML"),
    "html after a comment": (b"<!-- proxy -->\n<HTML>", "HTML"),
    "xml": (b"<?xml version='1.0'?><error/>", "XML"),
    "json": (b'{"errors": ["permission denied"]}', "JSON"),
    "text": (b"Please come back tomorrow.", "text"),
    "request": (pem("CERTIFICATE REQUEST", new_csr()[0]), "PEM with CERTIFICATE REQUEST"),
    "request in der": (new_csr()[0], "DER that is neither CMS nor a certificate"),
    "pem cut off": (pem("CERTIFICATE", CHAIN[0])[:300], "PEM with CERTIFICATE that has no end"),
    "pem of noise": (pem("CERTIFICATE", b"noise"), "text"),
    "der cut off": (SORTED[:-5], "DER that is cut off or damaged"),
    "base64 cut off": (base64.b64encode(SORTED)[:400], "DER that is cut off or damaged"),
    "base64 of noise": (base64.b64encode(b"\0" * 40), "40 bytes of another kind"),
    "cms without certificates": (cms(), "CMS without certificates"),
    "other cms": (tlv(0x30, tlv(0x06, b"\x2a\x03"), tlv(0xA0, bytes(200))), "DER that is neither CMS nor"),
    "noise": (bytes(range(256)), "256 bytes of another kind"),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_certificate_is_named(name: str) -> None:
    """The operator reads what came."""
    body, words = NONE[name]
    with pytest.raises(NoCertificates) as caught:
        answers.certificates_in(body)
    assert str(caught.value).startswith(words)


def test_whole_certificates_are_kept_from_a_cut_answer() -> None:
    """The serial numbers of what was bought are worth knowing."""
    body = b"".join(pem("CERTIFICATE", each) for each in CHAIN)[:-100]
    with pytest.raises(NoCertificates):
        answers.certificates_in(body + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
    assert answers.readable_in(body) == tuple(CHAIN[:2])
    assert answers.readable_in(b"hello") == ()


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_content_raises_anything_else(body: bytes) -> None:
    """A server may send anything."""
    with pytest.raises(NoCertificates):
        answers.certificates_in(body)
    assert answers.readable_in(body) == ()


@given(st.sampled_from(sorted(FORMS)), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_damage_raises_anything_else(form: str, at: int, change: int) -> None:
    """One byte is another."""
    body = bytearray(FORMS[form])
    body[at % len(body)] ^= change
    with suppress(NoCertificates):
        answers.certificates_in(bytes(body))
    answers.readable_in(bytes(body))


def test_deep_nesting_is_refused() -> None:
    """A reader that calls itself needs a limit."""
    with pytest.raises(NoCertificates):
        answers.certificates_in(b"\x30\x80" * 20_000)
