# SPDX-License-Identifier: Apache-2.0
"""What the doctor says of the key under which the ledger's secrets are sealed."""

import os
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.config.line import Config
from station.config.sections import SecretsSection
from station.doctor import station_key
from station.doctor.finding import Finding, State
from tests.builders.bench import Secrets, begun, execute, passed
from tests.doctor.test_doctor import configuration


def found(config: Config, *, runs: bool = False) -> list[Finding]:
    return list(station_key.findings(config, runs=runs, environment={}))


async def made(folder: Path, key: Path | None = None) -> Config:
    """A line with two units; with its key in this file, or else beside its register."""
    config = configuration(folder).model_copy(update={"secrets": SecretsSection(key=key)})
    config.station.state.mkdir()
    async with Ledger.open(config.ledger, station="line-1", register=config.station.witness, key=key) as ledger:
        for board in (1, 2):
            await passed(await begun(ledger, Secrets((board,))), board=board, dac_serial_number=f"{board:02}")
    return config


def key_of(config: Config) -> Path:
    (file,) = (Path(f"{config.station.witness}") / "keys").glob("*.key")
    return file


def test_the_first_start_makes_a_key(tmp_path: Path) -> None:
    [told] = found(configuration(tmp_path))
    assert told.state is State.GOOD
    assert f"the first start makes one in {tmp_path}/register/keys" in told.text


@pytest.mark.parametrize("named", [False, True])
async def test_a_key_that_opens_the_ledger_is_good(tmp_path: Path, *, named: bool) -> None:
    config = await made(tmp_path, tmp_path / "station.key" if named else None)
    [told] = found(config)
    assert told.state is State.GOOD
    assert "opens what the ledger has sealed: 2 units" in told.text


async def test_a_key_that_is_gone_is_bad(tmp_path: Path) -> None:
    """Where a daemon runs, it may have the key from systemd, and nobody else sees that one."""
    config = await made(tmp_path)
    key_of(config).rename(tmp_path / "elsewhere.key")
    [told] = found(config)
    assert told.state is State.BAD
    assert "there is none" in told.text
    assert "Put the key's file back" in told.remedy
    assert [(each.state, each.remedy != "") for each in found(config, runs=True)] == [(State.UNKNOWN, True)]


async def test_a_named_key_that_is_gone_is_bad_beside_a_daemon_too(tmp_path: Path) -> None:
    config = await made(tmp_path, tmp_path / "station.key")
    (tmp_path / "station.key").unlink()
    assert [each.state for each in found(config, runs=True)] == [State.BAD]


async def test_the_key_of_another_ledger_is_bad(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other, config = (
        await made(tmp_path / "other", tmp_path / "other.key"),
        await made(tmp_path, tmp_path / "station.key"),
    )
    assert other.secrets.key is not None
    [told] = found(config.model_copy(update={"secrets": other.secrets}))
    assert told.state is State.BAD
    assert "wraps the onboarding secrets of this ledger" in told.text


async def test_a_key_that_others_can_read_is_bad(tmp_path: Path) -> None:
    config = await made(tmp_path)
    key_of(config).chmod(0o640)
    [told] = found(config)
    assert told.state is State.BAD
    assert f"chmod 600 {key_of(config)}" in told.text


async def test_a_file_that_is_no_key_is_bad_and_its_content_is_not_told(tmp_path: Path) -> None:
    config = await made(tmp_path)
    secret = key_of(config).read_text().split()[-1]
    key_of(config).write_text(key_of(config).read_text().replace("matter-station-key 1", "matter-station-key 2"))
    [told] = found(config)
    assert told.state is State.BAD
    assert secret not in f"{told}"


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file away")
async def test_a_key_of_another_account_is_bad(tmp_path: Path) -> None:
    config = await made(tmp_path)
    os.chown(config.ledger, 1234, 1234)
    told = found(config)
    assert [each.state for each in told] == [State.BAD, State.GOOD]
    assert told[0].remedy == f"chown --reference={config.ledger} {key_of(config)}"


async def test_a_key_in_the_ledgers_folder_is_told(tmp_path: Path) -> None:
    config = await made(tmp_path, tmp_path / "state" / "station.key")
    assert [each.state for each in found(config)] == [State.ADVICE, State.GOOD]


async def test_a_unit_that_does_not_open_is_bad(tmp_path: Path) -> None:
    config = await made(tmp_path)
    execute(config.ledger, "UPDATE sealed_secret SET content = zeroblob(length(content)) WHERE identity_id = 2")
    [told] = found(config)
    assert told.state is State.BAD
    assert "do not open" in told.text


async def test_a_rotation_that_was_interrupted_is_told(tmp_path: Path) -> None:
    config = await made(tmp_path)
    execute(config.ledger, "UPDATE secrets_state SET retiring_id = key_id, scrub = 1")
    assert [each.state for each in found(config)] == [State.ADVICE, State.ADVICE, State.GOOD]
