# SPDX-License-Identifier: Apache-2.0
"""Reads the longest seconds of each step and the size of the lot from a recipe, and nothing else of it: reports need no images."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from station.config.problems import ConfigurationInvalid, problems_of
from station.config.toml_file import read_toml
from station.recipe.files.tables import LotTable, WithinTable


def step_limits(recipe: Path) -> Mapping[str, float]:
    """The recipe's `[within]` by the name of the step; raises `ConfigurationInvalid`."""
    try:
        table = WithinTable.model_validate(read_toml(recipe).get("within", {}))
    except ValidationError as exc:
        raise ConfigurationInvalid(problems_of(recipe, exc, WithinTable)) from exc
    return table.model_dump(exclude_none=True)


def planned(recipe: Path) -> Mapping[str, int]:
    """The size of the recipe's lot by its name, none if it has no lot; raises `ConfigurationInvalid`."""
    content = read_toml(recipe)
    if "lot" not in content:
        return {}
    try:
        table = LotTable.model_validate(content["lot"])
    except ValidationError as exc:
        raise ConfigurationInvalid(problems_of(recipe, exc, LotTable)) from exc
    return {table.name: table.size}
