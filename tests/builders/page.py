# SPDX-License-Identifier: Apache-2.0
"""docs/programmer.md, made from the catalogue: `python -m tests.builders.page` writes it."""

from pathlib import Path

from station.faults import Fault, LineFault, SlotFault, UnitFault
from tests.builders.catalogue import Group, Row, asked, groups
from tests.builders.fault_catalogue import catalogue, kind_of

PAGE = Path(__file__).parents[2] / "docs" / "programmer.md"
BLAMED: dict[type[Fault], str] = {UnitFault: "board", SlotFault: "slot", LineFault: "line"}
INTRODUCTION = """\
# What the programmer says, and what the station believes

STM32_Programmer_CLI has been seen to report success for what it had not done, and failure for what it had; it words the same thing differently from
version to version, and hangs errors on progress bars. So nothing that it says is believed for the sound of it. A run is good if **all three** hold:

1. its exit status is 0;
2. no line of it is an error, wherever the line stands and whatever is said behind it;
3. **every** sentence is there that a run must have said that did what it was asked for, with this file's name, this address, these sectors.

Where one is missing, the code says whose fault it is: the board's (it fails), the slot's (the board is not judged, and the slot goes out of service),
or the line's. `programmer.unproven` is a run that looks good and lacks a proof. What can be read back is read back on top of all that: factory data,
option bytes, the coprocessor's versions. A programmer that says nothing at all is ended by a deadline (`programmer.stuck`).

Each row stands for transcripts in `tests/vectors/cubeprogrammer/`, by the names in its last column, which begin with the programmer's version, or with
`unstarted` where the programmer did not come up; the folder tells the source of every line. Each transcript is run through the parser that the line
uses, in the bytes of Linux and of Windows, whole and in pieces of any size, and must come to what is written here. The page is made from that folder's
`catalogue.toml`, by `python -m tests.builders.page`.
"""
HEAD = """\
| it says | what is the case | the station concludes | by | transcripts |
|---|---|---|---|---|
"""


def page() -> str:
    runs = "".join(f"| {what.replace('-', ' ')} | `{arguments}` |\n" for what, arguments in asked().items())
    return (
        "\n".join(
            (
                INTRODUCTION,
                *map(_section, groups()),
                "## What the station runs",
                "",
                "Behind `-c port=SWD sn=PROBE mode=UR reset=HWrst -q`, and never `-l`:\n",
                "| to | arguments |\n|---|---|",
                runs,
            )
        ).rstrip("\n")
        + "\n"
    )


def _section(group: Group) -> str:
    text = f"{group.text}\n\n" if group.text else ""
    return f"## {group.title}\n\n{text}{HEAD}{''.join(map(_line, group.rows))}"


def _line(row: Row) -> str:
    said = "<br>".join(f"`{each.strip()}`" for each in row.said)
    status = " or ".join(str(each) for each in sorted(row.exit))
    names = ", ".join(row.files)
    return f"| {said}<br>exit status {status} | {row.case} | {_conclusion(row)} | {row.proof} | {names} |\n"


def _conclusion(row: Row) -> str:
    blamed = next((BLAMED[kind_of(fault)] for fault in catalogue() if fault.code == row.verdict), None)
    if blamed is None:
        return f"**{row.verdict}**"
    return (
        f"**read back**, with `{row.verdict}` against it"
        if row.asked == "upgrade"
        else f"`{row.verdict}`, the {blamed}'s"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
