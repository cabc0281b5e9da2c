# SPDX-License-Identifier: Apache-2.0
"""What befalls a line for a while: its disk takes nothing more, its clock and the PKI's differ, its printer has no media."""

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.builders.line import Line

TWO_DAYS = 2 * 86_400


@contextmanager
def disk_full(daemon: int) -> Iterator[None]:
    """Lets no file of this process take a byte, as on a full disk, for the block: neither ledger nor log nor a secret's file.

    A daemon's programmers that start meanwhile can write nothing either. Needs no disk of its own, so no root.
    """
    soft, hard = resource.prlimit(daemon, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(daemon, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def clocks_apart(line: Line) -> Iterator[None]:
    """Restarts the PKI at its address with a clock two days ahead, for the block: to the station, its own has stepped back.

    The station notices when an attempt begins after the PKI's first answer.
    """
    url = json.loads((line.folder / "pki" / "ready.json").read_text(encoding="utf-8"))["url"]
    port = urlsplit(str(url)).port
    assert port is not None
    _pki_restarted(line, port, f"--date-offset={TWO_DAYS}")
    try:
        yield
    finally:
        _pki_restarted(line, port)


@contextmanager
def printer_is(folder: Path, mode: str) -> Iterator[None]:
    """Puts the printer into one of its modes for the block. A label of which half is printed is not made whole afterwards."""
    _told(folder, mode)
    try:
        yield
    finally:
        _told(folder, "ready")


def _told(folder: Path, mode: str) -> None:
    new = folder / ".told"
    new.write_text(mode, encoding="ascii")
    new.replace(folder / "mode")


def _pki_restarted(line: Line, port: int, *options: str) -> None:
    process = line.processes["pki"]
    process.send_signal(signal.SIGTERM)
    process.wait()
    line.start_pki(port, *options)
