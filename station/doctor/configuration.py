# SPDX-License-Identifier: Apache-2.0
"""The whole configuration of a line, checked before the line opens: its file, environment, recipe, manifest and this machine.

All mistakes are told at once, each with its place, and one cause is told once.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from station.adapters.hotplug import sources
from station.adapters.programmer import tool_version
from station.config import line as line_file
from station.config import toml_file
from station.config.environment import at_their_variables, overridden
from station.config.line import Config
from station.config.problems import ConfigurationInvalid, Problem
from station.doctor import audit_files, mes_files, page_files, pki_files, shared_files
from station.doctor.paths import executable_mistake, file_mistake, folder_mistake, written_file_mistake
from station.doctor.settings import Settings
from station.recipe.files import line_recipe
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

PCI_DEVICES = Path("/sys/bus/pci/devices")
_PCI = re.compile(r"pci-([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])")


async def checked(
    path: Path, environment: Mapping[str, str] = os.environ, pci_devices: Path = PCI_DEVICES
) -> tuple[Config, Recipe | Laboratory]:
    """The configuration and its recipe; raises `ConfigurationInvalid` with every mistake that can be known now."""
    values = overridden(toml_file.read_toml(path), environment)
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
    told_places = {(problem.file, problem.place) for problem in problems}
    problems += [
        problem
        for problem in await of_this_machine(settings, config, pci_devices)
        if (problem.file, problem.place) not in told_places
    ]
    told = list(_once(at_their_variables(path, problems, environment)))
    if told or config is None or recipe is None:
        raise ConfigurationInvalid(told)
    return config, recipe


async def of_this_machine(settings: Settings, config: Config | None, pci_devices: Path) -> list[Problem]:
    """What the settings name and this machine does not have."""
    found = [
        *_programmer(settings),
        *pki_files.mistakes(settings),
        *shared_files.mistakes(settings),
        *audit_files.mistakes(settings),
        *_folders(settings),
        *page_files.mistakes(settings, config),
        *_hotplug(settings),
        *(_controllers(settings.file, config, pci_devices) if config else ()),
        *(mes_files.mistakes(settings.file, config.mes) if config else ()),
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
    mistake = file_mistake(recipe, "a recipe")
    if mistake and not Path(settings.text("recipe") or "").is_absolute():
        mistake += f"; a relative path starts at the folder of {settings.file.name}"
    if mistake := mistake or _of_another_kind(recipe):
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


def _of_another_kind(recipe: Path) -> str | None:
    """That this file is one of the station's other kinds; None if it is not, which says nothing else about it."""
    tables = toml_file.read_toml(recipe).keys()
    if "procedure" in tables or "product" in tables:
        return None
    for table, kind in (("image", "a manifest of images"), ("programmer", "the configuration of a line")):
        if table in tables:
            return f"{recipe} is {kind}, expected a recipe"
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
    others = {settings.path("recipe"), settings.path("programmer", "cli"), settings.file.resolve()} - {None}
    if settings.path("log", "file") in others:
        text = (
            f"found {settings.path('log', 'file')}, which is another file of the station, expected a file for the log"
        )
        yield Problem(settings.file, "log.file", text)


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


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Each cause once: a file that is told already is not told again at another setting."""
    told: set[tuple[object, ...]] = set()
    for problem in problems:
        names_its_cause = "/" in problem.text
        key = (problem.text,) if names_its_cause else (problem.file, problem.place, problem.text)
        if key not in told:
            told.add(key)
            yield problem
