# SPDX-License-Identifier: Apache-2.0
"""Boards that are new to the ledger, written without an erase: blank ones, others, and a programmer that lies."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.system import recordings
from station.config import line as configuration
from station.domain.product import Write
from station.faults import Fault
from station.recipe.files import line_recipe
from station.recipe.recipe import Recipe
from station.replay.replay import replay
from tests.builders.line import RECIPE
from tests.builders.station_demo import ROOT, Demonstration, demonstrate
from tests.line.test_programmer import DATA, Line, standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

# The fault of each board of a line, whether its writes are then repeated, and how its first attempt ends.
LINE: dict[int, tuple[list[tuple[str, str, int]], list[str], str]] = {
    1: ([], [], "pass"),
    2: ([("flash_provisioner", "database_missing", 1)], ["flash.mismatch"], "pass"),
    3: ([("flash_data", "loader_ignored", 1)], ["flash.mismatch"], "pass"),
    4: ([("flash_provisioner", "glued_error", 1)], ["flash.write_failed"], "pass"),
    5: ([("flash_data", "verify_mismatch", 0)], ["flash.mismatch"], "flash.mismatch"),
    6: ([("flash_data", "loader_ignored", 0)], ["flash.mismatch"], "programmer.unproven"),
    7: ([("flash_provisioner", "unplug", 1)], [], "board.removed"),
}


def recipe(folder: Path) -> Path:
    """The shipped recipe, which spares new boards the erase."""
    text = RECIPE.read_text().replace('"../../', f'"{ROOT}/')
    text = text.replace('"certification-declaration.der"', f'"{ROOT}/config/recipes/certification-declaration.der"')
    text = text.replace("[images]\n", '[images]\nerase = "as-needed"\n')
    path = folder / "as-needed.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    folder = tmp_path_factory.mktemp("unerased")
    tables = []
    for board, (faults, _, end) in LINE.items():
        verdict = {"pass": "pass", "flash.mismatch": "fail"}.get(end, "void")
        expected = f'verdict = "{verdict}"' + (f', fault = "{end}"' if verdict != "pass" else "")
        tables += [
            f'[[fault]]\nboard = {board}\nat = "{at}"\nwhat = "{what}"\ntimes = {times}\nexpect = {{ {expected} }}\n'
            for at, what, times in faults
        ]
    (folder / "faults.toml").write_text("\n".join(tables))
    options = ("--boards", str(len(LINE)), "--faults", str(folder / "faults.toml"), "--recipe", str(recipe(folder)))
    done = demonstrate(folder, *options)
    assert done.exit_status == 0, done.output
    return done


def boards(run: Demonstration) -> dict[str, int]:
    """The boards' numbers, by UID."""
    plates = [json.loads(path.read_text()) for path in run.folder.glob("boards/*/board.json")]
    return {each["uid"]: each["number"] for each in plates}


def repeated(run: Demonstration) -> dict[int, list[str]]:
    """The faults of repeated writes in the journal, by board."""
    query = (
        "SELECT attempt.uid, event.body FROM event JOIN attempt ON attempt.id = event.attempt_id"
        " WHERE event.type = 'WriteRepeated' ORDER BY event.id"
    )
    found: dict[int, list[str]] = {number: [] for number in boards(run).values()}
    with closing(sqlite3.connect(run.folder / "ledger.sqlite")) as ledger:
        for uid, body in ledger.execute(query):
            found[boards(run)[uid]].append(json.loads(body)["fault"])
    return found


def test_a_line_spares_new_boards_the_erase_and_repeats_what_fails(run: Demonstration) -> None:
    """The demonstration itself has compared the verdicts. A repeated write is in the journal, and in the log."""
    assert repeated(run) == {board: faults for board, (_, faults, _) in LINE.items()}
    runs = [entry for entry in run.lines("bench.jsonl") if entry["event"] == "invocation"]
    for board, (_, faults, end) in LINE.items():
        argv = [entry["argv"] for entry in runs if entry["board"] == board]
        spared = ["--skipErase" in each for each in argv if isinstance(each, list) and "-d" in each]
        assert spared == [True, *(False for _ in faults), *(False for _ in range(end == "pass"))]


def test_flash_holds_what_was_meant_on_every_board_that_passed(run: Demonstration) -> None:
    """The bench's own files are the truth."""
    image = (ROOT / "firmware_images" / "operational-flash.bin").read_bytes()
    for path in run.folder.glob("boards/*/board.json"):
        if LINE[json.loads(path.read_text())["number"]][2] == "pass":
            assert (path.parent / "internal.bin").read_bytes().startswith(image)


def test_every_attempt_is_replayed_the_same_way_and_its_recording_has_no_secret(run: Demonstration) -> None:
    """Of the reads before and after a write a recording has only whether they were blank, or as written."""
    loaded = line_recipe.load(configuration.load(run.folder / "line.toml", {}))
    assert isinstance(loaded, Recipe)
    forms = set()
    for file in sorted((run.folder / "transcripts").rglob("*.jsonl.gz")):
        entries = recordings.read(file)
        assert replay(entries, loaded).same, file
        forms |= {str(entry["content"]) for entry in entries if entry["kind"] == "read" and entry["size"] != 0x4000}
    assert forms == {"{'form': 'erased'}", "{'form': 'written'}", "{'form': 'damaged'}"}


# --- the driver, and boards that are not blank -----------------------------------------------------------------------


class New:
    """A bench's boards, which are written as boards that are new to the ledger."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.image = line.images[0]
        plates = {
            json.loads(path.read_text())["number"]: path.parent for path in line.folder.glob("boards/*/board.json")
        }
        self._folders = [plates[number] for number in sorted(plates)]

    def leave(self, board: int, name: str, offset: int, content: bytes) -> None:
        """Puts something into a flash of this board."""
        with (self._folders[board - 1] / name).open("r+b") as file:
            file.seek(offset)
            file.write(content)

    def held(self, board: int, name: str, write: Write, offset: int) -> bool:
        """Whether a flash of this board holds this file."""
        content = (self._folders[board - 1] / name).read_bytes()
        return content[offset : offset + write.size] == write.content

    async def written(self, board: int) -> list[str]:
        """Writes data and image, and proves them. Returns the faults of writes that were repeated."""
        told: list[str] = []

        async def tell(fault: Fault) -> None:
            told.append(fault.code)

        async with self._line.programmer(board).invocation(DATA, self.image, unerased=tell) as run:
            await run.written(DATA)
            await run.written(self.image)
        assert self.held(board, "qspi.bin", DATA, 0x1C0000)
        assert self.held(board, "internal.bin", self.image, 0)
        return told


# What is left in which flash of a board, and the bench's faults; the codes of the writes that are repeated.
NOT_BLANK: dict[str, tuple[list[tuple[str, int, bytes]], list[str], list[str]]] = {
    "blank": ([], [], []),
    "the first byte of the image": ([("internal.bin", 0, b"\x7f")], [], ["flash.write_failed"]),
    "one bit in the middle": ([("internal.bin", 0x1234, b"\xfe")], [], ["flash.write_failed"]),
    "one bit, and nobody notices": (
        [("internal.bin", 0x1234, b"\xfe")],
        ["flash_provisioner refusal_unnoticed"],
        ["flash.mismatch"],
    ),
    "one bit of the data": ([("qspi.bin", 0x1C0001, b"\x00")], [], ["flash.mismatch"]),
    "behind the files": ([("internal.bin", 0x40000, b"\x00"), ("qspi.bin", 0x1C8000, b"\x00")], [], []),
}


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[New]:
    folder = tmp_path_factory.mktemp("not-blank")
    entries = []
    for board, (_, faults, _) in enumerate([*NOT_BLANK.values(), *LIES], 1):
        for fault in faults:
            at, what = fault.split()
            entries.append(f'[[fault]]\nboard = {board}\nat = "{at}"\nwhat = "{what}"\n')
    (folder / "faults.toml").write_text("\n".join(entries))
    options = ("--faults", str(folder / "faults.toml"))
    with standing(folder / "bench", len(NOT_BLANK) + len(LIES), *options) as line:
        yield New(line)


# A programmer that changes nothing and reports success, on boards that hold other things already.
LIES: list[tuple[str, list[str], list[str]]] = [
    ("blank", ["flash_provisioner database_missing"], ["flash.mismatch"]),
    ("same", ["flash_provisioner database_missing"], ["flash.mismatch"]),
    ("same end", ["flash_provisioner database_missing"], ["flash.mismatch"]),
    ("blank", ["flash_data loader_ignored"], ["flash.mismatch"]),
    ("same", ["flash_data loader_ignored"], ["flash.mismatch"]),
    ("same", ["flash_data database_missing"], ["flash.mismatch"]),
    ("blank", ["flash_provisioner error_then_success"], ["flash.write_failed"]),
]


@pytest.mark.parametrize("case", NOT_BLANK)
async def test_a_board_that_is_not_blank_is_written_again_with_an_erase(new: New, case: str) -> None:
    """It holds what was meant in the end; what lies in other sectors does not matter."""
    left, _, expected = NOT_BLANK[case]
    board = 1 + list(NOT_BLANK).index(case)
    for name, offset, content in left:
        new.leave(board, name, offset, content)
    assert await new.written(board) == expected


@pytest.mark.parametrize("number", range(len(LIES)))
async def test_a_write_that_changed_nothing_never_passes(new: New, number: int) -> None:
    """Neither on a blank board nor on one that holds the same file, or its end, from before."""
    before, _, expected = LIES[number]
    board = 1 + len(NOT_BLANK) + number
    if before != "blank":
        content = new.image.content if before == "same" else b"\x11" * 4096 + new.image.content[4096:]
        new.leave(board, "internal.bin", 0, content)
        new.leave(board, "qspi.bin", 0x1C0000, DATA.content)
    assert await new.written(board) == expected
