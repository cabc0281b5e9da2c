# SPDX-License-Identifier: Apache-2.0
"""The C library's memory allocator. The one home of mallopt(3)."""

import ctypes
from contextlib import suppress

_ARENA_MAX = -8  # M_ARENA_MAX, malloc.h of glibc


def keep_one_arena() -> None:
    """Lets all threads take their memory from one heap; before the first of them is started.

    glibc gives nearly every thread a heap of its own, and none of them is ever given back: in a daemon whose threads take
    turns they grow for hours. They are for programs whose threads allocate at the same moment, which Python's do not.
    """
    with suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
