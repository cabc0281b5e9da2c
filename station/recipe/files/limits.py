# SPDX-License-Identifier: Apache-2.0
"""Reads the longest seconds of each step from a recipe, and nothing else of it: reports need no images and no trust store."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from station.config.problems import ConfigurationInvalid, problems_of
from station.config.toml_file import read_toml
from station.recipe.files.tables import WithinTable


def step_limits(recipe: Path) -> Mapping[str, float]:
    """The recipe's `[within]` by the name of the step; raises `ConfigurationInvalid`."""
    try:
        table = WithinTable.model_validate(read_toml(recipe).get("within", {}))
    except ValidationError as exc:
        raise ConfigurationInvalid(problems_of(recipe, exc, WithinTable)) from exc
    return table.model_dump(exclude_none=True)
