# SPDX-License-Identifier: Apache-2.0
"""`station lots`, and the same through the control socket of a daemon."""

import asyncio
import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pypdfium2
import pytest

from station.adapters.ledger import Ledger, lot_reader
from station.cli.ledger.lot_words import BALANCE, FURTHER
from station.daemon import control
from station.daemon.lot_commands import LotCommands
from station.domain.intervention import Decision
from station.domain.policy import Suspicion
from station.faults.line import LotNotOpen
from station.line.line import Line
from tests.builders.bench import RECIPE, Secrets, begun, recognised, target
from tests.builders.commands import station
from tests.ledger.test_lot_balance import unit
from tests.ledger.test_lots import ANNA, lot

NEW = {"name": "W1", "work_order": "4711", "planned": 3, "pattern": "W{:04d}", "first": 1, "size": 4}
BY = {"who": "anna", "reason": "as ordered"}


async def asked(commands: LotCommands, command: str, **question: object) -> Mapping[str, object]:
    answer = await commands.by_name[command](question)
    assert isinstance(answer, Mapping)
    return answer


async def test_the_daemon_opens_pauses_and_closes(ledger: Ledger, path: Path) -> None:
    """Each deed opens the line to boards that were held; the ledger has who and why."""
    line = Line(Suspicion())
    commands = LotCommands(ledger, RECIPE, line)
    line.pause(LotNotOpen("W0 is closed"))
    assert await asked(commands, "lot_open", **NEW, **BY) == {"lot": "W1", "state": "open"}
    assert line.paused_by is None
    assert await asked(commands, "lot_pause", name="W1", **BY) == {"lot": "W1", "state": "paused"}
    assert await asked(commands, "lot_resume", name="W1", **BY) == {"lot": "W1", "state": "open"}
    assert await asked(commands, "lot_close", name="W1", **BY) == {"lot": "W1", "state": "closed"}
    assert [(each.account, each.reason) for each in lot_reader.deeds(path, "W1")] == [("anna", "as ordered")] * 4
    (found,) = lot_reader.lots_of(path)
    assert (found.recipe, found.recipe_sha256) == (RECIPE.name, RECIPE.sha256)


@pytest.mark.parametrize(
    ("command", "question", "why"),
    [
        ("lot_open", NEW, "Field required"),
        ("lot_open", NEW | BY | {"planned": "3"}, "valid integer"),
        ("lot_open", NEW | BY | {"planned": 5}, "5 units are planned with 4"),
        ("lot_pause", {"name": "W9"} | BY, "lot W9 does not exist"),
        ("lot_close", {"name": "W9", "who": "anna", "reason": ""}, "the reason must be one line"),
    ],
)
async def test_the_daemon_refuses_in_a_sentence(
    ledger: Ledger, command: str, question: Mapping[str, object], why: str
) -> None:
    with pytest.raises(control.CommandRefused, match=why):
        await asked(LotCommands(ledger, RECIPE, Line(Suspicion())), command, **question)


async def test_a_lot_is_shown_with_its_balance(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """For people and as JSON; a lot that nobody knows is exit 1."""
    await ledger.open_lot(lot(), ANNA)
    await recognised(await begun(ledger, secrets), 1)
    shown = await asyncio.to_thread(station, "lots", "show", "W1", "--ledger", path)
    assert shown.exit_code == 0
    assert "WO-W1" in shown.stdout
    assert "order of the week" in shown.stdout
    told = await asyncio.to_thread(station, "lots", "show", "W1", "--json", "--ledger", path)
    content = json.loads(told.stdout)
    assert (content["balance"]["identities"], content["balance"]["in_work"], content["mistakes"]) == (1, 1, [])
    listed = await asyncio.to_thread(station, "lots", "list", "--json", "--ledger", path)
    (found,) = json.loads(listed.stdout)["lots"]
    assert (found["name"], found["to_do"], found["state"]) == ("W1", 3, "open")
    unknown = await asyncio.to_thread(station, "lots", "show", "W9", "--ledger", path)
    assert (unknown.exit_code, "knows no lot W9" in unknown.stderr) == (1, True)


async def test_a_new_lot_needs_its_whole_plan(path: Path, tmp_path: Path) -> None:
    """What is missing is told by the option's name, before anything is asked."""
    told = await asyncio.to_thread(
        station, "lots", "open", "W1", "--planned", "3", "--reason", "x", "--config", tmp_path / "none.toml"
    )
    assert told.exit_code == 2
    assert "--work-order, --first, --size" in told.stderr


async def test_a_quality_manager_files_the_report(ledger: Ledger, path: Path, secrets: Secrets, tmp_path: Path) -> None:
    """Counts, tools, each certificate, what people decided, and lines to sign."""
    await ledger.open_lot(lot(planned=5, size=9), ANNA)
    await unit(ledger, secrets, 1)
    await unit(ledger, secrets, 2, "board.key_changed")
    await ledger.scrap(target(2).uid, ANNA)
    file = tmp_path / "report.csv"
    written = await asyncio.to_thread(station, "lots", "report", "W1", "-o", file, "--ledger", path)
    assert written.exit_code == 0
    lines = [tuple(row.values()) for row in csv.DictReader(io.StringIO(file.read_text()))]
    assert ("lot", "work_order", "WO-W1") in lines
    assert ("balance", "scrapped", "1") in lines
    assert ("fault", "board.key_changed", "1 fails, 0 void") in lines
    assert ("tool", "programmer_version", "2.19.0") in lines
    assert ("recipe", RECIPE.name, RECIPE.sha256) in lines
    assert [subject.split()[0] for section, subject, _ in lines if section == "certificate"] == ["W0001", "W0002"]
    told = [subject.split()[1] for section, subject, _ in lines if section == "exception"]
    assert told == ["UnitQuarantined", "UnitScrapped", "LotOpened"]
    assert [subject for section, subject, _ in lines if section == "signature"] == ["production", "quality", "date"]
    assert not [line for line in lines if line[0] == "does not add up"]
    assert "canary" not in file.read_text()
    unknown = await asyncio.to_thread(station, "lots", "report", "W9", "--ledger", path)
    assert unknown.exit_code == 1


async def test_the_reports_pdf_says_what_its_csv_says(
    ledger: Ledger, path: Path, secrets: Secrets, tmp_path: Path
) -> None:
    """Each figure, each certificate and each decision, with the words for each count, the time, the station and places to sign."""
    await ledger.open_lot(lot(planned=90, size=99), Decision("Zoë Łukasz 王小明", "order of the week"))
    for board in range(1, 71):
        await unit(ledger, secrets, board)
    await unit(ledger, secrets, 80, "board.key_changed")
    await ledger.scrap(target(80).uid, Decision("anna", "water damage, " * 12 + "and more"))
    pdf, file = tmp_path / "report.pdf", tmp_path / "report.csv"
    written = await asyncio.to_thread(station, "lots", "report", "W1", "--pdf", pdf, "-o", file, "--ledger", path)
    assert (written.exit_code, written.stdout) == (0, "")
    pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf.read_bytes())]
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        assert f"page {number} of {len(pages)}" in page
        assert "Matter provisioning station" in page
    assert re.search(r"report made\s+20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", pages[0])
    assert "The balance adds up" in pages[0]
    for place in ("Production", "Quality", "Name", "Date", "Signature"):
        assert place in pages[0]
    text = "".join("".join(pages).split())
    lines = list(csv.DictReader(io.StringIO(file.read_text())))
    counts = {**BALANCE, **FURTHER}
    for line in lines:
        section, subject, value = line.values()
        if section == "balance":
            assert "".join(f"{counts[subject]} {value or 'none'}".split()) in text
        elif section in {"yield", "fault", "seconds", "recipe", "image", "certificate"}:
            assert "".join((subject + value).split()) in text
        elif section != "signature":
            assert "".join(value.split()) in text
            assert section == "lot" or all(word in text for word in re.split("[ _]", subject))
    assert sum(line["section"] == "certificate" for line in lines) == 71
    assert "canary" not in text


async def test_without_a_file_for_the_csv_only_the_pdf_is_written(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    """And standard output stays empty; a lot that nobody knows makes no file."""
    await ledger.open_lot(lot(), ANNA)
    pdf = tmp_path / "report.pdf"
    unknown = await asyncio.to_thread(station, "lots", "report", "W9", "--pdf", pdf, "--ledger", path)
    assert (unknown.exit_code, pdf.exists()) == (1, False)
    written = await asyncio.to_thread(station, "lots", "report", "W1", "--pdf", pdf, "--ledger", path)
    assert (written.exit_code, written.stdout, pdf.read_bytes()[:5]) == (0, "", b"%PDF-")
