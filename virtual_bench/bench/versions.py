# SPDX-License-Identifier: Apache-2.0
"""How the output of STM32_Programmer_CLI differs between versions and hosts, as data. Pure.

Columns and wording are copied from public logs of the real tool; if no log shows a WB55 with a version, from the log
nearest to it.
"""

from dataclasses import dataclass

_PROBE_LINES = (
    "ST-LINK SN  : {probe}",
    "ST-LINK FW  : {firmware}",
    "Board       : {board}",
    "Voltage     : {voltage}V",
)
_CONNECTION = (
    "SWD freq    : {khz} KHz",
    "Connect mode: {mode}",
    "Reset mode  : {reset}",
    "Device ID   : 0x{device_id:X}",
)
_LOW_POWER = "Debug in Low Power mode enabled"
_BOOTLOADER = "BL Version  : 0xd5"
_MEMORY_FIRST = ("Memory Programming ...", "Opening and parsing file: {file}")
_FILE_FIRST = ("Opening and parsing file: {file}", "", "", "Memory Programming ...")
_IMAGE_OF_EITHER = "Download Stack/FUS image at address 0x{address:08X}"
_NO_TARGET = "Error: No STM32 target found!"
_NO_TARGET_AUTHENTICATED = (
    f"{_NO_TARGET} If your product embeds Debug Authentication, please perform a discovery using Debug Authentication"
)


@dataclass(frozen=True, slots=True)
class Version:
    """The texts of one version on one host; the printing code fills in the `{}` fields."""

    number: str
    target: tuple[str, ...]
    device_name: str  # of the STM32WB55
    segment: str = "segment"  # the tool's name for the part of a file that it erases for
    opening: tuple[str, ...] = _MEMORY_FIRST  # from the action to the file's description
    probe: tuple[str, ...] = _PROBE_LINES
    no_target: str = _NO_TARGET
    no_jlink: str | None = None  # the text under the heading; None: there is no such heading
    no_stlink: str = "Error: No ST-Link detected!"
    names_boards: bool = True  # in the list of probes
    names_boards_of_ports: bool = False
    whole_kilobytes: bool = False  # 8 KBytes, and 17841 Bytes; else 17.42 KB
    address_of_memory: str = "Address:      :"
    resets_before_hard: bool = True  # says so before a hardware reset, too
    tells_time_of_options: bool = True
    lower_case_options: bool = False
    image_for_coprocessor: str = "Download firmware image at address 0x{address:X} ..."
    banner_indent: int = 23
    windows: bool = False  # the host: bars of code page 437, and lines that end in CR LF
    decimal_comma: bool = False  # the host's language


def _header(*device: str, revision: bool = True) -> tuple[str, ...]:
    return (*_CONNECTION, *(("Revision ID : Rev Y",) if revision else ()), *device)


def _part(*, memory: str = "Flash size", core: str = "Cortex-M4") -> tuple[str, ...]:
    return ("Device name : {device_name}", f"{memory}  : 1 MBytes", "Device type : MCU", f"Device CPU  : {core}")


DEFAULT_VERSION = "2.19"
VERSIONS = {
    "2.4": Version(
        number="2.4.0",
        probe=tuple(line for line in _PROBE_LINES if not line.startswith("Board")),
        target=_header(*_part(core="Cortex-M0+/M4"), revision=False),
        device_name="STM32WB55xx",
        names_boards=False,
        whole_kilobytes=True,
        resets_before_hard=False,
        tells_time_of_options=False,
        lower_case_options=True,
        banner_indent=24,
    ),
    "2.7": Version(
        number="2.7.0",
        target=_header(*_part()),
        device_name="STM32WB5x",
        names_boards=False,
        whole_kilobytes=True,
        resets_before_hard=False,
        tells_time_of_options=False,
        banner_indent=24,
    ),
    "2.13": Version(
        number="2.13.0",
        target=_header(*_part(), _BOOTLOADER, _LOW_POWER),
        device_name="STM32WB5x/35xx",
        names_boards=False,
        resets_before_hard=False,
        tells_time_of_options=False,
    ),
    "2.17": Version(
        number="2.17.0",
        target=_header(*_part(), _BOOTLOADER),
        device_name="STM32WB5x/35xx",
        no_target=_NO_TARGET_AUTHENTICATED,
        no_jlink="Error: No J-link probe detected.",
    ),
    DEFAULT_VERSION: Version(
        number="2.19.0",
        target=_header(*_part(), _BOOTLOADER, _LOW_POWER),
        device_name="STM32WB5x/35xx",
        segment="sector",
        opening=_FILE_FIRST,
        no_target=_NO_TARGET_AUTHENTICATED,
        no_jlink="No J-Link/flasher probe detected.",
        no_stlink="No ST-Link detected!",
        names_boards_of_ports=True,
        image_for_coprocessor=_IMAGE_OF_EITHER,
    ),
    "2.22": Version(
        number="2.22.0",
        target=_header(*_part(memory="NVM size"), _BOOTLOADER, _LOW_POWER),
        device_name="STM32WB5x/35xx",
        segment="sector",
        opening=_FILE_FIRST,
        no_target=f"Error: Unable to get core ID\n{_NO_TARGET_AUTHENTICATED}",
        no_jlink="No J-Link/flasher probe detected.",
        no_stlink="No ST-Link detected!",
        names_boards_of_ports=True,
        image_for_coprocessor=_IMAGE_OF_EITHER,
        address_of_memory="Address       :",
    ),
}
