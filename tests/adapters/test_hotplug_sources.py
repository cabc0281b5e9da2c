# SPDX-License-Identifier: Apache-2.0
"""Which hotplug source a configuration means, and what is told where it cannot work."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from station.adapters.hotplug import sources
from station.cli import app
from station.config import line
from station.config.problems import ConfigurationInvalid
from station.config.sections import HotplugSection
from station.config.toml_file import read_toml
from tests.builders.station_demo import ROOT

SYSTEMS = pytest.mark.parametrize(
    ("system", "source", "works"),
    [("linux", "links", True), ("linux", "poll", True), ("darwin", "udev", False), ("darwin", "links", False)],
)


def test_udev_is_the_source_on_linux() -> None:
    """The shipped configuration names it, and so does a configuration that says nothing."""
    assert HotplugSection().source == "udev"
    shipped = ROOT / "config" / "line.toml"
    assert line.hotplug_of(shipped, read_toml(shipped), {}).source == "udev"


def test_a_folder_of_links_belongs_to_links() -> None:
    """A configuration that named the folder alone would not be asked about it any more."""
    with pytest.raises(ValidationError, match='directory is a setting of source = "links", and the source is "udev"'):
        HotplugSection(directory=Path("/dev/serial"))


def test_udev_must_run(tmp_path: Path) -> None:
    """In a container it does not, and no board would ever arrive: the sentence names what to set."""
    setting = HotplugSection(source="udev", udev=tmp_path)
    sentence = sources.missing(setting)
    assert sentence
    assert f"there is no {tmp_path / 'control'}" in sentence
    assert 'set source = "links"' in sentence
    (tmp_path / "control").touch()
    assert sources.missing(setting) is None


def test_links_need_a_folder_that_may_come_later(tmp_path: Path) -> None:
    """udev makes it with the first link; a file in its place never becomes one."""
    setting = HotplugSection(source="links", directory=tmp_path / "serial")
    assert sources.missing(setting) is None
    (tmp_path / "serial").touch()
    assert "is no folder" in (sources.missing(setting) or "")


@pytest.mark.parametrize("name", ["by-path", "by-id"])
def test_one_of_the_two_folders_is_not_their_directory(tmp_path: Path, name: str) -> None:
    """No board would ever arrive there."""
    found = sources.missing(HotplugSection(source="links", directory=tmp_path / "serial" / name))
    assert found is not None
    assert found.endswith(f"did you mean {tmp_path}/serial?")


@SYSTEMS
def test_other_systems_are_told_to_poll(
    system: str, source: str, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    """Neither udev nor inotify is there."""
    setting = HotplugSection.model_validate({"source": source})
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", system)
        sentence = sources.missing(setting)
    assert (sentence is None) == works
    assert works or 'set source = "poll"' in (sentence or "")


@pytest.mark.parametrize("command", ["run", "ports"])
def test_no_command_looks_for_boards_where_none_can_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """File, place and remedy are named, and nothing has been made yet."""
    monkeypatch.setenv("STATION__HOTPLUG__UDEV", str(tmp_path))
    monkeypatch.setenv("STATION__STATION__STATE", str(tmp_path / "state"))
    config = ROOT / "config" / "line.toml"
    done = CliRunner().invoke(app, [command, "--config", str(config)])
    assert isinstance(done.exception, ConfigurationInvalid)
    told = [str(problem) for problem in done.exception.problems]
    assert sum(text.startswith(f"{config}: hotplug.source: udev does not run on this machine") for text in told) == 1
    assert not (tmp_path / "state").exists()
