# SPDX-License-Identifier: Apache-2.0
"""The driver against the virtual bench's programmer, an independent program written from the same sources."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.coprocessor import Version, WirelessStack
from station.domain.memory_map import READBACK_REGION
from station.domain.product import Verify, Write
from station.faults import Fault
from tests.builders.commands import bench
from tests.builders.station_demo import ROOT

pytestmark = pytest.mark.line

HASTY = Deadlines(connect_within=300, retry_pauses=(0.0, 0.0), patience=Patience(0.5, 0.5))
GENTLE = replace(HASTY, patience=Patience(300, 300))
IMPATIENT = replace(HASTY, external_within=1, internal_within=1)
BLOCK = b"".join(
    tag.to_bytes(4, "little") + len(value).to_bytes(4, "little") + value
    for tag, value in ((22, b"\xf1\xff"), (24, b"\x04\x80"), (25, b"SN 0001"))
)
DATA = Write("factory data", 0x901C0000, BLOCK + b"\xac" * 4, Verify.FULL, external=True)

# One board per row: its fault, and the outcome of identification, of writing data and provisioning image, and of reading
# the data back and writing the operational image. None is success; a fault ends the row.
CASES: dict[str, tuple[list[str], tuple[str | None, ...]]] = {
    "a sound board": ([], (None, None, None)),
    "no target, once": (["recognise connect_error error=no_target"], (None, None, None)),
    "no target": (3 * ["recognise connect_error error=no_target"], ("target.not_found",)),
    "no target for an image, once": (["flash_operational connect_error error=no_target"], (None, None, None)),
    "a target that does not obey, once": (["recognise connect_error error=target_command"], (None,)),
    "a target that does not obey": (2 * ["recognise connect_error error=target_command"], ("target.refused",)),
    "a USB error, once": (["recognise connect_error error=usb"], (None, None)),
    "USB errors": (3 * ["recognise connect_error error=usb"], ("probe.wedged",)),
    "a busy probe, once": (["recognise connect_error error=busy"], (None,)),
    "a target held under reset": (["recognise connect_error error=held_under_reset"], ("target.not_reset",)),
    "another probe's serial number": (["recognise connect_error error=serial_not_found"], ("probe.missing",)),
    "loader rejected in a write": (["flash_data loader_rejected"], (None, "programmer.loader_missing")),
    "no probe": (["recognise connect_error error=no_probe"], ("probe.missing",)),
    "another probe at first": (["recognise other_probe answering=1"], ("probe.wrong",)),
    "another probe": (["flash_data other_probe answering=1"], (None, "probe.wrong")),
    "another board": (["flash_data board_exchanged"], (None, "board.exchanged")),
    "another board for the image": (["flash_operational board_exchanged"], (None, None, "board.exchanged")),
    "two headers": (["recognise second_header", "flash_data second_header"], (None, None)),
    "low supply": (["recognise low_voltage"], ("board.unpowered",)),
    "low supply later": (["flash_data low_voltage"], (None, "board.unpowered")),
    "another chip later": (["flash_data wrong_device_id"], (None, "target.wrong_part")),
    "loader ignored in a write": (["flash_data loader_ignored"], (None, "programmer.unproven")),
    "loader ignored in a read": (["flash_operational loader_ignored"], (None, None, "programmer.unproven")),
    "nothing done at first": (["recognise nothing_done"], ("programmer.unproven",)),
    "nothing done": (["flash_data nothing_done"], (None, "programmer.unproven")),
    "nothing done for the image": (["flash_operational nothing_done"], (None, None, "programmer.unproven")),
    "mismatch in the data": (["flash_data verify_mismatch"], (None, "flash.mismatch")),
    "mismatch in the image": (["flash_provisioner verify_mismatch"], (None, "flash.mismatch")),
    "error, then success": (["flash_provisioner error_then_success"], (None, "flash.write_failed")),
    "error on the bar": (["flash_data glued_error"], (None, "flash.write_failed")),
    "a programmer that hangs": (["flash_data hang deaf_to=nothing"], (None, "programmer.stuck")),
    "a programmer that hangs and is deaf": (["flash_data hang deaf_to=all"], (None, "programmer.stuck")),
    "a board that is pulled": (["flash_provisioner unplug"], (None, "probe.wedged")),
}


class Line:
    """A bench with boards plugged in, and one driver per board."""

    def __init__(self, folder: Path, scratch: SecretFiles) -> None:
        self.folder = folder
        programmer = folder / "STM32CubeProgrammer" / "bin"
        loader = programmer / "ExternalLoader" / "S25FL128S_STM32WB5MM-DK.stldr"
        self.installation = Installation(programmer / "STM32_Programmer_CLI", loader, scratch, folder / "locks", HASTY)
        self.images = [
            Write(kind, 0x08000000, (ROOT / f"firmware_images/{kind}.bin").read_bytes(), Verify.FULL, external=False)
            for kind in ("provisioning-flash", "operational-flash")
        ]
        ports = json.loads(bench("status", "--json", "--dir", folder))["ports"]
        self.probes: dict[int, str] = {port["port"]: port["probe"] for port in ports}
        self.records: list[str] = []

    def programmer(self, port: int, deadlines: Deadlines = HASTY) -> CubeProgrammer:
        installation = replace(self.installation, deadlines=deadlines)
        return CubeProgrammer(installation, self.probes[port], asyncio.Event(), self.records.append)


@contextmanager
def standing(folder: Path, boards: int, *options: str) -> Iterator[Line]:
    """A bench with that number of boards, all plugged in."""
    command = [sys.executable, "-m", "virtual_bench", "serve", "--dir", str(folder), "--time-scale", "0"]
    with subprocess.Popen([*command, "--probes", str(boards), *options], stdout=subprocess.PIPE, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline()  # it is ready
            bench("plug", "--all", "--dir", folder)
            with SecretFiles.opened("test-line", {}) as scratch:
                yield Line(folder, scratch)
        finally:
            server.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    entries = []
    for board, (faults, _) in enumerate(CASES.values(), start=1):
        for fault in faults:
            at, what, *parameters = fault.split()
            pairs = (each.partition("=")[::2] for each in parameters)
            values = "".join(f"{name} = {value if value.isdigit() else json.dumps(value)}\n" for name, value in pairs)
            entries.append(f'[[fault]]\nboard = {board}\nat = "{at}"\nwhat = "{what}"\n{values}')
    (folder / "faults.toml").write_text("\n".join(entries))
    with standing(folder / "bench", len(CASES), "--faults", str(folder / "faults.toml")) as line:
        yield line


async def identification(line: Line, programmer: CubeProgrammer) -> None:
    target = await programmer.identify()
    assert (target.device_id, len(target.uid.raw), target.readout_protection) == (0x495, 12, 0xAA)
    assert line.records[-1].endswith("exit status 0")


async def provisioning(line: Line, programmer: CubeProgrammer) -> None:
    async with programmer.invocation(DATA, line.images[0]) as run:
        await run.written(DATA)
        await run.written(line.images[0])


async def completion(line: Line, programmer: CubeProgrammer) -> None:
    async with programmer.invocation(READBACK_REGION, line.images[1]) as run:
        content = await run.read(READBACK_REGION)
        await run.written(line.images[1])
    assert content[: DATA.size] == DATA.content


STEPS = (identification, provisioning, completion)
VERSIONS = ("2.4", "2.7", "2.13", "2.17", "2.19", "2.22")
TOLD = (  # a phase, its fault in the bench, and the driver's fault
    ("recognise", "low_voltage", "board.unpowered"),
    ("flash_data", "wrong_device_id", "target.wrong_part"),
    ("flash_data", "loader_ignored", "programmer.unproven"),
    ("flash_data", "nothing_done", "programmer.unproven"),
    ("flash_data", "verify_mismatch", "flash.mismatch"),
    ("flash_provisioner", "error_then_success", "flash.write_failed"),
    ("flash_provisioner", "glued_error", "flash.write_failed"),
    ("flash_data", "duplicate_lines", None),
    ("flash_provisioner", "failed_but_done", "programmer.failed"),
)


async def outcome(step: Awaitable[None]) -> str | None:
    """The code of the fault that ends the step."""
    try:
        await step
    except Fault as fault:
        return fault.code
    return None


@pytest.mark.parametrize("case", CASES)
async def test_what_the_bench_does_ends_as_it_should(line: Line, case: str) -> None:
    """The result is success, or the fault that says who acts."""
    programmer = line.programmer(1 + list(CASES).index(case), IMPATIENT if "hangs" in case else HASTY)
    expected = CASES[case][1]
    assert tuple([await outcome(step(line, programmer)) for step in STEPS[: len(expected)]]) == expected


@pytest.mark.parametrize("host", [[], ["--windows", "--decimal-comma"]], ids=["posix", "windows"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_is_understood_on_every_host(tmp_path: Path, version: str, host: list[str]) -> None:
    """Every version must give the same proof."""
    with standing(tmp_path / "bench", 1, "--programmer-version", version, *host) as line:
        programmer = line.programmer(1)
        for step in STEPS:
            await step(line, programmer)
        assert all(f"v{version}" in record for record in line.records)


@pytest.mark.parametrize("host", [[], ["--windows", "--decimal-comma"]], ids=["posix", "windows"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_upgrades_a_coprocessor(tmp_path: Path, version: str, host: list[str]) -> None:
    """One run suffices, without a retry, and prints every required sentence."""
    bench("stack-image", "--size", "20000", tmp_path / "stack.bin")
    stack = WirelessStack("stack.bin", (tmp_path / "stack.bin").read_bytes(), 0x08094000, Version(1, 24, 0, 3))
    options = ["--programmer-version", version, "--stack-version", "1.23.0.3", *host]
    with standing(tmp_path / "bench", 1, *options) as line:
        coprocessor = line.programmer(1).coprocessor
        assert not stack.stands(await coprocessor.versions())
        assert await coprocessor.upgrade(stack, first=False) is None
        assert stack.stands(await coprocessor.versions())
        await coprocessor.start_stack()
        await coprocessor.restore_boot()
        assert len(line.records) == 6  # the last is the read back


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_tells_the_same_faults(tmp_path: Path, version: str) -> None:
    """Each version prints a fault in its own words."""
    (tmp_path / "faults.toml").write_text(
        "".join(
            f'[[fault]]\nboard = {board}\nat = "{at}"\nwhat = "{what}"\n' for board, (at, what, _) in enumerate(TOLD, 1)
        )
    )
    options = ["--programmer-version", version, "--windows", "--decimal-comma", "--faults"]
    with standing(tmp_path / "bench", len(TOLD), *options, str(tmp_path / "faults.toml")) as line:
        for board, (at, _, code) in enumerate(TOLD, 1):
            step = identification if at == "recognise" else provisioning
            assert await outcome(step(line, line.programmer(board))) == code


@pytest.mark.parametrize("deaf_to", ["nothing", "all"])
async def test_a_gentle_end_keeps_the_probe_from_wedging(tmp_path: Path, deaf_to: str) -> None:
    """A programmer that ends on an interrupt is not killed; killing one that does not wedges its probe."""
    with standing(tmp_path / "bench", 1) as line:
        for fault in (["hang", "--set", f"deaf_to={deaf_to}"], ["wedge_on_kill", "--set", "by=kill"]):
            bench("fault", "--dir", line.folder, "--board", "1", "--at", "recognise", "--what", *fault)
        hanging = asyncio.ensure_future(line.programmer(1, GENTLE if deaf_to == "nothing" else HASTY).identify())
        async with asyncio.timeout(300):
            while '"what": "hang"' not in (line.folder / "bench.jsonl").read_text():
                await asyncio.sleep(0.01)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        if deaf_to == "nothing":
            await identification(line, line.programmer(1))
        else:
            with pytest.raises(Fault, match="no longer answers over USB"):
                await line.programmer(1).identify()
