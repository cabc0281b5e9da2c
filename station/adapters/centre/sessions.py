# SPDX-License-Identifier: Apache-2.0
"""A person's connection to the centre, as its owner or to ask questions."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection

from station.adapters.centre.trouble import CentreUnreachable, trouble
from station.adapters.system.shown import shown

WITHIN = 10.0  # seconds
NAME = "matter-station central"  # in the server's list of sessions


Session = Connection
"""A person's connection, for modules that do not know psycopg."""


class Refused(Exception):
    """A person has asked for what cannot be; the sentence says what to do instead."""


@contextmanager
def connected(
    dsn: str, within: float = WITHIN, *, reads_only: bool = False, cut_after: float | None = None
) -> Iterator[Connection]:
    """Connects within so many seconds; a statement of a connection that only reads may not take longer, either.

    `cut_after`: the seconds after which the block loses its connection, since a thread that waits for a dead network never
    returns. Raises `CentreUnreachable` and `CentreBroken`, also for what happens in the block.
    """
    options = f"-c statement_timeout={int(1000 * within)} -c default_transaction_read_only=on" if reads_only else ""
    try:
        with (
            psycopg.connect(
                dsn, autocommit=True, connect_timeout=max(2, int(within)), options=options, application_name=NAME
            ) as connection,
            _cut_after(cut_after, connection),
        ):
            yield connection
    except psycopg.Error as exc:
        raise trouble(exc) from exc
    except OSError as exc:
        raise CentreUnreachable(shown(exc)) from exc


@contextmanager
def _cut_after(seconds: float | None, connection: Connection) -> Iterator[None]:
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


def _shut_down(connection: Connection) -> None:
    try:
        number = connection.fileno()
    except psycopg.OperationalError:  # it has ended by itself
        return
    with socket.socket(fileno=os.dup(number)) as own:
        own.shutdown(socket.SHUT_RDWR)
