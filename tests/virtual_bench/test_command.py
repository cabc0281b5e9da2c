# SPDX-License-Identifier: Apache-2.0
"""The command line, as processes: serving, plugging, showing, arming faults, and stopping."""

import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DEADLINE = 200.0


async def command(*arguments: str) -> tuple[int | None, str, str]:
    """Exit status, output and errors of one command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "virtual_bench"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def served(directory: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A bench that has printed that it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "virtual_bench", "serve", "--dir", str(directory), "--time-scale", "0"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE):
            assert (await process.stdout.readline()).startswith(b"virtual-bench: ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_bench_from_start_to_stop(tmp_path: Path) -> None:
    """After SIGINT only the boards, the programmer and the journal are left."""
    at = ("--dir", str(tmp_path))
    async with served(tmp_path, "--probes", "2") as bench:
        announced = json.loads((tmp_path / "bench.json").read_text())
        assert announced["pid"] == bench.pid
        assert announced["probes"] == [{"port": port, "path": f"pci-0000:00:14.0-usb-0:1.{port}"} for port in (1, 2)]
        assert Path(announced["programmer"]).name == "STM32_Programmer_CLI"
        assert (await command("plug", *at, "--all"))[0] == 0
        assert (await command("unplug", *at, "2"))[0] == 0
        assert (await command("fault", *at, "--board", "1", "--at", "recognise", "--what", "connect_error"))[0] == 0
        status, output, _ = await command("status", *at, "--json")
        ports = json.loads(output)["ports"]
        assert status == 0
        assert [port["plugged"] for port in ports] == [True, False]
        assert (ports[0]["probe_state"], ports[0]["tty"]) == ("free", "ttyACM0")
        assert ports[0]["firmware"] == "crashed: nothing to execute at 0xFFFFFFFE"
        programmer = await asyncio.create_subprocess_exec(
            announced["programmer"], "-c", "port=SWD", stdout=asyncio.subprocess.DEVNULL
        )
        assert await programmer.wait() == 1
        bench.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE):
            assert await bench.wait() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["STM32CubeProgrammer", "bench.jsonl", "boards"]
    assert not Path(announced["socket"]).parent.exists()


async def test_a_directory_is_served_once(tmp_path: Path) -> None:
    """A second server exits with 3; so does a command for a bench that does not run."""
    async with served(tmp_path):
        status, _, errors = await command("serve", "--dir", str(tmp_path))
    assert (status, "serves" in errors) == (3, True)
    status, _, errors = await command("plug", "--dir", str(tmp_path), "1")
    assert (status, "virtual-bench serve --dir" in errors) == (3, True)


async def test_what_a_bench_refuses_ends_with_1_and_a_wrong_command_with_2(tmp_path: Path) -> None:
    """The message names the mistake."""
    at = ("--dir", str(tmp_path))
    async with served(tmp_path, "--probes", "1"):
        refused = await command("plug", *at, "7")
        wrong = await command("plug", *at)
        unknown = await command("fault", *at, "--board", "1", "--at", "deliver", "--what", "verify_mismatch")
    assert (refused[0], "there is no port 7" in refused[2]) == (1, True)
    assert (wrong[0], "--all" in wrong[2]) == (2, True)
    assert (unknown[0], "verify_mismatch happens in" in unknown[2]) == (1, True)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("[[fault]]\nboard = 1\nat = 'await_csr'\nwhat = 'fire'", "fault 1: what: 'fire'"), (None, "No such file")],
)
async def test_a_wrong_fault_file_ends_with_2(tmp_path: Path, content: str | None, complaint: str) -> None:
    """The bench refuses the file before it serves anything."""
    file = tmp_path / "faults.toml"
    if content is not None:
        file.write_text(content)
    status, _, errors = await command("serve", "--dir", str(tmp_path / "bench"), "--faults", str(file))
    assert (status, complaint in errors) == (2, True)
    assert not (tmp_path / "bench").exists()


async def test_the_catalogue_is_printed_for_people_and_for_programs() -> None:
    """Both forms have the same faults."""
    _, text, _ = await command("fault", "--list")
    status, listed, _ = await command("fault", "--list", "--json")
    faults = json.loads(listed)["faults"]
    assert status == 0
    assert {"mute", "csr_bad_signature", "verify_mismatch", "nothing_done", "other_uart", "unplug"} <= {
        fault["name"] for fault in faults
    }
    assert all(f"{fault['name']}: {fault['does']}" in text for fault in faults)


async def test_fresh_boards_have_the_coprocessor_that_is_asked_for(tmp_path: Path) -> None:
    """It is the bench's or the command's; a board that is already there keeps its own."""
    at = ("--dir", str(tmp_path))
    async with served(tmp_path, "--probes", "3", "--stack-version", "1.23.0.1", "--fus-version", "1.2.0.0"):
        assert (await command("plug", *at, "1"))[0] == 0
        assert (await command("plug", *at, "2", "--stack-version", "1.22.0.0"))[0] == 0
        assert (await command("plug", *at, "3", "--no-wireless-stack", "--fus-version", "2.1.0.0"))[0] == 0
        await command("unplug", *at, "1")
        refused = await command("plug", *at, "1", "--stack-version", "1.24.0.3")
        wrong = await command("plug", *at, "1", "--new", "--stack-version", "1.24")
        ports = json.loads((await command("status", *at, "--json"))[1])["ports"]
    assert [(port["fus"], port["stack"], port["stack_runs"]) for port in ports] == [
        ("1.2.0.0", "1.23.0.1", False),  # pulled out
        ("1.2.0.0", "1.22.0.0", True),
        ("2.1.0.0", None, False),
    ]
    assert (refused[0], "say --new" in refused[2], wrong[0]) == (1, True, 2)


async def test_an_image_of_a_stack_is_written(tmp_path: Path) -> None:
    """The image has the given version and size, and its hash; the default size is ST's."""
    file = tmp_path / "stack.bin"
    status, output, _ = await command("stack-image", "--version", "1.22.0.3", "--size", "5000", str(file))
    content = file.read_bytes()
    assert status == 0
    assert hashlib.sha256(content).hexdigest() in output
    assert (len(content), content[-48:-40], content[-40:-36]) == (5000, b"VBSTACK1", b"\x03\x00\x16\x01")
    assert content[-36:-32] == (5000).to_bytes(4, "little")
    assert content[-32:] == hashlib.sha256(content[:-32]).digest()
    await command("stack-image", str(file))
    assert file.stat().st_size == 391_636


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--version", "1.22", "f.bin"), 2), (("--size", "48", "f.bin"), 2), (("/nowhere/f.bin",), 3)],
)
async def test_an_image_that_cannot_be_is_not_written(arguments: tuple[str, ...], status: int) -> None:
    """The exit status distinguishes wrong usage from a failed write."""
    assert (await command("stack-image", *arguments))[0] == status
    assert not Path("f.bin").exists()
