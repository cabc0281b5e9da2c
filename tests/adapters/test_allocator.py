# SPDX-License-Identifier: Apache-2.0
"""All threads of a daemon take their memory from one heap."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

THREADS = """
import ctypes, sys, threading
from station.adapters.system.allocator import keep_one_arena

if sys.argv[1] == "one":
    keep_one_arena()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(4)

def take():
    together.wait()
    libc.malloc(4000)
    together.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.stdout.flush()
libc.malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other heaps")
@pytest.mark.parametrize(("asked", "one"), [("one", True), ("as usual", False)])
def test_threads_share_a_heap(asked: str, one: bool) -> None:  # noqa: FBT001  a table
    ran = subprocess.run([sys.executable, "-c", THREADS, asked], capture_output=True, text=True, check=True)
    assert (ran.stderr.count("Arena ") == 1) is one, ran.stderr
