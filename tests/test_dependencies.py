# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml declares is what the packages import, no more and no less."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("station", "virtual_bench", "development_pki")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GIVEN_BY_SCRIPTS = {"common"}  # what a partner's script imports, which the station itself brings


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}


def imported() -> Iterator[str]:
    """The top-level names of all modules that the packages import."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


@pytest.fixture(scope="module")
def distributions() -> set[str]:
    """The distributions that the packages import."""
    third_party = set(imported()) - sys.stdlib_module_names - {*PACKAGES} - GIVEN_BY_SCRIPTS
    providers = metadata.packages_distributions()
    assert third_party - providers.keys() == set()
    return {distribution.lower().replace("_", "-") for name in third_party for distribution in providers[name]}


def test_every_declared_dependency_is_imported(distributions: set[str]) -> None:
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    assert named([*PROJECT["dependencies"], *extras]) - distributions == set()


def test_every_imported_distribution_is_declared(distributions: set[str]) -> None:
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    assert distributions - named([*PROJECT["dependencies"], *extras]) == set()
