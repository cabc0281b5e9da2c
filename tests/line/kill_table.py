# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of every process in every state of a line, and the tables of docs/reliability.md: `make kill-table`.

`python -m tests.line.kill_table TEXT …` tries only the cells whose names have one of the texts, and writes nothing.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from pydantic import TypeAdapter

from tests.line import kill_lines, kill_shared
from tests.line.kill_judgement import Seen
from tests.line.kill_line import CellFailed
from tests.line.kill_states import CELLS, STATES, Cell, Victim, why_not

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- `make kill-table` writes from here -->\n", "<!-- to here -->\n"
TRIED = "tried"
OVERVIEW = f"| state | {' | '.join(Victim)} |\n|---{'|---' * len(Victim)}|\n"
DETAILS = (
    "| killed | the attempt | then, in its slot | a person | seated again | identity | certificates | labels | MES |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)
MOST_OF_A_LINE = 15  # cells, after which a referee judges


# --- the page ---------------------------------------------------------------------------------------------------------


def page(text: str, seen: Mapping[str, Seen]) -> str:
    """The page with these tables in place of those that it has; `seen` has each of `CELLS` by its name."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + "\n".join(_sections(seen)) + "\n" + END + rest.partition(END)[2]


def overview(text: str) -> dict[tuple[str, str], str]:
    """What a page's first table says of each state and process."""
    rows = text.partition(OVERVIEW)[2].partition("\n\n")[0].splitlines()
    cells = [[each.strip() for each in row.strip("|").split(" | ")] for row in rows]
    return {(state, victim): said for state, *told in cells for victim, said in zip(Victim, told, strict=True)}


def details(text: str) -> list[tuple[str, str]]:
    """The processes and states of a page's further tables."""
    sections = [(victim, text.partition(_title(victim))[2].partition(DETAILS)[2]) for victim in Victim]
    rows = [(victim, row) for victim, section in sections for row in section.partition("\n\n")[0].splitlines()]
    return [(victim, row.removeprefix("| ").split(" | ")[0]) for victim, row in rows]


def reasons() -> dict[str, str]:
    """The letter of each reason for which cells are not tried."""
    told = [why_not(state, victim) for victim in Victim for state in STATES]
    return {reason: chr(ord("a") + at) for at, reason in enumerate(dict.fromkeys(each for each in told if each))}


def said(cell: Cell) -> str:
    """The cell of the first table."""
    reason = why_not(cell.state, cell.victim)
    return TRIED if reason is None else reasons()[reason]


def _sections(seen: Mapping[str, Seen]) -> Iterator[str]:
    issued, orphans = sum(each.issued for each in seen.values()), sum(each.orphans for each in seen.values())
    yield (
        f"{len(STATES)} states, {len(Victim)} processes, {len(CELLS)} kills: no false pass, no second identity, and each of the {issued} certificates\n"
        f"that the PKI issued is a unit's or one of {orphans} orphans, which the ledger knows. A letter says why a pair was not tried.\n"
    )
    yield OVERVIEW + "".join(
        f"| {state.name} | {' | '.join(said(Cell(state, victim)) for victim in Victim)} |\n" for state in STATES
    )
    yield "".join(f"- {letter}: {reason}.\n" for reason, letter in reasons().items())
    for victim in Victim:
        rows = [_row(cell, seen[str(cell)]) for cell in CELLS if cell.victim is victim]
        yield f"{_title(victim)}\n{DETAILS}{''.join(rows)}"


def _title(victim: Victim) -> str:
    return f"### Killed: the {victim}\n"


def _row(cell: Cell, seen: Seen) -> str:
    struck, then = (seen.attempts[:1], seen.attempts[1:]) if seen.begun else ((), seen.attempts)
    orphans = f", {seen.orphans} orphan" if seen.orphans else ""
    verdicts, messages = seen.messages or (0, 0)
    cells = [
        cell.state.name,
        struck[0] if struck else "none in the ledger",
        "; ".join(then) or "nothing",
        ", ".join(seen.hands) or "nothing",
        seen.again,
        seen.identity,
        f"{seen.issued}: {seen.live} its own{orphans}",
        "none on this line" if seen.prints is None else str(seen.prints),
        "none on this line" if seen.messages is None else f"{verdicts} verdicts, {messages} messages",
    ]
    return f"| {' | '.join(cells)} |\n"


# --- the run ----------------------------------------------------------------------------------------------------------


def tried(cells: Sequence[Cell], keep: Path | None = None) -> tuple[dict[str, Seen], list[str]]:
    """Tries cells of one kind of line; at a new line after a failure. Returns what was seen, and what went wrong."""
    stand = kill_shared.standing if cells[0].victim is Victim.POSTGRESQL else kill_lines.standing
    seen, wrong, left = dict[str, Seen](), list[str](), list(cells)
    while left:
        of_line = dict[str, Seen]()
        with tempfile.TemporaryDirectory(prefix="kill-") as folder:
            try:
                with stand(Path(folder) / "t") as line:
                    while left:
                        cell, began = left.pop(0), time.monotonic()
                        of_line[str(cell)] = line.tried(cell)
                        _say(f"{time.monotonic() - began:6.1f} s  {cell}")
            except Exception as exc:  # noqa: BLE001  whatever it is, the run goes on at a line that works
                wrong.append(str(exc) if isinstance(exc, CellFailed) else "".join(traceback.format_exception(exc)))
                _say(f"FAILED    {wrong[-1]}")
                continue
        seen |= of_line
        if keep is not None:
            with keep.open("a", encoding="utf-8") as file:
                file.writelines(f"{json.dumps({'cell': name, **asdict(each)})}\n" for name, each in of_line.items())
    return seen, wrong


def kept(file: Path | None) -> dict[str, Seen]:
    """What an earlier run has seen at lines that were right to their end."""
    if file is None or not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {each.pop("cell"): TypeAdapter(Seen).validate_python(each) for each in lines}


def groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells for each line."""
    shared = [cell for cell in cells if cell.victim is Victim.POSTGRESQL]
    others = [cell for cell in cells if cell.victim is not Victim.POSTGRESQL]
    return [kind[at : at + MOST_OF_A_LINE] for kind in (others, shared) for at in range(0, len(kind), MOST_OF_A_LINE)]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="make kill-table", description=__doc__)
    parser.add_argument("text", nargs="*")
    parser.add_argument("--keep", type=Path, help="write what was seen to this file; what is in it is not tried again")
    parser.add_argument("--lines", type=int, default=2, help="that run at the same time")
    asked = parser.parse_args(arguments)
    seen = kept(asked.keep)
    wanted = [cell for cell in CELLS if not asked.text or any(text in str(cell) for text in asked.text)]
    cells, wrong = [cell for cell in wanted if str(cell) not in seen], list[str]()
    with ProcessPoolExecutor(asked.lines, mp_context=get_context("spawn")) as pool:
        for found, failed in pool.map(partial(tried, keep=asked.keep), groups(cells)):
            seen |= found
            wrong += failed
    for text in wrong:
        _say(f"wrong: {text}")
    if not wrong and not asked.text:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), seen), encoding="utf-8")
    _say(f"{len(cells)} kills, {len(wrong)} failures")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
