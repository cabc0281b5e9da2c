# SPDX-License-Identifier: Apache-2.0
"""Documents and code agree."""

import re
from pathlib import Path

from development_pki.faults import Fault as DevelopmentPKI
from station.cli.ledger.units import COLUMNS
from station.faults import Fault, LineFault, SlotFault, UnitFault
from tests.builders import switches
from tests.builders.fault_catalogue import catalogue, kind_of
from tests.builders.page import PAGE, page
from tests.line import pki_table
from tests.line.pki_behaviours import BEHAVIOURS, REPRESENTATIVE

ROOT = Path(__file__).parents[1]
KINDS: dict[type[Fault], str] = {UnitFault: "unit", SlotFault: "slot", LineFault: "line"}


def row(fault: type[Fault]) -> str:
    return f"| `{fault.code}` | {KINDS[kind_of(fault)]} | {' '.join((fault.__doc__ or '').split())} |"


def test_the_run_book_has_every_fault() -> None:
    """The run book has the sentences that the operator reads on the screen."""
    book = (ROOT / "docs" / "operating.md").read_text()
    listed = [line for line in book.splitlines() if re.match(r"\| `[a-z_]+\.[a-z_]+` \| (unit|slot|line) ", line)]
    assert listed == [row(fault) for fault in catalogue()]


def test_the_run_book_has_every_column_of_the_export() -> None:
    """The run book has the texts of the command's help."""
    book = (ROOT / "docs" / "operating.md").read_text()
    rows = book.partition("| column | what it is |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    assert rows == [f"| `{name}` | {meaning} |" for name, meaning in COLUMNS.items()]


def test_the_page_on_the_programmer_is_that_of_the_catalogue() -> None:
    """`python -m tests.builders.page` writes the page."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_on_the_development_pki_has_every_switch() -> None:
    """`python -m tests.builders.switches` writes the tables."""
    assert switches.PAGE.read_text(encoding="utf-8") == switches.page()


def test_the_page_on_a_pkis_behaviours_has_every_row() -> None:
    """`make pki-table` tries them and writes the page."""
    rows = [row.name for row in BEHAVIOURS]
    assert pki_table.names(pki_table.PAGE.read_text(encoding="utf-8")) == rows
    assert len(set(rows)) == len(rows)
    assert set(REPRESENTATIVE) <= set(rows)


def test_every_switch_of_the_development_pki_is_tried_at_a_whole_line() -> None:
    """So the page says for each what the line does."""
    assert {name for row in BEHAVIOURS for name in row.switches} == {fault.label for fault in DevelopmentPKI}


def test_no_two_faults_share_a_code() -> None:
    """Journal and screen count faults by their codes."""
    codes = [fault.code for fault in catalogue()]
    assert len(codes) == len(set(codes))


def test_every_room_stands_on_the_map() -> None:
    """A new room of the station needs a row in docs/design.md."""
    rooms = set(re.findall(r"`station/([a-z_]+)(?:\.py|/)`", (ROOT / "docs" / "design.md").read_text()))
    missing = {
        path.stem
        for path in (ROOT / "station").iterdir()
        if path.stem not in rooms and not path.stem.startswith("__") and path.name != "py.typed"
    }
    assert not missing
