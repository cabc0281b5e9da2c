# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.builders.warm_start MODULE DESCRIPTOR`: forks programs of one module for the process that has started it.

Imports what the module's start-up imports, says so at the socket DESCRIPTOR, and awaits requests there: one JSON object, with standard
input and output as descriptors beside it. Answers with the process id of the new program, which runs the module as `python -m` does.
"""

import gc
import json
import os
import runpy
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

READY = b"ready"
LARGEST_REQUEST = 1 << 20  # the environment is most of it


def _imported_station() -> None:
    import_module("station.__main__").imported_daemon()


IMPORTS: dict[str, Callable[[], object]] = {
    "station": _imported_station,
    "virtual_bench": lambda: import_module("virtual_bench.cli"),
    "development_pki": lambda: (import_module("development_pki.__main__"), import_module("uvloop")),
}


@dataclass(frozen=True)
class Request:
    """A program to start: the words after the module's name, and its whole environment. Its folder is that of this process."""

    arguments: list[str]
    environment: dict[str, str]


def awaited(asker: socket.socket) -> Request | None:
    """Returns in each new program, with what it is to do, and once here, with None, when the asker has gone."""
    while True:
        try:
            content, descriptors, _, _ = socket.recv_fds(asker, LARGEST_REQUEST, 2)
        except ConnectionResetError:  # it has not read the last answer
            return None
        if not content:
            return None
        read, write = os.pipe()
        # The program is the child of a process that ends at once: so it becomes the asker's, which awaits its end.
        if (between := os.fork()) == 0:
            if (program := os.fork()) == 0:
                os.close(read)
                os.close(write)
                _furnish(descriptors)
                asker.close()
                return Request(**json.loads(content))
            os.write(write, str(program).encode())
            os._exit(0)
        os.waitpid(between, 0)
        os.close(write)
        asker.send(os.read(read, 20))
        for descriptor in (read, *descriptors):
            os.close(descriptor)


def _furnish(descriptors: list[int]) -> None:
    """Makes them standard input and output; the latter takes errors, too."""
    taken, told = descriptors
    os.dup2(taken, 0)
    os.dup2(told, 1)
    os.dup2(told, 2)
    os.close(taken)
    os.close(told)


def main() -> None:
    module, descriptor = sys.argv[1:]
    gc.disable()
    IMPORTS[module]()
    sys.modules.pop(f"{module}.__main__", None)  # which each program runs anew
    gc.collect()
    gc.freeze()
    gc.enable()
    asker = socket.socket(fileno=int(descriptor))
    asker.send(READY)
    request = awaited(asker)
    if request is None:
        return
    os.setsid()
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    sys.argv[1:] = request.arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
