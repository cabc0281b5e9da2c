# SPDX-License-Identifier: Apache-2.0
"""`station outbox` on a ledger that no daemon writes, and the same decisions through the daemon's socket."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from station.adapters.ledger import Ledger
from station.adapters.outbox.reports import LineReports
from station.daemon.control import CommandRefused
from station.daemon.outbox_commands import OutboxCommands
from station.daemon.parts import Parts
from station.domain.attempt import Failed
from tests.builders.bench import Secrets, begun, recognised, rows
from tests.builders.line import station_command

NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def judged(ledger: Ledger, secrets: Secrets, boards: int) -> None:
    """So many messages, of which the first is dead."""
    for board in range(1, boards + 1):
        journal = await begun(ledger, secrets)
        await recognised(journal, board)
        await journal.finish(Failed("flash.mismatch"))
    await ledger.outbox.died(1, "HTTP 400 Bad Request: no", NOW)


@pytest.mark.slow
async def test_a_stopped_ledgers_messages_are_listed_retried_and_dropped(path: Path, secrets: Secrets) -> None:

    async with Ledger.open(path, station="line-1", reports=LineReports(["webhook"])) as ledger:
        await judged(ledger, secrets, 3)
    told = station_command("outbox", "list", "--ledger", path)
    assert "2 pending, 1 dead" in told.stdout
    assert "HTTP 400 Bad Request: no" in told.stdout
    dead = json.loads(station_command("outbox", "list", "--dead", "--json", "--ledger", path).stdout)["messages"]
    assert [each["number"] for each in dead] == [1]
    assert station_command("outbox", "retry", "--reason", "why", "--ledger", path).returncode == 2
    assert station_command("outbox", "retry", "--dead", "--reason", "repaired", "--ledger", path).returncode == 0
    assert station_command("outbox", "drop", "2", "--reason", " ", "--ledger", path).returncode != 0
    assert station_command("outbox", "drop", "2", "3", "--reason", "tests", "--ledger", path).returncode == 0
    assert rows(path, "SELECT id, dead_at FROM outbox") == [(1, None)]
    decided = rows(path, "SELECT action, message, reason FROM outbox_decision ORDER BY id")
    assert decided == [("retry", 1, "repaired"), ("drop", 2, "tests"), ("drop", 3, "tests")]


async def test_the_daemon_decides_for_people_and_tries_at_once(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    await judged(ledger, secrets, 2)
    soon: list[bool] = []
    parts = cast("Parts", SimpleNamespace(ledger=ledger, mes=SimpleNamespace(soon=lambda: soon.append(True))))
    commands = OutboxCommands(parts).by_name
    mara = {"who": "mara", "reason": "repaired"}
    assert await commands["outbox_retry"]({**mara, "messages": None}) == {"retried": 1}
    assert await commands["outbox_drop"]({**mara, "messages": [2]}) == {"dropped": 1}
    assert soon == [True, True]
    assert rows(path, "SELECT account FROM outbox_decision") == [("mara",), ("mara",)]
    for wrong in (
        {**mara, "messages": [9]},
        {**mara, "messages": ["x"]},
        {"who": "mara", "reason": "\n", "messages": [1]},
    ):
        with pytest.raises(CommandRefused):
            await commands["outbox_drop"](wrong)
