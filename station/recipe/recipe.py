# SPDX-License-Identifier: Apache-2.0
"""A recipe: what a unit of this product must be, and the checks that hold a board against it. Pure.

It is built by `files/recipe_file.py`, complete and checked, before the line opens.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from station.domain.coprocessor import WirelessStack
from station.domain.credentials import Credentials, csr_key
from station.domain.identity import GivenIdentity, Identity, Lot
from station.domain.memory_map import FACTORY_DATA_REGION
from station.domain.product import (
    FULL_VERIFY_EVERY,
    WB55_DEVICE_ID,
    Flashable,
    Image,
    KeyStorage,
    Lock,
    PresentedIdentity,
    Strings,
    Trust,
    TrustAnchors,
    Verify,
    Write,
)
from station.domain.target import UID, Target
from station.factory_data import flat_tlv
from station.factory_data.device_information import terminated
from station.factory_data.examination import check_label
from station.factory_data.flash import Flash, Locked, ReadBack, found_in
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults import Fault, UnitFault
from station.faults.line import CredentialsInvalid, KeyStorageWrong
from station.faults.slot import BoardSwapped
from station.faults.unit import (
    CertificateUnfit,
    KeyChanged,
    OperationalIdentityWrong,
    PrivateKeyExposed,
    ReadbackDiffers,
    TargetLocked,
    TargetWrong,
)
from station.matter.certificates import chain
from station.matter.onboarding.codes import OnboardingPayload
from station.recipe.commissioner import Commissioner


@dataclass(frozen=True, slots=True)
class Delivery:
    """Somebody else than this line's PKI puts certificates on the board: a partner's script, or, without one, ST's firmware.

    What they put there is held against `commissioner`, whatever they say of it.
    """

    script: Path | None
    within: float
    commissioner: Commissioner


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was found on a board, and where its private key must be: in flash, or, if it is not there, in the coprocessor."""

    credentials: Credentials
    key_storage: KeyStorage


@dataclass(frozen=True, slots=True)
class Recipe:
    """One product as the line makes it.

    Without `key_storage` the key lives where the provisioning firmware keeps it. `given` is the identity that every board
    gets in a laboratory.
    """

    name: str
    sha256: str
    product: Mapping[Tag, bytes]
    vendor_id: int
    product_id: int
    key_storage: KeyStorage | None
    trust: Trust
    lot: Lot
    iterations: int
    provisioning_image: Image
    operational_image: Image
    operational_answers: frozenset[str]
    verify: Verify
    anchors: TrustAnchors
    commissioner: Commissioner | None = None
    """Where this line's own PKI certifies the boards."""
    lock: Lock | None = None
    strings: Strings = Strings.PLAIN
    passcode_in_flash: bool = True
    delivery: Delivery | None = None
    given: GivenIdentity | None = None
    wireless_stack: WirelessStack | None = None

    @property
    def images(self) -> Sequence[Flashable]:
        every = (self.wireless_stack, self.provisioning_image, self.operational_image)
        return [image for image in every if image is not None]

    @property
    def lot_name(self) -> str:
        return self.lot.name

    @property
    def trust_left_out(self) -> tuple[str, ...]:
        """What the trust store's folder holds and could not be used."""
        judge = self.delivery.commissioner if self.delivery else self.commissioner
        return judge.trust.unreadable if judge else ()

    def factory_data(self, identity: Identity) -> FactoryData:
        """What this unit is born with: all but DAC, PAI and keys."""
        if self.given is not None:
            return self.given.data
        secrets = identity.secrets
        records = {
            **self.product,
            Tag.SETUP_DISCRIMINATOR: secrets.discriminator.value.to_bytes(2, "little"),
            Tag.SPAKE2_ITERATION_COUNT: secrets.iterations.to_bytes(4, "little"),
            Tag.SPAKE2_SALT: secrets.salt,
            Tag.SPAKE2_VERIFIER: secrets.verifier,
            Tag.SERIAL_NUMBER: identity.serial_number.encode(),
            Tag.MANUFACTURING_DATE: identity.manufacturing_date.encode(),
        }
        if self.passcode_in_flash:
            records[Tag.SPAKE2_SETUP_PASSCODE] = secrets.passcode.value.to_bytes(4, "little")
        if identity.rotating_device_id is not None:  # units from before there were any have none
            records[Tag.ROTATING_DEVICE_ID] = identity.rotating_device_id.encode()
        data = FactoryData(records)
        return terminated(data) if self.strings is Strings.TERMINATED else data

    def onboarding_payload(self, identity: Identity) -> OnboardingPayload:
        """What the unit's label tells a commissioner."""
        secrets = identity.secrets
        return OnboardingPayload(self.vendor_id, self.product_id, secrets.discriminator, secrets.passcode)

    def factory_data_write(self, identity: Identity) -> Write:
        block = flat_tlv.encode(self.factory_data(identity))
        address = FACTORY_DATA_REGION.address
        return Write("factory data", address, block, Verify.FULL, external=True)

    def provisioning_write(self, identity: Identity) -> Write:
        return self._image_write(self.provisioning_image, identity)

    def operational_write(self, identity: Identity) -> Write:
        return self._image_write(self.operational_image, identity)

    def _image_write(self, image: Image, identity: Identity) -> Write:
        sampled = identity.ordinal % FULL_VERIFY_EVERY == 0 or identity.attempts > 1
        may_be_fast = image.region.size > 0x10000 and not sampled
        verify = self.verify if may_be_fast else Verify.FULL
        return Write(image.name, image.address, image.content, verify, external=False)

    def check_part(self, target: Target) -> None:
        if target.device_id != WB55_DEVICE_ID:
            raise TargetWrong(f"0x{target.device_id:03X}", f"0x{WB55_DEVICE_ID:03X}")
        if not target.readable and self.lock is None:
            raise TargetLocked(f"0x{target.readout_protection:02X}")

    def check_protection(self, target: Target, identity: Identity) -> None:
        """A board that keeps the debug port out is one that this line has confirmed and locked."""
        if not target.readable and not identity.confirmed:
            raise TargetLocked(f"0x{target.readout_protection:02X}")

    def check_recorded_key(self, target: Target, identity: Identity) -> None:
        """A board that was given a certificate must have that certificate's key, before anything is written for it.

        A confirmed unit may have lost the record to its own firmware and answers for itself; so does another's delivery.
        """
        issued, found = identity.credentials, target.agent_key
        if issued is None or found is None or identity.confirmed or self.delivery is not None:
            return
        if found != issued.key:
            raise KeyChanged(found, issued.key)

    def check_coprocessor(self, identity: Identity) -> None:
        """Where a key may be, the coprocessor is left alone: an earlier attempt must have seen the right stack on it."""
        if self.wireless_stack is not None and identity.may_have_key:
            self.wireless_stack.check_seen(identity.coprocessor)

    def check_same_board(self, target: Target, uid: bytes, key_storage: str) -> None:
        """The board on the UART is the one behind the probe, and keeps its key where the recipe asks."""
        if uid != target.uid.raw:
            raise BoardSwapped(str(target.uid), UID(uid).raw.hex())
        if self.key_storage is not None and key_storage != self.key_storage:
            raise KeyStorageWrong(self.key_storage, key_storage)

    def check_csr(self, csr: bytes) -> None:
        chain.check_csr(csr, vendor_id=self.vendor_id, product_id=self.product_id)

    def check_credentials(self, csr: bytes, credentials: Credentials, at: datetime) -> None:
        """DAC and PAI as a commissioner checks them at this time, and by the pins of this line."""
        chain.check_credentials(
            csr=csr,
            dac=credentials.dac,
            pai=credentials.pai,
            pinned_pai=self.anchors.pai,
            paa=self.anchors.paa,
            vendor_id=self.vendor_id,
            product_id=self.product_id,
            at=at,
            allow_test_vendor=self.trust is Trust.DEVELOPMENT,
        )

    def check_known_certificate(self, identity: Identity, csr: bytes, at: datetime) -> None:
        """A board that was given a certificate offers the key of that certificate, for ever, and it must fit this recipe.

        That it does not fit says nothing of the PKI, as a new one would: it may be another product's.
        """
        if identity.credentials is None:
            return
        if csr_key(csr) != identity.credentials.key:
            raise KeyChanged(csr_key(csr), identity.credentials.key)
        try:
            self.check_credentials(csr, identity.credentials, at)
        except CredentialsInvalid as exc:
            raise CertificateUnfit(exc.rule, exc.reason) from exc

    def may_be_certified(self, identity: Identity) -> bool:
        """Whether the board may hold a certificate: one from the ledger, or one that another has delivered in an earlier attempt."""
        return identity.credentials is not None or (self.delivery is not None and identity.attempts > 1)

    def is_whole(self, identity: Identity, flash: ReadBack, at: datetime) -> bool:
        """Whether a returning board has all that it needs, so that nobody has to issue or deliver anything again."""
        return (
            self._holds_certificate(identity, flash)
            if self.delivery is None
            else self._holds_delivered(identity, flash, at)
        )

    def _holds_certificate(self, identity: Identity, flash: ReadBack) -> bool:
        """Whether a returning board's factory data is whole: all that was intended, with its certificate and key."""
        if identity.credentials is None:
            return False
        try:
            self.check_readback(identity, identity.credentials, flash)
        except UnitFault:
            return False
        return True

    def would_lose_its_key(self, identity: Identity, flash: ReadBack) -> bool:
        """Whether a confirmed unit is not as this recipe makes it, and still has its certificate and key.

        It may be another recipe's: new factory data would take the place of a key that nobody can make again.
        """
        last, issued = identity.confirmation, identity.credentials
        if last is None or last.touched or issued is None or self._holds_certificate(identity, flash):
            return False
        found = flash.records if isinstance(flash, FactoryData) else {}
        return found.get(Tag.DEVICE_ATTESTATION_CERTIFICATE) == issued.dac

    def firmware_stands(self, identity: Identity) -> bool:
        """Whether a returning board got this recipe's operational firmware last, which can prove that it is still there.

        What the ledger remembers proves nothing of a flash that anybody can write.
        """
        last = identity.confirmation
        is_ours = last is not None and not last.touched and self.operational_image.sha256 in last.images
        return is_ours and bool(self.operational_answers)

    def delivered(self, identity: Identity, flash: Flash, at: datetime) -> Delivered:
        """What somebody else put behind this unit's factory data, if a commissioner would take it."""
        assert self.delivery is not None
        found = found_in(flash)
        credentials = self.delivery.commissioner.check(found, at)
        self.check_readback(identity, credentials, found)
        in_flash = Tag.DEVICE_ATTESTATION_PRIV_KEY in found.records
        return Delivered(credentials, KeyStorage.FLASH if in_flash else KeyStorage.SECURE)

    def _holds_delivered(self, identity: Identity, flash: ReadBack, at: datetime) -> bool:
        """Whether a returning board has all that it needs, so that nobody has to deliver it again."""
        try:
            self.delivered(identity, flash, at)
        except Fault:
            return False
        return True

    def check_flash(self, identity: Identity, credentials: Credentials, flash: Flash, at: datetime) -> None:
        """The board holds what was intended and a commissioner accepts it; a locked board's firmware answers for it."""
        if not isinstance(flash, Locked):
            found = found_in(flash)
            self.check_readback(identity, credentials, found)
            self.check_commissionable(identity, found, at)

    def check_readback(self, identity: Identity, credentials: Credentials, flash: ReadBack) -> None:
        """What stands in flash is what the ledger intended, no more and no less, and the key is where it belongs."""
        found = found_in(flash)
        intended = {
            **self.factory_data(identity).records,
            Tag.DEVICE_ATTESTATION_CERTIFICATE: credentials.dac,
            Tag.PAI_CERTIFICATE: credentials.pai,
            Tag.DEVICE_ATTESTATION_PUB_KEY: credentials.public_point,
        }
        records = dict(found.records)
        private_key = records.pop(Tag.DEVICE_ATTESTATION_PRIV_KEY, None)
        for tag in sorted(intended.keys() | records.keys()):
            if not hmac.compare_digest(intended.get(tag, b""), records.get(tag, b"")):
                raise ReadbackDiffers(tag.name)
        if self.key_storage is KeyStorage.SECURE and private_key is not None:
            raise PrivateKeyExposed
        in_flash = self.key_storage is KeyStorage.FLASH or private_key is not None
        if in_flash and (private_key is None or not credentials.is_key(private_key)):
            raise ReadbackDiffers(Tag.DEVICE_ATTESTATION_PRIV_KEY.name)

    def check_commissionable(self, identity: Identity, data: FactoryData, at: datetime) -> None:
        """A commissioner accepts this board at this time, and the codes of its label open it: its verifier is recomputed."""
        check_label(self.onboarding_payload(identity), data)
        if self.commissioner is not None:
            in_flash = self.key_storage is KeyStorage.FLASH
            self.commissioner.check(data, at, passcode=identity.secrets.passcode, key_in_flash=in_flash)

    def check_operational_identity(self, identity: Identity, credentials: Credentials, said: PresentedIdentity) -> None:
        """What the shipped firmware says of itself is what was provisioned."""
        for name, intended, found in (
            ("vendor id", self.vendor_id, said.vendor_id),
            ("product id", self.product_id, said.product_id),
            ("serial number", identity.serial_number, said.serial_number),
            ("DAC serial number", int(credentials.dac_serial_number, 16), said.dac_serial_number),
        ):
            if intended != found:
                raise OperationalIdentityWrong(name, str(found))
