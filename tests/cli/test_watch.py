# SPDX-License-Identifier: Apache-2.0
"""`station watch`: what it prints, how it ends, and the terminal that it leaves behind."""

import fcntl
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import termios
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer import BadParameter

from station.cli.watch import source
from station.config.line import Config, validated
from tests.builders.forge import PAA
from tests.builders.small_line import small_line
from tests.cli.hostile import TEXT, check_harmless, daemon, status
from tests.web.fake_door import FakeDoor, mixed, paused, slot
from tests.web.in_a_thread import served_in_a_thread
from tests.web.test_follower import scripted

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ALTERNATE_SCREEN, ORIGINAL_SCREEN, HOME = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H"
SHOWN_CURSOR = "\x1b[?25h"
STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*\b(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])\b")


def watch(*options: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "station", "watch", *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


OPEN = FakeDoor([slot("1", "pass"), slot("2", "fail", "flash.mismatch"), slot("3")])
PAUSED = FakeDoor([slot("1")])
PAUSED.state = paused("pki.unavailable")
OUT = FakeDoor([slot("1"), slot("2", "out of service", "slot.held", service="out")])


@pytest.mark.parametrize(
    ("door", "code", "words"), [(OPEN, 0, "1 ✓ PASS"), (PAUSED, 1, "Line paused"), (OUT, 1, "⊘ OUT")]
)
def test_once_prints_the_board_and_tells_by_its_exit_code(door: FakeDoor, code: int, words: str) -> None:
    """A board that failed is the board's, and the line works on."""
    with served_in_a_thread(door) as url:
        done = watch("--once", "--url", url)
    assert (done.returncode, done.stderr) == (code, "")
    assert words in done.stdout
    assert "\x1b" not in done.stdout


def test_once_does_not_wait_for_a_line_that_is_not_there() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        done = watch("--once", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert "Connection refused" in done.stdout
    assert "Not connected" in done.stdout


def test_the_words_are_those_of_the_language() -> None:
    with served_in_a_thread(OPEN) as url:
        assert "GUT" in watch("--once", "--url", url, "--language", "de").stdout
        assert "合格" in watch("--once", "--url", url, "--language", "zh").stdout


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8470",
        "ftp://127.0.0.1/",
        "http://",
        "http://u:p@127.0.0.1/",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1:0/",
        "http://x:y",
    ],
)
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    with pytest.raises(BadParameter, match="expected the page's address"):
        source.at(url)


async def test_an_address_may_end_with_a_stroke() -> None:
    assert await source.at("https://line1:8470")() == await source.at("https://line1:8470/")() == "https://line1:8470/"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("hunter2", 0o644, "chmod 600"),
        ("hunter 2", 0o600, "no token"),
        ("", 0o600, "no token"),
        (None, 0, "No such file"),
    ],
)
def test_a_token_is_read_from_a_file_of_ones_own(tmp_path: Path, content: str | None, mode: int, words: str) -> None:
    """The complaint does not show it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(BadParameter, match=words) as refused:
        source.bearer(file)
    assert "hunter" not in str(refused.value)
    file.write_text("hunter2\n")
    file.chmod(0o600)
    assert source.bearer(file) == {"Authorization": "Bearer hunter2"}
    assert source.bearer(None) == {}


@pytest.mark.parametrize("url", ["https://line1/", "http://127.0.0.1:8470/", "http://[::1]:8470/", "http://localhost/"])
def test_a_token_goes_where_nobody_listens(url: str) -> None:
    source.check_safe(url)


@pytest.mark.parametrize("url", ["http://192.0.2.1:8470/", "http://line1/", "http://localhost.example/"])
def test_a_token_does_not_go_where_others_listen(url: str) -> None:
    with pytest.raises(BadParameter, match="https only"):
        source.check_safe(url)


def test_a_private_ca_must_be_one(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    assert source.trusting(None).verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(BadParameter):
        source.trusting(file)
    file.write_text("nothing")
    with pytest.raises(BadParameter, match=r"ca\.pem"):
        source.trusting(file)
    certificate = x509.load_der_x509_certificate(PAA.der)
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    assert len(source.trusting(file).get_ca_certs()) == 1


async def test_the_line_tells_where_its_page_is(tmp_path: Path) -> None:
    """The configured address is for a daemon that is not there; port 0 is none."""
    told = {"[web]": "", "[web] with port 0": '[web]\nlisten = "127.0.0.1:0"\n'}
    absent, free = (configured(tmp_path, more) for more in told.values())
    assert await source.of_line(absent)() == "http://127.0.0.1:8470/"
    with pytest.raises(ConnectionError, match=r"No daemon answers|no daemon answers"):
        await source.of_line(free)()
    said = status("as always")
    assert said.page is not None
    served = said.model_copy(update={"page": said.page.model_copy(update={"url": "https://line1/"})})
    with daemon(absent.control_socket, served):
        assert await source.of_line(absent)() == await source.of_line(free)() == "https://line1/"
    with daemon(absent.control_socket, said.model_copy(update={"page": None})), pytest.raises(ConnectionError):
        await source.of_line(configured(tmp_path, "[web]\non = false\n"))()


def configured(folder: Path, more: str) -> Config:
    text = small_line("1") + more
    return validated(folder / "line.toml", tomllib.loads(text), {})


def test_a_pipe_gets_a_line_for_each_change(tmp_path: Path) -> None:
    """Nothing has a colour, since nobody could take it back."""
    with scripted(4) as (process, url):
        output = tmp_path / "output"
        with output.open("wb") as file, started("--url", url, output=file.fileno()) as watching:
            until(output, "Slot 4 fail")
            process.kill()
            until(output, "Not connected")
            watching.send_signal(signal.SIGINT)
            assert watching.wait() == 130
    lines = output.read_text().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  Line open", lines[0])
    assert "Slot 2 pass" in lines[2]
    assert "\x1b" not in output.read_text()


@contextmanager
def started(*options: str, output: int, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "station", "watch", *options],
        stdin=output,
        stdout=output,
        stderr=output,
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}, **more},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(file: Path, words: str) -> None:
    """Waits for these words in a file that grows; the test's own limit ends a vain wait."""
    while words not in file.read_text():
        time.sleep(0.02)


class Terminal:
    """A terminal of a size, and what was written to it."""

    def __init__(self, lines: int, columns: int) -> None:
        self._ours, self.theirs = os.openpty()
        self.written = b""
        self.resize(lines, columns)

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self) -> None:
        self.written += os.read(self._ours, 1 << 16)

    def until(self, words: str) -> None:
        """Reads until these words were written, styles apart."""
        while words not in STYLES.sub("", self.written.decode(errors="replace")):
            self.read()

    def until_screens(self, count: int) -> None:
        """Reads until the program has taken the whole terminal so many times."""
        while self.written.count(ALTERNATE_SCREEN.encode()) < count:
            self.read()

    def frames(self) -> list[str]:
        """The pictures so far, without their colours; the last may not be whole, and is left out."""
        pictures = self.written.decode(errors="replace").split(HOME)[1:-1]
        return [STYLES.sub("", each).replace("\r", "").strip("\n") for each in pictures]

    def rest(self) -> str:
        """Reads to the end."""
        os.close(self.theirs)
        try:
            while more := os.read(self._ours, 1 << 16):
                self.written += more
        except OSError:  # Linux reports the last program's end as EIO
            pass
        os.close(self._ours)
        return self.written.decode()


def test_a_terminal_is_left_as_it_was() -> None:
    """It shows the board, takes every colour when the station is killed, and ends with the shells' code."""
    terminal = Terminal(24, 80)
    with scripted(8) as (process, url):
        with started("--url", url, output=terminal.theirs, TERM="xterm-256color", COLORTERM="truecolor") as watching:
            terminal.until("2 ✓ PASS")
            process.kill()
            terminal.until("Not connected")
            terminal.until("Connection refused")
            watching.send_signal(signal.SIGINT)
            assert watching.wait() == 130
        output = terminal.rest()
    before, live = output.split(ALTERNATE_SCREEN)
    live, after = live.split(ORIGINAL_SCREEN)
    assert (STYLES.sub("", before), STYLES.sub("", after).strip()) == ("", "")
    assert SHOWN_CURSOR in output
    frames = live.split(HOME)
    lost = [frame for frame in frames if "Not connected" in frame]
    assert lost
    assert [frame for frame in lost if COLOUR.search(frame)] == []
    assert any("48;2;39;199;128" in frame for frame in frames)


def test_a_terminal_may_change_its_size_and_is_given_back_for_ctrl_z() -> None:
    """Each picture is as large as the terminal. A supervisor ends it."""
    terminal = Terminal(45, 120)
    with scripted(64) as (_, url):
        with started("--url", url, output=terminal.theirs, TERM="xterm-256color") as watching:
            terminal.until("64 ✗ FAIL")
            seen = len(terminal.frames())
            while len(terminal.frames()) == seen:
                terminal.read()
            assert size(terminal.frames()[-1]) == (45, 120)
            terminal.resize(24, 80)
            while size(terminal.frames()[-1]) != (24, 80):
                terminal.read()
            assert "64 ✗ FAIL" in terminal.frames()[-1]
            watching.send_signal(signal.SIGTSTP)
            while ORIGINAL_SCREEN.encode() not in terminal.written:
                terminal.read()
            os.waitid(os.P_PID, watching.pid, os.WSTOPPED | os.WNOWAIT)  # it stops a moment after its last word
            watching.send_signal(signal.SIGCONT)
            terminal.until_screens(2)
            watching.send_signal(signal.SIGTERM)
            assert watching.wait() == 130
        terminal.rest()


def size(frame: str) -> tuple[int, int]:
    lines = frame.split("\n")
    return len(lines), max(map(len, lines))


def test_another_version_starts_the_program_anew() -> None:
    """The station was upgraded beneath it. Its process stays the same. A closed terminal ends it."""
    with scripted(2) as (process, url):
        listen = url.removeprefix("http://").rstrip("/")
        terminal = Terminal(24, 80)
        with started("--url", url, output=terminal.theirs, TERM="xterm-256color") as watching:
            terminal.until("2 ✓ PASS")
            process.kill()
            process.wait()
            other = [
                sys.executable,
                "-m",
                "tests.web.scripted_line",
                f"--listen={listen}",
                "--slots=3",
                "--language=de",
            ]
            with subprocess.Popen(other, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as newer:
                try:
                    terminal.until("3 ◔ RUNNING")
                    terminal.until_screens(2)
                    watching.send_signal(signal.SIGHUP)
                    assert watching.wait() == 130
                finally:
                    newer.kill()
        terminal.rest()


def test_no_terminal_obeys_an_answer(tmp_path: Path) -> None:
    """The text is in a slot's reason, and in the name of a file."""
    door = FakeDoor(mixed(2))
    door.put(slot("1", "fail", "flash.mismatch").model_copy(update={"reason": TEXT, "slot": TEXT}))
    with served_in_a_thread(door) as url:
        done = watch("--once", "--url", url)
    check_harmless(done.stdout)
    assert json.dumps(done.stdout).count("nope")
