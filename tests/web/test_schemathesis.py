# SPDX-License-Identifier: Apache-2.0
"""The API against its own description: requests that schemathesis makes up, right ones and wrong ones, with a token and without."""

import asyncio
import json
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.domain.attempt import Failed, Voided
from station.domain.people import Role
from station.web import api
from station.web.api import Api
from station.web.counted import Counted
from station.web.guard import guarded
from station.web.hub import Hub
from station.web.pins import PINs
from tests.builders.bench import Secrets, begun, passed, recognised
from tests.web.fake_door import FakeDoor, running, slot
from tests.web.test_api import Acts

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("with_token", [True, False], ids=["token", "no token"])
async def test_every_answer_is_as_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_token: bool
) -> None:
    """Whatever is asked, no answer is a server's error, or one that the description does not have."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    path, recipe = tmp_path / "state" / "ledger.sqlite", tmp_path / "recipe.toml"
    path.parent.mkdir()
    recipe.write_text('[lot]\nname = "LOT-1"\nserial_number = "SN{:06d}"\nsize = 500\n')
    people, door = PeopleFile(tmp_path / "people.json"), FakeDoor([running("1"), slot("2")])
    token = people.add_token("MES", Role.ENGINEER)
    async with Ledger.open(path, station="line-1") as ledger:
        await _fill(ledger)
        hub, app = Hub(door, "1"), web.Application(middlewares=[guarded])
        Api(door, lambda: hub, LedgerReader(path), PINs(people), Acts(), Counted(path, recipe)).add_to(app)
        async with TestServer(app) as server:
            found = await _asked(str(server.make_url("/")).rstrip("/"), *([token] if with_token else []))
    assert found.keys() == {f"{route.method} {route.path}" for route in api.ROUTES}
    assert not [failure for _, failure in found.values() if failure]
    assert all(asked for asked, _ in found.values())


async def _fill(ledger: Ledger) -> None:
    secrets = Secrets()
    await passed(await begun(ledger, secrets, slot="1"), 1)
    failed = await begun(ledger, secrets, slot="2")
    await recognised(failed, 2)
    await failed.finish(Failed("board.silent", {}))
    await (await begun(ledger, secrets, slot="2")).finish(Voided("tty.lost", {}))


async def _asked(*arguments: str) -> dict[str, tuple[int, str]]:
    command = [sys.executable, "-m", "tests.web.schemathesis_asks", *arguments]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    output, complaint = await child.communicate()
    assert child.returncode == 0, complaint.decode()
    found: dict[str, tuple[int, str]] = json.loads(output)
    return found
