# SPDX-License-Identifier: Apache-2.0
"""Finds STM32CubeProgrammer and the external loader, by the given options or at the usual places, and reports both.

An option may be a folder, as ST's script takes it on Windows, or an executable, a file or a driver's name.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EXECUTABLES = ("STM32_Programmer_CLI", "STM32_Programmer_CLI.exe")
DEFAULT_LOADER = "S25FL128S_STM32WB5MM-DK"
LOADERS = "ExternalLoader"
SUFFIX = ".stldr"

# Where ST's installers and the bundles of ST's development environments put it; `*` is a version.
_WINDOWS = (
    "{ProgramFiles}/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "{ProgramFiles(x86)}/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "{LOCALAPPDATA}/stm32cube/bundles/programmer/*/bin",
)
_MAC = (
    "/Applications/STMicroelectronics/STM32Cube/STM32CubeProgrammer/STM32CubeProgrammer.app/Contents/Resources/bin",
    "/Applications/STMicroelectronics/STM32Cube/STM32CubeProgrammer/STM32CubeProgrammer.app/Contents/MacOs/bin",
    "{HOME}/Library/Application Support/stm32cube/bundles/programmer/*/bin",
)
_LINUX = (
    "{HOME}/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "/usr/local/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "/opt/st/STM32CubeProgrammer/bin",
    "/opt/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "{HOME}/.local/share/stm32cube/bundles/programmer/*/bin",
)
USUAL_PLACES = {"win32": _WINDOWS, "darwin": _MAC}


class InstallationMissing(Exception):
    """Programmer or loader is neither at the given place nor at a usual one."""


@dataclass(frozen=True, slots=True)
class Found:
    """The programmer and the loader to use, with sentences on how they were found."""

    cli: Path
    loader: Path
    said: tuple[str, ...]


def find(
    programmer: str | None, loader: str | None, environment: Mapping[str, str], platform: str = sys.platform
) -> Found:
    """The programmer and its loader; raises `InstallationMissing` with every place that was searched."""
    cli, how = _given_programmer(programmer) if programmer else _usual_programmer(environment, platform)
    file, which = _loader(loader, cli)
    return Found(cli, file, (f"programmer: {cli} ({how})", f"external loader: {file} ({which})"))


def _given_programmer(given: str) -> tuple[Path, str]:
    for path in _readings(given):
        if path.is_file():
            return path.absolute(), "the executable that was given"
        for folder in (path, path / "bin"):
            if executable := _executable(folder):
                return executable, "in the folder that was given"
    tried = "; ".join(_listed(path) for path in _readings(given))
    raise InstallationMissing(f"no STM32_Programmer_CLI at {given}: {tried}")


def _usual_programmer(environment: Mapping[str, str], platform: str) -> tuple[Path, str]:
    if on_path := shutil.which(EXECUTABLES[0], path=environment.get("PATH", "")):
        return Path(on_path).absolute(), "on PATH"
    searched = []
    for folder in _usual_folders(environment, platform):
        searched.append(str(folder))
        if executable := _executable(folder):
            return executable, "at a usual place"
    places = "".join(f"\n  {place}" for place in ("PATH", *searched))
    raise InstallationMissing(f"STM32CubeProgrammer was not found; give --programmerPath. Searched:{places}")


def _usual_folders(environment: Mapping[str, str], platform: str) -> Iterator[Path]:
    for pattern in USUAL_PLACES.get(platform, _LINUX):
        try:
            place = pattern.format_map(environment)
        except KeyError:  # this user has no such folder
            continue
        before, star, behind = place.partition("*")
        if not star:
            yield Path(place)
            continue
        versions = sorted(Path(before).glob("*"), key=_version, reverse=True)  # the newest first
        yield from (version / behind.lstrip("/") for version in versions)


def _version(folder: Path) -> tuple[list[int], str]:
    return [int(part) for part in folder.name.replace("-", ".").split(".") if part.isdigit()], folder.name


def _loader(given: str | None, cli: Path) -> tuple[Path, str]:
    beside = cli.parent / LOADERS
    if given is None:
        return _named_loader(beside, DEFAULT_LOADER), "the default, beside the programmer"
    for path in _readings(given):
        if path.is_file():
            return path.absolute(), "the file that was given"
        if path.is_dir():
            return _named_loader(path.absolute(), DEFAULT_LOADER), "the default, in the folder that was given"
    if any(path.name != str(path) for path in _readings(given)):
        raise InstallationMissing(f"there is no external loader {given}: neither a file nor a folder")
    return _named_loader(beside, given), "by name, beside the programmer"


def _named_loader(folder: Path, name: str) -> Path:
    file = folder / (name if name.endswith(SUFFIX) else name + SUFFIX)
    if file.is_file():
        return file
    wanted = name.removesuffix(SUFFIX).casefold()
    others = sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))
    for other in others:
        if other.casefold() == wanted:
            return folder / f"{other}{SUFFIX}"
    raise InstallationMissing(f"there is no {file.name} in {folder}; {_few(others)}")


def _few(names: Sequence[str]) -> str:
    if not names:
        return "there is no loader at all"
    shown = ", ".join(names[:8])
    return f"there are {shown} and {len(names) - 8} others" if len(names) > 8 else f"there are {shown}"


def _executable(folder: Path) -> Path | None:
    return next((folder.absolute() / name for name in EXECUTABLES if (folder / name).is_file()), None)


def _listed(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder without it"
    return f"{path} is not there"


def _readings(given: str) -> list[Path]:
    """The readings of a path: as given, and with Windows' separators as ours. cmd.exe may leave a quote at its end."""
    text = given.strip().rstrip('"')
    readings = [Path(text).expanduser()]
    if "\\" in text and not readings[0].exists():
        readings.append(Path(text.replace("\\", "/")).expanduser())
    return readings
