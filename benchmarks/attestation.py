# SPDX-License-Identifier: Apache-2.0
"""The cost of checking a unit's certificates and declaration as a commissioner does, up to the root."""

import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.line_runs import ROOT
from benchmarks.recording import RunUnusable
from station.cli.demo.line import DemoFailed, DemoLine
from station.cli.demo.report import LOOK_EVERY
from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import Tag
from station.matter.certificates.attestation import Attestation, check_attestation
from station.recipe.files import recipe_file

MADE_WITHIN = 60.0
ROUNDS, CHECKS = 5, 100


def attestation_costs(folder: Path) -> list[float]:
    """CPU seconds per check, for each round, of a unit that a line has made. Raises `RunUnusable`."""
    line = folder / "attestation"
    try:
        with DemoLine.standing(line, 1, 1, None, 0.0, None) as standing:
            standing.plug_all()
            _wait_for_the_pass(standing)
    except DemoFailed as exc:
        raise RunUnusable(str(exc)) from exc
    return _checked(line)


def _wait_for_the_pass(line: DemoLine) -> None:
    deadline = time.monotonic() + MADE_WITHIN
    while line.status().slots[0].state != "pass":
        if time.monotonic() > deadline:
            raise RunUnusable("the board whose certificates were to be checked did not pass")
        time.sleep(LOOK_EVERY)


def _checked(line: Path) -> list[float]:
    recipe = recipe_file.load(
        ROOT / "config" / "recipes" / "lighting.toml", line / "pki" / "pai.pem", line / "pki" / "paa.pem"
    )
    commissioner = recipe.commissioner
    if commissioner is None or commissioner.product is None:
        raise RunUnusable("the demonstration's recipe does not say what a commissioner would")
    records = flat_tlv.decode(next((line / "boards").glob("*/qspi.bin")).read_bytes()).records
    shown = Attestation(
        records[Tag.DEVICE_ATTESTATION_CERTIFICATE],
        records[Tag.PAI_CERTIFICATE],
        records[Tag.CERTIFICATION_DECLARATION],
    )
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CHECKS):
            check_attestation(shown, commissioner.product, commissioner.trust, at=datetime.now(UTC), production=False)
        found.append((time.process_time() - began) / CHECKS)
    return found
