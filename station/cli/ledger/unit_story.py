# SPDX-License-Identifier: Apache-2.0
"""One unit's story for people: its events with their times, attempt by attempt."""

import re
from datetime import datetime

from cryptography import x509
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from station.adapters.ledger import events
from station.adapters.ledger.label_prints import LabelRecord
from station.adapters.ledger.reader import AttemptStory, AttemptSummary, CertificateRecord, JournalEntry, UnitStory
from station.cli.consoles import coloured, styled
from station.domain.attempt import Event, Failed, StepFinished, StepStarted, UnitIdentified, Voided
from station.domain.labelling import LabelEvent
from station.domain.secrets_deed import Act

_WORD_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


_LABELS = {
    LabelEvent.PRINT_STARTED: "label print begun",
    LabelEvent.PRINTED: "label printed",
    LabelEvent.UNPROVEN: "label print not confirmed",
    LabelEvent.BOUND: "label bound",
    LabelEvent.MISMATCHED: "wrong label scanned",
}


def _label(label: LabelRecord) -> str:
    """Which print, by whom, where and why."""
    other = f"  label of {label.other}" if label.other else ""
    slot = f"  slot {label.slot}" if label.slot else ""
    return f"  copy {label.copy}  {label.who}{slot}{other}{label.reason and ': '}{label.reason}"


def print_story(console: Console, story: UnitStory) -> None:
    unit = story.unit
    if unit is None:
        console.print(styled((story.uid, "bold"), " has no identity"))
    else:
        identity = f"  uid {story.uid}  lot {unit.lot}  made {unit.manufacturing_date}"
        console.print(styled((unit.serial_number, "bold"), identity))
        console.print(f"state {unit.state.value}" + (", passcode forgotten" if story.forgotten else ""))
    for deed in story.secrets:
        done = {Act.SHOW.value: "label shown to", Act.FORGET.value: "passcode forgotten by"}.get(deed.deed, deed.deed)
        console.print(f"{done} {deed.who} {_time(deed.at)}{deed.reason and ': '}{deed.reason}", markup=False)
    for label in story.labels:
        console.print(f"{_LABELS[LabelEvent(label.type)]} {_time(label.at)}{_label(label)}", markup=False)
    for release in story.releases:
        console.print(f"released {_time(release.at)} by {release.account}: {release.reason}", markup=False)
    for decision in story.decisions:
        by = decision.account or "the station"
        console.print(f"{decision.type} {_time(decision.at)} by {by}: {decision.reason}", markup=False)
    for each in story.certificates:
        console.print(f"certificate {each.dac_serial_number}  issued {_time(each.issued_at)}  {_subject(each)}")
        console.print(f"  for key {each.key}")
    for attempt in story.attempts:
        console.print()
        _print_attempt(console, attempt)


def _print_attempt(console: Console, story: AttemptStory) -> None:
    attempt = story.summary
    verdict = attempt.verdict or "running"
    console.print(
        styled((f"attempt {attempt.number}", "bold"), f"  {_time(attempt.started_at)}  slot {attempt.slot}  ")
        + coloured(verdict)
        + styled(f"  {attempt.fault or ''}  {attempt.seconds:.1f} s")
    )
    for line in _circumstances(story):
        console.print(f"  {line}")
    table = Table("after", "step", "took", "what", box=None, header_style="bold")
    for entry in story.journal:
        _add_row(table, attempt, entry)
    console.print(Padding(table, (0, 0, 0, 1)))


def _version(attempt: AttemptSummary) -> str:
    """The station's version and commit; empty for attempts that did not record them."""
    if attempt.station_version is None:
        return ""
    return f" version {attempt.station_version} (commit {attempt.station_commit or 'unknown'})"


def _circumstances(story: AttemptStory) -> list[str]:
    attempt = story.summary
    lines = [
        f"station {attempt.station}{_version(attempt)}, probe {attempt.probe}, {attempt.tty}",
        f"recipe {attempt.recipe} {attempt.recipe_sha256}, lot {attempt.lot}",
        *(f"image {name} {sha256}" for name, sha256 in attempt.images.items()),
    ]
    lines.extend(
        f"STM32CubeProgrammer {event.programmer_version}, probe firmware {event.probe_firmware}"
        for entry in story.journal
        if isinstance(event := entry.event, UnitIdentified)
    )
    return lines


def _add_row(table: Table, attempt: AttemptSummary, entry: JournalEntry) -> None:
    after = f"{(entry.at - attempt.started_at).total_seconds():.3f}"
    match entry.event:
        case StepStarted(step):
            took = f"{attempt.steps[step]:.3f}" if step in attempt.steps else "not finished"
            table.add_row(after, step.value.replace("_", " "), took)
        case StepFinished():
            pass  # shown at the step's beginning
        case event:
            table.add_row(after, "", "", _told(event))


def _told(event: Event) -> str:
    """The event in words: its name, then its fields."""
    words = _WORD_BOUNDARY.sub(" ", event.on_disk.name).split()
    name = " ".join(word if word.isupper() else word.lower() for word in words)
    said = events.body(event)
    if isinstance(event, Failed | Voided):
        said = {"fault": event.fault, **event.evidence}
    if isinstance(event, UnitIdentified):
        said = {"device": f"0x{event.device_id:03X}", "supply": f"{event.supply_mv} mV"}
    return ": ".join(
        [name, ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in said.items())] if said else [name]
    )


def _subject(certificate: CertificateRecord) -> str:
    return x509.load_der_x509_certificate(certificate.dac).subject.rfc4514_string()


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
