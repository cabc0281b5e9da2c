"""Mistakes in files that people write: collected, and told all at once, each with its place. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: in which file, at which place in it, and what is wrong there."""

    file: Path
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.text}" if self.place else f"{self.file}: {self.text}"


class ConfigurationInvalid(Exception):
    """What the line would be run with is wrong in these places."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(file: Path, error: ValidationError) -> list[Problem]:
    """Pydantic's findings with their places as a reader of the TOML file would write them; never the value itself."""
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
            return message.removeprefix("Value error, ")  # what our own rules say needs no such word
