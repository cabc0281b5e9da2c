# SPDX-License-Identifier: Apache-2.0
"""Every adapter that opens something or starts a process reports an exhausted resource as `station.resources`."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.board import tty
from station.adapters.hotplug import links
from station.adapters.partner import script
from station.adapters.programmer import probe_lock
from station.adapters.programmer.probe_lock import Waiting
from station.adapters.system import resources
from station.adapters.system.transcripts import Transcripts
from station.faults.line import ResourcesExhausted
from station.faults.slot import TTYUnavailable
from tests.builders.scarcity import descriptors_left
from tests.builders.wire import wired

ROOT = Path(__file__).parents[2]


def descriptors() -> set[str]:
    """This process's descriptors, including the one for looking."""
    return {descriptor.name for descriptor in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("left", range(5))
async def test_a_serial_port_says_so(left: int) -> None:
    """pyserial opens two pipes beside the port; a failed opening closes all three."""
    with wired() as wire:
        before = descriptors()
        with descriptors_left(left), pytest.raises(ResourcesExhausted) as raised:
            async with tty.opened(wire.path, 115200):
                pass
        assert raised.value.evidence == {"call": f"open {wire.path}", "reason": "Too many open files"}
        assert descriptors() == before


async def test_another_trouble_with_a_port_stays_what_it_is() -> None:
    """Only an exhausted resource is the line's fault."""
    with pytest.raises(TTYUnavailable):
        async with tty.opened("/dev/does-not-exist", 115200):
            pass


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path: Path) -> None:
    """An empty list would mean that every board has left."""
    for folder in ("by-id", "by-path"):
        (tmp_path / folder).mkdir()
    with descriptors_left(0), pytest.raises(ResourcesExhausted, match=r"list .*, reason Too many open files"):
        links.boards_in(tmp_path)
    assert links.boards_in(tmp_path) == {}


async def test_hotplug_says_so(tmp_path: Path) -> None:
    """Hotplug needs a descriptor for its watches; the fault reports that there is none."""
    with descriptors_left(0), pytest.raises(ResourcesExhausted, match="watch the places of boards"):
        async with links.watching(tmp_path):
            pass


async def test_the_lock_of_a_probe_says_so(tmp_path: Path) -> None:
    """The lock of a probe needs a descriptor; the fault reports that there is none."""
    with descriptors_left(0), pytest.raises(ResourcesExhausted, match=r"066CFF\.lock"):
        async with probe_lock.held(tmp_path, "066CFF", Waiting(within=1.0)):
            pass


@pytest.mark.parametrize("left", [0, 3])
async def test_a_partners_script_says_so(tmp_path: Path, left: int) -> None:
    """A partner's script needs a separate pipe and a process; the fault reports the missing one."""
    path = tmp_path / "script.py"
    path.write_text("")
    records = list[str]()
    call = "start the partner's script" if left else "open a pipe"
    with descriptors_left(left), pytest.raises(ResourcesExhausted, match=call):
        await script.check(path, records.append)


@pytest.mark.parametrize("left", [0, 15, 18])
async def test_the_check_takes_what_an_attempt_would(left: int) -> None:
    """The check opens as many files and pipes as an attempt, and starts a process."""
    with descriptors_left(left):
        if left < resources.DESCRIPTORS_AN_ATTEMPT:
            with pytest.raises(ResourcesExhausted, match="open files, reason Too many open files"):
                await resources.check(1)
        else:
            await resources.check(1)


async def test_a_station_with_plenty_passes_the_check() -> None:
    """The check releases all resources that it has taken."""
    before = descriptors()
    await resources.check(64)
    assert descriptors() == before


# Root changes to another account, since limits on processes do not apply to root; all modules are imported before that.
WITHOUT_PROCESSES = """
import asyncio, os, resource
from station.adapters.system import resources
from station.faults.line import ResourcesExhausted

async def main():
    await resources.check(1)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if os.geteuid() == 0:
        os.setresuid(54321, 54321, 54321)
    try:
        await resources.check(1)
    except ResourcesExhausted as fault:
        print(fault)

asyncio.run(main())
"""


def test_a_process_that_cannot_be_made_is_said_as_that() -> None:
    """EAGAIN from fork means that a limit is reached, not that the call should be repeated."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PROCESSES], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.endswith("(call start a process, reason Resource temporarily unavailable)\n")


def test_lost_transcripts_are_counted_and_told_once(tmp_path: Path) -> None:
    """The log tells of lost transcripts once, until a transcript is written again."""
    folder = tmp_path / "transcripts"
    folder.touch()
    transcripts = Transcripts(folder)
    with capture_logs() as logged:
        for attempt in (1, 1, 2):
            transcripts.recorder(attempt)("said")
        assert (transcripts.lost, len(logged)) == (3, 1)
        folder.unlink()
        transcripts.recorder(2)("said again")
        assert (folder / "0000" / "0000002.txt").read_text() == "said again\n"
        (folder / "0000" / "0000003.txt").mkdir()
        transcripts.recorder(3)("said")
    assert transcripts.lost == 4
    assert [line["event"] for line in logged] == ["transcript.lost"] * 2
