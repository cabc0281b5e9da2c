# SPDX-License-Identifier: Apache-2.0
"""Loads a firmware into RAM and starts it there, once, to find out whether and how fast that works. No proof of a unit."""

from collections.abc import Callable

from station.adapters.programmer.evidence import FileWritten
from station.adapters.programmer.run import UNDER_RESET, Probe
from station.domain.memory_map import RAM
from station.domain.product import Verify, Write
from station.faults.slot import ProgrammerUnproven

FILE = "ram-agent.bin"


async def run_in_ram(probe: Probe, content: bytes, connected: Callable[[], None]) -> None:
    """Loads, verifies and starts the firmware, without a reset; calls `connected` once no other firmware runs any more.

    Raises the fault that the programmer reports, and `ProgrammerUnproven` where it does not say that each was done.
    """
    write = Write("firmware in RAM", RAM.address, content, Verify.FULL, external=False)
    address = f"0x{RAM.address:08X}"
    with probe.installation.scratch.folder() as folder:
        arguments = ("-d", str(folder.written(FILE, content)), address, "-v", "-s", address)
        async with probe.connected(UNDER_RESET, arguments, lambda by: by.of(write)) as run:
            connected()
            await run.until_end(run.deadlines.of(write))
            if fault := run.fault:
                raise fault
            if lack := run.lacks_uid:
                raise lack
            items = run.transcript.items
            item = items[0] if items else None
            missing = item.missing(write, FILE, erased=False) if isinstance(item, FileWritten) else "any line about it"
            if missing is None and "started" not in run.transcript.facts:
                missing = "its start"
            if missing is not None:
                raise ProgrammerUnproven(write.name, missing)
