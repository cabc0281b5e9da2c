# SPDX-License-Identifier: Apache-2.0
"""A line's files without a mistake, and the ways in which a test spoils them."""

import asyncio
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from development_pki.directory import open_or_make
from station.config.problems import ConfigurationInvalid
from station.doctor import configuration
from tests.line.pki_bench import PRODUCT

ROOT = Path(__file__).parents[2]
FIRST_DIGEST: str = tomllib.loads((ROOT / "firmware_images/manifest.toml").read_text())["image"][0]["sha256"]

LINE = """
recipe = "config/recipes/lighting.toml"
[station]
name = "line-1"
state = "state"
witness = "register"
[programmer]
cli = "cli"
external_loader = "loader.stldr"
[hotplug]
source = "links"
directory = "dev/serial"
[pki]
url = "https://pki.factory.test/.well-known/est"
ca = "pki/tls/ca.pem"
certificate = "pki/tls/station.pem"
key = "pki/tls/station-key.pem"
pai = "pki/pai.pem"
paa = "pki/paa.pem"
[board]
baudrate = 115200
[log]
file = "logs/station.jsonl"
[[slot]]
name = "1"
path = "pci-0000:00:14.0-usb-0:1.1"
[[slot]]
name = "2"
path = "pci-0000:00:14.0-usb-0:1.2"
"""
PROGRAMMER = "#!/bin/sh\necho '      STM32CubeProgrammer v2.19.0'\necho 'STM32CubeProgrammer version: 2.19.0 '\n"


def make(folder: Path) -> None:
    """Writes a line's files without a mistake."""
    shutil.copytree(ROOT / "config" / "recipes", folder / "config" / "recipes")
    shutil.copytree(ROOT / "firmware_images", folder / "firmware_images")
    open_or_make(folder / "pki", PRODUCT)
    (folder / "line.toml").write_text(LINE)
    (folder / "loader.stldr").write_bytes(b"\x7fELF")
    (folder / "cli").write_text(PROGRAMMER)
    (folder / "cli").chmod(0o755)
    (folder / "dev" / "serial").mkdir(parents=True)


@dataclass
class Files:
    """A copy of the files, for a test to spoil."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    pci: Path = Path("/nonexistent")

    def told(self) -> list[str]:
        """The messages, with paths from the folder on."""
        with pytest.raises(ConfigurationInvalid) as invalid:
            asyncio.run(configuration.checked(self.folder / "line.toml", self.environment, self.pci))
        return [str(problem).replace(f"{self.folder.resolve()}/", "") for problem in invalid.value.problems]


Spoiler = Callable[[Files], object]


def put(old: str, new: str, name: str = "line.toml") -> Spoiler:
    """Writes one thing instead of another, which the file must have."""

    def spoil(files: Files) -> None:
        text = (files.folder / name).read_text()
        assert old in text
        (files.folder / name).write_text(text.replace(old, new, 1))

    return spoil


def recipe(old: str, new: str) -> Spoiler:
    return put(old, new, "config/recipes/lighting.toml")


def manifest(old: str, new: str) -> Spoiler:
    return put(old, new, "firmware_images/manifest.toml")


def variable(name: str, value: str) -> Spoiler:
    return lambda files: files.environment.update({name: value})


def folder(name: str) -> Spoiler:
    return lambda files: (files.folder / name).mkdir(parents=True)


def file(name: str, content: bytes = b"x") -> Spoiler:
    def spoil(files: Files) -> None:
        (files.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (files.folder / name).write_bytes(content)

    return spoil


def readable(name: str) -> Spoiler:
    return lambda files: (files.folder / name).chmod(0o640)


def secret(mode: int, content: bytes, setting: str = "basic_file") -> Spoiler:
    """A file with a secret for the PKI."""

    def spoil(files: Files) -> None:
        put("[pki]", f'[pki]\n{setting} = "secret"')(files)
        file("secret", content)(files)
        (files.folder / "secret").chmod(mode)

    return spoil


def shared(settings: str) -> Spoiler:
    """A section that names a centre."""
    return put("[pki]", f"[shared]\n{settings}\n[pki]")


def gone(name: str) -> Spoiler:
    return lambda files: (files.folder / name).unlink()


def lock(text: str) -> Spoiler:
    return recipe("[images]", f"[lock]\n{text}\n[images]")


def controllers(*names: str) -> Spoiler:
    """The PCI devices of a machine with udev."""

    def spoil(files: Files) -> None:
        put('source = "links"\ndirectory = "dev/serial"', 'source = "udev"\nudev = "udev"')(files)
        file("udev/control")(files)
        files.pci = files.folder / "pci"
        for name in names:
            (files.pci / name).mkdir(parents=True)

    return spoil


RECIPE, MANIFEST = "config/recipes/lighting.toml", "firmware_images/manifest.toml"
