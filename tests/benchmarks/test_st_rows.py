# SPDX-License-Identifier: Apache-2.0
"""The calls of ST's tool beside the station: compared within a round, and only if all their boards are finished."""

from pathlib import Path

import pytest

from benchmarks import proofs
from benchmarks.bound import Sizes
from benchmarks.figures import Row, Verdict
from benchmarks.findings import Findings
from benchmarks.machine import Machine
from benchmarks.recording import RunUnusable
from benchmarks.st_rows import st_rows
from benchmarks.st_runs import CONTENDERS, Call, Said, STRun, check_board, check_said
from benchmarks.st_tool import Done
from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import FactoryData, Tag
from station.link.operational import OperationalIdentity
from tests.benchmarks.test_results import named, recording

SIZES = Sizes(479_006, 48_874, 1_600)
MACHINE = Machine(
    "2026-11-27T00:00:00+00:00", "a processor", 2, "Linux 6", "3.11.7", "3.40.1", {"uvloop": "0.21"}, 0.5, 5.5
)
PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"
GIVEN = FactoryData({Tag.SERIAL_NUMBER: b"TEST_SN", Tag.VENDOR_ID: b"\xf1\xff"})
ADDED: dict[Tag, bytes] = {
    Tag.DEVICE_ATTESTATION_CERTIFICATE: b"dac",
    Tag.PAI_CERTIFICATE: b"pai",
    Tag.DEVICE_ATTESTATION_PUB_KEY: b"\x04" + bytes(64),
    Tag.DEVICE_ATTESTATION_PRIV_KEY: bytes(31) + b"\x01",
}
NAME = OperationalIdentity(0xFFF1, 0x8004, 1, "TEST_SN")
APPLICATION = b"the application"


def call(board: int | None) -> Call:
    return Call(board=board, argv=("-d", "file", "-V"), start=0.0, end=1.0, modelled=1.0, exit_status=0)


def said(wall: float, boards: int, *, digits: str | None = "000", statuses: tuple[int, ...] = (0, 0, 0)) -> Said:
    """The list takes two seconds."""
    done = [
        Done(probe=f"{n}", port=f"ttyACM{n}", began=2.0, ended=wall, statuses=statuses, said=digits)
        for n in range(1, boards + 1)
    ]
    return Said(began=0.0, listed=2.0, ended=wall, threads=6, boards=tuple(done))


def st_run(line: str, wall: float, *, seed: int = 1, calls: int = 6, told: Said | None = None) -> STRun:
    boards = CONTENDERS[line]
    made = [call(None), *(call(board) for board in range(1, boards + 1) for _ in range(calls))]
    told = told or said(wall, boards)
    check_said(line, told)
    return STRun.of(line, seed, 0.0, SIZES, told, made, [b"one DAC"] * boards)


def test_the_station_is_compared_with_the_calls_of_its_own_round(tmp_path: Path) -> None:
    """The second round met a slower machine. The plan `ram` has a goal, the plan `flash` has none."""
    lines = [
        recording(tmp_path / f"{line}-{seed}", 1, wall, seed=seed, line=line)
        for line, seed, wall in (("ram-one", 1, 13.0), ("ram-one", 2, 14.0), ("one", 1, 16.0))
    ]
    rows = st_rows([st_run("st-one", 26.0), st_run("st-one", 28.0, seed=2)], lines)
    ram = named(rows, "wall over that of ram-one")
    assert ram.sample.values == pytest.approx((2.0, 2.0))
    assert ram.verdict is Verdict.MET
    flash = named(rows, "wall over that of one")
    assert flash.sample.values == pytest.approx((26 / 16,))
    assert flash.goal is None
    assert rows[rows.index(ram) + 1].sample.values == pytest.approx((24 / 13, 26 / 14))


@pytest.mark.parametrize(("wall", "verdict"), [(53.2, Verdict.MET), (53.1, Verdict.MISSED)])
def test_eight_boards_on_six_threads_are_two_turns(tmp_path: Path, wall: float, verdict: Verdict) -> None:
    """The goal is twice that of one board, where the tool needs two turns."""
    lines = [recording(tmp_path, 8, 14.0, line="ram-eight")]
    row = named(st_rows([st_run("st-eight", wall)], lines), "wall over that of ram-eight")
    assert (row.goal and row.goal.limit, row.verdict) == (3.8, verdict)


def test_the_rows_tell_how_many_calls_and_certificates_there_were() -> None:
    rows = st_rows([st_run("st-eight", 54.0)], [])
    assert named(rows, "invocations a board, besides the list").sample.values == (6,)
    assert named(rows, "different DACs on these boards").sample.values == (1,)
    bound: Row = named(rows, "wall")
    assert bound.bound == pytest.approx(5.35 + 2 * 24.41, abs=0.01)


@pytest.mark.parametrize(
    ("told", "calls", "why"),
    [
        (said(54.0, 7), 6, "7 boards"),
        (said(54.0, 8, digits="001"), 6, "said 001"),
        (said(54.0, 8, digits=None, statuses=(0, 1)), 6, "said None"),
        (said(54.0, 8), 5, "41 calls"),
    ],
)
def test_a_run_of_the_model_that_went_wrong_says_nothing(told: Said, calls: int, why: str) -> None:
    with pytest.raises(RunUnusable, match=why):
        st_run("st-eight", 54.0, calls=calls, told=told)


def board(folder: Path, block: bytes, application: bytes = APPLICATION) -> Path:
    """The flash files of a board."""
    folder.mkdir()
    (folder / "internal.bin").write_bytes(application + bytes(100))
    (folder / "qspi.bin").write_bytes(b"\xff" * 0x1C0000 + block.ljust(0x4000, b"\xff"))
    return folder


def test_a_board_is_finished_if_its_flash_and_its_application_say_so(tmp_path: Path) -> None:
    """Each of these boards lacks something: application, certificates, one key, what it was given, its own name."""
    whole = flat_tlv.encode(FactoryData({**GIVEN.records, **ADDED}))
    assert check_board(board(tmp_path / "good", whole), GIVEN, APPLICATION, NAME) == b"dac"
    keyless: dict[Tag, bytes] = {tag: value for tag, value in ADDED.items() if tag != Tag.DEVICE_ATTESTATION_PRIV_KEY}
    other = {**GIVEN.records, **ADDED, Tag.VENDOR_ID: b"\xf2\xff"}
    unfinished = {
        "the application": board(tmp_path / "1", whole, b"another thing"),
        "no factory data": board(tmp_path / "2", b""),
        "DEVICE_ATTESTATION_CERTIFICATE": board(tmp_path / "3", flat_tlv.encode(GIVEN)),
        "PRIV_KEY": board(tmp_path / "4", flat_tlv.encode(FactoryData({**GIVEN.records, **keyless}))),
        "other factory data": board(tmp_path / "5", flat_tlv.encode(FactoryData(other))),
    }
    for why, folder in unfinished.items():
        with pytest.raises(RunUnusable, match=why):
            check_board(folder, GIVEN, APPLICATION, NAME)
    with pytest.raises(RunUnusable, match="calls itself OTHER"):
        check_board(tmp_path / "good", GIVEN, APPLICATION, OperationalIdentity(0xFFF1, 0x8004, 1, "OTHER"))


def test_proofs_are_counted_in_the_invocations_of_the_run() -> None:
    """A plan that was not measured is not named."""
    st = [["-c", "sn=A", "-d", "x", "0x08000000", "-V", "--quietMode"], ["-c", "sn=A", "-rst"]]
    ram = [["-r32", "0x1FFF7590", "12", "-u", "a", "-d", "x", "-v", "fast", "-u", "b", "-d", "y", "-v"]]
    found = [(proof.st, proof.station) for proof in proofs.counted(st, {"ram": ram})]
    assert [their for their, _ in found] == ["2", "0", "1", "1", "0", "0"]
    assert [ours for _, ours in found] == [f"{number} by `ram`" for number in (1, 1, 2, 1, 1, 2)]
    assert proofs.counted(st, {"flash": st, "ram": ram})[0].station == "2 by `flash`, 1 by `ram`"


def test_the_report_has_the_proofs_beside_the_calls_only() -> None:
    found = Findings()
    assert found.report(MACHINE, "bench").proofs == []
    found.st_runs.append(st_run("st-one", 26.0))
    shown = found.report(MACHINE, "bench")
    assert [proof.what for proof in shown.proofs] == [*proofs.COUNTED, *(proof.what for proof in proofs.SAID)]
    assert (shown.proofs[0].st, shown.proofs[2].st) == ("6", "6")


def test_the_page_says_of_each_proof_what_the_benchmark_says() -> None:
    page = PERFORMANCE.read_text(encoding="utf-8")
    for proof in proofs.SAID:
        assert f"| {proof.what} | {proof.st} | {proof.station} |" in page
    for what in proofs.COUNTED:
        assert f"| {what} | " in page
