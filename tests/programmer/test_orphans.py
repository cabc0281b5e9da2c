# SPDX-License-Identifier: Apache-2.0
"""Processes that a child leaves outside its group are adopted, killed and reaped; another running child's are not."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.system import orphans
from station.adapters.system.child import Child, Patience

NEVER = 1000.0
DETACHED = (
    "import os, subprocess, sys; print(subprocess.Popen(['sleep', '1000'], start_new_session=True{}).pid, flush=True)"
)
KEEPS = ""
LETS_GO = ", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
FORGETS = ", env={}"
WAITS = "; sys.stdin = None; import signal; signal.pause()"


adopting = pytest.mark.usefixtures("adopted")


@pytest.fixture
def adopted() -> Iterator[None]:
    """The end of a test leaves no process, alive or unreaped."""
    before = children()
    with orphans.adopted():
        yield
    assert children() == before


def children() -> set[int]:
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def runs(script: str, patience: Patience = Patience(NEVER, NEVER)) -> AbstractAsyncContextManager[Child]:  # noqa: B008
    return Child.started(
        [sys.executable, "-IS", "-c", script],
        environment={"PATH": os.environ["PATH"]},
        gone=asyncio.Event(),
        patience=patience,
    )


async def number(child: Child) -> int:
    line = await child.line()
    assert line is not None
    return int(line)


def lives(pid: int) -> bool:
    """Whether the process exists, alive or as an unreaped zombie."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@adopting
@pytest.mark.parametrize("manner", [KEEPS, LETS_GO, FORGETS, FORGETS + LETS_GO])
async def test_a_process_that_left_the_group_does_not_survive_the_child(manner: str) -> None:
    """This holds whether it has the child's pipe or not, and even if it has cleared its environment."""
    async with runs(DETACHED.format(manner)) as child:
        escaped = await number(child)
        assert await child.ended() == 0
    assert not lives(escaped)


@adopting
async def test_a_process_that_left_the_group_and_holds_the_pipe_does_not_hold_up_its_reader() -> None:
    """The output ends with the child."""
    async with runs(DETACHED.format(KEEPS)) as child:
        await number(child)
        async with asyncio.timeout(200):
            assert await child.line() is None


@adopting
async def test_an_orphan_does_not_survive_a_child_that_is_stopped() -> None:
    async with runs(DETACHED.format(LETS_GO) + WAITS) as child:
        escaped = await number(child)
        assert lives(escaped)
    assert not lives(escaped)


@adopting
async def test_an_orphan_does_not_survive_through_generations() -> None:
    inner = DETACHED.format(KEEPS) + WAITS
    script = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-ISc', {inner!r}], start_new_session=True)" + WAITS
    )
    async with runs(script) as child:
        youngest = await number(child)
    assert not lives(youngest)


@adopting
@pytest.mark.parametrize("manner", [KEEPS, LETS_GO, FORGETS, FORGETS + LETS_GO])
async def test_an_orphan_of_a_child_that_runs_is_left_alone(manner: str) -> None:
    """The orphan's parent is dead, but the child at its root runs; other children come and go without touching it."""
    orphaned = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-IS', '-c', {DETACHED.format(manner)!r}])" + WAITS
    )
    async with runs(orphaned) as child:
        escaped = await number(child)
        async with runs("") as other:
            await other.ended()
        async with runs(DETACHED.format(LETS_GO)) as other:
            await other.ended()
        assert lives(escaped)
    assert not lives(escaped)


@adopting
async def test_one_that_may_be_another_child_s_is_killed_when_that_has_ended() -> None:
    """The orphan has neither environment nor pipe, so only its age limits whose it can be."""
    async with runs("import signal; signal.pause()"):
        async with runs(DETACHED.format(FORGETS + LETS_GO)) as child:
            escaped = await number(child)
            await child.ended()
        assert lives(escaped)
    assert not lives(escaped)


@adopting
async def test_a_descendant_of_the_group_is_reaped(tmp_path: Path) -> None:
    """This process is its parent now, so no other process would reap it."""
    async with runs("import subprocess; print(subprocess.Popen(['sleep', '1000']).pid, flush=True)") as child:
        left = await number(child)
        await child.ended()
    assert not lives(left)


async def test_a_child_that_was_there_before_is_not_an_orphan() -> None:
    """Only the code that started it may reap it."""
    other = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220  not by the station
    try:
        with orphans.adopted():
            async with runs("") as child:
                await child.ended()
        assert other.poll() is None
    finally:
        other.kill()
        assert other.wait() == -signal.SIGKILL


def test_where_orphans_are_out_of_reach_the_log_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux lets the daemon adopt orphans; other systems start children, too."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with capture_logs() as logs, orphans.adopted():
        assert not orphans.are_adopted()
    assert [entry["event"] for entry in logs] == ["orphans.out_of_reach"]
