# SPDX-License-Identifier: Apache-2.0
"""The inputs of the block: JSON, records, a dump, and JSON over one of them."""

import hashlib
import json
from pathlib import Path

import pytest

from station.factory_data.flat_tlv import OFFSET_IN_FLASH, Tag, encode
from station.factory_data.sources import check_whole, read
from station.faults.line import FactoryDataInvalid

VECTORS = Path(__file__).parents[1] / "vectors" / "st"
FULL = (VECTORS / "Full_FactoryData.json").read_bytes()
PROVISIONING = (VECTORS / "Provisioning_FactoryData.json").read_bytes()
BLOCK = encode(read(json=FULL, binary=None).data)


def test_json_makes_the_bytes_of_sts_tool() -> None:
    """Both of ST's sample inputs are tried."""
    lines = (VECTORS / "expected.sha256").read_text().splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    for name, content in (("Full", FULL), ("Provisioning", PROVISIONING)):
        block = encode(read(json=content, binary=None).data)
        assert hashlib.sha256(block).hexdigest() == expected[f"{name}_FactoryData.bin"]


def test_records_make_the_same_block_again() -> None:
    """Bytes after the end mark are ignored."""
    found = read(json=None, binary=BLOCK + b"\xff" * 64)
    assert encode(found.data) == BLOCK
    assert found.said == ("binary: 17 records",)


def test_a_dump_of_the_flash_is_read_at_its_offset() -> None:
    """`-u 0x90000000` writes such a dump."""
    dump = bytearray(b"\xff" * 0x1000000)
    dump[OFFSET_IN_FLASH : OFFSET_IN_FLASH + len(BLOCK)] = BLOCK
    found = read(json=None, binary=bytes(dump))
    assert encode(found.data) == BLOCK
    assert found.said == ("binary: a dump of the flash, read at 0x1C0000, 17 records",)


def test_json_goes_over_binary_and_every_change_is_listed() -> None:
    """Values are added, changed, or kept."""
    over = json.dumps({"SERIAL_NUMBER": "SN-2", "VENDOR_ID": "0xFFF1", "MANUFACTURING_DATE": "20261123"}).encode()
    found = read(json=over, binary=BLOCK)
    assert found.data.text(Tag.SERIAL_NUMBER) == "SN-2"
    assert found.data.number(Tag.PRODUCT_ID) == 0x8004
    assert found.said[2:] == (
        "JSON left VENDOR_ID as it was",
        "JSON changed SERIAL_NUMBER: TEST_SN to SN-2",
        "JSON added MANUFACTURING_DATE: 20261123",
    )


def test_no_sentence_holds_a_secret() -> None:
    """Neither the list of recognised records nor the list of changes has one."""
    over = json.dumps({"SPAKE2_SETUP_PASSCODE": "34567890"}).encode()
    said = "\n".join(read(json=over, binary=BLOCK, verbose=True).said)
    assert "JSON changed SPAKE2_SETUP_PASSCODE: <Passcode> to <Passcode>" in said
    assert "34567890" not in said
    assert "20202021" not in said


def test_verbose_lists_what_was_recognised() -> None:
    """Each record has a sentence."""
    said = read(json=PROVISIONING, binary=None, verbose=True).said
    assert len(said) == 1 + 13
    assert "JSON: PRODUCT_NAME: STM32WB Demo App" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"SERIAL_NUMBR": "X"}', "SERIAL_NUMBER is near"),
        (b'{"SERIAL_NUMBER": "X"', "not JSON"),
    ],
)
def test_what_sts_tool_lets_pass_in_json(content: bytes, reason: str) -> None:
    """For a mistyped name, or a file that is not JSON, ST's tool goes on without the value and reports success."""
    with pytest.raises(FactoryDataInvalid, match=reason):
        read(json=content, binary=None)


def test_a_cut_record_is_refused_although_sts_tool_lets_it_pass() -> None:
    with pytest.raises(FactoryDataInvalid, match="cut off"):
        read(json=None, binary=b"\x19\0\0\0\xff\0\0\0ab")


def test_a_unit_needs_its_records() -> None:
    """Without provisioning the unit needs certificates and keys, too."""
    check_whole(read(json=FULL, binary=None).data, certified=True)
    check_whole(read(json=PROVISIONING, binary=None).data, certified=False)
    with pytest.raises(FactoryDataInvalid, match=r"PAI_CERTIFICATE: missing.*DEVICE_ATTESTATION_PRIV_KEY: missing"):
        check_whole(read(json=PROVISIONING, binary=None).data, certified=True)


def test_provisioning_takes_input_without_certificates() -> None:
    """Otherwise every board would have the same private key."""
    with pytest.raises(FactoryDataInvalid, match=r"DEVICE_ATTESTATION_PRIV_KEY.*belongs to one unit"):
        check_whole(read(json=FULL, binary=None).data, certified=False)
