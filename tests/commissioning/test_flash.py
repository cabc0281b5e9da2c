# SPDX-License-Identifier: Apache-2.0
"""The commissioning tests' own reader of flash and writer of codes."""

import pytest

from tests.commissioning.flash import FACTORY_DATA, Flash, Tag, qr_code

RECORDS = bytes.fromhex("0b000000 02000000 000f 16000000 02000000 f1ff acacacac ffffffff")


def flash() -> Flash:
    return Flash.of(bytes(FACTORY_DATA) + RECORDS)


@pytest.mark.parametrize(
    ("vendor", "product", "discriminator", "passcode", "code"),
    [
        (0xFFF1, 0x8000, 0xF00, 20202021, "MT:Y.K9042C00KA0648G00"),
        (0xFFF1, 0x8001, 0xF00, 20202021, "MT:-24J042C00KA0648G00"),
    ],
)
def test_a_code_is_that_of_the_sdk(vendor: int, product: int, discriminator: int, passcode: int, code: str) -> None:
    """Both commissioners' own generators make the same code from these values."""
    assert qr_code(vendor, product, discriminator, passcode) == code


def test_records_are_read_up_to_the_end_mark() -> None:
    """Bytes after the end mark are ignored."""
    assert flash().records == {Tag.DISCRIMINATOR: b"\x00\x0f", Tag.VENDOR_ID: b"\xf1\xff"}


def test_flash_without_an_end_mark_is_refused() -> None:
    """Erased flash has no end mark; neither has a list whose record is longer than the flash."""
    for image in (
        bytes(FACTORY_DATA) + b"\xff" * 64,
        bytes(FACTORY_DATA) + RECORDS[:4] + b"\xff\xff\0\0" + RECORDS[8:],
    ):
        with pytest.raises(AssertionError):
            Flash.of(image)


def test_one_bit_is_flipped() -> None:
    """The flip stays in the named record, also when its offset counts from the end."""
    flipped = flash().with_flipped_bit(Tag.DISCRIMINATOR, -1)
    assert flipped.records == {Tag.DISCRIMINATOR: b"\x00\x0e", Tag.VENDOR_ID: b"\xf1\xff"}
