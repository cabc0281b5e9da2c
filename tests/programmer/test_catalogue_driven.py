# SPDX-License-Identifier: Apache-2.0
"""The driver, when a process plays every transcript of the catalogue, reaches the parser's verdicts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.evidence import Witness
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.coprocessor import Version, WirelessStack
from station.domain.product import Write
from station.domain.target import Region
from station.faults import Fault
from tests.builders.catalogue import ACTIONS, AGAIN, Row, rows
from tests.builders.transcripts import lines
from tests.programmer.fake_cli import FakeProgrammer, Play

pytestmark = pytest.mark.line

HASTY = Deadlines(connect_within=120, retry_pauses=(0.0, 0.0), patience=Patience(0.05, 0.05))
STACK = WirelessStack("stack.bin", b"signed by ST", 0x08094000, Version(1, 24, 0, 3))
CASES = [(name, row, status) for row in rows() for name in row.files for status in row.exit[:1]]


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[SecretFiles]:
    (tmp_path / "secrets").mkdir()
    with SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(tmp_path / "secrets")}, in_memory=False) as scratch:
        yield scratch


class Repeated(Exception):
    """The driver would now repeat the run, with an erase."""


async def repeated(fault: Fault) -> None:
    raise Repeated from fault


async def outcome(programmer: CubeProgrammer, row: Row) -> str:
    """The code of the driver's fault, or the catalogue's word for success."""
    against: Fault | None = None
    try:
        match row.asked:
            case "identify" | "list":
                await programmer.identify()
            case "versions":
                await programmer.coprocessor.versions()
            case "upgrade":
                against = await programmer.coprocessor.upgrade(STACK, first=False)
            case "start-stack":
                await programmer.coprocessor.start_stack()
            case "set" | "display":
                await programmer.coprocessor.restore_boot()
            case asked:
                # without an erase the driver adds the reads itself
                actions = [action for _, action in ACTIONS[asked] if isinstance(action, Write) or not row.unerased]
                async with programmer.invocation(*actions, unerased=repeated if row.unerased else None) as run:
                    for action in actions:
                        await (run.read(action) if isinstance(action, Region) else run.written(action))
    except Fault as fault:
        against = fault
    except Repeated:
        return AGAIN
    if against is not None:
        return against.code
    return "read back" if row.asked in {"set", "upgrade"} else "proven"


def plays(row: Row, play: Play) -> list[Play]:
    """The runs in their order; after option bytes are set, another connection reads back the right values."""
    if row.asked == "set":
        return [play, Play(lines("2.22-boot-displayed"))]
    if row.verdict == "board.exchanged":
        return [Play(lines("2.19-identify")), play]  # another board was recognised before
    return [Play(lines("2.19-boot-restored")), play] * 2 if row.asked == "display" else [play]


@pytest.mark.parametrize(("name", "row", "exit_status"), CASES, ids=[f"{name} {status}" for name, _, status in CASES])
async def test_the_driver_comes_to_the_verdict(
    tmp_path: Path, scratch: SecretFiles, name: str, row: Row, exit_status: int
) -> None:
    """The driver runs with its retries, its progress and its files."""
    fake = FakeProgrammer(tmp_path)
    actions = ACTIONS.get(row.asked, [])
    read = next((row.read(action).hex() for _, action in actions if isinstance(action, Region)), None)
    witnesses = [Witness.of(action) for _, action in actions if isinstance(action, Write)] if row.unerased else []
    reads = tuple(read.hex() for each in witnesses if each is not None for read in row.witnesses(each))
    names = tuple(file for file, action in actions if isinstance(action, Write))
    fake.plays(*plays(row, Play(lines(name), exit_status, names, read, reads)))
    loader = tmp_path / "loader.stldr"
    loader.touch()
    installation = Installation(fake.cli, loader, scratch, tmp_path / "locks", HASTY)
    programmer = CubeProgrammer(installation, row.asked_probe(name), asyncio.Event(), list[str]().append)
    if row.verdict == "board.exchanged":
        await programmer.identify()
    assert await outcome(programmer, row) == row.verdict
