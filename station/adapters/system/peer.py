# SPDX-License-Identifier: Apache-2.0
"""The account at the other end of a UNIX socket, as the kernel knows it: the peer cannot claim another."""

import os
import pwd
import socket
import struct
from pathlib import Path

from station.domain.intervention import LONGEST_ACCOUNT, is_one_line

_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): process, user, group
_NO_LOGIN = 0xFFFFFFFF  # `(uid_t) -1`: the process belongs to no login


def account(connection: socket.socket, processes: Path = Path("/proc")) -> str:
    """The peer's account: the person who logged in, which sudo does not change, or else the user of the process.

    Only the station's own account and root may open the control socket, so the user alone would not name a person.
    """
    if not hasattr(socket, "SO_PEERCRED"):  # a system other than Linux
        return name_of(os.getuid())
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _group = _CREDENTIALS.unpack(credentials)
    login = _login_of(processes / str(process))
    return name_of(user if login is None else login)


def name_of(user: int) -> str:
    """The user's name, or the number if it has none that can be printed."""
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
    return name if name and is_one_line(name, LONGEST_ACCOUNT) else str(user)


def _login_of(process: Path) -> int | None:
    try:
        login = int((process / "loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):  # the process has ended or is hidden, or the kernel has no audit
        return None
    return None if login == _NO_LOGIN else login
