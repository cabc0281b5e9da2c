# SPDX-License-Identifier: Apache-2.0
"""The whole configuration of a line, checked before the line opens: its file, environment, recipe, manifest and this machine.

All mistakes are told at once, each with its place, and one cause is told once.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from station.adapters.hotplug import sources
from station.adapters.pki import tls
from station.adapters.pki.secret_header import SecretHeader
from station.adapters.programmer import tool_version
from station.config import line as line_file
from station.config.environment import at_their_variables, overridden
from station.config.line import Config
from station.config.problems import ConfigurationInvalid, Problem
from station.doctor.paths import executable_mistake, file_mistake, folder_mistake, written_file_mistake
from station.faults.line import PKIFileUnusable
from station.recipe.files import line_recipe
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

PCI_DEVICES = Path("/sys/bus/pci/devices")
_PCI = re.compile(r"pci-([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])")
_OF_EXAMPLES = re.compile(r"(^|\.)example(\.(com|net|org))?$")  # RFC 2606


@dataclass(frozen=True, slots=True)
class Settings:
    """A line's file as it was read, whether it is good or not: a mistake in one place hides none in another."""

    file: Path
    values: Mapping[str, object]

    def text(self, *keys: str) -> str | None:
        """A setting that is text; None where there is none."""
        value: object = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value if isinstance(value, str) else None

    def path(self, *keys: str) -> Path | None:
        """A setting that is a path, from the file's folder on."""
        text = self.text(*keys)
        return Path(os.path.normpath(self.file.parent.resolve() / text)) if text else None


async def checked(
    path: Path, environment: Mapping[str, str] = os.environ, pci_devices: Path = PCI_DEVICES
) -> tuple[Config, Recipe | Laboratory]:
    """The configuration and its recipe; raises `ConfigurationInvalid` with every mistake that can be known now."""
    values = overridden(line_file.read_toml(path), environment)
    settings = Settings(path, values)
    problems: list[Problem] = []
    config = recipe = None
    try:
        config = line_file.validated(path, values, environment)
    except ConfigurationInvalid as exc:
        problems += exc.problems
    try:
        recipe = _recipe(settings)
    except ConfigurationInvalid as exc:
        problems += exc.problems
    problems += await of_this_machine(settings, config, pci_devices)
    told = list(_once(at_their_variables(path, problems, environment)))
    if told or config is None or recipe is None:
        raise ConfigurationInvalid(told)
    return config, recipe


async def of_this_machine(settings: Settings, config: Config | None, pci_devices: Path) -> list[Problem]:
    """What the settings name and this machine does not have."""
    found = [
        *_programmer(settings),
        *_pki(settings),
        *_folders(settings),
        *_hotplug(settings),
        *(_controllers(settings.file, config, pci_devices) if config else ()),
    ]
    cli = settings.path("programmer", "cli")
    if cli is not None and executable_mistake(cli) is None:
        found += await _of_cli(settings.file, cli)
    return found


def _recipe(settings: Settings) -> Recipe | Laboratory | None:
    """The recipe under the line's anchors, where the line's file says which recipe that is."""
    recipe = settings.path("recipe")
    if recipe is None:
        return None
    if mistake := file_mistake(recipe, "a recipe"):
        raise ConfigurationInvalid([Problem(settings.file, "recipe", mistake)])
    pai, paa = (settings.path("pki", name) for name in ("pai", "paa"))
    try:
        return line_recipe.loaded(recipe, pai, paa, settings.file)
    except ConfigurationInvalid as exc:
        if "pki" in settings.values:  # its missing settings are told by name
            exc.problems[:] = [problem for problem in exc.problems if problem.place != "pki"]
        if exc.problems:
            raise
        return None


def _programmer(settings: Settings) -> Iterator[Problem]:
    cli, loader = (settings.path("programmer", name) for name in ("cli", "external_loader"))
    if cli and (mistake := executable_mistake(cli)):
        yield Problem(settings.file, "programmer.cli", mistake)
    if loader and (mistake := file_mistake(loader, "the external loader of the QSPI flash, a .stldr file")):
        yield Problem(settings.file, "programmer.external_loader", mistake)


async def _of_cli(file: Path, cli: Path) -> list[Problem]:
    try:
        await tool_version.version_of(cli)
    except tool_version.NotTheProgrammer as exc:
        text = f"{cli} is not STM32_Programmer_CLI: asked with --version, it {exc}"
        return [Problem(file, "programmer.cli", text)]
    return []


def _pki(settings: Settings) -> Iterator[Problem]:
    url = settings.text("pki", "url")
    if url and _OF_EXAMPLES.search(_host(url)):
        yield Problem(
            settings.file, "pki.url", f'found "{_host(url)}", the address of an example, expected that of your PKI'
        )
    names = ("ca", "certificate", "key")
    paths = {name: path for name in names if (path := settings.path("pki", name))}
    missing = {name: text for name, path in paths.items() if (text := file_mistake(path, EXPECTED[name]))}
    for name, mistake in missing.items():
        yield Problem(settings.file, f"pki.{name}", mistake)
    if len(paths) == len(names) and not missing:
        try:
            tls.client_context(paths["ca"], paths["certificate"], paths["key"])
        except PKIFileUnusable as fault:
            name = next((name for name, path in paths.items() if str(path) == fault.file), "certificate")
            yield Problem(settings.file, f"pki.{name}", f"{fault.file} {fault.reason}, expected {EXPECTED[name]}")
    yield from _secrets(settings)


def _secrets(settings: Settings) -> Iterator[Problem]:
    for name, what in SECRETS.items():
        path = settings.path("pki", name)
        if path is None:
            continue
        if mistake := file_mistake(path, what):
            yield Problem(settings.file, f"pki.{name}", mistake)
            continue
        try:
            SecretHeader(path).read()
        except PKIFileUnusable as fault:
            yield Problem(settings.file, f"pki.{name}", f"{fault.file} {fault.reason}, expected {what}")


EXPECTED = {
    "ca": "the certificate of the PKI server's authority, in PEM",
    "certificate": "this station's certificate, in PEM",
    "key": "the key of this station's certificate, in PEM",
}

SECRETS = {
    "basic_file": "one line with user:password, or with a provider's code",
    "header_file": "one line with the header's value",
}


def _folders(settings: Settings) -> Iterator[Problem]:
    checks: tuple[tuple[tuple[str, str], str, Callable[[Path, str], str | None]], ...] = (
        (("station", "state"), "the ledger and the transcripts", folder_mistake),
        (("station", "witness"), "this machine's records of its ledgers", folder_mistake),
        (("station", "locks"), "the locks on slots and probes", folder_mistake),
        (("log", "file"), "the log", written_file_mistake),
    )
    for keys, what, mistake_of in checks:
        path = settings.path(*keys)
        if path is not None and (mistake := mistake_of(path, what)):
            yield Problem(settings.file, ".".join(keys), mistake)


def _hotplug(settings: Settings) -> Iterator[Problem]:
    try:
        source = line_file.hotplug_of(settings.file, settings.values, {})
    except ConfigurationInvalid:  # the whole file's check tells it
        return
    if text := sources.missing(source):
        yield Problem(settings.file, "hotplug.source", text)


def _controllers(file: Path, config: Config, pci_devices: Path) -> Iterator[Problem]:
    """Slots at USB controllers that this machine does not have, as in a file that was made for another one."""
    if config.hotplug.source == "poll" or (config.hotplug.source == "links" and not config.hotplug.is_of_this_machine):
        return
    try:
        here = {path.name for path in pci_devices.iterdir()}
    except OSError:  # a machine without PCI, or a container: nothing can be said
        return
    absent: dict[str, list[str]] = {}
    for at, slot in enumerate(config.slot, 1):
        found = _PCI.findall(slot.path)
        if here and found and found[-1] not in here:
            absent.setdefault(found[-1], []).append(f"slot[{at}].path")
    for controller, places in absent.items():
        text = f"this machine has no USB controller {controller}, expected a port that `station ports` shows"
        yield Problem(file, ", ".join(places), text)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Each cause once: a place, or a text, that was told already is not told again."""
    texts: set[str] = set()
    for problem in problems:
        if problem.text not in texts:
            texts.add(problem.text)
            yield problem
