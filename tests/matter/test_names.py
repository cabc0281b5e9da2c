# SPDX-License-Identifier: Apache-2.0
"""Vendor and product in a name: the sentence of a refusal says what is wrong with them."""

import pytest

from station.matter.certificates.names import Identifiers, Name
from station.matter.certificates.rules import RuleBroken
from tests.builders.forge import IA5, PRODUCT, VENDOR, name

TELETEX = 0x14


@pytest.mark.parametrize(
    ("attribute", "kind", "words"),
    [
        ((VENDOR, "FFF1"), IA5, "the vendor is an IA5String, where UTF8String or PrintableString is required"),
        ((PRODUCT, "8004"), TELETEX, "the product is a TeletexString, where"),
        ((VENDOR, "fff1"), IA5, "the vendor is an IA5String, where"),
        ((VENDOR, "fff1"), 0x0C, "the vendor 'fff1' is not four upper-case hexadecimal digits"),
    ],
)
def test_a_wrong_type_is_not_told_as_wrong_digits(attribute: tuple[str, str], kind: int, words: str) -> None:
    """The digits of such an identifier may be right."""
    with pytest.raises(RuleBroken) as caught:
        Identifiers.of(Name.read(name(attribute, kind=kind)))
    assert words in str(caught.value)
