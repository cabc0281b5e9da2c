# SPDX-License-Identifier: Apache-2.0
"""A line's file as it was read, for checks that go on past its mistakes. Pure."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """A line's file as it was read, whether it is good or not: a mistake in one place hides none in another."""

    file: Path
    values: Mapping[str, object]

    def text(self, *keys: str) -> str | None:
        """A setting that is text; None where there is none."""
        value = self._value(keys)
        return value if isinstance(value, str) else None

    def path(self, *keys: str) -> Path | None:
        """A setting that is a path, from the file's folder on."""
        return self._path(self.text(*keys))

    def program(self, *keys: str) -> Path | None:
        """The program of a setting that is a command, from the file's folder on."""
        value = self._value(keys)
        first = value[0] if isinstance(value, list | tuple) and value else None
        return self._path(first if isinstance(first, str) else None)

    def _value(self, keys: tuple[str, ...]) -> object:
        value: object = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def _path(self, text: str | None) -> Path | None:
        return Path(os.path.normpath(self.file.parent.resolve() / text)) if text else None
