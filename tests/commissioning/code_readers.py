# SPDX-License-Identifier: Apache-2.0
"""Both commissioners' own readers of QR codes."""

import json
import subprocess
from collections.abc import Mapping, Sequence

from station.matter.onboarding import commissioners
from tests.commissioning.room import HERE, PYTHON, node

MARK = "code: "  # the SDK logs in between


def values_read(commissioner: str, codes: Sequence[str]) -> list[Mapping[str, int] | None]:
    """What this commissioner reads in each code: vendor, product, discriminator and passcode, or None if it refuses the code."""
    chip = [PYTHON, HERE / "chip_codes.py"]
    command = chip if commissioner == commissioners.CHIP else [node(), HERE / "matterjs_codes.mjs"]
    done = subprocess.run(
        command, input="".join(f"{code}\n" for code in codes), capture_output=True, text=True, check=True, cwd=HERE
    )
    said = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    assert len(said) == len(codes), done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in said]
