# SPDX-License-Identifier: Apache-2.0
"""The strict DER reader accepts exactly one encoding of each value."""

import pytest

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader


def test_elements_are_read_one_after_the_other() -> None:
    """Lengths are short and long."""
    reader = Reader(bytes.fromhex("0c0141" + "048180") + b"x" * 128 + bytes.fromhex("04820100") + b"y" * 256)
    assert reader.content(der.UTF8_STRING) == b"A"
    assert reader.element() == (der.OCTET_STRING, b"x" * 128)
    assert reader.raw(der.OCTET_STRING) == bytes.fromhex("04820100") + b"y" * 256
    reader.end()
    assert reader.next_tag is None


@pytest.mark.parametrize(
    "data",
    [
        "",
        "04",
        "0402aa",
        "048101aa",
        "04820001aa",
        "0482007f",
        "0480aa0000",
        "04ff",
        "0483010000",
        "0485aaaaaaaaaa",
        "1f8101aa",
    ],
)
def test_a_length_in_another_form_is_refused(data: str) -> None:
    """The length is indefinite, not minimal, too large, or truncated."""
    with pytest.raises(DERInvalid):
        Reader(bytes.fromhex(data)).element()


@pytest.mark.parametrize(("data", "value"), [("020100", 0), ("02017f", 127), ("02020080", 128), ("0201ff", -1)])
def test_an_integer_is_read(data: str, value: int) -> None:
    """The sign may be either."""
    assert Reader(bytes.fromhex(data)).integer() == value


@pytest.mark.parametrize("data", ["0200", "02020000", "0202007f", "0202ffff", "040100"])
def test_an_integer_in_another_form_is_refused(data: str) -> None:
    """The integer is empty, padded, or another type."""
    with pytest.raises(DERInvalid):
        Reader(bytes.fromhex(data)).integer()


@pytest.mark.parametrize("dotted", ["2.5.29.14", "1.2.840.10045.4.3.2", "1.3.6.1.4.1.37244.2.1"])
def test_an_object_identifier_is_read(dotted: str) -> None:
    content = der.oid(dotted)
    assert Reader(bytes([der.OID, len(content)]) + content).oid() == content


def test_object_identifiers_have_these_bytes() -> None:
    """An arc of more than seven bits takes several bytes."""
    assert der.oid("1.3.6.1.4.1.37244.2.1").hex() == "2b0601040182a27c0201"


@pytest.mark.parametrize("data", ["0600", "060180", "06022a80", "06038086f7", "06042a808601"])
def test_an_object_identifier_that_is_none_is_refused(data: str) -> None:
    """The identifier is empty, truncated within an arc, or padded."""
    with pytest.raises(DERInvalid):
        Reader(bytes.fromhex(data)).oid()


def test_what_is_left_over_is_refused() -> None:
    """The reader ignores no byte."""
    with pytest.raises(DERInvalid, match="1 bytes too many"):
        Reader(b"\0").end()
