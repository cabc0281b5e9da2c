# SPDX-License-Identifier: Apache-2.0
"""Mistakes in files that people write: collected and reported all at once, each with its place. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from station.config.sentences import MISSING, Detail, field_names, nearest, place_of, sentence

ENVIRONMENT = "environment"  # stands in a file's place where a variable is at fault; the variable is the place


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: its file, or the environment; its place there; and the reason."""

    file: Path | str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.text}" if self.place else f"{self.file}: {self.text}"


class ConfigurationInvalid(Exception):
    """The files that a line needs have these mistakes."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(file: Path, error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Pydantic's findings, with their places as in the TOML file.

    A setting that is missing because its name is misspelt, or because it is in a wrong table, is one mistake.
    """
    details = [
        Detail(each["type"], each["loc"], each["input"], each["msg"], each.get("ctx", {}))
        for each in error.errors(include_url=False)
    ]
    unknown = [detail.place for detail in details if detail.kind == "extra_forbidden"]
    told = ((detail.place, sentence(detail, model)) for detail in details)
    return [
        Problem(file, place_of(place), text)
        for place, text in told
        if not (text == MISSING and _is_elsewhere(place, unknown, field_names(model)))
    ]


def _is_elsewhere(missing: tuple[int | str, ...], unknown: list[tuple[int | str, ...]], above: list[str]) -> bool:
    """Whether an unknown setting is this one, misspelt, or written below the heading of a table."""
    name = str(missing[-1])
    for each in unknown:
        if each[:-1] == missing[:-1] and nearest(str(each[-1]), [name]):
            return True
        if len(missing) == 1 and name in above and each[-1] == name:
            return True
    return False
