# SPDX-License-Identifier: Apache-2.0
"""`station status`: shows the running daemon's status."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from station.cli.consoles import coloured, say_json, styled, wide_console
from station.cli.ledger.questions import counted, local
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.daemon import control
from station.domain.issuance import EXPIRES_SOON
from station.line.status import MESStatus, PKIStatus, SharedStatus, SlotStatus, Status


def status(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the daemon's answer as JSON, for scripts.")] = False,
) -> None:
    """Show slots, phases, faults, PKI and ledger of the running daemon."""
    answer = Status.model_validate(control.ask(configuration.load(config_path(config)).control_socket, "status"))
    if as_json:
        say_json(answer.model_dump(mode="json"))
        return
    console = wide_console()
    line, pki, ledger = answer.line, answer.pki, answer.ledger
    began = (answer.station, "bold"), f"  recipe {answer.recipe}  up {answer.seconds:.0f} s  line "
    paused = ("paused", "red"), f" by {line.fault}: {line.reason}"
    usable = line.state, "green" if line.state == "open" else "yellow"  # a draining line begins no attempt
    console.print(styled(*began, usable) if line.fault is None else styled(*began, *paused))
    answered = "not yet" if pki.answered_seconds_ago is None else f"{pki.answered_seconds_ago:.0f} s ago"
    console.print(styled(f"pki {pki.url}  answered {answered}", *_warnings(pki)))
    console.print(f"ledger {ledger.path}  {ledger.state}  {ledger.commits} commits  {ledger.reason or ''}")
    if (page := answer.page) is not None:
        shown = f"page {page.url or 'is not served'}  shown {page.listeners} times  {page.reason or ''}"
        console.print(styled(shown, *_expiring(page.certificate_days, "its")))
    if (andon := answer.andon) is not None:
        console.print(
            styled("andon ", ("shown", "green") if andon.up else ("dark", "yellow"), f"  {andon.reason or ''}")
        )
    if answer.mes is not None:
        console.print(*_mes(answer.mes))
    if answer.shared is not None:
        console.print(*_shared(answer.shared), sep="\n")
    if (lot := answer.lot) is not None:
        unbound = f", {lot.unbound} of them without a bound label" if lot.unbound else ""
        counts = f"{lot.passed} of {lot.planned} passed{unbound}, {lot.in_work} in work, {lot.units_left} may begin"
        soon = [("  " + lot.warning, "yellow")] if lot.warning else []
        console.print(styled(f"lot {lot.lot}  order {lot.work_order}  {lot.state}  {counts}", *soon))
    if answer.transcripts_lost:
        lost = (f"{answer.transcripts_lost} transcripts lost", "yellow")
        console.print(styled(lost, ": they could not be written"))
    for sink in answer.log:
        console.print(f"log {sink.sink} {sink.lost} lost, {sink.waiting} waiting  {sink.fault or ''}")
    console.print(slot_table(answer))


def _warnings(pki: PKIStatus) -> Iterator[str | tuple[str, str]]:
    """What a person should know of the PKI besides its last answer."""
    if pki.fault is not None:
        yield f"  {pki.fault} ([pki] outage = {pki.outage})"
    if pki.waits_seconds:
        yield f"  is not to be asked for {pki.waits_seconds:.0f} s"
    yield from _expiring(pki.certificate_days, "this station's")


def _expiring(days: int | None, whose: str) -> Iterator[str | tuple[str, str]]:
    if days is not None and days < EXPIRES_SOON:
        yield "  "
        yield f"{whose} certificate expires in {days} days", "yellow"


def _mes(mes: MESStatus) -> Iterator[Text]:
    """The MES: who answers, and what waits for it."""
    words: list[str | tuple[str, str]] = ["mes ", "answers" if mes.up else ("does not answer", "yellow")]
    for sink in mes.sinks:
        words.append(f"  {sink.sink} {sink.pending} pending for {sink.oldest_seconds:.0f} s")
        if sink.dead:
            words.append((f", {sink.dead} dead", "red"))
    yield styled(*words)


def _shared(shared: SharedStatus) -> Iterator[Text]:
    """The shared ledger: the centre, what it has not heard yet, and for how long the line can go on without it."""
    colour = {"up": "green", "starting": "", "away": "yellow"}.get(shared.state, "red")
    ago = shared.pushed_seconds_ago
    pushed = "nothing pushed yet" if ago is None else f"pushed {ago:.0f} s ago"
    why = f"  {shared.reason}" if shared.reason else ""
    yield styled("centre ", (shared.state, colour), f"  {pushed}, {counted(shared.lines_waiting, 'line')} waiting{why}")
    lot = f" of lot {shared.lot}" if shared.lot else ""
    left = (counted(shared.items_left, "item"), "" if shared.items_left else "red")
    hours = "" if shared.hours_left is None else f", for {shared.hours_left:.1f} h without the centre"
    yield styled(left, f" left of {shared.items_held}{lot}{hours}")
    yield styled(f"release {shared.release}")


def slot_table(answer: Status) -> Table:
    """One row for each slot."""
    table = Table("slot", "state", "step", "seconds", "attempt", "uid", "probe", "why", box=None, header_style="bold")
    for slot in answer.slots:
        state = f"{slot.state} (trial)" if slot.service == "trial" else slot.state
        table.add_row(
            slot.slot,
            coloured(slot.state, state),
            slot.step or "",
            f"{slot.seconds:.1f}" if slot.attempt else "",
            str(slot.attempt or ""),
            slot.uid or "",
            slot.probe or "",
            _why(slot),
        )
    return table


def _why(slot: SlotStatus) -> str:
    """The slot's fault; for a slot that a person holds, the person, the time and the reason."""
    if slot.fault is None:
        return ""
    held = slot.held
    by = [held.who, local(held.at), *([held.reason] if held.reason else [])] if held else []
    return f"{slot.fault}: {slot.reason}" + (f" ({', '.join(by)})" if by else "")
