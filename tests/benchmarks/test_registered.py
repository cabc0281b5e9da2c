# SPDX-License-Identifier: Apache-2.0
"""The linters check the benchmark like the rest of the code, and make can start it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("line", [r"^SOURCES := .*\bbenchmarks\b", r"^\t\$\(BIN\)/mypy --strict .*\bbenchmarks\b"])
def test_the_gate_reads_the_benchmark(line: str) -> None:
    """Formatter, linter and `mypy --strict` read the benchmark's folder."""
    assert re.search(line, MAKEFILE, re.MULTILINE)


def test_make_bench_runs_the_benchmark() -> None:
    """`make bench` sets up what it needs first, as every target does."""
    assert re.search(r"^bench: \$\(READY\)\n\t\$\(BIN\)/python -m benchmarks\b", MAKEFILE, re.MULTILINE)


def test_the_readme_tells_of_it() -> None:
    """The README lists `make bench` with the other targets."""
    assert re.search(r"^make bench +#", (ROOT / "README.md").read_text(), re.MULTILINE)
