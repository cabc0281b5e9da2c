"""How the versions of STM32_Programmer_CLI differ in what they print, as data. Pure.

Columns and wording are those of public logs of the real tool; where none shows a WB55 on a version, the nearest is taken.
"""

from dataclasses import dataclass

_PROBE_LINES = (
    "ST-LINK SN  : {probe}",
    "ST-LINK FW  : {firmware}",
    "Board       : {board}",
    "Voltage     : {voltage:.2f}V",
)
_TARGET_LINES = (
    "SWD freq    : {khz} KHz",
    "Connect mode: {mode}",
    "Reset mode  : {reset}",
    "Device ID   : 0x{device_id:X}",
    "Revision ID : Rev Y",
    "Device name : {device_name}",
    "Flash size  : 1 MBytes",
    "Device type : MCU",
    "Device CPU  : Cortex-M4",
    "BL Version  : 0xd5",
)


@dataclass(frozen=True, slots=True)
class Version:
    """The texts of one version; `{}` fields are filled in by whoever prints them."""

    number: str
    target: tuple[str, ...]
    no_jlink: str
    no_stlink: str
    names_boards_of_ports: bool
    opening: tuple[str, ...]  # from the action to the file's description
    segment: str  # what the tool calls the part of a file that it erases for
    probe: tuple[str, ...] = _PROBE_LINES
    banner_indent: int = 23


DEFAULT_VERSION = "2.19"
VERSIONS = {
    DEFAULT_VERSION: Version(
        number="2.19.0",
        target=(*_TARGET_LINES, "Debug in Low Power mode enabled"),
        no_jlink="No J-Link/flasher probe detected.",
        no_stlink="No ST-Link detected!",
        names_boards_of_ports=True,
        opening=("Opening and parsing file: {file}", "", "", "Memory Programming ..."),
        segment="sector",
    ),
    "2.17": Version(
        number="2.17.0",
        target=_TARGET_LINES,
        no_jlink="Error: No J-link probe detected.",
        no_stlink="Error: No ST-Link detected!",
        names_boards_of_ports=False,
        opening=("Memory Programming ...", "Opening and parsing file: {file}"),
        segment="segment",
    ),
}
