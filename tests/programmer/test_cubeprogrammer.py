# SPDX-License-Identifier: Apache-2.0
"""The driver with a scripted programmer: the commands, the evidence, and the reactions to failures."""

import asyncio
import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Child, Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.product import Lock, Verify, Write
from station.domain.target import RDP_LEVEL_0, UID, Region
from station.faults import Fault
from station.faults.line import FlashLoaderMissing, ProgrammerMissing, ResourcesExhausted, SecretFilesUnavailable
from station.faults.slot import (
    BoardExchanged,
    BoardUnpowered,
    ProbeMissing,
    ProgrammerFailed,
    ProgrammerStuck,
    ProgrammerUnproven,
)
from station.faults.unit import FlashEraseFailed, FlashMismatch, TargetWrong
from tests.builders.disks import filled, small_disk
from tests.builders.scarcity import descriptors_left
from tests.builders.transcripts import DATA, PROBE, lines
from tests.programmer.fake_cli import FakeProgrammer, Play

NEVER = 1000.0
HASTY = Deadlines(retry_pauses=(0.0, 0.0), patience=Patience(0.05, 0.05))
READBACK = Region(0x901C0000, 0x4000)
READ_WRITE = lines("2.19-read-write")


class Bench:
    """A driver with a fake programmer, and the files that it leaves."""

    def __init__(self, folder: Path, scratch: SecretFiles) -> None:
        self.fake = FakeProgrammer(folder)
        self.secrets = folder / "secrets"
        self.records: list[str] = []
        self.gone = asyncio.Event()
        self.image = Write("image", 0x08000000, bytes(48874), Verify.FULL, external=False)
        loader = folder / "loader.stldr"
        loader.touch()
        self.installation = Installation(self.fake.cli, loader, scratch, folder / "locks", HASTY)

    @property
    def programmer(self) -> CubeProgrammer:
        return CubeProgrammer(self.installation, PROBE, self.gone, self.records.append)

    def has(self, deadlines: Deadlines) -> None:
        self.installation = replace(self.installation, deadlines=deadlines)

    async def writes(self) -> None:
        """Factory data, then the image."""
        async with self.programmer.invocation(DATA, self.image) as run:
            await run.written(DATA)
            await run.written(self.image)

    async def reads_and_writes(self) -> bytes:
        async with self.programmer.invocation(READBACK, self.image) as run:
            content = await run.read(READBACK)
            await run.written(self.image)
            return content

    @property
    def leftovers(self) -> list[Path]:
        return [path for path in self.secrets.rglob("*") if path.is_file()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "secrets").mkdir()
    with SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(tmp_path / "secrets")}, in_memory=False) as scratch:
        bench = Bench(tmp_path, scratch)
        yield bench
        assert bench.leftovers == []
        for run in bench.fake.runs:
            with suppress(ProcessLookupError):
                os.kill(run.pid, 0)
                pytest.fail(f"process {run.pid} lives")


def transcript(name: str, exit_status: int = 0) -> Play:
    return Play(lines(name), exit_status)


# --- what is run -----------------------------------------------------------------------------------------------------


async def test_a_first_connection_does_not_reset_the_board(bench: Bench) -> None:
    """One run asks for UID, option bytes and the agent's record of this probe's board."""
    bench.fake.plays(transcript("2.19-identify"))
    target = await bench.programmer.identify()
    assert (target.device_id, target.programmer_version) == (0x495, "2.19.0")
    (run,) = bench.fake.runs
    reads = "-r32 0x1FFF7590 12 -ob displ -r32 0x08093000 84"
    assert run.argv == f"-c port=SWD sn={PROBE} mode=HOTPLUG -q {reads}".split()


async def test_one_run_writes_all_and_resets_the_board(bench: Bench) -> None:
    """Each file has its own verification; the external file needs the loader."""
    bench.fake.plays(transcript("2.19-write"))
    await bench.writes()
    (run,) = bench.fake.runs
    data, image = (run.argv[at + 1] for at, word in enumerate(run.argv) if word == "-d")
    assert run.argv == [
        *f"-c port=SWD sn={PROBE} mode=UR reset=HWrst -q -r32 0x1FFF7590 12".split(),
        *("-el", str(bench.installation.external_loader)),
        *f"-d {data} 0x901C0000 -v".split(),
        *f"-d {image} 0x08000000 -v -rst".split(),
    ]


IN_RAM = Write("provisioning", 0x20000000, bytes(48874), Verify.FULL, external=False)


def loaded(*end: str) -> Play:
    """A run that writes factory data, and then loads an image into RAM; it ends with these lines."""
    said = [line.replace("0x08000000", "0x20000000") for line in lines("2.19-write")[:-2]]
    erased = said.index("Erasing internal memory sectors [0 11]")
    return Play((*said[:erased], "Not flash Memory : No erase done", *said[erased + 1 :], *end))


STARTED = ("RUNNING Program ... ", "  Address:      : 0x20000000", "Application is running, Please Hold on...")
STARTED_WELL = (*STARTED, "Start operation achieved successfully")


async def loads(bench: Bench) -> None:
    async with bench.programmer.invocation(DATA, IN_RAM) as run:
        await run.written(DATA)
        await run.written(IN_RAM)


async def test_what_is_loaded_into_ram_is_started_and_not_reset(bench: Bench) -> None:
    """Its own loads need no erase."""
    bench.fake.plays(loaded(*STARTED_WELL))
    await loads(bench)
    (run,) = bench.fake.runs
    assert run.argv[-4:] == ["0x20000000", "-v", "-s", "0x20000000"]
    assert "-rst" not in run.argv


@pytest.mark.parametrize("end", [(), STARTED, ("MCU Reset", "Software reset is performed")])
async def test_a_load_that_was_not_started_is_not_proven(bench: Bench, end: tuple[str, ...]) -> None:
    """After a reset it would be lost."""
    bench.fake.plays(loaded(*end))
    with pytest.raises(ProgrammerUnproven, match="start of provisioning"):
        await loads(bench)


async def test_a_load_for_which_something_was_erased_is_not_proven(bench: Bench) -> None:
    """It went into flash."""
    said = [line.replace("0x08000000", "0x20000000") for line in lines("2.19-write")[:-2]]
    bench.fake.plays(Play((*said, *STARTED_WELL)))
    with pytest.raises(ProgrammerUnproven, match="no erase"):
        await loads(bench)


async def test_nothing_comes_after_a_load_into_ram(bench: Bench) -> None:
    """The programmer's own loaders would overwrite it."""
    with pytest.raises(ValueError, match="lost as soon as a loader"):
        async with bench.programmer.invocation(IN_RAM, DATA):
            pass


async def test_a_large_image_may_be_verified_fast_and_needs_no_loader(bench: Bench) -> None:
    """The write itself asks for fast verification."""
    image = replace(bench.image, verify=Verify.FAST)
    bench.fake.plays(transcript("2.19-write"))
    with pytest.raises(ProgrammerUnproven):
        async with bench.programmer.invocation(image) as run:
            await run.written(image)
    assert bench.fake.runs[0].argv[11:] == ["0x08000000", "-v", "fast", "-rst"]


async def test_secret_bytes_are_in_a_private_file_for_one_run(bench: Bench) -> None:
    """No argument contains the bytes, and the file's name cannot be guessed."""
    secret = replace(DATA, content=b"27-bit secret" * 100 + bytes(296))
    bench.fake.plays(transcript("2.19-write"))
    for _ in range(2):
        async with bench.programmer.invocation(secret, bench.image) as run:
            await run.written(secret)
            assert len(bench.leftovers) == 2
            await run.written(bench.image)
        assert bench.leftovers == []
    (mode, folder, content), _ = bench.fake.runs[0].files
    assert (mode, bytes.fromhex(content)) == ("0o100600", secret.content)
    assert folder.startswith(str(bench.secrets))
    assert bench.fake.runs[0].argv != bench.fake.runs[1].argv


async def test_a_run_starts_with_its_first_awaited_action(bench: Bench) -> None:
    """The step that awaits the action is journalled before the run starts."""
    bench.fake.plays(transcript("2.19-write"))
    async with bench.programmer.invocation(DATA, bench.image) as run:
        assert bench.fake.runs == []
        await run.written(DATA)
        assert len(bench.fake.runs) == 1
        await run.written(bench.image)


async def test_the_tool_gets_what_it_needs_of_the_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool gets locale and library paths, but neither the station's settings nor systemd's socket."""
    for name in ("NOTIFY_SOCKET", "STATION__PKI__URL", "LC_NUMERIC"):
        monkeypatch.setenv(name, "x")
    libraries = bench.fake.cli.parents[1] / "lib"
    libraries.mkdir()
    bench.fake.plays(transcript("2.19-identify"))
    await bench.programmer.identify()
    environment = bench.fake.runs[0].environment
    assert (environment["LC_ALL"], environment["LD_LIBRARY_PATH"]) == ("C.UTF-8", str(libraries))
    assert set(environment) <= {"LC_ALL", "LD_LIBRARY_PATH", "PATH", "HOME", "TMPDIR", "LC_CTYPE"}


# --- what is believed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["2.13-write", "2.17-write", "2.18-write", "2.19-write", "2.10-second-attempt-succeeds"]
)
async def test_writes_that_are_proven_return(bench: Bench, name: str) -> None:
    """The output of every version proves its writes."""
    bench.fake.plays(transcript(name))
    await bench.writes()
    assert len(bench.records) == 1


async def test_a_file_is_proven_while_the_next_is_being_written(bench: Bench) -> None:
    """The file's step ends then, before the run; a later failure is the fault of a later step."""
    said = lines("2.19-write")
    bench.fake.plays(Play(said[: said.index("Opening and parsing file: provisioning.bin")], hangs=True))
    bench.has(replace(HASTY, internal_within=0.05, bytes_per_second=1e9))
    async with bench.programmer.invocation(DATA, bench.image) as run:
        await run.written(DATA)
        with pytest.raises(ProgrammerStuck):
            await run.written(bench.image)


@pytest.mark.parametrize(
    ("name", "exit_status", "fault"),
    [
        ("2.18-verify-mismatch", 1, FlashMismatch(0x08001000)),
        ("2.18-verify-mismatch", 0, FlashMismatch(0x08001000)),
        ("2.19-write", 1, ProgrammerFailed(1, "Software reset is performed")),
        ("2.19-nothing-done", 0, ProgrammerUnproven("factory data", "any line about it")),
        ("2.19-without-loader", 0, ProgrammerUnproven("factory data", "erased external sectors 28 to 28")),
        ("2.19-low-supply", 0, BoardUnpowered("2.41 V")),
        ("2.17-no-probe", 1, ProbeMissing(PROBE)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_run_that_is_not_proven_is_a_fault(bench: Bench, name: str, exit_status: int, fault: Fault) -> None:
    """Exit status, complaints and evidence must all be good."""
    bench.fake.plays(transcript(name, exit_status))
    with pytest.raises(type(fault)) as caught:
        await bench.writes()
    assert caught.value.evidence == fault.evidence


async def test_a_failure_is_the_fault_of_the_file_that_failed(bench: Bench) -> None:
    """The first file was proven; its step has passed."""
    bench.fake.plays(transcript("2.18-verify-mismatch", 1))
    async with bench.programmer.invocation(DATA, bench.image) as run:
        await run.written(DATA)
        with pytest.raises(FlashMismatch):
            await run.written(bench.image)


async def test_an_error_before_a_file_s_success_is_believed(bench: Bench) -> None:
    """The error counts, and the success does not."""
    said = list(lines("2.19-write"))
    said.insert(said.index("File download complete"), "Error: failed to download Segment[0]")
    bench.fake.plays(Play(tuple(said)))
    with pytest.raises(Fault, match="Segment"):
        async with bench.programmer.invocation(DATA, bench.image) as run:
            await run.written(DATA)


async def test_a_board_that_was_not_reset_is_not_proven(bench: Bench) -> None:
    """Without a reset the board never starts the new firmware."""
    bench.fake.plays(Play(lines("2.19-write")[:-2]))
    with pytest.raises(ProgrammerUnproven, match="reset of the board"):
        await bench.writes()


async def test_another_part_is_not_written_to_the_end(bench: Bench) -> None:
    """The station stops the programmer as soon as the header names the wrong part."""
    said = tuple(line.replace("0x495", "0x450") for line in lines("2.19-nothing-done"))
    bench.fake.plays(Play(said, hangs=True))
    with pytest.raises(TargetWrong):
        await bench.writes()


async def test_what_was_read_is_returned(bench: Bench) -> None:
    content = bytes(range(256)) * 64
    bench.fake.plays(Play(READ_WRITE, names=("provisioning.bin",), read=content.hex()))
    assert await bench.reads_and_writes() == content
    run = bench.fake.runs[0]
    assert run.argv[run.argv.index("-u") :][:3] == ["-u", "0x901C0000", "0x4000"]
    assert "-el" in run.argv


@pytest.mark.parametrize(
    ("read", "missing"),
    [
        (None, "16384 bytes, there are 0"),
        ("ff" * 16383, "16384 bytes, there are 16383"),
        ("00" * 16384, "any byte but 00"),
    ],
)
async def test_a_read_without_its_content_is_not_proven(bench: Bench, read: str | None, missing: str) -> None:
    """The tool reads only zeros when it has skipped its loader."""
    bench.fake.plays(Play(READ_WRITE, names=("provisioning.bin",), read=read))
    with pytest.raises(ProgrammerUnproven, match=missing):
        await bench.reads_and_writes()


async def test_actions_are_awaited_in_their_order(bench: Bench) -> None:
    """Another order raises ValueError."""
    bench.fake.plays(transcript("2.19-write"))
    with pytest.raises(ValueError, match="order"):
        async with bench.programmer.invocation(DATA, bench.image) as run:
            await run.written(bench.image)
    with pytest.raises(ValueError, match="image was awaited"):
        async with bench.programmer.invocation(DATA, bench.image) as run:
            await run.written(DATA)


# --- what is done about the rest -------------------------------------------------------------------------------------


async def test_a_target_that_is_not_found_is_tried_again_more_slowly(bench: Bench) -> None:
    """Each retry is logged, and there is none after a write."""
    bench.fake.plays(transcript("2.17-no-target", 1), transcript("2.20-no-target", 1), transcript("2.19-write"))
    with capture_logs() as logs:
        await bench.writes()
    assert ["freq=1000" in run.argv for run in bench.fake.runs] == [False, True, True]
    assert [(entry["event"], entry["fault"]) for entry in logs] == 2 * [("retry.scheduled", "target.not_found")]
    assert len(bench.records) == 3


@pytest.mark.parametrize(
    ("name", "code", "runs", "slow"),
    [
        ("2.17-no-target", "target.not_found", 3, True),
        ("2.14-target-command", "target.refused", 2, True),
        ("2.17-probe-busy", "probe.busy", 3, False),
        ("2.17-probe-wedged", "probe.wedged", 3, False),
        ("2.17-no-probe", "probe.missing", 1, False),
        ("2.15-target-reset", "target.not_reset", 1, False),
        ("2.19-old-probe", "probe.outdated", 1, False),
    ],
)
async def test_a_connection_is_tried_as_often_as_its_fault_allows(
    bench: Bench,
    name: str,
    code: str,
    runs: int,
    slow: bool,  # noqa: FBT001
) -> None:
    """After the last try the fault is raised."""
    bench.fake.plays(transcript(name, 1))
    with pytest.raises(Fault) as caught:
        await bench.programmer.identify()
    assert (caught.value.code, len(bench.fake.runs)) == (code, runs)
    assert any("freq=1000" in run.argv for run in bench.fake.runs) == slow


async def test_nothing_is_tried_again_once_the_target_has_answered(bench: Bench) -> None:
    """A board that was erased or written gets a verdict, not a retry."""
    bench.fake.plays(transcript("2.19-probe-lost-in-download", 1))
    with pytest.raises(Fault):
        await bench.writes()
    assert len(bench.fake.runs) == 1


@pytest.mark.parametrize("deadline", ["connect", "idle"])
async def test_a_programmer_that_says_nothing_is_stuck(bench: Bench, deadline: str) -> None:
    """The station stops the programmer before it has connected."""
    bench.fake.plays(Play((), hangs=True, deaf=True))
    bench.has({"connect": replace(HASTY, connect_within=0.3), "idle": replace(HASTY, idle_within=0.3)}[deadline])
    with pytest.raises(ProgrammerStuck, match=r"0\.3"):
        await bench.programmer.identify()
    # On a busy machine it is stopped before it ignores signals.
    assert re.search(r"exit status -\d+$", bench.records[0])


@pytest.mark.parametrize(
    "deadlines",
    [replace(HASTY, external_within=0.3, bytes_per_second=1e9), replace(HASTY, idle_within=0.3)],
    ids=["deadline", "silence"],
)
async def test_a_write_that_does_not_end_is_stuck(bench: Bench, deadlines: Deadlines) -> None:
    """Its deadline passes, or no line comes for too long."""
    bench.fake.plays(Play(lines("2.19-nothing-done"), hangs=True))
    bench.has(deadlines)
    with pytest.raises(ProgrammerStuck, match=r"0\.3"):
        await bench.writes()


@pytest.mark.parametrize(
    "deadlines",
    [replace(HASTY, external_within=3.5, bytes_per_second=1e9), replace(HASTY, idle_within=3.5)],
    ids=["deadline", "silence"],
)
async def test_an_erase_of_the_external_flash_that_does_not_end_is_the_boards_fault(
    bench: Bench, deadlines: Deadlines
) -> None:
    """A missing external flash shows only as an erase that does not end; probe and tool are not to blame."""
    said = lines("2.19-write")
    erasing = next(number for number, line in enumerate(said) if line.startswith("Erasing external"))
    bench.fake.plays(Play(said[: erasing + 1], hangs=True))
    bench.has(deadlines)
    with pytest.raises(FlashEraseFailed, match=r"3\.5"):
        await bench.writes()


async def test_a_run_is_marked_with_the_time_that_it_may_take(bench: Bench) -> None:
    """By the mark a later station knows when to end it: after its connection and all its actions, also at the slow frequency."""
    marked = list[float]()

    def start(command: Sequence[str], *, longest: float, **how: Any) -> AbstractAsyncContextManager[Child]:  # type: ignore[explicit-any]
        marked.append(longest)
        return Child.started(command, longest=longest, **how)

    bench.installation = replace(bench.installation, start=start)
    bench.fake.plays(transcript("2.17-no-target", 1), transcript("2.19-write"))
    await bench.writes()
    by_speed = (HASTY, HASTY.slowed())
    assert marked == [by.connect_within + by.of(DATA) + by.of(bench.image) for by in by_speed]
    assert marked[0] < marked[1]


async def test_a_download_that_does_not_end_is_the_tools_fault(bench: Bench) -> None:
    """This holds for the external flash, too, after its erase has ended."""
    said = lines("2.19-write")
    erasing = next(number for number, line in enumerate(said) if line.startswith("Erasing external"))
    bench.fake.plays(Play((*said[: erasing + 1], "Download in Progress:"), hangs=True))
    bench.has(replace(HASTY, idle_within=0.3))
    with pytest.raises(ProgrammerStuck):
        await bench.writes()


def test_a_deadline_grows_with_the_size() -> None:
    """The external flash gets more time than the internal one."""
    deadlines = Deadlines()
    assert deadlines.of(Write("any", 0x08000000, bytes(204800), Verify.FULL, external=False)) == 20 + 10
    assert deadlines.of(Region(0x901C0000, 20480)) == 60 + 1
    assert deadlines.slowed().of(Region(0x08000000, 20480)) == 20 + 8


@pytest.mark.parametrize(
    ("leaves", "missing"),
    [
        ("pipe", "is not a regular file"),
        ("folder", "is a folder"),
        ("link", "is not a regular file"),
        ("device", "is not a regular file"),
        ("much", "has more than 16384 bytes"),
        ("", "16384 bytes, there are 0"),
    ],
)
async def test_what_was_read_is_a_file_of_its_size_or_no_proof(bench: Bench, leaves: str, missing: str) -> None:
    """A pipe without a writer would block every slot, and a link could lead anywhere."""
    bench.fake.plays(Play(READ_WRITE, leaves=leaves))
    with pytest.raises(ProgrammerUnproven, match=missing):
        await bench.reads_and_writes()


async def test_a_station_that_cannot_open_what_was_read_blames_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a free descriptor the read-back proves nothing against the programmer."""
    genuine = os.open

    def scarce(path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if "read-back" in str(path) and not flags & os.O_CREAT:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return genuine(path, flags, mode, dir_fd=dir_fd)

    bench.fake.plays(Play(READ_WRITE, read="00" * READBACK.size))
    monkeypatch.setattr(os, "open", scarce)
    with pytest.raises(ResourcesExhausted, match="Too many open files"):
        await bench.reads_and_writes()


async def test_a_board_that_is_pulled_takes_its_programmer_along(bench: Bench) -> None:
    """A cancelled attempt does not wait for a hanging programmer whose probe is gone."""
    bench.fake.plays(Play(lines("2.19-nothing-done"), hangs=True, deaf=True))
    bench.has(replace(HASTY, patience=Patience(NEVER, NEVER)))
    writing = asyncio.ensure_future(bench.writes())
    async with asyncio.timeout(200):
        while not bench.fake.runs:
            await asyncio.sleep(0.005)
    bench.gone.set()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert bench.records[0].endswith(("exit status -9", "stopped at its start"))  # the second on a busy machine
    with pytest.raises(ProcessLookupError):
        os.kill(bench.fake.runs[0].pid, 0)


async def test_a_programmer_that_cannot_be_started_is_the_line_s_fault(bench: Bench) -> None:
    """A wrong path is wrong for every slot."""
    bench.installation = replace(bench.installation, cli=Path("/nonexistent/STM32_Programmer_CLI"))
    with pytest.raises(ProgrammerMissing, match="No such file"):
        await bench.programmer.identify()
    assert bench.records[0].endswith("ended: could not be started")
    bench.fake.cli.chmod(0o644)
    bench.installation = replace(bench.installation, cli=bench.fake.cli)
    with pytest.raises(ProgrammerMissing, match="Permission denied"):
        await bench.programmer.identify()


@pytest.mark.parametrize("left", [0, 1, 2, 4, 5])
async def test_a_programmer_for_which_nothing_is_left_is_not_missing(bench: Bench, left: int) -> None:
    """Lock, pipe or process cannot be made: the fault names the exhausted resource, and the next run succeeds."""
    bench.fake.plays(*[Play(lines("2.19-identify"))] * 2)
    with descriptors_left(left), pytest.raises(ResourcesExhausted, match="Too many open files"):
        await bench.programmer.identify()
    assert (await bench.programmer.identify()).device_id == 0x495


async def test_a_place_that_is_full_when_the_board_is_read_is_the_lines(bench: Bench, tmp_path: Path) -> None:
    """The fault is the full folder, not the programmer's complaint about it."""
    bench.fake.plays(Play(READ_WRITE, read="00" * READBACK.size))
    with (
        small_disk(tmp_path / "memory", "256k") as disk,
        SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(disk)}) as scratch,
    ):
        bench.installation = replace(bench.installation, scratch=scratch)
        with pytest.raises(SecretFilesUnavailable, match="No space left on device"):
            async with bench.programmer.invocation(READBACK, bench.image) as run:
                filled(disk)
                await run.read(READBACK)


@pytest.mark.parametrize("there", ["nothing", "a folder"])
async def test_an_external_loader_that_is_not_there_is_the_line_s_fault(bench: Bench, there: str) -> None:
    """The driver starts no run, since newer versions silently skip a missing loader.

    Images for internal flash need none.
    """
    bench.installation.external_loader.unlink()
    if there == "a folder":
        bench.installation.external_loader.mkdir()
    bench.fake.plays(Play(lines("2.19-write")))
    with pytest.raises(FlashLoaderMissing, match=r"there is no file /.*/loader\.stldr"):
        await bench.writes()
    assert bench.fake.runs == []
    async with bench.programmer.invocation(bench.image) as run:
        with pytest.raises(Fault):  # since the transcript is another run's
            await run.written(bench.image)
    assert len(bench.fake.runs) == 1


async def test_a_probe_has_one_process_at_a_time(bench: Bench) -> None:
    """Two drivers may have the same probe, since a board may move to another slot before its last run has ended."""
    said = lines("2.19-identify")
    bench.fake.plays(Play(said, hangs=True, deaf=True), Play(said))
    first = asyncio.ensure_future(bench.programmer.identify())
    async with asyncio.timeout(200):
        while not bench.fake.runs:
            await asyncio.sleep(0.005)
    second = asyncio.ensure_future(bench.programmer.identify())
    await asyncio.sleep(0)
    first.cancel()  # which takes a moment
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).device_id == 0x495
    assert bench.records[0].splitlines()[-1][:23] <= bench.records[1][:23]


async def test_two_probes_work_at_the_same_time(bench: Bench) -> None:
    """A run waits for its own probe only."""
    others = tuple(line.replace(PROBE, "OTHER") for line in lines("2.19-identify"))
    bench.fake.plays(Play(lines("2.19-identify"), hangs=True), Play(others))
    other = CubeProgrammer(bench.installation, "OTHER", bench.gone, bench.records.append)
    async with asyncio.timeout(200):
        hanging = asyncio.ensure_future(bench.programmer.identify())
        while not bench.fake.runs:
            await asyncio.sleep(0.005)
        assert (await other.identify()).device_id == 0x495
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging


async def test_a_lock_is_proven_by_the_board_that_was_to_be_locked(bench: Bench) -> None:
    """Another board in its place proves nothing for or against the first."""
    bench.fake.plays(transcript("2.19-identify"))
    as_it_is = Lock({"RDP": RDP_LEVEL_0})
    there = (await bench.programmer.identify()).uid
    await bench.programmer.lock(as_it_is, there)
    with pytest.raises(BoardExchanged):
        await bench.programmer.lock(as_it_is, UID(bytes(12)))


# --- what is kept ----------------------------------------------------------------------------------------------------


async def test_a_run_is_recorded_with_command_output_and_end(bench: Bench) -> None:
    """The record of a run is one text."""
    bench.fake.plays(transcript("2.17-no-probe", 1))
    with pytest.raises(ProbeMissing):
        await bench.programmer.identify()
    (record,) = bench.records
    first, *output, last = record.splitlines()
    assert first.endswith(
        f"started: {bench.fake.cli} -c port=SWD sn={PROBE} mode=HOTPLUG -q -r32 0x1FFF7590 12 -ob displ -r32 0x08093000 84"
    )
    assert output == [line.rstrip() for line in lines("2.17-no-probe")]
    assert last.endswith("ended: exit status 1")


async def test_memory_is_not_recorded(bench: Bench) -> None:
    """The record has the UID, but neither dumps nor bytes that a verification compared."""
    dump = "0x901C0000 : A94656B9 00000001 01010000 01010100"
    bench.fake.plays(
        Play(
            (
                *lines("2.19-identify"),
                dump,
                "Error: Data mismatch found at address 0x901C0010 (byte = 0x21 instead of 0x00)",
            ),
            1,
        )
    )
    with pytest.raises(FlashMismatch):
        await bench.programmer.identify()
    (record,) = bench.records
    assert "A94656B9" not in record
    assert "0x21" not in record
    assert "0039001E 35315107 38333932" in record
    assert "7 lines left out" in record  # with the six of the agent's record


async def test_a_talkative_run_is_recorded_in_part_and_judged_whole(bench: Bench) -> None:
    """The last lines count, however many precede them."""
    said = lines("2.19-write")
    bench.fake.plays(Play((*said[:-1], *(f"chatter {n}" for n in range(5000)), said[-1])))
    await bench.writes()
    assert len(bench.records[0].splitlines()) < 2100
    assert "lines left out" in bench.records[0]
