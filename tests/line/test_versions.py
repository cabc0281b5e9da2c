# SPDX-License-Identifier: Apache-2.0
"""The whole procedure passes with every version of the programmer on every host."""

import json
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import UnitIdentified
from station.factory_data.flat_tlv import Tag, decode
from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing
from tests.line.test_coprocessor import recipe_with_stack
from tests.line.test_lock import LEVEL_1
from virtual_bench.bench.versions import VERSIONS

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

HOSTS = {"posix": [], "windows": ["--windows", "--decimal-comma"]}
RIGHT, OLDER = "1.24.0.3", "1.23.0.3"
# Runs: versions; upgrade; versions again; start of the stack; boot option bytes set, and read; identification; data and
# provisioner; read-back and application; lock, and its read-back. Each retry would add one.
RUNS = 11


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_procedure_passes_with_every_version_on_every_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, host: str
) -> None:
    """Every step succeeds at its first try, and the ledger names the version."""
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    recipe = recipe_with_stack(tmp_path, RIGHT, RIGHT)
    recipe.write_text(f"{recipe.read_text()}\n{LEVEL_1}")
    options = [f"--programmer-version={version}", *HOSTS[host]]
    with Line.standing(tmp_path / "line", 1, recipe=recipe, bench_options=options) as line:
        standing = Standing(line)
        standing.bench("plug", "1", "--stack-version", OLDER)
        slot = standing.wait(1, lambda slot: slot.verdict is not None)
        assert (slot.verdict, slot.fault) == ("pass", None)
        unit = LedgerReader(line.folder / "ledger.sqlite").unit(slot.uid or "")

    assert unit is not None
    events = [entry.event for attempt in unit.attempts for entry in attempt.journal]
    assert [event.programmer_version for event in events if isinstance(event, UnitIdentified)] == [
        VERSIONS[version].number
    ]
    (board,) = (line.folder / "boards").iterdir()
    said = json.loads((board / "board.json").read_text())
    names = ("nSWBOOT0", "nBOOT1", "nBOOT0", "RDP", "BOR_LEV")
    assert said["stack"] == RIGHT
    assert [said["option_bytes"][name] for name in names] == [1, 1, 1, 0xBB, 4]
    assert Tag.DEVICE_ATTESTATION_CERTIFICATE in decode((board / "qspi.bin").read_bytes()).records
    runs = [json.loads(each) for each in (line.folder / "bench.jsonl").read_text().splitlines()]
    assert [run["event"] for run in runs].count("invocation") == RUNS
