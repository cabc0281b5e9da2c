# SPDX-License-Identifier: Apache-2.0
"""The C library's allocator, as a daemon of months wants it. The one home of mallopt(3)."""

import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # M_MMAP_THRESHOLD and M_ARENA_MAX in malloc.h of glibc
LARGE = 128 * 1024  # bytes: where the threshold of glibc begins


def keep_memory_small() -> None:
    """Lets this process give back what it frees; call it before the first thread begins. Other C libraries than glibc stay as they are.

    By default glibc gives eight arenas to each processor, and none of them can use what was freed in another. A dozen
    threads that rest most of the time have little to gain by that. And once a large block was freed, glibc takes all
    blocks up to its size from the heap, to whose end the next small block is pinned: read-backs of a megabyte leave
    holes there. With a fixed threshold each has pages of its own, which go back when it is freed.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, LARGE)
