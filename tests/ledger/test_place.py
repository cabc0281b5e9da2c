# SPDX-License-Identifier: Apache-2.0
"""A ledger that was moved or replaced gives no identity away."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.domain.attempt import Phase, Voided
from station.faults import LineFault
from station.faults.line import LedgerLost
from tests.builders.bench import Secrets, begun, execute, recognised


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "ledger.sqlite"
    path.parent.mkdir()
    return path


async def given_out(path: Path, boards: Sequence[int]) -> list[str]:
    """The serial numbers that these boards get from the ledger at this path."""
    async with Ledger.open(path, station="line-1") as ledger:
        secrets = Secrets(tuple(boards))
        return [(await recognised(await begun(ledger, secrets), board)).serial_number for board in boards]


async def refused(path: Path, *, match: str) -> None:
    with pytest.raises(LineFault, match=match):
        await given_out(path, [99])


def kept(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


async def test_an_old_copy_put_back_is_refused(path: Path) -> None:
    """The copy has the file's own inode, and would give five serial numbers out again."""
    await given_out(path, [1])
    old = path.read_bytes()
    await given_out(path, [2, 3, 4, 5, 6])
    path.write_bytes(old)
    await refused(path, match="is older than")


async def test_an_old_copy_of_the_whole_folder_is_refused(path: Path, tmp_path: Path) -> None:
    """The machine's register is outside the ledger's folder."""
    await given_out(path, [1])
    shutil.copytree(path.parent, tmp_path / "old")
    await given_out(path, [2])
    for file in (tmp_path / "old").iterdir():
        path.with_name(file.name).write_bytes(file.read_bytes())
    await refused(path, match="is older than")


async def test_a_folder_that_is_empty_now_is_refused(path: Path) -> None:
    """A new ledger in an unmounted state folder would begin at serial number 1; no file is made in it."""
    await given_out(path, [1])
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    await refused(path, match="1 identities were given out")
    assert kept(path) == {}


@pytest.mark.parametrize("left", [None, b""], ids=["no file", "an empty file"])
async def test_a_key_without_its_ledger_is_refused(path: Path, left: bytes | None, register: Path) -> None:
    """This holds even if only the key shows that there was a ledger."""
    await given_out(path, [1])
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    for record in register.iterdir():
        record.unlink()
    await refused(path, match=r"ledger\.sqlite\.key is there")


async def test_a_ledger_without_its_write_ahead_log_is_refused(path: Path) -> None:
    """After three boards the file alone has 4,096 bytes, and its log has the rest."""
    async with Ledger.open(path, station="line-1") as ledger:
        for board in (1, 2, 3):
            await recognised(await begun(ledger, Secrets((board,))), board)
        without = kept(path)
    for name in ("ledger.sqlite", "ledger.sqlite.key"):
        path.with_name(name).write_bytes(without[name])
    await refused(path, match="3 identities were given out")


async def test_a_ledger_at_another_path_is_refused(path: Path, tmp_path: Path) -> None:
    """A copy in another folder, with its key, is refused; the original still opens."""
    await given_out(path, [1])
    shutil.copytree(path.parent, tmp_path / "copy")
    await refused(tmp_path / "copy" / path.name, match="its path was")
    assert await given_out(path, [2]) == ["SN000002"]


async def test_another_file_at_the_ledgers_path_is_refused(path: Path) -> None:
    """A copy with the same bytes replaced the file; the station cannot know which of the two goes on."""
    await given_out(path, [1])
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").rename(path)
    await refused(path, match="it is another file")


async def test_a_ledger_of_another_machine_is_refused(path: Path) -> None:
    """The disk may have been put into another PC."""
    await given_out(path, [1])
    execute(path, "UPDATE ledger SET place = json_set(place, '$.machine', 'another')")
    await refused(path, match="it was on another machine")


async def test_a_ledger_that_went_on_elsewhere_is_refused(path: Path) -> None:
    """The ledger was restored on another machine in the meantime, and returns."""
    await given_out(path, [1])
    execute(path, "UPDATE ledger SET incarnation = incarnation + 1")
    await refused(path, match="incarnation 2, and this machine knows 1")


async def test_a_ledger_that_its_machine_does_not_know_is_refused(path: Path, register: Path) -> None:
    """Nothing shows whether the ledger is the newest copy."""
    await given_out(path, [1])
    for record in register.iterdir():
        record.unlink()
    await refused(path, match="has no record of this ledger")


async def test_a_ledger_whose_first_record_was_not_written_opens(path: Path, register: Path) -> None:
    """The power failed at its first opening, before any identity was given out."""
    async with Ledger.open(path, station="line-1"):
        pass
    execute(path, "UPDATE ledger SET tick = 1, in_order = 0")
    for record in register.iterdir():
        record.unlink()
    assert await given_out(path, [1]) == ["SN000001"]


async def test_nothing_is_given_out_that_the_machine_cannot_remember(path: Path, register: Path) -> None:
    """The message names the file and the setting; when there is room again, the register catches up."""
    away = register.with_name("away")
    async with Ledger.open(path, station="line-1") as ledger:
        journal = await begun(ledger, Secrets((1,)))
        register.rename(away)
        register.write_text("in the way")
        with pytest.raises(LineFault, match=rf"{register}/.*\[station\] witness"):
            await recognised(journal, board=1)
        with pytest.raises(LineFault):
            await ledger.check()
        register.unlink()
        away.rename(register)
        await ledger.check()
    assert await given_out(path, [2]) == ["SN000002"]


async def test_a_ledger_in_its_place_opens_again_and_again(path: Path) -> None:
    """The ledger also opens after a daemon that did not end in order."""
    serials = []
    for board in (1, 2, 3):
        serials += await given_out(path, [board])
    execute(path, "UPDATE ledger SET in_order = 0")
    assert [*serials, *await given_out(path, [4])] == ["SN000001", "SN000002", "SN000003", "SN000004"]


async def test_a_second_daemon_is_refused_when_the_lock_file_is_gone(path: Path) -> None:
    """The ledger file itself is locked, too."""
    async with Ledger.open(path, station="line-1"):
        path.with_name("ledger.sqlite.lock").unlink()
        await refused(path, match=f"process {os.getpid()} is writing it")


@pytest.mark.parametrize("by", ["hard link", "symbolic link"])
async def test_a_second_daemon_is_refused_over_another_name(path: Path, tmp_path: Path, by: str) -> None:
    other = tmp_path / "other.sqlite"
    async with Ledger.open(path, station="line-1"):
        other.hardlink_to(path) if by == "hard link" else other.symlink_to(path)
        await refused(other, match=f"process {os.getpid()} is writing it")


def deleted(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("moved"))


def replaced(path: Path) -> None:
    path.with_name("copy").write_bytes(path.read_bytes())
    path.with_name("copy").rename(path)


def cut_short(path: Path) -> None:
    os.truncate(path, 512)


def without_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def on_an_empty_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("away"))
    path.parent.mkdir()


HARM = [deleted, moved, replaced, cut_short, without_log, on_an_empty_folder]


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
async def test_no_identity_comes_from_a_file_that_is_gone(path: Path, harm: Callable[[Path], None]) -> None:
    """Writes to a deleted file succeed until it is closed, and are then lost."""
    async with Ledger.open(path, station="line-1") as ledger:
        journal = await begun(ledger, Secrets((1, 2)))
        harm(path)
        with pytest.raises(LineFault) as lost:
            await recognised(journal, board=2)
        assert lost.value.code == "ledger.lost"
        assert ledger.status["state"] == "lost"
        await journal.finish(Voided("ledger.lost"))  # a verdict is still accepted


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
async def test_no_board_is_touched_for_a_file_that_is_gone(path: Path, harm: Callable[[Path], None]) -> None:
    """An attempt begins anyhow, since its slot cannot go on without; its first step is not entered."""
    async with Ledger.open(path, station="line-1") as ledger:
        harm(path)
        journal = await begun(ledger, Secrets(()))
        touched = False
        with pytest.raises(LedgerLost):
            async with journal.step(Phase.RECOGNISE):
                touched = True
        assert not touched
        await journal.finish(Voided("ledger.lost"))


async def test_a_witness_that_could_not_write_at_first_is_no_obstacle_later(path: Path, register: Path) -> None:
    """A supervisor restarts the daemon until its account may write there; no identity was given out."""
    register.parent.mkdir()
    register.write_text("in the way")
    for _ in range(3):
        await refused(path, match=r"\[station\] witness")
    register.unlink()
    assert await given_out(path, [1]) == ["SN000001"]
