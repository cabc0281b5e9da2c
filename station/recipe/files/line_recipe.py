# SPDX-License-Identifier: Apache-2.0
"""Reads the recipe that a line's configuration names: each procedure has its own kind of file."""

from station.config.line import Config, read_toml
from station.recipe.files import laboratory_file, recipe_file
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe


def load(config: Config) -> Recipe | Laboratory:
    """Reads and checks the line's recipe; raises `ConfigurationInvalid` with all its mistakes."""
    if read_toml(config.recipe).get("procedure") == "reconfigure":
        return laboratory_file.load(config.recipe)
    pki = config.pki
    return recipe_file.load(config.recipe, pki.pai if pki else None, pki.paa if pki else None)
