# SPDX-License-Identifier: Apache-2.0
"""The allocator of the daemon's process."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SERVED = """
import ctypes, sys, threading
from pathlib import Path

if sys.argv[1] == "daemon":
    from station.cli.line import serve
    from station.config.problems import ConfigurationInvalid

    try:
        serve.serve(Path("/nowhere/line.toml"))
    except ConfigurationInvalid:
        pass
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
together = threading.Barrier(4)
def take():
    together.wait()
    c.malloc(ctypes.c_size_t(3000))  # more than Python's own allocator gives
    together.wait()
threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
c.free.argtypes = [ctypes.c_void_p]
c.free(c.malloc(ctypes.c_size_t(8 << 20)))  # after which glibc would take a megabyte from the heap
held = c.malloc(ctypes.c_size_t(1 << 20))
c.malloc_info(0, ctypes.c_void_p.in_dll(c, "stdout"))
c.fflush(None)
"""


@pytest.mark.parametrize(("process", "one"), [("daemon", True), ("other", False)])
def test_threads_of_the_daemon_share_one_arena(process: str, *, one: bool) -> None:
    """Whether systemd starts it or a terminal. What is freed in one arena cannot be used in another, and large blocks have pages of their own."""
    done = subprocess.run([sys.executable, "-c", SERVED, process], check=True, capture_output=True, text=True)
    assert (done.stdout.count("<heap nr=") == 1) is one
    (mapped,) = re.findall(r'<total type="mmap" count="(\d+)" size="(\d+)"/>', done.stdout)
    assert (int(mapped[1]) >= 1 << 20) is one
