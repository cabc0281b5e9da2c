# SPDX-License-Identifier: Apache-2.0
"""Makes a good unit's factory data from forged certificates, so that a test can spoil one thing."""

from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from station.factory_data import flat_tlv
from station.factory_data.examination import Examination
from station.factory_data.flat_tlv import FactoryData, Tag
from station.matter.certificates.attestation import Product
from station.matter.certificates.trust import TrustStore
from station.matter.onboarding import spake2p
from station.matter.onboarding.passcode import Passcode
from tests.builders.forge import DAC, DAC_KEY, PAA, PAI
from tests.builders.forge_declaration import SIGNER, Declaration

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRUST = TrustStore.of({"paa": PAA.der}, {"signer": SIGNER.der})
PRODUCT = Product(0xFFF1, 0x8004, 0x1234, "ZIG20141ZB330001-24", 0x9876)
EXAMINATION = Examination(PRODUCT, TRUST, at=NOW, production=False)
PASSCODE, SALT = Passcode(20202021), b"SPAKE2P Key Salt"

RECORDS = {
    Tag.CERTIFICATION_DECLARATION: Declaration().der,
    Tag.DEVICE_ATTESTATION_CERTIFICATE: DAC.der,
    Tag.PAI_CERTIFICATE: PAI.der,
    Tag.DEVICE_ATTESTATION_PRIV_KEY: (3).to_bytes(32, "big"),
    Tag.DEVICE_ATTESTATION_PUB_KEY: DAC_KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    Tag.SETUP_DISCRIMINATOR: (3840).to_bytes(2, "little"),
    Tag.SPAKE2_ITERATION_COUNT: (1000).to_bytes(4, "little"),
    Tag.SPAKE2_SALT: SALT,
    Tag.SPAKE2_VERIFIER: spake2p.verifier(PASSCODE, SALT, 1000),
    Tag.SPAKE2_SETUP_PASSCODE: (20202021).to_bytes(4, "little"),
    Tag.VENDOR_NAME: b"Vendor",
    Tag.VENDOR_ID: b"\xf1\xff",
    Tag.PRODUCT_NAME: b"Lamp",
    Tag.PRODUCT_ID: b"\x04\x80",
    Tag.SERIAL_NUMBER: b"LT2600000001",
    Tag.MANUFACTURING_DATE: b"20261122",
    Tag.HARDWARE_VERSION: b"\x01\x00",
    Tag.HARDWARE_VERSION_STRING: b"rev A",
    Tag.ROTATING_DEVICE_ID: b"00112233445566778899aabbccddeeff",
}


def unit(**changed: bytes | None) -> FactoryData:
    """A good unit, with records changed by name, or left out for None."""
    records = {**RECORDS, **{Tag[name]: value for name, value in changed.items()}}
    return FactoryData({tag: value for tag, value in records.items() if value is not None})


def flash(data: FactoryData) -> bytes:
    """A dump of the board's whole external flash."""
    return b"\xff" * flat_tlv.OFFSET_IN_FLASH + flat_tlv.encode(data).ljust(0x40000, b"\xff")


def held_against(**changed: object) -> Examination:
    return replace(EXAMINATION, **changed)  # type: ignore[arg-type]  # the names are those of its fields
