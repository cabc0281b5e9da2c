"""The transcripts in tests/vectors/cubeprogrammer, and the writes that they tell of."""

from functools import cache
from pathlib import Path

from station.adapters.cubeprogrammer_output import Transcript
from station.domain.product import Verify, Write

FOLDER = Path(__file__).parents[1] / "vectors" / "cubeprogrammer"
PROBE = "066FFF485252835087121926"

DATA = Write("factory data", 0x901C0000, bytes(1596), Verify.FULL, external=True)
IMAGE = Write("provisioning image", 0x08000000, bytes(48874), Verify.FULL, external=False)


@cache
def lines(name: str) -> tuple[str, ...]:
    """What the tool prints, without the letters that tell where each line comes from."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line.partition("|")[2] for line in text.splitlines() if not line.startswith("#"))


def heard(*said: str) -> Transcript:
    transcript = Transcript()
    for line in said:
        transcript.feed(line)
    return transcript


def recorded(name: str) -> Transcript:
    return heard(*lines(name))
