# SPDX-License-Identifier: Apache-2.0
"""The `station` command, and `python -m station`: the start-up, and then the command line."""

import gc
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Imports the command that is asked for, and runs it.

    The imports make many objects that stay until the end. Searching them for garbage would take a third of the start-up,
    and time again in the daemon's loop and at the end, so the garbage collector begins after the imports and passes over them.
    """
    gc.disable()
    from station import cli

    cli.load(sys.argv[1:2])
    gc.freeze()
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
