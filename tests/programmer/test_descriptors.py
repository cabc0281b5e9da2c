# SPDX-License-Identifier: Apache-2.0
"""Every descriptor has one owner, which alone closes it, once, so no other slot's descriptor is closed by mistake."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE = 200.0  # seconds beyond those of the storm, on a machine that is busy with other tests

# Records each descriptor that this process closes although it is not open.
WATCHED_CLOSE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t watched;

__attribute__((constructor)) static void begin(void) { watched = getpid(); }

int close(int number)
{
    long result = syscall(SYS_close, number);
    int error = errno;
    if (result != 0 && error == EBADF && getpid() == watched) {
        int report = open(getenv("CLOSED_TWICE"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dprintf(report, "%d\n", number);
        syscall(SYS_close, report);
    }
    errno = error;
    return (int)result;
}
"""


def storm(seconds: float, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Twelve ports that are opened and closed beside four children."""
    return subprocess.run(
        [sys.executable, "-m", "tests.programmer.port_storm", str(seconds)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        timeout=seconds + DEADLINE,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_children_close_no_port() -> None:
    """uvloop closed a child's pipe twice; a port that had got the same number in between was closed with it."""
    done = storm(2)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.line
def test_no_descriptor_is_closed_twice(tmp_path: Path) -> None:
    """By then the number may belong to another slot, and the mistake goes mostly unnoticed."""
    source, library, report = (tmp_path / name for name in ("close.c", "close.so", "report"))
    source.write_text(WATCHED_CLOSE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source], check=True)
    report.touch()
    done = storm(0.5, {"LD_PRELOAD": str(library), "CLOSED_TWICE": str(report)})
    assert report.read_text() == ""
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.line
@pytest.mark.timeout(900)
def test_children_close_no_port_in_a_long_time() -> None:
    """Within twenty seconds the process used to abort, or to spin on a number that its loop still watched."""
    done = storm(20)
    assert done.returncode == 0, done.stderr[-2000:]
