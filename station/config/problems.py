# SPDX-License-Identifier: Apache-2.0
"""Mistakes in files that people write: collected and reported all at once, each with its place. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: its file, its place there, and the reason."""

    file: Path
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.text}" if self.place else f"{self.file}: {self.text}"


class ConfigurationInvalid(Exception):
    """The files that a line needs have these mistakes."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(file: Path, error: ValidationError) -> list[Problem]:
    """Pydantic's findings, with their places as in the TOML file, and without the values."""
    return [
        Problem(file, _place(detail["loc"]), _sentence(detail["type"], detail["msg"]))
        for detail in error.errors(include_url=False, include_input=False)
    ]


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _sentence(kind: str, message: str) -> str:
    match kind:
        case "extra_forbidden":
            return "there is no such setting: check its spelling"
        case "missing":
            return "this setting is missing"
        case _:
            return message.removeprefix("Value error, ")  # our own rules' messages need no such prefix
