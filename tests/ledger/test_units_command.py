# SPDX-License-Identifier: Apache-2.0
"""`station units`."""

import csv
import json
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import UnitSummary
from station.adapters.ledger.selection import AttemptRecord
from station.cli import app
from station.cli.ledger import pki, units
from station.cli.ledger.questions import period
from station.domain.attempt import Failed, LaboratoryUnit, Phase, UnitIdentified, Voided
from station.faults.line import LedgerUnavailable
from tests.builders.bench import RECIPE, Secrets, begun, credentials, execute, passed, recognised, target
from tests.builders.small_line import small_line


@pytest.fixture
async def filled(path: Path, secrets: Secrets) -> Path:
    """Unit 1 has passed; unit 2 has failed while its flash was written, and then passed."""
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, secrets), board=1, dac_serial_number="A1")
        failing = await begun(ledger, secrets, slot="9")
        await recognised(failing, board=2)
        await failing.step(Phase.FLASH_DATA).__aenter__()
        await failing.finish(Failed("flash.mismatch", {"address": "0x08001000"}))
        answer = credentials(0xA2)
        await ledger.issuance.submitted(answer.key, b"CSR", target(2).uid)
        await ledger.issuance.submitted(answer.key, b"CSR", target(2).uid)
        await ledger.issuance.record_issued(answer.key, answer)
        await passed(await begun(ledger, secrets), board=2, dac_serial_number="A2")
    return path


WITHIN = """
[within]
flash_data = 5
confirm = 0.5
"""


def run(*arguments: str, ledger: Path, status: int = 0) -> str:
    result = CliRunner().invoke(units.app, [*arguments, "--ledger", str(ledger)])
    assert result.exit_code == status, result.output
    return result.output


def run_pki(*arguments: str, ledger: Path) -> str:
    result = CliRunner().invoke(pki.app, [*arguments, "--ledger", str(ledger)])
    assert result.exit_code == 0, result.output
    return result.output


def test_list_shows_every_unit_and_the_yield(filled: Path) -> None:
    """The list has one row per unit, then the totals."""
    output = run("list", ledger=filled)
    assert "SN000001" in output
    assert str(target(2).uid) in output
    assert "2 units, 1 of 2 judged passed first time; 3 attempts: 2 pass, 1 fail, 0 void" in output


def test_list_can_be_cut_to_the_newest(filled: Path) -> None:
    """A lot has more units than a screen has lines."""
    for option in ("--limit", "--last"):
        output = run("list", option, "1", ledger=filled)
        assert "SN000002" in output
        assert "SN000001" not in output
        assert "The newest 1 of 2 units; --all lists them all." in output
    everything = run("list", "--limit", "1", "--all", ledger=filled)
    assert everything == run("list", ledger=filled)
    assert everything.index("SN000001") < everything.index("SN000002")
    assert "The newest" not in everything


def test_show_tells_a_units_whole_story(filled: Path) -> None:
    """The story has every attempt and step, each fault's evidence, the tool's version and the certificate."""
    output = run("show", "SN000002", ledger=filled)
    for fact in (
        str(target(2).uid),
        "state passed",
        "certificate A2",
        "attempt 2",
        "slot 9",
        "flash.mismatch",
        "address 0x08001000",
        "not finished",
        "STM32CubeProgrammer 2.19.0",
        "image operational-flash " + RECIPE.operational_image.sha256,
        "attempt 3",
        "flash operational",
    ):
        assert fact in output


def test_show_gives_the_same_as_json(filled: Path) -> None:
    """Scripts may ask by serial number or by UID."""
    story = json.loads(run("show", str(target(2).uid), "--json", ledger=filled))
    assert story == json.loads(run("show", "SN000002", "--json", ledger=filled))
    assert story["unit"]["serial_number"] == "SN000002"
    assert [attempt["verdict"] for attempt in story["attempts"]] == ["fail", "pass"]
    last = story["attempts"][0]["journal"][-1]
    assert last["type"] == "Failed"
    assert last["evidence"] == {"address": "0x08001000"}
    assert last["at"].endswith("Z")
    assert story["certificates"][0]["dac"].startswith("-----BEGIN CERTIFICATE-----")


def test_show_of_an_unknown_unit_fails(filled: Path) -> None:
    """The exit code is 1, and the message names the ledger."""
    assert f"{filled} knows no unit SN7" in run("show", "SN7", ledger=filled, status=1)


FAILED = ["--slot", "9", "--verdict", "fail", "--fault", "flash.mismatch", "--step", "flash_data"]
YESTERDAY, TOMORROW = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%MZ}" for days in (-1, 1))


def test_attempts_are_listed_by_period_slot_verdict_fault_lot_and_step(filled: Path) -> None:
    """Text has the zone of its times, and JSON has UTC and a schema version."""
    lot = RECIPE.lot.name
    asked = [*FAILED, "--since", YESTERDAY, "--until", TOMORROW, "--lot", lot]
    answer = json.loads(run("list", *asked, "--json", ledger=filled))
    (failed,) = answer["attempts"]
    assert (answer["schema"], answer["more"], failed["number"], failed["step"]) == (1, False, 2, "flash_data")
    assert failed["started_at"].endswith("Z")
    text = run("list", *asked, ledger=filled)
    assert f"{datetime.fromisoformat(failed['started_at']).astimezone():%Y-%m-%d %H:%M:%S %Z}" in text
    assert text.endswith("\n1 attempt\n")
    for other in (
        ["--slot", "1"],
        ["--lot", "none"],
        ["--since", TOMORROW],
        ["--until", YESTERDAY],
        ["--step", "lock"],
    ):
        wanted = json.loads(run("list", "--verdict", "fail", *other, "--json", ledger=filled))
        assert wanted["attempts"] == []


def test_the_newest_attempts_are_listed_in_order(filled: Path) -> None:
    """The list says that there are more."""
    answer = json.loads(run("list", "--since", YESTERDAY, "--last", "2", "--json", ledger=filled))
    assert ([attempt["number"] for attempt in answer["attempts"]], answer["more"]) == ([2, 3], True)
    assert "The newest 2 attempts" in run("list", "--since", YESTERDAY, "--last", "2", ledger=filled)


def test_units_are_listed_as_json(filled: Path) -> None:
    """Scripts get the columns of the export, and the totals."""
    answer = json.loads(run("list", "--json", ledger=filled))
    assert [unit["serial_number"] for unit in answer["units"]] == ["SN000001", "SN000002"]
    assert (answer["schema"], answer["totals"]["passed_first"]) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--since", "noon"],
        ["--since", "25:00"],
        ["--until", "2026-02-30"],
        ["--since", "2026-11-23", "--until", "2026-11-22"],
        ["--step", "solder"],
        ["--verdict", "broken"],
        ["--slot", "8"],
        ["--fault", "board.silentt"],
    ],
)
def test_an_unreadable_question_has_exit_code_2(filled: Path, wrong: list[str]) -> None:
    """Nothing is listed for a condition that was misunderstood."""
    run("list", *wrong, ledger=filled, status=2)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--fault", "board.silentt"], "there is no fault 'board.silentt'; did you mean \"board.silent\"?"),
        (["--slot", "11"], "there is no slot '11'; did you mean \"1\"?"),
        (["--slot", "left"], "there is no slot 'left'; there are 1, 9"),
    ],
)
def test_a_misspelt_slot_or_fault_is_refused(filled: Path, asked: list[str], told: str) -> None:
    """An empty list would look as if nothing had failed there."""
    assert told in _unwrapped(run("list", *asked, ledger=filled, status=2))


def test_a_fault_of_an_older_catalogue_may_be_asked_for(filled: Path) -> None:
    """What the ledger has is known, and so is a fault that no attempt has had yet."""
    execute(filled, "UPDATE attempt SET fault = 'flash.of_old' WHERE fault = 'flash.mismatch'")
    assert "1 attempt" in run("list", "--fault", "flash.of_old", ledger=filled)
    assert run("list", "--fault", "station.bug", ledger=filled) == "0 attempts\n"


def test_the_slots_of_the_line_are_known(filled: Path) -> None:
    """A slot of the configuration that has had no board yet has no attempts, and is no mistake."""
    config = filled.with_name("line.toml")
    config.write_text(small_line("17"))
    config.with_name("recipe.toml").write_text(WITHIN)
    answer = CliRunner().invoke(app, ["numbers", "--slot", "17", "--config", str(config), "--json"])
    assert answer.exit_code == 0, answer.output
    assert CliRunner().invoke(app, ["numbers", "--slot", "18", "--config", str(config)]).exit_code == 2


def test_limits_are_those_of_the_recipe(filled: Path) -> None:
    """The rest of the recipe is not read; a recipe that cannot be read takes the limits away, and not the figures."""
    config, recipe = filled.with_name("line.toml"), filled.with_name("recipe.toml")
    config.write_text(small_line("17"))
    recipe.write_text(WITHIN)
    asked = ["numbers", "--config", str(config), "--json"]
    steps = json.loads(CliRunner().invoke(app, asked).stdout)["steps"]
    assert {name: each["limit"] for name, each in steps.items() if each["limit"]} == {"flash_data": 5, "confirm": 0.5}
    recipe.write_text("[within]\nconfirn = 0.5\n")
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 0
    assert 'did you mean "confirm"?' in answer.stderr
    assert json.loads(answer.stdout)["steps"]["confirm"]["limit"] is None


def _unwrapped(message: str) -> str:
    """The text in the frame that typer draws around it."""
    return " ".join(message.replace("\u2502", " ").split())


def test_a_time_of_day_is_its_latest_occurrence_and_until_follows_since() -> None:
    """A night shift asks for 22:00 to 06:00 without dates."""
    since, until = period("22:00", "6:00")
    assert since is not None
    assert until is not None
    assert since <= datetime.now(UTC) < since + timedelta(days=1, hours=2)
    assert (until.hour, until.date()) == (6, since.date() + timedelta(days=1))


def test_a_date_is_its_beginning_and_until_a_date_its_end() -> None:
    """Both ends on one date are that whole day, in local time."""
    since, until = period("2026-11-23", "2026-11-23")
    assert (since, until) == (datetime(2026, 11, 23).astimezone(), datetime(2026, 11, 24).astimezone())
    assert period("2026-11-23T09:00Z", None) == (datetime(2026, 11, 23, 9, tzinfo=UTC), None)


def test_numbers_count_the_first_judged_attempts(filled: Path) -> None:
    """The failed unit's later pass does not raise the yield."""
    arguments = ["numbers", "--since", YESTERDAY, "--ledger", str(filled)]
    answer = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert (answer["schema"], answer["judged"], answer["passed_first"], answer["first_pass_yield"]) == (1, 2, 1, 0.5)
    one = {"fail": 1, "void": 0, "of_all_fails": 1.0, "cumulative": 1.0}
    assert answer["by"]["slot"] == [{"slot": "9", **one, "judged": 1, "not_chance": False}]
    assert answer["by"]["fault"] == [{"fault": "flash.mismatch", **one}]
    assert answer["by"]["step"] == [{"step": "flash_data", **one}]
    assert "first-pass yield 1 of 2 boards (50.0%)" in CliRunner().invoke(app, arguments).output


async def test_voids_and_laboratory_attempts_are_not_in_the_yield(path: Path, secrets: Secrets) -> None:
    """A void is counted beside the fails, and an attempt of the laboratory in no group."""
    async with Ledger.open(path, station="line-1") as ledger:
        void = await begun(ledger, secrets)
        await recognised(void, board=1)
        await void.finish(Voided("board.removed"))
        laboratory = await begun(ledger, secrets)
        async with laboratory.step(Phase.RECOGNISE):
            await laboratory.record(UnitIdentified.of(target(2)))
            await laboratory.record(LaboratoryUnit())
        await laboratory.finish(Failed("board.silent"))
    answer = json.loads(CliRunner().invoke(app, ["numbers", "--ledger", str(path), "--json"]).output)
    assert (answer["judged"], answer["first_pass_yield"], answer["laboratory"]) == (0, None, 1)
    assert (answer["attempts"], answer["void"], answer["fail"]) == (1, 1, 0)
    assert answer["by"]["fault"] == [
        {"fault": "board.removed", "fail": 0, "void": 1, "of_all_fails": 0.0, "cumulative": 0.0}
    ]


def test_export_writes_all_attempts(filled: Path) -> None:
    """CSV and JSON lines have the same columns; a period without --attempts is wrong usage."""
    rows = list(csv.DictReader(run("export", "--attempts", ledger=filled).splitlines()))
    lines = run("export", "--attempts", "--since", YESTERDAY, "--format", "jsonl", ledger=filled).splitlines()
    assert [list(json.loads(line)) for line in lines] == [list(units.ATTEMPT_COLUMNS)] * 3
    assert [(row["slot"], row["step"], row["verdict"]) for row in rows][1] == ("9", "flash_data", "fail")
    assert rows[0]["recipe"] == RECIPE.name
    assert list(units.ATTEMPT_COLUMNS) == [field.name for field in fields(AttemptRecord)]
    run("export", "--since", YESTERDAY, ledger=filled, status=2)


def test_export_writes_csv(filled: Path, tmp_path: Path) -> None:
    """The CSV has a header, then one row a unit."""
    output = tmp_path / "units.csv"
    run("export", "-o", str(output), ledger=filled)
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["uid"] for row in rows] == [str(target(1).uid), str(target(2).uid)]
    assert (rows[1]["dac_serial_number"], rows[1]["attempts"], rows[1]["fault"]) == ("A2", "2", "")
    assert list(rows[0]) == list(units.COLUMNS)


def test_export_writes_json_lines(filled: Path) -> None:
    """Every line has the CSV's columns under the same names."""
    rows = [json.loads(line) for line in run("export", "--format", "jsonl", ledger=filled).splitlines()]
    assert [list(row) for row in rows] == [list(units.COLUMNS)] * 2
    assert rows[0]["verdict"] == "pass"


def test_every_column_is_documented(path: Path) -> None:
    """The help lists the export's columns."""
    assert list(units.COLUMNS) == [field.name for field in fields(UnitSummary)]
    shown = " ".join(run("export", "--help", ledger=path).split())
    assert all(f"{name}: " in shown for name in units.COLUMNS)


def test_orphans_are_listed(filled: Path) -> None:
    """The list has the unanswered request, and the certificate that its key got later."""
    (orphan,) = json.loads(run_pki("orphans", "--json", ledger=filled))["orphans"]
    assert (orphan["uid"], orphan["live_serial_number"]) == (str(target(2).uid), "A2")
    assert str(target(2).uid) in run_pki("orphans", ledger=filled)


def test_a_missing_ledger_is_a_fault(path: Path) -> None:
    """`main` prints the fault as a sentence and exits with 3."""
    result = CliRunner().invoke(units.app, ["list", "--ledger", str(path)])
    assert isinstance(result.exception, LedgerUnavailable)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["units", "export"], ["pki", "export-revocations"]])
def test_an_export_to_a_closed_output_says_so(filled: Path, command: list[str]) -> None:
    """The shell's `>&-` closes it before the command begins."""
    asked = [sys.executable, "-m", "station", *command, "--ledger", str(filled)]
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *asked], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "[Errno 9] standard output is closed\n")


def test_wrong_usage_has_exit_code_2(path: Path) -> None:
    """Exit code 2 means wrong usage in every command of the station."""
    run("export", "--format", "xlsx", ledger=path, status=2)
