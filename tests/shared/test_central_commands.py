# SPDX-License-Identifier: Apache-2.0
"""`station central`, against a centre with two stations' units: what people do there, and what they ask."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import Result

from station.adapters.ledger import Ledger
from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, USAGE
from station.config import line as configured
from station.config.problems import ConfigurationInvalid
from station.recipe.files import line_recipe
from tests.builders.bench import LOT as BENCH_LOT
from tests.builders.bench import Secrets, begun, passed, target
from tests.builders.centres import LOT, RELEASE, Teller
from tests.builders.commands import station
from tests.builders.postgresql import Server
from tests.cli.hostile import configuration
from tests.doctor.line_files import LINE, make

pytestmark = pytest.mark.slow

SECRET = "hunter2-canary"


class Command(Protocol):
    def __call__(self, *arguments: str | Path) -> Result: ...


@pytest.fixture
def central(server: Server, centre: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs `station central …` as the centre's owner, where there is no configuration."""
    monkeypatch.setenv("STATION_CENTRAL_DSN", server.dsn(centre))
    monkeypatch.setenv("STATION_CONFIG", str(tmp_path / "line.toml"))
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *arguments: station("central", *arguments)


@pytest.fixture
async def units(line: Teller, other: Teller) -> list[str]:
    """The UIDs of three units: two passed on line-1, and one failed there that line-2 has now."""
    await line.hello()
    await line.grant(line.request(candidates=64))
    await other.hello()
    uids = [line.chance.uid() for _ in range(3)]
    for request, uid in enumerate(uids[:2], 1):
        line.finish(uid, request)
    line.take(uids[2])
    line.end(uids[2], "fail", "flash.mismatch", slot="2")
    line.end(None, "void", "tty.lost", slot="10")
    await line.push()
    await other.centre.claim(other.incarnation, uids[2])
    return [str(uid) for uid in uids]


def said(result: Result, status: int = DONE) -> str:
    assert result.exit_code == status, result.output
    return result.output


def told(result: Result, status: int = DONE) -> dict[str, object]:
    content = json.loads(said(result, status))
    assert isinstance(content, dict)
    return content


def entries(content: dict[str, object], name: str) -> list[dict[str, object]]:
    found = content[name]
    assert isinstance(found, list)
    return found


def rows(boss: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    return boss.execute(query.encode()).fetchall()


# --- the address ----------------------------------------------------------------------------------------------------------


def test_without_an_address_the_command_says_where_one_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STATION_CENTRAL_DSN", raising=False)
    monkeypatch.setenv("STATION_CONFIG", str(tmp_path / "line.toml"))
    assert "STATION_CENTRAL_DSN" in said(station("central", "lots", "list"), USAGE)
    assert "reader" in said(station("central", "units", "list"), USAGE)


@pytest.mark.parametrize(
    "address",
    [
        f"host=db password={SECRET}",
        f"postgresql://owner:{SECRET}@db/station",
        f"host=db sslpassword='{SECRET}'",
        f"postgresql://db/station?password={SECRET}",
    ],
)
@pytest.mark.parametrize("command", [("lots", "list"), ("units", "list")])
def test_a_password_in_the_address_is_refused_with_what_to_do(command: tuple[str, str], address: str) -> None:
    """Every account of the computer sees a command's arguments. No answer repeats it."""
    refused = said(station("central", *command, "--dsn", address), USAGE)
    assert "passfile" in refused
    assert "certificate" in refused
    assert SECRET not in refused


@pytest.mark.parametrize("command", [("status",), ("audit",), ("lots", "list"), ("yield",)])
def test_a_centre_that_is_away_is_said_so(command: tuple[str, ...], tmp_path: Path) -> None:
    away = said(station("central", *command, "--dsn", f"host={tmp_path} dbname=station user=nobody"), ENVIRONMENT)
    assert "does not answer" in away


def test_a_database_without_a_centre_names_the_command_that_makes_one(server: Server, database: str) -> None:
    assert "station central init" in said(station("central", "lots", "list", "--dsn", server.dsn(database)), FAILED)


def test_whoever_may_not_do_it_is_told_who_may(server: Server, central: Command, centre: str) -> None:
    refused = said(central("approve", RELEASE, "--dsn", server.dsn(centre, "line_1")), FAILED)
    assert "owner's address" in refused


def test_questions_go_to_the_reader_of_the_configuration(
    server: Server, central: Command, centre: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before the owner's address of the environment, and behind --dsn."""
    monkeypatch.setenv("STATION_CENTRAL_DSN", "host=/nowhere dbname=none user=none")
    config = tmp_path / "line.toml"
    config.write_text(
        configuration() + f'[shared]\ndsn = "host=db"\nfleet_key = "k"\nreader = "{server.dsn(centre)}"\n'
    )
    assert "0 units" in said(central("units", "list", "--config", config))
    assert "0 units" in said(central("units", "list"))  # by STATION_CONFIG
    away = central("units", "list", "--config", config, "--dsn", "host=/nowhere dbname=none user=none")
    assert away.exit_code == ENVIRONMENT


def test_a_template_of_a_configuration_stands_in_nobodys_way(central: Command, tmp_path: Path) -> None:
    """Where the owner's address is set; a configuration that is named must be right."""
    (tmp_path / "line.toml").write_text("")
    assert "0 units" in said(central("units", "list"))
    with pytest.raises(ConfigurationInvalid):
        central("units", "list", "--config", tmp_path / "line.toml")


# --- the database itself ----------------------------------------------------------------------------------------------------


def test_an_empty_database_becomes_a_centre_once(server: Server, database: str) -> None:
    dsn = ("--dsn", server.dsn(database))
    assert "ready" in said(station("central", "init", *dsn))
    assert "ready" in said(station("central", "init", *dsn))
    assert "already" in said(station("central", "upgrade", *dsn))
    found = told(station("central", "status", *dsn, "--json"))
    assert (found["stations"], found["lots"], found["frozen"]) == (0, 0, None)


def test_what_the_owner_may_not_do_is_printed_as_sql(server: Server, centre: str, boss: psycopg.Connection) -> None:
    """As `station central stations add` for a role that is not there."""
    name = f"owner_{centre}"
    boss.execute(f"CREATE ROLE {name} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}".encode())
    add = ("central", "stations", "add", "line-9", "--role", f"role_{centre}", "--dsn", server.dsn(centre, name))
    printed = said(station(*add), FAILED)
    assert f'CREATE ROLE "role_{centre}" LOGIN;' in printed
    assert "station_writer" in printed


def test_the_status_says_whether_numbers_are_given(
    central: Command, boss: psycopg.Connection, units: list[str]
) -> None:
    boss.execute("UPDATE central SET open_from = '2000-01-01'")
    assert "gives none until" in said(central("status"))  # the server has just started
    assert "from now on" in said(central("open"))
    assert "gives serial numbers" in said(central("status"))
    assert "3 units" in said(central("status"))
    boss.execute("UPDATE central SET frozen = 'a station knows more'")
    assert "accept-restore" in said(central("status"), FAILED)
    assert told(central("status", "--json"), FAILED)["frozen"] == "a station knows more"


def test_a_restored_centre_goes_on_after_a_person_has_said_how_far_to_skip(
    central: Command, boss: psycopg.Connection
) -> None:
    boss.execute("UPDATE central SET frozen = 'a station knows more'")
    assert "at least 1 block" in said(central("accept-restore", "--skip", "0", "--yes"), FAILED)
    assert f"lot {LOT}: 2 blocks skipped" in said(central("accept-restore", "--skip", "2", "--yes"))
    assert rows(boss, "SELECT next_block, frozen FROM lot, central") == [(2, None)]
    (lot,) = entries(told(central("lots", "list", "--json")), "lots")
    assert (lot["given"], lot["next_block"]) == (0, 2)
    assert "2048" in said(central("lots", "list"))  # of 2560


def test_partitions_are_made_and_listed_and_old_ones_detached(central: Command) -> None:
    made = told(central("partitions", "--months", "1", "--json"))
    assert isinstance(made["made"], list)
    assert len(made["made"]) == 4  # two tables, this month and the next
    again = said(central("partitions", "--months", "1"))
    assert "made" not in again
    assert "attempt_rest" in again
    gone = told(central("partitions", "--detach-before", "2100-01-01", "--months", "1", "--json"))
    assert gone["detached"] == made["made"]


# --- lots, releases, stations -----------------------------------------------------------------------------------------------


def test_a_lot_is_added_and_its_release_approved(central: Command) -> None:
    other = "ab" * 32
    said(central("lots", "add", "LOT-8", "--format", "LAMP-{:06d}", "--first", "1", "--size", "1000"))
    assert "none: station central approve" in said(central("lots", "list"))
    assert "LOT-8" in said(central("approve", other, "--lot", "LOT-8"))
    assert f"{LOT}, LOT-8" in said(central("approve", other))
    listed = {lot["name"]: lot for lot in entries(told(central("lots", "list", "--json")), "lots")}
    assert listed["LOT-8"]["releases"] == [other]
    assert listed[LOT]["releases"] == [RELEASE, other]
    assert f"no more numbers in {LOT}, LOT-8" in said(central("approve", other, "--withdraw"))
    assert "nowhere" in said(central("approve", other, "--withdraw"), FAILED)


def test_a_lot_that_could_repeat_a_serial_number_is_refused(central: Command) -> None:
    taken = ("lots", "add", "LOT-8", "--format", "LIGHT-{:06d}", "--first", "2000", "--size", "1000")
    assert LOT in said(central(*taken), FAILED)


@pytest.mark.parametrize("arguments", [(), ("ab" * 31,), (RELEASE, "--recipe", "recipe.toml")])
def test_a_release_is_named_in_one_whole_way(central: Command, arguments: tuple[str, ...]) -> None:
    assert "RELEASE" in said(central("approve", *arguments), USAGE) or "64" in said(
        central("approve", *arguments), USAGE
    )


def test_a_release_is_computed_from_its_recipe(central: Command, tmp_path: Path) -> None:
    """The same as the station has."""
    make(tmp_path)
    config = configured.load(tmp_path / "line.toml", {})
    release = line_recipe.load(config).release
    assert release in said(central("approve", "--recipe", config.recipe))


def test_a_station_is_added_with_the_key_it_signs_with(
    central: Command, boss: psycopg.Connection, tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate().public_key()
    file = tmp_path / "line-9.pub"
    file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    said(central("stations", "add", "line-9", "--role", "line_8x", "--public-key", file))
    assert rows(boss, "SELECT public_key FROM station WHERE name = 'line-9'") == [(key.public_bytes_raw(),)]
    assert "known already" in said(central("stations", "add", "line-9", "--role", "line_8x"), FAILED)
    other = generate_private_key(SECP256R1()).public_key()
    file.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for wrong in (file, tmp_path / "none"):
        said(central("stations", "add", "line-10", "--role", "line_8x", "--public-key", wrong), USAGE)


def test_stations_are_listed_and_retired(central: Command, units: list[str], boss: psycopg.Connection) -> None:
    listed = said(central("stations", "list"))
    assert "line_1" in listed
    assert "never" in listed
    assert "1 block burned" in said(central("retire", "line-1", "--yes"))
    assert "1 (retired)" in said(central("stations", "list"))
    known = {each["name"]: each for each in entries(told(central("stations", "list", "--json")), "stations")}
    assert (known["line-1"]["retired"], known["line-1"]["blocks_held"]) == (True, 0)
    assert "no station" in said(central("retire", "line-99", "--yes"), FAILED)


@pytest.mark.parametrize("command", [("retire", "line-1"), ("accept-restore", "--skip", "2")])
def test_what_cannot_be_undone_is_asked_for(
    central: Command, boss: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """On a terminal; nothing is done without a yes."""
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    everything = "SELECT * FROM lot, central, (SELECT count(*) FROM incarnation WHERE retired) AS retired"
    before = rows(boss, everything)
    assert "Go on?" in said(station("central", *command, stdin="n\n"), FAILED)
    assert rows(boss, everything) == before
    assert "Go on?" in said(station("central", *command, stdin="y\n"))


# --- what contradicts, and the audit ----------------------------------------------------------------------------------------


def test_an_anomaly_is_listed_until_somebody_settles_it(central: Command, boss: psycopg.Connection) -> None:
    assert "no anomaly" in said(central("anomalies", "list"))
    boss.execute(
        'INSERT INTO anomaly (kind, subject, detail) VALUES (\'dac.second\', \'x\', \'{"uid": "00", "dac": "4711"}\')'
    )
    assert "4711" in said(central("anomalies", "list"))
    found = entries(told(central("anomalies", "list", "--json")), "anomalies")
    number = str(found[0]["id"])
    said(central("anomalies", "settle", number))
    assert "no anomaly" in said(central("anomalies", "list"))
    assert "4711" in said(central("anomalies", "list", "--all"))
    assert "no anomaly" in said(central("anomalies", "settle", number), FAILED)


def test_the_audit_finds_a_changed_line(central: Command, units: list[str], boss: psycopg.Connection) -> None:
    assert said(central("audit")).endswith("sound\n")
    boss.execute("UPDATE yield SET attempts = attempts + 1 WHERE verdict = 'fail'")
    assert "1 mistake found" in said(central("audit"), FAILED)


def test_a_long_audit_says_how_far_it_is(central: Command, units: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("station.cli.central.audit.SAID_EVERY", -1.0)
    assert " lines" in said(central("audit"))


# --- questions --------------------------------------------------------------------------------------------------------------


def test_units_of_all_stations_are_listed(central: Command, units: list[str]) -> None:
    everything = said(central("units", "list"))
    assert all(uid in everything for uid in units)
    assert "3 units" in everything
    assert "The newest 1 unit; --all lists them all." in said(central("units", "list", "--limit", "1"))
    assert "3 units" in said(central("units", "list", "--all", "--lot", LOT))
    failed = entries(told(central("units", "list", "--station", "line-2", "--verdict", "fail", "--json")), "units")
    assert [(unit["uid"], unit["rank"], unit["fault"]) for unit in failed] == [(units[2], "taken", "flash.mismatch")]


def test_one_unit_is_shown_by_uid_and_by_serial_number(central: Command, units: list[str]) -> None:
    by_uid, by_serial = said(central("units", "show", units[2])), said(central("units", "show", "LIGHT-000003"))
    assert by_uid == by_serial
    assert "begun at line-1, last at line-2" in by_uid
    assert "flash.mismatch" in by_uid
    story = told(central("units", "show", units[0], "--json"))
    assert [each["verdict"] for each in entries(story, "attempts")] == ["pass"]
    assert len(entries(story, "certificates")) == 1
    assert "knows no unit" in said(central("units", "show", "LIGHT-999999"), FAILED)


def test_units_are_exported_row_by_row(
    central: Command, units: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CSV and as JSON lines; the progress does not go into the file."""
    monkeypatch.setattr("station.cli.central.units.SAID_EVERY", -1.0)
    assert "3 units so far" in said(central("units", "export", "-o", tmp_path / "units.csv"))
    read = list(csv.DictReader(io.StringIO((tmp_path / "units.csv").read_text())))
    assert {row["uid"] for row in read} == set(units)
    assert {row["verdict"] for row in read} == {"pass", "fail"}
    lines = said(central("units", "export", "--format", "jsonl", "--station", "line-2")).splitlines()
    assert [json.loads(line)["uid"] for line in lines if line.startswith("{")] == [units[2]]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("station", ["line-1"]),
        ("slot", ["line-1 1", "line-1 2", "line-1 10"]),
        ("hour", ["2026-11-23T08:00Z"]),
        ("fault", ["flash.mismatch", "tty.lost"]),
    ],
)
def test_yields_are_counted_by_what_is_asked(central: Command, units: list[str], by: str, names: list[str]) -> None:
    found = entries(told(central("yield", "--by", by, "--since", "2026-11-23", "--json")), "yields")
    assert [row["name"] for row in found] == names
    table = said(central("yield", "--by", by, "--since", "2026-11-23"))
    assert ("66.7%" in table) == (by in {"station", "hour"})
    assert "No attempt" in said(central("yield", "--by", by, "--since", "2026-11-24", "--until", "2026-11-25"))


def test_no_answer_has_a_sealed_secret(central: Command, units: list[str]) -> None:
    answers = said(central("units", "show", units[0], "--json")) + said(central("units", "export", "--format", "jsonl"))
    assert "sealed" not in answers
    assert b"sealed of ".hex() not in answers


# --- a ledger of its own joins ----------------------------------------------------------------------------------------------


async def made_alone(folder: Path) -> None:
    """A standalone ledger with three passed units, of which one is forgotten."""
    path = folder / "state" / "ledger.sqlite"
    path.parent.mkdir()
    secrets = Secrets()
    async with Ledger.open(path, station="line-1", register=folder / "register", only=True) as ledger:
        for board in (1, 2, 3):
            await passed(await begun(ledger, secrets), board, f"0{board}")
        await ledger.forget(target(3).uid, who="anna", reason="shipped")


@pytest.fixture
def alone(server: Server, centre: str, boss: psycopg.Connection, tmp_path: Path) -> Path:
    """The configuration of a line that has made units by itself, and names a centre now."""
    make(tmp_path)
    asyncio.run(made_alone(tmp_path))
    lot = (BENCH_LOT.name, BENCH_LOT.serial_number_format, BENCH_LOT.first, 2560)
    boss.execute("INSERT INTO lot (name, serial_format, first, size) VALUES (%s, %s, %s, %s)", lot)
    key, config = tmp_path / "fleet.key", tmp_path / "line.toml"
    key.touch(0o600)
    key.write_bytes(bytes(range(32)))
    section = f'[shared]\ndsn = "{server.dsn(centre, "line_1")}"\nfleet_key = "{key}"\n'
    config.write_text(config.read_text().replace("[pki]", f"{section}[pki]"))
    return config


def test_a_ledger_of_its_own_joins(central: Command, alone: Path, boss: psycopg.Connection) -> None:
    """Its pairs are taken, its units are known, and the block of their serial numbers is given to nobody. Once more does no harm."""
    for _ in range(2):
        joined = said(central("join", "--yes", "--config", alone))
        assert "2 pairs registered at the centre" in joined
        assert "a passcode that was forgotten: 1 unit" in joined
    assert rows(boss, "SELECT count(*) FROM pairing") == [(2,)]
    assert rows(boss, "SELECT number, state FROM block WHERE lot = 'LOT-1'") == [(0, "burned")]
    assert rows(boss, "SELECT count(*) FROM anomaly") == [(0,)]
    listed = entries(json.loads(said(central("units", "list", "--lot", BENCH_LOT.name, "--json"))), "units")
    assert {each["serial_number"] for each in listed} == {"SN000001", "SN000002", "SN000003"}
    assert {each["rank"] for each in listed} == {"passed"}
    assert said(central("audit")).endswith("sound\n")
    ledger = alone.parent / "state" / "ledger.sqlite"
    assert "0 lines of" in said(station("leases", "show", "--ledger", ledger))
    assert "sound" in said(station("ledger", "audit", "--ledger", ledger))


def test_what_cannot_join_is_said_so(central: Command, alone: Path, boss: psycopg.Connection) -> None:
    boss.execute("UPDATE central SET frozen = 'a station knows more'")
    assert "accept-restore" in said(central("join", "--yes", "--config", alone), FAILED)
    boss.execute("UPDATE central SET frozen = NULL")
    boss.execute("UPDATE station SET name = 'line-0' WHERE name = 'line-1'")
    assert "no station line-1" in said(central("join", "--yes", "--config", alone), FAILED)
    (alone.parent / "state" / "ledger.sqlite").rename(alone.parent / "elsewhere")
    assert "needs no join" in said(central("join", "--yes", "--config", alone), USAGE)
    alone.write_text(LINE)
    assert "no section shared" in said(central("join", "--yes", "--config", alone), USAGE)
