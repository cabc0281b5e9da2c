# SPDX-License-Identifier: Apache-2.0
"""The lock of a probe: one holder at a time, including processes that inherited it."""

import asyncio
import fcntl
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.programmer import probe_lock
from station.adapters.programmer.probe_lock import Waiting
from station.faults.line import SlotTaken
from station.faults.slot import ProbeBusy

PROBE = "066CFF"
WAITING = Waiting(within=200)


async def test_a_probe_that_is_held_is_busy(tmp_path: Path) -> None:
    """A second taker waits for the lock until its deadline."""
    async with probe_lock.held(tmp_path, PROBE, WAITING):
        with pytest.raises(ProbeBusy, match=PROBE):
            async with probe_lock.held(tmp_path, PROBE, replace(WAITING, within=0.05)):
                pass


async def test_a_probe_is_free_unless_somebody_holds_it(tmp_path: Path) -> None:
    """To look leaves no file behind."""
    probe_lock.check_free(tmp_path, PROBE)
    async with probe_lock.held(tmp_path, PROBE, WAITING):
        with pytest.raises(ProbeBusy, match=PROBE):
            probe_lock.check_free(tmp_path, PROBE)
    probe_lock.check_free(tmp_path, PROBE)
    assert not list(tmp_path.iterdir())


async def test_a_programmer_that_outlives_its_daemon_keeps_its_probe(tmp_path: Path) -> None:
    """The lock is free when the last process that inherited it has ended."""
    programmer = None
    async with probe_lock.held(tmp_path, PROBE, WAITING) as descriptor:
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        kept = os.dup(descriptor)  # as if the daemon had been killed: nothing is released
        programmer = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[kept])  # noqa: ASYNC220  it outlives us
        os.close(kept)
    waiting = asyncio.ensure_future(_hold_once(tmp_path))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done
    programmer.communicate()
    await asyncio.wait_for(waiting, 200)


async def _hold_once(folder: Path) -> None:
    async with probe_lock.held(folder, PROBE, WAITING):
        pass


def test_a_slot_is_one_stations(tmp_path: Path) -> None:
    """The lock covers both names of a port: newer udev adds the USB version to the name."""
    with (
        probe_lock.claimed(tmp_path, ["pci-0000:00:14.0-usb-0:1.1", "pci-0000:00:14.0-usb-0:1.2"]),
        pytest.raises(SlotTaken, match=f"process {os.getpid()}"),
        probe_lock.claimed(tmp_path, ["pci-0000:00:14.0-usbv2-0:1.2"]),
    ):
        pass
    with probe_lock.claimed(tmp_path, ["pci-0000:00:14.0-usb-0:1.2"]):
        pass
    assert not list(tmp_path.iterdir())


def test_a_slot_whose_lock_was_removed_is_taken_anew(tmp_path: Path) -> None:
    """A later station is refused even after somebody has removed the lock file."""
    with probe_lock.claimed(tmp_path, ["1", "2"]) as claims:
        for lock in tmp_path.iterdir():
            lock.unlink()
        claims.check()
        with pytest.raises(SlotTaken), probe_lock.claimed(tmp_path, ["2"]):
            pass
    assert not list(tmp_path.iterdir())


def test_a_slot_that_another_station_took_meanwhile_is_told(tmp_path: Path) -> None:
    """The line pauses until the other station has ended."""
    with probe_lock.claimed(tmp_path, ["1"]) as claims:
        next(tmp_path.iterdir()).unlink()
        with probe_lock.claimed(tmp_path, ["1"]), pytest.raises(SlotTaken, match=f"process {os.getpid()}"):
            claims.check()
        claims.check()
        with pytest.raises(SlotTaken), probe_lock.claimed(tmp_path, ["1"]):
            pass


def test_locks_are_for_every_account(tmp_path: Path) -> None:
    """The mode of a lock does not depend on the umask, and nobody can remove another account's lock."""
    folder = tmp_path / "locks"
    before = os.umask(0o077)
    try:
        with probe_lock.claimed(folder, ["1"]):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
            assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o644]
    finally:
        os.umask(before)


async def test_the_files_of_many_boards_do_not_pile_up(tmp_path: Path) -> None:
    """Each board of a line may bring its own probe, so there is no end of probes; and a line that ends leaves no file."""
    with probe_lock.claimed(tmp_path, ["1"]):
        for board in range(300):
            async with probe_lock.held(tmp_path, f"{board:024X}", WAITING):
                assert len(list(tmp_path.iterdir())) <= 130
    assert not list(tmp_path.iterdir())


async def test_a_file_that_was_left_is_not_removed_under_its_new_holder(tmp_path: Path) -> None:
    """It may be another station's by then."""
    with probe_lock.claimed(tmp_path, ["1"]):
        async with probe_lock.held(tmp_path, PROBE, WAITING):
            pass
        other = os.open(tmp_path / f"{PROBE}.lock", os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
    assert (tmp_path / f"{PROBE}.lock").stat().st_ino == os.fstat(other).st_ino
    os.close(other)


async def test_all_who_wait_get_the_same_file(tmp_path: Path) -> None:
    """A probe has one file, however many hold its lock one after the other: to make one for each run would cost more."""
    order: list[str] = []

    async def hold(name: str) -> None:
        async with probe_lock.held(tmp_path, PROBE, WAITING) as descriptor:
            assert (tmp_path / f"{PROBE}.lock").stat().st_ino == os.fstat(descriptor).st_ino
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(hold(name) for name in "abc"))
    assert sorted(order) == ["a", "b", "c"]
    assert [file.name for file in tmp_path.iterdir()] == [f"{PROBE}.lock"]
