# SPDX-License-Identifier: Apache-2.0
"""Sixty-four units: each print is drawn by another program, read by another one, and bound by what was read."""

from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, label_prints
from station.daemon.label_printing import LabelPrinting
from station.daemon.label_scan import LabelScanning, LabelSwapped
from station.domain.target import UID
from station.label.layout import Field, Layout, Size
from station.label.plan import LabelPlan
from tests.builders.bench import RECIPE, begun, passed, target
from tests.label.drawn_labels import codes_in, of_zpl
from tests.label.true_secrets import TrueSecrets
from virtual_bench.printer.printer import VirtualPrinter

UNITS = range(1, 65)


@pytest.mark.commissioning
async def test_every_label_of_a_lot_is_read_from_its_print_and_bound(tmp_path: Path) -> None:
    """A swapped pair is caught at its first scan."""
    path, tray = tmp_path / "ledger.sqlite", tmp_path / "printer"
    layout = Layout.of(Size(50, 25, 203), tuple(Field), "Lamp", "SN001000")
    async with Ledger.open(path, station="line-1") as ledger, VirtualPrinter.serving(tray) as printer:
        plan = LabelPlan.of(layout, f"tcp://127.0.0.1:{printer.port}", required=True, reprints=2)
        recipe = replace(RECIPE, label=plan)
        await ledger.label_by_itself(recipe.name, on=True)
        secrets, slots = TrueSecrets(tuple(UNITS)), dict[str, UID | None]()
        for board in UNITS:
            await passed(await begun(ledger, secrets), board=board, dac_serial_number=f"{board:04X}")
            slots[str(board)] = target(board).uid
        assert await LabelPrinting(ledger, path, recipe).once()
        prints = of_zpl([file.read_bytes() for file in sorted(tray.glob("*.zpl"))], 50, 25, 8)
        read = [code for picture in prints for code in codes_in(picture)]
        assert len(set(read)) == len(UNITS)
        scanning = LabelScanning(ledger, path, recipe, lambda: slots)
        with pytest.raises(LabelSwapped, match="unit SN000007, and the label is of unit SN000008"):
            await scanning.scan(read[7], "7", who="anna")
        for board, code in zip(UNITS, read, strict=True):
            assert (await scanning.scan(code, str(board), who="anna")).bound
        assert sum(each.type == "LabelBound" for each in label_prints.history(path)) == len(UNITS)
