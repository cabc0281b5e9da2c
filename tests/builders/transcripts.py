# SPDX-License-Identifier: Apache-2.0
"""The transcripts in tests/vectors/cubeprogrammer, and the writes that they show."""

import re
from functools import cache
from pathlib import Path

from station.adapters.programmer.output import Transcript
from station.domain.product import Verify, Write
from station.domain.target import UID

FOLDER = Path(__file__).parents[1] / "vectors" / "cubeprogrammer"
PROBE = "066FFF485252835087121926"
BOARD = UID(bytes.fromhex("1e0039000751313532393338"))  # the UID in the transcripts

DATA = Write("factory data", 0x901C0000, bytes(1596), Verify.FULL, external=True)
IMAGE = Write("provisioning image", 0x08000000, bytes(48874), Verify.FULL, external=False)


@cache
def lines(name: str) -> tuple[str, ...]:
    """The tool's output, without the letters that give each line's source."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line.partition("|")[2] for line in text.splitlines() if not line.startswith("#"))


def probe_of(name: str) -> str:
    """The probe of the log's author, from the first header, or ours if there is none."""
    return next((found[1] for line in lines(name) if (found := re.match(r"\s*ST-LINK SN\s*: (\S+)", line))), PROBE)


def heard(*said: str) -> Transcript:
    transcript = Transcript()
    for line in said:
        transcript.feed(line)
    return transcript


def recorded(name: str) -> Transcript:
    return heard(*lines(name))
