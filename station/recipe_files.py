"""Recipe and image manifest: TOML to a `Recipe`, checked whole before the line opens; every mistake at once with its place."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from station import trust_files
from station.commissioner import Commissioner
from station.config import FilePath, Seconds, read_toml
from station.domain.identity import Lot
from station.domain.target import RDP_LEVEL_1, RDP_LEVEL_2, Region
from station.faults import TrustUnreadable
from station.images import check_reads_factory_data, check_vector_table
from station.matter.device_information import mistakes_in
from station.matter.factory_data import FactoryData, Tag
from station.problems import ConfigurationInvalid, Problem, problems_of
from station.recipe import NO_ANCHORS, Delivery, Image, KeyStorage, Lock, Recipe, Strings, Trust, TrustAnchors, Verify

UInt16 = Annotated[int, Field(ge=0, le=0xFFFF)]
APPLICATION = Region(0x08000000, 0x93000)  # above it the provisioning agent's own page, then the coprocessor
RDP_VALUES = {1: RDP_LEVEL_1, 2: RDP_LEVEL_2}
RDP_LEVELS_FOR_EVER = 2
_COPROCESSOR = "only the coprocessor sets it"
NOT_OURS = {"RDP": "readout_protection says it"} | dict.fromkeys(
    ("ESE", "SFSA", "FSD", "DDS", "C2OPT", "NBRSD", "SBRSA", "SNBRSA", "BRSD", "SBRV", "IPCCDBA"), _COPROCESSOR
)
MAX_SERIAL_NUMBER = 32  # bytes, Matter Core specification 11.1.5.16

Table = TypeVar("Table", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProductTable(_Table):
    """What all units of the product have in common; limits of the Matter Core specification, 11.1.5."""

    vendor_id: UInt16
    product_id: UInt16
    vendor_name: str = Field(min_length=1, max_length=32)
    product_name: str = Field(min_length=1, max_length=32)
    hardware_version: UInt16
    hardware_version_string: str = Field(min_length=1, max_length=64)
    certification_declaration: FilePath


class LotTable(_Table):
    name: str = Field(min_length=1, max_length=32)
    serial_number: str = Field(description="a pattern with one number in it, such as LIGHT-{:06d}")
    first: int = Field(default=1, ge=0)
    size: int = Field(gt=0)


class Spake2Table(_Table):
    iterations: int = Field(default=1000, ge=1000, le=100_000)


class FactoryDataTable(_Table):
    """What of the factory data depends on the firmware that reads it."""

    strings: Strings = Strings.PLAIN
    passcode: bool = True


class ImagesTable(_Table):
    manifest: FilePath
    provisioning: str
    operational: str
    verify: Verify = Verify.FAST


class LockTable(_Table):
    """The option bytes that a confirmed unit gets last; names and values of RM0434 section 3.5."""

    readout_protection: Literal[1, 2] = 1
    irreversible: bool = False
    option_bytes: dict[str, Annotated[int, Field(ge=0, le=0xFFFFFFFF)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _irreversible_is_said(self) -> Self:
        if self.readout_protection == RDP_LEVELS_FOR_EVER and not self.irreversible:
            raise ValueError(
                "readout_protection = 2 closes the debug port for ever, for the station and for ST, too: "
                "say irreversible = true if that is meant"
            )
        return self

    @field_validator("option_bytes")
    @classmethod
    def _may_be_set(cls, values: dict[str, int]) -> dict[str, int]:
        for name in values:
            if name.upper() in NOT_OURS:
                raise ValueError(f"{name} is not set here: {NOT_OURS[name.upper()]}")
        return values

    @property
    def lock(self) -> Lock:
        return Lock({**self.option_bytes, "RDP": RDP_VALUES[self.readout_protection]})


class PartnerTable(_Table):
    """Who puts certificates on the boards instead of this line's PKI, and which roots they may go up to."""

    script: FilePath | None = None
    within: Seconds = 120
    trust_store: FilePath = trust_files.SHIPPED


class RecipeFile(_Table):
    name: str = Field(min_length=1, max_length=64)
    procedure: Literal["provisioning-link", "st-monitor", "partner-script"]
    key_storage: KeyStorage
    trust: Trust
    product: ProductTable
    lot: LotTable
    spake2: Spake2Table = Spake2Table()
    factory_data: FactoryDataTable = FactoryDataTable()
    images: ImagesTable
    lock: LockTable | None = None
    partner: PartnerTable | None = None

    @model_validator(mode="after")
    def _the_partner_fits(self) -> Self:
        has_script = self.partner is not None and self.partner.script is not None
        if has_script is not (self.procedure == "partner-script"):
            raise ValueError('[partner] script belongs to procedure = "partner-script", and to no other')
        if self.partner is not None and self.procedure == "provisioning-link":
            raise ValueError('[partner] belongs to the procedures "partner-script" and "st-monitor"')
        return self


class ImageTable(_Table):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    file: FilePath
    kind: Literal["provisioning", "operational"]
    version: str
    load_address: int
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    key_storage: KeyStorage
    target: Literal["STM32WB55"]
    answers: frozenset[Literal["identity", "proof"]] = frozenset()


class Manifest(_Table):
    image: tuple[ImageTable, ...]


def load(path: Path, pai: Path | None, paa: Path | None) -> Recipe:
    """The recipe in a TOML file, with its images and the line's trust anchors; raises `ConfigurationInvalid`.

    Where somebody else certifies the boards there need be no anchors.
    """
    file = validated(path, RecipeFile)
    manifest = validated(file.images.manifest, Manifest)
    product, images = file.product, file.images

    def declaration() -> bytes:
        return _bytes(product.certification_declaration)

    def provisioning() -> Image:
        return image(manifest, images.provisioning, "provisioning", file.key_storage)

    def operational() -> Image:
        return image(manifest, images.operational, "operational", file.key_storage)

    def anchors() -> TrustAnchors:
        if pai is None or paa is None or file.procedure != "provisioning-link":
            return NO_ANCHORS
        return TrustAnchors(pai=_certificate(pai), paa=_certificate(paa))

    def delivery() -> Delivery | None:
        return _delivery(file)

    _check_all(
        path,
        {
            "product": lambda: _check_product(product),
            "product.certification_declaration": declaration,
            "lot.serial_number": lambda: _check_pattern(file.lot),
            "images.provisioning": provisioning,
            "images.operational": operational,
            "pki.pai and pki.paa of the line's configuration": anchors,
            "partner": delivery,
        },
    )
    return Recipe(
        name=file.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        product=_product(product, declaration()),
        vendor_id=product.vendor_id,
        product_id=product.product_id,
        key_storage=file.key_storage,
        trust=file.trust,
        lot=Lot(file.lot.name, file.lot.serial_number, file.lot.first, file.lot.size),
        iterations=file.spake2.iterations,
        provisioning_image=provisioning(),
        operational_image=operational(),
        operational_answers=_named(manifest, images.operational).answers,
        verify=images.verify,
        anchors=anchors(),
        lock=file.lock.lock if file.lock else None,
        strings=file.factory_data.strings,
        passcode_in_flash=file.factory_data.passcode,
        delivery=delivery(),
    )


def _delivery(file: RecipeFile) -> Delivery | None:
    if file.procedure == "provisioning-link":
        return None
    partner = file.partner or PartnerTable()
    if partner.script is not None and not partner.script.is_file():
        raise ValueError(f"there is no script {partner.script}")
    try:
        trust = trust_files.load(partner.trust_store)
    except TrustUnreadable as fault:
        raise ValueError(str(fault)) from fault
    production = True if file.trust is Trust.PRODUCTION else None
    return Delivery(partner.script, partner.within, Commissioner(trust, production))


def _check_all(file: Path, makers: Mapping[str, Callable[[], object]]) -> None:
    """Makes everything once to find all that is wrong; it is made again for use, from files that are known to be good."""
    problems = []
    for place, make in makers.items():
        try:
            make()
        except ValueError as exc:
            problems.append(Problem(file, place, str(exc)))
        except OSError as exc:
            problems.append(Problem(file, place, f"{exc.filename} cannot be read: {exc.strerror}"))
    if problems:
        raise ConfigurationInvalid(problems)


def validated(path: Path, model: type[Table]) -> Table:
    try:
        return model.model_validate(read_toml(path), context={"folder": path.parent.resolve()})
    except ValidationError as exc:
        raise ConfigurationInvalid(problems_of(path, exc)) from exc


def _product(product: ProductTable, declaration: bytes) -> dict[Tag, bytes]:
    return {
        Tag.CERTIFICATION_DECLARATION: declaration,
        Tag.VENDOR_NAME: product.vendor_name.encode(),
        Tag.VENDOR_ID: product.vendor_id.to_bytes(2, "little"),
        Tag.PRODUCT_NAME: product.product_name.encode(),
        Tag.PRODUCT_ID: product.product_id.to_bytes(2, "little"),
        Tag.HARDWARE_VERSION: product.hardware_version.to_bytes(2, "little"),
        Tag.HARDWARE_VERSION_STRING: product.hardware_version_string.encode(),
    }


def _check_product(product: ProductTable) -> None:
    """Names and numbers as Matter wants them: lengths are in bytes, and not every number can be assigned."""
    if mistakes := mistakes_in(FactoryData(_product(product, b"\0"))):
        raise ValueError("; ".join(map(str, mistakes)))


def _bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if not content:
        raise ValueError(f"{path} is empty")
    return content


def _certificate(path: Path) -> bytes:
    content = path.read_bytes()
    try:
        loaded = x509.load_pem_x509_certificate(content)
    except ValueError:
        try:
            loaded = x509.load_der_x509_certificate(content)
        except ValueError as exc:
            raise ValueError(f"{path} is not a certificate, neither PEM nor DER") from exc
    return loaded.public_bytes(Encoding.DER)


def _check_pattern(lot: LotTable) -> None:
    try:
        first, last = (lot.serial_number.format(lot.first + index) for index in (0, lot.size - 1))
    except (IndexError, KeyError, ValueError) as exc:
        raise ValueError(f"is not a pattern such as LIGHT-{{:06d}}: {exc}") from exc
    if first == last and lot.size > 1:
        raise ValueError("makes the same serial number for every unit: put {:06d} where the number belongs")
    if len(last.encode()) > MAX_SERIAL_NUMBER:
        raise ValueError(f"makes {last}, which has more than {MAX_SERIAL_NUMBER} bytes")


def _named(manifest: Manifest, name: str) -> ImageTable:
    for image in manifest.image:
        if image.name == name:
            return image
    raise ValueError(f"the manifest has no image {name}; it has {', '.join(image.name for image in manifest.image)}")


def image(manifest: Manifest, name: str, kind: str, key_storage: KeyStorage) -> Image:
    """The image, read and held against its manifest and the memory map."""
    table = _named(manifest, name)
    if table.kind != kind:
        raise ValueError(f"{name} is of kind {table.kind}, {kind} is needed")
    if table.key_storage is not key_storage:
        raise ValueError(f"{name} keeps the key in {table.key_storage}, the recipe asks for {key_storage}")
    content = table.file.read_bytes()
    image = Image(name, content, table.version, table.load_address)
    if image.sha256 != table.sha256:
        raise ValueError(f"{table.file} has SHA-256 {image.sha256}, the manifest says {table.sha256}")
    region = image.region
    if not APPLICATION.holds(region):
        raise ValueError(
            f"{name} takes 0x{region.address:08X} to 0x{region.end - 1:08X}, "
            f"an application 0x{APPLICATION.address:08X} to 0x{APPLICATION.end - 1:08X}"
        )
    check_vector_table(name, content, region)
    if kind == "operational":
        check_reads_factory_data(name, content)
    return image
