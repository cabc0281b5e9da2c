# SPDX-License-Identifier: Apache-2.0
"""Checks of a board against its recipe and its identity; each raises the fault that it finds. Pure."""

import hmac
from datetime import datetime, timedelta

from station.domain.credentials import Credentials, csr_key
from station.domain.identity import Identity
from station.domain.product import (
    WB55_DEVICE_ID,
    Erase,
    KeyStorage,
    PresentedIdentity,
    Trust,
)
from station.domain.target import UID, Target
from station.factory_data.examination import check_label
from station.factory_data.flash import Flash, Locked, ReadBack, found_in
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults import Fault, UnitFault
from station.faults.line import CredentialsInvalid, KeyStorageWrong
from station.faults.slot import BoardSwapped, UnitElsewhere
from station.faults.unit import (
    CertificateUnfit,
    CSRInvalid,
    KeyChanged,
    OperationalIdentityWrong,
    PrivateKeyExposed,
    ReadbackDiffers,
    TargetLocked,
    TargetWrong,
)
from station.matter.certificates import chain
from station.matter.certificates.x509 import Certificate
from station.recipe import revocation, unit_builder
from station.recipe.recipe import Delivered, Delivery, OwnPKI, Recipe


def check_part(recipe: Recipe, target: Target) -> None:
    """Refuses another microcontroller than the STM32WB55, and a protected one unless the recipe locks its units."""
    if target.device_id != WB55_DEVICE_ID:
        raise TargetWrong(f"0x{target.device_id:03X}", f"0x{WB55_DEVICE_ID:03X}")
    if not target.readable and recipe.lock is None:
        raise TargetLocked(f"0x{target.readout_protection:02X}")


def check_remembered(recipe: Recipe, target: Target, identity: Identity) -> None:
    """Before any write: the board's protection, key and coprocessor must be as the ledger has recorded them."""
    check_protection(recipe, target, identity)
    check_recorded_key(recipe, target, identity)
    check_coprocessor(recipe, identity)


def check_protection(recipe: Recipe, target: Target, identity: Identity) -> None:
    """Raises `TargetLocked` for a read-protected board unless this line has confirmed it and its firmware can prove what it is.

    Nobody can read such a board's flash, so without answers of the firmware nothing would prove that it is this product.
    """
    provable = identity.confirmed and recipe.operational_answers
    if not target.readable and not provable:
        raise TargetLocked(f"0x{target.readout_protection:02X}")


def check_recorded_key(recipe: Recipe, target: Target, identity: Identity) -> None:
    """Before any write: a board with a certificate must still have the certificate's key in the agent's record.

    Exempt are confirmed units, whose firmware may have overwritten the record and which prove their key later, and
    units that a partner has certified.
    """
    issued, found = identity.credentials, target.agent_key
    if issued is None or found is None or identity.confirmed or isinstance(recipe.certification, Delivery):
        return
    if found != issued.key:
        raise KeyChanged(found, issued.key)


def check_coprocessor(recipe: Recipe, identity: Identity) -> None:
    """A board that may hold a key gets no FUS work, so an earlier attempt must have seen the right stack on it."""
    if recipe.wireless_stack is not None and identity.may_have_key:
        recipe.wireless_stack.check_seen(identity.coprocessor)


def check_same_board(recipe: Recipe, target: Target, uid: bytes, key_storage: str) -> None:
    """The board on the UART must be the one behind the probe, and must keep its key where the recipe asks."""
    if uid != target.uid.raw:
        raise BoardSwapped(str(target.uid), UID(uid).raw.hex())
    if recipe.key_storage is not None and key_storage != recipe.key_storage:
        raise KeyStorageWrong(recipe.key_storage, key_storage)


def check_csr(recipe: Recipe, identity: Identity, csr: bytes) -> None:
    """Refuses a request (PKCS#10, DER) that the PKI must not see, with `CSRInvalid`.

    A firmware knows its own vendor and product only; one that was made for a white-label product may name those of the DAC.
    """
    common_name = identity.serial_number if recipe.names_requests else None
    own = recipe.vendor_id, recipe.product_id
    if recipe.dac_names != own and _names(csr, *recipe.dac_names, common_name):
        return
    chain.check_csr(csr, vendor_id=recipe.vendor_id, product_id=recipe.product_id, common_name=common_name)


def _names(csr: bytes, vendor_id: int, product_id: int, common_name: str | None) -> bool:
    try:
        chain.check_csr(csr, vendor_id=vendor_id, product_id=product_id, common_name=common_name)
    except CSRInvalid:
        return False
    return True


def check_credentials(recipe: Recipe, csr: bytes, credentials: Credentials, at: datetime) -> None:
    """Checks DAC and PAI as a commissioner does at the time `at`, and against this line's pinned PAI and PAA.

    A DAC whose validity begins within minutes is good already. Both must last as long as the recipe asks.
    """
    revocation.check_pai(recipe)
    pki = _own_pki(recipe)
    anchors = pki.anchors
    vendor_id, product_id = recipe.dac_names
    chain.check_credentials(
        csr=csr,
        dac=credentials.dac,
        pai=credentials.pai,
        pinned_pai=anchors.pai,
        paa=anchors.paa,
        vendor_id=vendor_id,
        product_id=product_id,
        at=chain.from_its_beginning(credentials.dac, at),
        allow_test_vendor=recipe.trust is Trust.DEVELOPMENT,
    )
    revocation.check_dac(credentials.dac, recipe.revoked)
    for kind, certificate in (("DAC", credentials.dac), ("PAI", credentials.pai)):
        check_lasts(kind, certificate, pki.minimum_days, at)


def check_lasts(kind: str, certificate: bytes, minimum_days: int, at: datetime) -> None:
    """Refuses with `CredentialsInvalid` a certificate, DER, that expires sooner than so many days after `at`; 0 accepts all."""
    expires = Certificate.read(certificate).valid_until
    left = expires - at
    if minimum_days and left < timedelta(days=minimum_days):
        found = f"found {max(left.days, 0)} days until it expires at {expires:%Y-%m-%d %H:%M:%S}"
        raise CredentialsInvalid("minimum_days", f"{kind}: {found}, expected at least {minimum_days} days")


def check_known_certificate(recipe: Recipe, identity: Identity, csr: bytes, at: datetime) -> None:
    """A board with a certificate must offer the same key for ever, and its certificate must fit this recipe.

    If it does not fit, the board is at fault and not the PKI: the certificate may be another product's.
    """
    if identity.credentials is None:
        return
    if csr_key(csr) != identity.credentials.key:
        raise KeyChanged(csr_key(csr), identity.credentials.key)
    try:
        check_credentials(recipe, csr, identity.credentials, at)
    except CredentialsInvalid as exc:
        raise CertificateUnfit(exc.rule, exc.reason) from exc


def check_own_data(recipe: Recipe, target: Target, identity: Identity, flash: Flash) -> None:
    """Raises `UnitElsewhere` unless the board has this identity's serial number, and no certificate that is not known here."""
    intended = unit_builder.factory_data(recipe, identity).records[Tag.SERIAL_NUMBER]
    found = flash.records if isinstance(flash, FactoryData) else {}
    certificate = found.get(Tag.DEVICE_ATTESTATION_CERTIFICATE)
    known = None if identity.credentials is None else identity.credentials.dac
    if found.get(Tag.SERIAL_NUMBER) != intended or certificate not in {None, known}:
        raise UnitElsewhere(
            str(target.uid), target.agent_key or "", "its factory data is not what this station has written"
        )


def may_be_certified(recipe: Recipe, identity: Identity) -> bool:
    """Whether the board may hold a certificate: the ledger has one, or a partner may have delivered one in an earlier attempt."""
    may_be_delivered = isinstance(recipe.certification, Delivery) and identity.attempts > 1
    return identity.credentials is not None or may_be_delivered


def may_be_blank(recipe: Recipe, target: Target, identity: Identity) -> bool:
    """Whether the recipe spares a board like this its erase: nothing is known to have been written to it.

    This ledger meets it for the first time, and it holds no key of an agent. An upgrade of the coprocessor would have
    overwritten the application's first pages. None of this proves that the board is blank.
    """
    spared = recipe.erase is Erase.AS_NEEDED and recipe.given is None and recipe.wireless_stack is None
    return spared and identity.attempts == 1 and not identity.may_have_key and target.agent_key is None


def is_whole(recipe: Recipe, identity: Identity, flash: ReadBack, at: datetime) -> bool:
    """Whether a returning board is complete, so that no certificate has to be issued or delivered again."""
    match recipe.certification:
        case OwnPKI():
            return _holds_certificate(recipe, identity, flash)
        case Delivery():
            return _holds_delivered(recipe, identity, flash, at)


def _holds_certificate(recipe: Recipe, identity: Identity, flash: ReadBack) -> bool:
    """Whether the factory data is as intended, including certificate and key."""
    if identity.credentials is None:
        return False
    try:
        check_readback(recipe, identity, identity.credentials, flash)
    except UnitFault:
        return False
    return True


def would_lose_its_key(recipe: Recipe, identity: Identity, flash: ReadBack) -> bool:
    """Whether new factory data would destroy the only key of a confirmed unit.

    Such a unit differs from this recipe and still has its certificate: another recipe may have made it.
    """
    last, issued = identity.confirmation, identity.credentials
    if last is None or last.touched or issued is None or _holds_certificate(recipe, identity, flash):
        return False
    found = flash.records if isinstance(flash, FactoryData) else {}
    return found.get(Tag.DEVICE_ATTESTATION_CERTIFICATE) == issued.dac


def firmware_stands(recipe: Recipe, identity: Identity) -> bool:
    """Whether a returning board got this recipe's operational firmware last, and that firmware can prove its presence.

    The ledger's record alone proves nothing about a flash that anybody can write.
    """
    last = identity.confirmation
    is_ours = last is not None and not last.touched and recipe.operational_image.sha256 in last.images
    return is_ours and bool(recipe.operational_answers)


def delivered(recipe: Recipe, identity: Identity, flash: Flash, at: datetime) -> Delivered:
    """The certificates that a partner put behind this unit's factory data; raises the fault that a commissioner would find."""
    found = found_in(flash)
    revocation.check_pai_of(found, recipe.revoked)
    credentials = recipe.certification.commissioner.check(found, at)
    check_readback(recipe, identity, credentials, found)
    in_flash = Tag.DEVICE_ATTESTATION_PRIV_KEY in found.records
    return Delivered(credentials, KeyStorage.FLASH if in_flash else KeyStorage.SECURE)


def _holds_delivered(recipe: Recipe, identity: Identity, flash: ReadBack, at: datetime) -> bool:
    """Whether a returning board holds delivered certificates that a commissioner accepts."""
    try:
        delivered(recipe, identity, flash, at)
    except Fault:
        return False
    return True


def check_flash(recipe: Recipe, identity: Identity, credentials: Credentials, flash: Flash, at: datetime) -> None:
    """The flash must be as intended and acceptable to a commissioner. A locked flash is skipped: the firmware must answer."""
    if not isinstance(flash, Locked):
        found = found_in(flash)
        check_readback(recipe, identity, credentials, found)
        check_commissionable(recipe, identity, found, at)


def check_readback(recipe: Recipe, identity: Identity, credentials: Credentials, flash: ReadBack) -> None:
    """The flash must hold exactly the records that the ledger intended, and the key must be where the recipe wants it."""
    found = found_in(flash)
    intended = {
        **unit_builder.factory_data(recipe, identity).records,
        Tag.DEVICE_ATTESTATION_CERTIFICATE: credentials.dac,
        Tag.PAI_CERTIFICATE: credentials.pai,
        Tag.DEVICE_ATTESTATION_PUB_KEY: credentials.public_point,
    }
    records = dict(found.records)
    private_key = records.pop(Tag.DEVICE_ATTESTATION_PRIV_KEY, None)
    for tag in sorted(intended.keys() | records.keys()):
        if not hmac.compare_digest(intended.get(tag, b""), records.get(tag, b"")):
            raise ReadbackDiffers(tag.name)
    if recipe.key_storage is KeyStorage.SECURE and private_key is not None:
        raise PrivateKeyExposed
    in_flash = recipe.key_storage is KeyStorage.FLASH or private_key is not None
    if in_flash and (private_key is None or not credentials.is_key(private_key)):
        raise ReadbackDiffers(Tag.DEVICE_ATTESTATION_PRIV_KEY.name)


def check_commissionable(recipe: Recipe, identity: Identity, data: FactoryData, at: datetime) -> None:
    """A commissioner must accept the board at the time `at`, with its label's codes: the verifier is recomputed, once."""
    label = unit_builder.onboarding_payload(recipe, identity)
    check_label(label, data)
    if isinstance(recipe.certification, OwnPKI):
        revocation.check_pai(recipe)
        in_flash = recipe.key_storage is KeyStorage.FLASH
        at = chain.from_its_beginning(data.records.get(Tag.DEVICE_ATTESTATION_CERTIFICATE, b""), at)
        recipe.certification.commissioner.check(data, at, key_in_flash=in_flash, label=label.passcode)


def check_operational_identity(
    recipe: Recipe, identity: Identity, credentials: Credentials, said: PresentedIdentity
) -> None:
    """The operational firmware must report the identity that was provisioned."""
    for name, intended, found in (
        ("vendor id", recipe.vendor_id, said.vendor_id),
        ("product id", recipe.product_id, said.product_id),
        ("serial number", identity.serial_number, said.serial_number),
        ("DAC serial number", int(credentials.dac_serial_number, 16), said.dac_serial_number),
    ):
        if intended != found:
            raise OperationalIdentityWrong(name, str(found))


def _own_pki(recipe: Recipe) -> OwnPKI:
    """The recipe's own PKI; raises `ValueError` if a partner certifies the boards, since no request may be made then."""
    match recipe.certification:
        case OwnPKI() as pki:
            return pki
        case Delivery():
            raise ValueError(f"{recipe.name} has its boards certified by a partner, not by this line's PKI")
