# SPDX-License-Identifier: Apache-2.0
"""The `station` command, and `python -m station`: the start-up, and then the command line."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NoReturn

MADE_BETWEEN_COLLECTIONS = 10_000  # objects; with Python's 700 the collector took a fiftieth of the daemon's time


def main() -> NoReturn:
    """Imports the command that is asked for, and runs it.

    The imports make many objects that stay until the end. Searching them for garbage would take a third of the start-up,
    and time again in the daemon's loop and at the end, so the garbage collector begins after the imports and passes over them.
    """
    gc.disable()
    if sys.argv[1:2] == ["run"]:
        serve = imported_daemon()
        if (asked := serve.asked_for(sys.argv[1:])) is not None:
            gc.collect()  # what the imports have left would stay for months; a command would only wait for this
            _collect_from_here_on()
            serve.main(*asked)
    from station import cli

    cli.load(sys.argv[1:2])
    _collect_from_here_on()
    cli.main()


def imported_daemon() -> ModuleType:
    """The module that serves a line, after its imports."""
    # structlog imports rich where it is installed, for forms of the log that are not the station's.
    with _absent("rich"), _trusting_nobody():
        from station.cli.line import serve
    return serve


@contextmanager
def _absent(library: str) -> Iterator[None]:
    """Imports in the block do not find the library."""
    sys.modules[library] = None  # type: ignore[assignment]  # as the import system has it
    try:
        yield
    finally:
        del sys.modules[library]


@contextmanager
def _trusting_nobody() -> Iterator[None]:
    """TLS contexts that are made in the block trust no authority.

    aiohttp makes two when it is imported, and would keep the authorities of this computer in memory twice: two megabytes. Each
    of the daemon's connections has a context of its own; one that had not would be refused.
    """
    import ssl  # most commands do without

    ssl.SSLContext.set_default_verify_paths = lambda self: None  # type: ignore[method-assign]  # noqa: ARG005  mypy asks for the name
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths  # that of the class below it


def _collect_from_here_on() -> None:
    gc.freeze()
    gc.set_threshold(MADE_BETWEEN_COLLECTIONS)
    gc.enable()


if __name__ == "__main__":
    main()
