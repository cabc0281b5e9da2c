# SPDX-License-Identifier: Apache-2.0
"""The coprocessor's upgrade service through the programmer: its output, its effects, and its lasting state."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.virtual_bench.bench_client import APPLICATION, DEADLINE, Station, station
from virtual_bench.bench.versions import VERSIONS
from virtual_bench.board.board import Board
from virtual_bench.board.stack_image import authentic_version, made, version_word
from virtual_bench.hardware.radio_core import RadioCore
from virtual_bench.hub.hub import HubError
from virtual_bench.programmer.fus import OPERATOR_CONTENT
from virtual_bench.server.server import Settings
from virtual_bench.timing.profile import Profile

OPTIONS = ["-ob", "nSWboot0=0", "nboot1=1", "nboot0=1"]
TAKEN_BACK = ["-ob", "nSWboot0=1", "nboot1=1", "nboot0=1"]
WORDS = ["-r32", "0x20010010", "8"]
FUS, SHIPPED, OTHER = 0x02010000, 0x01180003, 0x01170001
ADDRESS = 0x08094000
SUCCESS = "Firmware Upgrade Success"
FUS_UNKNOWN = "Error: FUS_STATE_ERR_UNKNOWN: Unknown error"


def fault(what: str, **parameters: object) -> dict[str, object]:
    return {"board": 1, "at": "coprocessor", "what": what, **parameters}


def upgrade(bench: Station, version: int = OTHER, *flags: str, size: int = 9000, address: int = ADDRESS) -> list[str]:
    return ["-startfus", "-fwupgrade", bench.file("stack.bin", made(version, size)), hex(address), *flags]


def words_in(output: str) -> tuple[int, int]:
    """The two version words: the FUS's and the stack's."""
    first, second = output.split("0x20010010 : ")[1].split()[:2]
    return int(first, 16), int(second, 16)


async def versions(bench: Station, board: Board) -> tuple[int, int]:
    """The versions, read as a station reads them."""
    status, output = await bench.program(*bench.connect(board), "-startfus", *WORDS)
    assert status == 0, output
    return words_in(output)


async def test_the_versions_are_read_behind_startfus(tmp_path: Path) -> None:
    """One run does both; its output is that of a public log."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *OPTIONS, "-startfus", *WORDS)
    assert (status, words_in(output)) == (0, (FUS, SHIPPED))
    said = [line for line in output.splitlines() if line]
    assert "FUS_STATE_IDLE\nstartfus command execution finished" in output
    told = [
        "Succeeded to set nSWboot0=0 nboot1=1 nboot0=1",
        "Opening and parsing file: 0x495_FUS_Operator.bin",
        "  File          : 0x495_FUS_Operator.bin",
        "  Size          : 8.00 KB ",
        "  Address       : 0x08000000",
        "Erasing internal memory sectors [0 1]",
        "File download complete",
        "Application is running, Please Hold on...",
        "Reconnecting...",
        "Reconnected !",
    ]
    places = [said.index(line) for line in told[:-2]]
    assert places == sorted(places)
    assert said[places[-1] + 1 :][:2] == told[-2:]


async def test_options_that_stand_already_are_left_alone(tmp_path: Path) -> None:
    """A second run warns for each, in the log's order."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), "-startfus")
        assert [board.options.values[name] for name in ("nSWBOOT0", "nBOOT0", "nBOOT1")] == [0, 1, 1]
        _, output = await bench.program(*bench.connect(board), "-fusgetstate")
    warnings = [line for line in output.splitlines() if line.startswith("Warning")]
    assert warnings == [
        "Warning: Option Byte: nSWboot0, value: 0x0, was not modified.",
        "Warning: Option Byte: nboot0, value: 0x1, was not modified.",
        "Warning: Option Byte: nboot1, value: 0x1, was not modified.",
        "Warning: Option Bytes are unchanged, Data won't be downloaded",
    ]
    assert "FUS_STATE_IDLE\nRead FUS state command execution finished" in output


@pytest.mark.parametrize("before", [[], ["-fusgetstate"], ["-startfus", "-startwirelessstack"]])
async def test_without_startfus_the_words_are_garbage(tmp_path: Path, before: list[str]) -> None:
    """The tool reads garbage without a warning."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *before, *WORDS)
        again, _ = await bench.program(*bench.connect(board), "-r32", "0x20010014", "4")
    assert (status, again) == (0, 0)
    assert not {FUS, SHIPPED, 0} & {*words_in(output)}


async def test_a_reset_wipes_the_words(tmp_path: Path) -> None:
    """The words are in memory only until other code runs."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await versions(bench, board)
        _, kept = await bench.program(*bench.connect(board), *WORDS)
        _, wiped = await bench.program(*bench.connect(board), "-rst", *WORDS)
    assert words_in(kept) == (FUS, SHIPPED)
    assert not {FUS, SHIPPED} & {*words_in(wiped)}


@pytest.mark.parametrize("command", ["-startfus", "-fusgetstate", "-fwdelete", "-startwirelessstack"])
async def test_the_operator_takes_the_application_s_place(tmp_path: Path, command: str) -> None:
    """The operator overwrites two pages and keeps the third."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION, bytes(0x3000))
        await bench.program(*bench.connect(board), command)
        assert board.internal.read(APPLICATION, 0x3000) == OPERATOR_CONTENT + bytes(0x1000)
        assert len(OPERATOR_CONTENT) == 0x2000


async def test_an_upgrade_replaces_the_stack(tmp_path: Path) -> None:
    """The old one is deleted, the new one verified, and the coprocessor's flash then begins at the new one."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        argv = upgrade(bench, OTHER, "firstinstall=0", "startstack=0", "-v", size=391_636)
        status, output = await bench.program(*bench.connect(board), *OPTIONS, *argv)
        assert not board.radio.stack_runs
        assert await versions(bench, board) == (FUS, OTHER)
        assert board.options.values["SFSA"] == 0x94
    assert status == 0, output
    told = [
        "Old wireless stack delete ...",
        "Firmware delete Success",
        "Download Stack/FUS image at address 0x08094000",
        "Erasing internal memory sectors [148 243]",
        "Download verified successfully ",
        "Firmware Upgrade process begins...",
        SUCCESS,
    ]
    places = [output.splitlines().index(line) for line in told]
    assert places == sorted(places)
    assert "FusStartWS" not in output


async def test_an_upgrade_starts_the_stack_unless_told_otherwise(tmp_path: Path) -> None:
    """The real tool starts it by default, and verifies only on request."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        _, output = await bench.program(*bench.connect(board), *upgrade(bench))
        assert board.radio.stack_runs
    assert SUCCESS in output
    assert "FusStartWS activated successfully" in output
    assert "Verifying" not in output


async def test_st_s_own_sequence_works(tmp_path: Path) -> None:
    """The commands are those of genFactoryData.py of X-CUBE-MATTER 1.4.1, in their order."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        connect = ["-c", "port=SWD", f"sn={board.probe}", "mode=UR"]
        rest = ["--quietMode", "--verbosity 1"]
        stack = bench.file("stack.bin", made(OTHER, 9000))
        steps = [
            ["-startwirelessstack"],
            ["-ob nSWboot0=0 nboot1=1 nboot0=1", "-startfus", "-fwupgrade", stack, hex(ADDRESS), "-V"],
            ["-ob nSWboot0=1 nboot1=1 nboot0=1", "-rst"],
        ]
        assert [(await bench.program(*connect, *step, *rest))[0] for step in steps] == [0, 0, 0]
        assert (board.radio.stack, board.radio.stack_runs) == (OTHER, True)
        assert board.options.values["nSWBOOT0"] == 1


async def test_the_stack_is_deleted_and_a_second_time_there_is_none(tmp_path: Path) -> None:
    """The second deletion is no error, but nothing is left to start."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        first, deleted = await bench.program(*bench.connect(board), "-startfus", "-fwdelete")
        second, empty = await bench.program(*bench.connect(board), "-fwdelete")
        started, nothing = await bench.program(*bench.connect(board), "-startwirelessstack")
        assert await versions(bench, board) == (FUS, 0)
        assert board.options.values["SFSA"] == 0xF4
    assert (first, second, started) == (0, 0, 1)
    assert "Firmware delete Success" in deleted
    assert "IMG_NOT_FOUND" not in deleted
    assert "Warning: FUS_STATE_IMG_NOT_FOUND, Flash already empty !\nFirmware delete Success" in empty
    assert "Error: FUS_STATE_IMG_NOT_FOUND" in nothing


async def test_after_startfus_the_stack_runs_again_when_it_is_started_or_powered(tmp_path: Path) -> None:
    """A reset or a new connection is not enough."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        runs = [board.radio.stack_runs]
        for argv in (["-startfus"], ["-rst"], ["-startwirelessstack"], ["-startfus"]):
            _, output = await bench.program(*bench.connect(board), *argv)
            runs.append(board.radio.stack_runs)
            if argv == ["-startwirelessstack"]:
                assert "FusStartWS activated successfully\nstartwirelessStack command execution finished" in output
        bench.hub.unplug(1)
        bench.hub.plug(1)
        assert [*runs, board.radio.stack_runs] == [True, False, False, True, False, True]


@pytest.mark.parametrize("command", ["-fwdelete", "-fwupgrade"])
async def test_services_need_the_upgrade_service_to_run(tmp_path: Path, command: str) -> None:
    """While the stack runs, the state of FUS is unknown."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        arguments = upgrade(bench)[1:] if command == "-fwupgrade" else [command]
        status, output = await bench.program(*bench.connect(board), *arguments)
        assert board.radio.stack == SHIPPED
    assert (status, FUS_UNKNOWN in output) == (1, True)


async def test_the_application_boots_again_when_the_options_are_taken_back(tmp_path: Path) -> None:
    """With the options of FUS work it does not boot, even after another plugging in."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), "-startfus")
        await bench.operational(board)
        assert board.core.state() == "halted"
        bench.hub.unplug(1)
        bench.hub.plug(1)
        assert board.core.state() == "halted"
        await bench.program(*bench.connect(board), *TAKEN_BACK)
        await bench.program(*bench.connect(board), "-rst")
        assert board.core.state() == "running"


async def test_what_is_left_of_the_operator_says_nothing(tmp_path: Path) -> None:
    """The core executes the operator's remains without output."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), "-startfus")
        await bench.program(*bench.connect(board), *TAKEN_BACK)
        async with bench.line(board) as line:
            await bench.program(*bench.connect(board), "-rst")
            await bench.crash(bench.hub.plug(2))  # an empty board that was plugged in later
            assert (board.core.state(), line.heard) == ("running", b"")


async def test_options_set_without_fus_work_keep_nothing_from_booting(tmp_path: Path) -> None:
    """By RM0434 these options select main flash."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *OPTIONS)
        await bench.operational(board)
        assert board.core.state() == "running"


async def test_an_image_that_was_changed_is_not_authentic(tmp_path: Path) -> None:
    """One changed bit is enough; by then the old stack is deleted."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        spoiled = bytearray(made(OTHER, 9000))
        spoiled[100] ^= 1
        file = bench.file("stack.bin", bytes(spoiled))
        status, output = await bench.program(*bench.connect(board), "-startfus", "-fwupgrade", file, hex(ADDRESS))
        assert await versions(bench, board) == (FUS, 0)
    assert (status, "Error: Firmware not authentic!" in output, SUCCESS in output) == (1, True, False)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        (0x08094010, "Error: FUS_STATE_IMG_NOT_FOUND"),
        (0x08000000, "Error: FUS_STATE_NOT_ENOUGH_SPACE"),
        (0x080F3000, "Error: failed to erase memory"),
        (0x080FF000, "Error: failed to download Segment[0]"),
        (0x20000000, "Error: failed to download Segment[0]"),
    ],
)
async def test_a_wrong_address_is_refused(tmp_path: Path, address: int, complaint: str) -> None:
    """The address is inside a page, over the operator, in the coprocessor's flash, beyond the end, or outside flash."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *upgrade(bench, address=address))
        assert await versions(bench, board) == (FUS, 0)
    assert (status, complaint in output) == (1, True)


async def test_a_first_install_does_not_delete(tmp_path: Path) -> None:
    """A first installation fails if there is a stack, and works if there is none."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        occupied, output = await bench.program(*bench.connect(board), *upgrade(bench, OTHER, "firstinstall=1"))
        assert await versions(bench, board) == (FUS, SHIPPED)
        await bench.program(*bench.connect(board), "-fwdelete")
        installed, _ = await bench.program(*bench.connect(board), *upgrade(bench, OTHER, "firstinstall=1"))
        assert await versions(bench, board) == (FUS, OTHER)
    assert (occupied, "Error: failed to erase memory" in output, installed) == (1, True, 0)


async def test_a_file_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    """The old stack is kept."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        argv = ["-startfus", "-fwupgrade", "missing.bin", hex(ADDRESS)]
        status, output = await bench.program(*bench.connect(board), *argv)
        assert await versions(bench, board) == (FUS, SHIPPED)
    assert (status, "Error: missing.bin does not exist" in output) == (1, True)


async def test_the_coprocessor_s_flash_is_its_own(tmp_path: Path) -> None:
    """No other erase reaches the coprocessor's flash."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        file = bench.file("f.bin", b"1234")
        status, output = await bench.program(*bench.connect(board), "-d", file, hex(ADDRESS))
        below, _ = await bench.program(*bench.connect(board), "-d", file, hex(ADDRESS - 4))
    assert (status, "Error: failed to erase memory" in output, below) == (1, True, 0)


async def test_what_is_on_the_coprocessor_stays_with_the_board(tmp_path: Path) -> None:
    """A new bench with other defaults changes nothing on existing boards."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *upgrade(bench))
        (nameplate,) = tmp_path.glob("boards/*/board.json")
        assert json.loads(nameplate.read_text())["stack"] == "1.23.0.1"
    async with station(tmp_path, settings=Settings(tmp_path, time_scale=0, stack=None)) as bench:
        board = bench.hub.plug(1)
        assert board.core.state() == "halted"
        assert await versions(bench, board) == (FUS, OTHER)
        assert await versions(bench, bench.hub.plug(2)) == (FUS, 0)


async def test_a_fresh_board_may_have_a_coprocessor_of_its_own(tmp_path: Path) -> None:
    """A board that is already there keeps its own."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1, radio=RadioCore(version_word("1.2.0.0"), OTHER))
        assert await versions(bench, board) == (0x01020000, OTHER)
        bench.hub.unplug(1)
        with pytest.raises(HubError, match="say --new"):
            bench.hub.plug(1, radio=RadioCore(FUS, None))


async def test_startfus_fails_once(tmp_path: Path) -> None:
    """The second attempt succeeds."""
    async with station(tmp_path, fault("startfus_fails")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), "-startfus", *WORDS)
        assert (status, FUS_UNKNOWN in output, "0x20010010" in output) == (1, True, False)
        assert await versions(bench, board) == (FUS, SHIPPED)


async def test_fus_unknown(tmp_path: Path) -> None:
    """Every FUS command reports an unknown state."""
    async with station(tmp_path, fault("fus_unknown")) as bench:
        board = bench.hub.plug(1)
        for argv in (["-startfus"], ["-startfus"], ["-fusgetstate"], ["-fwdelete"], ["-startwirelessstack"]):
            status, output = await bench.program(*bench.connect(board), *argv)
            assert (status, FUS_UNKNOWN in output) == (1, True)
        assert board.radio.stack == SHIPPED


async def test_version_word_garbage(tmp_path: Path) -> None:
    """FUS is idle, but its version word is garbage."""
    async with station(tmp_path, fault("version_word_garbage")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), "-startfus", *WORDS)
        assert (status, "FUS_STATE_IDLE" in output) == (0, True)
        assert not {FUS, SHIPPED} & {*words_in(output)}
        assert await versions(bench, board) == (FUS, SHIPPED)


async def test_fwdelete_fails_but_did(tmp_path: Path) -> None:
    """No new stack was written; a first installation, which deletes nothing, then works."""
    async with station(tmp_path, fault("fwdelete_fails_but_did")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *upgrade(bench))
        assert (status, "Error: Old Firmware delete failed" in output, SUCCESS in output) == (1, True, False)
        assert await versions(bench, board) == (FUS, 0)
        assert (await bench.program(*bench.connect(board), *upgrade(bench, OTHER, "firstinstall=1")))[0] == 0
        assert await versions(bench, board) == (FUS, OTHER)


async def test_fwupgrade_fails_but_did(tmp_path: Path) -> None:
    """Only the version word shows that the upgrade was done."""
    async with station(tmp_path, fault("fwupgrade_fails_but_did")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *upgrade(bench))
        assert (status, "Error: fwupgrade Command Failure" in output, SUCCESS in output) == (1, True, False)
        assert await versions(bench, board) == (FUS, OTHER)


async def test_fwupgrade_not_authentic(tmp_path: Path) -> None:
    """FUS calls an authentic image not authentic."""
    async with station(tmp_path, fault("fwupgrade_not_authentic")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *upgrade(bench))
        assert (status, "Error: Firmware not authentic!" in output) == (1, True)
        assert await versions(bench, board) == (FUS, 0)
        assert (await bench.program(*bench.connect(board), *upgrade(bench)))[0] == 0


async def interrupted_upgrade(bench: Station, board: Board, number: signal.Signals = signal.SIGINT) -> int:
    """An upgrade whose process is stopped while the coprocessor works. Returns its exit status."""
    async with bench.started(*bench.connect(board), *upgrade(bench)) as process, asyncio.timeout(DEADLINE):
        assert process.stdout is not None
        await process.stdout.readuntil(b"Firmware Upgrade process begins...\nApplication is running, Please Hold on...")
        process.send_signal(number)
        return await process.wait()


@pytest.mark.parametrize(("done", "stack"), [("yes", OTHER), ("no", 0)])
async def test_fwupgrade_hang(tmp_path: Path, done: str, stack: int) -> None:
    """The upgrade hangs until it is interrupted; only the version word shows its result."""
    async with station(tmp_path, fault("fwupgrade_hang", done=done)) as bench:
        board = bench.hub.plug(1)
        assert await interrupted_upgrade(bench, board) == 130
        assert await versions(bench, board) == (FUS, stack)


NO_TIME = dict.fromkeys(
    ("process_start", "connect", "exit", "internal_loader", "reset", "page_erase", "option_bytes", "reconnect", "boot"),
    0.0,
) | dict.fromkeys(("fus_start", "fus_failure", "fus_delete", "stack_start", "double_word"), 0.0)


def slow_upgrade(seconds: float) -> Settings:
    """A bench on which only the coprocessor's upgrade takes time."""
    profile = Profile(**NO_TIME, swd_write=1e9, swd_read=1e9, fus_upgrade=seconds)  # type: ignore[arg-type]
    return Settings(Path(), probes=2, time_scale=1, profile=profile)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_killed_programmer_does_not_stop_the_coprocessor(tmp_path: Path, number: signal.Signals) -> None:
    """The coprocessor is busy until it has the new stack."""
    async with station(tmp_path, settings=slow_upgrade(10)) as bench:
        board = bench.hub.plug(1)
        await interrupted_upgrade(bench, board, number)
        _, busy = await bench.program(*bench.connect(board), "-startfus")
        assert "Error: Could not start service since FUS is not in IDLE state" in busy
        async with asyncio.timeout(DEADLINE):
            while board.radio.busy:
                await asyncio.sleep(0.01)
        assert await versions(bench, board) == (FUS, OTHER)


async def test_a_power_cut_in_an_upgrade_leaves_no_stack(tmp_path: Path) -> None:
    """The old one was deleted and the new one is incomplete; another upgrade works."""
    async with station(tmp_path, settings=slow_upgrade(60)) as bench:
        board = bench.hub.plug(1)
        async with bench.started(*bench.connect(board), *upgrade(bench)) as process, asyncio.timeout(DEADLINE):
            assert process.stdout is not None
            await process.stdout.readuntil(b"Firmware Upgrade process begins...\nApplication is running")
            bench.hub.unplug(1)
            assert await process.wait() == 1
        bench.hub.plug(1)
        assert await versions(bench, board) == (FUS, 0)
        assert not board.radio.stack_runs


async def test_options_that_do_not_take_end_the_work(tmp_path: Path) -> None:
    """The tool reports the failure and stops before it overwrites anything."""
    async with station(tmp_path, fault("options_refused")) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION, bytes(16))
        status, output = await bench.program(*bench.connect(board), "-startfus")
        assert board.internal.read(APPLICATION, 16) == bytes(16)
    assert (status, "Failed to set nSWboot0=0 nboot1=1 nboot0=1" in output) == (1, True)


async def test_the_work_is_the_phase_of_the_coprocessor(tmp_path: Path) -> None:
    """The phase lasts from the first run to the read-back of the option bytes; a later read recognises a board."""
    uid = ["-r32", "0x1FFF7590", "12"]
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        work = [[*OPTIONS, "-startfus", *WORDS], ["-startwirelessstack"], TAKEN_BACK, [*uid, "-ob", "displ"]]
        for argv in [uid, *work, ["-startfus"], uid, TAKEN_BACK, ["-ob", "RDP=0xBB"], uid]:
            await bench.program(*bench.connect(board), *argv)
        phases = [entry["phase"] for entry in bench.journal("invocation")]
    assert phases == ["recognise", *["coprocessor"] * 5, "recognise", "coprocessor", "lock", "recognise"]


async def test_option_bytes_restored_after_work_that_failed_belong_to_it(tmp_path: Path) -> None:
    """They belong to the work even if they were never changed."""
    async with station(tmp_path, fault("options_refused")) as bench:
        board = bench.hub.plug(1)
        for argv in (["-startfus"], TAKEN_BACK, ["-ob", "displ"]):
            await bench.program(*bench.connect(board), *argv)
        assert [entry["phase"] for entry in bench.journal("invocation")] == ["coprocessor"] * 3


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_does_it_in_its_words(tmp_path: Path, version: str) -> None:
    """The older versions print no FUS image and no leading zero."""
    settings = Settings(tmp_path, time_scale=0, version=VERSIONS[version])
    async with station(tmp_path, settings=settings) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *upgrade(bench))
    older = "Download firmware image at address 0x8094000 ..." in output
    assert (status, SUCCESS in output) == (0, True)
    assert older == (version in {"2.4", "2.7", "2.13", "2.17"})


def test_an_image_tells_its_version_only_if_it_is_whole() -> None:
    """One version and size give one image; a shorter, longer or changed image is refused."""
    whole = made(SHIPPED, 500)
    assert whole == made(SHIPPED, 500)
    assert (len(whole), whole[-48:-40], authentic_version(whole)) == (500, b"VBSTACK1", SHIPPED)
    for spoiled in (whole[:-1], whole[1:], whole + b"\0", b"", whole[-48:], whole[:-1] + bytes([whole[-1] ^ 1])):
        assert authentic_version(spoiled) is None
    with pytest.raises(ValueError, match="footer"):
        made(SHIPPED, 48)


@pytest.mark.parametrize("text", ["1.24.0", "1.24.0.256", "1.24.0.x", ""])
def test_what_is_no_version_is_refused(text: str) -> None:
    """A version has four numbers of a byte each."""
    with pytest.raises(ValueError, match=r"."):
        version_word(text)
