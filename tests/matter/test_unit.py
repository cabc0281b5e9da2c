# SPDX-License-Identifier: Apache-2.0
"""A finished unit's factory data as a whole: every byte, and every relation between records."""

from dataclasses import replace
from itertools import cycle

import pytest

from station.factory_data.examination import REQUIRED, Examination, check_unit
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults.line import FactoryDataInvalid
from station.faults.unit import ReadbackRefused
from station.matter.onboarding.passcode import Passcode
from tests.builders.forge import OTHER_KEY, PAI_KEY, public_key
from tests.builders.forge_unit import EXAMINATION, PRODUCT, RECORDS, held_against, unit

GOOD = unit()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def refused(data: FactoryData, examination: Examination = EXAMINATION) -> list[str]:
    """Subject and code of each bad finding, with the rule if there is one."""
    return [
        " ".join(filter(None, (each.subject, each.fault.code, each.fault.evidence.get("rule"))))
        for each in examination.of(data)
        if each.fault is not None
    ]


def test_a_good_unit_has_no_fault() -> None:
    """Every finding describes the value it checked."""
    findings = EXAMINATION.of(GOOD)
    assert [finding.subject for finding in findings if not finding.judged or finding.fault] == []
    assert all(finding.note for finding in findings)
    check_unit(GOOD, EXAMINATION)


ONES_THAT_MATTER = (
    Tag.CERTIFICATION_DECLARATION,
    Tag.DEVICE_ATTESTATION_CERTIFICATE,
    Tag.PAI_CERTIFICATE,
    Tag.DEVICE_ATTESTATION_PRIV_KEY,
    Tag.DEVICE_ATTESTATION_PUB_KEY,
    Tag.SPAKE2_VERIFIER,
    Tag.SPAKE2_SALT,
    Tag.SPAKE2_ITERATION_COUNT,
    Tag.SPAKE2_SETUP_PASSCODE,
)


@pytest.mark.parametrize("tag", ONES_THAT_MATTER, ids=lambda tag: tag.name)
def test_a_change_of_any_single_byte_is_refused(tag: Tag) -> None:
    """In turn, a byte's lowest bit is changed, its highest bit, or all bits."""
    value = RECORDS[tag]
    for at, mask in zip(range(len(value)), cycle((0x01, 0x80, 0xFF)), strict=False):
        changed = value[:at] + bytes([value[at] ^ mask]) + value[at + 1 :]
        try:
            data = unit(**{tag.name: changed})
        except FactoryDataInvalid:
            continue  # a value that a block cannot have
        assert refused(data), f"{tag.name}, byte {at}"


@pytest.mark.parametrize("tag", REQUIRED, ids=lambda tag: tag.name)
def test_a_record_that_is_missing_is_refused_and_named(tag: Tag) -> None:
    """A firmware would use a default that does not belong to this unit."""
    findings = EXAMINATION.of(unit(**{tag.name: None}))
    assert findings[0].fault is not None
    assert findings[0].fault.evidence["place"] == tag.name


def _raw(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.mark.parametrize("number", [0, 4, _ORDER, _ORDER + 3], ids=["zero", "another", "the order", "beyond"])
def test_a_private_key_that_is_not_the_dacs_is_refused(number: int) -> None:
    """The bytes may be a valid key."""
    data = unit(DEVICE_ATTESTATION_PRIV_KEY=_raw(number))
    assert refused(data) == ["private key pki.credentials_invalid P1"]


def test_another_boards_public_key_is_refused() -> None:
    """The other board's key is a valid point of the curve."""
    data = unit(DEVICE_ATTESTATION_PUB_KEY=public_key(OTHER_KEY)[-65:])
    assert refused(data) == ["public key pki.credentials_invalid P1"]


def test_another_boards_pair_of_keys_is_refused() -> None:
    """The two keys fit each other, but not the certificate."""
    data = unit(DEVICE_ATTESTATION_PUB_KEY=public_key(PAI_KEY)[-65:], DEVICE_ATTESTATION_PRIV_KEY=_raw(2))
    assert refused(data) == ["public key pki.credentials_invalid P1", "private key pki.credentials_invalid P1"]


@pytest.mark.parametrize(
    ("key_in_flash", "is_there", "expected"),
    [
        (True, True, []),
        (True, False, ["private key factory_data.invalid"]),
        (False, True, ["private key readback.private_key_exposed"]),
        (False, False, []),
        (None, False, []),
    ],
)
def test_the_private_key_stands_where_it_belongs(key_in_flash: object, is_there: object, expected: list[str]) -> None:
    """The key's place is flash or secure storage; if none is given, either is right."""
    data = GOOD if is_there else unit(DEVICE_ATTESTATION_PRIV_KEY=None)
    assert refused(data, held_against(key_in_flash=key_in_flash)) == expected


@pytest.mark.parametrize("name", ["VENDOR_ID", "PRODUCT_ID"])
def test_a_block_for_another_product_is_refused(name: str) -> None:
    """The certificates are right, but the unit's vendor or product is not."""
    assert refused(unit(**{name: b"\x02\x01"})) == ["product factory_data.invalid"]


def test_the_certificates_are_held_against_the_product() -> None:
    """The block's own vendor and product do not count."""
    found = refused(GOOD, held_against(product=replace(PRODUCT, device_type=0x100)))
    assert found == ["certification declaration cd.invalid D8"]


def test_a_passcode_that_is_not_in_flash_can_be_told() -> None:
    """The verifier is recomputed from a given passcode; without one only its form is checked."""
    data = unit(SPAKE2_SETUP_PASSCODE=None)
    assert refused(data) == []
    verifier = EXAMINATION.of(data)[-1]
    assert (verifier.subject, verifier.judged) == ("SPAKE2+ verifier", False)
    assert "is unknown" in verifier.note
    assert refused(data, held_against(passcode=Passcode(20202021))) == []
    assert refused(data, held_against(passcode=Passcode(20202022))) == ["SPAKE2+ verifier readback.verifier"]


def test_the_labels_passcode_is_the_one_in_flash() -> None:
    """Different passcodes and a wrong verifier are separate findings."""
    assert refused(GOOD, held_against(passcode=Passcode(20202022))) == ["SPAKE2+ verifier factory_data.invalid"]


def test_a_verifier_that_the_label_has_shown_is_not_recomputed() -> None:
    """A passcode in flash that is not the label's is found all the same."""
    shown = held_against(passcode=Passcode(20202021), verifier_checked=True)
    assert refused(unit(SPAKE2_VERIFIER=bytes(97)), shown) == []
    assert refused(unit(SPAKE2_SETUP_PASSCODE=b"\1\0\0\0"), shown) == ["SPAKE2+ verifier factory_data.invalid"]


@pytest.mark.parametrize(
    "verifier",
    [bytes(32) + RECORDS[Tag.SPAKE2_VERIFIER][32:], _raw(_ORDER) + RECORDS[Tag.SPAKE2_VERIFIER][32:], b"\x04" * 97],
    ids=["w0 is 0", "w0 is the order", "L is no point"],
)
def test_a_verifier_that_no_passcode_gives_is_refused(verifier: bytes) -> None:
    """Such a verifier is refused even if nobody knows the passcode."""
    data = unit(SPAKE2_VERIFIER=verifier, SPAKE2_SETUP_PASSCODE=None)
    assert refused(data) == ["SPAKE2+ verifier readback.verifier"]


def test_a_declaration_is_not_judged_under_a_bad_chain() -> None:
    """The finding of the declaration is open, not good."""
    findings = {each.subject: each for each in EXAMINATION.of(unit(PAI_CERTIFICATE=b"\x30\x00"))}
    assert findings["DAC, PAI and PAA"].fault is not None
    assert not findings["certification declaration"].judged


def test_what_was_read_back_is_refused_as_the_boards_fault() -> None:
    """The fault names the rule; if Matter has none, the finding's code."""
    for data, rule in (
        (unit(PAI_CERTIFICATE=b"\x30\x00"), "C12"),
        (unit(SPAKE2_SETUP_PASSCODE=b"\x01\0\0\0"), "readback.verifier"),
    ):
        with pytest.raises(ReadbackRefused) as caught:
            check_unit(data, EXAMINATION)
        assert caught.value.rule == rule
    with pytest.raises(ReadbackRefused) as caught:
        check_unit(GOOD, held_against(key_in_flash=False))
    assert (caught.value.rule, caught.value.reason) == ("readback.private_key_exposed", "private key")


def test_no_finding_tells_a_secret() -> None:
    """Findings are printed and journalled."""
    text = repr(EXAMINATION.of(GOOD)) + repr(EXAMINATION.of(unit(SPAKE2_VERIFIER=b"\x04" * 97)))
    secrets = (Tag.DEVICE_ATTESTATION_PRIV_KEY, Tag.SPAKE2_VERIFIER, Tag.SPAKE2_SALT)
    assert not [tag for tag in secrets if RECORDS[tag].hex() in text or repr(RECORDS[tag])[2:-1] in text]
    assert "20202021" not in text
