# SPDX-License-Identifier: Apache-2.0
"""`-l`: lists the probes on the USB and the serial ports. Its plain form connects to every target."""

from pathlib import Path

from virtual_bench.board.board import NAME, Board
from virtual_bench.hub.hub import Hub
from virtual_bench.programmer.process import Process

BOGUS = "5&1E237D3C&0&{port}"  # Windows' name for a device without a serial number
NO_TARGET_TOUCHED = {"uart", "st-link-only", "usb"}


async def show(process: Process, hub: Hub, asked: str) -> None:
    """Prints the requested sections, or all of them if none is requested. Raises Stopped."""
    profile, version = process.profile, process.bench.version
    boards = [board for _, board in hub.plugged()]
    quick = asked in NO_TARGET_TOUCHED
    await process.pause(profile.list_only if quick else profile.list_start + profile.list_probe * len(boards))
    if asked in {"", "usb"}:
        process.say("=====  DFU Interface   =====\n\nNo STM32 device in DFU mode connected\n")
    if not asked and version.no_jlink:
        process.say(f"===== J-Link Interface =====\n{version.no_jlink}")
    if asked in {"", "st-link", "st-link-only"}:
        connecting = asked != "st-link-only"
        for board in boards:
            if connecting and board.holder is None and board.faults.lasting("list_resets"):
                board.reset()
        _show_probes(process, boards, connecting=connecting)
    if asked in {"", "uart"}:
        _show_ports(process, boards, hub.serial_dir.parent)


def _show_probes(process: Process, boards: list[Board], *, connecting: bool) -> None:
    say, firmware = process.say, process.profile.probe_firmware
    say("===== STLink Interface =====")
    if not boards:
        say(f"{process.bench.version.no_stlink}\n")
        return
    bogus = [board for board in boards if board.faults.lasting("list_bogus_serial")]
    unreachable = [
        board for board in boards if board.wedged or board in bogus or (connecting and board.holder is not None)
    ]
    for board in unreachable:
        say(f"ST-LINK error ({'DEV_USB_COMM_ERR' if board.wedged else 'DEV_CONNECT_ERR'})")
    say("\n-------- Connected ST-LINK Probes List --------\n")
    for index, board in enumerate(boards):
        known = board not in unreachable
        say(f"ST-Link Probe {index} :")
        say(f"   ST-LINK SN  : {BOGUS.format(port=board.nameplate.port) if board in bogus else board.probe}")
        say(f"   ST-LINK FW  : {firmware if known else ''}")
        if process.bench.version.names_boards:
            say(f"   Access Port Number  : 0\n   Board Name  : {NAME if known else ''}")
        say("-----------------------------------------------" if index == len(boards) - 1 else "")
    say("")


def _show_ports(process: Process, boards: list[Board], dev: Path) -> None:
    say = process.say
    say("=====  UART Interface  =====\n")
    say(f"Total number of serial ports available: {len(boards)}\n")
    for board in boards:
        if process.bench.version.names_boards_of_ports:
            say(f"Board Name  : {NAME}\nST-LINK SN: {board.probe}")
        say(f"Port: {board.tty}\nLocation: {dev / board.tty}")
        say(f"Description: {process.profile.probe_product}\nManufacturer: STMicroelectronics\n")
