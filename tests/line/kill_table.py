# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of every process in every state of a line, and the tables of docs/reliability.md: `make kill-table`.

`--only ram` tries one kind of line and writes its tables. `python -m tests.line.kill_table TEXT …` tries only the cells whose
names have one of the texts, and writes nothing.
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
from tests.line.kill_states import CELLS, STATES, VICTIMS, Cell, Run, Victim, why_not

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- `make kill-table` writes `{}` from here -->\n", "<!-- to here: `{}` -->\n"
TRIED = "tried"
DETAILS = (
    "| killed | the attempt | then, in its slot | a person | seated again | identity | certificates | labels | MES |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)
NO_PROCESS = {Victim.POWER: "the power", Victim.NETWORK: "the network"}
MOST_OF_A_LINE = 15  # cells, after which a referee judges


# --- the page ---------------------------------------------------------------------------------------------------------


def page(text: str, run: Run, seen: Mapping[str, Seen]) -> str:
    """The page with this run's tables in place of those that it has; `seen` has each of the run's cells by its name."""
    begin, end = BEGIN.format(run), END.format(run)
    before, _, rest = text.partition(begin)
    return before + begin + "\n" + "\n".join(_sections(run, seen)) + "\n" + end + rest.partition(end)[2]


def overview(text: str, run: Run) -> dict[tuple[str, str], str]:
    """What a page's first table of a run says of each state and process."""
    rows = _of(text, run).partition(_heads(run))[2].partition("\n\n")[0].splitlines()
    cells = [[each.strip() for each in row.strip("|").split(" | ")] for row in rows]
    return {(state, victim): said for state, *told in cells for victim, said in zip(VICTIMS[run], told, strict=True)}


def details(text: str, run: Run) -> list[tuple[str, str]]:
    """The processes and states of a page's further tables of a run."""
    own = _of(text, run)
    sections = [(victim, own.partition(_title(run, victim))[2].partition(DETAILS)[2]) for victim in VICTIMS[run]]
    rows = [(victim, row) for victim, section in sections for row in section.partition("\n\n")[0].splitlines()]
    return [(victim, row.removeprefix("| ").split(" | ")[0]) for victim, row in rows]


def _of(text: str, run: Run) -> str:
    return text.partition(BEGIN.format(run))[2].partition(END.format(run))[0]


def reasons(run: Run) -> dict[str, str]:
    """The letter of each reason for which cells of a run are not tried."""
    told = [why_not(run, state, victim) for victim in VICTIMS[run] for state in STATES[run]]
    return {reason: chr(ord("a") + at) for at, reason in enumerate(dict.fromkeys(each for each in told if each))}


def said(cell: Cell) -> str:
    """The cell of the first table."""
    reason = why_not(cell.run, cell.state, cell.victim)
    return TRIED if reason is None else reasons(cell.run)[reason]


def _sections(run: Run, seen: Mapping[str, Seen]) -> Iterator[str]:
    cells = [cell for cell in CELLS if cell.run is run]
    own = [seen[str(cell)] for cell in cells]
    issued, orphans = sum(each.issued for each in own), sum(each.orphans for each in own)
    victims = VICTIMS[run]
    others = [NO_PROCESS[victim] for victim in victims if victim in NO_PROCESS]
    processes = " and ".join([f"{len(victims) - len(others)} processes", *others])
    yield (
        f"{len(STATES[run])} states, {processes}, {len(cells)} kills: no false pass, no second identity, and each of the {issued} certificates\n"
        f"that the PKI issued is a unit's or one of {orphans} orphans, which the ledger knows. A letter says why a pair was not tried.\n"
    )
    yield _heads(run) + "".join(
        f"| {state.name} | {' | '.join(said(Cell(run, state, victim)) for victim in victims)} |\n"
        for state in STATES[run]
    )
    yield "".join(f"- {letter}: {reason}.\n" for reason, letter in reasons(run).items())
    for victim in victims:
        rows = [_row(cell, seen[str(cell)]) for cell in cells if cell.victim is victim]
        yield f"{_title(run, victim)}\n{DETAILS}{''.join(rows)}"


def _heads(run: Run) -> str:
    return f"| state | {' | '.join(VICTIMS[run])} |\n|---{'|---' * len(VICTIMS[run])}|\n"


def _title(run: Run, victim: Victim) -> str:
    return f"### {run.heading.capitalize()}, killed: {victim}\n"


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
    stand = kill_shared.standing if _shared(cells[0]) else kill_lines.standing
    seen, wrong, left = dict[str, Seen](), list[str](), list(cells)
    while left:
        of_line = dict[str, Seen]()
        with tempfile.TemporaryDirectory(prefix="kill-") as folder:
            try:
                with stand(Path(folder) / "t", cells[0].run.plan) as line:
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
    kinds = [
        [cell for cell in cells if cell.run is run and _shared(cell) is shared]
        for run in Run
        for shared in (False, True)
    ]
    return [kind[at : at + MOST_OF_A_LINE] for kind in kinds for at in range(0, len(kind), MOST_OF_A_LINE)]


def _shared(cell: Cell) -> bool:
    """Whether its line shares its ledger."""
    return cell.run is Run.SHARED or cell.victim is Victim.POSTGRESQL


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="make kill-table", description=__doc__)
    parser.add_argument("text", nargs="*")
    parser.add_argument("--only", type=Run, choices=tuple(Run), help="all without it")
    parser.add_argument("--keep", type=Path, help="write what was seen to this file; what is in it is not tried again")
    parser.add_argument("--lines", type=int, default=2, help="that run at the same time")
    asked = parser.parse_args(arguments)
    seen = kept(asked.keep)
    runs = [run for run in Run if asked.only in {None, run}]
    of_runs = [cell for cell in CELLS if cell.run in runs]
    wanted = [cell for cell in of_runs if not asked.text or any(text in str(cell) for text in asked.text)]
    cells, wrong = [cell for cell in wanted if str(cell) not in seen], list[str]()
    with ProcessPoolExecutor(asked.lines, mp_context=get_context("spawn")) as pool:
        for found, failed in pool.map(partial(tried, keep=asked.keep), groups(cells)):
            seen |= found
            wrong += failed
    for text in wrong:
        _say(f"wrong: {text}")
    if not wrong and not asked.text:
        for run in runs:
            PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), run, seen), encoding="utf-8")
    _say(f"{len(cells)} kills, {len(wrong)} failures")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
