# SPDX-License-Identifier: Apache-2.0
"""For tests of the whole line and its PKI: the PKI's switches and its own list, the ledger's orphans, and how often boards were flashed."""

import json
import sqlite3
import ssl
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path

from station.adapters.ledger import orphans as ledger_orphans
from station.adapters.ledger.orphans import Orphan
from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import Phase, StepStarted
from station.domain.issuance import OrphanKind
from tests.builders.json_lines import objects_of
from tests.builders.line import Line
from tests.line.pki_behaviours import Setting


class Switches:
    """The switches of a line's PKI, set while it runs, with a certificate that stays good whatever becomes of the station's."""

    def __init__(self, folder: Path) -> None:
        self._url: str = json.loads((folder / "pki" / "ready.json").read_text())["control"]
        tls = folder / "pki" / "tls"
        self._context = ssl.create_default_context(cafile=tls / "ca.pem")
        self._context.load_cert_chain(tls / "station.pem", tls / "station-key.pem")

    def set(self, switches: Mapping[str, Setting]) -> None:
        self._asked(json.dumps(switches).encode())

    def fired(self, name: str) -> int:
        """How often a switch has struck."""
        return int(str(self._asked(None)[name]["fired"]))

    def _asked(self, body: bytes | None) -> dict[str, dict[str, object]]:
        request = urllib.request.Request(self._url, body)  # noqa: S310  https
        with urllib.request.urlopen(request, context=self._context, timeout=60) as answer:  # noqa: S310  the same
            shown: dict[str, dict[str, object]] = json.loads(answer.read())
            return shown


def issued(folder: Path) -> list[dict[str, object]]:
    """The certificates of the PKI's own list."""
    return _lines(folder / "pki" / "issued.jsonl")


def requests(folder: Path) -> list[dict[str, object]]:
    """The enrolments of the PKI's own list."""
    return _lines(folder / "pki" / "requests.jsonl")


def bought(folder: Path) -> Counter[str]:
    """Certificates by the key of the request that bought them, whatever key they carry."""
    asked = {each["request"]: str(each["key_sha256"]) for each in requests(folder)}
    return Counter(asked[each["request"]] for each in issued(folder))


def keys(folder: Path) -> dict[str, str]:
    """The key of each board for which a request was made, by UID."""
    with _ledger(folder) as ledger:
        return dict(ledger.execute("SELECT uid, key FROM pki_request"))


def certified(folder: Path) -> dict[str, str]:
    """The serial number of the live certificate for each key."""
    with _ledger(folder) as ledger:
        return dict(ledger.execute("SELECT key, dac_serial_number FROM certificate"))


def flashed(folder: Path, uid: str) -> int:
    """How often a board got factory data, from the journal."""
    unit = LedgerReader(folder / "ledger.sqlite").unit(uid)
    assert unit is not None
    events = [entry.event for attempt in unit.attempts for entry in attempt.journal]
    return sum(isinstance(event, StepStarted) and event.step is Phase.FLASH_DATA for event in events)


def orphans(folder: Path) -> tuple[Orphan, ...]:
    return ledger_orphans.listed(folder / "ledger.sqlite")


def check_accounts(folder: Path, state: Path | None = None) -> None:
    """Every certificate of the PKI's own list is a unit's or an orphan, by key and serial number, and nothing else is.

    The ledger is in `state`, if the station has a folder of its own.
    """
    state = state or folder
    asked = {each["request"]: str(each["key_sha256"]) for each in requests(folder)}
    sold = Counter((asked[each["request"]], int(str(each["serial_number"]), 16)) for each in issued(folder))
    live = Counter((key, int(serial_number, 16)) for key, serial_number in certified(state).items())
    lost = Counter((each.key, int(each.serial_number, 16)) for each in orphans(state) if each.serial_number is not None)
    assert live + lost == sold


def reconciled(line: Line) -> Counter[OrphanKind]:
    """Compares the ledger with the PKI's own list, as a person does; returns the kinds of the orphans that are left."""
    done = line.command("pki", "reconcile", line.folder / "pki" / "issued.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    return Counter(orphan.kind for orphan in orphans(line.folder))


def _ledger(folder: Path) -> AbstractContextManager[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True))


def _lines(path: Path) -> list[dict[str, object]]:
    return objects_of(path)
