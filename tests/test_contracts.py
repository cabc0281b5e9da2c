# SPDX-License-Identifier: Apache-2.0
"""The import contracts refuse forbidden imports."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# By module: a forbidden import, and the text of its refusal.
PLANTED = {
    "station/matter/certificates/pem.py": ("import asyncio", "station.matter.certificates.pem imports asyncio"),
    "station/matter/onboarding/base38.py": ("import structlog", "station.matter.onboarding.base38 imports structlog"),
    "station/matter/certificates/der.py": (
        "from station.daemon import control",
        "station.matter.certificates.der -> station.daemon.control",
    ),
    "station/matter/onboarding/codes.py": (
        "from station.matter.certificates import rules",
        "station.matter.onboarding.codes -> station.matter.certificates.rules",
    ),
    "station/link/frames.py": ("from station.domain import target", "station.link.frames -> station.domain.target"),
    "station/faults/unit.py": ("from station.faults import slot", "station.faults.unit -> station.faults.slot"),
    "station/domain/policy.py": ("import pydantic", "station.domain.policy imports pydantic"),
    "station/procedure/provision.py": ("import asyncio", "station.procedure.provision imports asyncio"),
    "station/recipe/recipe.py": (
        "from station.recipe.files import tables",
        "station.recipe.recipe -> station.recipe.files.tables",
    ),
    "station/line/line.py": ("import sqlalchemy", "station.line.line imports sqlalchemy"),
    "station/adapters/board/tty.py": (
        "from station.adapters.programmer import run",
        "station.adapters.board.tty -> station.adapters.programmer.run",
    ),
    "station/adapters/hotplug/links.py": (
        "from virtual_bench.timing import clock",
        "station.adapters.hotplug.links -> virtual_bench.timing.clock",
    ),
    "virtual_bench/board/board.py": (
        "from virtual_bench.programmer import session",
        "virtual_bench.board.board -> virtual_bench.programmer.session",
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all files that the contracts check."""
    for name in ("station", "virtual_bench", "development_pki", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def refused(tree: Path) -> str:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 1, done.stdout
    return " ".join(done.stdout.split())


def test_a_forbidden_import_is_refused(tree: Path) -> None:
    """The check names the module of each planted import."""
    for name, (planted, _) in PLANTED.items():
        file = tree / name
        file.write_text(f"{file.read_text()}\n\n{planted}\n")
    said = refused(tree)
    assert [expected for _, expected in PLANTED.values() if expected not in said] == []


@pytest.mark.parametrize("room", ["station/attic.py", "station/adapters/attic.py", "virtual_bench/attic.py"])
def test_a_new_room_without_a_layer_is_refused(tree: Path, room: str) -> None:
    """The author of a room must decide which rooms may import it."""
    (tree / room).write_text('"""A room that nobody has found a place for."""\n')
    assert room.removesuffix(".py").replace("/", ".") in refused(tree)
