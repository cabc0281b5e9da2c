# SPDX-License-Identifier: Apache-2.0
"""The cost of checking a unit's certificates and declaration as a commissioner does, up to the root."""

import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.finished_line import finished_line
from benchmarks.line_runs import ROOT
from benchmarks.recording import RunUnusable
from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import Tag
from station.matter.certificates import certification_declaration, chain, x509
from station.matter.certificates.attestation import Attestation, check_attestation
from station.recipe.files import recipe_file

ROUNDS, CHECKS = 5, 100


def attestation_costs(folder: Path) -> list[float]:
    """CPU seconds per check, for each round, of a unit that a line has made and sees for the first time. Raises `RunUnusable`."""
    with finished_line(folder / "attestation", 1) as line:
        pass  # it is stopped before the measurement, so that nothing else takes time
    return _checked(line.folder)


def _checked(line: Path) -> list[float]:
    recipe = recipe_file.load(
        ROOT / "config" / "recipes" / "lighting.toml", line / "pki" / "pai.pem", line / "pki" / "paa.pem"
    )
    commissioner = recipe.certification.commissioner
    if commissioner.product is None:
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
            _forget()
            check_attestation(shown, commissioner.product, commissioner.trust, at=datetime.now(UTC), production=False)
        found.append((time.process_time() - began) / CHECKS)
    return found


def _forget() -> None:
    """Empties what the modules remember of certificates that are read again."""
    for module in (certification_declaration, chain, x509):
        for each in vars(module).values():
            if callable(forget := getattr(each, "cache_clear", None)):
                forget()
