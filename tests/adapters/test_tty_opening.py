# SPDX-License-Identifier: Apache-2.0
"""Opening a serial port: a board that is pulled meanwhile, and a port that another program holds at first."""

import asyncio
import fcntl
import os
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.board import tty
from station.faults.slot import TTYLost, TTYUnavailable
from tests.builders.wire import wired

IO_ERROR = (5, "Input/output error")


@pytest.mark.parametrize("call", ["tcgetattr", "tcsetattr", "tcflush"])
@pytest.mark.parametrize("number", range(1, 4))
async def test_a_pull_while_the_port_is_opened_is_the_ports_fault(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """The board is pulled at each terminal call that opens and sets up the port."""
    genuine: Callable[..., object] = getattr(termios, call)  # type: ignore[explicit-any]  # each has its own arguments
    board, station = os.openpty()
    path = os.ttyname(station)
    os.close(station)
    pulls = count(1)

    def pulled(*arguments: object) -> object:
        if next(pulls) == number:
            os.close(board)
        return genuine(*arguments)

    monkeypatch.setattr(termios, call, pulled)
    with pytest.raises((TTYUnavailable, TTYLost)):
        async with tty.opened(path, 115200) as port, asyncio.timeout(200):
            if next(pulls) <= number:
                os.close(board)
            await port.receive()


@pytest.mark.parametrize("call", ["tcsetattr", "tcflush"])
async def test_an_error_of_the_terminal_is_told_in_words(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """`termios.error` is not an `OSError`, and its text is a tuple."""

    def fail(*_: object) -> None:
        raise termios.error(*IO_ERROR)

    monkeypatch.setattr(termios, call, fail)
    with wired() as wire, pytest.raises(TTYUnavailable) as raised:
        async with tty.opened(wire.path, 115200):
            pass
    assert raised.value.reason == "Input/output error"


async def test_a_port_whose_set_up_fails_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every descriptor of the port is closed again, whichever call fails."""
    genuine = termios.tcgetattr
    before = descriptors()
    for failing in range(1, 4):
        calls = 0

        def fail(descriptor: int, failing: int = failing) -> object:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise termios.error(*IO_ERROR)
            return genuine(descriptor)

        monkeypatch.setattr(termios, "tcgetattr", fail)
        with wired() as wire, pytest.raises(TTYUnavailable):
            async with tty.opened(wire.path, 115200):
                pass
    async with asyncio.timeout(200):
        while descriptors() > before:
            await asyncio.sleep(0.01)


async def test_a_port_that_another_program_holds_at_first_is_waited_for() -> None:
    """ModemManager holds every new modem-like port for seconds; each retry is logged."""
    with wired() as wire, held(wire.path) as let_go, capture_logs() as logs:
        async with asyncio.timeout(200), asyncio.TaskGroup() as group:
            group.create_task(once_logged(logs, "retry.scheduled", let_go))
            async with tty.opened(wire.path, 115200, free_within=30) as port:
                wire.say(b"ready")
                assert await port.receive() == b"ready"
    assert {(line["event"], line["tty"]) for line in logs} == {("retry.scheduled", wire.path)}


async def test_a_port_that_stays_held_is_unavailable() -> None:
    """After the deadline the fault names the reason."""
    with wired() as wire, held(wire.path), pytest.raises(TTYUnavailable, match="lock"):
        async with tty.opened(wire.path, 115200, free_within=0.1):
            pass


async def test_a_pull_ends_the_wait_for_a_held_port() -> None:
    """The wait ends long before its deadline."""
    with wired() as wire, held(wire.path), capture_logs() as logs:
        async with asyncio.timeout(200), asyncio.TaskGroup() as group:
            group.create_task(once_logged(logs, "retry.scheduled", wire.hang_up))
            with pytest.raises(TTYUnavailable):
                async with tty.opened(wire.path, 115200, free_within=3600):
                    pass


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def held(path: str) -> Iterator[Callable[[], None]]:
    """Another program holds the port's locks until the block ends or the test releases them."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield lambda: fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


async def once_logged(logs: Sequence[Mapping[str, object]], event: str, act: Callable[[], None]) -> None:
    while not any(line["event"] == event for line in logs):
        await asyncio.sleep(0.01)
    act()
