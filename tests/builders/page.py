# SPDX-License-Identifier: Apache-2.0
"""docs/programmer.md, made from the catalogue: `python -m tests.builders.page` writes it."""

from pathlib import Path

from station.faults import Fault, LineFault, SlotFault, UnitFault
from tests.builders.catalogue import AGAIN, Group, Row, asked, groups
from tests.builders.fault_catalogue import catalogue, kind_of

PAGE = Path(__file__).parents[2] / "docs" / "programmer.md"
BLAMED: dict[type[Fault], str] = {UnitFault: "board", SlotFault: "slot", LineFault: "line"}
INTRODUCTION = """\
# The programmer's output, and the station's conclusions

STM32_Programmer_CLI has been seen to report success for work that it had not done, and failure for work that it had done; its wording differs from
version to version, and it appends errors to progress bars. So the station trusts no single message. A run is good only if **all three** hold:

1. its exit status is 0;
2. no line of its output is an error, wherever the line is and whatever follows it;
3. **every** message is present that the requested work must produce, with the right file name, address and sectors.

If one of them is missing, the fault's code says whose fault it is: the board's (it fails), the slot's (the board is not judged, and the slot goes out
of service), or the line's. `programmer.unproven` is a run that looks good but lacks a proof. In addition the station reads back factory data, option
bytes and the coprocessor's versions. A deadline ends a programmer that prints nothing (`programmer.stuck`).

The last column of each row names its transcripts in `tests/vectors/cubeprogrammer/`. A name begins with the programmer's version, or with `unstarted`
if the programmer did not start; the folder's README gives the source of every line. The tests run each transcript through the line's parser, in the
bytes of Linux and of Windows, whole and in pieces of any size, and the result must equal this page. `python -m tests.builders.page` makes the page from
that folder's `catalogue.toml`.
"""
HEAD = """\
| output | situation | the station's conclusion | evidence | transcripts |
|---|---|---|---|---|
"""


def page() -> str:
    runs = "".join(f"| {what.replace('-', ' ')} | `{arguments}` |\n" for what, arguments in asked().items())
    return (
        "\n".join(
            (
                INTRODUCTION,
                *map(_section, groups()),
                "## The station's commands",
                "",
                "Each follows `-c port=SWD sn=PROBE mode=UR reset=HWrst -q`; the station never uses `-l`:\n",
                "| purpose | arguments |\n|---|---|",
                runs,
            )
        ).rstrip("\n")
        + "\n"
    )


def _section(group: Group) -> str:
    text = f"{group.text.strip()}\n\n" if group.text else ""
    return f"## {group.title}\n\n{text}{HEAD}{''.join(map(_line, group.rows))}"


def _line(row: Row) -> str:
    said = "<br>".join(f"`{each.strip()}`" for each in row.said)
    status = " or ".join(str(each) for each in sorted(row.exit))
    names = ", ".join(row.files)
    return f"| {said}<br>exit status {status} | {row.case} | {_conclusion(row)} | {row.proof} | {names} |\n"


def _conclusion(row: Row) -> str:
    blamed = next((BLAMED[kind_of(fault)] for fault in catalogue() if fault.code == row.verdict), None)
    if row.verdict == AGAIN:
        return "**again**, with an erase"
    if blamed is None:
        return f"**{row.verdict}**"
    return (
        f"**read back**, with `{row.verdict}` against it"
        if row.asked == "upgrade"
        else f"`{row.verdict}`, the {blamed}'s"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
