# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of every process in every state of a line, and the tables of docs/reliability.md: `make kill-table`.

`--plan ram` tries and writes the tables of one plan. `python -m tests.line.kill_table TEXT …` tries only the cells whose
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

from station.domain.product import Plan
from tests.line import kill_lines, kill_shared
from tests.line.kill_judgement import Seen
from tests.line.kill_line import CellFailed
from tests.line.kill_states import CELLS, STATES, VICTIMS, Cell, Victim, why_not

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- `make kill-table` writes the plan `{}` from here -->\n", "<!-- to here: `{}` -->\n"
TRIED = "tried"
DETAILS = (
    "| killed | the attempt | then, in its slot | a person | seated again | identity | certificates | labels | MES |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)
MOST_OF_A_LINE = 15  # cells, after which a referee judges


# --- the page ---------------------------------------------------------------------------------------------------------


def page(text: str, plan: Plan, seen: Mapping[str, Seen]) -> str:
    """The page with this plan's tables in place of those that it has; `seen` has each of the plan's cells by its name."""
    begin, end = BEGIN.format(plan), END.format(plan)
    before, _, rest = text.partition(begin)
    return before + begin + "\n" + "\n".join(_sections(plan, seen)) + "\n" + end + rest.partition(end)[2]


def overview(text: str, plan: Plan) -> dict[tuple[str, str], str]:
    """What a page's first table of a plan says of each state and process."""
    rows = _of(text, plan).partition(_heads(plan))[2].partition("\n\n")[0].splitlines()
    cells = [[each.strip() for each in row.strip("|").split(" | ")] for row in rows]
    return {(state, victim): said for state, *told in cells for victim, said in zip(VICTIMS[plan], told, strict=True)}


def details(text: str, plan: Plan) -> list[tuple[str, str]]:
    """The processes and states of a page's further tables of a plan."""
    own = _of(text, plan)
    sections = [(victim, own.partition(_title(plan, victim))[2].partition(DETAILS)[2]) for victim in VICTIMS[plan]]
    rows = [(victim, row) for victim, section in sections for row in section.partition("\n\n")[0].splitlines()]
    return [(victim, row.removeprefix("| ").split(" | ")[0]) for victim, row in rows]


def _of(text: str, plan: Plan) -> str:
    return text.partition(BEGIN.format(plan))[2].partition(END.format(plan))[0]


def reasons(plan: Plan) -> dict[str, str]:
    """The letter of each reason for which cells of a plan are not tried."""
    told = [why_not(state, victim) for victim in VICTIMS[plan] for state in STATES[plan]]
    return {reason: chr(ord("a") + at) for at, reason in enumerate(dict.fromkeys(each for each in told if each))}


def said(cell: Cell) -> str:
    """The cell of the first table."""
    reason = why_not(cell.state, cell.victim)
    return TRIED if reason is None else reasons(cell.plan)[reason]


def _sections(plan: Plan, seen: Mapping[str, Seen]) -> Iterator[str]:
    cells = [cell for cell in CELLS if cell.plan is plan]
    own = [seen[str(cell)] for cell in cells]
    issued, orphans = sum(each.issued for each in own), sum(each.orphans for each in own)
    victims = VICTIMS[plan]
    processes = f"{len(set(victims) - {Victim.POWER})} processes{' and the power' * (Victim.POWER in victims)}"
    yield (
        f"{len(STATES[plan])} states, {processes}, {len(cells)} kills: no false pass, no second identity, and each of the {issued} certificates\n"
        f"that the PKI issued is a unit's or one of {orphans} orphans, which the ledger knows. A letter says why a pair was not tried.\n"
    )
    yield _heads(plan) + "".join(
        f"| {state.name} | {' | '.join(said(Cell(plan, state, victim)) for victim in victims)} |\n"
        for state in STATES[plan]
    )
    yield "".join(f"- {letter}: {reason}.\n" for reason, letter in reasons(plan).items())
    for victim in victims:
        rows = [_row(cell, seen[str(cell)]) for cell in cells if cell.victim is victim]
        yield f"{_title(plan, victim)}\n{DETAILS}{''.join(rows)}"


def _heads(plan: Plan) -> str:
    return f"| state | {' | '.join(VICTIMS[plan])} |\n|---{'|---' * len(VICTIMS[plan])}|\n"


def _title(plan: Plan, victim: Victim) -> str:
    return f"### Plan `{plan}`, killed: {victim}\n"


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
                with stand(Path(folder) / "t", cells[0].plan) as line:
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
        [cell for cell in cells if cell.plan is plan and (cell.victim is Victim.POSTGRESQL) is shared]
        for plan in Plan
        for shared in (False, True)
    ]
    return [kind[at : at + MOST_OF_A_LINE] for kind in kinds for at in range(0, len(kind), MOST_OF_A_LINE)]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="make kill-table", description=__doc__)
    parser.add_argument("text", nargs="*")
    parser.add_argument("--plan", type=Plan, choices=tuple(Plan), help="both without it")
    parser.add_argument("--keep", type=Path, help="write what was seen to this file; what is in it is not tried again")
    parser.add_argument("--lines", type=int, default=2, help="that run at the same time")
    asked = parser.parse_args(arguments)
    seen = kept(asked.keep)
    plans = [plan for plan in Plan if asked.plan in {None, plan}]
    of_plans = [cell for cell in CELLS if cell.plan in plans]
    wanted = [cell for cell in of_plans if not asked.text or any(text in str(cell) for text in asked.text)]
    cells, wrong = [cell for cell in wanted if str(cell) not in seen], list[str]()
    with ProcessPoolExecutor(asked.lines, mp_context=get_context("spawn")) as pool:
        for found, failed in pool.map(partial(tried, keep=asked.keep), groups(cells)):
            seen |= found
            wrong += failed
    for text in wrong:
        _say(f"wrong: {text}")
    if not wrong and not asked.text:
        for plan in plans:
            PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), plan, seen), encoding="utf-8")
    _say(f"{len(cells)} kills, {len(wrong)} failures")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
