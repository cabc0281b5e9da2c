"""How the commands that judge something tell their verdict: exit code 0 accepted, 1 refused; words, or one JSON object."""

from collections.abc import Mapping

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import DONE, FAILED
from station.faults import Fault
from station.matter.certificates.rules import Rule

_SHOWN_ITEMS = 8  # of a list, in words; JSON has all


def as_json(fault: Fault | None, accepted: str) -> dict[str, object]:
    """`accepted` is said where nothing is wrong."""
    if fault is None:
        return {"accept": True, "fault": None, "rule": None, "text": accepted}
    return {"accept": False, "fault": fault.code, "rule": fault.evidence.get("rule"), "text": text(fault)}


def text(fault: Fault) -> str:
    """What is wrong, and the rule that it breaks, where it is Matter's."""
    evidence = fault.evidence
    rule = Rule.__members__.get(evidence.get("rule", ""))
    return str(fault) if rule is None else f"{evidence['reason']} (rule {rule.name}: {rule.value})"


def line(fault: Fault | None, accepted: str) -> str:
    """The verdict in one line."""
    return f"accepted: {accepted}" if fault is None else f"refused: {fault.code}: {text(fault)}"


def conclude(
    fault: Fault | None, accepted: str, *, json_wanted: bool, shown: Mapping[str, Mapping[str, object]] | None = None
) -> None:
    """Prints what was seen and the verdict, and ends the command with its exit code. `shown` is by section."""
    if json_wanted:
        say_json({**as_json(fault, accepted), **(shown or {})})
    else:
        for members in (shown or {}).values():
            print_members(members)
        say(line(fault, accepted))
    raise typer.Exit(DONE if fault is None else FAILED)


def print_members(members: Mapping[str, object]) -> None:
    """A line each; what is absent is left out."""
    for name, value in members.items():
        if value is not None:
            say(f"{name.replace('_', ' '):26} {_words(value)}")


def _words(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    more = f" and {len(value) - _SHOWN_ITEMS} more" if len(value) > _SHOWN_ITEMS else ""
    return ", ".join(map(str, value[:_SHOWN_ITEMS])) + more
