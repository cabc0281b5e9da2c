# SPDX-License-Identifier: Apache-2.0
"""A demonstration that is stopped also stops bench, PKI, daemon and programmers."""

import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.builders.station_demo import SHORT_DEADLINES, heard, running

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

AS_IN_A_SCRIPT = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")  # like `&` in a script, ignores SIGINT


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP]],
    ids=["Ctrl-C", "Ctrl-C, impatiently", "a supervisor", "a closed terminal"],
)
def test_a_demonstration_that_is_told_to_end_leaves_nothing_running(
    tmp_path: Path, signals: list[signal.Signals]
) -> None:
    """Each slot has a transfer in progress; the exit status shows the interruption."""
    place = tmp_path / "line"
    demonstration = [sys.executable, "-m", "station", "demo", "--boards", "2", "--dir", str(place)]
    with heard([*AS_IN_A_SCRIPT, *demonstration]) as process:
        try:
            while not any("STM32_Programmer_CLI" in line and " -d " in line for line in running(place)):
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.send_signal(signals[0])
        assert process.stdout is not None
        assert any("being stopped" in line for line in process.stdout)  # reads no further than that line
        for number in signals[1:]:
            process.send_signal(number)
        told, _ = process.communicate()
    assert process.returncode == 130
    assert f"Kept: {place}" in told
    assert running(place) == []


UNEXPECTED = """
[[fault]]
board = 1
at = "flash_data"
what = "verify_mismatch"
expect = { verdict = "pass" }
"""


@pytest.mark.parametrize(("faults", "code"), [("", 0), (UNEXPECTED, 1)], ids=["as expected", "a surprise"])
def test_a_demonstration_stays_until_ctrl_c_and_ends_with_its_verdicts(tmp_path: Path, faults: str, code: int) -> None:
    """Its page is at a port of its own, since another program has the usual one."""
    place, file = tmp_path / "line", tmp_path / "faults.toml"
    file.write_text(faults)
    options = ("--boards", "1", "--time-scale", "0", "--stay", "--dir", str(place), "--faults", str(file))
    with (
        usual_port_taken(),
        heard(
            [*AS_IN_A_SCRIPT, sys.executable, "-m", "station", "demo", *options],
            **SHORT_DEADLINES | {"STATION__WEB__LISTEN": ""},
        ) as process,
    ):
        assert process.stdout is not None
        told = []
        try:
            for line in process.stdout:
                told.append(line.rstrip("\n"))
                if line.startswith("The page stays up until Ctrl-C: "):
                    break
            url = told[-1].split(": ", 1)[1]
            assert f"      The operator's page: {url} (port 8470 is taken)" in told
            assert any(line.startswith("1 boards: ") for line in told)
            with urlopen(url, timeout=60) as page:  # noqa: S310  our own page
                assert b"<title>" in page.read()
        finally:
            process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
    assert process.returncode == code, rest
    assert "being stopped" in rest
    assert ("board 1 ended as fail (flash.mismatch), expected pass" in rest) == bool(code)
    assert running(place) == []


@contextmanager
def usual_port_taken() -> Iterator[None]:
    """Takes the port of a line's page, once no other demonstration has it."""
    with closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            with suppress(OSError):
                taken.bind(("127.0.0.1", 8470))
                break
            time.sleep(0.1)
        taken.listen()
        yield


@pytest.mark.parametrize("lines", [0, 1, 6])
def test_a_demonstration_whose_output_is_closed_leaves_no_folder(tmp_path: Path, lines: int) -> None:
    """Like `station demo | head -1`: nobody is told any more where its files are."""
    with heard([sys.executable, "-m", "station", "demo", "--boards", "1"], TMPDIR=str(tmp_path)) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 1
    assert list(tmp_path.glob("station-demo-*")) == []
    assert running(tmp_path) == []
