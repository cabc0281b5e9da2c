# SPDX-License-Identifier: Apache-2.0
"""Makes and reads the onboarding payload, which the QR code (`MT:…`) and the manual pairing code carry. Pure.

Matter Core Specification 5.1.3 (QR), 5.1.4 (manual code), 5.1.5 (TLV behind the QR payload).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from station.faults.line import OnboardingCodeInvalid
from station.matter.matter_tlv import Member, Signed, TLVInvalid, read_structure, write_structure
from station.matter.onboarding import base38, verhoeff
from station.matter.onboarding.base38 import Base38Invalid
from station.matter.onboarding.passcode import Discriminator, Passcode

PREFIX = "MT:"
BYTE_ORDER_MARK = "\ufeff"
LONGEST_PAYLOAD = 255  # characters; 5.1.3.2
LONGEST_TLV = 140  # bytes: all that such a payload has room for
LONGEST_QR_CODE = 4_296
LONGEST_SERIAL_NUMBER = 32  # bytes
_FIELDS = (3, 16, 16, 2, 8, 12, 27, 4)  # bits, least significant first
_PACKED_SIZE = 11
SERIAL_NUMBER, _ITERATIONS, _SALT, _DEVICES, _TIMEOUT = range(5)
VENDOR_TAGS = range(0x80, 0x100)


class Flow(IntEnum):
    """The action that a unit needs before it can be commissioned."""

    STANDARD = 0
    USER_INTENT = 1
    CUSTOM = 2


class Capabilities(IntFlag):
    """How a unit can be discovered. An STM32WB55 on Thread says BLE."""

    SOFT_AP = 1
    BLE = 2
    ON_NETWORK = 4
    WIFI_PAF = 8
    NFC = 16
    THREAD = 32


@dataclass(frozen=True, slots=True)
class OnboardingPayload:
    """The content of a label. `ValueError` for content that no label may have.

    A serial number above 32 bits becomes text, since the CHIP SDK reads no longer number. `vendor_data` has the members of
    the vendor (tags 0x80 to 0xFF) that are numbers or text.
    """

    vendor_id: int
    product_id: int
    discriminator: Discriminator
    passcode: Passcode
    flow: Flow = Flow.STANDARD
    capabilities: Capabilities = Capabilities.BLE
    serial_number: str | int | None = None
    vendor_data: Mapping[int, int | str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _check_product(self.vendor_id, self.product_id)
        if isinstance(self.serial_number, str):
            if not 1 <= len(self.serial_number.encode()) <= LONGEST_SERIAL_NUMBER:
                raise ValueError("a serial number in a QR code has 1 to 32 bytes")
        elif self.serial_number is not None and self.serial_number not in range(1 << 64):
            raise ValueError("a serial number in a QR code fits in 64 bits")
        elif self.serial_number is not None and self.serial_number >= 1 << 32:
            object.__setattr__(self, "serial_number", str(self.serial_number))
        _check_vendor_data(self.vendor_data)
        if len(_tlv(self)) > LONGEST_TLV:
            raise ValueError(f"serial number and vendor data have at most {LONGEST_TLV} bytes together")


@dataclass(frozen=True, slots=True)
class ManualCode:
    """The content of a manual pairing code; it has vendor and product only if the flow is not the standard one."""

    short_discriminator: int
    passcode: Passcode
    vendor_id: int | None = None
    product_id: int | None = None


def qr_code(payload: OnboardingPayload) -> str:
    """The text of the QR code."""
    packed, offset = 0, 0
    fields: tuple[int, ...] = (
        0,  # the version of the payload
        payload.vendor_id,
        payload.product_id,
        payload.flow,
        payload.capabilities,
        payload.discriminator.value,
        payload.passcode.value,
        0,
    )
    for bits, value in zip(_FIELDS, fields, strict=True):
        packed |= value << offset
        offset += bits
    return PREFIX + base38.encode(packed.to_bytes(_PACKED_SIZE, "little") + _tlv(payload))


def is_meant_as_qr_code(text: str) -> bool:
    """Whether this is a QR code's text, or would be one without lower case, blanks, or a byte order mark in front."""
    return text.strip().lstrip(BYTE_ORDER_MARK).strip().upper().startswith(PREFIX)


def parse_qr_code(text: str) -> tuple[OnboardingPayload, ...]:
    """The payloads of a QR code, one unless several are joined by `*`; raises `OnboardingCodeInvalid`."""
    if not text.startswith(PREFIX) and is_meant_as_qr_code(text):
        raise OnboardingCodeInvalid(f"a QR code begins with {PREFIX}, and this one with {_in_front(text)}")
    if not text.startswith(PREFIX) or len(text) > LONGEST_QR_CODE:
        raise OnboardingCodeInvalid(f"a QR code begins with {PREFIX} and has at most {LONGEST_QR_CODE} characters")
    try:
        return tuple(_parse_payload(part) for part in text.removeprefix(PREFIX).split("*"))
    except (Base38Invalid, TLVInvalid, ValueError) as exc:
        raise OnboardingCodeInvalid(str(exc)) from exc


def members_in(text: str) -> dict[int, Member] | None:
    """The members behind one payload, which is given without `MT:`, or None if nothing follows it.

    Raises `Base38Invalid` or `TLVInvalid`.
    """
    tlv = base38.decode(text)[_PACKED_SIZE:]
    return read_structure(tlv, signed=VENDOR_TAGS) if tlv else None


def manual_code(payload: OnboardingPayload) -> str:
    """The digits of the manual pairing code: 11, or 21 where the flow is not the standard one."""
    discriminator, passcode = payload.discriminator.short, payload.passcode.value
    long = payload.flow is not Flow.STANDARD
    digits = f"{discriminator >> 2 | (4 if long else 0)}"
    digits += f"{passcode & 0x3FFF | (discriminator & 3) << 14:05}{passcode >> 14:04}"
    if long:
        digits += f"{payload.vendor_id:05}{payload.product_id:05}"
    return digits + verhoeff.check_digit(digits)


def parse_manual_code(text: str) -> ManualCode:
    """Reads a manual pairing code, with or without dashes; raises `OnboardingCodeInvalid`."""
    digits = text.replace("-", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) in {11, 21}):
        raise OnboardingCodeInvalid("a manual pairing code has 11 or 21 digits")
    if not verhoeff.is_valid(digits):
        raise OnboardingCodeInvalid("the check digit is wrong: a digit is mistyped, or two are exchanged")
    try:
        return _parse_digits(digits)
    except ValueError as exc:
        raise OnboardingCodeInvalid(str(exc)) from exc


def check_codes(payload: OnboardingPayload, qr_text: str, manual_text: str) -> None:
    """Refuses with `OnboardingCodeInvalid` codes that do not read back as the payload."""
    if parse_qr_code(qr_text) != (payload,):
        raise OnboardingCodeInvalid("the QR code does not read as what it was made of")
    product = (None, None) if payload.flow is Flow.STANDARD else (payload.vendor_id, payload.product_id)
    if parse_manual_code(manual_text) != ManualCode(payload.discriminator.short, payload.passcode, *product):
        raise OnboardingCodeInvalid("the manual pairing code does not read as what it was made of")


def _parse_payload(text: str) -> OnboardingPayload:
    if len(text) + len(PREFIX) > LONGEST_PAYLOAD:
        raise ValueError(f"a payload has at most {LONGEST_PAYLOAD} characters")
    data = base38.decode(text)
    if len(data) < _PACKED_SIZE:
        raise ValueError("the payload is cut off")
    packed = int.from_bytes(data[:_PACKED_SIZE], "little")
    values: list[int] = []
    for bits in _FIELDS:
        values.append(packed & (1 << bits) - 1)
        packed >>= bits
    version, vendor_id, product_id, flow, capabilities, discriminator, passcode, padding = values
    if version or padding or capabilities >= 2 * Capabilities.THREAD:
        raise ValueError("version, padding or a reserved discovery capability is not 0")
    members = members_in(text) or {}
    return OnboardingPayload(
        vendor_id,
        product_id,
        Discriminator(discriminator),
        Passcode(passcode),
        Flow(flow),
        Capabilities(capabilities),
        _serial_number(members),
        _vendor_data(members),
    )


def _vendor_data(members: Mapping[int, Member]) -> dict[int, int | str]:
    """The vendor's numbers and texts; numbers with and without sign are read alike."""
    found: dict[int, int | str] = {}
    for tag, value in members.items():
        match value:
            case int() if tag in VENDOR_TAGS:
                found[tag] = int(value)
            case str() if tag in VENDOR_TAGS:
                found[tag] = value
    return found


def _tlv(payload: OnboardingPayload) -> bytes:
    """The bytes behind the payload, in the form and order of the CHIP SDK's generator: the vendor's members come first.

    The SDK refuses a vendor's number that is not in a signed element.
    """
    members: dict[int, int | str] = {
        tag: Signed(value) if isinstance(value, int) else value for tag, value in sorted(payload.vendor_data.items())
    }
    if payload.serial_number is not None:
        members[SERIAL_NUMBER] = payload.serial_number
    return write_structure(members) if members else b""


def _in_front(text: str) -> str:
    """What stands at the beginning of a QR code's text in the place of its prefix."""
    if BYTE_ORDER_MARK in text[: text.upper().index(PREFIX)]:
        return "a byte order mark"
    return "a blank" if text[0].isspace() else text[: len(PREFIX)]


def _serial_number(members: Mapping[int, Member]) -> str | int | None:
    """The serial number. Other members must be known ones or a vendor's."""
    if unknown := [tag for tag in members if tag > _TIMEOUT and tag not in VENDOR_TAGS]:
        raise ValueError(f"member {unknown[0]} behind the payload is reserved")
    if (_ITERATIONS in members) != (_SALT in members):
        raise ValueError("iterations without salt, or salt without iterations")
    match members.get(SERIAL_NUMBER):
        case str() | int() | None as serial_number:
            return serial_number
        case _:
            raise ValueError("the serial number is neither text nor number")


def _parse_digits(digits: str) -> ManualCode:
    first, low, high = int(digits[0]), int(digits[1:6]), int(digits[6:10])
    if first > 7 or low > 0xFFFF:
        raise ValueError("a code of a version to come, or one that no unit has")
    if bool(first & 4) != (len(digits) == 21):
        raise ValueError("the length is not the one that the first digit tells")
    short_discriminator, passcode = (first & 3) << 2 | low >> 14, Passcode(high << 14 | low & 0x3FFF)
    if len(digits) == 11:
        return ManualCode(short_discriminator, passcode)
    vendor_id, product_id = int(digits[10:15]), int(digits[15:20])
    _check_product(vendor_id, product_id)
    return ManualCode(short_discriminator, passcode, vendor_id, product_id)


def _check_vendor_data(vendor_data: Mapping[int, int | str]) -> None:
    """Checks a vendor's members; numbers may have 64 bits, though the CHIP SDK reads 32."""
    if unknown := [tag for tag in vendor_data if tag not in VENDOR_TAGS]:
        raise ValueError(f"member {unknown[0]} is not the vendor's: those are 0x80 to 0xFF")
    if not all(-(1 << 63) <= value < 1 << 63 for value in vendor_data.values() if isinstance(value, int)):
        raise ValueError("a vendor's number in a QR code fits in 64 bits with a sign")


def _check_product(vendor_id: int, product_id: int) -> None:
    """Checks vendor and product: vendor 0 means that the code names no product, any other vendor needs one."""
    if vendor_id not in range(0xFFF5) or product_id not in range(0x10000) or (vendor_id == 0) != (product_id == 0):
        raise ValueError(f"vendor 0x{vendor_id:04X} with product 0x{product_id:04X} cannot be assigned")
