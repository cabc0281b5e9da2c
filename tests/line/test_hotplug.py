# SPDX-License-Identifier: Apache-2.0
"""Boards that come, go and come back, and boards that cannot be told from one another, on a running line."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.builders.json_lines import objects_of
from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

PHASES = (
    "recognise",
    "flash_data",
    "flash_provisioner",
    "await_csr",
    "relay_to_pki",
    "deliver",
    "flash_operational",
    "confirm",
)
WITHIN = 300


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PATIENT_DEADLINES.items():
        monkeypatch.setenv(name, value)


@contextmanager
def standing(folder: Path, boards: int, *faults: Mapping[str, object], time_scale: float = 0.02) -> Iterator[Standing]:
    """A running line with faults that wait for their boards."""
    file = folder / "faults.toml"
    file.write_text("".join(f"[[fault]]\n{_table(fault)}\n" for fault in faults))
    with Line.standing(folder / "line", boards, time_scale=time_scale, faults=file) as line:
        yield Standing(line)


def _table(fault: Mapping[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in fault.items())


def attempts(standing: Standing, slot: int) -> list[tuple[str, str | None]]:
    """Verdict and fault of every attempt in a slot, from the ledger's file."""
    query = "SELECT verdict, fault FROM attempt WHERE slot = ? ORDER BY id"
    with closing(sqlite3.connect(standing.line.folder / "ledger.sqlite")) as connection:
        return connection.execute(query, [str(slot)]).fetchall()


def stop_daemon(standing: Standing) -> None:
    daemon = standing.line.processes["daemon"]
    daemon.terminate()
    daemon.wait(WITHIN)


def programmed(standing: Standing) -> list[object]:
    """The boards that a run of the programmer reached."""
    return [
        entry["board"] for entry in objects_of(standing.line.folder / "bench.jsonl") if entry["event"] == "invocation"
    ]


@pytest.mark.parametrize("milliseconds", [0, 1, 2])
def test_a_board_that_bounces_is_void_and_then_judged_anew(tmp_path: Path, milliseconds: int) -> None:
    """The board bounces at the beginning of every phase and a little later; each time its new stay is judged."""
    moments = [(phase, after) for phase in PHASES for after in (0.0, 0.4)]
    faults = [
        {"board": board, "at": phase, "what": "bounce", "after": after, "milliseconds": milliseconds}
        for board, (phase, after) in enumerate(moments, start=1)
    ]
    with standing(tmp_path, len(faults), *faults) as line:
        line.bench("plug", "--all")
        for number in range(1, len(faults) + 1):
            slot = line.wait(number, lambda slot: slot.state in {"pass", "fail", "out of service"}, WITHIN)
            assert (slot.state, slot.service) == ("pass", "in"), (moments[number - 1], slot)
            # The attempt may have passed before the bounce comes.
            *before, last = attempts(line, number)
            assert last == ("pass", None), moments[number - 1]
            assert set(before) <= {("void", "board.removed"), ("pass", None)}, moments[number - 1]
        bounced = [
            number for number in range(1, len(faults) + 1) if ("void", "board.removed") in attempts(line, number)
        ]
    assert len(bounced) >= len(PHASES)


def test_two_probes_with_one_serial_number_are_not_touched(tmp_path: Path) -> None:
    """udev has one link for both; the board in the next slot is judged."""
    duplicate = {"board": 2, "at": "recognise", "what": "duplicate_serial", "of": 1, "product": "same"}
    with standing(tmp_path, 3, duplicate, time_scale=0) as line:
        stop_daemon(line)
        line.bench("plug", "1", "2", "3")
        line.line.start_daemon()
        refused = [line.wait(number, lambda slot: slot.state == "out of service", WITHIN) for number in (1, 2)]
        assert [slot.fault for slot in refused] == ["probe.duplicate"] * 2
        assert line.wait(3, lambda slot: slot.verdict is not None, WITHIN).verdict == "pass"
        assert set(programmed(line)) == {3}
        line.bench("unplug", "2")
        assert line.wait(1, lambda slot: slot.verdict is not None, WITHIN).verdict == "pass"


def test_a_probe_without_serial_number_is_not_touched(tmp_path: Path) -> None:
    """Its link ends in the product's name."""
    with standing(tmp_path, 2, {"board": 1, "at": "recognise", "what": "no_serial"}, time_scale=0) as line:
        line.bench("plug", "1", "2")
        refused = line.wait(1, lambda slot: slot.state == "out of service", WITHIN)
        assert refused.fault == "probe.unidentified"
        assert line.wait(2, lambda slot: slot.verdict is not None, WITHIN).verdict == "pass"
        assert set(programmed(line)) == {2}


def test_two_paths_of_one_port_are_one_board(tmp_path: Path) -> None:
    """The slot list may have either spelling, and the board is judged once."""
    faults = [{"board": board, "at": "recognise", "what": "two_paths"} for board in (1, 2)]
    with standing(tmp_path, 2, *faults, time_scale=0) as line:
        stop_daemon(line)
        description = line.line.folder / "bench.json"
        description.write_text(description.read_text().replace("-usb-0:1.2", "-usbv2-0:1.2"))
        line.line.start_daemon()
        assert "-usbv2-" in (line.line.folder / "line.toml").read_text()
        line.bench("plug", "1", "2")
        for number in (1, 2):
            assert line.wait(number, lambda slot: slot.verdict is not None, WITHIN).verdict == "pass"
            assert attempts(line, number) == [("pass", None)]


def test_one_unit_in_two_slots_pauses_the_line(tmp_path: Path) -> None:
    """Neither board passes; with the second one pulled and the line released, the first is judged."""
    with standing(tmp_path, 2, {"board": 2, "at": "recognise", "what": "duplicate_uid", "of": 1}) as line:
        line.bench("plug", "1", "2")
        line.until(lambda: line.line.status().line.fault == "unit.twice", WITHIN)
        line.until(lambda: all(attempts(line, number)[-1][0] for number in (1, 2)), WITHIN)
        assert [attempts(line, number) for number in (1, 2)] == [[("void", "unit.twice")]] * 2
        assert "slots 1 and 2" in (line.line.status().line.reason or "")
        line.bench("unplug", "2")
        line.station("slots", "release", "--all")
        assert line.wait(1, lambda slot: slot.state in {"pass", "fail", "void"}, WITHIN).state == "pass"


def test_a_port_that_another_program_holds_at_first_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt waits and passes; if its board is pulled meanwhile, the slot stays in service."""
    soon = {"board": 1, "at": "recognise", "what": "port_held", "seconds": 20}
    never = {"board": 2, "at": "recognise", "what": "port_held", "seconds": 3600}
    monkeypatch.setenv("STATION__BOARD__PORT_FREE_WITHIN", "300")
    with standing(tmp_path, 2, soon, never, time_scale=0) as line:
        line.bench("plug", "1", "2")
        log = line.line.folder / "logs" / "station.jsonl"
        line.until(lambda: _waits(log) >= {"1", "2"}, WITHIN)
        line.bench("unplug", "2")
        assert line.wait(1, lambda slot: slot.verdict is not None, WITHIN).verdict == "pass"
        line.until(lambda: attempts(line, 2)[-1][0] is not None, WITHIN)
        assert attempts(line, 2) == [("void", "board.removed")]
        assert line.slot(2).service == "in"


def _waits(log: Path) -> set[object]:
    """The slots that wait for their ports, from the log."""
    return {line["slot"] for line in objects_of(log) if line["event"] == "retry.scheduled" and "tty" in line}
