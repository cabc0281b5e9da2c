# SPDX-License-Identifier: Apache-2.0
"""The C library's allocator, as the daemon wants it. The one home of mallopt(3)."""

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX in malloc.h of glibc


def share_one_arena() -> None:
    """Lets all threads of this process take memory from one arena; call it before the first thread begins.

    By default glibc gives eight arenas to each processor, and none of them can use what was freed in another. A dozen
    threads that rest most of the time have little to gain by that. Other C libraries have no arenas: nothing changes.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_ARENA_MAX, 1)
