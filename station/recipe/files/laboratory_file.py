# SPDX-License-Identifier: Apache-2.0
"""Reads a laboratory's recipe: TOML with `procedure = "reconfigure"` and a file with every board's factory data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from station.config import plain_files, shipped
from station.config.file_path import FilePath
from station.config.table import Table
from station.domain.coprocessor import WirelessStack
from station.domain.memory_map import FACTORY_DATA_REGION
from station.domain.product import Image, KeyStorage
from station.factory_data import sources
from station.factory_data.flat_tlv import FactoryData
from station.recipe.commissioner import Commissioner
from station.recipe.files import image_files, recipe_file, trust_folder
from station.recipe.files.tables import CoprocessorTable, Manifest
from station.recipe.laboratory import Laboratory


class FactoryDataTable(Table):
    """ST's JSON, ST's records, or a dump of the flash; JSON takes precedence over binary."""

    json_file: FilePath | None = Field(default=None, alias="json")
    """ST's JSON, which goes over `binary`."""
    binary: FilePath | None = None
    """ST's records, or a dump of the flash."""

    @model_validator(mode="after")
    def _there_is_one(self) -> Self:
        if not (self.json_file or self.binary):
            raise ValueError("give json, binary, or both")
        return self


class ImagesTable(Table):
    """The firmware of a board; without this table it keeps what it has."""

    manifest: FilePath
    """The file that names the images with their SHA-256."""
    operational: str
    """The image that every board gets."""


class LaboratoryFile(Table):
    name: str = Field(min_length=1, max_length=64)
    """In the ledger and in the log."""
    procedure: Literal["reconfigure"]
    """Marks a laboratory: its units count in no yield."""
    factory_data: FactoryDataTable
    trust_store: FilePath = shipped.TRUST
    """Folder of the roots and the signers of declarations that commissioners go by."""
    images: ImagesTable | None = None
    coprocessor: CoprocessorTable | None = None


def load(path: Path) -> Laboratory:
    """The recipe in a TOML file; raises `ConfigurationInvalid`, also for factory data that a commissioner would refuse."""
    file = recipe_file.validated(path, LaboratoryFile)

    @cache
    def firmware() -> tuple[Image, ...]:
        return _images(path, file.images)

    @cache
    def data() -> FactoryData:
        return recipe_file.accepted(lambda: _data(file.factory_data))

    @cache
    def commissioner() -> Commissioner:
        return Commissioner(recipe_file.accepted(lambda: trust_folder.load(file.trust_store)))

    @cache
    def stack() -> WirelessStack | None:
        return _stack(file.coprocessor, [*chain.from_iterable(recipe_file.good(firmware))])

    recipe_file.check_all(
        path, {"factory_data": data, "images": firmware, "trust_store": commissioner, "coprocessor": stack}
    )
    work = Laboratory(
        name=file.name,
        data=data(),
        address=FACTORY_DATA_REGION.address,
        firmware=firmware(),
        commissioner=commissioner(),
        wireless_stack=stack(),
    )
    recipe_file.check_all(path, {"factory_data": lambda: recipe_file.accepted(lambda: work.check(datetime.now(UTC)))})
    return work


def _data(table: FactoryDataTable) -> FactoryData:
    json, binary = (plain_files.read(file) if file else None for file in (table.json_file, table.binary))
    data = sources.read(json=json, binary=binary).data
    sources.check_whole(data, certified=True)
    return data


def _images(path: Path, table: ImagesTable | None) -> tuple[Image, ...]:
    """The operational image, which must keep the key in flash, since the factory data has the private key."""
    if table is None:
        return ()
    manifest = recipe_file.validated(table.manifest, Manifest)
    wanted = image_files.Wanted(path, "images.operational", table.operational, "operational", KeyStorage.FLASH)
    return (image_files.image(table.manifest, manifest, wanted),)


def _stack(table: CoprocessorTable | None, firmware: Sequence[Image]) -> WirelessStack | None:
    if table is None:
        return None
    return image_files.wireless_stack(table, {image.name: image.region for image in firmware})
