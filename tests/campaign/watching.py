# SPDX-License-Identifier: Apache-2.0
"""What a campaign looks at while it runs: its processes, the daemons' memory and open files, and what they and their pages answer."""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from station.daemon import control
from tests.campaign.canaries import ProcessSampler
from tests.campaign.world import At, World

TOLD_EVERY = 50  # boards
ASKED_EVERY = 10  # boards
PATIENCE = 5.0  # of whoever looks at a page
COMMANDS = ("status", "label_status")
PAGES = (
    "", "units", "attempts", "events", "lots", "numbers", "metrics", "api/v1/line", "api/v1/slots", "api/v1/units",
    "api/v1/attempts", "api/v1/events", "api/v1/numbers", "api/v1/outbox",
)  # fmt: skip


@dataclass
class Watch:
    """Looks at all stations; `samples` are for the referee, and the answers stay in a folder beside the ledger."""

    world: World
    sampler: ProcessSampler
    boards: int
    samples: list[dict[str, object]] = field(default_factory=list)
    answers: int = 0

    def look(self, began: int) -> None:
        """When so many boards have been seated."""
        if began % TOLD_EVERY == 0:
            sys.stdout.write(f"{began} of {self.boards} boards are seated\n")
            sys.stdout.flush()
        self.sampler.sample(each.pid for each in self.world.line.processes.values())
        for station in self.world.stations:
            self._sample(station)
            if began % ASKED_EVERY == 0:
                self._ask(station)

    def _sample(self, station: At) -> None:
        pid = station.daemon.pid
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        opened = _opened(pid)
        files = sum(opened.values())
        rss = pages * os.sysconf("SC_PAGE_SIZE")
        self.samples.append(
            {"at": time.time(), "station": station.name, "pid": pid, "rss": rss, "fds": files, "opened": opened}
        )

    def _ask(self, station: At) -> None:
        """What the daemon cannot answer now it answers another time."""
        folder = station.state / "answers"
        folder.mkdir(exist_ok=True)
        for name, content in _answers(station):
            self.answers += 1
            (folder / f"{self.answers:05}-{name.replace('/', '-') or 'page'}").write_bytes(content)


def _opened(pid: int) -> Counter[str]:
    """How many of each kind a process has open, so that whoever reads of a leak knows what leaks."""
    found = Counter[str]()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            target = str(link.readlink())
            found[
                re.sub(r"\d+", "N", target.partition(":")[0] if target.startswith(("socket", "pipe")) else target)
            ] += 1
    return found


def _answers(station: At) -> Iterator[tuple[str, bytes]]:
    """What the daemon says on its socket, and what its page's server sends."""
    url = None
    for command in COMMANDS:
        try:
            said = station.asks(command)
        except (control.DaemonAbsent, control.CommandRefused):
            continue
        yield f"{command}.json", json.dumps(said).encode()
        page = said.get("page")
        url = page.get("url") if isinstance(page, dict) else url
    for path in PAGES if url else ():
        try:
            with urllib.request.urlopen(f"{url}{path}", timeout=PATIENCE) as answer:  # noqa: S310  of ours
                yield path, answer.read()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            continue
