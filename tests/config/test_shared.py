# SPDX-License-Identifier: Apache-2.0
"""`[shared]`: connection strings in both of libpq's forms, without a password and without a path that depends on a folder."""

from pathlib import Path

import pytest

from station.config import conninfo, line
from station.config.problems import ConfigurationInvalid
from tests.config.test_config import GOOD

DSN = "host=db dbname=station user=line_3 sslmode=verify-full"


def written(folder: Path, table: str) -> Path:
    file = folder / "line.toml"
    file.write_text(GOOD.replace("[pki]\n", f"[shared]\n{table}\n[pki]\n", 1))
    return file


def mistakes(folder: Path, table: str) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as caught:
        line.load(written(folder, table), {})
    return [f"{problem.place}: {problem.text}" for problem in caught.value.problems]


def test_without_the_section_nothing_is_shared(tmp_path: Path) -> None:
    (tmp_path / "line.toml").write_text(GOOD)
    assert line.load(tmp_path / "line.toml", {}).shared is None


def test_a_centre_is_all_that_must_be_said(tmp_path: Path) -> None:
    shared = line.load(written(tmp_path, f'dsn = "{DSN}"\nfleet_key = "fleet.key"'), {}).shared
    assert shared is not None
    assert shared.dsn == DSN
    assert shared.fleet_key == tmp_path / "fleet.key"
    assert (shared.hold_hours, shared.sync_every, shared.claim_within, shared.deadline) == (8, 1, 0.5, 8)
    assert (shared.offline_start, shared.keep_local_days) == ("same-place", 30)


@pytest.mark.parametrize(
    ("dsn", "settings"),
    [
        ("host=db port=5433", {"host": "db", "port": "5433"}),
        (r"host = 'the db' user='it\'s' dbname=a\ b", {"host": "the db", "user": "it's", "dbname": "a b"}),
        ("service=line_3", {"service": "line_3"}),
        ("postgresql://line_3@db:5433/station?sslmode=verify-full",
         {"host": "db", "port": "5433", "user": "line_3", "dbname": "station", "sslmode": "verify-full"}),
        ("postgres:///station?host=/run/pg", {"dbname": "station", "host": "/run/pg"}),
        ("postgresql://[::1]/station", {"host": "::1", "dbname": "station"}),
    ],
)  # fmt: skip
def test_a_connection_string_is_read_as_libpq_reads_it(dsn: str, settings: dict[str, str]) -> None:
    assert conninfo.settings_of(dsn) == settings


@pytest.mark.parametrize(
    "dsn",
    [
        "host=db password=hunter2",
        "host=db password = 'hunter2'",
        "host=db sslkey=/k sslpassword=hunter2",
        "postgresql://line_3:hunter2@db/station",
        "postgresql://db/station?password=hunter2",
    ],
)
def test_a_password_is_refused_and_not_repeated(tmp_path: Path, dsn: str) -> None:
    """A connection string stands in a file that many read, and in messages."""
    told = mistakes(tmp_path, f'dsn = "{dsn}"')
    assert len(told) == 1
    assert "password in it, expected none" in told[0]
    assert "hunter2" not in told[0]


@pytest.mark.parametrize("dsn", ["", "db", "host=db station", "host='db", "postgresql://db:port/station"])
def test_a_text_that_is_no_connection_string_is_refused(tmp_path: Path, dsn: str) -> None:
    assert "such as" in mistakes(tmp_path, f'dsn = "{dsn}"')[0]


def test_a_file_in_a_connection_string_has_a_whole_path(tmp_path: Path) -> None:
    """libpq starts a relative one at the folder in which the daemon was started."""
    assert mistakes(tmp_path, 'dsn = "host=db sslcert=station.crt"') == [
        'shared.dsn: found "station.crt" as sslcert, expected a whole path, which begins with /'
    ]


def test_the_system_is_no_file() -> None:
    files = conninfo.files_of("host=db sslrootcert=system sslcert=/etc/station/centre.crt")
    assert files == {"sslcert": Path("/etc/station/centre.crt")}


@pytest.mark.parametrize(
    ("dsn", "proven"), [(DSN, True), ("host=db", False), ("host=db sslmode=require", False), ("host=/run/pg", True)]
)
def test_a_server_proves_itself_or_is_here(dsn: str, proven: bool) -> None:  # noqa: FBT001
    assert conninfo.server_is_proven(dsn) == proven
