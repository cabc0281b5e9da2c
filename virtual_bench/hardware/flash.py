# SPDX-License-Identifier: Apache-2.0
"""Flash memory in a file: an erase sets whole pages to FF, and a program operation can only clear bits."""

import mmap
from pathlib import Path

ERASED = b"\xff"
WRITTEN_AT_ONCE = 1 << 16  # bytes: ext4 takes five times as long for 2 MB at once
DOUBLE_WORD = 8  # bytes that the internal flash programs at once, with their error correction


class Flash:
    """One memory at its address. The file is the memory: its readers see every change at once."""

    def __init__(self, path: Path, base: int, size: int, page: int) -> None:
        self.base = base
        self.size = size
        self.page = page
        if not path.exists():
            _make_erased(path, size)
        self._file = path.open("r+b", buffering=0)
        self._cells = mmap.mmap(self._file.fileno(), size)
        self._erased = ERASED * page
        self.changes = 0  # how often its content has changed, or may have

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
        for page in self.pages(address, size):
            cells = slice(page * self.page, (page + 1) * self.page)
            if self._cells[cells] != self._erased:  # reading a file's pages costs less than writing them
                self.changes += 1
                self._cells[cells] = self._erased

    def program(self, address: int, data: bytes) -> None:
        self.changes += 1
        start = address - self.base
        was = self._cells[start : start + len(data)]
        if was != ERASED * len(data):
            data = (int.from_bytes(was) & int.from_bytes(data)).to_bytes(len(data))
        self._cells[start : start + len(data)] = data

    def takes(self, address: int, double_word: bytes) -> bool:
        """Whether the STM32WB's own flash programs this double word there.

        Its error correction allows that only where the double word is erased, or where it becomes zero (RM0434, PROGERR).
        """
        return double_word == bytes(DOUBLE_WORD) or self.read(address, DOUBLE_WORD) == ERASED * DOUBLE_WORD

    def program_double_words(self, address: int, data: bytes) -> bool:
        """Programs the double words that this range touches, filled up with FF; leaves out those that flash refuses.

        Returns whether it refused one.
        """
        start = address - self.base
        if address % DOUBLE_WORD == 0 and self._cells[start : start + len(data)] == ERASED * len(data):
            self.changes += 1
            self._cells[start : start + len(data)] = data
            return False
        before = address % DOUBLE_WORD
        filled = ERASED * before + data
        filled += ERASED * (-len(filled) % DOUBLE_WORD)
        refused = False
        for offset in range(0, len(filled), DOUBLE_WORD):
            where, double_word = address - before + offset, filled[offset : offset + DOUBLE_WORD]
            if self.takes(where, double_word):
                self.program(where, double_word)
            else:
                refused = True
        return refused

    def restore(self, address: int, data: bytes) -> None:
        """Undoes a store that bypassed `program`, of a core that looks at the file."""
        self.changes += 1
        start = address - self.base
        self._cells[start : start + len(data)] = data

    @property
    def descriptor(self) -> int:
        """Of the file, for an emulated core that looks at it; valid until the flash is closed."""
        return self._file.fileno()

    def flip(self, address: int) -> None:
        """Damages one cell: flips its lowest bit."""
        self.changes += 1
        self._cells[address - self.base] ^= 1

    def close(self) -> None:
        self._cells.close()
        self._file.close()


def _make_erased(path: Path, size: int) -> None:
    piece = ERASED * min(size, WRITTEN_AT_ONCE)
    with path.open("xb") as file:
        for at in range(0, size, len(piece)):
            file.write(piece[: size - at])
