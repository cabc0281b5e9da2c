# SPDX-License-Identifier: Apache-2.0
"""The server: one process that holds every board, the one clock, and both sockets."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from virtual_bench.bench.bench import Bench
from virtual_bench.bench.versions import DEFAULT_VERSION, VERSIONS, Version
from virtual_bench.board.stack_image import SHIPPED_FUS, SHIPPED_STACK, version_word
from virtual_bench.faults.armed import Fault
from virtual_bench.hub.hub import Hub
from virtual_bench.hub.translator import HubKind
from virtual_bench.journal import Journal
from virtual_bench.programmer import standin
from virtual_bench.server import devices
from virtual_bench.server.control import READY, Control
from virtual_bench.timing.clock import Clock
from virtual_bench.timing.profile import DEFAULT_PROFILE, PROFILES, Profile

LONGEST = 60  # bytes of the folder of sockets: a socket's path has some hundred
SHORT = "/tmp"  # noqa: S108  the folder in it is private


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a serving bench."""

    directory: Path
    probes: int = 8
    seed: int = 1
    time_scale: float = 1.0
    profile: Profile = PROFILES[DEFAULT_PROFILE]
    version: Version = VERSIONS[DEFAULT_VERSION]
    faults: list[Fault] = field(default_factory=list)
    fus: int = version_word(SHIPPED_FUS)
    stack: int | None = version_word(SHIPPED_STACK)
    hub: HubKind = HubKind.MULTI_TT
    noise: bool = False


async def serve(settings: Settings, ready: Callable[[Path], None]) -> None:
    """Serves until SIGINT or SIGTERM. Raises BenchTaken if another process serves that directory, and OSError."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with opened(settings):
        ready(settings.directory / READY)
        await stopped.wait()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Hub]:
    """A bench that serves for the block; at its end all boards are pulled out, and their files stay."""
    directory = settings.directory
    directory.mkdir(parents=True, exist_ok=True)
    with (
        Journal(directory / "bench.jsonl") as journal,
        tempfile.TemporaryDirectory(prefix="bench-", dir=_place_of_sockets()) as sockets,
        devices.shown(directory),
    ):
        ready = directory / READY
        ready.unlink(missing_ok=True)  # a killed bench has left it
        async with asyncio.TaskGroup() as tasks:
            bench = Bench(
                directory=directory,
                seed=settings.seed,
                clock=Clock(settings.time_scale),
                profile=settings.profile,
                version=settings.version,
                journal=journal,
                tasks=tasks,
                armed=list(settings.faults),
                fus=settings.fus,
                stack=settings.stack,
                noise=settings.noise,
            )
            hub = Hub(bench, settings.probes, settings.hub)
            try:
                async with _listening(bench, hub, Path(sockets)):
                    yield hub
            finally:
                hub.close()
                ready.unlink(missing_ok=True)


def _place_of_sockets() -> str:
    """The folder of temporary files, if it is short enough. A service does not see this machine's /tmp: set TMPDIR for it."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= LONGEST else SHORT


@asynccontextmanager
async def _listening(bench: Bench, hub: Hub, sockets: Path) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    executable = standin.install(bench.directory, sockets / "programmer")
    programmer = await loop.create_unix_server(lambda: standin.Connection(bench, hub), sockets / "programmer")
    control = await loop.create_unix_server(lambda: Control(bench, hub), sockets / "control")
    described = {
        "pid": os.getpid(),
        "socket": str(sockets / "control"),
        "programmer": str(executable),
        "serial_dir": str(hub.serial_dir),
        "probes": [{"port": port, "path": hub.path(port)} for port in hub.ports],
    }
    unfinished = bench.directory / f".{READY}"
    unfinished.write_text(json.dumps(described) + "\n")
    unfinished.rename(bench.directory / READY)  # so that a waiting process never reads half a file
    try:
        yield
    finally:
        programmer.close()
        control.close()
