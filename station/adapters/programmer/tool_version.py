# SPDX-License-Identifier: Apache-2.0
"""Asks an executable whether it is STM32_Programmer_CLI, and which version. No probe and no board is touched."""

import re
from pathlib import Path

from station.adapters.system import asked, environment
from station.adapters.system.child import OverBudget

TESTED = ("2.4", "2.7", "2.13", "2.17", "2.19", "2.22")
ANSWERED_WITHIN = 60.0
_NAME = "STM32CubeProgrammer"
_VERSION = re.compile(_NAME + r"\s+(?:version:\s*|v)(?P<number>\d+(?:\.\d+)*)")


class NotTheProgrammer(Exception):
    """What the executable did instead of saying the programmer's version."""


def environment_of(cli: Path) -> dict[str, str]:
    """The environment variables that the tool needs, without the station's settings and its supervisor's socket."""
    libraries = cli.parent.parent / "lib"
    bundled = {"LD_LIBRARY_PATH": str(libraries)} if libraries.is_dir() else {}
    # in other locales the tool would print commas for decimal points, and Qt would warn
    return environment.for_others() | bundled


async def version_of(cli: Path) -> str:
    """The version that `--version` prints; raises `NotTheProgrammer`."""
    said, status = await answer_of(cli, "--version")
    if found := _VERSION.search("\n".join(said)):
        return found["number"]
    words = next((line for line in said if line.strip()), "")
    raise NotTheProgrammer(
        f'printed "{words[:80]}" and ended with status {status}'
        if words
        else f"printed nothing, with exit status {status}"
    )


async def answer_of(cli: Path, *arguments: str) -> tuple[list[str], int]:
    """The lines that the executable prints, and its exit status; raises `NotTheProgrammer` where it gives no answer."""
    command = [str(cli), *arguments]
    try:
        return await asked.answer_of(command, environment=environment_of(cli), within=ANSWERED_WITHIN)
    except TimeoutError as exc:
        raise NotTheProgrammer(f"gave no answer within {ANSWERED_WITHIN:g} s") from exc
    except OverBudget as exc:
        raise NotTheProgrammer(f"printed {exc} instead of an answer") from exc
    except OSError as exc:
        raise NotTheProgrammer(f"cannot be started: {exc.strerror}") from exc


def is_tested(version: str) -> bool:
    """Whether the station was tested with output of this version; the last number does not count."""
    return ".".join(version.split(".")[:2]) in TESTED
