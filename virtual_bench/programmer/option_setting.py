# SPDX-License-Identifier: Apache-2.0
"""`-ob NAME=VALUE`: skips option bytes that already have the value; changing others needs a new connection."""

from collections.abc import Iterable

from virtual_bench.board.board import Board
from virtual_bench.board.option_bytes import BY_NAME, UNPROTECTED
from virtual_bench.programmer import output
from virtual_bench.programmer.process import Failed, Process

DESCRIBED = "\n\n  Bank          : 0x00\n  Address       : 0x58004020\n  Size          : 104 Bytes\n"


async def set_options(process: Process, board: Board, asked: Iterable[tuple[str, int]]) -> None:
    """Sets option bytes. Raises Failed with the tool's error lines, and Stopped."""
    wanted = _to_be_changed(process, board, asked)
    version, values = process.bench.version, board.options.values
    if not wanted:
        process.say("Warning: Option Bytes are unchanged, Data won't be downloaded")
        if version.tells_time_of_options:
            process.say(f"Time elapsed during option Bytes configuration: {output.elapsed(0)}")
        return
    process.say(f"UPLOADING OPTION BYTES DATA ...{DESCRIBED}\n")
    process.say(f"PROGRAMMING OPTION BYTES AREA ...{DESCRIBED}")
    await process.pause(process.profile.option_bytes)
    if board.faults.due("options_refused"):
        process.say("\nReconnecting...")
        await process.pause(process.profile.reconnect)
        name, value = next(iter(wanted.items()))
        raise Failed(
            f'Reconnected !\nError: Expected value for Option Byte "{name}": 0x{value:X}, found: 0x{values[name]:X}\n'
            "Error: Option Byte Programming failed"
        )
    board.launch(wanted, erases=values["RDP"] != UNPROTECTED and wanted.get("RDP") == UNPROTECTED)
    process.say("\nReconnecting...")
    await process.pause(process.profile.reconnect)
    if board.faults.due("option_reconnect_fails"):
        raise Failed("Warning: Connection to device 0x495 is lost")
    process.say(f"Reconnected !\n\n\nUPLOADING OPTION BYTES DATA ...{DESCRIBED}")
    process.say("OPTION BYTE PROGRAMMING VERIFICATION:\n\nOption Bytes successfully programmed")


def _to_be_changed(process: Process, board: Board, asked: Iterable[tuple[str, int]]) -> dict[str, int]:
    wanted = {}
    for name, value in asked:
        option = BY_NAME.get(name.lower())
        if option is None or not option.writable:
            raise Failed(f"Error: Option Byte: {name} cannot be set")
        if board.options.values[option.name] == value:
            told = name.lower() if process.bench.version.lower_case_options else name
            process.say(f"Warning: Option Byte: {told}, value: 0x{value:X}, was not modified.")
        else:
            wanted[option.name] = value
    return wanted
