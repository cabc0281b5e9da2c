# SPDX-License-Identifier: Apache-2.0
"""`station slots learn` at the virtual bench's hub: the file that it makes serves a line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import virtual_bench.cli
from station.config import line as configuration
from station.doctor import services
from station.doctor.finding import State
from tests.builders.lesson import ASKED, lesson
from tests.builders.line import Line
from tests.builders.line import configuration as good

pytestmark = pytest.mark.line


class Bench(Line):
    """The bench alone."""

    def start_pki(self, port: int = 0, *others: str) -> None:
        """None is asked for a slot."""

    def start_daemon(self) -> None:
        """None may run meanwhile."""

    def does(self, command: str, number: int) -> None:
        done = CliRunner().invoke(virtual_bench.cli.app, [command, str(number), "--dir", str(self.folder)])
        assert done.exit_code == 0, done.output


def test_the_hubs_places_are_learned_in_the_order_of_plugging_in(tmp_path: Path) -> None:
    """What the bench's own configuration has by its knowledge of the hub is learned from boards."""
    with Bench.standing(tmp_path / "line", 3) as bench:
        assert isinstance(bench, Bench)
        text = good(bench.recipe, json.loads((bench.folder / "bench.json").read_text())["probes"])
        file = bench.folder / "line.toml"
        file.write_text(text)
        slots = configuration.load(file, {}).slot
        file.write_text(text.partition("[[slot]]")[0])
        with lesson(file, "--count", "3") as told:
            told.says(f"{file} has no slot", ASKED.format(1))
            for number in (1, 2):
                bench.does("plug", number)
                told.says(f"learned {slots[number - 1].path} as slot {number}", ASKED.format(number + 1))
            bench.does("unplug", 2)
            bench.does("plug", 3)
            assert told.ends()[0] == 0
        assert configuration.load(file, {}).slot == slots


async def test_the_doctor_reads_the_probes_firmware_from_the_benchs_programmer(tmp_path: Path) -> None:
    """Every probe that is plugged in, and no target is touched for it."""
    with Bench.standing(tmp_path / "line", 2) as bench:
        assert isinstance(bench, Bench)
        file = bench.folder / "line.toml"
        file.write_text(good(bench.recipe, json.loads((bench.folder / "bench.json").read_text())["probes"]))
        config = configuration.load(file, {})
        bench.does("plug", 1)
        bench.does("plug", 2)
        finding = await services.probes(config, runs=False)
        assert (finding.state, finding.text) == (State.GOOD, "Of 2 probes: V2J45M30 on 2.")
