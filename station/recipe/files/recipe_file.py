# SPDX-License-Identifier: Apache-2.0
"""Turns recipe and image manifest (TOML) into a `Recipe`, checks all of it, and reports every mistake at once with its place."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from pydantic import BaseModel, ValidationError

from station.config import plain_files
from station.config.problems import ConfigurationInvalid, Problem, problems_of
from station.config.toml_file import read_toml
from station.domain.coprocessor import WirelessStack
from station.domain.identity import Lot
from station.domain.memory_map import AGENT_IN_RAM, AGENT_RECORD, APPLICATION
from station.domain.product import CommonName, Image, KeyStorage, Plan, Trust, TrustAnchors
from station.domain.serial_number import EXAMPLE, SerialNumberPattern
from station.factory_data.device_information import mistakes_in
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults import Fault
from station.faults.line import CredentialsInvalid
from station.label.layout import Layout
from station.label.plan import LabelPlan
from station.matter.certificates.attestation import check_authority, check_certified, check_declaration
from station.matter.certificates.chain import check_issuer
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.trust import TrustStore
from station.matter.certificates.x509 import Certificate
from station.recipe import checks
from station.recipe.commissioner import Commissioner
from station.recipe.files import image_files, trust_folder
from station.recipe.files.tables import (
    AttestationTable,
    LotTable,
    Manifest,
    PartnerTable,
    ProductTable,
    RecipeFile,
)
from station.recipe.recipe import Delivery, OwnPKI, Recipe

RECORD = "the provisioning firmware's record of the board's key"
THE_LINE = "the line's configuration"
LONGEST_SHOWN = 80  # characters shown of a mistaken setting

Table = TypeVar("Table", bound=BaseModel)
Checked = TypeVar("Checked")


def load(path: Path, pai: Path | None, paa: Path | None, line: Path | str = THE_LINE) -> Recipe:
    """Reads a recipe with its images and the line's trust anchors; raises `ConfigurationInvalid`.

    A recipe whose boards a partner certifies needs no anchors. Each part is made once, so the recipe holds exactly what
    was checked.
    """
    file, manifest = _files(path)
    product, images = file.product, file.images
    attestation = file.attestation or AttestationTable()

    @cache
    def commissioner() -> Commissioner:
        return _commissioner(file, paa)

    @cache
    def declaration() -> bytes:
        return _declaration(file, commissioner().trust, pai, paa)

    @cache
    def provisioning() -> Image:
        wanted = image_files.Wanted(
            path,
            "images.provisioning",
            images.provisioning,
            "provisioning",
            file.key_storage,
            names_requests=attestation.common_name is CommonName.SERIAL_NUMBER,
            place_of_image=AGENT_IN_RAM if file.plan is Plan.RAM else APPLICATION,
        )
        return image_files.image(images.manifest, manifest, wanted)

    @cache
    def operational() -> Image:
        wanted = image_files.Wanted(path, "images.operational", images.operational, "operational", file.key_storage)
        return image_files.image(images.manifest, manifest, wanted)

    @cache
    def stack() -> WirelessStack | None:
        if file.coprocessor is None:
            return None
        others = {image.name: image.region for image in good(provisioning, operational)}
        return image_files.wireless_stack(file.coprocessor, {RECORD: AGENT_RECORD, **others})

    @cache
    def anchors() -> TrustAnchors | None:
        if pai is None or paa is None or file.procedure != "provisioning-link":
            return None
        found = _anchors(pai, paa, line)
        production, trust = file.trust is Trust.PRODUCTION, commissioner().trust
        with _refused_at(line, "pki.pai and pki.paa"):
            check_authority(found.pai, found.paa, product.certified, trust, production=production)
        _check_lasts(found.pai, attestation.minimum_days, line)
        return found

    @cache
    def delivery() -> Delivery | None:
        return _delivery(file, image_files.named(manifest, images.operational).answers)

    check_all(
        path,
        {
            "trust_store": commissioner,
            "product": lambda: _check_product(product),
            "product.certification_declaration": declaration,
            "lot.serial_number": lambda: _check_pattern(file.lot),
            "images.provisioning": provisioning,
            "images.operational": operational,
            "coprocessor": stack,
            "pki": anchors,
            "partner": delivery,
            "label": partial(_label, file),
        },
    )
    return Recipe(
        name=file.name,
        sha256=hashlib.sha256(plain_files.read(path)).hexdigest(),
        product=_product(product, declaration()),
        vendor_id=product.vendor_id,
        product_id=product.product_id,
        key_storage=file.key_storage,
        trust=file.trust,
        lot=Lot(file.lot.name, file.lot.serial_number, file.lot.first, file.lot.size),
        iterations=file.spake2.iterations,
        provisioning_image=provisioning(),
        operational_image=operational(),
        operational_answers=image_files.named(manifest, images.operational).answers,
        verify=images.verify,
        erase=images.erase,
        plan=file.plan,
        certification=delivery() or _own_pki(line, file, anchors(), commissioner()),
        lock=file.lock.lock if file.lock else None,
        strings=file.factory_data.strings,
        passcode_in_flash=file.factory_data.passcode,
        wireless_stack=stack(),
        dac_vendor_id=product.dac_vendor_id,
        dac_product_id=product.dac_product_id,
        label=_label(file),
    )


def _label(file: RecipeFile) -> LabelPlan | None:
    """The label's layout, in which the longest texts of any unit fit."""
    if (table := file.label) is None:
        return None
    try:
        last = SerialNumberPattern.parse(file.lot.serial_number).made(file.lot.first + file.lot.size - 1)
    except ValueError:  # reported at the pattern's own setting
        return None
    layout = Layout.of(table.size, table.fields, file.product.product_name, last)
    return LabelPlan.of(layout, table.printer, required=table.required, reprints=table.reprints)


def _own_pki(line: Path | str, file: RecipeFile, anchors: TrustAnchors | None, commissioner: Commissioner) -> OwnPKI:
    if anchors is None:
        text = f'there is no [pki], and the recipe {file.name} with procedure = "{file.procedure}" needs one'
        raise ConfigurationInvalid([Problem(line, "pki", text)])
    attestation = file.attestation or AttestationTable()
    return OwnPKI(anchors, commissioner, attestation.minimum_days, attestation.common_name)


@contextmanager
def _refused_at(file: Path | str, place: str) -> Iterator[None]:
    """A commissioner's refusal in the block is a mistake of this place, and not of the recipe."""
    try:
        yield
    except CredentialsInvalid as fault:
        text = f"a commissioner would refuse them: {fault.reason} (rule {fault.rule})"
        raise ConfigurationInvalid([Problem(file, place, text)]) from fault


def _check_lasts(pai: bytes, minimum_days: int, line: Path | str) -> None:
    """A PAI that expires too soon is refused before the line opens; every DAC under it would be refused after it was bought."""
    try:
        checks.check_lasts("PAI", pai, minimum_days, datetime.now(UTC))
    except CredentialsInvalid as fault:
        text = f"the recipe's attestation.minimum_days would refuse every DAC under it: {fault.reason}"
        raise ConfigurationInvalid([Problem(line, "pki.pai", text)]) from fault


def _anchors(pai: Path, paa: Path, line: Path | str) -> TrustAnchors:
    problems, found = [], list[bytes]()
    for place, path in (("pki.pai", pai), ("pki.paa", paa)):
        try:
            found.append(_certificate(path))
        except OSError as exc:
            problems.append(Problem(line, place, f"{path} cannot be read: {exc.strerror}{plain_files.meant(path)}"))
        except ValueError as exc:
            problems.append(Problem(line, place, str(exc)))
    if not problems:
        is_root = [_is_root(der) for der in found]
        if is_root == [True, False]:
            text = (
                f"{pai} is a root and {paa} is not, expected the PAI at pki.pai and the PAA at pki.paa: exchange them"
            )
            problems.append(Problem(line, "pki.pai and pki.paa", text))
        elif is_root == [True, True]:
            problems.append(
                Problem(line, "pki.pai", f"{pai} is a root (PAA), expected the intermediate below it (PAI)")
            )
        elif not any(is_root):
            problems.append(Problem(line, "pki.paa", f"{paa} is no root, expected the PAA, which signs itself"))
    if problems:
        raise ConfigurationInvalid(problems)
    return TrustAnchors(*found)


def _is_root(der: bytes) -> bool:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.subject == certificate.issuer


def _delivery(file: RecipeFile, answers: frozenset[str]) -> Delivery | None:
    if file.procedure == "provisioning-link":
        return None
    if file.trust is Trust.PRODUCTION and file.key_storage is KeyStorage.SECURE and "proof" not in answers:
        raise ValueError(
            "nothing would prove that a board has its key: the key cannot be read back, and the operational image does "
            'not sign ("proof" in the manifest\'s answers)'
        )
    partner = file.partner or PartnerTable()
    if partner.script is not None and not partner.script.is_file():
        raise ValueError(f"there is no script {partner.script}")
    production = True if file.trust is Trust.PRODUCTION else None
    trust = accepted(lambda: trust_folder.load(file.trust_store))
    borrowed = file.product.certified if file.product.certified.borrows_dacs else None
    return Delivery(partner.script, partner.within, Commissioner(trust, production, borrowed))


def _commissioner(file: RecipeFile, paa: Path | None) -> Commissioner:
    """The commissioner with the recipe's trust store; in development, it also trusts the line's own PAA."""
    trust = accepted(lambda: trust_folder.load(file.trust_store))
    if paa is not None and file.trust is Trust.DEVELOPMENT:
        with suppress(OSError, ValueError, RuleBroken):  # reported at the line's certificates
            trust = trust.with_root(_certificate(paa))
    return Commissioner(trust, file.trust is Trust.PRODUCTION, file.product.certified)


def _declaration(file: RecipeFile, trust: TrustStore, pai: Path | None, paa: Path | None) -> bytes:
    """The certification declaration, valid for this product and, if the line's PAI is readable, for that PAI."""
    product, production = file.product.certified, file.trust is Trust.PRODUCTION
    content = _bytes(file.product.certification_declaration)
    accepted(lambda: check_certified(content, product, trust, production=production))
    if (issuers := _issuers(pai, paa)) is not None:
        accepted(lambda: check_declaration(content, product, product.dac, *issuers, trust, production=production))
    return content


def _issuers(pai: Path | None, paa: Path | None) -> tuple[Certificate, Certificate] | None:
    """The line's PAI and PAA; None if one is missing or bad, which is reported at its own setting."""
    if pai is None or paa is None:
        return None
    try:
        return check_issuer(_certificate(pai), _certificate(paa))
    except (OSError, ValueError, RuleBroken):
        return None


def accepted(check: Callable[[], Checked]) -> Checked:
    """Returns the check's result; turns a refusal into a mistake of the file."""
    try:
        return check()
    except Fault as fault:
        raise ValueError(str(fault)) from fault


def check_all(file: Path, makers: Mapping[str, Callable[[], object]]) -> None:
    """Builds every part once, and collects all mistakes on the way."""
    problems: list[Problem] = []
    for place, make in makers.items():
        try:
            make()
        except ValueError as exc:
            problems.extend(Problem(file, place, text) for text in map(str, exc.args))
        except OSError as exc:
            near = plain_files.meant(Path(exc.filename))
            problems.append(Problem(file, place, f"{exc.filename} cannot be read: {exc.strerror}{near}"))
        except ConfigurationInvalid as exc:
            problems.extend(exc.problems)
    if problems:
        once = {problem.text: problem for problem in reversed(problems)}  # one cause may spoil many parts
        raise ConfigurationInvalid(problem for problem in problems if once[problem.text] is problem)


def _files(path: Path) -> tuple[RecipeFile, Manifest]:
    """Recipe and manifest; raises `ConfigurationInvalid` with the mistakes of both."""
    problems: list[Problem] = []
    tables = read_toml(path)
    file = manifest = None
    try:
        file = validated(path, RecipeFile, tables)
    except ConfigurationInvalid as exc:
        problems += exc.problems
    match tables:
        case {"images": {"manifest": str(name)}}:
            try:
                manifest = validated(Path(os.path.normpath(path.parent.resolve() / name)), Manifest)
            except ConfigurationInvalid as exc:
                problems += exc.problems
        case _:
            pass
    if problems or file is None or manifest is None:
        raise ConfigurationInvalid(problems)
    return file, manifest


def validated(path: Path, model: type[Table], tables: Mapping[str, object] | None = None) -> Table:
    """A file, or what was read from it, as this model has it; raises `ConfigurationInvalid`."""
    try:
        return model.model_validate(tables or read_toml(path), context={"folder": path.parent.resolve()})
    except ValidationError as exc:
        raise ConfigurationInvalid(problems_of(path, exc, model)) from exc


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
    """Checks names and numbers by Matter's rules: lengths count in bytes, and some numbers are reserved."""
    if mistakes := mistakes_in(FactoryData(_product(product, b"\0"))):
        raise ValueError(*mistakes)


def _bytes(path: Path) -> bytes:
    content = plain_files.read(path)
    if not content:
        raise ValueError(f"{path} is empty")
    return content


def _certificate(path: Path) -> bytes:
    content = plain_files.read(path)
    try:
        der = der_of(content, *CERTIFICATE, first=True)
        x509.load_der_x509_certificate(der)
    except (PEMInvalid, ValueError) as exc:
        raise ValueError(f"{path} is not a certificate, neither PEM nor DER") from exc
    return der


def _check_pattern(lot: LotTable) -> None:
    """Checks that all serial numbers of the lot differ and fit a label."""
    try:
        SerialNumberPattern.parse(lot.serial_number).check(lot.first + lot.size - 1)
    except ValueError as exc:
        found = ascii(lot.serial_number)[:LONGEST_SHOWN]
        raise ValueError(
            f"found {found}, expected text with one decimal number in it, such as {EXAMPLE}: {exc}"
        ) from exc


def good(*makers: Callable[[], Checked]) -> Iterator[Checked]:
    for make in makers:
        with suppress(ConfigurationInvalid):  # reported at the image's own setting
            yield make()
