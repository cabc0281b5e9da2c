# SPDX-License-Identifier: Apache-2.0
"""The radio's core, seen from outside: its upgrade service (FUS), its wireless stack, and which of them runs."""

import asyncio
import hashlib
from collections.abc import Callable

WORDS = 0x20010010  # where ST's operator leaves the two version words: the FUS's, then the stack's
WINDOW = range(0x20010000, 0x20010100)
GARBAGE = 0x130E0019  # the word that a public report shows in place of the stack's version
_STACK_WORD = WORDS + 4 - WINDOW.start


class RadioCore:
    """The second core. It finishes its work without the programmer, unless its power fails."""

    def __init__(self, fus: int, stack: int | None, *, boot_held: bool = False) -> None:
        self.fus = fus
        self.stack = stack
        self.stack_runs = stack is not None
        self.boot_held = boot_held  # upgrades set option bytes that keep the application from booting
        self._words_told = False
        self._working: asyncio.TimerHandle | None = None
        self._deed: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        return self._working is not None

    def power_on(self) -> None:
        """Starts the stack, if there is one."""
        self.start_stack()

    def power_off(self) -> None:
        """Drops half-done work."""
        self._let_go()
        self.forget_words()

    def start_fus(self) -> None:
        self.stack_runs = False

    def start_stack(self) -> bool:
        """Starts the stack; returns whether there is one."""
        self.stack_runs = self.stack is not None
        return self.stack_runs

    def begin(self, seconds: float, deed: Callable[[], None]) -> None:
        """Begins work that takes effect after the given number of real seconds."""
        self._deed = deed
        self._working = asyncio.get_running_loop().call_later(seconds, self.finish)

    def finish(self) -> None:
        """Completes the work in progress at once, if there is any."""
        if self._let_go():
            self._deed()

    def _let_go(self) -> bool:
        """Drops the work in progress; returns whether there was any."""
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
        return working is not None

    def tell_words(self) -> None:
        """Puts the version words into memory, where they stay until they are overwritten."""
        self._words_told = True

    def forget_words(self) -> None:
        self._words_told = False

    def memory(self, address: int, size: int, remains: bytes) -> bytes:
        """The memory window of the version words; if they are absent, leftover bytes, always the same."""
        window = bytearray(hashlib.shake_128(b"memory of " + remains).digest(len(WINDOW)))
        window[_STACK_WORD : _STACK_WORD + 4] = GARBAGE.to_bytes(4, "little")
        if self._words_told:
            words = self.fus.to_bytes(4, "little") + (self.stack or 0).to_bytes(4, "little")
            window[_STACK_WORD - 4 : _STACK_WORD + 4] = words
        start = address - WINDOW.start
        return bytes(window[start : start + size])
