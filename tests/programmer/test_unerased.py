# SPDX-License-Identifier: Apache-2.0
"""Writes without an erase, with a scripted programmer: what is run, what is believed, and when it is run again."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.evidence import BLANK, WITNESSED, Witness
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.product import Verify, Write
from station.faults import Fault
from station.faults.slot import ProgrammerUnproven
from station.faults.unit import FlashEraseFailed, FlashWriteFailed
from tests.builders.transcripts import PROBE, lines
from tests.programmer.fake_cli import FakeProgrammer, Play

HASTY = Deadlines(retry_pauses=(0.0, 0.0), patience=Patience(0.05, 0.05))
DATA = Write("factory data", 0x901C0000, b"\x16" * 1596, Verify.FULL, external=True)
IMAGE = Write("image", 0x08000000, b"\x55" * 48874, Verify.FULL, external=False)
WITNESSES = [witness for write in (DATA, IMAGE) if (witness := Witness.of(write))]
WRITTEN = tuple(read for each in WITNESSES for read in (BLANK * each.region.size, each.meant))
ERASED = Play(lines("2.19-write"))


def unerased(name: str = "2.19-unerased-writes", *reads: bytes, exit_status: int = 0) -> Play:
    return Play(lines(name), exit_status, reads=tuple(read.hex() for read in reads or WRITTEN))


class Bench:
    """A driver with a fake programmer."""

    def __init__(self, folder: Path, scratch: SecretFiles, deadlines: Deadlines = HASTY) -> None:
        self.fake = FakeProgrammer(folder)
        loader = folder / "loader.stldr"
        loader.touch()
        self._installation = Installation(self.fake.cli, loader, scratch, folder / "locks", deadlines)
        self.told: list[str] = []

    async def _tell(self, fault: Fault) -> None:
        self.told.append(fault.code)

    async def writes(self, *writes: Write) -> None:
        programmer = CubeProgrammer(self._installation, PROBE, asyncio.Event(), list[str]().append)
        async with programmer.invocation(*writes, unerased=self._tell) as run:
            for write in writes:
                await run.written(write)

    @property
    def runs(self) -> list[list[str]]:
        """The arguments of the runs after the connection, with the files' names only."""
        return [[re.sub(r".*/(\d+-)?", "", word) for word in run.argv[9:]] for run in self.fake.runs]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "secrets").mkdir()
    with SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(tmp_path / "secrets")}, in_memory=False) as scratch:
        yield Bench(tmp_path, scratch)
        assert not [path for path in (tmp_path / "secrets").rglob("*") if path.is_file()]


async def test_a_blank_board_is_written_in_one_run_that_shows_its_ends_before_and_after(bench: Bench) -> None:
    """The reads are those of the documentation; `--skipErase` stands in front of all writes, and no "-d" loses its "-v"."""
    bench.fake.plays(unerased())
    await bench.writes(DATA, IMAGE)
    assert bench.told == []
    (run,) = bench.runs
    assert " ".join(run) == (
        "-el loader.stldr --skipErase"
        " -u 0x901C0000 0x640 read-back.bin -d factory-data.bin 0x901C0000 -v -u 0x901C0000 0x640 read-back.bin"
        " -u 0x0800AEF0 0x1000 read-back.bin -d image.bin 0x08000000 -v -u 0x0800AEF0 0x1000 read-back.bin -rst"
    )


@pytest.mark.parametrize("wrong", range(4))
async def test_a_read_that_does_not_show_blank_flash_and_then_the_file_is_no_proof(bench: Bench, wrong: int) -> None:
    """One byte is enough, in any of the four reads; the run is then repeated."""
    whole = WRITTEN[wrong]
    bench.fake.plays(
        unerased("2.19-unerased-writes", *WRITTEN[:wrong], b"\x00" + whole[1:], *WRITTEN[wrong + 1 :]), ERASED
    )
    await bench.writes(DATA, IMAGE)
    assert (bench.told, len(bench.fake.runs)) == (["flash.mismatch"], 2)


@pytest.mark.parametrize("found", [b"", b"\x00", b"\x16", b"\xff"])
def test_no_other_content_than_blank_flash_and_then_the_file_proves_a_write(found: bytes) -> None:
    """The byte differs at either end or everywhere; a file may also be shorter, or empty."""
    witness = WITNESSES[1]
    blank, meant = BLANK * witness.region.size, witness.meant
    for before in (blank, found * len(blank), found + blank[1:], blank[:-1] + found):
        for after in (meant, found * len(meant), found + meant[1:], meant[:-1] + found):
            assert witness.denies(before, after) == ((before, after) != (blank, meant))


@pytest.mark.parametrize(
    ("name", "code"),
    [("2.20-unerased-not-blank", "flash.write_failed"), ("2.18-unerased-mismatch", "flash.mismatch")],
)
async def test_a_write_that_fails_is_done_again_with_an_erase_and_told(bench: Bench, name: str, code: str) -> None:
    """Both files are written again, since the second run stands alone. It has neither `--skipErase` nor reads."""
    said = lines("2.19-unerased-writes")
    data = said[: [at for at, line in enumerate(said) if line == "UPLOADING ..."][2]]
    failed = lines(name)
    play = Play((*data, *failed[failed.index("UPLOADING ...") :]), 1, reads=tuple(read.hex() for read in WRITTEN))
    bench.fake.plays(play, ERASED)
    with capture_logs() as logged:
        await bench.writes(DATA, IMAGE)
    assert bench.told == [code]
    assert [each for each in logged if each["event"] == "write.repeated"] == [
        {"event": "write.repeated", "log_level": "warning", "probe": PROBE, "fault": code}
    ]
    assert " ".join(bench.runs[1]) == (
        "-el loader.stldr -d factory-data.bin 0x901C0000 -v -d image.bin 0x08000000 -v -rst"
    )


async def test_the_second_run_is_judged_by_the_rules_of_every_run_and_is_the_last(bench: Bench) -> None:
    """Its output needs the erased sectors; that of a run without an erase proves nothing in it."""
    bench.fake.plays(unerased("2.20-unerased-not-blank", *WRITTEN[2:], exit_status=1))
    with pytest.raises(FlashWriteFailed):
        await bench.writes(IMAGE)
    assert (bench.told, len(bench.fake.runs)) == (["flash.write_failed"], 2)
    bench.fake.plays(*[ERASED] * 2, unerased("2.20-unerased-not-blank", *WRITTEN[2:], exit_status=1), unerased())
    with pytest.raises(ProgrammerUnproven):
        await bench.writes(DATA, IMAGE)
    assert len(bench.fake.runs) == 4


async def test_only_a_failed_write_is_repeated(bench: Bench) -> None:
    """A run without a proof is the programmer's fault, with an erase as without."""
    bench.fake.plays(unerased("2.19-unerased-unverified", *WRITTEN[2:]))
    with pytest.raises(ProgrammerUnproven):
        await bench.writes(IMAGE)
    assert (bench.told, len(bench.fake.runs)) == ([], 1)


async def test_a_file_whose_bytes_are_all_blank_is_written_with_an_erase(bench: Bench) -> None:
    """Nothing could show that it was written."""
    bench.fake.plays(ERASED)
    await bench.writes(replace(DATA, content=BLANK * 1596), IMAGE)
    assert "--skipErase" not in bench.runs[0]


async def test_a_missing_external_flash_is_told_by_the_write_that_does_not_end(tmp_path: Path, bench: Bench) -> None:
    """With an erase, the line of the erase tells it."""
    said = lines("2.19-unerased-writes")
    bench.fake.plays(Play(said[: said.index("File download complete")], reads=(WRITTEN[0].hex(),), hangs=True))
    bench._installation = replace(bench._installation, deadlines=replace(HASTY, idle_within=0.5))  # noqa: SLF001
    with pytest.raises(FlashEraseFailed, match="no answer"):
        await bench.writes(DATA, IMAGE)
    assert bench.told == []


@pytest.mark.parametrize(
    ("content", "start", "size"),
    [
        (b"\x01", 0, 8),
        (b"\x01" * 9, 0, 16),
        (b"\x01" * WITNESSED, 0, WITNESSED),
        (b"\x01" * (WITNESSED + 1), 8, WITNESSED),
        (b"\x01" * 5000 + BLANK * 90_000, 5000 - WITNESSED, WITNESSED),
    ],
)
def test_a_witness_ends_with_the_files_last_byte_that_is_not_blank(content: bytes, start: int, size: int) -> None:
    """It is read in whole double words."""
    witness = Witness.of(replace(IMAGE, content=content))
    assert witness is not None
    assert (witness.region.address - IMAGE.address, witness.region.size) == (start, size)
    assert witness.meant == content.rstrip(BLANK)[start:].ljust(size, BLANK)
    assert not witness.denies(BLANK * size, witness.meant)
    assert witness.denies(BLANK * size, BLANK * size)
    assert witness.denies(witness.meant, witness.meant)
