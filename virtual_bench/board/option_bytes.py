# SPDX-License-Identifier: Apache-2.0
"""The STM32WB55's option bytes: names, values after manufacture, and the meaning of values. Pure.

Names and addresses are from RM0434 section 3.5. No full listing by the real tool is public, so the wording is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OptionByte:
    """One row of `-ob displ`."""

    name: str
    group: str
    default: int
    meanings: Mapping[int, str]
    writable: bool = True


UNPROTECTED, LOCKED = 0xAA, 0xCC
RDP_LEVELS = {
    UNPROTECTED: "Level 0, no protection",
    0xBB: "Level 1, read protection of memories",
    LOCKED: "Level 2, chip protection",
}

LAYOUT = (
    OptionByte("RDP", "Read Out Protection", 0xAA, RDP_LEVELS),
    OptionByte("BOR_LEV", "BOR Level", 0x0, {0: "BOR Level 0 reset level threshold is around 1.7 V"}),
    OptionByte("nBOOT0", "User Configuration", 0x1, {0: "nBOOT0=0", 1: "nBOOT0=1"}),
    OptionByte(
        "nBOOT1", "User Configuration", 0x1, {0: "Boot from SRAM1 if BOOT0=1", 1: "Boot from system memory if BOOT0=1"}
    ),
    OptionByte(
        "nSWBOOT0",
        "User Configuration",
        0x1,
        {0: "BOOT0 taken from the option bit nBOOT0", 1: "BOOT0 taken from PH3/BOOT0 pin"},
    ),
    OptionByte(
        "SRAM2RST",
        "User Configuration",
        0x0,
        {0: "SRAM2 erased when a system reset occurs", 1: "SRAM2 not erased when a system reset occurs"},
    ),
    OptionByte("SRAM2PE", "User Configuration", 0x1, {0: "SRAM2 parity check enable", 1: "SRAM2 parity check disable"}),
    OptionByte(
        "nRST_STOP",
        "User Configuration",
        0x1,
        {0: "Reset generated when entering the Stop mode", 1: "No reset generated when entering the Stop mode"},
    ),
    OptionByte(
        "nRST_STDBY",
        "User Configuration",
        0x1,
        {0: "Reset generated when entering the Standby mode", 1: "No reset generated when entering the Standby mode"},
    ),
    OptionByte(
        "nRSTSHDW",
        "User Configuration",
        0x1,
        {0: "Reset generated when entering the Shutdown mode", 1: "No reset generated when entering the Shutdown mode"},
    ),
    OptionByte("WWDGSW", "User Configuration", 0x1, {0: "Hardware window watchdog", 1: "Software window watchdog"}),
    OptionByte(
        "IWDGSTDBY",
        "User Configuration",
        0x1,
        {0: "Independent watchdog frozen in standby mode", 1: "Independent watchdog running in standby mode"},
    ),
    OptionByte(
        "IWDGSTOP",
        "User Configuration",
        0x1,
        {0: "Independent watchdog frozen in stop mode", 1: "Independent watchdog running in stop mode"},
    ),
    OptionByte(
        "IWDGSW", "User Configuration", 0x1, {0: "Hardware independent watchdog", 1: "Software independent watchdog"}
    ),
    OptionByte("IPCCDBA", "User Configuration", 0x0, {}),
    OptionByte(
        "ESE",
        "Security Configuration Option bytes",
        0x1,
        {0: "Security disabled", 1: "Security enabled"},
        writable=False,
    ),
    OptionByte("SFSA", "Security Configuration Option bytes", 0xCB, {}, writable=False),  # only the coprocessor sets it
    OptionByte(
        "FSD",
        "Security Configuration Option bytes",
        0x0,
        {0: "System and Flash secure", 1: "System and Flash non-secure"},
        writable=False,
    ),
    OptionByte(
        "DDS",
        "Security Configuration Option bytes",
        0x1,
        {0: "CPU2 debug access enabled", 1: "CPU2 debug access disabled"},
        writable=False,
    ),
    OptionByte("SBRSA", "Security Configuration Option bytes", 0xA, {}, writable=False),
    OptionByte("SNBRSA", "Security Configuration Option bytes", 0xF, {}, writable=False),
    OptionByte("SBRV", "Security Configuration Option bytes", 0x32C00, {}, writable=False),
    OptionByte("PCROP1A_STRT", "PCROP Protection", 0x1FF, {}),
    OptionByte("PCROP1A_END", "PCROP Protection", 0x0, {}),
    OptionByte("PCROP_RDP", "PCROP Protection", 0x1, {}),
    OptionByte("WRP1A_STRT", "Write Protection", 0xFF, {}),
    OptionByte("WRP1A_END", "Write Protection", 0x0, {}),
    OptionByte("WRP1B_STRT", "Write Protection", 0xFF, {}),
    OptionByte("WRP1B_END", "Write Protection", 0x0, {}),
)
BOOT = {"nSWBOOT0", "nBOOT0", "nBOOT1"}
BY_NAME = {option.name.lower(): option for option in LAYOUT}


class OptionBytes:
    """One chip's option bytes."""

    def __init__(self, values: Mapping[str, int] | None = None) -> None:
        self.values = {option.name: option.default for option in LAYOUT} | dict(values or {})

    @property
    def protected(self) -> bool:
        """Whether the memories are protected from the debug port."""
        return self.values["RDP"] != UNPROTECTED

    @property
    def locked(self) -> bool:
        """Whether the debug port is closed for ever."""
        return self.values["RDP"] == LOCKED

    def write_protected(self, pages: range) -> bool:
        """Whether one of these pages of the internal flash can be neither erased nor programmed."""
        areas = [(self.values[f"WRP1{area}_STRT"], self.values[f"WRP1{area}_END"]) for area in "AB"]
        return any(first <= page <= last for first, last in areas for page in pages)

    def secure(self, pages: range) -> bool:
        """Whether one of these pages belongs to the coprocessor, which nothing else may access."""
        return pages.stop > self.values["SFSA"]

    def listing(self) -> str:
        """The text of `-ob displ`."""
        lines = ["OPTION BYTES BANK: 0"]
        group = ""
        for option in LAYOUT:
            if option.group != group:
                group = option.group
                lines += ["", f"   {group}:", ""]
            value = self.values[option.name]
            meaning = option.meanings.get(value)
            lines.append(f"     {option.name:<13}: 0x{value:X}" + (f" ({meaning})" if meaning else ""))
        return "\n".join(lines) + "\n"
