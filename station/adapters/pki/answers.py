# SPDX-License-Identifier: Apache-2.0
"""Finds the certificates in an answer by its content, whatever its headers call it, and names what it is instead. Pure.

Base64 in any wrapping, DER and PEM are read, with or without a byte order mark; in each, certs-only CMS (PKCS#7) or
bare certificates.
"""

import base64
import binascii
import hashlib
import re

from station.adapters.pki import ber

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATES = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE", b"PKCS7", b"CMS"})
_HTML = re.compile(rb"<(!doctype html|html|head|body)\b", re.IGNORECASE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
BOM = b"\xef\xbb\xbf"


class NoCertificates(Exception):
    """The content holds no certificate; the text says what it is."""


def certificates_in(body: bytes) -> list[bytes]:
    """Every certificate in an answer, DER, each once; raises `NoCertificates`, also for certificates that are cut off."""
    content = decoded(body)
    found = list(dict.fromkeys(_in_pem(content) if b"-----BEGIN " in content else _in_der(content)))
    for each in found:
        _check_certificate(each)
    return found


def readable_in(body: bytes) -> tuple[bytes, ...]:
    """The certificates that can be read from an answer that is otherwise unusable, DER."""
    try:
        return tuple(certificates_in(body))
    except NoCertificates:
        pass
    whole = []
    for _, inside in _BLOCK.findall(body):
        try:
            whole += certificates_in(b"-----BEGIN CERTIFICATE-----" + inside + b"-----END CERTIFICATE-----")
        except NoCertificates:
            continue
    return tuple(dict.fromkeys(whole))


def key_of(certificate: bytes) -> str:
    """The name of a certificate's key: SHA-256 of its SubjectPublicKeyInfo, in hexadecimal."""
    return hashlib.sha256(ber.public_key_of(certificate)).hexdigest()


def decoded(body: bytes) -> bytes:
    """The content without its transfer encoding; raises `NoCertificates` for what is neither DER, PEM nor base64."""
    content = body.removeprefix(BOM)
    if b"-----BEGIN " in content or _begins_as_der(content):
        return content
    try:
        return base64_in(content).removeprefix(BOM)
    except (ValueError, binascii.Error) as exc:
        raise NoCertificates(found(body)) from exc


def base64_in(body: bytes) -> bytes:
    """The bytes in base64 of any wrapping; raises ValueError."""
    joined = b"".join(body.removeprefix(BOM).split())
    if not _BASE64.fullmatch(joined):
        raise ValueError("not base64")
    return base64.b64decode(joined.rstrip(b"=") + b"=" * (-len(joined.rstrip(b"=")) % 4), validate=True)


def _begins_as_der(content: bytes) -> bool:
    # text has no such second byte, except by its length
    return content[:1] == b"\x30" and (content[1:2] > b"\x7f" or content[1:2] == bytes([len(content) - 2 & 0xFF]))


def _in_pem(content: bytes) -> list[bytes]:
    blocks = _BLOCK.findall(content)
    certificates: list[bytes] = []
    for label, text in blocks:
        if label in _CERTIFICATES:
            try:
                certificates += _in_der(base64_in(text))
            except (ValueError, binascii.Error) as exc:
                raise NoCertificates("PEM that is not base64") from exc
    if not certificates:
        raise NoCertificates(_pem(content))
    return certificates


def _in_der(content: bytes) -> list[bytes]:
    if not content.startswith(b"\x30"):
        raise NoCertificates(found(content))
    for end in (b"", b"\n", b"\r\n"):  # the last byte of DER may look like a line end, so it is tried whole first
        try:
            outer = list(ber.elements(content.removesuffix(end)))
            break
        except ber.BERInvalid:
            continue
    else:
        raise NoCertificates(found(content))
    certificates: list[bytes] = []
    for each in outer:
        certificates += _in_element(each)
    if not certificates:
        raise NoCertificates("CMS without certificates" if outer else found(content))
    return certificates


def _in_element(element: ber.Element) -> list[bytes]:
    try:
        inner = element.members()
        if inner and inner[0].tag == ber.OID:
            return ber.certificates_in_cms(element)
    except ber.BERInvalid as exc:
        raise NoCertificates(f"DER that is neither CMS nor a certificate ({exc})") from exc
    return [element.whole]


def _check_certificate(der: bytes) -> None:
    try:
        key_of(der)
    except ber.BERInvalid as exc:
        raise NoCertificates(f"DER that is neither CMS nor a certificate ({exc})") from exc


def found(content: bytes) -> str:
    """What content without certificates is, in words for the operator."""
    text = content.removeprefix(BOM).strip()
    kinds = (
        ("nothing", not text),
        ("HTML", _HTML.search(text[:1024])),
        ("XML", text.startswith(b"<")),
        ("JSON", text[:1] in b"{["),
        (_pem(text), b"-----BEGIN " in text),
        ("DER that is cut off or damaged", _begins_as_der(content)),
        ("text", all(0x20 <= byte < 0x7F or byte in b"\t\r\n\f" for byte in text)),
    )
    return next((words for words, is_it in kinds if is_it), f"{len(content)} bytes of another kind")


def _pem(content: bytes) -> str:
    labels = re.findall(rb"-----BEGIN ([^-\r\n]{1,40})-----", content)
    if not labels:
        return "PEM without a label"
    label = labels[0].decode("ascii", errors="replace")
    whole = {label for label, _ in _BLOCK.findall(content)}
    return f"PEM with {label}" if labels[0] in whole else f"PEM with {label} that has no end"
