# SPDX-License-Identifier: Apache-2.0
"""Asks an API what schemathesis makes up from its description: `python -m tests.web.schemathesis_asks FOLDER [--token]`.

Serves the API in a thread, over a ledger in the folder. Writes found.json there: for each operation the number of requests, and
the failure. A program of its own, which ends without the interpreter's clean-up: after some hundred such requests the
last garbage collection of Python 3.11.7 crashes in the server's process.
"""

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from queue import Queue

import schemathesis
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.core.failures import FailureGroup

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.domain.attempt import Failed, Voided
from station.domain.intervention import Decision
from station.domain.people import Role
from station.domain.samples import Expected
from station.web import routes
from station.web.api import Api
from station.web.central import Central
from station.web.counted import Counted
from station.web.guard import guarded
from station.web.hub import Hub
from station.web.pins import PINs
from tests.builders.bench import Secrets, begun, passed, recognised, target
from tests.web.fake_door import FakeDoor, running, slot
from tests.web.shared_view import view
from tests.web.test_api import Acts

EXAMPLES = 12


def main() -> None:
    served: Queue[tuple[str, str]] = Queue()
    threading.Thread(target=lambda: asyncio.run(_serve(Path(sys.argv[1]), served)), daemon=True).start()
    url, token = served.get(timeout=120)
    headers = {"Authorization": f"Bearer {token}"} if "--token" in sys.argv else {}
    schema = schemathesis.openapi.from_dict(routes.described_routes())
    schema.config.update(base_url=url)
    found = {}
    for route in routes.ROUTES:
        asked = 0

        @given(case=schema[route.path][route.method].as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,  # the same requests in every run
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        def ask(case: Case) -> None:  # type: ignore[type-arg]  # of any kind
            nonlocal asked
            asked += 1
            case.call_and_validate(headers=headers)

        failure = ""
        try:
            ask()
        except FailureGroup as exc:
            failure = str(exc)
        found[f"{route.method} {route.path}"] = [asked, failure]
    Path(sys.argv[1], "found.json").write_text(json.dumps(found))
    os._exit(0)


async def _serve(folder: Path, served: "Queue[tuple[str, str]]") -> None:
    path, recipe = folder / "state" / "ledger.sqlite", folder / "recipe.toml"
    path.parent.mkdir()
    recipe.write_text('[lot]\nname = "LOT-1"\nserial_number = "SN{:06d}"\nsize = 500\n')
    people, door = PeopleFile(folder / "people.json"), FakeDoor([running("1"), slot("2")])
    token = people.add_token("MES", Role.ENGINEER)
    async with Ledger.open(path, station="line-1") as ledger:
        await _fill(ledger)
        hub, app = Hub(door, "1"), web.Application(middlewares=[guarded])
        counted, central = Counted(path, recipe), Central(view)
        routes.of(Api(door, lambda: hub, LedgerReader(path), PINs(people), Acts(), counted, central))(app)
        async with TestServer(app) as server:
            served.put((str(server.make_url("/")).rstrip("/"), token))
            await asyncio.Event().wait()


async def _fill(ledger: Ledger) -> None:
    secrets = Secrets()
    await passed(await begun(ledger, secrets, slot="1"), 1)
    failed = await begun(ledger, secrets, slot="2")
    await recognised(failed, 2)
    await failed.finish(Failed("board.silent", {}))
    await (await begun(ledger, secrets, slot="2")).finish(Voided("tty.lost", {}))
    await ledger.samples.add(target(1).uid, Expected("pass"), Decision("Anna", "golden"))


if __name__ == "__main__":
    main()
