"""The radio's core as the outside knows it: the upgrade service (FUS) and the wireless stack in it, and which of them runs."""

import asyncio
import hashlib
from collections.abc import Callable

WORDS = 0x20010010  # where ST's operator leaves the two version words: the FUS's, then the stack's
WINDOW = range(0x20010000, 0x20010100)
GARBAGE = 0x130E0019  # is what a public report has read in the place of the stack's
_STACK_WORD = WORDS + 4 - WINDOW.start


class RadioCore:
    """The second core. What it has begun it brings to its end by itself, unless its power goes."""

    def __init__(self, fus: int, stack: int | None, *, boot_held: bool = False) -> None:
        self.fus = fus
        self.stack = stack
        self.stack_runs = stack is not None
        self.boot_held = boot_held  # by the option bytes that its upgrades need, until they are taken back
        self._words_told = False
        self._working: asyncio.TimerHandle | None = None
        self._deed: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        return self._working is not None

    def power_on(self) -> None:
        """The stack runs, if there is one."""
        self.start_stack()

    def power_off(self) -> None:
        """What was half done stays undone."""
        self._let_go()
        self.forget_words()

    def start_fus(self) -> None:
        self.stack_runs = False

    def start_stack(self) -> bool:
        """Whether there is one to start."""
        self.stack_runs = self.stack is not None
        return self.stack_runs

    def begin(self, seconds: float, deed: Callable[[], None]) -> None:
        """Works for so many real seconds; then it is done."""
        self._deed = deed
        self._working = asyncio.get_running_loop().call_later(seconds, self.finish)

    def finish(self) -> None:
        """What it has begun is done now, if it has begun anything."""
        if self._let_go():
            self._deed()

    def _let_go(self) -> bool:
        """Whether it was at work; it is not any more."""
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
        return working is not None

    def tell_words(self) -> None:
        """From now on the version words stand in memory, until something else is written there."""
        self._words_told = True

    def forget_words(self) -> None:
        self._words_told = False

    def memory(self, address: int, size: int, remains: bytes) -> bytes:
        """What stands in the window with the version words; without them the remains of something, the same every time."""
        window = bytearray(hashlib.shake_128(b"memory of " + remains).digest(len(WINDOW)))
        window[_STACK_WORD : _STACK_WORD + 4] = GARBAGE.to_bytes(4, "little")
        if self._words_told:
            words = self.fus.to_bytes(4, "little") + (self.stack or 0).to_bytes(4, "little")
            window[_STACK_WORD - 4 : _STACK_WORD + 4] = words
        start = address - WINDOW.start
        return bytes(window[start : start + size])
