# SPDX-License-Identifier: Apache-2.0
"""Programs that start warm are as those that are executed."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest

from tests.builders import warm
from tests.builders.line import ROOT
from tests.builders.warm import WarmFailed, WarmProgram, WarmPrograms

pytestmark = pytest.mark.line
WITHIN = 120.0  # seconds, on a busy machine


def started(output: Path, module: str, *arguments: str) -> WarmProgram:
    assert warm.programs is not None
    with output.open("wb") as file:
        return warm.programs.start(module, arguments, file, {**os.environ, "COLUMNS": "80"})


@pytest.mark.parametrize("module", ["station", "virtual_bench", "development_pki"])
@pytest.mark.parametrize("arguments", [("--version",), ("nonsense",)])
def test_it_says_and_returns_the_same(tmp_path: Path, module: str, arguments: tuple[str, ...]) -> None:
    executed = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "80"},
        cwd=ROOT,
        check=False,
    )
    output = tmp_path / "output"
    assert started(output, module, *arguments).wait(WITHIN) == executed.returncode
    assert output.read_bytes() == executed.stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_its_end_by_a_signal_is_known(tmp_path: Path, number: signal.Signals) -> None:
    folder, output = tmp_path / "bench", tmp_path / "output"
    program = started(output, "virtual_bench", "serve", "--dir", str(folder), "--probes=1")
    deadline = time.monotonic() + WITHIN
    while not (folder / "bench.json").exists():
        assert program.poll() is None, output.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0)
    program.send_signal(number)
    assert program.wait(WITHIN) == (-number if number == signal.SIGKILL else 0)
    assert program.poll() == program.returncode
    program.kill()  # nobody


def test_many_may_be_started_at_once(tmp_path: Path) -> None:
    """Each is a child of this process, which awaits its end."""
    with ThreadPoolExecutor(8) as threads:
        programs = list(
            threads.map(lambda number: started(tmp_path / str(number), "virtual_bench", "--version"), range(16))
        )
    assert [program.wait(WITHIN) for program in programs] == [0] * 16
    assert len({(tmp_path / str(number)).read_bytes() for number in range(16)}) == 1


def test_no_other_process_becomes_a_child(tmp_path: Path) -> None:
    """A program whose parent has ended goes to the machine's first process, as without these tests."""
    started(tmp_path / "output", "virtual_bench", "--version").wait(WITHIN)
    orphan = """(sleep 0.5; cut -d' ' -f4 /proc/$BASHPID/stat) &"""
    told = subprocess.run(["bash", "-c", orphan], capture_output=True, text=True, check=True)
    assert told.stdout.strip() != str(os.getpid())


class Interrupted:
    """A socket to a warm process at which the first wait for an answer is interrupted, as by the end of a test's time."""

    def __init__(self, asker: socket.socket) -> None:
        self._asker = asker
        self.first = True

    def recv(self, size: int) -> bytes:
        if self.first:
            self.first = False
            raise KeyboardInterrupt
        return self._asker.recv(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._asker, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asker.close()


def test_after_an_interrupted_start_the_next_one_gives_its_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WarmPrograms.ready() as own:
        monkeypatch.setattr(warm, "programs", own)
        started(tmp_path / "first", "virtual_bench", "--version").wait(WITHIN)
        monkeypatch.setitem(own.askers, "virtual_bench", Interrupted(own.askers["virtual_bench"]))
        with pytest.raises(KeyboardInterrupt):
            started(tmp_path / "interrupted", "virtual_bench", "--version")
        assert started(tmp_path / "next", "virtual_bench", "nonsense").wait(WITHIN) == 2
        assert b"nonsense" in (tmp_path / "next").read_bytes()


def test_a_warm_process_that_has_ended_is_told_of_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with WarmPrograms.ready() as own:
        monkeypatch.setattr(warm, "programs", own)
        started(tmp_path / "first", "virtual_bench", "--version").wait(WITHIN)
        own.askers["virtual_bench"].shutdown(socket.SHUT_RDWR)
        with pytest.raises(WarmFailed, match="no virtual_bench was forked"):
            started(tmp_path / "lost", "virtual_bench", "--version")
        assert started(tmp_path / "next", "virtual_bench", "--version").wait(WITHIN) == 0


@pytest.mark.parametrize(("name", "value"), [("LD_PRELOAD", "/nowhere/clock.so"), ("PYTHONHASHSEED", "7")])
def test_what_is_read_at_a_programs_execution_has_it_executed(name: str, value: str) -> None:
    assert warm.programs is not None
    assert warm.programs.can_start("station", os.environ)
    assert not warm.programs.can_start("station", {**os.environ, name: value})
    assert not warm.programs.can_start("tests.line.told_modules", os.environ)
