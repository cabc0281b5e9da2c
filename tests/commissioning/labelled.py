# SPDX-License-Identifier: Apache-2.0
"""Boards that leave a line with their labels on: `make labelled`, or `python -m tests.commissioning.labelled --boards 64`.

Labels are required. Each board passes, its label comes out of the virtual printer, zpl-renderer-js draws it, zxing-cpp reads the code, and
the code is scanned: first without a slot, which tells where the board is, then at its board, which binds it. The first two labels are stuck
on each other's board at first. Both commissioners read all codes, and commission units by them.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from station.adapters.ledger import label_prints, lot_reader
from station.daemon import control
from station.domain.labelling import LabelEvent
from station.matter.onboarding import commissioners
from tests.builders.line import RECIPE, Line, recipe_with
from tests.builders.printer import DOTS_A_MM, HEIGHT_MM, WIDTH_MM, printing
from tests.builders.station_demo import PATIENT_DEADLINES, SHORT_DEADLINES
from tests.builders.white_label import CD_SIGNERS
from tests.commissioning.code_readers import values_read
from tests.commissioning.flash import Flash, Tag
from tests.commissioning.mutant import DECLARATION
from tests.commissioning.room import Answer, chip_room, matterjs_room
from tests.label.drawn_labels import codes_in, of_zpl
from virtual_bench.server import control as bench

COMMISSIONERS = ("chip", "matter.js")
READERS = {"chip": commissioners.CHIP, "matter.js": commissioners.MATTER_JS}
NO_NEWS_WITHIN = 300.0
SCANNED_WITHIN = 120.0
PATIENCE = 30.0  # seconds of matter.js's search
FEW = 16  # boards, above which deadlines are those of a full line


@dataclass(frozen=True, slots=True)
class Refused:
    """A scan that was refused: the slot, the units of board and label, the daemon's words, and how many labels were bound by then."""

    slot: str
    board: str
    label: str
    told: str
    bound: int


@dataclass
class Labelled:
    """What was seen. The values of `flash` and `printed` are of the same slots."""

    flash: dict[str, Flash] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    """The code on the label of each slot's board, as read from the print, where the station says that its board is."""
    prints: int = 0
    swapped: list[Refused] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)
    """The UIDs with a bound label in the ledger."""
    to_do: list[int | None] = field(default_factory=list)
    """What was left of the work order after the last verdict, and after the last scan."""
    read: dict[str, list[Mapping[str, int] | None]] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """By commissioner and slot."""


def made(folder: Path, boards: int, commissioned: int, tell: Callable[[str], object] = lambda _: None) -> Labelled:
    """Everything, with so many boards, of which each commissioner commissions so many."""
    found = Labelled()
    deadlines = SHORT_DEADLINES if boards <= FEW else PATIENT_DEADLINES
    with patch.dict(os.environ, deadlines), printing(folder) as label:
        recipe = _recipe(folder / "recipe", label)
        with Line.standing(folder / "line", boards, recipe=recipe) as line:
            _make(line, found, boards, folder / "printer", tell)
    codes = [found.printed[slot] for slot in found.flash]
    for commissioner in COMMISSIONERS:
        found.read[commissioner] = values_read(READERS[commissioner], codes)
        tell(f"{commissioner} has read {sum(each is not None for each in found.read[commissioner])} codes")
    chosen = list(found.flash)[:: max(1, boards // commissioned)][:commissioned] if commissioned else []
    asyncio.run(_commission(folder, found, chosen))
    for commissioner in COMMISSIONERS:
        done = [slot for slot in chosen if found.answers[commissioner, slot]["commissioned"]]
        tell(f"{commissioner} has commissioned {len(done)} of {len(chosen)} units by the codes on their labels")
    return found


def expected(flash: Flash) -> Mapping[str, int]:
    """What a reader must find in the code on the label of the board with this flash."""
    tags = (Tag.VENDOR_ID, Tag.PRODUCT_ID, Tag.DISCRIMINATOR, Tag.PASSCODE)
    return {tag.name.lower(): flash.number(tag) for tag in tags}


def _recipe(folder: Path, label: str) -> Path:
    """The demonstration's recipe with labels, and with a declaration that is signed by the public test key."""
    path = recipe_with(folder, label)
    (folder / "declaration.der").write_bytes(DECLARATION.der)
    shipped = f'"{RECIPE.parent}/certification-declaration.der"'
    text = path.read_text(encoding="utf-8")
    assert shipped in text
    path.write_text(text.replace(shipped, '"declaration.der"'), encoding="utf-8")
    return path


def _make(line: Line, found: Labelled, boards: int, tray: Path, tell: Callable[[str], object]) -> None:
    order = ("--work-order", "4711", "--planned", str(boards), "--pattern", "W1-{:04d}", "--first", "1")
    done = line.command("lots", "open", "W1", *order, "--size", str(boards), "--reason", "ordered")
    assert done.returncode == 0, done.stdout + done.stderr
    bench.ask(line.folder, "plug", ports=list(range(1, boards + 1)), new=False, radio={})
    _until(
        lambda: sum(slot.verdict is not None for slot in line.status().slots),
        boards,
        lambda: str([slot for slot in line.status().slots if slot.verdict is None]),
    )
    assert {slot.verdict for slot in line.status().slots} == {"pass"}, line.status().slots
    _until(lambda: len(list(tray.glob("*.zpl"))), boards, lambda: str(control.ask(_socket(line), "label_status")))
    tell(f"{boards} boards have passed, and their labels are printed")
    for slot in line.status().slots:
        found.flash[slot.slot] = Flash.of((line.folder / "boards" / str(slot.probe) / "qspi.bin").read_bytes())
    found.to_do.append(_to_do(line))
    labels = [file.read_bytes() for file in sorted(tray.glob("*.zpl"))]
    found.prints = len(labels)
    codes = [_the_code(codes_in(picture)) for picture in of_zpl(labels, WIDTH_MM, HEIGHT_MM, DOTS_A_MM)]
    tell(f"zxing-cpp has read {len(set(codes))} codes from {len(labels)} prints that zpl-renderer-js has drawn")
    for code in codes:
        found.printed[str(_scan(line, code, None)["slot"])] = code
    _swap(line, found)
    tell(f"the pair of swapped labels was refused: {'; '.join(each.told for each in found.swapped)}")
    for name, code in found.printed.items():
        _scan(line, code, name)
    found.bound = _bound(line)
    found.to_do.append(_to_do(line))
    tell(f"{len(found.bound)} labels are bound by their scan; the order has {found.to_do[-1]} units to do")
    assert len(list(tray.glob("*.zpl"))) == found.prints, "a label was printed twice"


def _the_code(codes: Sequence[str]) -> str:
    (code,) = codes
    return code


def _swap(line: Line, found: Labelled) -> None:
    """Each of the first two boards gets the label of the other one."""
    first, second = list(found.flash)[:2]
    for slot, other in ((first, second), (second, first)):
        serials = [found.flash[each].records[Tag.SERIAL_NUMBER].decode() for each in (slot, other)]
        try:
            _scan(line, found.printed[other], slot)
        except control.CommandRefused as exc:
            found.swapped.append(Refused(slot, serials[0], serials[1], str(exc), len(_bound(line))))


def _scan(line: Line, code: str, slot: str | None) -> Mapping[str, object]:
    return control.ask_patiently(_socket(line), "label_scan", SCANNED_WITHIN, {"text": code, "slot": slot or ""})


def _socket(line: Line) -> Path:
    return line.folder / "station.sock"


def _bound(line: Line) -> set[str]:
    history = label_prints.history(line.folder / "ledger.sqlite")
    return {each.uid for each in history if each.type == LabelEvent.BOUND.value}


def _to_do(line: Line) -> int | None:
    standing = lot_reader.standing(line.folder / "ledger.sqlite")
    assert standing is not None
    return standing.lot.to_do


def _until(count: Callable[[], int], wanted: int, why: Callable[[], str]) -> None:
    """Waits for so many, for as long as there are more from time to time."""
    most, news = 0, time.monotonic()
    while (now := count()) < wanted:
        if now > most:
            most, news = now, time.monotonic()
        assert time.monotonic() - news < NO_NEWS_WITHIN, f"{now} of {wanted}: {why()}"
        time.sleep(0.1)


async def _commission(folder: Path, found: Labelled, slots: Sequence[str]) -> None:
    """Both commissioners, in separate rooms at the same time, with the line's root as their only one."""
    paas = folder / "paa"
    paas.mkdir()
    root = x509.load_pem_x509_certificate((folder / "line" / "pki" / "paa.pem").read_bytes())
    (paas / "paa.der").write_bytes(root.public_bytes(serialization.Encoding.DER))

    async def visit(commissioner: str) -> None:
        chip = commissioner == "chip"
        opened = chip_room(folder / "chip", paas) if chip else matterjs_room(folder / "matterjs", paas, CD_SIGNERS)
        async with opened as room:
            for slot in slots:
                light, code = found.flash[slot].light(), found.printed[slot]
                found.answers[commissioner, slot] = await room.commission(light, code, patience=PATIENCE)

    async with asyncio.TaskGroup() as group:
        for commissioner in COMMISSIONERS:
            group.create_task(visit(commissioner))


def mistakes(found: Labelled, boards: int) -> list[str]:
    """What is not as it must be."""
    first, second = list(found.flash)[:2]
    wanted = [expected(flash) for flash in found.flash.values()]
    facts = {
        "a label a board": found.prints == len(found.flash) == boards,
        "each code is that of its board's flash": found.printed == {s: f.label() for s, f in found.flash.items()},
        "both of a swapped pair are refused, at their first scan, and nothing is bound": [
            (each.slot, each.bound) for each in found.swapped
        ]
        == [(first, 0), (second, 0)],
        "a refusal names both units": all(e.board in e.told and e.label in e.told for e in found.swapped),
        "all are bound": len(found.bound) == boards,
        "the order is done with the last scan, not before": found.to_do == [boards, 0],
        **{f"{name} reads all codes": found.read[name] == wanted for name in COMMISSIONERS},
        **{
            f"{name} commissions the unit in slot {slot}: {answer.get('reason', '')}": _is_right(found, slot, answer)
            for (name, slot), answer in found.answers.items()
        },
    }
    return [fact for fact, holds in facts.items() if not holds]


def _is_right(found: Labelled, slot: str, answer: Answer) -> bool:
    """Commissioned, and it answers with what is in its flash."""
    identity, light = answer.get("identity"), found.flash[slot].light()
    return bool(answer["commissioned"]) and isinstance(identity, dict) and identity == {n: light[n] for n in identity}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--boards", type=int, default=64)
    arguments.add_argument("--commissioned", type=int, default=64, help="units that each commissioner commissions")
    chosen = arguments.parse_args()
    began = time.monotonic()

    def tell(text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {text}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="labelled-") as folder, patch.dict(os.environ, XDG_STATE_HOME=folder):
        found = made(Path(folder), chosen.boards, chosen.commissioned, tell)
        if wrong := mistakes(found, chosen.boards):
            sys.exit("not as it must be: " + "; ".join(wrong))
    tell("everything is as it must be")


if __name__ == "__main__":
    main()
