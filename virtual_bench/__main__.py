# SPDX-License-Identifier: Apache-2.0
"""`python -m virtual_bench`."""

import sys


def main() -> None:
    """Runs the command line; ends with 3 where the emulator's engine, an extra of the wheel, is not installed."""
    try:
        from virtual_bench import cli
    except ModuleNotFoundError as exc:
        if exc.name != "unicorn":
            raise
        sys.stderr.write(
            "virtual-bench: the microcontrollers' emulator is not installed: pip install 'matter-provisioning-station[bench]'\n"
        )
        sys.exit(3)
    cli.main()


if __name__ == "__main__":
    main()
