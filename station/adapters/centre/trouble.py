# SPDX-License-Identifier: Apache-2.0
"""The ways in which the centre fails a station, and which of them an error of psycopg is."""

from dataclasses import dataclass

import psycopg

from station.adapters.system.shown import shown
from station.domain.shared import Refusal

# Connection lost, no resources left (disk, memory, connections), the server stops or cancels, its disk is bad.
AWAY_CLASSES = frozenset({"08", "53", "57", "58"})
# A standby answers; this session was idle in its transaction for too long; the server does not know whether it committed.
AWAY_STATES = frozenset({"25006", "25P03", "40003"})


@dataclass(eq=False)
class CentreUnreachable(Exception):
    """The centre gave no answer in time. Whether it did what it was asked is unknown: ask again."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class CentreRefused(Exception):
    """The centre was reached, and gives or takes nothing."""

    refusal: Refusal
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False)
class CentreBroken(Exception):
    """The centre's database refuses a statement: a right is missing, the schema is another one, or it is our bug."""

    sqlstate: str
    """Five characters, or empty if psycopg refused the statement before it was sent."""
    reason: str

    def __str__(self) -> str:
        return f"SQLSTATE {self.sqlstate or 'none'}: {self.reason}"


def trouble(error: psycopg.Error) -> CentreUnreachable | CentreBroken:
    """Translates an error; its DETAIL, which may hold a row's content, stays out."""
    state = error.sqlstate
    said = error.diag.message_primary or str(error) or type(error).__name__
    reason = shown(said.partition("\n")[0])
    if state is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return CentreUnreachable(reason)
    if state is not None and (state[:2] in AWAY_CLASSES or state in AWAY_STATES):
        return CentreUnreachable(reason)
    return CentreBroken(state or "", reason)
