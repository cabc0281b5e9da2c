# SPDX-License-Identifier: Apache-2.0
"""The receiver as a process that a run can kill: `python -m tests.mes.receiver_process FOLDER PORT`.

It keeps what it has taken in `mes.jsonl` of its folder, and its port in the file `receiver-port`. It can be held in the
middle of a request, as the daemon can (`tests/line/held.py`).
"""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.line import held
from tests.mes.receiver import Receiver, receiving

TAKEN, PORT_FILE = "mes.jsonl", "receiver-port"
MOMENT = "in the webhook's hands"


@dataclass
class Keeping(Receiver):
    """Writes each event down before it confirms it."""

    folder: Path = Path()

    async def _reply(self, event: dict[str, object]) -> web.StreamResponse | None:
        reply = await super()._reply(event)
        with (self.folder / TAKEN).open("a", encoding="utf-8") as taken:
            taken.write(f"{json.dumps(event)}\n")
        return reply


def taken(folder: Path) -> list[dict[str, object]]:
    """All events that the receiver of this folder has taken, repetitions included."""
    file = folder / TAKEN
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


async def serve(folder: Path, port: int) -> None:
    """Serves until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    receiver = Keeping(before_answer=lambda: held.passing(folder, MOMENT), folder=folder)
    async with receiving(receiver, port=port):
        begun = folder / f".{PORT_FILE}"
        begun.write_text(receiver.url.rpartition(":")[2], encoding="ascii")
        begun.replace(folder / PORT_FILE)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
