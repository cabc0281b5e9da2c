# SPDX-License-Identifier: Apache-2.0
"""The account at the other end of a socket."""

import asyncio
import json
import os
import pwd
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from station.adapters.system import peer
from station.daemon import control
from station.domain.intervention import LONGEST_ACCOUNT

NOBODY_HAS = 0x7FFF_FF00


@pytest.fixture
def ours() -> Iterator[socket.socket]:
    """One end of a pair, whose other end this process has, too."""
    near, far = socket.socketpair()
    with near, far:
        yield near


def processes(folder: Path, login: str) -> Path:
    """A folder like /proc, in which this process has that login."""
    process = folder / str(os.getpid())
    process.mkdir()
    (process / "loginuid").write_text(login)
    return folder


def test_the_login_is_the_account(ours: socket.socket, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    assert peer.account(ours, processes(tmp_path, str(nobody.pw_uid))) == "nobody"


@pytest.mark.parametrize("login", ["4294967295", "", "no number"])
def test_without_a_login_the_user_is_the_account(ours: socket.socket, tmp_path: Path, login: str) -> None:
    assert peer.account(ours, processes(tmp_path, login)) == peer.name_of(os.getuid())


def test_a_process_that_cannot_be_seen_has_a_user(ours: socket.socket, tmp_path: Path) -> None:
    assert peer.account(ours, tmp_path) == peer.name_of(os.getuid())


def test_a_user_without_a_name_is_a_number() -> None:
    assert peer.name_of(NOBODY_HAS) == str(NOBODY_HAS)


@pytest.mark.parametrize("name", ["", "two\nlines", "\x1b[2J", "x" * (LONGEST_ACCOUNT + 1)])
def test_a_name_that_cannot_be_shown_is_a_number(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda user: pwd.struct_passwd((name, "x", user, user, "", "/", "/bin/sh")))
    assert peer.name_of(7) == "7"


async def test_a_client_cannot_claim_another_account(ours: socket.socket, tmp_path: Path) -> None:
    """The daemon's commands get the account that the kernel knows."""

    async def told(question: Mapping[str, object]) -> control.Answer:
        return {"who": question["who"]}

    path = tmp_path / "station.sock"
    async with control.serving(path, {"hold": told}):
        claimed = await asyncio.to_thread(control.ask, path, "hold", who="somebody else")
        assert claimed == {"who": peer.account(ours)}
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(json.dumps(["hold"]).encode() + b"\n")
        assert "not a command" in json.loads(await reader.readline())["error"]
        writer.close()
