# SPDX-License-Identifier: Apache-2.0
"""`station numbers`: first-pass yield, and failed and void attempts by fault, slot, probe and step."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from rich.table import Table

from station.adapters.ledger.selection import Group, Numbers, Selection, numbers
from station.adapters.ledger.tables import iso
from station.cli.consoles import say_json, wide_console
from station.cli.ledger.questions import JsonOption, LedgerOption, LotOption, SinceOption, UntilOption, local, period
from station.cli.places import ConfigOption, ledger_path

_BY = ("fault", "slot", "probe", "step")


def show_numbers(
    since: SinceOption = None,
    until: UntilOption = None,
    lot: LotOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Show first-pass yield, and failed and void attempts by fault, slot, probe and step.

    Void attempts and those of the laboratory never count in the yield. A board counts when its first judged attempt is
    in the period.

    Examples: station numbers --since 06:00; station numbers --lot LOT-7 --json
    """
    begin, end = period(since, until)
    found = numbers(ledger_path(config, ledger), Selection(since=begin, until=end, lot=lot))
    verdicts = _verdicts(found)
    if json_wanted:
        asked = {"since": begin and iso(begin), "until": end and iso(end), "lot": lot}
        say_json({**asked, **_totals(found, verdicts), "by": {name: _rows(found, name) for name in _BY}})
        return
    console = wide_console()
    if begin or end:
        console.print(
            " ".join(word for word in (begin and f"since {local(begin)}", end and f"until {local(end)}") if word)
        )
    share = f" ({found.passed_first / found.judged:.1%})" if found.judged else ""
    console.print(f"first-pass yield {found.passed_first} of {found.judged} boards{share}")
    console.print(
        f"{verdicts.total()} attempts: {verdicts['pass']} pass, {verdicts['fail']} fail, {verdicts['void']} void, "
        f"{verdicts[None]} running; {found.laboratory} more of the laboratory"
    )
    for name in _BY:
        if rows := _rows(found, name):
            table = Table(name, "fail", "of all fails", "void", box=None, header_style="bold")
            for row in rows:
                fails = int(str(row["fail"]))
                part = f"{fails / verdicts['fail']:.0%}" if verdicts["fail"] else ""
                table.add_row(str(row[name] or "none"), str(fails), part, str(row["void"]))
            console.print()
            console.print(table)


def _verdicts(found: Numbers) -> Counter[str | None]:
    verdicts: Counter[str | None] = Counter()
    for group in found.groups:
        verdicts[group.verdict] += group.attempts
    return verdicts


def _totals(found: Numbers, verdicts: Mapping[str | None, int]) -> dict[str, object]:
    return {
        "judged": found.judged,
        "passed_first": found.passed_first,
        "first_pass_yield": found.passed_first / found.judged if found.judged else None,
        "attempts": sum(verdicts.values()),
        **{name: verdicts[name] for name in ("pass", "fail", "void")},
        "laboratory": found.laboratory,
    }


def _rows(found: Numbers, name: str) -> list[dict[str, object]]:
    """The failed and void attempts by one property, the most frequent fail first."""
    counts: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    for group in found.groups:
        if group.verdict in {"fail", "void"}:
            counts[_value(group, name)][group.verdict] += group.attempts
    ordered = sorted(counts.items(), key=lambda item: (-item[1]["fail"], -item[1]["void"], item[0] or ""))
    return [{name: value, "fail": count["fail"], "void": count["void"]} for value, count in ordered]


def _value(group: Group, name: str) -> str | None:
    values = {"fault": group.fault, "slot": group.slot, "probe": group.probe, "step": group.step}
    return values[name]
