# SPDX-License-Identifier: Apache-2.0
"""Labels on the virtual printer: printed once, counted before a byte leaves, and waiting while the printer is not ready."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from station.adapters.labels import printers
from station.adapters.ledger import Ledger, label_prints, lot_reader
from station.daemon.control import CommandRefused
from station.daemon.label_printing import LabelPrinting
from station.domain.intervention import Decision
from station.domain.labelling import LabelDeed, LabelEvent, PrintReason
from station.domain.target import UID
from station.domain.work_order import LotOpened
from station.faults.line import PrinterNotReady
from station.label.host_status import HostStatus, HostStatusReader
from station.label.layout import Drawing, Field, Layout, Size
from station.label.plan import LabelPlan
from station.recipe.recipe import Recipe
from tests.builders.bench import RECIPE, Secrets, begun, passed, target
from virtual_bench.printer.printer import Mode, VirtualPrinter

UID_1, UID_2 = target(1).uid, target(2).uid
LAYOUT = Layout.of(Size(50, 25, 203), tuple(Field), "Lamp", "SN001000")


def recipe_for(printer: str, reprints: int = 2) -> Recipe:
    return replace(RECIPE, label=LabelPlan.of(LAYOUT, printer, required=True, reprints=reprints))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(path, station="line-1") as opened:
        yield opened


@pytest.fixture
async def printer(tmp_path: Path) -> AsyncIterator[VirtualPrinter]:
    async with VirtualPrinter.serving(tmp_path / "printer") as serving:
        yield serving


@pytest.fixture
async def printing(ledger: Ledger, path: Path, printer: VirtualPrinter) -> LabelPrinting:
    """Units that pass from now on get labels."""
    recipe = recipe_for(f"tcp://127.0.0.1:{printer.port}")
    await ledger.label_by_itself(recipe.name, on=True)
    return LabelPrinting(ledger, path, recipe)


async def unit(ledger: Ledger, board: int) -> None:
    await passed(await begun(ledger, Secrets((board,))), board=board, dac_serial_number=f"0{board}")


def printed(tmp_path: Path) -> list[str]:
    """What lies in the printer's tray: the serial number on each label, and its copy's number."""
    tray = (tmp_path / "printer").glob("*.zpl")
    return [
        f"{text.partition('S/N ')[2][:8]}{' ' + text.partition('copy ')[2][:1] if 'copy ' in text else ''}"
        for text in (file.read_text() for file in sorted(tray))
    ]


def events(path: Path, uid: UID) -> list[tuple[str, int, str]]:
    return [(each.type, each.copy, each.reason) for each in label_prints.history(path) if each.uid == str(uid)]


async def test_each_unit_that_passes_gets_one_label(
    printing: LabelPrinting, ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    """The looks between change nothing; an attempt that began before another and ends after it is not passed over."""
    slow = await begun(ledger, Secrets((1,)))
    await unit(ledger, 2)
    assert await printing.once()
    await passed(slow, board=1, dac_serial_number="01")
    assert await printing.once()
    assert await printing.once()
    assert printed(tmp_path) == ["SN000001", "SN000002"]
    for uid in (UID_1, UID_2):
        assert events(path, uid) == [("LabelPrintStarted", 1, "first"), ("LabelPrinted", 1, "")]


async def test_a_wrong_label_that_is_scanned_first_takes_no_units_label_away(
    printing: LabelPrinting, ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    """The unit's own label still waits, and comes."""
    await printing.begin()
    await unit(ledger, 1)
    await ledger.record_label(LabelDeed(datetime.now(UTC), UID_1, LabelEvent.MISMATCHED, 0, "mara", slot="1"))
    assert await printing.once()
    assert printed(tmp_path) == ["SN000001"]
    assert [name for name, _, _ in events(path, UID_1)] == ["LabelMismatched", "LabelPrintStarted", "LabelPrinted"]


async def test_units_of_before_get_no_label_by_themselves(ledger: Ledger, path: Path, printer: VirtualPrinter) -> None:
    await unit(ledger, 1)
    recipe = recipe_for(f"tcp://127.0.0.1:{printer.port}")
    await ledger.label_by_itself(recipe.name, on=True)
    assert await LabelPrinting(ledger, path, recipe).once()
    assert events(path, UID_1) == []
    await LabelPrinting(ledger, path, recipe).print(UID_1, PrintReason.FIRST, who="anna")
    assert [event for event, *_ in events(path, UID_1)] == ["LabelPrintStarted", "LabelPrinted"]


@pytest.mark.parametrize(
    ("mode", "told"),
    [(Mode.MEDIA_OUT, "no media"), (Mode.HEAD_OPEN, "the head is open"), (Mode.PAUSED, "paused"), (Mode.MUTE, "2 s")],
)
async def test_a_printer_that_is_not_ready_lets_labels_wait(
    printing: LabelPrinting, ledger: Ledger, printer: VirtualPrinter, path: Path, tmp_path: Path, mode: Mode, told: str
) -> None:
    """Nothing was counted, so the label is the first when the printer is ready again."""
    printer.set_mode(mode)
    await unit(ledger, 1)
    assert not await printing.once()
    assert printing.trouble is not None
    assert told in printing.trouble.reason
    assert (printing.waiting, events(path, UID_1), printed(tmp_path)) == (1, [], [])
    printer.set_mode(Mode.READY)
    assert await printing.once()
    assert (printing.waiting, printed(tmp_path)) == (0, ["SN000001"])
    assert printing.trouble is None


async def test_half_a_label_counts_and_is_never_printed_again_silently(
    printing: LabelPrinting, ledger: Ledger, printer: VirtualPrinter, path: Path, tmp_path: Path
) -> None:
    printer.set_mode(Mode.HALF)
    await unit(ledger, 1)
    assert await printing.once()
    assert events(path, UID_1) == [("LabelPrintStarted", 1, "first"), ("LabelPrintUnproven", 1, "no media")]
    assert await printing.unproven() == [(str(UID_1), 1)]
    printer.set_mode(Mode.READY)
    assert await printing.once()
    assert [file.name for file in (tmp_path / "printer").glob("*.zpl")] == ["0001.half.zpl"]
    done = await printing.print(UID_1, PrintReason.JAM, who="anna")
    assert (done.copy, done.trouble) == (2, None)
    assert printed(tmp_path)[-1] == "SN000001 2"
    assert await printing.unproven() == []


async def test_a_station_killed_while_it_prints_prints_no_second_label(
    printing: LabelPrinting, ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each moment after the record: before the bytes, and after them."""
    send = printers._OverTCP.send  # noqa: SLF001  where the kill strikes

    class Killed(BaseException):
        pass

    async def before(self: printers._OverTCP, drawing: Drawing, name: str) -> str | None:
        raise Killed

    async def after(self: printers._OverTCP, drawing: Drawing, name: str) -> str | None:
        await send(self, drawing, name)
        raise Killed

    for board, struck in ((1, before), (2, after)):
        await unit(ledger, board)
        monkeypatch.setattr(printers._OverTCP, "send", struck)  # noqa: SLF001
        with pytest.raises(Killed):
            await printing.once()
        monkeypatch.setattr(printers._OverTCP, "send", send)  # noqa: SLF001
        assert await LabelPrinting(ledger, path, printing._recipe).once()  # noqa: SLF001  the next start
        assert events(path, target(board).uid) == [("LabelPrintStarted", 1, "first")]
    assert await printing.unproven() == [(str(UID_1), 1), (str(UID_2), 1)]
    assert printed(tmp_path) == ["SN000002"]


async def test_a_further_print_has_a_reason_a_number_and_an_end(
    printing: LabelPrinting, ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    await unit(ledger, 1)
    with pytest.raises(CommandRefused, match="no label was printed yet"):
        await printing.print(UID_1, PrintReason.LOST, who="anna")
    assert await printing.once()
    with pytest.raises(CommandRefused, match="needs a reason"):
        await printing.print(UID_1, PrintReason.FIRST, who="anna")
    for reason in (PrintReason.DAMAGED, PrintReason.LOST):
        await printing.print(UID_1, reason, who="anna")
    with pytest.raises(CommandRefused, match="for an engineer"):
        await printing.print(UID_1, PrintReason.TEST, who="anna")
    await printing.print(UID_1, PrintReason.TEST, who="ernst", engineer=True)
    assert printed(tmp_path) == ["SN000001", "SN000001 2", "SN000001 3", "SN000001 4"]
    assert [reason for event, _, reason in events(path, UID_1) if event == "LabelPrintStarted"] == [
        "first",
        "damaged",
        "lost",
        "test",
    ]
    assert (await ledger.label_state(UID_1)).copies == 4


async def test_two_who_print_at_once_get_two_numbers(printing: LabelPrinting, ledger: Ledger, path: Path) -> None:
    await unit(ledger, 1)
    assert await printing.once()
    jam = [printing.print(UID_1, PrintReason.JAM, who=name) for name in ("anna", "ernst")]
    assert sorted([done.copy for done in await asyncio.gather(*jam)]) == [2, 3]


async def test_a_folder_gets_a_file_a_print(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    await unit(ledger, 1)
    printing = LabelPrinting(ledger, path, recipe_for(f"file:{folder}"))
    with pytest.raises(PrinterNotReady, match="not ready"):
        await printing.print(UID_1, PrintReason.FIRST, who="anna")
    folder.mkdir()
    await printing.print(UID_1, PrintReason.FIRST, who="anna")
    (file,) = folder.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == (f"{UID_1}-1.zpl", 0o600)
    assert b"SN000001" in file.read_bytes()


async def test_a_queue_gets_pdf(ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By `lp`, on its standard input; what `lp` says when it fails is in the ledger."""
    await unit(ledger, 1)
    printing = LabelPrinting(ledger, path, recipe_for("cups:Zebra"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(PrinterNotReady):
        await printing.print(UID_1, PrintReason.FIRST, who="anna")
    lp = tmp_path / "bin" / "lp"
    lp.parent.mkdir()
    lp.write_text(
        f'#!/bin/sh\nPATH=/bin:/usr/bin\ncat > {tmp_path}/job\necho "$@" > {tmp_path}/arguments\nenv > {tmp_path}/env\n'
    )
    lp.chmod(0o700)
    monkeypatch.setenv("PATH", str(lp.parent))
    monkeypatch.setenv("STATION_SECRET", "canary")
    monkeypatch.setenv("CUPS_SERVER", "10.0.0.8")
    assert (await printing.print(UID_1, PrintReason.FIRST, who="anna")).trouble is None
    assert (tmp_path / "job").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "arguments").read_text() == f"-d Zebra -t {UID_1}-1 -\n"
    given = (tmp_path / "env").read_text()
    assert "CUPS_SERVER=10.0.0.8\n" in given
    assert "canary" not in given
    lp.write_text("#!/bin/sh\necho The printer or class does not exist. >&2\nexit 1\n")
    done = await printing.print(UID_1, PrintReason.JAM, who="anna")
    assert done.trouble == "lp ended with 1: The printer or class does not exist."
    assert events(path, UID_1)[-1][0] == LabelEvent.UNPROVEN.value
    lp.write_text("#!/bin/sh\nprintf '\\033[31mno\\ttray\\n' >&2\nexit 1\n")
    done = await printing.print(UID_1, PrintReason.JAM, who="anna", engineer=True)
    assert done.trouble == "lp ended with 1: no\\ttray"
    assert [each[0] for each in events(path, UID_1)[-2:]] == ["LabelPrintStarted", "LabelPrintUnproven"]


async def test_a_printer_that_nobody_reaches_is_not_ready(ledger: Ledger, path: Path) -> None:
    await unit(ledger, 1)
    with pytest.raises(PrinterNotReady):
        await LabelPrinting(ledger, path, recipe_for("tcp://127.0.0.1:1")).print(UID_1, PrintReason.FIRST, who="anna")
    assert events(path, UID_1) == []


def test_a_status_is_read_in_pieces_of_any_size(tmp_path: Path) -> None:
    """Between noise, too."""
    answer = b"noise\x02x\x03" + VirtualPrinter(tmp_path).status()
    reader = HostStatusReader()
    found = [status for at in range(len(answer)) for status in reader.feed(answer[at : at + 1])]
    assert found == [HostStatus(None, 0)]
    assert HostStatusReader().feed(answer.replace(b"030,0", b"030,1")) == [HostStatus("no media", 0)]
    assert HostStatusReader().feed(answer.replace(b"030,0", b"030,x")) == [HostStatus("its status cannot be read", 0)]
    assert HostStatusReader().feed(os.urandom(1 << 16).replace(b"\x02", b"")) == []


@pytest.mark.parametrize(("required", "done"), [(True, 0), (False, 1)])
async def test_an_order_counts_no_unit_without_the_label_that_its_recipe_requires(
    ledger: Ledger, path: Path, *, required: bool, done: int
) -> None:
    recipe = replace(RECIPE, label=LabelPlan.of(LAYOUT, "file:/x", required=required, reprints=2))
    opened = LotOpened("W1", "WO-1", recipe.name, recipe.sha256, 1, "W{:04d}", 1, 1)
    await ledger.open_lot(opened, Decision("anna", "wanted"))
    await LabelPrinting(ledger, path, recipe).begin()
    await unit(ledger, 1)
    standing = lot_reader.standing(path)
    assert standing is not None
    assert (standing.lot.passed, standing.lot.to_do, standing.left.units) == (1, 1 - done, 0)
