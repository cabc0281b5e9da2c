# SPDX-License-Identifier: Apache-2.0
"""Certificates are found by an answer's content in every form that servers send, and what is none is named."""

import base64
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from station.adapters.pki import answers
from station.adapters.pki.answers import NoCertificates
from station.domain.credentials import key_name
from tests.line.answer_forms import CHAIN, DAC, FORMS, SORTED, cms, pem, tlv
from tests.line.pki_bench import new_csr


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


@settings(max_examples=200, derandomize=True)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_content_raises_anything_else(body: bytes) -> None:
    """A server may send anything."""
    with pytest.raises(NoCertificates):
        answers.certificates_in(body)
    assert answers.readable_in(body) == ()


@settings(max_examples=200, derandomize=True)
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
