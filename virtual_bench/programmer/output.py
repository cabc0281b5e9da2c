# SPDX-License-Identifier: Apache-2.0
"""The programmer's format of banners, sizes, times and ranges. Pure; columns as in logs of the real tool."""

from virtual_bench.bench.versions import Version

RULE = " " * 6 + "-" * 67
KILOBYTE = 1024
BAR = 50  # cells
BLOCK = "\udcdb"  # the byte 0xDB, a full block in code page 437; it is no UTF-8
UNIT_LIMIT = 1024  # bytes; from here on the tool writes KB


def banner(version: Version) -> str:
    return f"{RULE}\n{' ' * version.banner_indent}STM32CubeProgrammer v{version.number}                  \n{RULE}\n\n"


def decimal(value: float, version: Version) -> str:
    """A number with two decimals, with the decimal sign of the host's language."""
    return f"{value:.2f}".replace(".", "," if version.decimal_comma else ".")


def size(count: int, version: Version) -> str:
    if version.whole_kilobytes:
        return f"{count} Bytes" if count % KILOBYTE else f"{count // KILOBYTE} KBytes"
    return f"{count} Bytes" if count < UNIT_LIMIT else f"{decimal(count / KILOBYTE, version)} KB "


def not_downloaded(version: Version) -> str:
    """The errors of a write that fails while flash is programmed; a log of 2.20 has them for an ST-LINK."""
    return f"Error: failed to download {version.segment.capitalize()}[0]\nError: failed to download the File"


def elapsed(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def sectors(memory: str, numbers: range) -> str:
    """The line of an erase, with the first and the last sector, inclusive."""
    if len(numbers) == 1:
        return f"Erasing {memory} memory sector {numbers[0]}"
    return f"Erasing {memory} memory sectors [{numbers[0]} {numbers[-1]}]"


def dump(address: int, data: bytes, width: int) -> str:
    """A memory dump, sixteen bytes per line, in little-endian units of `width` bytes."""
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        units = (row[at : at + width] for at in range(0, len(row), width))
        words = " ".join(f"{int.from_bytes(unit, 'little'):0{2 * width}X}" for unit in units)
        lines.append(f"0x{address + start:08X} : {words}")
    return "\n".join(lines)


def bar(done: float, version: Version) -> str:
    """The progress bar, drawn over the last one."""
    filled = round(BAR * done)
    cells = BLOCK * filled if version.windows else f"[{'=' * filled}{' ' * (BAR - filled)}]"
    return f"\r{cells} {round(100 * done)}% "
