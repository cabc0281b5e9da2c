# SPDX-License-Identifier: Apache-2.0
"""Reads the recipe that a line's configuration names: each procedure has its own kind of file."""

from pathlib import Path

from station.config.line import Config
from station.config.toml_file import read_toml
from station.recipe.files import laboratory_file, recipe_file
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe


def load(config: Config, line: Path | str = recipe_file.THE_LINE) -> Recipe | Laboratory:
    """Reads and checks the line's recipe; raises `ConfigurationInvalid` with all its mistakes."""
    pki = config.pki
    return loaded(config.recipe, pki.pai if pki else None, pki.paa if pki else None, line)


def loaded(recipe: Path, pai: Path | None, paa: Path | None, line: Path | str) -> Recipe | Laboratory:
    """The recipe in a file, under the trust anchors of a line; raises `ConfigurationInvalid`."""
    if read_toml(recipe).get("procedure") == "reconfigure":
        return laboratory_file.load(recipe)
    return recipe_file.load(recipe, pai, paa, line)
