# SPDX-License-Identifier: Apache-2.0
"""Reads DER or PEM (RFC 7468), recognised by content; names the line of a mistake. Pure."""

import base64
import binascii
import re

CERTIFICATE = ("CERTIFICATE", "X509 CERTIFICATE")  # the second is OpenSSL's older label

_BLOCK = re.compile(rb"-----BEGIN ([^-\r\n]*)-----(.*?)-----END \1-----", re.DOTALL)
_BEGIN = re.compile(rb"-----BEGIN ([^-\r\n]*)-----")


class PEMInvalid(Exception):
    """The file is PEM, and does not hold exactly one block of the expected kind."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


def is_pem(content: bytes) -> bool:
    """DER begins with the byte 0x30; any text may precede a PEM block."""
    return not content.startswith(b"\x30") and _BEGIN.search(content) is not None


def der_of(content: bytes, *labels: str, first: bool = False) -> bytes:
    """DER content unchanged, or the DER in PEM content's only block with one of these labels; raises `PEMInvalid`.

    With `first`, takes the first of several such blocks, as in a file with a certificate chain.
    """
    if not is_pem(content):
        return content
    begins = [(found.start(), found[1].decode("latin-1")) for found in _BEGIN.finditer(content)]
    wanted = [at for at, label in begins if label in labels]
    if not wanted:
        raise PEMInvalid(_line(content, begins[0][0]), f"PEM with {begins[0][1]!a}; {labels[0]!a} is expected")
    if len(wanted) > 1 and not first:
        raise PEMInvalid(_line(content, wanted[1]), f"a second {labels[0]!a}: give one in a file")
    block = _BLOCK.match(content, wanted[0])
    if block is None:
        raise PEMInvalid(_line(content, wanted[0]), "the block has no end")
    return _decoded(content, block)


def _decoded(content: bytes, block: re.Match[bytes]) -> bytes:
    try:
        return base64.b64decode(b"".join(block[2].split()), validate=True)
    except binascii.Error as exc:
        raise PEMInvalid(_line(content, block.start()), f"the block is not base64: {exc}") from exc


def _line(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1
