# SPDX-License-Identifier: Apache-2.0
"""`station install`: files at their places, a person's configuration kept, and units that systemd accepts."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from station.cli.exit_codes import ENVIRONMENT, USAGE
from station.cli.line.install import hidden
from station.config import line as configuration
from tests.builders.commands import station

UNITS = "etc/systemd/system"
PROGRAM = (
    "--program",
    "/opt/matter-station/bin/station",
)  # these tests' own may lie where the service could not read it


def installed(prefix: Path) -> list[Path]:
    return sorted(path.relative_to(prefix) for path in prefix.rglob("*") if path.is_file())


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = station("install", *PROGRAM, "--prefix", tmp_path, "--dry-run")
    assert done.exit_code == 0
    assert f"would be  {tmp_path}/{UNITS}/matter-station.service" in done.output
    assert installed(tmp_path) == []


def test_the_files_are_at_their_places(tmp_path: Path) -> None:
    assert station("install", *PROGRAM, "--prefix", tmp_path).exit_code == 0
    names = {str(path) for path in installed(tmp_path)}
    assert names >= {
        f"{UNITS}/matter-station.service",
        f"{UNITS}/matter-station-backup.service",
        f"{UNITS}/matter-station-backup.timer",
        "etc/udev/rules.d/70-matter-station.rules",
        "etc/sysusers.d/matter-station.conf",
        "etc/tmpfiles.d/matter-station.conf",
        "etc/logrotate.d/matter-station",
        "etc/station/line.toml",
        "etc/station/recipes/lighting.toml",
        "etc/station/firmware_images/manifest.toml",
    }


def test_the_recipe_finds_its_manifest_there(tmp_path: Path) -> None:
    station("install", *PROGRAM, "--prefix", tmp_path)
    recipe = tmp_path / "etc" / "station" / "recipes" / "lighting.toml"
    (manifest,) = re.findall(r'^manifest = "(.+)"', recipe.read_text(), re.MULTILINE)
    assert (recipe.parent / manifest).resolve() == tmp_path / "etc" / "station" / "firmware_images" / "manifest.toml"


def test_a_configuration_that_a_person_has_edited_is_kept(tmp_path: Path) -> None:
    """Our own files are brought up to date."""
    station("install", *PROGRAM, "--prefix", tmp_path)
    config, unit = tmp_path / "etc" / "station" / "line.toml", tmp_path / UNITS / "matter-station.service"
    config.write_text("edited")
    unit.write_text("old")
    again = station("install", *PROGRAM, "--prefix", tmp_path).output
    assert f"kept      {config}" in again
    assert f"written   {unit}" in again
    assert f"unchanged {tmp_path}/{UNITS}/matter-station-backup.timer" in again
    assert config.read_text() == "edited"
    assert unit.read_text() != "old"


def test_the_unit_and_the_configuration_speak_of_the_same_folders(tmp_path: Path) -> None:
    station("install", *PROGRAM, "--prefix", tmp_path)
    unit = (tmp_path / UNITS / "matter-station.service").read_text()
    config = tmp_path / "etc" / "station" / "line.toml"
    config.write_text(f'{config.read_text()}[[slot]]\nname = "1"\npath = "pci-0000:00:14.0-usb-0:1.1"\n')
    line = configuration.load(config, {})
    assert line.log.file is not None
    assert f"LogsDirectory={line.log.file.parent.name}\n" in unit
    assert re.search(rf"^StateDirectory=.*\b{line.station.state.name}\b", unit, re.MULTILINE)
    assert "--config /etc/station/line.toml\n" in unit


@pytest.mark.parametrize("name", ["matter-station.service", "matter-station-backup.service"])
def test_systemd_accepts_the_units(tmp_path: Path, name: str) -> None:
    station("install", *PROGRAM, "--prefix", tmp_path)
    unit = tmp_path / UNITS / name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_the_service_is_exposed_to_little(tmp_path: Path) -> None:
    """systemd rates a service from 0, exposed to nothing, to 10."""
    station("install", *PROGRAM, "--prefix", tmp_path)
    unit = tmp_path / UNITS / "matter-station.service"
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    rated = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (exposure,) = re.findall(r"Overall exposure level for matter-station.service: ([0-9.]+)", rated)
    assert float(exposure) <= 2.5


def test_the_services_account_can_read_the_files_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        station("install", *PROGRAM, "--prefix", tmp_path)
    finally:
        os.umask(before)
    unreadable = [path for path in (tmp_path / "etc").rglob("*") if path.stat().st_mode & 0o004 == 0]
    assert unreadable == []


def test_a_link_is_kept(tmp_path: Path) -> None:
    """A masked unit stays masked, and nothing is written to the place that a link names."""
    unit = tmp_path / UNITS / "matter-station.service"
    config, elsewhere = tmp_path / "etc" / "station" / "line.toml", tmp_path / "elsewhere.toml"
    for place, target in ((unit, Path("/dev/null")), (config, elsewhere)):
        place.parent.mkdir(parents=True)
        place.symlink_to(target)
    output = station("install", *PROGRAM, "--prefix", tmp_path).output
    assert f"kept      {unit}" in output
    assert f"kept      {config}" in output
    assert not elsewhere.exists()


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
@pytest.mark.parametrize("folder", ["/home/anna", "/root", "/tmp", "/var/tmp", "/run/user/1000"])
def test_a_program_that_the_service_could_not_read_is_refused(tmp_path: Path, folder: str, dry_run: list[str]) -> None:
    program = f"{folder}/venv/bin/station"
    refused = station("install", "--prefix", tmp_path, "--program", program, *dry_run)
    assert refused.exit_code == USAGE
    assert (
        f"{program} lies below {folder.removesuffix('/anna').removesuffix('/1000')}, which systemd hides"
        in refused.output
    )
    assert "python3 -m venv /opt/matter-station" in refused.output
    assert installed(tmp_path) == []


def test_a_link_to_where_the_service_cannot_read_is_refused(tmp_path: Path) -> None:
    """A virtual environment below /opt may link to a Python below /root."""
    link = tmp_path / "python"
    link.symlink_to("/root/python/bin/python3")
    assert any("/root/python/bin/python3 lies below /root" in told for told in hidden([link]))
    assert list(hidden([Path("/opt/station"), Path("/usr/bin/python3"), Path("/homes/station")])) == []


def test_a_file_that_is_replaced_is_whole_at_any_moment(tmp_path: Path) -> None:
    """The old file stays as it was for whoever has it open, and no other name stays behind."""
    station("install", *PROGRAM, "--prefix", tmp_path)
    unit = tmp_path / UNITS / "matter-station.service"
    unit.write_text("old")
    with unit.open() as old:
        station("install", *PROGRAM, "--prefix", tmp_path)
        assert old.read() == "old"
    assert unit.read_text() != "old"
    assert [path for path in installed(tmp_path) if path.name.endswith("~")] == []


def test_rotated_logs_are_removed_by_age_and_size(tmp_path: Path) -> None:
    """logrotate alone removes them; the daemon reopens its file."""
    station("install", *PROGRAM, "--prefix", tmp_path)
    words = (tmp_path / "etc" / "logrotate.d" / "matter-station").read_text()
    assert {"maxage", "rotate", "maxsize"} <= {line.split()[0] for line in words.splitlines() if line.strip()}
    assert "--signal=HUP" in words


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A full disk, or something else in a folder's place; what was written before is whole, and the next run goes on."""
    (tmp_path / "etc" / "logrotate.d").mkdir(parents=True)
    (tmp_path / "etc" / "udev").touch()
    done = station("install", *PROGRAM, "--prefix", tmp_path)
    assert done.exit_code == ENVIRONMENT
    assert f"{tmp_path}/etc/udev/rules.d/70-matter-station.rules cannot be written: Not a directory" in done.output
    (tmp_path / "etc" / "udev").unlink()
    again = station("install", *PROGRAM, "--prefix", tmp_path)
    assert again.exit_code == 0
    assert f"unchanged {tmp_path}/{UNITS}/matter-station.service" in again.output
