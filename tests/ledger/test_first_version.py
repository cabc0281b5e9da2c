# SPDX-License-Identifier: Apache-2.0
"""The station adopts a ledger of the tables' first version at its present place."""

import json
import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from station.adapters.ledger import Ledger, migrations
from station.adapters.system import logs
from station.faults.line import LedgerMoved
from tests.builders.bench import Secrets, begun, recognised, rows
from tests.ledger.test_place import refused


def made_by_the_first_version(path: Path) -> None:
    """A ledger and its key, with one identity: pair and lot of the first board of these tests."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO identity VALUES (1, '000000000000000000000001', 'LOT-1', 0, 'SN000001', 3840, x'00', '20260101',"
            " '2026-01-01T00:00:00.000Z', 'reserved')"
        )
    engine.dispose()
    path.with_name(f"{path.name}.key").write_bytes(bytes(32))


async def test_it_opens_and_goes_on(path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The log reports that the ledger now has a registered place."""
    made_by_the_first_version(path)
    with logs.configured("info", None):
        async with Ledger.open(path, station="line-1") as ledger:
            identity = await recognised(await begun(ledger, Secrets((2,))), 2)
    assert identity.serial_number == "SN000002"
    assert "ledger.place_adopted" in [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()]
    assert rows(path, "SELECT incarnation, in_order FROM ledger") == [(1, 1)]


async def test_an_old_copy_of_it_is_refused_afterwards(path: Path) -> None:
    """The copy has neither id nor place, but by then another ledger is registered at its place."""
    made_by_the_first_version(path)
    old = path.read_bytes()
    async with Ledger.open(path, station="line-1") as ledger:
        await recognised(await begun(ledger, Secrets((2,))), 2)
    path.write_bytes(old)
    await refused(path, match="it is older than the ledger that was here")


async def test_a_copy_of_it_in_another_folder_is_refused(path: Path, tmp_path: Path) -> None:
    """The copy has no id and no place, but its station has a ledger elsewhere."""
    made_by_the_first_version(path)
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    for name in (path.name, f"{path.name}.key"):
        shutil.copyfile(path.with_name(name), copy.with_name(name))
    async with Ledger.open(path, station="line-1", only=True) as ledger:
        await recognised(await begun(ledger, Secrets((2,))), 2)
    with pytest.raises(LedgerMoved, match=f"line-1 has its ledger at {path}"):
        async with Ledger.open(copy, station="line-1", only=True):
            pass
    async with Ledger.open(path, station="line-1", only=True):
        pass
