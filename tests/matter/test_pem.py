# SPDX-License-Identifier: Apache-2.0
"""DER and PEM, told apart by content."""

import base64

import pytest

from station.matter.certificates.pem import PEMInvalid, der_of
from tests.builders.forge import DAC


def pem(label: str, data: bytes = DAC.der) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(data).decode()}-----END {label}-----\n".encode()


CERTIFICATE, KEY = pem("CERTIFICATE"), pem("EC PRIVATE KEY", b"\x30\x01\x02")


@pytest.mark.parametrize(
    "content",
    [DAC.der, CERTIFICATE, CERTIFICATE.replace(b"\n", b"\r\n"), b"subject=/CN=DAC\n" + CERTIFICATE, KEY + CERTIFICATE],
    ids=["DER", "PEM", "CRLF", "words in front", "a key in front"],
)
def test_der_comes_out_of_both(content: bytes) -> None:
    """The content decides, not the file's name."""
    assert der_of(content, "CERTIFICATE") == DAC.der


def test_the_first_of_several_can_be_asked_for() -> None:
    assert der_of(CERTIFICATE + pem("CERTIFICATE", b"\x30\x00"), "CERTIFICATE", first=True) == DAC.der


@pytest.mark.parametrize("content", [b"", b"\0", b"\x30\x00-----BEGIN CERTIFICATE-----", b"nonsense"])
def test_what_is_no_pem_is_left_to_whoever_reads_der(content: bytes) -> None:
    """Other bytes pass unchanged to the DER reader, which names the broken rule."""
    assert der_of(content, "CERTIFICATE") == content


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"\n" + KEY, 2, "PEM with 'EC PRIVATE KEY'; 'CERTIFICATE' is expected"),
        (CERTIFICATE + CERTIFICATE, CERTIFICATE.count(b"\n") + 1, "a second 'CERTIFICATE'"),
        (CERTIFICATE.replace(b"-----END", b"----END"), 1, "the block has no end"),
        (CERTIFICATE.replace(b"\nM", b"\n*"), 1, "the block is not base64"),
        (CERTIFICATE.replace(b"-----END", b"A-----END"), 1, "the block is not base64"),
    ],
    ids=["another label", "two", "no end", "not base64", "padding"],
)
def test_bad_pem_is_refused_with_its_line(content: bytes, line: int, reason: str) -> None:
    """The message does not repeat the content, which may be a key."""
    with pytest.raises(PEMInvalid) as caught:
        der_of(content, "CERTIFICATE")
    assert caught.value.line == line
    assert caught.value.reason.startswith(reason)
