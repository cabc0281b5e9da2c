# SPDX-License-Identifier: Apache-2.0
"""A firmware in RAM counts as started only if the programmer has said that it was loaded, verified and started."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from station.adapters.programmer.ram_trial import FILE, run_in_ram
from station.adapters.programmer.run import Deadlines, Installation, Probe
from station.adapters.system.secret_files import SecretFiles
from station.faults import Fault
from station.faults.slot import ProgrammerUnproven
from station.faults.unit import FlashMismatch
from tests.builders.transcripts import PROBE, lines
from tests.programmer.fake_cli import FakeProgrammer, Play

CONTENT = b"the agent"
START = ("RUNNING Program ... ", "  Address:      : 0x20000000", "Start operation achieved successfully")
LOADED = tuple(
    line.replace("0x08000000", "0x20000000") for line in lines("2.4-ram") if not line.endswith(("Reset", "performed"))
)


@contextmanager
def probe(folder: Path, play: Play) -> Iterator[tuple[FakeProgrammer, Probe]]:
    (folder / "secrets").mkdir()
    fake = FakeProgrammer(folder)
    fake.plays(play)
    with SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(folder / "secrets")}, in_memory=False) as scratch:
        installation = Installation(fake.cli, folder / "loader", scratch, folder / "locks", Deadlines(retry_pauses=()))
        yield fake, Probe(installation, PROBE, asyncio.Event(), lambda _: None)


async def tried(folder: Path, *said: str, exit_status: int = 0) -> tuple[FakeProgrammer, Fault | None]:
    """The fault of a run with this output."""
    with probe(folder, Play(said, exit_status, names=("provisioning.bin",))) as (fake, its):
        calls: list[str] = []
        try:
            await run_in_ram(its, CONTENT, lambda: calls.append("connected"))
        except Fault as fault:
            return fake, fault
        assert calls == ["connected"]
    return fake, None


async def test_a_firmware_is_loaded_verified_and_started_in_one_run_without_a_reset(tmp_path: Path) -> None:
    fake, fault = await tried(tmp_path, *LOADED, *START)
    assert fault is None
    (run,) = fake.runs
    assert run.files[0][2] == CONTENT.hex()
    actions = run.argv[run.argv.index("-d") :]
    assert [actions[0], Path(actions[1]).name, *actions[2:]] == ["-d", FILE, "0x20000000", "-v", "-s", "0x20000000"]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("Start operation", "its start"),
        ("Download verified", "verified"),
        ("File download complete", "download complete"),
        ("  File", "any line about it"),
        ("0x1FFF7590", "UID"),
    ],
)
async def test_what_the_programmer_does_not_say_is_not_done(tmp_path: Path, missing: str, named: str) -> None:
    said = [line for line in (*LOADED, *START) if not line.startswith(missing)]
    _, fault = await tried(tmp_path, *said)
    assert isinstance(fault, ProgrammerUnproven)
    assert named in str(fault)


async def test_a_torn_load_is_a_mismatch(tmp_path: Path) -> None:
    torn = [line for line in LOADED if not line.startswith("Download verified")]
    error = "Error: Data mismatch found at address 0x20000004 (byte = 0x00 instead of 0x20)"
    _, fault = await tried(tmp_path, *torn, error, "Error: Download verification failed", exit_status=1)
    assert isinstance(fault, FlashMismatch)
