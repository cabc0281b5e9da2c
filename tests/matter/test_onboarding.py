# SPDX-License-Identifier: Apache-2.0
"""QR codes and manual pairing codes, compared with four other implementations and the CHIP SDK's own strings."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.faults.line import OnboardingCodeInvalid
from station.matter.onboarding import base38, commissioners, verhoeff
from station.matter.onboarding.codes import (
    Capabilities,
    Flow,
    ManualCode,
    OnboardingPayload,
    manual_code,
    parse_manual_code,
    parse_qr_code,
    qr_code,
)
from station.matter.onboarding.passcode import Discriminator, Passcode

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "onboarding" / "onboarding_500.json").read_text())


def payload(
    vendor_id: int = 0xFFF1,
    product_id: int = 0x8000,
    discriminator: int = 0xF00,
    passcode: int = 20202021,
    flow: int = 0,
    capabilities: int = 2,
    serial_number: str | int | None = None,
    *,
    vendor_data: Mapping[int, int | str] | None = None,
) -> OnboardingPayload:
    return OnboardingPayload(
        vendor_id,
        product_id,
        Discriminator(discriminator),
        Passcode(passcode),
        Flow(flow),
        Capabilities(capabilities),
        serial_number,
        vendor_data or {},
    )


def of(vector: Mapping[str, str | int]) -> OnboardingPayload:
    return payload(*(int(vector[name]) for name in ("vid", "pid", "disc", "pin", "flow", "cap")))


def packed(version: int = 0, flow: int = 0, capabilities: int = 2, padding: int = 0, tlv: str = "") -> str:
    """A QR code of any field values, also of those that no payload can have."""
    low = version | 0xFFF1 << 3 | 0x8000 << 19 | flow << 35 | capabilities << 37
    number = low | 0xF00 << 45 | 20202021 << 57 | padding << 84
    return "MT:" + base38.encode(number.to_bytes(11, "little") + bytes.fromhex(tlv))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["chip_qr"])
def test_both_codes_are_those_of_the_chip_sdk(vector: Mapping[str, str | int]) -> None:
    """Encoding gives the SDK's codes, and decoding the SDK's values."""
    meant = of(vector)
    assert (qr_code(meant), manual_code(meant)) == (vector["chip_qr"], vector["chip_manual"])
    assert parse_qr_code(str(vector["chip_qr"])) == (meant,)
    told = (None, None) if meant.flow is Flow.STANDARD else (meant.vendor_id, meant.product_id)
    assert parse_manual_code(str(vector["chip_manual"])) == ManualCode(meant.discriminator.short, meant.passcode, *told)


# The CHIP SDK's src/setup_payload/tests, and its controller's generator.
UPSTREAM = {
    "MT:Y.K9042C00KA0648G00": payload(),
    "MT:Y.K90AFN00KA0648G00": payload(capabilities=4),
    "MT:-24J042C00KA0648G00": payload(product_id=0x8001),
    "MT:Y.K900ID00KA0648G00": payload(flow=1),
    "MT:Y.K90YXE00KA0648G00": payload(flow=2),
    "MT:Y.K90-Q000KA0648G00": payload(capabilities=0),
    "MT:00000CQM00KA0648G00": payload(0, 0, capabilities=4),
    "MT:Y.K90AFN008CQ36B420": payload(passcode=99999998, capabilities=4),
    "MT:M5L90MP500K64J00000": payload(12, 1, 128, 2048, capabilities=1),
    "MT:M5L90MP500K64J0A33P0WISA0DK5N1K8SQ1RYCU1O0": payload(12, 1, 128, 2048, 0, 1, "123456789"),
    "MT:M5L90MP500K64J0A33P0A43P0X-T80O0": payload(12, 1, 128, 2048, 0, 1, 123456789),
    "MT:Y.K9042C00KA064IJ3P0IXZB0384G1-0LJ1-0LJ1.A40": payload(serial_number="SN-0000001"),
    "MT:M5L90MP500K64J0A33P0SET70.QT52B.E23-WZE0WISA0DK5N1K8SQ1RYCU1O0": payload(
        12, 1, 128, 2048, 0, 1, "123456789", vendor_data={0x82: "myData", 0x83: 12}
    ),
}


@pytest.mark.parametrize("text", UPSTREAM)
def test_upstream_qr_codes_are_made_and_read(text: str) -> None:
    """Some have a serial number after the payload, one has members of a vendor, some have nothing."""
    assert qr_code(UPSTREAM[text]) == text
    assert parse_qr_code(text) == (UPSTREAM[text],)


@pytest.mark.parametrize(
    "text",
    [
        "MT:U9VJ0OMV172PX813210",
        "MT:A3L90ARR15G6N57Y900",
        "MT:MZWA6G6026O2XP0II00",
        "MT:KSNK4M5113-JPR4UY00",
        "MT:0A.T0P--00Y0OJ0.510",
        "MT:EPX0482F26DAVY09R10",
    ],
)
def test_more_upstream_qr_codes_survive_a_round_trip(text: str) -> None:
    """Decoding and encoding gives the same text."""
    (read,) = parse_qr_code(text)
    assert qr_code(read) == text


@pytest.mark.parametrize(
    ("tlv", "number"),
    [
        ("24 80 01", 1),
        ("20 80 01", 1),
        ("25 80 ff00", 255),
        ("21 80 ff00", 255),
        ("20 80 ff", -1),
        ("22 80 00000080", -(1 << 31)),
        ("26 80 00000080", 1 << 31),
        ("23 80 0100000000000000", 1),
        ("27 80 0100000000000000", 1),
    ],
)
def test_numbers_of_a_vendor_are_read_with_and_without_a_sign(tlv: str, number: int) -> None:
    """The element's type does not matter, only the value."""
    assert parse_qr_code(packed(tlv=f"15 {tlv} 2c 00 01 41 18")) == (
        payload(serial_number="A", vendor_data={0x80: number}),
    )


def test_numbers_of_a_vendor_are_written_with_a_sign() -> None:
    """The CHIP SDK refuses a code with a vendor's number in an unsigned element."""
    assert qr_code(payload(vendor_data={0x81: -1, 0x80: 255})) == packed(tlv="15 21 80 ff00 20 81 ff 18")


def test_other_members_of_a_vendor_are_passed_over() -> None:
    """Only the vendor knows what bytes and arrays mean."""
    tlv = "15 30 80 01 41 36 81 04 01 18 18"
    assert parse_qr_code(packed(tlv=tlv)) == (payload(),)


def test_a_serial_number_above_32_bits_is_text() -> None:
    """The CHIP SDK refuses a longer number."""
    assert payload(serial_number=1 << 32) == payload(serial_number="4294967296")
    assert qr_code(payload(serial_number=(1 << 32) - 1)) == packed(tlv="15 26 00 ffffffff 18")
    assert qr_code(payload(serial_number=1 << 32)) == packed(tlv="15 2c 00 0a 34323934393637323936 18")
    assert parse_qr_code(packed(tlv="15 27 00 0000000001000000 18")) == (payload(serial_number="4294967296"),)


def test_several_payloads_may_be_joined() -> None:
    """One QR code may be for several units."""
    text = "MT:M5L90MP500K64J00000*M5L90U.D010K4J00000*M5L900CM02IX4J00000*M5L908OU03-85J00000"
    assert [read.vendor_id for read in parse_qr_code(text)] == [12] * 4


# Tried with home-assistant-chip-core 2025.7.0 and @matter/types 0.17.9.
UNREADABLE = {
    "the vendor's member 0x80 is a number of an unsigned type": packed(tlv="15 24 80 01 18"),
    "the vendor's member 0x80 is a number of more than 32 bits": packed(tlv="15 23 80 0000008000000000 18"),
    "its serial number is a number of more than 32 bits": packed(tlv="15 27 00 0000000001000000 18"),
    "it has member 3, a number": packed(tlv="15 24 03 01 18"),
    "it has an empty structure": packed(tlv="15 18"),
    "it has 30 characters, a multiple of 5": qr_code(payload(serial_number="AB")),
    "payload 2: matter.js": "MT:Y.K9042C00KA0648G00*" + qr_code(payload(serial_number="AB"))[3:],
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_a_code_that_a_known_commissioner_cannot_read_is_known(reason: str) -> None:
    """The code itself is valid."""
    assert parse_qr_code(UNREADABLE[reason])
    (said,) = commissioners.unable(UNREADABLE[reason])
    assert reason in said


@pytest.mark.parametrize(
    "text",
    [
        *UPSTREAM,
        packed(tlv="15 22 80 00000080 18"),
        packed(tlv="15 23 80 0100000000000000 18"),
        packed(tlv="15 27 00 0100000000000000 18"),
        packed(tlv="15 30 80 01 41 18"),
    ],
)
def test_a_code_that_all_known_commissioners_read_needs_no_warning(text: str) -> None:
    """Width does not matter to them, only type and value."""
    assert not commissioners.unable(text)


@pytest.mark.parametrize("length", range(1, 33))
def test_serial_numbers_of_a_third_of_all_lengths_cannot_be_read_by_matter_js(length: int) -> None:
    """It refuses a Base38 text without an incomplete group."""
    assert bool(commissioners.unable(qr_code(payload(serial_number="x" * length)))) == (length % 3 == 2)


QR_REFUSED = {
    "this one with mt:": "mt:Y.K9042C00KA0648G00",
    "this one with a blank": " MT:Y.K9042C00KA0648G00",
    "this one with a byte order mark": "\ufeffMT:Y.K9042C00KA0648G00",
    "trivial": "MT:M5L90MP500W-GT68D20",
    "begins with MT:": "Y.K9042C00KA0648G00",
    "at most 255": "MT:" + "0" * 260,
    "at most 4296": "MT:" + "0" * 4300,
    "a character": "MT:Y.K9042C00KA0648G0_",
    "or a length": "MT:Y.K9042C00KA0648G0",
    "no bytes encode": "MT:.....042C00KA0648G00",
    "cut off": "MT:Y.K9042C00",
    "version, padding": packed(version=1),
    "padding or a reserved": packed(padding=1),
    "reserved discovery": packed(capabilities=0x40),
    "not a valid Flow": packed(flow=3),
    "member 5 behind the payload is reserved": packed(tlv="15 24 05 01 18"),
    "iterations without salt": packed(tlv="15 25 01 e803 18"),
    "neither text nor number": packed(tlv="15 30 00 01 41 18"),
    "1 to 32 bytes": packed(tlv="15 2c 00 21 " + "41" * 33 + " 18"),
    "bytes too many": packed(tlv="15 18 00"),
    "element 0x15 is expected": packed(tlv="16 18"),
    "an element 0x00 that has no place here": packed(tlv="15 20 00 01 18"),
    "64 bits with a sign": packed(tlv="15 27 80 ffffffffffffffff 18"),
}


@pytest.mark.parametrize("reason", QR_REFUSED)
def test_a_qr_code_that_no_unit_may_have_is_refused(reason: str) -> None:
    """Each case breaks one rule."""
    with pytest.raises(OnboardingCodeInvalid, match=reason):
        parse_qr_code(QR_REFUSED[reason])


@pytest.mark.parametrize(
    ("text", "passcode", "short"),
    [("00000100007", 1, 0), ("34970112332", 20202021, 0xF), ("3497-011-2332", 20202021, 0xF)],
)
def test_manual_codes_are_read_with_and_without_dashes(text: str, passcode: int, short: int) -> None:
    """People type dashes or leave them out."""
    assert parse_manual_code(text) == ManualCode(short, Passcode(passcode))


# Bodies without their check digit, from the CHIP SDK's TestManualCode.cpp.
BODIES = {
    "2412950753": payload(discriminator=2560, passcode=12345679),
    "64129507530000100001": payload(1, 1, 2560, 12345679, flow=2),
    "64129507534536714526": payload(45367, 14526, 2560, 12345679, flow=2),
}


@pytest.mark.parametrize("body", BODIES)
def test_manual_codes_have_the_digits_of_the_chip_sdk(body: str) -> None:
    """The code has vendor and product only if the flow is not the standard one."""
    assert manual_code(BODIES[body])[:-1] == body


def checked(body: str) -> str:
    return body + verhoeff.check_digit(body)


def test_a_long_manual_code_tells_vendor_and_product() -> None:
    """A commissioner looks up the product's instructions by them."""
    told = parse_manual_code(checked("52927623630456200032"))
    assert told == ManualCode(5, Passcode(38728284), 4562, 32)


MANUAL_REFUSED = {
    "11 or 21 digits": "3497011233",
    "check digit": "34970112331",
    "version to come": checked("8497011233"),
    "one that no unit has": checked("3655361233"),
    "length": checked("7497011233"),
    "passcode": checked("63610875354536714526"),
    "cannot be assigned": checked("64129507536553500001"),
}


@pytest.mark.parametrize("reason", MANUAL_REFUSED)
def test_a_manual_code_that_no_unit_may_have_is_refused(reason: str) -> None:
    """Each case breaks one rule."""
    with pytest.raises(OnboardingCodeInvalid, match=reason):
        parse_manual_code(MANUAL_REFUSED[reason])


@pytest.mark.parametrize("position", range(11))
def test_every_mistyped_digit_is_found(position: int) -> None:
    """The check digit reveals a mistyped digit."""
    good = "34970112332"
    typed = (good[:position] + digit + good[position + 1 :] for digit in "0123456789")
    assert [text for text in typed if verhoeff.is_valid(text)] == [good]


def test_every_exchanged_pair_is_found() -> None:
    """The check digit reveals two exchanged digits, the usual typing mistake."""
    good = "34970112332"
    swapped = {good[:i] + good[i + 1] + good[i] + good[i + 2 :] for i in range(10)} - {good}
    assert not [text for text in swapped if verhoeff.is_valid(text)]


@pytest.mark.parametrize(
    ("vendor_id", "product_id", "serial_number"),
    [
        (0xFFF5, 1, None),
        (0, 1, None),
        (1, 0, None),
        (1, 0x10000, None),
        (1, 1, ""),
        (1, 1, "x" * 33),
        (1, 1, 1 << 64),
        (1, 1, -1),
    ],
)
def test_a_payload_that_no_label_may_carry_cannot_be_built(
    vendor_id: int, product_id: int, serial_number: str | int | None
) -> None:
    """The constructor raises ValueError."""
    with pytest.raises(ValueError, match=r"assigned|serial number"):
        payload(vendor_id, product_id, serial_number=serial_number)


@pytest.mark.parametrize("vendor_data", [{0x7F: 1}, {0x100: 1}, {0x80: 1 << 63}, {0x80: "x" * 136}])
def test_vendor_data_that_no_label_may_carry_cannot_be_built(vendor_data: dict[int, int | str]) -> None:
    """A wrong tag, a number without a place, or too much text for a payload."""
    with pytest.raises(ValueError, match=r"the vendor's|vendor's number|140 bytes"):
        payload(vendor_data=vendor_data)


def test_the_longest_vendor_data_fits_into_a_payload() -> None:
    """A payload has at most 255 characters, its prefix included."""
    longest = payload(vendor_data={0x80: "x" * 135})
    assert parse_qr_code(qr_code(longest)) == (longest,)


def test_a_payload_does_not_show_its_passcode() -> None:
    """The repr of a value that contains the payload does not show it either."""
    assert "20202021" not in repr(payload())


@settings(max_examples=300, derandomize=True)
@given(
    st.text(alphabet="0123456789ABCXYZ-.*:MT\u0661", max_size=60),
    st.sampled_from(["", "MT:", "MT:Y.K9042C00KA0648G00"]),
)
def test_garbage_is_refused_by_name(text: str, prefix: str) -> None:
    """Any text gives payloads or a code, or `OnboardingCodeInvalid`."""
    for parse in (parse_qr_code, parse_manual_code):
        try:
            read: object = parse(prefix + text)
        except OnboardingCodeInvalid as fault:
            read = fault.reason
        assert read


@settings(max_examples=100, derandomize=True)
@given(
    st.integers(1, 0xFFF4),
    st.integers(1, 0xFFFF),
    st.integers(0, 4095),
    st.integers(1, 11_111_110),
    st.integers(0, 2),
    st.integers(0, 63),
    st.one_of(st.none(), st.integers(0, (1 << 64) - 1), st.text(alphabet="aé1", min_size=1, max_size=16)),
    st.dictionaries(
        st.integers(0x80, 0xFF),
        st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.text("aé", max_size=16)),
        max_size=2,
    ),
)
def test_what_is_made_is_read(  # one argument a field of the payload
    vendor_id: int,
    product_id: int,
    discriminator: int,
    passcode: int,
    flow: int,
    capabilities: int,
    serial: str | int | None,
    vendor_data: Mapping[int, int | str],
) -> None:
    """Every payload that can be built reads back equal."""
    made = payload(vendor_id, product_id, discriminator, passcode, flow, capabilities, serial, vendor_data=vendor_data)
    assert parse_qr_code(qr_code(made)) == (made,)
    assert parse_manual_code(manual_code(made)).passcode == made.passcode
