# SPDX-License-Identifier: Apache-2.0
"""Text that no terminal may obey, and a setting in which every command meets it."""

import asyncio
import contextlib
import io
import json
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.cli import main
from station.daemon import control
from station.domain.attempt import Failed, Phase, UnitIdentified
from station.faults import Fault
from station.interfaces import RefusedAnswer
from station.line.loop_lag import LoopLagStatus
from station.line.status import (
    HoldStatus,
    LedgerStatus,
    LineStatus,
    LogStatus,
    LotStatus,
    MESStatus,
    PageStatus,
    PKIStatus,
    SharedStatus,
    SinkStatus,
    SlotStatus,
    Status,
)
from tests.builders.bench import Secrets, begun, recognised, target
from tests.builders.deeds import AT
from tests.builders.fault_catalogue import catalogue

# Text that rich or terminals obey: markup, emoji codes, escape sequences, C0, DEL and C1, line ends of every kind, bidi
# controls, a lone surrogate.
TEXT = "[/nope][red]:boom:\x1b[2J\r\n\x07\x7f\x85\x9b1m\u2028\u2029\u202e\u2066\u2069\u200e\u200f\u061c"
HOSTILE = TEXT + "\ud800"
LONG = TEXT + "x" * 100_000
SEEN = r"[/nope][red]:boom:\x1b[2J\r\n\x07\x7f\x85\x9b1m\u2028\u2029\u202e\u2066\u2069\u200e\u200f\u061c"
AT_ON_DISK = "2026-11-23T08:15:30.250Z"
LONGEST_SHOWN_LINE = 10_000


def check_harmless(output: str) -> None:
    """Asserts that a terminal only shows the text, line for line."""
    obeyed = sorted({ascii(char) for char in output if not (char.isprintable() or char == "\n")})
    assert not obeyed, output[:2000]
    assert max(map(len, output.split("\n"))) <= LONGEST_SHOWN_LINE


def typed(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> str:
    """A command line's standard output and standard error, run as the console script runs it."""
    output = io.StringIO()
    with monkeypatch.context() as patched, contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        patched.setattr(sys, "argv", ["station", *map(str, arguments)])
        patched.setenv("COLUMNS", "400")
        with pytest.raises(SystemExit):
            main()
    return output.getvalue()


def faults(text: str) -> list[Fault]:
    """Every fault of the catalogue, with this text as its evidence in every field."""
    return [fault(*[text] * len(getattr(fault, "__dataclass_fields__", {}))) for fault in catalogue()]


def status(text: str) -> Status:
    """The worst possible status of a daemon: a slot for every fault, and the text in every other field."""
    slots = [
        SlotStatus(
            slot=text,
            state="fail",
            service="in",
            path=text,
            probe=text,
            tty=text,
            attempt=1,
            step=text,
            verdict="fail",
            uid=text,
            fault=fault.code,
            reason=str(fault),
            held=HoldStatus(who=text, at=AT, reason=text),
            seconds=1.0,
            steps={},
        )
        for fault in faults(text)
    ]
    return Status(
        station=text,
        pid=1,
        seconds=1.0,
        recipe=text,
        line=LineStatus(state="paused", fault=text, reason=text),
        pki=PKIStatus(url=text, answered_seconds_ago=None, fault=text),
        ledger=LedgerStatus(state=text, path=text, commits=1, reason=text),
        transcripts_lost=1,
        log=[LogStatus(sink=text, lost=1, waiting=0, fault=text)],
        mes=MESStatus(
            up=False,
            route_up=False,
            late=1,
            sinks=[SinkStatus(sink=text, up=False, pending=1, oldest_seconds=1, dead=1, died=1)],
        ),
        shared=SharedStatus(
            state=text,
            reason=text,
            pushed_at=AT,
            pushed_seconds_ago=1.0,
            lines_waiting=1,
            lot=text,
            items_left=0,
            items_held=1,
            hours_left=0.0,
            release=text,
        ),
        page=PageStatus(url=text, listeners=1, reason=text),
        lot=LotStatus(
            lot=text,
            work_order=text,
            state=text,
            planned=1,
            passed=1,
            unbound=0,
            in_work=0,
            units_left=0,
            numbers_left=0,
            warning=text,
        ),
        loop_lag=LoopLagStatus.of([]),
        slots=slots,
    )


REFUSED = (
    *("hold", "release", "fresh", "drain", "pki_again", "pki_close", "pki_reconcile"),
    *("lot_open", "lot_resume", "lot_pause", "lot_close", "unit_release", "unit_scrap"),
    *("sample_add", "sample_remove"),
    *(
        "outbox_retry",
        "outbox_drop",
        "leases_return",
        "labels",
        "forget",
        "label_print",
        "label_scan",
        "audit_checkpoint",
    ),
)


@contextmanager
def daemon(socket: Path, said: Status) -> Iterator[None]:
    """Answers at the control socket like a daemon, with this status; refuses every other command."""
    ready, loops = threading.Event(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def answer(_question: Mapping[str, object]) -> control.Answer:
        return said

    async def labels(_question: Mapping[str, object]) -> control.Answer:
        lost = [{"uid": HOSTILE, "copy": 1}]
        return {
            "printer": HOSTILE,
            "required": True,
            "waiting": 1,
            "fault": HOSTILE,
            "reason": HOSTILE,
            "unproven": lost,
        }

    async def label(_question: Mapping[str, object]) -> control.Answer:
        return dict.fromkeys(("uid", "serial_number", "qr_code", "manual_code"), TEXT)

    async def refuse(_question: Mapping[str, object]) -> control.Answer:
        raise control.CommandRefused(HOSTILE)

    async def serve() -> None:
        stop = asyncio.Event()
        refused = dict.fromkeys(REFUSED, refuse)
        answers = {"status": answer, "label": label, "label_status": labels, **refused}
        async with control.serving(socket, answers):
            loops.append((asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def fill(path: Path) -> None:
    """Makes a ledger with a board that has failed by every fault, and with hostile text in every text column."""
    async with Ledger.open(path, station="line-1") as ledger:
        for fault in faults(TEXT):
            journal = await begun(ledger, Secrets())
            if fault.code == catalogue()[0].code:
                await recognised(journal, board=1)
            else:
                async with journal.step(Phase.RECOGNISE):
                    uid, device, supply = target(1).uid, 0x495, 3300
                    await journal.record(UnitIdentified(uid, device, supply, TEXT, TEXT))
            await journal.finish(Failed(fault.code, fault.evidence))
        await ledger.issuance.submitted(TEXT, b"CSR", target(1).uid)
        await ledger.issuance.record_refused(TEXT, RefusedAnswer(TEXT, TEXT.encode(), (TEXT.encode(),)))
        await ledger.issuance.submitted(TEXT, b"CSR", target(1).uid)
    columns = {
        "attempt": ("station", "slot", "probe", "tty", "recipe", "lot", "fault"),
        "spare_certificate": ("serial_number",),
        "identity": ("lot", "serial_number", "manufacturing_date"),
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, names in columns.items():
            changes = ", ".join(f"{name} = ?" for name in names)
            connection.execute(f"UPDATE {table} SET {changes}", [TEXT] * len(names))  # noqa: S608  our own names
        # A number from the PKI's own list, without its certificate: bytes with a number that are no certificate are nobody's here.
        connection.execute("UPDATE spare_certificate SET content = NULL")
        connection.execute(
            "INSERT INTO intervention (station, at, who, deed, slot, fault, reason) VALUES (?, ?, ?, 'hold', ?, ?, ?)",
            [TEXT, "2026-11-23T08:15:30.250Z", *[TEXT] * 4],
        )
        connection.execute(
            "INSERT INTO unit_event (uid, at, account, reason, type, body) VALUES (?, ?, ?, ?, 'UnitScrapped', '{}')",
            [str(target(1).uid), "2026-11-23T08:15:30.250Z", TEXT, TEXT],
        )
        connection.execute(
            "INSERT INTO sample_event (uid, at, account, reason, type, body) VALUES (?, ?, ?, ?, 'SampleAdded', ?)",
            [str(target(1).uid), AT_ON_DISK, TEXT, TEXT, json.dumps({"verdict": TEXT, "fault": TEXT})],
        )
        connection.execute("INSERT INTO lot VALUES (?, ?, ?, ?, 1, ?, 1, 1, 'open', 1)", [TEXT] * 5)
        for kind in ("LotOpened", "LotPaused"):
            connection.execute(
                "INSERT INTO lot_event (lot, at, account, reason, type, body) VALUES (?, ?, ?, ?, ?, '{}')",
                [TEXT, "2026-11-23T08:15:30.250Z", TEXT, TEXT, kind],
            )
        connection.execute(
            "INSERT INTO outbox (sink, key, type, body, created_at, error) VALUES (?, ?, ?, ?, ?, ?)",
            [*[TEXT] * 4, "2026-11-23T08:15:30.250Z", TEXT],
        )


@dataclass(frozen=True)
class Desk:
    """A folder with a configuration whose daemon answers, and a ledger."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    centre: Callable[[], str]
    """Gives the address of a centre with hostile text."""
    documents: list[str] = field(default_factory=list)
    """What the commands with `--json` printed."""

    @property
    def config(self) -> Path:
        return self.folder / "line.toml"

    @property
    def ledger(self) -> Path:
        return self.folder / "state" / "ledger.sqlite"

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def station(self, *arguments: str | Path) -> str:
        output = typed(self.monkeypatch, *arguments)
        if "--json" in arguments:
            self.documents.append(output)
        return output


def configuration(name: str = "line") -> str:
    pki = "\n".join(f'{key} = "x"' for key in ("ca", "certificate", "key", "pai", "paa"))
    return (
        'recipe = "r.toml"\n[station]\nname = "line"\nstate = "state"\n[programmer]\ncli = "c"\nexternal_loader = "l"\n'
        f'[pki]\nurl = "https://pki"\n{pki}\n[[slot]]\nname = "{name}"\npath = "pci-0-usb-0:1.1"\n'
    )
