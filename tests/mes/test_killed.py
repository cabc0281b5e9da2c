# SPDX-License-Identifier: Apache-2.0
"""`kill -9` between verdict and delivery, at each moment: no event is lost, and none is doubled for a receiver that knows its id."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import pytest

from tests.builders.bench import rows
from tests.mes.broker import brokered, hearing
from tests.mes.receiver import Receiver

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BOARDS = 5


async def started(path: Path, url: str, secret: Path, boards: int) -> Process:
    command = [sys.executable, "-m", "tests.mes.teller", str(path), url, str(secret), str(boards)]
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)


async def said(process: Process, line: str) -> None:
    assert process.stdout is not None
    while (read := await process.stdout.readline()).decode().strip() != line:
        assert read, "the daemon has ended"


@pytest.mark.parametrize(
    "moment", ["before the verdict", "after the verdict", "in the receiver's hands", "after the answer"]
)
async def test_no_event_is_lost_and_none_is_new_twice(
    path: Path, receiver: Receiver, secret_file: Path, moment: str
) -> None:
    process = await started(path, receiver.url, secret_file, BOARDS)

    def kill() -> None:
        if receiver.requests == 2:
            with suppress(ProcessLookupError):
                process.kill()

    match moment:
        case "before the verdict":
            await said(process, "judging 2")
            process.kill()
        case "after the verdict":
            receiver.mode = "down"
            await said(process, "judged 2")
            process.kill()
        case "in the receiver's hands":
            receiver.before_answer = kill
        case "after the answer":
            receiver.after_answer = kill
    with suppress(ProcessLookupError):
        assert await process.wait() == -9
    receiver.mode = "ok"
    receiver.before_answer = receiver.after_answer = lambda: None
    second = await started(path, receiver.url, secret_file, 2)
    assert await second.wait() == 0

    verdicts = {f"line-1/{number}" for (number,) in rows(path, "SELECT id FROM attempt WHERE verdict IS NOT NULL")}
    assert set(receiver.ids) == verdicts
    assert rows(path, "SELECT count(*) FROM attempt WHERE verdict IS NULL") == [(0,)]
    for identity in verdicts:
        told = [event for event in receiver.taken if event["id"] == identity]
        assert all(event == told[0] for event in told), "a repetition says the same"
    for (uid,) in rows(path, "SELECT DISTINCT uid FROM attempt"):
        ids = [int(str(event["id"]).split("/")[1]) for event in receiver.taken if event["subject"] == uid]
        assert list(dict.fromkeys(ids)) == sorted(set(ids)), "each unit's events in their order"


async def test_mqtt_loses_no_event_either(path: Path, tmp_path: Path, secret_file: Path) -> None:
    """Killed after a verdict, while messages are under way to a real broker."""
    async with brokered(tmp_path) as broker, hearing(broker, "station/line-1/attempt") as ear:
        process = await started(path, f"mqtt://127.0.0.1:{broker.port}", secret_file, BOARDS)
        await said(process, "judged 3")
        process.kill()
        await process.wait()
        second = await started(path, f"mqtt://127.0.0.1:{broker.port}", secret_file, 1)
        assert await second.wait() == 0
        verdicts = {f"line-1/{number}" for (number,) in rows(path, "SELECT id FROM attempt WHERE verdict IS NOT NULL")}
        await ear.until(lambda messages: {json.loads(bytes(each.payload))["id"] for each in messages} == verdicts)
