# SPDX-License-Identifier: Apache-2.0
"""The model of ST's tool makes the calls of ST's tool, in their order, and is as credulous; here at a programmer that only notes them."""

import json
import os
import re
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import st_tool

PROGRAMMER = """#!/bin/sh
call=$(printf '%s|' "$@")
echo "$call" >> calls
case "$*" in
-l) printf '=====  UART Interface  =====\\n\\n'
    printf 'Board Name  : STM32WB5MM-DK\\nST-LINK SN: %s\\nPort: %s\\nLocation: x\\n\\n' BBBB ttyACM10 AAAA ttyACM9;;
*"$REFUSED"*) exit 1;;
esac
"""
WRITES = [("provisioner.bin", "0x08000000"), ("data_{port}.bin", "0x901C0000"), ("application.bin", "0x08000000")]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files, the programmer and a serial port; firmware and tool are in a hurry."""
    for name in ("provisioner.bin", "data.bin", "application.bin"):
        (tmp_path / name).write_text(name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cli").write_text(PROGRAMMER)
    (tmp_path / "bin" / "cli").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REFUSED", "nothing")
    monkeypatch.setattr(st_tool, "READ_WITHIN", 0.1)
    monkeypatch.setattr(st_tool, "SLEEP", 0.01)
    return tmp_path


@contextmanager
def firmware(desk: Path, ports: dict[str, str]) -> Iterator[None]:
    """At each of these ports a firmware that repeats its word, without an end of line."""
    over = threading.Event()
    threads, ends = [], []
    for port, digits in ports.items():
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        ends += [ours, theirs]
        (desk / port).symlink_to(os.ttyname(theirs))
        word = f"finish:{digits}".encode() + bytes(6)
        threads.append(threading.Thread(target=_say, args=(ours, word, over)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        for end in ends:
            os.close(end)


def _say(descriptor: int, word: bytes, over: threading.Event) -> None:
    os.set_blocking(descriptor, False)
    while not over.wait(0.4):
        try:
            os.write(descriptor, word)
        except BlockingIOError:  # nobody reads for a long time
            continue


def calls(desk: Path) -> list[list[str]]:
    return [line.split("|")[:-1] for line in (desk / "calls").read_text().splitlines()]


def run(desk: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    """What the model says of each board, by port, in the order of the list."""
    st_tool.main(["bin/cli", "provisioner.bin", "data.bin", "application.bin"])
    return {board["port"]: board for board in json.loads(capsys.readouterr().out)["boards"]}


def expected(probe: str, port: str, writes: int) -> list[list[str]]:
    """A run for each file, which resets, and one that only resets."""
    connect = ["-c", "port=SWD", f"sn={probe}", "mode=UR"]
    quiet = ["--quietMode", "--verbosity 1"]
    loader = ["-el", "bin/ExternalLoader/S25FL128S_STM32WB5MM-DK.stldr"]
    found = []
    for name, address in WRITES[:writes]:
        found.append([*connect, *loader, "-d", name.format(port=port), address, "-V", *quiet, "-rst"])
        found.append([*connect, "-rst", *quiet])
    return found


def test_each_board_has_six_calls_after_one_list(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Boards come in the order of their ports' numbers; the file with the factory data is gone afterwards."""
    with firmware(desk, {"ttyACM9": "000", "ttyACM10": "000"}):
        found = run(desk, capsys)
    assert list(found) == ["ttyACM9", "ttyACM10"]
    assert [(board["statuses"], board["said"]) for board in found.values()] == [([0, 0, 0], "000")] * 2
    made = calls(desk)
    assert made[0] == ["-l"]
    for probe, port in (("AAAA", "ttyACM9"), ("BBBB", "ttyACM10")):
        of_one = [[word.removeprefix(f"{desk}/") for word in call] for call in made if f"sn={probe}" in call]
        assert of_one == expected(probe, port, 3)
    assert not list(desk.glob("data_*"))


def test_a_write_that_fails_is_the_boards_last_call(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its port is not opened for the firmware's word, and the file with the factory data stays behind."""
    monkeypatch.setenv("REFUSED", "0x901C0000")
    with firmware(desk, {"ttyACM9": "000"}):
        (board,) = run(
            desk, capsys
        ).values()  # the other port of the list is in use elsewhere, so that board is passed over
    assert (board["statuses"], board["said"]) == ([0, 1], None)
    assert len(calls(desk)) == 1 + 3
    assert (desk / "data_ttyACM9.bin").exists()


def test_a_firmware_that_reports_an_error_gets_no_application(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with firmware(desk, {"ttyACM9": "001"}):
        (board,) = run(desk, capsys).values()
    assert (board["statuses"], board["said"]) == ([0, 0], "001")
    assert not re.search("application", (desk / "calls").read_text())
