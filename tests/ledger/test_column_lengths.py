# SPDX-License-Identifier: Apache-2.0
"""Each column has room for the longest value that the station lets in: SQLite keeps a longer one, PostgreSQL refuses it."""

import io
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from pydantic import BaseModel
from sqlalchemy import String, create_engine

from station.adapters.hotplug.sightings import LONGEST_SERIAL_NUMBER as LONGEST_PROBE
from station.adapters.ledger import migrations
from station.adapters.ledger.fleet_key import KEY_SIZE, FleetKey
from station.adapters.ledger.leases import PairState
from station.adapters.ledger.migrations.versions import v0017_longest_values
from station.adapters.ledger.sealing import StationKey
from station.adapters.ledger.shared_state import Stopped
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.tables import Instant, iso, metadata
from station.adapters.ledger.vault import FORGOTTEN
from station.adapters.system import version
from station.config.mes import MQTT, WEBHOOK
from station.config.sections import SlotSection, StationSection
from station.domain.attempt import VERDICTS, Event, Phase
from station.domain.credentials import serial_number_text
from station.domain.disposition import UnitEvent
from station.domain.facts import Fact
from station.domain.identity import IdentityState
from station.domain.intervention import LONGEST_ACCOUNT, Deed
from station.domain.issuance import OrphanKind
from station.domain.labelling import LabelEvent
from station.domain.samples import SampleEvent
from station.domain.secrets_deed import Act
from station.domain.serial_number import LONGEST as LONGEST_SERIAL_NUMBER
from station.domain.target import UID
from station.domain.work_order import LONGEST_NAME, LONGEST_ORDER, LotEvent, LotOpened, LotState
from station.matter.onboarding.codes import LONGEST_SERIAL_NUMBER as LONGEST_ON_LABEL
from station.mes import cfx, cloudevents
from station.mes.message import LONGEST_KEY
from station.recipe.files.laboratory_file import LaboratoryFile
from station.recipe.files.tables import LotTable, RecipeFile
from tests.builders.bench import execute, rows
from tests.builders.fault_catalogue import catalogue

SHA256 = 64  # hexadecimal digits
NOW = iso(datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
BRACES = LotOpened("L", "O", "r", "0", 1, f"{'{{' * 31}{{0:01d}}", 1, 9)  # 32 characters on the label


def most(model: type[BaseModel], field: str) -> int:
    """The `max_length` of a model's field."""
    return next(int(each.max_length) for each in model.model_fields[field].metadata if hasattr(each, "max_length"))


def longest(names: Iterable[str]) -> int:
    return max(map(len, names))


def of_events(kinds: object) -> int:
    return longest(each.on_disk.name for each in get_args(kinds))


CODES = longest(fault.code for fault in catalogue())
LOT = max(LONGEST_NAME, most(LotTable, "name"))
MES_TYPES = longest(
    [cloudevents.ATTEMPT_FINISHED, *(text for text in vars(cfx).values() if f"{text}".startswith("CFX."))]
)
# The longest value of each column, by its name; where the name says two things, by its table's, too.
ROOM = {
    "station": most(StationSection, "name"),
    "slot": most(SlotSection, "name"),
    "probe": LONGEST_PROBE,
    "recipe": max(most(RecipeFile, "name"), most(LaboratoryFile, "name")),
    "recipe_sha256": SHA256,
    "lot": LOT,
    "lot.name": LOT,
    "work_order": LONGEST_ORDER,
    "station_version": len(version.running().number),
    "station_commit": 40 + len("-dirty"),
    "uid": len(str(UID(bytes(12)))),
    "dac_serial_number": len(serial_number_text((1 << 159) - 1)),  # 20 bytes, which rule C5 holds
    "verdict": longest(VERDICTS.values()),
    "fault": CODES,
    "event.type": of_events(Event),
    "unit_event.type": of_events(UnitEvent),
    "sample_event.type": of_events(SampleEvent),
    "lot_event.type": of_events(LotEvent),
    "label_event.type": longest(LabelEvent),
    "serial_number": LONGEST_SERIAL_NUMBER,
    "other": max(LONGEST_SERIAL_NUMBER, LONGEST_ON_LABEL),
    "manufacturing_date": len("20261126"),
    "identity.state": longest(IdentityState),
    "lot.state": longest(LotState),
    "key_id": max(len(FORGOTTEN), len(StationKey(bytes(32)).id)),
    "retiring_id": len(StationKey(bytes(32)).id),
    "pairing_id": len(StationKey(bytes(32)).id),
    "who": LONGEST_ACCOUNT,
    "account": LONGEST_ACCOUNT,
    "intervention.deed": longest(Deed),
    "secrets_deed.deed": longest(Act),
    "recipient": SHA256,
    "key": SHA256,
    "kind": longest([OrphanKind.REFUSED, OrphanKind.SURPLUS]),
    "outcome": longest(["issued", "rejected"]),
    "pki_decision.action": longest(["again", "close", "reconcile"]),
    "subject": max(len(str(UID(bytes(12)))), len("R") + 18, len(f"{10**18} certificates")),
    "outbox_decision.action": longest(["retry", "drop"]),
    "step": longest(Phase),
    "ledger.id": 32,
    "shared_state.ledger": 32,
    "next_ledger": 32,
    "fleet_check": len(FleetKey(bytes(KEY_SIZE)).check),
    "stopped": longest(Stopped),
    "request": 32,
    "request_lot": LOT,
    "release": SHA256,
    "request_release": SHA256,
    "chain.type": of_events(Fact),
    "pai": SHA256,
    "lot_format": len(BRACES.pattern),
    "pair.state": longest(PairState),
    "adoption.state": longest(IdentityState),
    "pattern": len(BRACES.pattern),
    "shape": LONGEST_SERIAL_NUMBER,
    "fixed": LONGEST_SERIAL_NUMBER,
    "low": LONGEST_SERIAL_NUMBER,
    "high": LONGEST_SERIAL_NUMBER,
    "sink": longest([WEBHOOK, MQTT]),
    "outbox.key": LONGEST_KEY,
    "outbox_decision.key": LONGEST_KEY,
    "outbox.type": MES_TYPES,
    "outbox_decision.type": MES_TYPES,
}
BOUNDED = [
    (str(column), column.type.length)
    for table in metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, String) and column.type.length is not None
]


@pytest.mark.parametrize(("column", "length"), BOUNDED, ids=str)
def test_the_longest_value_has_room(column: str, length: int) -> None:
    """A new column of bounded text needs a line in `ROOM`: how long its longest value is, by the code that bounds it."""
    assert ROOM.get(column, ROOM.get(column.partition(".")[2], 10**6)) <= length


def test_times_have_room() -> None:
    assert Instant.impl.length == len(NOW)


def test_no_room_is_told_of_a_column_that_is_not_there() -> None:
    assert set(ROOM) <= {name for column, _ in BOUNDED for name in (column, column.partition(".")[2])}


def test_the_longest_pattern_is_one_that_a_lot_may_have() -> None:
    BRACES.check()


def test_only_the_declarations_of_an_earlier_ledger_change(path: Path) -> None:
    """Its rows stay, and what is never edited still is not."""
    engine = create_engine(f"sqlite:///{path}")
    keys = StationKeys(path.parent / "keys", path)
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection, "keys": keys})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.upgrade(config, "0016")
    row = "(7, '00', '2026-01-01T00:00:00.000Z', 'anna', 'worn', 'UnitScrapped', '{}')"
    execute(path, f"INSERT INTO unit_event VALUES {row}")  # noqa: S608  of ours
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    before, written = rows(path, schema), rows(path, "SELECT * FROM unit_event")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0017")
        connection.exec_driver_sql(
            "INSERT INTO unit_event SELECT 8, uid, at, account, reason, type, body FROM unit_event"
        )
    engine.dispose()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "SELECT * FROM unit_event WHERE id = 7") == written
    changed = [(old, new) for old, new in zip(before, rows(path, schema), strict=True) if old != new]
    assert {old[1] for old, _ in changed} == {table for table, _ in v0017_longest_values.WIDER}
    assert all("AUTOINCREMENT" in f"{new[2]}" for old, new in changed if "AUTOINCREMENT" in f"{old[2]}")
    with pytest.raises(sqlite3.IntegrityError, match="never edited"):
        execute(path, "DELETE FROM unit_event")


def test_other_databases_are_told_the_new_types() -> None:
    told = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": told, "transactional_ddl": True}
    )
    with Operations.context(context):
        v0017_longest_values.upgrade()
    assert "ALTER TABLE outbox_decision ALTER COLUMN account TYPE VARCHAR(100);" in told.getvalue()
    assert "ALTER TABLE pki_wait ALTER COLUMN endpoint TYPE TEXT;" in told.getvalue()
