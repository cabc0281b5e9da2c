# SPDX-License-Identifier: Apache-2.0
"""Units of products whose declaration has an origin, a list of PAAs or several products, each made by a line of its own."""

import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.builders.line import ROOT, Line
from tests.builders.white_label import STANDS_FOR_OURS, Label, line_folder
from tests.commissioning.flash import Flash

UNITS = 4
MADE_WITHIN = 600.0
OWN, MAKER, SIBLING = (0xFFF2, 0x8010), (0xFFF1, 0x8004), (0xFFF2, 0x8011)
OTHER_PAA = b"\x77" * 20
SEVERAL = (SIBLING[1], OWN[1], 0x9000)

LABELS: Mapping[str, Label] = {
    "an origin": Label(OWN, MAKER, origin=MAKER),
    "an origin, several products and a list of PAAs": Label(
        OWN, MAKER, origin=MAKER, covered=SEVERAL, listed=(OTHER_PAA, STANDS_FOR_OURS)
    ),
    "a DAC of another product and a list of PAAs": Label(OWN, SIBLING, covered=SEVERAL, listed=(STANDS_FOR_OURS,)),
}


def made(folder: Path) -> Mapping[str, tuple[Path, list[Flash]]]:
    """The folder of each line, whose PKI's root the commissioners must trust, and the flash of its units."""
    with ThreadPoolExecutor(len(LABELS)) as pool:
        lines = pool.map(_line, (folder / str(number) for number in range(len(LABELS))), LABELS.values())
        return dict(zip(LABELS, lines, strict=True))


def _line(folder: Path, label: Label) -> tuple[Path, list[Flash]]:
    folder.mkdir(parents=True)
    recipe, place = line_folder(folder, label)
    with Line.standing(place, UNITS, recipe=recipe) as line:
        plug = [sys.executable, "-m", "virtual_bench", "plug", "--all", "--dir", str(line.folder)]
        subprocess.run(plug, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + MADE_WITHIN
        while verdicts := [slot.verdict for slot in line.status().slots if slot.verdict != "pass"]:
            assert set(verdicts) <= {None}, line.status().slots
            assert time.monotonic() < deadline, line.status().slots
            time.sleep(0.1)
        return line.folder, [Flash.of(path.read_bytes()) for path in sorted(line.folder.glob("boards/*/qspi.bin"))]
