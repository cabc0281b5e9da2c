# SPDX-License-Identifier: Apache-2.0
"""Examines a finished unit's factory data as a whole: whether records, certificates, keys and verifier fit together.

Pure. A block may decode without error and still not be that of a unit which a commissioner accepts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from station.factory_data.device_information import check_device_information
from station.factory_data.flat_tlv import FactoryData, Mistake, Tag, refuse
from station.faults import Fault
from station.faults.line import CredentialsInvalid, DeclarationInvalid, FactoryDataInvalid
from station.faults.unit import PrivateKeyExposed, ReadbackDiffers, ReadbackRefused
from station.matter.certificates.attestation import Attestation, Product, check_attestation
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.trust import TrustStore
from station.matter.certificates.x509 import Certificate
from station.matter.onboarding import codes, spake2p
from station.matter.onboarding.codes import OnboardingPayload
from station.matter.onboarding.passcode import Passcode

ATTESTATION = (Tag.DEVICE_ATTESTATION_CERTIFICATE, Tag.PAI_CERTIFICATE, Tag.CERTIFICATION_DECLARATION)
REQUIRED = (
    *ATTESTATION,
    Tag.DEVICE_ATTESTATION_PUB_KEY,
    Tag.SETUP_DISCRIMINATOR,
    Tag.SPAKE2_ITERATION_COUNT,
    Tag.SPAKE2_SALT,
    Tag.SPAKE2_VERIFIER,
    Tag.VENDOR_NAME,
    Tag.VENDOR_ID,
    Tag.PRODUCT_NAME,
    Tag.PRODUCT_ID,
    Tag.SERIAL_NUMBER,
    Tag.HARDWARE_VERSION,
    Tag.HARDWARE_VERSION_STRING,
)
_MISSING = "missing; every unit has one"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `fault` is the mistake, if any; `note` is the good result, or the reason why there is none."""

    subject: str
    note: str = ""
    fault: Fault | None = None
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Examination:
    """The requirements that a unit is compared with.

    Without a passcode the block's own is taken; without `key_in_flash` the block may or may not hold the private key.
    """

    product: Product
    trust: TrustStore
    at: datetime
    production: bool
    passcode: Passcode | None = None
    key_in_flash: bool | None = None
    verifier_checked: bool = False
    """Whether `check_label` has just compared the block's verifier with this passcode, which takes a millisecond."""

    def of(self, data: FactoryData) -> tuple[Finding, ...]:
        """All findings; the unit is good if none of them has a fault."""
        return (
            _judged("records", lambda: _all_there(data)),
            _judged("device information", lambda: _information(data)),
            _judged("product", lambda: _product(data, self.product)),
            *self._attestation(data),
            _judged("public key", lambda: _public_key(data)),
            self._private_key(data),
            self._verifier(data),
        )

    def _attestation(self, data: FactoryData) -> Iterator[Finding]:
        """The findings on chain and declaration; a declaration can be judged only under a good chain."""
        certificates, declaration = "DAC, PAI and PAA", "certification declaration"
        fault: Fault | None = None
        try:
            shown = Attestation(*(_record(data, tag) for tag in ATTESTATION))
            check_attestation(shown, self.product, self.trust, at=self.at, production=self.production)
        except DeclarationInvalid as invalid:
            fault = invalid
        except (CredentialsInvalid, FactoryDataInvalid) as invalid:
            yield Finding(certificates, fault=invalid)
            yield Finding(declaration, "a declaration is judged under a good chain only", judged=False)
            return
        yield Finding(certificates, "a chain to a trusted PAA")
        yield Finding(declaration, "" if fault else "by a known signer, for this product and this PAI", fault)

    def _private_key(self, data: FactoryData) -> Finding:
        subject, is_there = "private key", Tag.DEVICE_ATTESTATION_PRIV_KEY in data.records
        if is_there and self.key_in_flash is False:
            return Finding(subject, fault=PrivateKeyExposed())
        if is_there or self.key_in_flash:
            return _judged(subject, lambda: _private_key(data))
        return Finding(subject, "not in flash: the board keeps it elsewhere", judged=False)

    def _verifier(self, data: FactoryData) -> Finding:
        subject, passcode = "SPAKE2+ verifier", self.passcode or data.passcode
        if passcode is None:
            return replace(_judged(subject, lambda: _check_verifier_form(data)), judged=False)
        return _judged(subject, lambda: _check_verifier(data, passcode, checked=self.verifier_checked))


def check_unit(data: FactoryData, examination: Examination) -> None:
    """Refuses with `ReadbackRefused` a board's block in which the examination finds a fault."""
    for finding in examination.of(data):
        if finding.fault is not None:
            evidence = finding.fault.evidence
            rule, reason = evidence.get("rule", finding.fault.code), evidence.get("reason", finding.subject)
            raise ReadbackRefused(rule, reason) from finding.fault


def check_label(payload: OnboardingPayload, data: FactoryData) -> None:
    """Refuses a label that does not open this unit: `OnboardingCodeInvalid`, `ReadbackDiffers` or `VerifierWrong`.

    Makes the label's codes, reads them again as a commissioner does, and compares them with the board's factory data.
    """
    qr_text, manual_text = codes.qr_code(payload), codes.manual_code(payload)
    codes.check_codes(payload, qr_text, manual_text)
    (label,) = codes.parse_qr_code(qr_text)
    for tag, said in (
        (Tag.VENDOR_ID, label.vendor_id),
        (Tag.PRODUCT_ID, label.product_id),
        (Tag.SETUP_DISCRIMINATOR, label.discriminator.value),
    ):
        if data.number(tag) != said:
            raise ReadbackDiffers(tag.name)
    found, salt = data.octets(Tag.SPAKE2_VERIFIER) or b"", data.octets(Tag.SPAKE2_SALT) or b""
    spake2p.check_verifier(found, label.passcode, salt, data.number(Tag.SPAKE2_ITERATION_COUNT) or 0)


def _judged(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look())
    except Fault as fault:
        return Finding(subject, fault=fault)


def _record(data: FactoryData, tag: Tag) -> bytes:
    value = data.octets(tag)
    if value is None:
        raise FactoryDataInvalid(tag.name, _MISSING)
    return value


def _all_there(data: FactoryData) -> str:
    refuse([Mistake(tag.name, _MISSING) for tag in REQUIRED if tag not in data.records])
    return f"{len(data.records)} records, all that a unit needs"


def _information(data: FactoryData) -> str:
    check_device_information(data)
    return "names, dates and numbers keep Matter's rules"


def _product(data: FactoryData, product: Product) -> str:
    for tag, made in ((Tag.VENDOR_ID, product.vendor_id), (Tag.PRODUCT_ID, product.product_id)):
        found = data.number(tag)
        if found is not None and found != made:
            raise FactoryDataInvalid(tag.name, f"0x{found:04X}, and 0x{made:04X} is made")
    return f"vendor 0x{product.vendor_id:04X}, product 0x{product.product_id:04X}"


def _public_key(data: FactoryData) -> str:
    if _record(data, Tag.DEVICE_ATTESTATION_PUB_KEY) != _dac_point(data):
        raise CredentialsInvalid(Rule.P1.name, "the public key in flash is not the DAC's")
    return "the DAC's"


def _private_key(data: FactoryData) -> str:
    number = int.from_bytes(_record(data, Tag.DEVICE_ATTESTATION_PRIV_KEY), "big")
    try:
        found = _point(ec.derive_private_key(number, ec.SECP256R1()).public_key())
    except ValueError:
        found = b""  # 0, or beyond the order of the curve
    if found != _dac_point(data):
        raise CredentialsInvalid(Rule.P1.name, "the private key in flash is not the DAC's")
    return "the DAC's"


def _dac_point(data: FactoryData) -> bytes:
    try:
        return _point(Certificate.read(_record(data, Tag.DEVICE_ATTESTATION_CERTIFICATE)).public_key)
    except RuleBroken as broken:
        raise CredentialsInvalid(broken.rule.name, f"DAC: {broken.reason}") from broken


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _check_verifier(data: FactoryData, passcode: Passcode, *, checked: bool) -> str:
    if data.passcode not in {None, passcode}:
        raise FactoryDataInvalid(Tag.SPAKE2_SETUP_PASSCODE.name, "not the passcode of the label")
    if checked:
        return "the one that the label's passcode gives"
    iterations = int.from_bytes(_record(data, Tag.SPAKE2_ITERATION_COUNT), "little")
    spake2p.check_verifier(_record(data, Tag.SPAKE2_VERIFIER), passcode, _record(data, Tag.SPAKE2_SALT), iterations)
    return f"recomputed from the passcode with {iterations} iterations, and equal"


def _check_verifier_form(data: FactoryData) -> str:
    spake2p.check_form(_record(data, Tag.SPAKE2_VERIFIER))
    return "well formed; whether it fits is unknown, since the passcode is not in flash"
