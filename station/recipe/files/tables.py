# SPDX-License-Identifier: Apache-2.0
"""The TOML of recipe and image manifest: one model per table; unknown keys are errors."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from station.config import shipped
from station.config.file_path import FilePath
from station.config.sections import Seconds
from station.config.sentences import shown
from station.config.table import Table
from station.domain.coprocessor import Version
from station.domain.option_bytes import mistake_in
from station.domain.product import CommonName, Erase, KeyStorage, Lock, Plan, Strings, Trust, Verify
from station.domain.target import RDP_LEVEL_1, RDP_LEVEL_2
from station.label.layout import USUAL, Size
from station.label.layout import Field as LabelField
from station.label.plan import printer
from station.matter.certificates.attestation import Product

UInt16 = Annotated[int, Field(ge=0, le=0xFFFF)]
RDP_VALUES = {1: RDP_LEVEL_1, 2: RDP_LEVEL_2}
RDP_LEVELS_FOR_EVER = 2


class ProductTable(Table):
    """The values that all units of the product share; limits of the Matter Core specification, 11.1.5."""

    vendor_id: UInt16
    """The product's vendor, as the CSA has assigned it."""
    product_id: UInt16
    """The vendor's number of the product; the declaration must be for it."""
    vendor_name: str = Field(min_length=1, max_length=32)
    """At most 32 bytes."""
    product_name: str = Field(min_length=1, max_length=32)
    """At most 32 bytes."""
    hardware_version: UInt16
    """What the firmware and commissioners show."""
    hardware_version_string: str = Field(min_length=1, max_length=64)
    """The same for people; at most 64 bytes."""
    certification_declaration: FilePath
    """The CSA's signed statement, which a commissioner checks."""
    # Further requirements on the declaration; None accepts any value.
    device_type: Annotated[int, Field(ge=0, le=0xFFFF_FFFF)] | None = None
    """What the declaration must say; unset, it may say anything."""
    certificate_id: str | None = None
    """What the declaration must say; unset, it may say anything."""
    certification_version: UInt16 | None = None
    """What the declaration must say; unset, it may say anything."""

    # A white-label product: its DACs are those of its maker, whom the declaration names as their origin.
    dac_vendor_id: UInt16 | None = None
    """The vendor that the DACs name; unset, the product's own."""
    dac_product_id: UInt16 | None = None
    """The product that the DACs name; unset, the product's own."""

    @property
    def certified(self) -> Product:
        return Product(
            self.vendor_id,
            self.product_id,
            self.device_type,
            self.certificate_id,
            self.certification_version,
            self.dac_vendor_id,
            self.dac_product_id,
        )


class LotTable(Table):
    """Units that are traced together, and their serial numbers."""

    name: str = Field(min_length=1, max_length=32)
    """Units are traced by it."""
    serial_number: str = Field(description="text with one decimal number in it, such as LIGHT-{:06d}")
    """Text with one decimal number in it, such as LIGHT-{:06d}; its digits must be enough for the last number."""
    first: int = Field(default=1, ge=0)
    """The number of the first unit; a second lot goes on where the first ended."""
    size: int = Field(gt=0)
    """How many units the lot may have."""


class Spake2Table(Table):
    """The verifier of the passcode."""

    iterations: int = Field(default=1000, ge=1000, le=100_000)
    """Rounds of the passcode's verifier; more cost the commissioner time."""


class FactoryDataTable(Table):
    """The parts of the factory data that depend on the firmware that reads it."""

    strings: Strings = Strings.PLAIN
    """Whether names end in a NUL, which firmware on newer SDKs needs."""
    passcode: bool = True
    """Whether the passcode is in flash; false leaves only its verifier."""


class ImagesTable(Table):
    """The firmware of a unit."""

    manifest: FilePath
    """The file that names the images with their SHA-256."""
    provisioning: str
    """The image that makes the board's key."""
    operational: str
    """The image that the unit is sold with."""
    verify: Verify = Verify.FAST
    """`fast` compares sums; every 50th unit is compared in full anyway."""
    erase: Erase = Erase.ALWAYS
    """`as-needed` does not erase boards that are new to the ledger, unless a write fails; without effect with `[coprocessor]`."""


class LockTable(Table):
    """The option bytes that are set last, on a confirmed unit; names and values of RM0434 section 3.5."""

    readout_protection: Literal[1, 2] = 1
    """Level 2 closes the debug port for ever, for ST, too."""
    irreversible: bool = False
    """Must be true for level 2, so that nobody sets that by mistake."""
    option_bytes: dict[str, Annotated[int, Field(ge=0, le=0xFFFFFFFF)]] = Field(default_factory=dict)
    """Names and values of RM0434, section 3.5."""

    @model_validator(mode="after")
    def _irreversible_is_said(self) -> Self:
        if self.readout_protection == RDP_LEVELS_FOR_EVER and not self.irreversible:
            raise ValueError(
                "readout_protection = 2 closes the debug port for ever, for the station and for ST, too: "
                "set irreversible = true if that is intended"
            )
        return self

    @field_validator("option_bytes")
    @classmethod
    def _may_be_set(cls, values: dict[str, int]) -> dict[str, int]:
        mistakes = [mistake for name, value in values.items() if (mistake := mistake_in(name, value))]
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return values

    @field_validator("option_bytes", mode="before")
    @classmethod
    def _are_numbers(cls, values: object) -> object:
        if isinstance(values, dict):
            for name, value in values.items():
                if isinstance(value, bool) or not isinstance(value, int):
                    raise ValueError(  # noqa: TRY004  pydantic's
                        f"found {name} = {shown(value)}, expected a whole number without quotes"
                    )
        return values

    @property
    def lock(self) -> Lock:
        return Lock({**self.option_bytes, "RDP": RDP_VALUES[self.readout_protection]})


StackVersion = Annotated[Version, BeforeValidator(lambda text: Version.parse(str(text)))]
FUSVersion = Annotated[Version, BeforeValidator(lambda text: Version.of_fus(str(text)))]


class CoprocessorTable(Table):
    """The wireless stack that every unit must have. Its image is ST's, which only the coprocessor can read."""

    file: FilePath
    """ST's image, as it was downloaded."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Names the image: a file that differs is refused before the line opens."""
    address: int
    """Where the stack lies in the internal flash, as ST's release notes say."""
    version: StackVersion
    """What the coprocessor must answer afterwards."""
    smallest_fus: FUSVersion | None = None
    """The oldest FUS that can install it."""


class AttestationTable(Table):
    """What this product asks of the line's PKI, beyond Matter's rules; of the procedure `provisioning-link` only."""

    minimum_days: int = Field(default=0, ge=0, le=36_500)
    """DAC and PAI must be valid for so many days from now, else the line pauses; 0 asks for nothing. Choose less than the PKI
    gives, since a DAC is some time old when it is checked."""
    common_name: CommonName = CommonName.NONE
    """Whether a board's request names its serial number: an authority that wants unique subjects, as OpenSSL's does by default,
    refuses every second board else. The provisioning image must have "common-name" among its answers."""


class PartnerTable(Table):
    """The partner that puts certificates on the boards instead of this line's PKI."""

    script: FilePath | None = None
    """The partner's provisioning script, of the procedure `partner-script` only."""
    within: Seconds = 120
    """Seconds that one board may take."""


class WithinTable(Table):
    """The longest seconds of each step of a good board. Nothing stops at them: `station numbers` compares with them."""

    recognise: Seconds | None = None
    """Limit of `recognise`."""
    coprocessor: Seconds | None = None
    """Limit of `coprocessor`."""
    flash_data: Seconds | None = None
    """Limit of `flash_data`."""
    flash_provisioner: Seconds | None = None
    """Limit of `flash_provisioner`."""
    await_csr: Seconds | None = None
    """Limit of `await_csr`."""
    relay_to_pki: Seconds | None = None
    """Limit of `relay_to_pki`."""
    deliver: Seconds | None = None
    """Limit of `deliver`."""
    flash_operational: Seconds | None = None
    """Limit of `flash_operational`."""
    confirm: Seconds | None = None
    """Limit of `confirm`."""
    lock: Seconds | None = None
    """Limit of `lock`."""


def _a_printer(text: str) -> str:
    printer(text)
    return text


Millimetres = Annotated[float, Field(ge=5, le=200)]


class LabelTable(Table):
    """The unit's label: what it shows, and where it is printed."""

    size_mm: tuple[Millimetres, Millimetres]
    """Width and height. QR code and text must fit, else the recipe is refused."""
    dpi: Literal[203, 300, 600] = 203
    """The printer's resolution."""
    printer: Annotated[str, AfterValidator(_a_printer)] | None = None
    """`tcp://host:9100` for a printer that reads ZPL, `cups:NAME` for a queue, `file:/a/folder`; unset, labels are only drawn."""
    required: bool = False
    """Whether each unit that passes gets a label at once, and counts once its label was scanned."""
    reprints: int = Field(default=2, ge=0, le=90)
    """How many further prints of one unit an operator may ask for; an engineer may ask for more."""
    fields: tuple[LabelField, ...] = USUAL
    """The lines of text beside the QR code, from above; unless given, all but `work_order`, which is empty on units of a recipe's lot."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.required and self.printer is None:
            raise ValueError("required = true needs a printer")
        if len(set(self.fields)) != len(self.fields):
            raise ValueError("fields names a line twice")
        return self

    @property
    def size(self) -> Size:
        return Size(*self.size_mm, self.dpi)


class RecipeFile(Table):
    name: str = Field(min_length=1, max_length=64)
    """In the ledger and in the log."""
    procedure: Literal["provisioning-link", "st-monitor", "partner-script"]
    """Who certifies the board: our PKI over the link, ST's firmware, or a partner's script."""
    key_storage: KeyStorage
    """Where the DAC's private key lives."""
    plan: Plan = Plan.FLASH
    """`ram` starts the provisioning image in RAM, so that the operational image is in flash before a certificate is asked for; it
    must leave the page 0x08093000 alone (docs/firmware.md)."""
    trust: Trust
    """Whether test vendors, test roots and the test CD key are allowed."""
    trust_store: FilePath = shipped.TRUST
    """Folder with the roots and the declaration signers that commissioners trust."""
    product: ProductTable
    lot: LotTable
    spake2: Spake2Table = Spake2Table()
    factory_data: FactoryDataTable = FactoryDataTable()
    images: ImagesTable
    attestation: AttestationTable | None = None
    lock: LockTable | None = None
    coprocessor: CoprocessorTable | None = None
    partner: PartnerTable | None = None
    within: WithinTable = WithinTable()
    label: LabelTable | None = None

    @model_validator(mode="after")
    def _the_pki_is_asked(self) -> Self:
        if self.attestation is not None and self.procedure != "provisioning-link":
            raise ValueError('[attestation] belongs to procedure = "provisioning-link", and to no other')
        return self

    @model_validator(mode="after")
    def _the_plan_fits(self) -> Self:
        if self.plan is Plan.RAM and self.procedure != "provisioning-link":
            raise ValueError(
                'plan = "ram" belongs to procedure = "provisioning-link": a partner\'s firmware lies in flash'
            )
        return self

    @model_validator(mode="after")
    def _the_partner_fits(self) -> Self:
        has_script = self.partner is not None and self.partner.script is not None
        if has_script is not (self.procedure == "partner-script"):
            raise ValueError('[partner] script belongs to procedure = "partner-script", and to no other')
        if self.partner is not None and self.procedure == "provisioning-link":
            raise ValueError('[partner] belongs to the procedures "partner-script" and "st-monitor"')
        return self


class ImageTable(Table):
    """One firmware image."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """By which a recipe names the image."""
    file: FilePath
    """The image's bytes."""
    kind: Literal["provisioning", "operational"]
    """Only an operational image may be what a unit is sold with."""
    version: str
    """In the ledger, beside the SHA-256."""
    load_address: int
    """Where its vector table lies; no board starts an image elsewhere than at 0x08000000."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Names the image: a file that differs is refused before the line opens."""
    key_storage: KeyStorage
    """Where this build keeps the key; it must be that of the recipe."""
    target: Literal["STM32WB55"]
    """The part that it was built for."""
    answers: frozenset[Literal["identity", "proof", "common-name"]] = frozenset()
    """The questions of docs/link-protocol.md that it answers; `common-name` is a provisioning image's, the others an operational's."""


class Manifest(Table):
    """The firmware images by name."""

    image: tuple[ImageTable, ...]
    """One table for each image."""

    @field_validator("image")
    @classmethod
    def _names_differ(cls, images: tuple[ImageTable, ...]) -> tuple[ImageTable, ...]:
        names = [image.name for image in images]
        for name in sorted({name for name in names if names.count(name) > 1}):
            places = " and ".join(f"image[{at}]" for at, each in enumerate(names, 1) if each == name)
            raise ValueError(f'{places} have one name, "{name}": each image needs a name of its own')
        return images
