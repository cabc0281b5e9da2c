# SPDX-License-Identifier: Apache-2.0
"""The command line: one thin module for each command group. `command_line` is imported when it is asked for, since the daemon needs none of it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from station.cli.command_line import app, load, main

__all__ = ["app", "load", "main"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    from station.cli import command_line

    return getattr(command_line, name)
