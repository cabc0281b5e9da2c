# SPDX-License-Identifier: Apache-2.0
"""A daemon without a bench, to be killed: judges boards and pumps the outbox. `python -m tests.mes.teller LEDGER URL SECRET BOARDS`."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from station.adapters.ledger import Ledger
from station.adapters.outbox.http import Post
from station.adapters.outbox.mqtt import MQTT, Broker
from station.adapters.outbox.pump import Pump, SystemClock
from station.adapters.outbox.reports import LineReports
from station.adapters.outbox.tls_files import TLSFiles
from station.adapters.outbox.webhook import Webhook
from station.domain.attempt import STATION_STOPPED, Failed
from tests.builders.bench import Secrets, begun, recognised


async def tell(path: Path, url: str, secret: Path, boards: int) -> None:
    """Judges so many attempts on three boards, delivers all that waits, and ends."""
    sink = urlsplit(url).scheme.replace("http", "webhook")
    reports = LineReports([sink])
    opening = Ledger.open(path, station="line-1", reports=reports)
    async with opening as ledger, Post.opened(TLSFiles(None, None, None).newest) as post, asyncio.TaskGroup() as group:
        await ledger.close_open_attempts(STATION_STOPPED)
        if sink == "mqtt":
            broker = MQTT(Broker("127.0.0.1", urlsplit(url).port or 0), "line-1", reports.content_type, dict)
            pump = Pump(sink, ledger.outbox, broker.deliver, SystemClock(), reports.news())
            broker.connected = pump.soon
            running = [group.create_task(broker.run()), group.create_task(pump.run())]
        else:
            webhook = Webhook(post, url, secret, reports.content_type, lambda: datetime.now(UTC))
            pump = Pump(sink, ledger.outbox, webhook.deliver, SystemClock(), reports.news())
            running = [group.create_task(pump.run())]
        for number in range(boards):
            journal = await begun(ledger, Secrets())
            await recognised(journal, number % 3 + 1)
            _say(f"judging {number}")
            await journal.finish(Failed("flash.mismatch"))
            _say(f"judged {number}")
        while (await ledger.outbox.counts(sink)).pending:
            await asyncio.sleep(0.05)
        for task in running:
            task.cancel()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(tell(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
