# SPDX-License-Identifier: Apache-2.0
"""Every run must use the requested probe and the recognised board, and is stopped otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.agent_record import RECORD_HEAD
from station.domain.coprocessor import WirelessStack
from station.domain.credentials import key_name
from station.domain.memory_map import AGENT_RECORD, READBACK_REGION
from station.domain.product import Lock
from station.domain.target import UID
from station.faults import Fault
from tests.builders.agent_records import record_of
from tests.builders.transcripts import DATA, IMAGE, PROBE, lines
from tests.programmer.fake_cli import FakeProgrammer, Play

PATIENT = Deadlines(retry_pauses=(0.0, 0.0), patience=Patience(30, 30))
BOARD = UID(bytes.fromhex("1e0039000751313532393338"))
STACK = WirelessStack("stack.bin", b"signed by ST", 0x08094000)
HEADER = lines("2.19-nothing-done")
UID_READ = ("Reading 32-bit memory content", "  Size          : 12 Bytes", "  Address       : 0x1FFF7590")
BARE = tuple(line for line in lines("2.19-identify") if not line.startswith("0x08093"))

Task = Callable[[CubeProgrammer], Awaitable[object]]


async def writes(programmer: CubeProgrammer) -> None:
    async with programmer.invocation(DATA, IMAGE) as run:
        await run.written(DATA)
        await run.written(IMAGE)


async def reads(programmer: CubeProgrammer) -> None:
    async with programmer.invocation(READBACK_REGION) as run:
        await run.read(READBACK_REGION)


TASKS: dict[str, Task] = {
    "writes": writes,
    "reads": reads,
    "lock": lambda programmer: programmer.lock(Lock({"RDP": 0xBB}), BOARD),
    "versions": lambda programmer: programmer.coprocessor.versions(),
    "upgrade": lambda programmer: programmer.coprocessor.upgrade(STACK, first=False),
    "start of the stack": lambda programmer: programmer.coprocessor.start_stack(),
    "restoration": lambda programmer: programmer.coprocessor.restore_boot(),
    "identification": lambda programmer: programmer.identify(),
}


class Bench:
    """A driver with a fake programmer."""

    def __init__(self, folder: Path, scratch: SecretFiles) -> None:
        self.fake = FakeProgrammer(folder)
        self.records: list[str] = []
        loader = folder / "loader.stldr"
        loader.touch()
        installation = Installation(self.fake.cli, loader, scratch, folder / "locks", PATIENT)
        self.programmer = CubeProgrammer(installation, PROBE, asyncio.Event(), self.records.append)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "secrets").mkdir()
    with SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(tmp_path / "secrets")}, in_memory=False) as scratch:
        yield Bench(tmp_path, scratch)


def dump(address: int, memory: bytes) -> list[str]:
    """The output of `-r32`: sixteen bytes per line, in words."""
    words = [f"{int.from_bytes(memory[at : at + 4], 'little'):08X}" for at in range(0, len(memory), 4)]
    return [f"0x{address + 4 * at:08X} : {' '.join(words[at : at + 4])}" for at in range(0, len(words), 4)]


async def fault_of(task: Task, bench: Bench) -> tuple[str, dict[str, str]]:
    with pytest.raises(Fault) as caught:
        await task(bench.programmer)
    return caught.value.code, caught.value.evidence


@pytest.mark.parametrize("task", TASKS)
async def test_a_header_of_another_probe_ends_the_programmer_where_it_stands(bench: Bench, task: str) -> None:
    """The station interrupts the programmer before it has erased anything, and does not retry."""
    other = tuple(line.replace(PROBE, "066AFF") for line in HEADER)
    bench.fake.plays(Play(other, hangs=True))
    assert await fault_of(TASKS[task], bench) == ("probe.wrong", {"probe": PROBE, "answering": "066AFF"})
    assert len(bench.fake.runs) == 1
    assert bench.records[0].endswith("exit status -2")


async def test_capitals_make_no_other_probe(bench: Bench) -> None:
    """Versions and operating systems differ in upper and lower case."""
    bench.fake.plays(Play(tuple(line.replace(PROBE, PROBE.lower()) for line in lines("2.19-write"))))
    await writes(bench.programmer)


@pytest.mark.parametrize("task", TASKS)
async def test_a_connection_that_does_not_name_its_probe_is_not_proven(bench: Bench, task: str) -> None:
    """Every known version names its probe."""
    bench.fake.plays(Play(tuple(line for line in HEADER if "ST-LINK SN" not in line), hangs=True))
    code, evidence = await fault_of(TASKS[task], bench)
    assert (code, evidence["missing"]) == ("programmer.unproven", "ST-LINK SN")


@pytest.mark.parametrize("task", TASKS)
async def test_a_board_that_was_exchanged_ends_the_programmer_where_it_stands(bench: Bench, task: str) -> None:
    """Every run reads the UID first."""
    bench.fake.plays(
        Play(lines("2.19-identify")),
        Play((*HEADER, *UID_READ, "0x1FFF7590 : 0039001F 35315107 38333932"), hangs=True),
    )
    await bench.programmer.identify()
    found = {"expected_uid": str(BOARD), "found_uid": "1f0039000751313532393338"}
    assert await fault_of(TASKS[task], bench) == ("board.exchanged", found)
    _, run = bench.fake.runs
    assert run.argv[run.argv.index("-q") + 1 :][:3] == ["-r32", "0x1FFF7590", "12"]
    assert bench.records[1].endswith("exit status -2")


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("writes", "2.19-write"),
        ("versions", "2.19-fus-versions"),
        ("start of the stack", "2.19-fus-start-stack"),
        ("restoration", "2.22-boot-displayed"),
    ],
)
async def test_a_run_that_does_not_tell_its_board_is_not_proven(bench: Bench, task: str, name: str) -> None:
    """Success without a UID may be another board's."""
    bench.fake.plays(Play(tuple(line for line in lines(name) if not line.startswith("0x1FFF7590"))))
    code, evidence = await fault_of(TASKS[task], bench)
    assert (code, evidence["missing"]) == ("programmer.unproven", "UID")


# --- the agent's record ----------------------------------------------------------------------------------------------


async def test_the_key_in_the_agents_record_is_told_with_the_board(bench: Bench) -> None:
    """Transcripts omit the record, since the private key may follow the public one."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    bench.fake.plays(Play((*BARE, *dump(AGENT_RECORD.address, record_of(key)[: RECORD_HEAD.size]))))
    assert (await bench.programmer.identify()).agent_key == key_name(key)
    assert "6 lines left out" in bench.records[0]
    assert "3141504D" not in bench.records[0]


async def test_a_board_without_a_record_has_no_key(bench: Bench) -> None:
    """The page of the record is erased."""
    bench.fake.plays(Play(lines("2.19-identify")))
    assert (await bench.programmer.identify()).agent_key is None


@pytest.mark.parametrize("shown", [0, 1, 5])
async def test_a_record_that_was_not_shown_to_the_end_is_no_proof_of_none(bench: Bench, shown: int) -> None:
    """A dump with a missing line does not prove that there is no key."""
    bench.fake.plays(Play((*BARE, *dump(AGENT_RECORD.address, b"\xff" * RECORD_HEAD.size)[:shown])))
    code, evidence = await fault_of(CubeProgrammer.identify, bench)
    assert (code, evidence["missing"]) == ("programmer.unproven", "84 bytes at 0x08093000")


@pytest.mark.parametrize("said", ["Error: Data read failed", "Warning: Device is under Read Out Protection"])
async def test_a_protected_board_keeps_its_record_to_itself(bench: Bench, said: str) -> None:
    """The protection is not a fault, and the board's key is unknown."""
    bench.fake.plays(Play((*(line.replace("0xAA", "0xBB") for line in BARE), said), 1))
    target = await bench.programmer.identify()
    assert (target.readable, target.agent_key) == (False, None)


async def test_an_open_board_must_show_its_record(bench: Bench) -> None:
    """A failed read is the board's fault."""
    bench.fake.plays(Play((*BARE, "Error: Data read failed"), 1))
    assert (await fault_of(CubeProgrammer.identify, bench))[0] == "flash.read_failed"


async def test_another_part_is_told_even_if_it_has_no_flash_there(bench: Bench) -> None:
    """The wrong part is the cause of the failed read."""
    said = (line.replace("0x495", "0x410") for line in BARE)
    bench.fake.plays(Play((*said, "Error: Data read failed"), 1))
    assert (await fault_of(CubeProgrammer.identify, bench))[0] == "target.wrong_part"
