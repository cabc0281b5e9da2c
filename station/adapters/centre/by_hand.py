# SPDX-License-Identifier: Apache-2.0
"""The centre for a person's command or question, in a thread of its own. A station's transactions use `connection`."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from station.adapters.centre.trouble import trouble

CONNECT_WITHIN = 10  # seconds for each host
LOCK_WITHIN = "10s"


@contextmanager
def connected(dsn: str, *, reads_only: bool = False, within: float | None = None) -> Iterator[psycopg.Connection]:
    """A connection whose transaction is committed at the end of the block, and undone if the block raises.

    `within`: the seconds after which the connection is cut, whatever the network does; None waits. Raises
    `CentreUnreachable`, `CentreBroken`, and `ValueError` if libpq cannot read the DSN.
    """
    try:
        with psycopg.connect(_conninfo(dsn, within)) as connection:
            connection.read_only = reads_only
            with _cut_after(within, connection), connection.transaction():
                yield connection
    except psycopg.Error as exc:
        raise trouble(exc) from exc


@contextmanager
def _cut_after(seconds: float | None, connection: psycopg.Connection) -> Iterator[None]:
    """Shuts the connection's socket down if the block takes longer: its thread may wait for a network that is gone."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, _shut_down, [connection])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _shut_down(connection: psycopg.Connection) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)


def _conninfo(dsn: str, within: float | None) -> str:
    """The DSN with this computer's name for it; no error shows a part of it."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ValueError("libpq cannot read the DSN") from None
    settings = f"-c lock_timeout={LOCK_WITHIN}"
    ours = {
        "connect_timeout": given.get("connect_timeout") or (CONNECT_WITHIN if within is None else max(2, int(within))),
        "options": f"{given.get('options') or ''} {settings}".strip(),
        "application_name": "matter-station central",
    }
    return make_conninfo("", **{**given, **ours})
