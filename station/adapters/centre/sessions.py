# SPDX-License-Identifier: Apache-2.0
"""A person's connection to the centre, as its owner or to ask questions."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection

from station.adapters.centre.trouble import CentreUnreachable, trouble
from station.adapters.system.shown import shown

WITHIN = 10.0  # seconds


class Refused(Exception):
    """A person has asked for what cannot be; the sentence says what to do instead."""


@contextmanager
def connected(dsn: str, within: float = WITHIN, *, reads_only: bool = False) -> Iterator[Connection]:
    """Connects within so many seconds; a statement of a connection that only reads may not take longer, either.

    Raises `CentreUnreachable` and `CentreBroken`, also for what happens in the block.
    """
    options = f"-c statement_timeout={int(1000 * within)} -c default_transaction_read_only=on" if reads_only else ""
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=max(2, int(within)), options=options) as connection:
            yield connection
    except psycopg.Error as exc:
        raise trouble(exc) from exc
    except OSError as exc:
        raise CentreUnreachable(shown(exc)) from exc
