# SPDX-License-Identifier: Apache-2.0
"""Reads the recipe that a line's configuration names: each procedure has files of its own kind."""

from station.config.line import Config, read_toml
from station.config.problems import ConfigurationInvalid, Problem
from station.recipe.files import laboratory_file, recipe_file
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe


def load(config: Config) -> Recipe | Laboratory:
    """The line's recipe, checked whole; raises `ConfigurationInvalid`."""
    if read_toml(config.recipe).get("procedure") == "reconfigure":
        return laboratory_file.load(config.recipe)
    pki = config.pki
    recipe = recipe_file.load(config.recipe, pki.pai if pki else None, pki.paa if pki else None)
    if pki is None and recipe.delivery is None:
        text = f"there is no [pki] in the line's configuration, and {recipe.name} needs one"
        raise ConfigurationInvalid([Problem(config.recipe, "procedure", text)])
    return recipe
