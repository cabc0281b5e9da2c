# SPDX-License-Identifier: Apache-2.0
"""Reads the image files that a manifest or a recipe names, and checks them against that table and the memory map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from station.config import plain_files
from station.config.problems import ConfigurationInvalid, Problem
from station.config.sentences import nearest
from station.domain.coprocessor import WirelessStack
from station.domain.memory_map import APPLICATION
from station.domain.product import Image, KeyStorage
from station.domain.target import Region
from station.recipe.files.tables import CoprocessorTable, ImageTable, Manifest
from station.recipe.image_checks import application_mistakes, format_mistake, stack_mistakes, vector_table_mistakes


@dataclass(frozen=True, slots=True)
class Wanted:
    """The image that a recipe asks for, and the setting that names it."""

    recipe: Path
    place: str
    name: str
    kind: str
    key_storage: KeyStorage
    names_requests: bool = False
    """Whether it must be able to put the serial number into its certificate request."""
    place_of_image: Region = APPLICATION
    """Where it may lie, its vector table first."""


def named(manifest: Manifest, name: str) -> ImageTable:
    """The manifest's table of this name; raises `ValueError`."""
    for image in manifest.image:
        if image.name == name:
            return image
    names = [image.name for image in manifest.image]
    meant = f'; did you mean "{near}"?' if (near := nearest(name, names)) else ""
    raise ValueError(f"the manifest has no image {name}; it has {', '.join(names)}{meant}")


def image(path: Path, manifest: Manifest, wanted: Wanted) -> Image:
    """The image, read and checked against its manifest and the memory map; raises `ConfigurationInvalid` with all its mistakes."""
    name = wanted.name
    try:
        table = named(manifest, name)
    except ValueError as exc:
        raise ConfigurationInvalid([Problem(wanted.recipe, wanted.place, str(exc))]) from exc
    place = f"image[{manifest.image.index(table) + 1}]"
    problems = [Problem(wanted.recipe, wanted.place, text) for text in _unwanted(table, wanted)]
    try:
        image = Image(name, plain_files.read(table.file), table.load_address, table.version)
    except OSError as exc:
        text = f"{table.file} cannot be read: {exc.strerror}{plain_files.meant(table.file)}"
        raise ConfigurationInvalid([*problems, Problem(path, f"{place}.file", text)]) from exc
    problems += [Problem(path, f"{place}.{key}", text) for key, text in _image_mistakes(image, table, wanted)]
    if problems:
        raise ConfigurationInvalid(problems)
    return image


def _unwanted(table: ImageTable, wanted: Wanted) -> Iterator[str]:
    """Why the manifest's image is not the one that the recipe needs in this place."""
    if table.kind != wanted.kind:
        yield f"{wanted.name} is of kind {table.kind}, {wanted.kind} is needed"
    if table.key_storage is not wanted.key_storage:
        yield f"{wanted.name} keeps the key in {table.key_storage}, the recipe asks for {wanted.key_storage}"
    if wanted.kind == table.kind == "operational" and "common-name" in table.answers:
        yield f'{wanted.name} has "common-name" among its answers in the manifest, which only a provisioning image can have'
    if wanted.names_requests and "common-name" not in table.answers:
        yield (
            f'{wanted.name} cannot put the serial number into its request, which attestation.common_name = "serial-number" '
            'needs: "common-name" is not among its answers in the manifest'
        )


def _room(place: Region) -> str:
    whose = "an application" if place == APPLICATION else 'the provisioning image of plan = "ram"'
    return f"{whose} {_span(place)}"


def _span(region: Region) -> str:
    return f"0x{region.address:08X} to 0x{region.end - 1:08X}"


def _image_mistakes(image: Image, table: ImageTable, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """What is wrong with an image, and at which setting of the manifest."""
    name, region = image.name, image.region
    if mistake := format_mistake(image.content):
        yield "file", f"{table.file} {mistake}, expected the bytes of the flash"
        return
    if image.sha256 != table.sha256:
        yield "sha256", f"{table.file} has SHA-256 {image.sha256}, the manifest says {table.sha256}"
    if not wanted.place_of_image.holds(region):
        yield "load_address", f"{name} takes {_span(region)}, {_room(wanted.place_of_image)}"
    wrong = application_mistakes if wanted.kind == "operational" else vector_table_mistakes
    for text in wrong(name, image.content, region, wanted.place_of_image):
        yield "load_address" if "address" in text else "file", text


def wireless_stack(table: CoprocessorTable, others: Mapping[str, Region]) -> WirelessStack:
    """The stack, read and checked against its SHA-256 and the memory map; raises `ValueError` with all its mistakes."""
    content = plain_files.read(table.file)
    stack = WirelessStack(table.file.name, content, table.address, table.version, table.smallest_fus)
    mistakes = list(stack_mistakes(stack, others))
    if stack.sha256 != table.sha256:
        mistakes.append(f"{table.file} has SHA-256 {stack.sha256}, the recipe says {table.sha256}")
    if mistakes:
        raise ValueError(*mistakes)
    return stack
