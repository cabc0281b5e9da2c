# SPDX-License-Identifier: Apache-2.0
"""Every fault of the catalogue, from a station's view."""

import asyncio
import signal
from pathlib import Path

import pytest
from cryptography import x509

from tests.builders.authority import Status, factory_data, key_in
from tests.virtual_bench.bench_client import (
    APPLICATION,
    AUTHORITY,
    DATA_ADDRESS,
    DEADLINE,
    HELLO,
    MAKE_CSR,
    PROVE,
    STORE,
    Line,
    Station,
    image,
    station,
)
from virtual_bench.board import link
from virtual_bench.board.board import Board
from virtual_bench.faults.catalogue import CATALOGUE
from virtual_bench.faults.phases import Phase
from virtual_bench.programmer.standin import LOADER
from virtual_bench.server.server import Settings
from virtual_bench.timing.profile import Profile

NONCE = bytes(32)
OPERATIONAL = image("operational-stand-in")


def fault(what: str, at: str, **parameters: object) -> dict[str, object]:
    return {"board": 1, "at": at, "what": what, **parameters}


async def store(line: Line) -> bytes:
    """Asks for a certificate request, and stores a DAC for its key."""
    return await line.ask(STORE, AUTHORITY.certificates(AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))))


async def recognised(bench: Station, board: Board) -> tuple[int | None, str]:
    return await bench.program(*bench.connect(board, "HOTPLUG"), "-r32", "0x1FFF7590", "12", "-ob", "displ")


async def answered_before(bench: Station, line: Line, question: bytes) -> bool:
    """Whether a board answers a question before another board answers a later one."""
    line.say(link.encode(question))
    other = bench.hub.plug(2)
    await bench.provisioner(other)
    async with bench.line(other) as other_line:
        await other_line.ask(HELLO)
    return any(body[1] == question[1] for body in line.bodies)


@pytest.mark.parametrize(("at", "question"), [("await_csr", b"\x01\x09"), ("deliver", b"\x03\x09")])
async def test_mute(tmp_path: Path, at: str, question: bytes) -> None:
    """The question with which its phase begins gets no answer."""
    async with station(tmp_path, fault("mute", at)) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            if at == "deliver":
                await line.ask(MAKE_CSR)
            assert not await answered_before(bench, line, question)


async def test_mute_ends_when_the_board_is_pulled_out(tmp_path: Path) -> None:
    """A mute board stays mute until it is pulled out."""
    async with station(tmp_path, fault("mute", "flash_provisioner")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        bench.hub.unplug(1)
        bench.hub.plug(1)
        async with bench.line(board) as line:
            assert await line.body()


async def test_late_answer(tmp_path: Path) -> None:
    """The repeated question is answered first; the late answer follows."""
    async with station(tmp_path, fault("late_answer", "await_csr", seconds=0.05)) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            line.say(link.encode(bytes([HELLO, 1])))
            line.say(link.encode(bytes([0x55, 2])))
            numbers = [body[1] for body in [await line.body() for _ in range(3)]]
    assert numbers[-2:] == [2, 1]


@pytest.mark.parametrize("where", ["before", "between"])
async def test_uart_noise_beside_an_answer(tmp_path: Path, where: str) -> None:
    """The answer is whole, and there are other bytes on the line."""
    async with station(tmp_path, fault("uart_noise", "await_csr", where=where)) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            await line.ask(HELLO)
            await line.until(b"LSE ready")


async def test_uart_noise_inside_an_answer(tmp_path: Path) -> None:
    """The spoiled answer is not a frame; the next answer is."""
    async with station(tmp_path, fault("uart_noise", "await_csr", where="inside")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            line.say(link.encode(bytes([HELLO, 9])))
            await line.until(b"LSE ready")
            await line.ask(HELLO)
            assert link.encode(bytes([HELLO | 0x80, 9])) not in line.heard


async def test_other_uart(tmp_path: Path) -> None:
    """Another board's UID answers on the serial port."""
    async with station(tmp_path, fault("other_uart", "await csr")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            hello = await line.ask(HELLO)
    assert len(hello) == 3 + 12 + len("1.0.0")
    assert hello[3:15] != board.nameplate.uid


async def test_other_probe(tmp_path: Path) -> None:
    """The header and all actions belong to another probe's board."""
    async with station(tmp_path, fault("other_probe", "recognise", answering=2)) as bench:
        asked, other = bench.hub.plug(1), bench.hub.plug(2)
        status, output = await recognised(bench, asked)
        assert status == 0
        assert f"ST-LINK SN  : {other.probe}" in output
        assert asked.probe not in output
        await bench.operational(asked)
        assert other.internal.read(APPLICATION, len(OPERATIONAL)) == OPERATIONAL
        assert asked.internal.read(APPLICATION, 16) == b"\xff" * 16


async def test_other_probe_that_is_not_plugged_in(tmp_path: Path) -> None:
    """With `other_probe` and no other board, the programmer finds no probe."""
    async with station(tmp_path, fault("other_probe", "recognise", answering=2)) as bench:
        status, output = await recognised(bench, bench.hub.plug(1))
    assert (status, "No debug probe detected" in output) == (1, True)


async def test_board_exchanged(tmp_path: Path) -> None:
    """The probe is the same, but the UID is another."""
    async with station(tmp_path, fault("board_exchanged", "flash_data")) as bench:
        board = bench.hub.plug(1)
        _, before = await recognised(bench, board)
        await bench.provisioner(board)
        _, after = await recognised(bench, board)
    probe, uid = f"ST-LINK SN  : {board.probe}", next(line for line in before.splitlines() if "0x1FFF7590 : " in line)
    assert probe in before
    assert probe in after
    assert uid not in after


async def test_tty_gone(tmp_path: Path) -> None:
    """Links and port vanish, and the programmer still reaches the board."""
    async with station(tmp_path, fault("tty_gone", "await_csr")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            line.say(link.encode(bytes([HELLO, 1])))
            await line.hung_up.wait()
        assert list((tmp_path / "dev").iterdir()) == []
        assert (await recognised(bench, board))[0] == 0


async def test_csr_bad_signature(tmp_path: Path) -> None:
    """The first request is DER with a bad signature; the next one's signature verifies."""
    async with station(tmp_path, fault("csr_bad_signature", "await_csr")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            bad, good = [x509.load_der_x509_csr(await line.ask(MAKE_CSR)) for _ in range(2)]
    assert (bad.is_signature_valid, good.is_signature_valid) == (False, True)


async def test_secure_storage_written(tmp_path: Path) -> None:
    """A board whose secure storage is written cannot make another key."""
    async with station(tmp_path, fault("secure_storage_written", "recognise")) as bench:
        board = bench.hub.plug(1)
        await recognised(bench, board)
        await bench.provisioner(board, "provisioning-secure")
        async with bench.line(board) as line:
            assert await line.refusal(MAKE_CSR) == Status.SECURE_STORAGE


async def test_factory_data_erased(tmp_path: Path) -> None:
    """The factory data is erased before the station reads it back."""
    async with station(tmp_path, fault("factory_data_erased", "flash_operational")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioned(board)
        await bench.operational(board)
        async with bench.line(board) as line:
            await line.until(b"operational fault=1\r\n")


@pytest.mark.parametrize("at", ["await_csr", "deliver"])
async def test_brown_out_while_the_board_is_asked(tmp_path: Path, at: str) -> None:
    """The question is lost; the board sends HELLO again, and still has its key."""
    async with station(tmp_path, fault("brown_out", at)) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            if at == "deliver":
                csr = await line.ask(MAKE_CSR)
                line.say(link.encode(bytes([STORE, 7]) + AUTHORITY.certificates(AUTHORITY.dac(key_in(csr)))))
            else:
                line.say(link.encode(bytes([HELLO, 7])))
            while not bench.journal("fault"):
                await line.body()
            assert await store(line) == b"\0"


async def test_brown_out_while_the_board_is_programmed(tmp_path: Path) -> None:
    """The programmer loses the core."""
    async with station(tmp_path, fault("brown_out", "flash_provisioner")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
    assert (status, "Error: ST-LINK error (DEV_TARGET_CMD_ERR)" in output) == (1, True)


@pytest.mark.parametrize("at", ["recognise", "flash_data", "flash_provisioner"])
async def test_unplug_while_the_programmer_runs(tmp_path: Path, at: str) -> None:
    """The programmer reports that its probe is gone."""
    async with station(tmp_path, fault("unplug", at)) as bench:
        board = bench.hub.plug(1)
        argv = bench.connect(board, "HOTPLUG") if at == "recognise" else [*bench.connect(board), *bench.writes()]
        status, output = await bench.program(*argv)
        assert not board.plugged
    assert (status, "DEV_USB_COMM_ERR" in output) == (1, True)


@pytest.mark.parametrize(("at", "questions"), [("await_csr", 0), ("relay_to_pki", 1), ("deliver", 2)])
async def test_unplug_during_the_conversation(tmp_path: Path, at: str, questions: int) -> None:
    """The board is pulled at the first question, after the request, or at the certificates."""
    async with station(tmp_path, fault("unplug", at)) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line, asyncio.timeout(DEADLINE):
            csr = await line.ask(MAKE_CSR) if questions else b""
            if questions == 1:
                assert x509.load_der_x509_csr(csr).is_signature_valid
            else:
                line.say(link.encode(bytes([STORE if questions else HELLO, 9])))
            await line.hung_up.wait()
        assert not board.plugged


async def test_unplug_at_the_operational_firmwares_first_line(tmp_path: Path) -> None:
    """That line begins the phase `confirm`."""
    async with station(tmp_path, fault("unplug", "confirm")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioned(board)
        async with bench.line(board) as line, asyncio.timeout(DEADLINE):
            await bench.program(*bench.connect(board), "-d", bench.file("o.bin", OPERATIONAL), hex(APPLICATION), "-rst")
            await line.hung_up.wait()


async def test_unplug_some_time_into_a_phase(tmp_path: Path) -> None:
    """A STORE is interrupted: the factory data is erased and not yet written. The erasure begins within 2 s and lasts a minute."""
    settings = Settings(tmp_path, profile=Profile(boot=0, p256_operation=0, external_sector_erase=60))
    async with station(tmp_path, fault("unplug", "deliver", after=2), settings=settings) as bench:
        board = bench.hub.plug(1)
        board.external.program(DATA_ADDRESS, factory_data())
        board.internal.program(APPLICATION, image("provisioning-flash"))
        board.reset()
        async with bench.line(board) as line, asyncio.timeout(DEADLINE):
            await line.body()  # before that it receives nothing
            csr = await line.ask(MAKE_CSR)
            line.say(link.encode(bytes([STORE, 9]) + AUTHORITY.certificates(AUTHORITY.dac(key_in(csr)))))
            await line.hung_up.wait()
        assert board.external.read(DATA_ADDRESS, 16) == b"\xff" * 16


async def test_duplicate_serial(tmp_path: Path) -> None:
    """There are two paths, two links, and one serial number; after another plugging the board has its own again."""
    async with station(tmp_path, {"board": 2, "at": "recognise", "what": "duplicate_serial", "of": 1}) as bench:
        first, second = bench.hub.plug(1), bench.hub.plug(2)
        names = sorted(path.name for path in (tmp_path / "dev/serial/by-id").iterdir())
        assert second.probe == first.probe
        assert names == [
            f"usb-STMicroelectronics_STLINK-V3_{first.probe}-if02",
            f"usb-STMicroelectronics_STM32_STLink_{first.probe}-if02",
        ]
        bench.hub.unplug(2)
        assert bench.hub.plug(2).probe != first.probe


async def test_duplicate_serial_of_the_same_product(tmp_path: Path) -> None:
    """As with udev, there is one link for both; it leads to the remaining one."""
    duplicate = {"board": 2, "at": "recognise", "what": "duplicate_serial", "of": 1, "product": "same"}
    async with station(tmp_path, duplicate) as bench:
        bench.hub.plug(1)
        bench.hub.plug(2)
        (name,) = (tmp_path / "dev/serial/by-id").iterdir()
        assert name.readlink().name == "ttyACM1"
        bench.hub.unplug(2)
        assert name.readlink().name == "ttyACM0"


@pytest.mark.parametrize("milliseconds", [0, 2])
async def test_bounce(tmp_path: Path, milliseconds: int) -> None:
    """The line hangs up, and the same board returns, with links of the same names."""
    bounce = fault("bounce", "await_csr", milliseconds=milliseconds)
    async with station(tmp_path, bounce) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        names = sorted(path.name for path in (tmp_path / "dev").rglob("*"))
        async with bench.line(board) as line, asyncio.timeout(DEADLINE):
            line.say(link.encode(bytes([HELLO, 1])))
            await line.hung_up.wait()
            while not board.plugged:
                await asyncio.sleep(0.001)
        assert sorted(path.name for path in (tmp_path / "dev").rglob("*")) == names
        assert [entry["port"] for entry in bench.journal("plugged")] == [1, 1]


async def test_no_serial(tmp_path: Path) -> None:
    """Neither the link nor the kernel has the probe's serial number."""
    async with station(tmp_path, fault("no_serial", "recognise")) as bench:
        bench.hub.plug(1)
        (name,) = (tmp_path / "dev/serial/by-id").iterdir()
        assert name.name == "usb-STMicroelectronics_STM32_STLink-if02"
        assert not (tmp_path / "sys/class/tty/ttyACM0/device/../serial").exists()


async def test_duplicate_uid(tmp_path: Path) -> None:
    """The programmer reads one UID from both boards; the firmware of the second still has its own."""
    async with station(tmp_path, {"board": 2, "at": "recognise", "what": "duplicate_uid", "of": 1}) as bench:
        first, second = bench.hub.plug(1), bench.hub.plug(2)
        outputs = [(await recognised(bench, board))[1] for board in (first, second)]
    words = [[line for line in output.splitlines() if line.startswith("0x1FFF7590")] for output in outputs]
    assert words[0] == words[1] != []
    assert second.nameplate.uid != first.nameplate.uid


async def test_two_paths(tmp_path: Path) -> None:
    """Both links in by-path lead to the same port."""
    async with station(tmp_path, fault("two_paths", "recognise")) as bench:
        bench.hub.plug(1)
        ports = {link.name: link.readlink().name for link in (tmp_path / "dev/serial/by-path").iterdir()}
    spellings = ("usb", "usbv2")
    assert ports == {f"pci-0000:00:14.0-{spelling}-0:1.1:1.2": "ttyACM0" for spelling in spellings}


async def locked(bench: Station, board: Board) -> bool:
    """Whether the board's serial port can be opened and locked."""
    try:
        async with bench.line(board) as line:
            line.lock()
    except OSError:
        return False
    return True


async def test_port_held(tmp_path: Path) -> None:
    """A locking open of the port is refused until the other program releases it."""
    async with station(tmp_path, fault("port_held", "recognise", seconds=0.05)) as bench:
        board = bench.hub.plug(1)
        tries = [await locked(bench, board)]
        async with asyncio.timeout(DEADLINE):
            while not tries[-1]:
                await asyncio.sleep(0.01)
                tries.append(await locked(bench, board))
    assert tries[0] is False


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("no_target", "Error: No STM32 target found!"),
        ("target_command", "Error: ST-LINK error (DEV_TARGET_CMD_ERR)"),
        ("usb", "ST-LINK error (DEV_USB_COMM_ERR)"),
        ("busy", "ST-LINK error (DEV_CONNECT_ERR)"),
        ("no_probe", "Error: No debug probe detected."),
        ("held_under_reset", "Error: ST-LINK error (DEV_TARGET_HELD_UNDER_RESET)"),
        ("serial_not_found", "Error: Serial number not found"),
    ],
)
async def test_connect_error(tmp_path: Path, error: str, text: str) -> None:
    """The connection fails as many times as the fault says."""
    async with station(tmp_path, fault("connect_error", "recognise", error=error, times=2)) as bench:
        board = bench.hub.plug(1)
        runs = [await recognised(bench, board) for _ in range(3)]
    assert [(status, text in output) for status, output in runs] == [(1, True), (1, True), (0, False)]


async def test_second_header(tmp_path: Path) -> None:
    """An error is printed between two headers, and the run succeeds."""
    async with station(tmp_path, fault("second_header", "recognise")) as bench:
        status, output = await recognised(bench, bench.hub.plug(1))
    assert (status, output.count("ST-LINK SN"), output.count("Device ID")) == (0, 2, 1)
    assert "Error: No STM32 target found!\n2nd connect tentative" in output


async def test_low_voltage(tmp_path: Path) -> None:
    """The header shows the low voltage; below a limit, flash cannot be written."""
    async with station(tmp_path, fault("low_voltage", "recognise", volts=1.5)) as bench:
        board = bench.hub.plug(1)
        _, header = await recognised(bench, board)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
    assert "Voltage     : 1.50V" in header
    assert (status, "Error: failed to erase memory" in output) == (1, True)


async def test_wrong_device_id(tmp_path: Path) -> None:
    """The wrong device id stays until the board is exchanged."""
    async with station(tmp_path, fault("wrong_device_id", "recognise", device_id=0x450)) as bench:
        status, output = await recognised(bench, bench.hub.plug(1))
    assert (status, "Device ID   : 0x450" in output) == (0, True)


async def test_loader_ignored(tmp_path: Path) -> None:
    """The output has every success message except the erase range."""
    async with station(tmp_path, fault("loader_ignored", "flash_data")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        assert board.external.read(DATA_ADDRESS, 4) == b"\xff" * 4
    assert (status, output.count("verified successfully"), output.count("Erasing external")) == (0, 2, 0)


@pytest.mark.parametrize(("at", "done"), [("recognise", 0), ("flash_data", 0), ("flash_provisioner", 1)])
async def test_nothing_done(tmp_path: Path, at: str, done: int) -> None:
    """The run prints a header, does nothing from the phase on, and exits with 0."""
    async with station(tmp_path, fault("nothing_done", at)) as bench:
        board = bench.hub.plug(1)
        actions = ["-ob", "displ"] if at == "recognise" else bench.writes()
        mode = "HOTPLUG" if at == "recognise" else "UR"
        status, output = await bench.program(*bench.connect(board, mode), *actions)
    assert (status, output.count("File download complete"), "OPTION BYTES" in output) == (0, done, False)


@pytest.mark.parametrize("at", ["flash_data", "flash_provisioner"])
async def test_connect_error_of_a_run_with_two_phases(tmp_path: Path, at: str) -> None:
    """Both phases share the run's one connection."""
    async with station(tmp_path, fault("connect_error", at)) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
    assert (status, "Erasing" in output) == (1, False)


@pytest.mark.parametrize("address", [None, DATA_ADDRESS + 2])
async def test_verify_mismatch(tmp_path: Path, address: int | None) -> None:
    """The byte is really wrong, and the programmer prints its address."""
    parameters = {} if address is None else {"address": address}
    async with station(tmp_path, fault("verify_mismatch", "flash_data", **parameters)) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        written = (tmp_path / "data.bin").read_bytes()
        where = address or DATA_ADDRESS + len(written) // 2
        assert board.external.read(where, 1)[0] == written[where - DATA_ADDRESS] ^ 1
    assert (status, f"Error: Data mismatch found at address 0x{where:08X}" in output) == (1, True)


async def test_verify_mismatch_waits_for_its_address(tmp_path: Path) -> None:
    """A file that does not reach the address is written correctly."""
    async with station(tmp_path, fault("verify_mismatch", "flash_data", address=APPLICATION)) as bench:
        board = bench.hub.plug(1)
        status, _ = await bench.program(*bench.connect(board), *bench.writes())
        assert (status, bench.journal("fault")) == (0, [])


async def test_error_then_success(tmp_path: Path) -> None:
    """The memory is unchanged."""
    async with station(tmp_path, fault("error_then_success", "flash_provisioner")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        assert board.internal.read(APPLICATION, 4) == b"\xff" * 4
    assert (status, output.count("Error: Failed to download data!"), output.count("verified successfully")) == (0, 1, 2)


async def test_glued_error(tmp_path: Path) -> None:
    """The error follows the bar on its line, and the error's text is on the next line."""
    async with station(tmp_path, fault("glued_error", "flash_provisioner")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
    assert status == 1
    assert "] 50% Error:\nDownloading 8-bit data failed..." in output


async def test_hang_in_the_second_phase_of_a_run(tmp_path: Path) -> None:
    """The first phase of the run is done."""
    async with station(tmp_path, fault("hang", "flash_provisioner")) as bench:
        board = bench.hub.plug(1)
        async with bench.started(*bench.connect(board), *bench.writes()) as process, asyncio.timeout(DEADLINE):
            assert process.stdout is not None
            await process.stdout.readuntil(b"Download verified successfully")
            while not bench.journal("fault"):
                await asyncio.sleep(0)
            process.terminate()
            rest = await process.stdout.read()
    assert b"Erasing" not in rest


@pytest.mark.parametrize(("deaf_to", "number"), [("nothing", signal.SIGINT), ("interrupt", signal.SIGTERM)])
async def test_hang_ends_with_the_signal_it_heeds(tmp_path: Path, deaf_to: str, number: signal.Signals) -> None:
    """No other signal ends the hang."""
    async with station(tmp_path, fault("hang", "flash_data", deaf_to=deaf_to)) as bench:
        board = bench.hub.plug(1)
        async with bench.started(*bench.connect(board), *bench.writes()) as process, asyncio.timeout(DEADLINE):
            assert process.stdout is not None
            await process.stdout.readuntil(b"Debug in Low Power mode enabled")
            process.send_signal(signal.SIGINT)
            process.send_signal(number)
            assert await process.wait() == 128 + number
        assert board.holder is None


async def test_hang_that_only_a_kill_ends(tmp_path: Path) -> None:
    """Signals do nothing; the probe is free when the process is dead."""
    async with station(tmp_path, fault("hang", "flash_data", deaf_to="all")) as bench:
        board = bench.hub.plug(1)
        async with bench.started(*bench.connect(board), *bench.writes()) as process, asyncio.timeout(DEADLINE):
            assert process.stdout is not None
            await process.stdout.readuntil(b"Debug in Low Power mode enabled")
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            await bench.program("-version")
            assert process.returncode is None
            process.kill()
            await process.wait()
        assert (await recognised(bench, board))[0] == 0


async def test_wedge_on_kill(tmp_path: Path) -> None:
    """The probe does not answer until it is plugged in again."""
    async with station(tmp_path, fault("hang", "recognise"), fault("wedge_on_kill", "recognise")) as bench:
        board = bench.hub.plug(1)
        async with bench.started(*bench.connect(board, "HOTPLUG")) as process, asyncio.timeout(DEADLINE):
            assert process.stdout is not None
            await process.stdout.readuntil(b"Debug in Low Power mode enabled")
            process.kill()
            await process.wait()
        status, output = await recognised(bench, board)
        bench.hub.unplug(1)
        bench.hub.plug(1)
        healed, _ = await recognised(bench, board)
    assert (status, "ST-LINK error (DEV_USB_COMM_ERR)" in output, healed) == (1, True, 0)


async def test_a_fault_happens_once_and_is_in_the_journal(tmp_path: Path) -> None:
    """The journal has the fault's values, defaults included."""
    async with station(tmp_path, fault("connect_error", "recognise")) as bench:
        board = bench.hub.plug(1)
        assert [(await recognised(bench, board))[0] for _ in range(2)] == [1, 0]
        (entry,) = bench.journal("fault")
    assert {key: entry[key] for key in ("board", "at", "what", "error")} == fault(
        "connect_error", "recognise", error="no_target"
    )


async def test_a_fault_may_happen_always(tmp_path: Path) -> None:
    """`times = 0` repeats the fault without end."""
    async with station(tmp_path, fault("connect_error", "recognise", times=0)) as bench:
        board = bench.hub.plug(1)
        assert [(await recognised(bench, board))[0] for _ in range(4)] == [1] * 4


async def test_a_fault_is_its_boards(tmp_path: Path) -> None:
    """Boards are numbered in order of first plugging."""
    async with station(tmp_path, fault("connect_error", "recognise")) as bench:
        second_port, first_port = bench.hub.plug(2), bench.hub.plug(1)
        assert (await recognised(bench, first_port))[0] == 0
        assert (await recognised(bench, second_port))[0] == 1


def test_the_catalogue_reaches_every_phase() -> None:
    """Every phase has a fault that can happen in it."""
    assert {phase for kind in CATALOGUE.values() for phase in kind.phases} == {*Phase}


async def test_phases_are_inferred_from_what_is_seen(tmp_path: Path) -> None:
    """A whole run passes through every phase in order."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        seen = [board.faults.phase]
        await recognised(bench, board)
        seen.append(board.faults.phase)
        await bench.provisioner(board)
        seen.append(board.faults.phase)
        async with bench.line(board) as line:
            await line.ask(HELLO)
            seen.append(board.faults.phase)
            await store(line)
            seen.append(board.faults.phase)
            back = ["-el", str(tmp_path / LOADER), "-r", hex(DATA_ADDRESS), "16384", "back.bin"]
            await bench.program(*bench.connect(board), *back)
            seen.append(board.faults.phase)
            await bench.operational(board)
            await line.until(b"operational VID")
            await line.ask(PROVE, NONCE)
            seen.append(board.faults.phase)
            await bench.program(*bench.connect(board), "-ob", "nSWBOOT0=0")
            seen.append(board.faults.phase)
        assert bench.journal("invocation")[0]["phase"] == "recognise"
    assert [phase and phase.value for phase in seen] == [
        None,
        "recognise",
        "flash_provisioner",
        "await_csr",
        "deliver",
        "flash_operational",
        "confirm",
        "lock",
    ]
