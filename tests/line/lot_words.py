# SPDX-License-Identifier: Apache-2.0
"""What the station says of a lot, compared with what was counted outside."""

import csv
import json
import sys
from collections.abc import Iterator

from tests.builders.line import Line
from tests.line.lot_count import Outcome
from tests.line.lot_people import LOT


def told(line: Line, *command: str) -> str:
    done = line.command(*command)
    if done.returncode:
        raise SystemExit(f"station {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def compared(line: Line, outcome: Outcome) -> Iterator[str]:
    """Where the station says something else than boards, PKI, printer and receiver."""
    pki = line.folder / "pki" / "issued.jsonl"
    told(line, "pki", "reconcile", str(pki))
    shown = json.loads(told(line, "lots", "show", LOT, "--json"))
    yield from shown["mistakes"]
    balance, counted = shown["balance"], outcome.balance()
    for name, number in counted.items():
        say(f"{name:20} {number:5} {balance.get(name, '?'):>5}")
        if balance.get(name) != number:
            yield f"{name}: {balance.get(name)} in the station, and {number} outside"
    lost = sum(balance[name] for name in ("dacs_to_revoke", "dacs_orphaned", "dacs_replaced"))
    sold = outcome.sold_in_vain()
    say(f"{len(outcome.issued)} certificates issued, {len(sold)} in vain")
    if balance["dacs_bought"] != len(outcome.issued) or lost != len(sold):
        yield f"{balance['dacs_bought']} certificates and {lost} lost, and the PKI has {len(outcome.issued)} and {len(sold)}"
    revoked = [json.loads(line) for line in told(line, "pki", "export-revocations", "--jsonl").splitlines()]
    if {int(each["serial_number"], 16) for each in revoked} != sold:
        yield f"{len(revoked)} certificates are to be revoked, and {len(sold)} are of no good unit"
    yield from reported(line, outcome)
    yield from unsealed(line, outcome)


def reported(line: Line, outcome: Outcome) -> Iterator[str]:
    """The lot's report, line by line."""
    rows = list(csv.DictReader(told(line, "lots", "report", LOT).splitlines()))
    verdicts = outcome.verdicts()
    for name, verdict in {"passed": "pass", "failed": "fail", "void": "void"}.items():
        value = next(row["value"] for row in rows if row["subject"] == f"attempts {name}")
        say(f"attempts {name:11} {verdicts[verdict]:5} {value:>5}")
        if int(value) != verdicts[verdict]:
            yield f"{value} attempts {name} in the report, and {verdicts[verdict]} at the receiver"
    certificates = {row["subject"]: row["value"] for row in rows if row["section"] == "certificate"}
    for board in outcome.good:
        subject = f"{board.serial_number} {board.uid} passed"
        if board.dac is None or int(certificates.get(subject, "0"), 16) != board.dac.serial_number:
            yield f"the report has another certificate for {subject}: {certificates.get(subject)}"
    for what, uids in {"UnitScrapped": outcome.notes.scrapped, "UnitQuarantined": outcome.notes.quarantined}.items():
        exceptions = [row for row in rows if row["section"] == "exception" and f" {what} " in row["subject"]]
        if len(exceptions) != len(uids):
            yield f"{len(exceptions)} exceptions {what} in the report, and there were {len(uids)}"


def unsealed(line: Line, outcome: Outcome) -> Iterator[str]:
    """What of the labels and of the boards' secrets lies open in the ledger's files."""
    content = b"".join(file.read_bytes() for file in line.folder.glob("ledger.sqlite*") if file.is_file())
    codes = [each.code.encode() for each in outcome.prints if each.code]
    if any(code in content for code in codes) or any(
        board.verifier in content for board in outcome.boards if board.verifier
    ):
        yield "the ledger has a secret in clear"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
