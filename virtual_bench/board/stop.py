# SPDX-License-Identifier: Apache-2.0
"""The ways to end a run of the programmer from outside."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """One way: the exit status, and the tool's last output."""

    status: int
    last_words: str = ""


INTERRUPTED = Stop(130)
TERMINATED = Stop(143)
KILLED = Stop(137)
PROBE_GONE = Stop(1, "Error: ST-LINK error (DEV_USB_COMM_ERR)")
TARGET_LOST = Stop(1, "Error: ST-LINK error (DEV_TARGET_CMD_ERR)")
DEAF_TO = {"nothing": (), "interrupt": (INTERRUPTED,), "all": (INTERRUPTED, TERMINATED)}
