# SPDX-License-Identifier: Apache-2.0
"""The virtual printer as a process beside a line, and a recipe that prints on it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.builders.line import Line

LABEL = '[label]\nsize_mm = [50, 25]\nprinter = "tcp://127.0.0.1:{port}"\nrequired = true'
WIDTH_MM, HEIGHT_MM, DOTS_A_MM = 50, 25, 8  # of LABEL, at the 203 dpi that are the default


@contextmanager
def printing(folder: Path, mode: str = "ready") -> Iterator[str]:
    """The printer for the block, with `printer` in this folder as its tray. Yields the recipe's table of labels."""
    tray = folder / "printer"
    tray.mkdir()
    (tray / "mode").write_text(mode)
    (folder / "logs").mkdir(exist_ok=True)
    running = Line(folder, folder)
    running.start("printer", "virtual_bench", "printer", "--dir", str(tray))
    try:
        running.wait_for("printer", (tray / "port").exists)
        yield LABEL.format(port=(tray / "port").read_text())
    finally:
        running.processes["printer"].send_signal(signal.SIGTERM)
        running.processes["printer"].wait()
