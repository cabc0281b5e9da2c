# SPDX-License-Identifier: Apache-2.0
"""Flash memory in a file: an erase sets whole pages to FF, and a program operation can only clear bits."""

import ctypes
import mmap
from pathlib import Path

ERASED = b"\xff"


class Flash:
    """One memory at its address. The file is the memory: its readers see every change at once."""

    def __init__(self, path: Path, base: int, size: int, page: int) -> None:
        self.base = base
        self.size = size
        self.page = page
        if not path.exists():
            path.write_bytes(ERASED * size)
        with path.open("r+b") as file:
            self._cells = mmap.mmap(file.fileno(), size)

    def holds(self, address: int, size: int = 1) -> bool:
        """Whether the whole range lies in this memory."""
        return self.base <= address and address + size <= self.base + self.size

    def pages(self, address: int, size: int) -> range:
        """The numbers of the pages that the range touches."""
        start = address - self.base
        return range(start // self.page, (start + size - 1) // self.page + 1)

    def read(self, address: int, size: int) -> bytes:
        start = address - self.base
        return self._cells[start : start + size]

    def erase(self, address: int, size: int) -> None:
        """Erases every page that the range touches."""
        pages = self.pages(address, size)
        self._cells[pages.start * self.page : pages.stop * self.page] = ERASED * (len(pages) * self.page)

    def program(self, address: int, data: bytes) -> None:
        start = address - self.base
        was = self._cells[start : start + len(data)]
        if was != ERASED * len(data):
            data = (int.from_bytes(was) & int.from_bytes(data)).to_bytes(len(data))
        self._cells[start : start + len(data)] = data

    def restore(self, address: int, data: bytes) -> None:
        """Undoes a store that bypassed `program` through `address_in_process`."""
        start = address - self.base
        self._cells[start : start + len(data)] = data

    @property
    def address_in_process(self) -> int:
        """The first cell's address in this process's memory, for an emulated core; valid until the flash is closed."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self._cells))

    def flip(self, address: int) -> None:
        """Damages one cell: flips its lowest bit."""
        self._cells[address - self.base] ^= 1

    def close(self) -> None:
        self._cells.close()
