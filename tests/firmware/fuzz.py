# SPDX-License-Identifier: Apache-2.0
"""Feeds the agent's C parsers with spoiled input, under both sanitizers.

clang's libFuzzer makes the inputs if there is a clang, otherwise our own driver.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from station.link.frames import encode
from tests.firmware.host_board import PRODUCT, SOURCE, Authority, compiled, factory_data

PROGRAM = Path(__file__).parent / "programs/fuzz.c"
PARSERS = [SOURCE / f"agent/{name}.c" for name in ("certificate", "factory_data", "frames")]
GOLDEN = Path(__file__).parents[1] / "vectors/link/golden.json"


def samples() -> list[bytes]:
    """Good inputs; the first byte chooses the parser."""
    frames = [bytes.fromhex(vector["frame"]) for vector in json.loads(GOLDEN.read_text())["frames"]]
    lists = [
        factory_data(PRODUCT),
        factory_data(PRODUCT | {1: bytes(602), 3: bytes(500)}),
        factory_data({}),
        b"\xff" * 9,
    ]
    inputs = [b"\0" + frame for frame in [*frames, encode(b"\x04\x09" + bytes(32)) * 2]]
    return inputs + [b"\1" + block for block in lists] + [b"\2" + Authority().pai]


def own_driver(folder: Path) -> Path:
    return compiled(folder / "fuzz", [PROGRAM, *PARSERS])


def run_own_driver(program: Path, seed: int, *, seconds: int = 0, inputs: int = 0) -> int:
    """Runs the driver for that many inputs, and until the seconds are over; returns the number of inputs. Raises CalledProcessError if an input crashed it."""
    lines = "".join(sample.hex() + "\n" for sample in samples())
    ended = subprocess.run(
        [program, str(seed), str(seconds), str(inputs)], input=lines, stdout=subprocess.PIPE, text=True, check=True
    )
    return int(ended.stdout.split()[0])


def run_libfuzzer(clang: str, folder: Path, seconds: int) -> None:
    """Runs libFuzzer. Raises CalledProcessError if an input crashed it; the input is left in the working folder."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, sample in enumerate(samples()):
        (corpus / str(number)).write_bytes(sample)
    program = folder / "libfuzzer"
    sanitizers = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(
        [clang, "-std=c11", "-DLIBFUZZER", *sanitizers, f"-I{SOURCE / 'agent'}", PROGRAM, *PARSERS, "-o", program],
        check=True,
    )
    subprocess.run(
        [program, f"-max_total_time={seconds}", "-max_len=17000", "-print_final_stats=1", corpus], check=True
    )


def main() -> None:
    """`python -m tests.firmware.fuzz --seconds 60`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = run_own_driver(own_driver(folder), options.seed, seconds=options.seconds)
        sys.stdout.write(f"{count} inputs by our own driver\n")
        clang = shutil.which("clang") or shutil.which("clang-14")
        if clang is None:
            sys.stdout.write("no clang here, so no libFuzzer\n")
        else:
            run_libfuzzer(clang, folder, options.seconds)


if __name__ == "__main__":
    main()
