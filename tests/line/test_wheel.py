# SPDX-License-Identifier: Apache-2.0
"""The wheel, in an empty environment outside the tree: every program does its work with the files that the wheel carries."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from station.evidence.form import JOURNAL
from tests.builders.line import configuration
from tests.builders.lot_evidence import key_file, members, packed
from tests.builders.station_demo import SHORT_DEADLINES

ROOT = Path(__file__).parents[2]
FULL = ROOT / "tests" / "vectors" / "st" / "Full_FactoryData.json"
PROGRAMS = ("station", "gen-factory-data", "virtual-bench", "development-pki")
READY_WITHIN = 300

pytestmark = [pytest.mark.line, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Installed:
    """A wheel, the environment that it is installed in, and a folder outside the tree where its programs run."""

    wheel: Path
    binaries: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of it leads back to the tree."""
        kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        return {**kept, **SHORT_DEADLINES, "PATH": f"{self.binaries}:{os.environ['PATH']}"}

    def run(self, program: str, *arguments: str | Path) -> str:
        """What the program prints; it must end with 0."""
        command = [self.binaries / program, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def serving(self, program: str, *arguments: str | Path, **environment: str) -> Iterator[None]:
        command = [self.binaries / program, *arguments]
        with subprocess.Popen(command, cwd=self.folder, env={**self.environment, **environment}) as process:
            try:
                yield
            finally:
                process.terminate()


def waited(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("elsewhere")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    locked = re.findall(r"^[a-z0-9-]+==\S+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(locked))
    into = ["--python", str(folder / "venv" / "bin" / "python")]
    install = [*pip, *into, "install", "--quiet", "--constraint", str(folder / "constraints.txt"), f"{wheel}[bench]"]
    subprocess.run(install, check=True)
    return Installed(wheel, folder / "venv" / "bin", folder)


def test_the_wheel_carries_what_the_programs_read(installed: Installed) -> None:
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    shipped = "station/shipped/firmware_images"
    images = tomllib.loads((ROOT / "firmware_images" / "manifest.toml").read_text())["image"]
    assert {f"{shipped}/{image['file']}" for image in images} <= names
    config = [path.relative_to(ROOT) for path in (ROOT / "config").rglob("*") if path.is_file()]
    assert {f"station/shipped/{path}" for path in config} <= names
    assert {f"{package}/py.typed" for package in ("station", "virtual_bench", "development_pki")} <= names
    assert not {name for name in names if name.startswith(("tests/", "benchmarks/", "tools/"))}


def test_the_packages_come_from_the_wheel(installed: Installed) -> None:
    code = "import station, virtual_bench, development_pki as p; print(station.__file__, virtual_bench.__file__, p.__file__)"
    files = installed.run("python", "-c", code).split()
    assert all(Path(file).is_relative_to(installed.folder / "venv") for file in files)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_says_which_version_it_is(installed: Installed, program: str) -> None:
    """The wheel has the commit that it was built from."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    said = installed.run(program, "--version")
    assert said.startswith(f"{program} 0.1.0")
    assert commit in said


def test_the_demonstration_runs(installed: Installed) -> None:
    installed.run("station", "demo", "--boards", "2", "--time-scale", "0", "--dir", "demo", "--json", "report.json")
    report = json.loads((installed.folder / "report.json").read_text())
    assert [board["verdict"] for board in report["boards"]] == ["pass", "pass"]


def test_a_bundle_is_verified_with_the_wheel_alone(installed: Installed) -> None:
    """On a machine that has never seen the ledger; a member of which one byte is another is named."""
    line, elsewhere = installed.folder / "maker", installed.folder / "reader"
    elsewhere.mkdir()
    installed.run("station", "demo", "--boards", "2", "--time-scale", "0", "--dir", line)
    key, bundle = key_file(installed.folder)[0], elsewhere / "lot.zip"
    made = ("--signing-key", key, "--config", line / "line.toml", "--ledger", line / "ledger.sqlite", "--open")
    installed.run("station", "lots", "evidence", "LIGHTING-2026", "--to", bundle, *made)
    shutil.rmtree(line)
    assert "2 units, 2 passed; 2 attempts, 2 certificates" in installed.run("station", "evidence", "verify", bundle)
    contents = members(bundle)
    journal = contents[JOURNAL].replace(b"Confirmed", b"Confirmee", 1)
    assert journal != contents[JOURNAL]
    packed(bundle, {**contents, JOURNAL: journal})
    command = [str(installed.binaries / "station"), "evidence", "verify", str(bundle)]
    found = subprocess.run(
        command, cwd=elsewhere, env=installed.environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert found.returncode == 1
    assert f"found: {JOURNAL}: its SHA-256 is not the one in the manifest" in found.stderr


def test_a_line_with_a_configuration_elsewhere_passes_a_board(installed: Installed) -> None:
    """The configuration's folder has copies of what the wheel ships; beside it ST's command makes another board."""
    folder, site = installed.folder / "line", installed.folder / "etc"
    shipped = Path(installed.run("python", "-c", "from station.config import shipped; print(shipped.FOLDER)").strip())
    shutil.copytree(shipped, site)
    folder.mkdir()
    with (
        installed.serving("virtual-bench", "serve", "--dir", folder, "--probes", "2", "--time-scale", "0"),
        installed.serving("development-pki", "serve", "--dir", folder / "pki"),
    ):
        waited((folder / "bench.json").exists)
        waited((folder / "pki" / "ready.json").exists)
        url = json.loads((folder / "pki" / "ready.json").read_text())["url"]
        probes = json.loads((folder / "bench.json").read_text())["probes"]
        config = folder / "line.toml"
        config.write_text(configuration(site / "config" / "recipes" / "lighting.toml", probes[:1]))
        with installed.serving("station", "run", "--config", config, STATION__PKI__URL=url):
            waited((folder / "station.sock").exists)
            installed.run("virtual-bench", "plug", "1", "--dir", folder)
            waited(lambda: slot(installed, config)["verdict"] is not None)
            assert slot(installed, config)["verdict"] == "pass"
            uid = str(slot(installed, config)["uid"])
            started = (folder / "logs" / "station.jsonl").read_text().splitlines()
            (event,) = (line for line in map(json.loads, started) if line["event"] == "station.started")
            assert (event["version"], len(event["commit"].removesuffix("-dirty"))) == ("0.1.0", 12)
        assert len(installed.run("development-pki", "issued", "--dir", folder / "pki").splitlines()) == 1
        story = json.loads(installed.run("station", "units", "show", uid, "--json", "--config", config))
        (attempt,) = story["attempts"]
        assert (attempt["station_version"], attempt["station_commit"]) == (event["version"], event["commit"])
        written_by_sts_command(installed, folder)


def slot(installed: Installed, config: Path) -> dict[str, object]:
    (only,) = json.loads(installed.run("station", "status", "--json", "--config", config))["slots"]
    assert isinstance(only, dict)
    return only


def written_by_sts_command(installed: Installed, folder: Path) -> None:
    installed.run("virtual-bench", "unplug", "1", "--dir", folder)
    installed.run("virtual-bench", "plug", "2", "--dir", folder)
    shutil.copy(FULL, installed.folder)
    given = ["--provisioning", "0", "--json", FULL.name, "--flashAddr", "0x901C0000"]
    given += ["-pp", f"{folder}/STM32CubeProgrammer/bin", "--devices", f"{folder}/dev/serial", "--state", "state"]
    assert "1 boards: 1 good, 0 not" in installed.run("gen-factory-data", *given)
