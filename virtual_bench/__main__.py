# SPDX-License-Identifier: Apache-2.0
"""`python -m virtual_bench`."""

import gc
import sys


def main() -> None:
    """Runs the command line; ends with 3 where the emulator's engine, an extra of the wheel, is not installed."""
    gc.disable()  # what the imports make stays until the end: no garbage is among it, now or later
    try:
        from virtual_bench import cli
    except ModuleNotFoundError as exc:
        if exc.name != "unicorn":
            raise
        sys.stderr.write(
            "virtual-bench: the microcontrollers' emulator is not installed: pip install 'matter-provisioning-station[bench]'\n"
        )
        sys.exit(3)
    gc.freeze()
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
