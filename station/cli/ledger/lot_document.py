# SPDX-License-Identifier: Apache-2.0
"""The report of a lot as a document to be printed, signed and filed: the same lines as in its CSV. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from station.adapters.ledger.lot_report import Line
from station.adapters.system.shown import shown
from station.cli.ledger.lot_words import BALANCE, FURTHER
from station.label.document import Document, Figures, Notice, Signatures, Table

_WORDS = {
    "name": "lot",
    "work_order": "work order",
    "recipe_sha256": "SHA-256 of the recipe",
    "planned": "units planned",
    "pattern": "serial numbers",
    "first": "first serial number",
    "size": "serial numbers of the lot",
    "programmer_version": "programmer's version",
    "probe_firmware": "probe's firmware",
}
_HEADINGS = {  # in the document's order; a section that is not among them follows under its own name
    "yield": "Yield",
    "balance": "Balance of units, serial numbers, labels and certificates",
    "fault": "Faults",
    "seconds": "Times in seconds, by step",
    "tool": "Stations, probes and tools",
    "recipe": "Recipes, with their SHA-256",
    "image": "Images, with their SHA-256",
}
_ELSEWHERE = {"lot", "does not add up", "signature", "exception", "certificate"}
_ADDS_UP = "The balance adds up: every identity, serial number, label and certificate of the lot is accounted for."


def of(lines: Sequence[Line], made_at: datetime, station: str) -> Document:
    """The document of these lines. `station` names the station and its version that has made it."""
    safe = [Line(each.section, shown(each.subject), shown(each.value)) for each in lines]
    told = {(each.section, each.subject): each.value for each in safe}
    mistakes = [f"Does not add up: {each.value}." for each in safe if each.section == "does not add up"]
    made = f"{made_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    worked = [
        each.subject.removeprefix("station ") for each in _of("tool", safe) if each.subject.startswith("station ")
    ]
    head = [(_WORDS.get(each.subject, each.subject), each.value or "none") for each in _of("lot", safe)]
    head += [("stations that worked on it", ", ".join(dict.fromkeys(worked)) or "none yet")]
    head += [("report made", made), ("report made by", station)]
    name = told["lot", "name"]
    others = dict.fromkeys(each.section for each in safe if each.section not in _HEADINGS.keys() | _ELSEWHERE)
    return Document(
        "Lot report",
        name,
        [
            _figures(told),
            Notice(mistakes or [_ADDS_UP], good=not mistakes),
            Table("Lot", (1, 2.2), head),
            Signatures([each.subject.capitalize() for each in _of("signature", safe) if each.subject != "date"]),
            *(_section(section, heading, safe) for section, heading in _HEADINGS.items()),
            *(_section(section, section.capitalize(), safe) for section in others),
            _exceptions(safe),
            _units(safe),
        ],
        f"Lot report {name} · made {made} · {station}",
    )


def _figures(told: dict[tuple[str, str], str]) -> Figures:
    passed, planned = told["balance", "passed"], told["balance", "planned"]
    return Figures(
        [
            (f"{passed} of {planned}" if planned else passed, "passed of planned" if planned else "passed"),
            (told["yield", "first pass"].split(" (")[0], "passed at first"),
            (told["balance", "in_work"], "in work"),
            (told["balance", "scrapped"], "scrapped"),
            (told["balance", "to_do"] or "any", "to do"),
        ]
    )


def _section(section: str, heading: str, lines: Iterable[Line]) -> Table:
    found = _of(section, lines)
    if section == "balance":
        known = {each.subject: each for each in found}
        order = [name for name in (*BALANCE, *FURTHER) if name in known]
        found = [known.pop(name) for name in order] + list(known.values())
    words = {**_WORDS, **BALANCE, **FURTHER} if section == "balance" else _WORDS
    rows = [(words.get(each.subject, each.subject), each.value or "none") for each in found]
    return Table(heading, (1, 2.2), rows or [("none", "")], whole=section == "balance")


def _exceptions(lines: Iterable[Line]) -> Table:
    rows = [(*each.subject.split(" ", 1), each.value) for each in _of("exception", lines)]
    names = ("when", "what", "who and why")
    return Table("Exceptions", (1.2, 1.4, 2.6), rows or [("none", "", "")], names)


def _units(lines: Iterable[Line]) -> Table:
    rows = [(*each.subject.rsplit(" ", 2), each.value) for each in _of("certificate", lines)]
    names = ("serial number", "UID", "state", "serial number of the DAC")
    return Table("Units and their certificates", (2, 2, 0.9, 2.6), rows or [("none", "", "", "")], names)


def _of(section: str, lines: Iterable[Line]) -> list[Line]:
    return [each for each in lines if each.section == section]
