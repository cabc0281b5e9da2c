# SPDX-License-Identifier: Apache-2.0
"""What a daemon's part in the shared ledger tells the line and people, and what it refuses before the line opens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from station.config.problems import ConfigurationInvalid
from station.daemon.shared import Sharing
from station.domain.shared import Refusal
from station.faults import LineFault
from station.faults.line import CentreAwaited, CentreUnusable, LeaseExhausted, LedgerFenced, LedgerForked
from station.replication.seen import Seen, State
from station.web.models import NO_STOCK, Stock
from tests.builders.bench import RECIPE
from tests.shared.in_memory import MemoryLedger
from tests.shared.test_doctor import configured

DSN = "host=/nowhere dbname=centre user=line_1"
STANDING = MemoryLedger().standing()
UP = Seen(State.UP, greeted=True, standing=STANDING, lot="L", items=1000, hold=1024, busiest_hour=100)


class Showing(Sharing):
    """One whose replication shows what the test wants."""

    shown = UP

    @property
    def seen(self) -> Seen:
        return self.shown


def sharing(folder: Path, seen: Seen, further: str = "") -> Showing:
    config = configured(folder, DSN, further=further)
    assert config.shared is not None
    found = Showing(config, config.shared, RECIPE)
    found.shown = seen
    return found


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (UP, None),
        (replace(UP, state=State.AWAY, reason="no route"), None),
        (replace(UP, state=State.STARTING, greeted=False, reason="no route"), None),
        (replace(UP, state=State.STARTING, greeted=False), CentreAwaited),
        (Seen(), CentreAwaited),
        (replace(UP, state=State.REFUSED, reason="of another version"), CentreUnusable),
        (replace(UP, state=State.FENCED), LedgerFenced),
        (replace(UP, state=State.FORKED), LedgerForked),
        (replace(UP, state=State.STARTING, greeted=False, standing=replace(STANDING, moved=True)), CentreAwaited),
    ],
)
def test_the_line_is_paused_by_what_the_centre_says_and_not_by_its_absence(
    tmp_path: Path, seen: Seen, fault: type[LineFault] | None
) -> None:
    found = sharing(tmp_path, seen)
    if fault is None:
        found.check()
        return
    with pytest.raises(fault):
        found.check()


def test_a_virtual_machine_may_wait_for_the_centre(tmp_path: Path) -> None:
    starting = replace(UP, state=State.STARTING, greeted=False)
    with pytest.raises(CentreAwaited):
        sharing(tmp_path, starting, 'offline_start = "never"').check()


def test_the_ledger_learns_why_nothing_is_left(tmp_path: Path) -> None:
    found = sharing(tmp_path, replace(UP, items=0, state=State.AWAY, reason="no route"))
    fault = found.opening.none_left("L")
    assert isinstance(fault, LeaseExhausted)
    assert fault.reason == "no route"


@pytest.mark.parametrize(
    ("seen", "stock"),
    [
        (UP, NO_STOCK),
        (Seen(), NO_STOCK),
        (replace(UP, items=10), NO_STOCK),  # the centre is about to give more
        (replace(UP, state=State.AWAY, reason="no route"), Stock(away=True, left=1000)),
        (replace(UP, items=10, ungranted=Refusal.LOT_EXHAUSTED), Stock(away=False, left=10)),
        (replace(UP, ungranted=Refusal.STARTING), NO_STOCK),
    ],
)
def test_the_page_shows_what_is_left_once_people_must_know(tmp_path: Path, seen: Seen, stock: Stock) -> None:
    assert sharing(tmp_path, seen).stock == stock


def test_the_status_says_how_long_the_line_can_go_on(tmp_path: Path) -> None:
    pushed = datetime.now(UTC) - timedelta(minutes=5)
    told = replace(UP, pushed_at=pushed, standing=replace(STANDING, lines=12), cursor=9)
    status = sharing(tmp_path, told).status
    assert (status.state, status.lines_waiting, status.items_left, status.items_held) == ("up", 3, 1000, 1024)
    assert (status.hours_left, status.lot) == (10.0, "L")
    assert status.pushed_seconds_ago is not None
    assert status.pushed_seconds_ago >= 300
    assert status.model_dump(mode="json")["pushed_at"].endswith("Z")


@pytest.mark.parametrize("further", ["", 'signing_key = "fleet.key"', 'signing_key = "ec.pem"'])
def test_keys_that_cannot_be_used_are_refused_before_the_line_opens(tmp_path: Path, further: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "ec.pem").write_bytes(pem)
    config = configured(tmp_path, DSN, further=further)
    if not further:
        (tmp_path / "fleet.key").write_text("no key")
    assert config.shared is not None
    with pytest.raises(ConfigurationInvalid, match="shared"):
        Sharing(config, config.shared, RECIPE)
