# SPDX-License-Identifier: Apache-2.0
"""The MES as the daemon deals with it: what people see, and when the line stops."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.outbox.reports import LineReports
from station.config import line
from station.config.line import Config
from station.config.problems import ConfigurationInvalid
from station.daemon.mes import MES, reports_of
from station.daemon.reloading import Settings, is_applied
from station.doctor import mes_files
from station.domain.attempt import Failed
from station.faults.line import MESBacklog
from station.mes.message import Counts
from tests.builders.bench import RECIPE, Secrets, begun, recognised
from tests.builders.small_line import small_line


def configured(folder: Path, text: str) -> Config:
    file = folder / "line.toml"
    file.write_text(small_line("1") + text)
    return line.load(file, {})


@pytest.fixture
def webhook(secret_file: Path) -> str:
    return f'[mes]\nwebhook = "https://mes.invalid/hook"\nsecret_file = "{secret_file}"\n'


async def test_a_line_without_an_mes_has_none(tmp_path: Path, ledger: Ledger) -> None:
    config = configured(tmp_path, "")
    async with MES.opened(Settings(config), RECIPE, ledger, reports_of(config.mes)) as mes:
        assert (mes.pumps, mes.route, mes.status, mes.late) == ([], None, None, None)
        mes.check()
        await mes.check_up()


async def test_what_waits_is_shown_after_a_quarter_of_an_hour_and_what_is_dead_at_once(
    tmp_path: Path, ledger: Ledger, webhook: str
) -> None:
    config = configured(tmp_path, webhook)
    async with MES.opened(Settings(config), RECIPE, ledger, reports_of(config.mes)) as mes:
        [pump] = mes.pumps
        now = datetime.now(UTC)
        for counts, late in (
            (Counts(), 0),
            (Counts(3, now - timedelta(minutes=14)), 0),
            (Counts(3, now - timedelta(minutes=16)), 3),
            (Counts(3, now - timedelta(minutes=14), 2), 2),
            (Counts(3, now - timedelta(minutes=16), 2), 5),
        ):
            pump.counts = counts
            assert mes.late == late
        status = mes.status
        assert status is not None
        assert (status.late, status.sinks[0].pending, status.sinks[0].dead) == (5, 3, 2)
        assert status.sinks[0].oldest_seconds >= 960


async def test_only_a_line_that_is_told_so_stops_for_its_outbox(
    tmp_path: Path, ledger: Ledger, secrets: Secrets, webhook: str
) -> None:
    """By default no number of messages stops the line; the limit may change while it runs."""
    for board in (1, 2, 3):
        journal = await begun(ledger, secrets)
        await recognised(journal, board)
        await journal.finish(Failed("flash.mismatch"))
    settings = Settings(configured(tmp_path, webhook))
    async with MES.opened(settings, RECIPE, ledger, LineReports(["webhook"])) as mes:
        await mes.pumps[0].look()
        mes.check()
        settings.apply(["mes.stop_line_at"], configured(tmp_path, webhook + "stop_line_at = 3\n"))
        with pytest.raises(MESBacklog) as raised:
            mes.check()
        assert raised.value.evidence == {"pending": "3", "limit": "3"}
        for waiting in await ledger.outbox.due("webhook", datetime.now(UTC), 10):
            await ledger.outbox.delivered(waiting.id, datetime.now(UTC))
        await mes.pumps[0].look()
        mes.check()


@pytest.mark.parametrize("setting", ["when_down", "stop_line_at", "keep_days"])
def test_settings_that_may_change_under_the_line(setting: str) -> None:
    assert is_applied(f"mes.{setting}")


@pytest.mark.parametrize("setting", ["webhook", "mqtt", "route", "format", "secret_file"])
def test_settings_that_need_a_restart(setting: str) -> None:
    assert not is_applied(f"mes.{setting}")


@pytest.mark.parametrize(
    "text",
    [
        'webhook = "https://mes"',
        'secret_file = "x"',
        'webhook = "ftp://mes"\nsecret_file = "x"',
        'webhook = "https://user:secret@mes"\nsecret_file = "x"',
        'mqtt = "https://broker"',
        'mqtt = "mqtts://broker:99999"',
        'mqtt_user = "me"',
        'mqtt = "mqtts://broker"\nmqtt_user = "me"',
        'route = "mes"',
        'route = "https://mes"\ncertificate = "c"',
        'when_down = "stop"',
        "stop_line_at = -1",
        "keep_days = 0",
        'colour = "red"',
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationInvalid) as raised:
        configured(tmp_path, f"[mes]\n{text}\n")
    assert all("mes" in problem.place for problem in raised.value.problems)
    assert "secret@" not in str(raised.value)


def test_files_that_cannot_be_used_are_told_before_the_line_opens(tmp_path: Path, secret_file: Path) -> None:
    secret_file.chmod(0o644)
    text = (
        f'[mes]\nwebhook = "https://mes"\nsecret_file = "{secret_file}"\nmqtt = "mqtts://broker"\nmqtt_user = "me"\n'
        'mqtt_password_file = "nothing"\nca = "nothing"\n'
    )
    problems = list(mes_files.mistakes(tmp_path / "line.toml", configured(tmp_path, text).mes))
    assert [problem.place for problem in problems] == ["mes.secret_file", "mes.mqtt_password_file", "mes.ca"]


def test_brokers_ports(tmp_path: Path) -> None:
    for address, broker in (
        ("mqtt://b", ("b", 1883, False)),
        ("mqtts://b", ("b", 8883, True)),
        ("mqtts://[::1]:1", ("::1", 1, True)),
    ):
        assert configured(tmp_path, f'[mes]\nmqtt = "{address}"\n').mes.broker == broker
