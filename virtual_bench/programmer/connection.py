# SPDX-License-Identifier: Apache-2.0
"""Connects the programmer to a board and prints the header; the connection's faults happen here."""

from collections.abc import Collection

from virtual_bench.board.board import NAME, Board
from virtual_bench.faults.armed import Fault
from virtual_bench.faults.phases import Phase
from virtual_bench.hub.hub import Hub
from virtual_bench.programmer import output
from virtual_bench.programmer.commands import Connect
from virtual_bench.programmer.process import Failed, Process

DEVICE_ID, VOLTS = 0x495, 3.28
MODES = {"NORMAL": "Normal", "HOTPLUG": "Hot Plug"}  # all others connect under reset
SECOND_ATTEMPT = 0.6
FIRST_NO_TARGET = "Error: No STM32 target found!"
PROBLEM = "Error: Problem occured while trying to connect"  # ST's spelling
TARGET_COMMAND = "Error: ST-LINK error (DEV_TARGET_CMD_ERR)"
HELD_UNDER_RESET = "Error: ST-LINK error (DEV_TARGET_HELD_UNDER_RESET)"
NOT_FOUND = "Error: Serial number not found"
NO_PROBE = "Error: No debug probe detected."
BUSY = f"ST-LINK error (DEV_CONNECT_ERR)\n{PROBLEM}"
WEDGED = f"ST-LINK error (DEV_USB_COMM_ERR)\n{PROBLEM}"
ERRORS = {  # the text, and whether the probe's half of the header precedes it
    "target_command": (True, TARGET_COMMAND),
    "held_under_reset": (True, HELD_UNDER_RESET),
    "serial_not_found": (False, NOT_FOUND),
    "old_firmware": (True, "Error: Old ST-LINK firmware version: ST-LINK firmware upgrade required"),
    "usb": (False, WEDGED),
    "busy": (False, BUSY),
    "no_probe": (False, NO_PROBE),
}


def free_board(hub: Hub, connect: Connect) -> Board:
    """The board behind the requested probe. Raises Failed if there is none, or if another process holds it."""
    return _free(hub.on_probe(connect.probe, connect.index))


def board_instead(hub: Hub, fault: Fault) -> Board:
    """The board that the programmer uses, which may have another probe than the requested one. Raises Failed."""
    number = fault.integer("answering")
    return _free(next((board for _, board in hub.plugged() if board.nameplate.number == number), None))


def _free(board: Board | None) -> Board:
    if board is None:
        raise Failed(NO_PROBE)
    if board.holder is not None:
        raise Failed(BUSY)
    return board


async def establish(process: Process, board: Board, connect: Connect, phases: Collection[Phase]) -> None:
    """Connects for a run that belongs to these phases, and prints the header. Raises Failed and Stopped."""
    if board.wedged:
        raise Failed(WEDGED)
    if connect.mode != "HOTPLUG":
        board.core.halt()  # and stays halted: this tool starts the core only on request
    await process.pause(process.profile.connect)
    header = _header(process, board, connect)
    version = process.bench.version
    probe_lines = "\n".join(version.probe).format_map(header)
    if fault := board.faults.due("connect_error", during=phases):
        with_header, error = ERRORS.get(fault.text("error"), (True, version.no_target))
        raise Failed(f"{probe_lines}\n{error}" if with_header else error)
    if board.options.locked:
        raise Failed(f"{probe_lines}\n{TARGET_COMMAND}")
    if board.faults.due("second_header", during=phases):
        process.say(f"{probe_lines}\n{FIRST_NO_TARGET}\n2nd connect tentative with a lower frequency (8MHz)")
        await process.pause(SECOND_ATTEMPT)
    process.say(probe_lines)
    process.say("\n".join(version.target).format_map(header) + "\n")


def _header(process: Process, board: Board, connect: Connect) -> dict[str, object]:
    profile = process.profile
    wrong_device, low_voltage = board.faults.lasting("wrong_device_id"), board.faults.lasting("low_voltage")
    device_id = wrong_device.integer("device_id") if wrong_device else DEVICE_ID
    return {
        "probe": board.probe,
        "firmware": profile.probe_firmware,
        "board": NAME,
        "voltage": output.decimal(low_voltage.number("volts") if low_voltage else VOLTS, process.bench.version),
        "khz": profile.swd_khz,
        "mode": MODES.get(connect.mode, "Under Reset"),
        "reset": "Software reset" if connect.mode in MODES else "Hardware reset",
        "device_id": device_id,
        "device_name": process.bench.version.device_name if device_id == DEVICE_ID else "STM32L47x/48x",
    }
