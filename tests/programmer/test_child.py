# SPDX-License-Identifier: Apache-2.0
"""Processes are read to the end, and dead when their block ends, in whatever way. The processes are real."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import pytest

from station.adapters.system.child import LONGEST_LINE, READ_AT_ONCE, Budget, Child, LineCutter, OverBudget, Patience

NEVER = 1000.0  # seconds, far beyond a test's timeout: a test that ends has not waited for it
DEAF = "trap '' INT TERM; echo ready; while :; do sleep 1000; done"


def started(
    *command: str,
    gone: asyncio.Event | None = None,
    patience: Patience | None = None,
    budget: Budget = Budget(),  # noqa: B008  frozen
) -> AbstractAsyncContextManager[Child]:
    return Child.started(
        command,
        environment={"PATH": os.environ["PATH"]},
        gone=gone or asyncio.Event(),
        patience=patience or Patience(NEVER, NEVER),
        budget=budget,
    )


def shell(
    script: str, gone: asyncio.Event | None = None, patience: Patience | None = None
) -> AbstractAsyncContextManager[Child]:
    return started("sh", "-c", script, gone=gone, patience=patience)


async def printed(child: Child) -> list[str]:
    return [line async for line in child.lines()]


def alive(marker: str) -> list[int]:
    """The processes with this text in their command lines; an unreaped zombie has no command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            if marker.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def marker() -> Iterator[str]:
    """A sleep of a unique number of seconds; at the end of the test no process may be in it."""
    seconds = f"{random.randint(10**6, 10**7)}.{os.getpid()}"
    yield seconds
    assert alive(seconds) == []


# --- lines -----------------------------------------------------------------------------------------------------------

STREAM = b"a\r\nb\rc\n\n\n  0%\b\b\b\b 50%\b\b\b\b100%\n\x1b[32mgreen\x1b[0m\r\xdb\xdb\xff\nlast"
LINES = ["a", "b", "c", "  0%", " 50%", "100%", "green", "\N{REPLACEMENT CHARACTER}" * 3, "last"]


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
def test_lines_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    """Lines end by newline, return or backspace; colours and blank lines are dropped, and invalid UTF-8 is replaced."""
    cutter = LineCutter()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    lines = [line for piece in pieces for line in cutter.feed(piece)] + cutter.rest()
    assert lines == LINES


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_a_long_line_is_cut_and_no_sentence_is_lost_in_the_cut(size: int, end: bytes) -> None:
    """Each piece is short, and a sentence across a cut is whole in the next piece."""
    cutter = LineCutter()
    sentence = b"Error: it stands across the cut"
    line = b"x" * (LONGEST_LINE - 10) + sentence + b"y" * 3 * LONGEST_LINE + end
    pieces = [line[start : start + size] for start in range(0, len(line), size)]
    lines = [piece for data in pieces for piece in cutter.feed(data)] + cutter.rest()
    assert any(sentence.decode() in line for line in lines)
    assert len(lines) == 5
    assert max(map(len, lines)) == LONGEST_LINE


def test_a_line_of_the_greatest_length_is_whole() -> None:
    """A line that is one byte longer becomes two."""
    assert LineCutter().feed(b"x" * LONGEST_LINE + b"\n") == ["x" * LONGEST_LINE]
    assert len(LineCutter().feed(b"x" * (LONGEST_LINE + 1) + b"\n")) == 2


async def test_a_process_is_heard_to_its_last_line() -> None:
    """Standard error is part of the output; the last line needs no line end."""
    async with shell("echo out; echo err >&2; printf 'bar  10%%\\rbar 100%%'; exit 3") as child:
        assert await printed(child) == ["out", "err", "bar  10%", "bar 100%"]
        assert await child.ended() == 3
        assert child.status == 3
        assert await child.line() is None


async def test_a_lot_of_output_is_drained() -> None:
    """A full pipe would block the process for ever."""
    budget = Budget(size=1 << 30, lines=200_000)
    async with started(sys.executable, "-IS", "-c", "for n in range(200000): print('line', n)", budget=budget) as child:
        count = 0
        async for line in child.lines():
            assert line == f"line {count}"
            count += 1
        assert (count, await child.ended()) == (200000, 0)


@pytest.mark.parametrize("budget", [Budget(size=10_000), Budget(lines=100)], ids=["size", "lines"])
async def test_a_process_may_print_no_more_than_its_budget(budget: Budget) -> None:
    """The station drops output beyond the budget and stops the process."""
    async with started("yes", "a line of output", budget=budget) as child:
        with pytest.raises(OverBudget, match=str(budget)):
            await printed(child)
        with pytest.raises(OverBudget):
            await child.line()
    assert child.status == -signal.SIGINT


async def test_a_process_that_prints_without_end_ends_what_it_is_at() -> None:
    """While it is being stopped its output is read and dropped, since with a full pipe it could not end in time."""
    script = "import signal, sys\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('ready', flush=True)\nfor _ in range(5000): print('x' * 100)\nsys.exit(44)"
    async with started(sys.executable, "-ISu", "-c", script) as child:
        assert await child.line() == "ready"
    assert child.status == 44


async def test_output_without_end_leaves_the_loop_its_turns() -> None:
    """Each turn costs one short read, and delays the loop's other tasks by no more than that."""
    turns = 0

    async def counts() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(counts())
    budget = Budget(size=4 << 20, lines=1 << 30)
    async with started("yes", budget=budget) as child:
        with pytest.raises(OverBudget):
            await printed(child)
    counting.cancel()
    assert turns >= budget.size // READ_AT_ONCE


async def test_a_process_has_no_input() -> None:
    """A tool that asks something gets no answer, and does not wait for one."""
    async with started("cat") as child:
        assert await printed(child) == []
        assert await child.ended() == 0


async def test_a_process_gets_the_environment_that_it_is_given() -> None:
    """The process gets none of the station's other variables."""
    async with Child.started(
        ["/usr/bin/env"], environment={"LC_ALL": "C.UTF-8"}, gone=asyncio.Event(), patience=Patience()
    ) as child:
        assert await printed(child) == ["LC_ALL=C.UTF-8"]


async def test_a_process_survives_whoever_read_it() -> None:
    """A programmer that is interrupted in a transfer, because its daemon was killed, would wedge its probe."""
    async with shell("grep SigIgn /proc/self/status") as child:
        (line,) = await printed(child)
    assert int(line.split()[1], 16) & 1 << signal.SIGPIPE - 1


async def test_what_cannot_be_started_is_an_os_error(tmp_path: Path) -> None:
    """The program is missing or not executable."""
    with pytest.raises(FileNotFoundError):
        async with started(str(tmp_path / "missing")):
            pass
    (tmp_path / "text").write_text("no program")
    with pytest.raises(PermissionError):
        async with started(str(tmp_path / "text")):
            pass


async def test_a_failure_of_the_block_arrives_bare() -> None:
    """It is not wrapped in an exception group, which would hide a fault."""
    with pytest.raises(KeyError):
        async with started("sleep", "1000"):
            raise KeyError


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_a_process_is_first_asked_to_stop() -> None:
    """After SIGINT a programmer can end its transfer."""
    async with shell("trap 'exit 42' INT; echo ready; while :; do sleep 0.01; done") as child:
        assert await child.line() == "ready"
    assert child.status == 42


async def test_a_process_that_is_deaf_to_an_interrupt_is_terminated() -> None:
    """SIGTERM follows when the time after SIGINT is over."""
    async with shell(
        "trap '' INT; trap 'exit 43' TERM; echo ready; while :; do sleep 0.01; done", patience=Patience(0.05, NEVER)
    ) as child:
        assert await child.line() == "ready"
    assert child.status == 43


async def test_a_stubborn_process_is_killed(marker: str) -> None:
    """The processes that it started are killed, too."""
    async with shell(f"sleep {marker} & {DEAF}", patience=Patience(0.05, 0.05)) as child:
        assert await child.line() == "ready"
    assert child.status == -9
    await until(lambda: not alive(marker))


async def test_a_process_whose_probe_is_gone_is_killed_at_once() -> None:
    """Without a probe there is no transfer left to end."""
    gone = asyncio.Event()
    async with shell(DEAF, gone) as child:
        assert await child.line() == "ready"
        gone.set()
    assert child.status == -9


async def test_a_probe_that_goes_while_its_process_is_being_stopped_ends_the_waiting(tmp_path: Path) -> None:
    """The process had been asked to stop and still had time."""
    gone, asked = asyncio.Event(), tmp_path / "asked"

    async def stops() -> Child:
        async with shell(f"trap 'touch {asked}' INT; echo ready; while :; do sleep 0.01; done", gone) as child:
            assert await child.line() == "ready"
        return child

    stopping = asyncio.ensure_future(stops())
    await until(asked.exists)
    assert not stopping.done()
    gone.set()
    assert (await stopping).status == -9


async def test_a_descendant_that_holds_the_pipe_does_not_hold_the_station(marker: str) -> None:
    """When the process itself ends, its descendants are killed, and the output ends."""
    async with shell(f"sleep {marker} & echo done; exit 0") as child:
        assert await printed(child) == ["done"]
        assert await child.ended() == 0
    await until(lambda: not alive(marker))


async def test_a_descendant_that_left_the_group_does_not_hold_the_station(marker: str) -> None:
    """The descendant is out of reach, so the station closes its own end of the pipe."""
    async with started(
        sys.executable,
        "-IS",
        "-c",
        f"import subprocess; subprocess.Popen(['sleep', '{marker}'], start_new_session=True)",
    ) as child:
        assert await child.ended() == 0
    await until(lambda: bool(alive(marker)))
    (escaped,) = alive(marker)
    os.kill(escaped, signal.SIGKILL)
    await until(lambda: not alive(marker))


async def test_a_cancelled_block_ends_when_its_process_is_dead() -> None:
    """The block may be cancelled several times while it waits."""
    gone = asyncio.Event()
    running = asyncio.Event()

    async def runs() -> None:
        async with shell(DEAF, gone) as child:
            await child.line()
            running.set()
            await child.line()

    task = asyncio.ensure_future(runs())
    await running.wait()
    for _ in range(10):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    gone.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_start_that_fails_is_cancelled() -> None:
    """The failure does not replace the cancellation."""
    task = asyncio.ensure_future(started("/nonexistent/program").__aenter__())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_storm_of_cancellations_leaks_nothing(marker: str) -> None:
    """No process, descendant or descriptor is left after two cancellations, before, during and after the start."""
    chance = random.Random(20)
    async with shell("exit"):
        pass  # the first child makes the loop open descriptors that it keeps
    before = descriptors()

    async def runs() -> None:
        patience = Patience(chance.choice((0.01, 1.0)), 0.05)
        async with shell(f"sleep {marker} & sleep {marker}", patience=patience) as child:
            await printed(child)

    async def is_hit(task: asyncio.Task[None]) -> None:
        for _ in range(2):
            await asyncio.sleep(chance.uniform(0, 0.3))
            task.cancel()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(runs()) for _ in range(200)]
        for task in tasks:
            group.create_task(is_hit(task))
    assert all(task.cancelled() for task in tasks)
    await until(lambda: not alive(marker))
    await until(lambda: descriptors() <= before)
    assert descriptors() == before


async def until(so: Callable[[], bool]) -> None:
    """Polls for a condition without an event: a killed process takes a moment to disappear."""
    async with asyncio.timeout(200):
        while not so():
            await asyncio.sleep(0.005)
