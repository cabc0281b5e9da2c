# SPDX-License-Identifier: Apache-2.0
"""`python -m virtual_bench`."""

from virtual_bench.cli import main

if __name__ == "__main__":
    main()
