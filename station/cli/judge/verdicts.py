# SPDX-License-Identifier: Apache-2.0
"""Prints the verdict of the judging commands, in words or as one JSON object; exit code 0 means accepted, 1 refused."""

from collections.abc import Mapping, Sequence

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import DONE, FAILED
from station.faults import Fault
from station.matter.certificates.rules import Rule

_SHOWN_ITEMS = 8  # of a list, in words; JSON has all


def as_json(fault: Fault | None, accepted: str) -> dict[str, object]:
    """The result of one judgement; `accepted` is the sentence for a good one."""
    if fault is None:
        return {"accept": True, "fault": None, "rule": None, "text": accepted}
    return {"accept": False, "fault": fault.code, "rule": fault.evidence.get("rule"), "text": text(fault)}


def text(fault: Fault) -> str:
    """The mistake, and the broken rule if it is one of Matter's."""
    evidence = fault.evidence
    rule = Rule.__members__.get(evidence.get("rule", ""))
    return str(fault) if rule is None else f"{evidence['reason']} (rule {rule.name}: {rule.value})"


def line(fault: Fault | None, accepted: str) -> str:
    """The verdict in one line."""
    return f"accepted: {accepted}" if fault is None else f"refused: {fault.code}: {text(fault)}"


def conclude(
    fault: Fault | None,
    accepted: str,
    *,
    json_wanted: bool,
    shown: Mapping[str, Mapping[str, object]] | None = None,
    warnings: Sequence[str] | None = None,
) -> None:
    """Prints `shown`, section by section, and the verdict, and ends the command with its exit code.

    A command without `warnings` cannot warn; they leave verdict and exit code as they are.
    """
    if json_wanted:
        warned = {} if warnings is None else {"warnings": list(warnings)}
        say_json({**as_json(fault, accepted), **(shown or {}), **warned})
    else:
        for members in (shown or {}).values():
            print_members(members)
        for warning in warnings or ():
            say(f"warning: {warning}")
        say(line(fault, accepted))
    raise typer.Exit(DONE if fault is None else FAILED)


def print_members(members: Mapping[str, object]) -> None:
    """One line for each item; leaves out absent ones."""
    for name, value in members.items():
        if value is not None:
            say(f"{name.replace('_', ' '):26} {_words(value)}")


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={member}" for name, member in value.items())
    if not isinstance(value, list):
        return str(value)
    more = f" and {len(value) - _SHOWN_ITEMS} more" if len(value) > _SHOWN_ITEMS else ""
    return ", ".join(map(str, value[:_SHOWN_ITEMS])) + more
