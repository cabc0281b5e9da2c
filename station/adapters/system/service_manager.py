# SPDX-License-Identifier: Apache-2.0
"""What systemd hears from the daemon: readiness, the watchdog, and the end (sd_notify(3), systemd.service(5) `Type=notify`)."""

import asyncio
import os
import socket
from collections.abc import Mapping

import structlog

log = structlog.get_logger()


class ServiceManager:
    """Sends notifications to the socket that systemd names in the environment; without one, sends nothing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the abstract namespace, whose names begin with a zero byte.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.watchdog_every = _watchdog_every(environment)

    def ready(self, status: str) -> None:
        """The line serves: units that are ordered behind this one may start."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    async def feed_watchdog(self) -> None:
        """Shows that the event loop turns, for as long as the caller lets it; returns at once without a watchdog."""
        if self.watchdog_every is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_every)

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a notification must never hold up the loop
                sender.sendto(state.encode(), self._address)
        except OSError as exc:
            log.warning("service.unnotified", state=state.partition("=")[0], reason=exc.strerror or str(exc))


def _watchdog_every(environment: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life, a third of the deadline; None without a watchdog, or with one for another process."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    process = environment.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if process and process != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000 / 3
