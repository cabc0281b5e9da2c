# SPDX-License-Identifier: Apache-2.0
"""Wireless stacks, end to end: the daemon against boards with simulated coprocessors."""

import hashlib
import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

import virtual_bench.cli
from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import CoprocessorReady
from tests.builders.line import RECIPE, Line
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing, story

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

RIGHT, OLDER = "1.24.0.3", "1.23.0.3"
OLD = ("--stack-version", OLDER)
StartLine = Callable[..., AbstractContextManager[Standing]]  # type: ignore[explicit-any]  # options as keywords


@pytest.fixture
def line(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> StartLine:
    """A line whose recipe has a wireless stack, and whose programmer gets thirty seconds for an upgrade."""
    for name, value in {**SHORT_DEADLINES, "STATION__PROGRAMMER__UPGRADE_WITHIN": "30"}.items():
        monkeypatch.setenv(name, value)

    @contextmanager
    def standing(boards: int, *faults: str, inside: str = RIGHT, time_scale: float = 0.0) -> Iterator[Standing]:
        recipe = recipe_with_stack(tmp_path, RIGHT, inside)
        with Line.standing(tmp_path / "line", boards, time_scale=time_scale, recipe=recipe) as line:
            standing = Standing(line)
            for fault in faults:
                board, what, *parameters = fault.split()
                options = [option for each in parameters for option in ("--set", each)]
                standing.bench("fault", "--board", board, "--at", "coprocessor", "--what", what, *options)
            yield standing

    return standing


def recipe_with_stack(folder: Path, version: str, inside: str, *, ask: bool = True, recipe: Path = RECIPE) -> Path:
    """A shipped recipe with this version of the stack; the image contains that version."""
    image = folder / "stack.bin"
    made = ["stack-image", "--version", inside, "--size", "20000", str(image)]
    assert CliRunner().invoke(virtual_bench.cli.app, made).exit_code == 0
    text = recipe.read_text().replace('"../../', f'"{ROOT}/')
    text = text.replace('"certification-declaration.der"', f'"{ROOT}/config/recipes/certification-declaration.der"')
    sha256 = hashlib.sha256(image.read_bytes()).hexdigest()
    table = f'file = "stack.bin"\nsha256 = "{sha256}"\naddress = 0x08094000\nversion = "{version}"'
    path = folder / ("asking.toml" if ask else "silent.toml")
    path.write_text(f"{text}\n[coprocessor]\n{table}\n" if ask else text)
    return path


def ready(standing: Standing, uid: str | None) -> list[CoprocessorReady]:
    """The ledger's record of a board's coprocessor, attempt by attempt."""
    unit = LedgerReader(standing.line.folder / "ledger.sqlite").unit(uid or "")
    assert unit is not None
    events = [entry.event for attempt in unit.attempts for entry in attempt.journal]
    return [event for event in events if isinstance(event, CoprocessorReady)]


def runs(standing: Standing, command: str) -> dict[int, int]:
    """The number of times that each board's programmer was started with this command."""
    lines = [json.loads(line) for line in (standing.line.folder / "bench.jsonl").read_text().splitlines()]
    started = [line for line in lines if line["event"] == "invocation" and command in line["argv"]]
    return {board: sum(line["board"] == board for line in started) for board in {line["board"] for line in started}}


@dataclass(frozen=True)
class Board:
    """The bench's status of one board."""

    number: int
    stack: str | None
    boot: tuple[int, int, int]


def boards(standing: Standing) -> list[Board]:
    """The boards in the order of their numbers."""
    found = []
    for path in standing.line.folder.glob("boards/*/board.json"):
        said = json.loads(path.read_text())
        boot = tuple(said["option_bytes"][name] for name in ("nSWBOOT0", "nBOOT1", "nBOOT0"))
        found.append(Board(said["number"], said["stack"], boot))
    return sorted(found, key=lambda board: board.number)


def stop(standing: Standing, number: signal.Signals = signal.SIGTERM) -> None:
    daemon = standing.line.processes["daemon"]
    daemon.send_signal(number)
    daemon.wait()


def ended(standing: Standing) -> list[str | None]:
    """The faults of the attempts that have ended."""
    attempts = LedgerReader(standing.line.folder / "ledger.sqlite").attempts()
    return [attempt.fault for attempt in attempts if attempt.ended_at]


def judged(standing: Standing, *boards: int) -> list[str]:
    """Verdict and fault of the boards in these slots, when all have a verdict."""
    slots = [standing.wait(board, lambda slot: slot.verdict is not None, within=300) for board in boards]
    return [f"{slot.verdict} {slot.fault or ''}".strip() for slot in slots]


def test_a_board_gets_the_stack_that_it_lacks_and_keeps_the_one_that_is_right(line: StartLine) -> None:
    """The read-back counts, not the programmer's report, and no upgrade runs twice."""
    misfortunes = ("5 startfus_fails", "6 startfus_fails", "7 fwupgrade_fails_but_did", "8 fwupgrade_hang done=yes")
    with line(8, *misfortunes) as standing:
        standing.bench("plug", "1", "2", "3", "4")
        standing.bench("plug", "5", "6", "7", "8", *OLD)
        assert judged(standing, *range(1, 9)) == ["pass"] * 8
        seen = [ready(standing, standing.slot(board).uid) for board in range(1, 9)]
        assert [(one.before, one.after, one.upgraded) for (one,) in seen] == [
            *[(RIGHT, RIGHT, False)] * 4,
            *[(OLDER, RIGHT, True)] * 4,
        ]
        assert runs(standing, "-fwupgrade") == dict.fromkeys(range(5, 9), 1)
        assert runs(standing, "-startwirelessstack") == dict.fromkeys(range(1, 9), 1)
        assert [(board.stack, *board.boot) for board in boards(standing)] == [(RIGHT, 1, 1, 1)] * 8
        exported = standing.station("units", "export", "--format", "jsonl").splitlines()
        assert [json.loads(unit)["wireless_stack"] for unit in exported] == [RIGHT] * 8
        shown = standing.station("units", "show", str(standing.slot(8).uid))
        assert f"before {OLDER}, after {RIGHT}, upgraded True" in " ".join(shown.split())


ENDINGS = {
    "fus_unknown": "fail coprocessor.fus_not_ready",
    "version_word_garbage": "pass",
    "version_word_garbage times=2": "fail coprocessor.fus_not_ready",
    "fwupgrade_hang done=no": "pass",
    "fwupgrade_hang done=no times=2": "fail coprocessor.stack_unproven",
    "fwdelete_fails_but_did": "pass",
    "fwdelete_fails_but_did times=2": "pass",
    "fwupgrade_hang done=yes deaf_to=all": "pass",
    "options_refused": "pass",
    "option_reconnect_fails": "pass",
    "failed_but_done": "pass",
    "nothing_done": "pass",
    "connect_error": "pass",
    "unplug": "void board.removed",
}
LEFT_NO_STACK = re.compile(r"fwdelete_fails_but_did|fwupgrade_hang done=no")


def test_every_misfortune_of_the_coprocessor_gets_its_verdict(line: StartLine) -> None:
    """Only an upgrade that left no stack is repeated; boards that are still present boot as before."""
    numbers = range(1, len(ENDINGS) + 1)
    with line(len(ENDINGS), *(f"{board} {what}" for board, what in zip(numbers, ENDINGS, strict=True))) as standing:
        standing.bench("plug", "--all", *OLD)
        expected = dict(zip(numbers, ENDINGS.values(), strict=True))
        unplugged = next(board for board, ending in expected.items() if "removed" in ending)
        assert judged(standing, *(expected.keys() - {unplugged})) == [
            ending for board, ending in expected.items() if board != unplugged
        ]
        standing.pulled_by_its_fault(unplugged)
        again = {board for board, what in zip(numbers, ENDINGS, strict=True) if LEFT_NO_STACK.match(what)}
        assert runs(standing, "-fwupgrade") == {board: 1 + (board in again) for board in runs(standing, "-fwupgrade")}
        passed = {board for board, ending in expected.items() if ending == "pass"}
        found = boards(standing)
        assert [board.stack for board in found if board.number in passed] == [RIGHT] * len(passed)
        assert [board.boot for board in found if board.number != unplugged] == [(1, 1, 1)] * (len(ENDINGS) - 1)


def test_a_board_that_is_pulled_in_its_upgrade_is_read_when_it_comes_back(line: StartLine) -> None:
    """The coprocessor has finished without the programmer, so the upgrade is not repeated."""
    with line(1, "1 fwupgrade_hang done=yes") as standing:
        standing.bench("plug", "1", *OLD)
        standing.until(lambda: "fwupgrade_hang" in (standing.line.folder / "bench.jsonl").read_text())
        standing.bench("unplug", "1")
        standing.wait(1, lambda slot: slot.state == "empty")
        standing.bench("plug", "1")
        assert judged(standing, 1) == ["pass"]
        (seen,) = ready(standing, standing.slot(1).uid)
        assert (seen.before, seen.upgraded) == (RIGHT, False)
        assert runs(standing, "-fwupgrade") == {1: 1}


def test_an_image_that_is_not_sts_pauses_the_line(line: StartLine) -> None:
    """Every other board would be refused, too; after the release the board is judged again."""
    with line(2, "1 fwupgrade_not_authentic") as standing:
        standing.bench("plug", "1", *OLD)
        standing.until(lambda: standing.line.status().line.state == "paused")
        assert standing.slot(1).fault == "coprocessor.image_refused"
        standing.station("slots", "release", "--all")
        assert standing.wait(1, lambda slot: slot.attempt == 2 and slot.verdict is not None).verdict == "pass"
        assert runs(standing, "-fwupgrade") == {1: 2}


def test_an_image_of_another_version_than_the_recipe_says_is_no_pass(line: StartLine) -> None:
    """The image was installed, and the programmer reported success."""
    with line(1, inside="1.25.0.1") as standing:
        standing.bench("plug", "1", *OLD)
        assert judged(standing, 1) == ["fail coprocessor.stack_unproven"]
        assert runs(standing, "-fwupgrade") == {1: 1}
        assert [board.boot for board in boards(standing)] == [(1, 1, 1)]


def test_the_coprocessor_is_left_alone_from_the_first_factory_data_on(line: StartLine) -> None:
    """The board may then hold a key; an earlier attempt has seen its stack.

    The same holds for a unit that has passed.
    """
    with line(1) as standing:
        standing.bench("fault", "--board", "1", "--at", "await_csr", "--what", "unplug")
        standing.bench("plug", "1", *OLD)
        standing.until(lambda: ended(standing) == ["board.removed"])
        before = runs(standing, "-startfus")
        standing.bench("plug", "1")
        assert judged(standing, 1) == ["pass"]
        standing.bench("unplug", "1")
        standing.wait(1, lambda slot: slot.state == "empty")
        standing.bench("plug", "1")
        assert judged(standing, 1) == ["pass"]
        uid = standing.slot(1).uid
        assert story(standing, uid) == ["provision void", "provision pass", "reconfirm pass"]
        assert runs(standing, "-startfus") == before
        assert len(ready(standing, uid)) == 1


def test_a_board_that_may_hold_a_key_needs_to_have_been_seen_with_its_stack(line: StartLine, tmp_path: Path) -> None:
    """The board was provisioned by a recipe without a stack, so its stack is unknown, and the station may not look."""
    with line(1) as standing:
        asking = standing.line.recipe
        stop(standing)
        standing.line.recipe = recipe_with_stack(tmp_path, RIGHT, RIGHT, ask=False)
        standing.line.start_daemon()
        standing.bench("fault", "--board", "1", "--at", "await_csr", "--what", "unplug")
        standing.bench("plug", "1", *OLD)
        standing.until(lambda: ended(standing) == ["board.removed"])
        stop(standing)
        standing.line.recipe = asking
        standing.line.start_daemon()
        standing.bench("plug", "1")
        assert judged(standing, 1) == ["fail coprocessor.stack_unseen"]
        assert runs(standing, "-startfus") == {}


def _image_is_in_flash(standing: Standing, secrets_folder: Path) -> bool:
    """Whether the programmer needs the image's file no more, which the next daemon deletes when it starts."""
    images = [file.read_bytes() for file in secrets_folder.rglob("wireless-stack.bin")]
    memories = [file.read_bytes() for file in standing.line.folder.glob("boards/*/internal.bin")]
    return any(image and image in memory for image in images for memory in memories)


def test_an_upgrade_outlives_its_daemon_and_is_not_run_again(line: StartLine, secrets_folder: Path) -> None:
    """The next daemon waits for the programmer to end, and reads the version."""
    with line(1, time_scale=0.05) as standing:
        standing.bench("plug", "1", *OLD)
        standing.until(lambda: _image_is_in_flash(standing, secrets_folder))
        stop(standing, signal.SIGKILL)
        standing.line.start_daemon()
        assert judged(standing, 1) == ["pass"]
        assert story(standing, standing.slot(1).uid) == ["provision void", "provision pass"]
        assert runs(standing, "-fwupgrade") == {1: 1}
