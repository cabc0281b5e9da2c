# SPDX-License-Identifier: Apache-2.0
"""Makes and reads the onboarding payload, which the QR code (`MT:…`) and the manual pairing code carry. Pure.

Matter Core Specification 5.1.3 (QR), 5.1.4 (manual code), 5.1.5 (TLV behind the QR payload).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from station.faults.line import OnboardingCodeInvalid
from station.matter.matter_tlv import Member, TLVInvalid, read_structure, write_structure
from station.matter.onboarding import base38, verhoeff
from station.matter.onboarding.base38 import Base38Invalid
from station.matter.onboarding.passcode import Discriminator, Passcode

PREFIX = "MT:"
LONGEST_PAYLOAD = 255  # characters; 5.1.3.2
LONGEST_QR_CODE = 4_296
LONGEST_SERIAL_NUMBER = 32  # bytes
_FIELDS = (3, 16, 16, 2, 8, 12, 27, 4)  # bits, least significant first
_PACKED_SIZE = 11
_SERIAL_NUMBER, _ITERATIONS, _SALT, _DEVICES, _TIMEOUT = range(5)
_VENDOR_TAGS = range(0x80, 0x100)


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
    """The content of a label. `ValueError` for content that no label may have."""

    vendor_id: int
    product_id: int
    discriminator: Discriminator
    passcode: Passcode
    flow: Flow = Flow.STANDARD
    capabilities: Capabilities = Capabilities.BLE
    serial_number: str | int | None = None

    def __post_init__(self) -> None:
        _check_product(self.vendor_id, self.product_id)
        if isinstance(self.serial_number, str):
            if not 1 <= len(self.serial_number.encode()) <= LONGEST_SERIAL_NUMBER:
                raise ValueError("a serial number in a QR code has 1 to 32 bytes")
        elif self.serial_number is not None and self.serial_number not in range(1 << 64):
            raise ValueError("a serial number in a QR code fits in 64 bits")


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
    tlv = b"" if payload.serial_number is None else write_structure({_SERIAL_NUMBER: payload.serial_number})
    return PREFIX + base38.encode(packed.to_bytes(_PACKED_SIZE, "little") + tlv)


def parse_qr_code(text: str) -> tuple[OnboardingPayload, ...]:
    """The payloads of a QR code, one unless several are joined by `*`; raises `OnboardingCodeInvalid`."""
    if not text.startswith(PREFIX) or len(text) > LONGEST_QR_CODE:
        raise OnboardingCodeInvalid(f"a QR code begins with {PREFIX} and has at most {LONGEST_QR_CODE} characters")
    try:
        return tuple(_parse_payload(part) for part in text.removeprefix(PREFIX).split("*"))
    except (Base38Invalid, TLVInvalid, ValueError) as exc:
        raise OnboardingCodeInvalid(str(exc)) from exc


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
    members = read_structure(data[_PACKED_SIZE:]) if len(data) > _PACKED_SIZE else {}
    return OnboardingPayload(
        vendor_id,
        product_id,
        Discriminator(discriminator),
        Passcode(passcode),
        Flow(flow),
        Capabilities(capabilities),
        _serial_number(members),
    )


def _serial_number(members: Mapping[int, Member]) -> str | int | None:
    """The serial number. Other members must be known ones or a vendor's; they are not returned."""
    if unknown := [tag for tag in members if tag > _TIMEOUT and tag not in _VENDOR_TAGS]:
        raise ValueError(f"member {unknown[0]} behind the payload is reserved")
    if (_ITERATIONS in members) != (_SALT in members):
        raise ValueError("iterations without salt, or salt without iterations")
    match members.get(_SERIAL_NUMBER):
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


def _check_product(vendor_id: int, product_id: int) -> None:
    """Checks vendor and product: vendor 0 means that the code names no product, any other vendor needs one."""
    if vendor_id not in range(0xFFF5) or product_id not in range(0x10000) or (vendor_id == 0) != (product_id == 0):
        raise ValueError(f"vendor 0x{vendor_id:04X} with product 0x{product_id:04X} cannot be assigned")
