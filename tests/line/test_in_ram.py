# SPDX-License-Identifier: Apache-2.0
"""The plan `ram` on the bench: its units are those of the plan `flash`, and each fault has its verdict."""

from pathlib import Path

import pytest

from benchmarks import bound
from benchmarks.bound import DEFAULT, PROFILES, Sizes
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system import recordings
from station.config import line as configuration
from station.recipe.files import line_recipe
from station.recipe.recipe import Recipe
from station.replay.replay import replay
from tests.builders.line import RECIPE_IN_RAM, recipe_with
from tests.builders.station_demo import ROOT, demonstrate

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

IMAGES = ROOT / "firmware_images"
SIZES = Sizes(
    (IMAGES / "operational-flash.bin").stat().st_size, (IMAGES / "provisioning-flash-ram.bin").stat().st_size, 906
)
STEPS = [
    "recognise",
    "flash_data",
    "flash_operational",
    "flash_provisioner",
    "await_csr",
    "relay_to_pki",
    "deliver",
    "confirm",
]

# Phase, fault, verdict, code. What loses the RAM ends the attempt, since the application answers then: no question is known to it.
FAULTS: list[tuple[str, str, str, str | None]] = [
    ("flash_provisioner", "ram_torn", "fail", "flash.mismatch"),
    ("flash_provisioner", "start_ignored", "fail", "board.silent"),
    ("flash_operational", "verify_mismatch", "fail", "flash.mismatch"),
    ("flash_operational", "nothing_done", "void", "programmer.unproven"),
    ("flash_operational", "error_then_success", "fail", "flash.write_failed"),
    ("flash_operational", "write_protected", "fail", "flash.erase_failed"),
    ("flash_data", "nothing_done", "void", "programmer.unproven"),
    ("flash_data", "verify_mismatch", "fail", "flash.mismatch"),
    ("flash_operational", "factory_data_erased", "fail", "board.refused"),
    ("confirm", "factory_data_erased", "fail", "board.possession_unproven"),
    ("await_csr", "csr_bad_signature", "fail", "csr.invalid"),
    ("await_csr", "other_uart", "void", "board.swapped"),
    ("deliver", "brown_out", "void", "board.unpowered"),
    ("deliver", "uart_noise", "pass", None),
    ("confirm", "mute", "fail", "operational.silent"),
    *[(step, "unplug", "void", "board.removed") for step in STEPS if step != "relay_to_pki"],
]


def fault_file(folder: Path) -> Path:
    tables = []
    for board, (at, what, verdict, fault) in enumerate(FAULTS, start=1):
        expected = f'verdict = "{verdict}"' + (f', fault = "{fault}"' if fault else "")
        tables.append(f'[[fault]]\nboard = {board}\nat = "{at}"\nwhat = "{what}"\nexpect = {{ {expected} }}\n')
    path = folder / "faults.toml"
    path.write_text("\n".join(tables))
    return path


def test_every_fault_gives_its_verdict_and_all_others_pass(tmp_path: Path) -> None:
    """No board is certified whose application was not proven, and none passes without a certificate."""
    run = demonstrate(
        tmp_path,
        "--boards",
        str(len(FAULTS) + 2),
        "--recipe",
        str(RECIPE_IN_RAM),
        "--faults",
        str(fault_file(tmp_path)),
    )
    assert run.exit_status == 0, run.output
    fired = {line["board"] for line in run.lines("bench.jsonl") if line["event"] == "fault"}
    assert fired == set(range(1, len(FAULTS) + 1))
    passed = [each for each in LedgerReader(run.folder / "ledger.sqlite").attempts() if each.verdict == "pass"]
    assert {tuple(each.steps) for each in passed} == {tuple(STEPS)}
    recipe = line_recipe.load(configuration.load(run.folder / "line.toml", {}))
    assert isinstance(recipe, Recipe)
    for file in (run.folder / "transcripts").rglob("*.jsonl.gz"):
        played = replay(recordings.read(file), recipe)
        assert played.same, (file, played)


def test_new_boards_are_spared_all_erases(tmp_path: Path) -> None:
    """The application too, since no other firmware was there before it. The bench takes the time of the bound."""
    recipe = recipe_with(tmp_path / "recipe", "", RECIPE_IN_RAM)
    recipe.write_text(recipe.read_text().replace("[images]\n", '[images]\nerase = "as-needed"\n'))
    run = demonstrate(tmp_path, "--boards", "2", "--recipe", str(recipe))
    assert run.exit_status == 0, run.output
    runs = [
        line["modelled"] for line in run.lines("bench.jsonl") if line["event"] == "invocation" and line["board"] == 1
    ]
    steps = bound.in_ram_by_step(PROFILES[DEFAULT], SIZES, erased=False)
    writing = steps["flash_data"] + steps["flash_operational"] + steps["flash_provisioner"]
    reading = steps["confirm"] - PROFILES[DEFAULT].after_exit
    assert runs == pytest.approx([steps["recognise"], writing, reading], abs=0.01)
    said = "\n".join(file.read_text() for file in (run.folder / "transcripts").rglob("*.txt"))
    assert said.count("--skipErase") == 2
    assert "Erasing" not in said
    assert said.count("Start operation achieved successfully") == 2
