# SPDX-License-Identifier: Apache-2.0
"""`station pki`: requests without an answer, certificates that no unit has, and what people decide about them."""

import asyncio
import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich.table import Column, Table

from station.adapters.ledger import orphans, records
from station.adapters.ledger.orphans import News, Orphan, Told
from station.adapters.ledger.tables import iso
from station.adapters.system.shown import in_cell, shown
from station.cli.accounts import account_name
from station.cli.consoles import say, say_json, wide_console
from station.cli.exit_codes import FAILED
from station.cli.ledger import pki_list
from station.cli.ledger.options import LedgerOption, ReasonOption, StoppedLedgerOption
from station.cli.ledger.output import opened as output_file
from station.cli.ledger.questions import local
from station.cli.ledger.stopped import opened, uid_of
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control
from station.domain.intervention import Decision
from station.domain.issuance import OrphanKind, Reconciled
from station.domain.target import UID

REVOCATIONS = ("serial_number", "key_sha256", "kind", "uid", "since", "reason")

app = typer.Typer(help="Requests to the PKI, and certificates that no unit has.", no_args_is_help=True)


@app.command("orphans")
def list_orphans(
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: Annotated[
        bool, typer.Option("--json", help="The same as one JSON object, with times in UTC.")
    ] = False,
) -> None:
    """List certificates that no unit has, and requests that may have bought one.

    unknown: the answer was lost; `reconcile` finds out what was issued. refused: the station received the certificate
    and refused it. surplus: a second certificate for a key. scrapped: the certificate of a unit that was scrapped. All are
    to be revoked.
    """
    found = orphans.listed(ledger_path(config, ledger))
    if json_wanted:
        say_json({"orphans": [records.values(orphan) for orphan in found]})
        return
    console = wide_console()
    if not found:
        console.print("No certificate is without a unit, and no request without an answer.")
        return
    columns = ("id", "kind", "since", "uid", "serial number", "live DAC", "key", "reason")
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None)  # a shortened number names nothing
    for orphan in found:
        table.add_row(
            orphan.id,
            orphan.kind.value,
            local(orphan.since),
            orphan.uid or "",
            f"{orphan.serial_number} (also a unit's)" if orphan.also_live else orphan.serial_number or "",
            orphan.live_serial_number or "",
            orphan.key[:16],
            shown(orphan.reason or ""),
        )
    console.print(table)
    counts = {kind: sum(orphan.kind is kind for orphan in found) for kind in OrphanKind}
    console.print(", ".join(f"{number} {kind.value}" for kind, number in counts.items() if number))


@app.command()
def again(
    unit: Annotated[str, typer.Argument(metavar="UID", help="24 hexadecimal digits, from the slot's fault.")],
    reason: ReasonOption,
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Let the PKI be asked again for a board that was void as pki.answer_lost, or now for one that is pending.

    Run it when the PKI works again. The board goes on in its slot; a request may cost one more certificate. The requests
    whose answers were lost stay orphans.
    """
    uid = uid_of(unit)
    decision = Decision(account_name(), reason)
    if ledger is not None:
        left = asyncio.run(_again(ledger, uid, decision))
    else:
        left = int(str(_ask(config, "pki_again", decision, uid=str(uid))["orphans"]))
    say(f"the PKI may be asked for {uid} again; its {left} unanswered requests stay orphans: station pki orphans")


@app.command()
def close(
    orphan: Annotated[str, typer.Argument(metavar="ID", help="As `station pki orphans` shows it: R12, C3 or D4.")],
    reason: ReasonOption,
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Take an orphan off the list after it was dealt with, for example revoked."""
    decision = Decision(account_name(), reason)
    if ledger is not None:
        asyncio.run(_close(ledger, orphan, decision))
    else:
        _ask(config, "pki_close", decision, id=orphan)
    say(f"{orphan} is closed")


@app.command()
def reconcile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON, JSON lines, CSV, or certificates in PEM.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of", help="When the PKI made the list, local time (default: the file's time).", show_default=False
        ),
    ] = None,
    reason: ReasonOption = "compared with the PKI's own list",
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Compare the ledger with the PKI's own list of all certificates, which tells what lost answers have bought.

    Each entry has serial_number in hexadecimal and key_sha256, the SHA-256 of the public key, or certificate in PEM.
    Requests without an answer become surplus certificates with their serial numbers, or are known to have bought
    nothing. Exits 1 if the list lacks a unit's certificate, or has none for a key of this ledger: then it proves of no
    request that it bought nothing. Make the
    list when the PKI has been idle for some minutes, since it may issue after the station has ceased to wait.
    """
    path = ledger_path(config, ledger)
    try:
        listed = pki_list.read(file)
        made = as_of.astimezone() if as_of is not None else datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as exc:
        raise typer.BadParameter(f"{file}: cannot be read: {exc.strerror}") from exc
    except pki_list.ListInvalid as exc:
        raise typer.BadParameter(str(exc)) from exc
    news = orphans.news(path, listed, made)
    decision = Decision(account_name(), reason)
    if ledger is not None:
        told = Told(news.listed, made, news.first_missing, news.ours)
        result = asyncio.run(_reconcile(ledger, told, decision))
    else:
        entries = [(f"{entry.serial_number:X}", entry.key) for entry in news.listed]
        about = {"listed": entries, "as_of": made.isoformat(), "missing": news.first_missing, "ours": news.ours}
        result = TypeAdapter(Reconciled).validate_python(_ask(config, "pki_reconcile", decision, **about))
    _tell(len(listed), news, result)
    if result.not_listed or result.unproven:
        raise typer.Exit(FAILED)


@app.command("export-revocations")
def export_revocations(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; else standard output.", show_default=False)
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line instead of CSV.")] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the serial numbers of all open orphans, for the PKI to revoke. `close` takes them off the list afterwards.

    A number that a unit's certificate has, too, is left out: revoking it would revoke that unit. So is a certificate for
    a key for which this ledger has no request, since it may be a unit's of another line.
    """
    every = orphans.listed(ledger_path(config, ledger))
    found = [orphan for orphan in every if not orphan.is_foreign]
    known = [orphan for orphan in found if orphan.serial_number and not orphan.also_live]
    rows = [_revocation(orphan) for orphan in known]
    with output_file(output) as file:
        if jsonl:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, REVOCATIONS)
            writer.writeheader()
            writer.writerows({name: in_cell(value) for name, value in row.items()} for row in rows)
    if also_live := sum(orphan.also_live for orphan in found):
        say(
            f"{also_live} are left out, since a unit's certificate has the same serial number: have the PKI look",
            err=True,
        )
    if foreign := len(every) - len(found):
        say(f"{foreign} for other keys are left out, since they may be another line's: have the PKI look", err=True)
    if unknown := len(found) - len(known) - also_live:
        say(f"{unknown} more have no known serial number: station pki reconcile FILE", err=True)


def _revocation(orphan: Orphan) -> dict[str, str]:
    return {
        "serial_number": orphan.serial_number or "",
        "key_sha256": orphan.key,
        "kind": orphan.kind.value,
        "uid": orphan.uid or "",
        "since": iso(orphan.since),
        "reason": orphan.reason or "",
    }


def _tell(listed: int, news: News, result: Reconciled) -> None:
    say(f"{listed} certificates in the list, {news.foreign} of them for keys that this ledger does not know")
    say(f"{len(result.surplus)} certificates that no unit has were found: station pki orphans")
    say(f"{len(result.nothing_issued)} requests without an answer have bought nothing")
    if result.too_new:
        say(
            f"{len(result.too_new)} requests are newer than the list, or at the PKI now: make a new list, and compare again"
        )
    if result.unproven:
        say(
            f"{len(result.unproven)} requests stay without an answer: this list does not prove that they bought nothing",
            err=True,
        )
        if not news.ours:
            say(
                "the list has no certificate for any key of this ledger: is it of this line's PKI, and whole?", err=True
            )
    if result.not_listed:
        say(
            f"the list lacks the certificates of {max(news.missing, len(result.not_listed))} units, so it is not whole, or "
            f"another PKI's; the first such key is {result.not_listed[0]}",
            err=True,
        )


def _ask(config: Path | None, command: str, decision: Decision, **arguments: object) -> dict[str, object]:
    socket = configuration.load(config_path(config)).control_socket
    return control.ask(socket, command, reason=decision.reason, **arguments)


async def _again(path: Path, uid: UID, decision: Decision) -> int:
    async with opened(path) as ledger:
        return await ledger.issuance.excuse(uid, decision)


async def _close(path: Path, orphan: str, decision: Decision) -> None:
    async with opened(path) as ledger:
        await ledger.issuance.close_orphan(orphan, decision)


async def _reconcile(path: Path, told: Told, decision: Decision) -> Reconciled:
    async with opened(path) as ledger:
        return await ledger.issuance.reconcile(told, decision)
