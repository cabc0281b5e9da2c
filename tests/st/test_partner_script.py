# SPDX-License-Identifier: Apache-2.0
"""A partner's script in a separate process: ST's interface, ours, and every way in which a script can fail."""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from station.adapters.board import tty
from station.adapters.partner import script
from station.adapters.partner.script import PartnerScript
from station.adapters.system import orphans
from station.faults.line import PartnerUnusable
from station.faults.slot import PartnerFailed
from station.faults.unit import PartnerRefused, PartnerStuck
from tests.builders.wire import wired

SCRIPTS = Path(__file__).parent / "scripts"
pytestmark = pytest.mark.line

ST_MANNER = SCRIPTS / "st_manner.py"


class Desk:
    """The scripts of one test, and their output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorded: list[str] = []

    def script(self, *lines: str) -> Path:
        path = self.folder / "script.py"
        path.write_text("\n".join(lines) + "\n")
        return path

    async def run(
        self, script: Path, port: str = "/dev/null", within: float = 200, *, production: bool = False
    ) -> None:
        gone = asyncio.Event()
        await PartnerScript(script, production, "slot 1> ", port, within, gone, self.recorded.append).deliver()

    async def stuck(self, script: Path, up: Callable[[], bool], port: str = "/dev/null") -> None:
        """Runs the script until its deadline; on a busy machine again, until it was `up` when it was stopped."""
        for within in (1.5, 6, 24, 96):
            with pytest.raises(PartnerStuck):
                await self.run(script, port, within)
            if up():
                return
        pytest.fail("the script never came up")

    @property
    def said(self) -> str:
        return "\n".join(self.recorded)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_script_in_sts_manner_runs_unmodified(desk: Desk) -> None:
    """The script blocks on the port until the firmware has finished; its output is kept, without colours."""
    with wired() as wire:
        running = asyncio.ensure_future(desk.run(ST_MANNER, wire.path))
        while not running.done():
            wire.say(b"[M4] log\r\nfinish:000\0\x01\x02\x03\x04\x05")
            await asyncio.wait({running}, timeout=0.2)
        await running
    assert "st_manner.py: slot 1> " in desk.said
    assert f"waiting on {wire.path}" in desk.said
    assert "\x1b" not in desk.said


async def test_its_error_is_the_units_fault(desk: Desk) -> None:
    """The fault has the script's message without its colours."""
    with wired() as wire:
        running = asyncio.ensure_future(desk.run(ST_MANNER, wire.path, production=True))
        while not running.done():
            wire.say(b"finish:004\0\x01\x02\x03\x04\x05")
            await asyncio.wait({running}, timeout=0.2)
        with pytest.raises(PartnerRefused) as caught:
            await running
    assert caught.value.message == "slot 1> provisioning failed: finish:004"


async def test_a_script_that_waits_for_ever_is_stopped_and_frees_the_port(desk: Desk) -> None:
    """ST's script waits for ever on a silent board. No process of it is left."""
    with wired() as wire:
        await desk.stuck(ST_MANNER, lambda: f"waiting on {wire.path}" in desk.said, wire.path)
        async with tty.opened(wire.path, 115200):  # exclusively
            pass


async def test_what_a_script_started_is_stopped_with_it(desk: Desk) -> None:
    """The script ignores signals, and its child has forked away from it."""
    left = desk.folder / "pid"
    script = desk.script(
        "import pathlib, signal, subprocess, time",
        "def Provisioning(provision_mode, header, port):",
        "    signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "    started = subprocess.Popen(['sleep', '600'])",
        f"    pathlib.Path({str(left)!r} + '.new').write_text(str(started.pid))",
        f"    pathlib.Path({str(left)!r} + '.new').rename({str(left)!r})",
        "    time.sleep(600)",
    )
    await desk.stuck(script, left.exists)
    status = Path(f"/proc/{left.read_text()}/status")
    assert not status.exists() or "State:\tZ" in status.read_text()


async def test_a_script_ends_with_a_station_that_is_killed(desk: Desk) -> None:
    """A surviving script would work on the board during the next station's attempt."""
    up = desk.folder / "up"
    script = desk.script(
        "import os, pathlib, time",
        "def Provisioning(provision_mode, header, port):",
        f"    pathlib.Path({str(up)!r} + '.new').write_text(str(os.getpid()))",
        f"    pathlib.Path({str(up)!r} + '.new').rename({str(up)!r})",
        "    time.sleep(600)",
    )
    program = (
        "import asyncio, pathlib; from station.adapters.partner.script import PartnerScript; "
        f"asyncio.run(PartnerScript(pathlib.Path({str(script)!r}), False, '', '', 600, asyncio.Event(), print).deliver())"
    )
    station = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=SCRIPTS.parents[2])
    async with asyncio.timeout(200):
        while not up.exists():
            await asyncio.sleep(0.01)
        station.kill()
        await station.wait()
        status = Path(f"/proc/{up.read_text()}/stat")
        with suppress(FileNotFoundError, ProcessLookupError):
            while status.read_text().rpartition(")")[2].split()[0] != "Z":
                await asyncio.sleep(0.01)


async def test_every_name_of_sts_common_module(desk: Desk) -> None:
    """Scripts import these names."""
    (desk.folder / "number.txt").write_text(" 0x10\n")
    (desk.folder / "bytes.bin").write_bytes(b"\x01\xff")
    await desk.run(
        desk.script(
            "from common import thread_safe_print, get_current_timestamp, print_lock, RET_OK, RET_ERROR",
            "from common import readIntegerFromFile, readBinaryFileToByteList",
            "from common import RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, RESET",
            "def Provisioning(provision_mode, header, port):",
            "    assert (RET_OK, RET_ERROR, provision_mode, header, port) == (0, 1, 1, 'slot 1> ', '/dev/null')",
            f"    assert readIntegerFromFile(header, {str(desk.folder / 'number.txt')!r}) == 16",
            f"    assert readBinaryFileToByteList(header, {str(desk.folder / 'bytes.bin')!r}) == [1, 255]",
            "    assert readIntegerFromFile(header, 'absent') is None",
            "    with print_lock: print(get_current_timestamp())",
            "    return 'good', RET_OK",
        ),
        production=True,
    )
    assert "absent: no number can be read" in desk.said


async def test_a_common_module_beside_the_script_comes_first(desk: Desk) -> None:
    """A partner may have added functions to it."""
    (desk.folder / "common.py").write_text("RET_OK, EXTRA = 0, 'theirs'\n")
    await desk.run(
        desk.script("import common", "def Provisioning(mode, header, port):", "    return common.EXTRA, common.RET_OK")
    )


async def test_our_own_interface_is_a_coroutine(desk: Desk) -> None:
    """The coroutine returns after success, and raises `Refused` for a bad board."""
    script = desk.script(
        "from station.partner import Refused, Unit",
        "async def provision(unit: Unit) -> None:",
        "    unit.log(f'{unit.name}{unit.tty} {unit.production}')",
        "    if unit.production: raise Refused('no key storage')",
    )
    await desk.run(script)
    assert "slot 1> /dev/null False" in desk.said
    with pytest.raises(PartnerRefused, match="no key storage"):
        await desk.run(script, production=True)


@pytest.mark.parametrize(
    ("body", "fault", "reason"),
    [
        ("return 'good'", PartnerUnusable, "Provisioning returned str"),
        ("return None", PartnerUnusable, "Provisioning returned NoneType"),
        ("return 'good', True", PartnerUnusable, "Provisioning returned tuple"),
        ("raise OSError('no such port')", PartnerFailed, "OSError: no such port"),
        ("import os; os._exit(0)", PartnerFailed, "without a result"),
        ("import os; os.kill(os.getpid(), 9)", PartnerFailed, "without a result"),
        ("raise SystemExit(0)", PartnerFailed, "without a result"),
        ("import os, sys; os.write(int(sys.argv[2]), b'[' * 60000); os._exit(0)", PartnerFailed, "without a result"),
        ("print('{\"ok\": true}'); return 'bad', 1", PartnerRefused, "bad"),
    ],
)
async def test_nothing_but_a_result_is_success(desk: Desk, body: str, fault: type[Exception], reason: str) -> None:
    """Neither exit status 0 nor printed text counts as success."""
    with pytest.raises(fault, match=reason):
        await desk.run(desk.script("def Provisioning(provision_mode, header, port):", f"    {body}"))


async def test_a_script_is_looked_at_before_the_first_board(desk: Desk) -> None:
    """The check loads the script and looks up its entry point."""
    assert await script.check(ST_MANNER, desk.recorded.append) == "Provisioning"
    for lines, reason in (
        (("def provisioning(mode, header, port): ...",), "there is neither"),
        (("import absent_module",), "ModuleNotFoundError"),
        (("def Provisioning(",), "SyntaxError"),
        (("raise SystemExit",), "ends the process"),
    ):
        with pytest.raises(PartnerUnusable, match=reason):
            await script.check(desk.script(*lines), desk.recorded.append)


async def test_a_script_that_prints_without_end_is_stopped(desk: Desk) -> None:
    """If no board has begun, the script is unusable; the reason names the budget."""
    endless = "while True: print('chatter' * 1000)"
    with pytest.raises(PartnerFailed, match=re.escape(str(script.BUDGET))):
        await desk.run(desk.script("def Provisioning(provision_mode, header, port):", f"    {endless}"))
    with pytest.raises(PartnerUnusable, match=re.escape(str(script.BUDGET))):
        await script.check(desk.script(endless), desk.recorded.append)


async def test_what_a_script_starts_out_of_its_group_is_stopped_with_it(desk: Desk) -> None:
    """The station adopts the process, whatever its environment."""
    left = desk.folder / "left"
    script = desk.script(
        "import pathlib, subprocess",
        "def Provisioning(provision_mode, header, port):",
        "    started = subprocess.Popen(['sleep', '600'], start_new_session=True, env={})",
        f"    pathlib.Path({str(left)!r}).write_text(str(started.pid))",
        "    return '', 0",
    )
    with orphans.adopted():
        await desk.run(script)
        with pytest.raises(ProcessLookupError):
            os.kill(int(left.read_text()), 0)


async def test_a_board_that_is_pulled_ends_its_script_at_once(desk: Desk) -> None:
    """The script gets no time to end, unlike a programmer."""
    gone = asyncio.Event()
    up = desk.folder / "up"
    script = desk.script(
        "import pathlib, time",
        "def Provisioning(mode, header, port):",
        f"    pathlib.Path({str(up)!r}).touch()",
        "    time.sleep(600)",
    )
    running = asyncio.ensure_future(
        PartnerScript(
            script, production=False, header="", tty="", within=60, gone=gone, record=desk.recorded.append
        ).deliver()
    )
    while not up.exists():
        await asyncio.sleep(0.01)
    gone.set()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "ended" not in desk.said
