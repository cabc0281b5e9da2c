# SPDX-License-Identifier: Apache-2.0
"""One table of a file that people write: unknown keys are mistakes, and so are numbers in quotes. Pure."""

import re
from enum import Enum
from typing import get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from station.config.environment import Text
from station.config.sentences import shown

_WITH_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[a-zA-Z%\u00b5]+\s*")
WITHOUT_QUOTES = (int, float, bool)


class Table(BaseModel):
    """What tables of all files have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _is_of_its_type(cls, value: object, info: ValidationInfo[object]) -> object:
        """A file says what is a number; only the environment has nothing but text."""
        wanted = set(_plain_types(cls.model_fields[info.field_name or ""].annotation))
        if isinstance(value, str) and not isinstance(value, Text) and not wanted & {str}:
            for kind in wanted & {*WITHOUT_QUOTES}:
                raise ValueError(
                    f"found {shown(value)} in quotes, expected {EXPECTED[kind]} without quotes{_unit_in(value)}"
                )
        if isinstance(value, bool) and wanted & {int, float} and bool not in wanted:
            raise ValueError(f"found {shown(value)}, expected a number")
        if isinstance(value, int | float) and not isinstance(value, bool) and wanted == {bool}:
            raise ValueError(f"found {shown(value)}, expected true or false")
        return value


EXPECTED = {int: "a number", float: "a number", bool: "true or false"}


def _unit_in(value: str) -> str:
    number = _WITH_UNIT.fullmatch(value)
    return f" and without a unit; did you mean {number[1]}?" if number else ""


def _plain_types(annotation: object) -> list[type]:
    """The plain types that a setting may have; not those inside of tables."""
    if isinstance(annotation, type):
        return [annotation] if not issubclass(annotation, BaseModel | Enum) else []
    if getattr(annotation, "__origin__", None) in {dict, tuple, frozenset, list}:
        return []
    return [plain for inner in get_args(annotation) for plain in _plain_types(inner)]
