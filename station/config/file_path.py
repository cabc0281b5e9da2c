# SPDX-License-Identifier: Apache-2.0
"""The path of a file or folder as a setting. Pure."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from station.config import path_mistakes


def beside_the_file(path: Path, info: ValidationInfo[Mapping[str, Path] | None]) -> Path:
    """A relative path starts at the folder of its configuration file."""
    folder = info.context["folder"] if info.context else Path()
    return Path(os.path.normpath(folder / path))


def _as_the_system_names_it(value: object) -> object:
    if isinstance(value, str) and (mistake := path_mistakes.mistake_in(value)):
        raise ValueError(mistake)
    return value


FilePath = Annotated[Path, AfterValidator(beside_the_file), BeforeValidator(_as_the_system_names_it)]
