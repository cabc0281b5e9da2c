# SPDX-License-Identifier: Apache-2.0
"""The totals, which are updated with each event, equal the sums over attempts and identities."""

import hmac
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from station.adapters.ledger import Ledger, migrations, sqlite, vault
from station.adapters.ledger.journal import AttemptJournal
from station.adapters.ledger.pairing import key_file
from station.adapters.ledger.reader import LedgerReader
from station.adapters.ledger.register import default_folder
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.vault import Vault
from station.domain.attempt import (
    Confirmed,
    CredentialsFound,
    FactoryDataWritten,
    Failed,
    LaboratoryUnit,
    Passed,
    Phase,
    UnitIdentified,
    Verdict,
    Voided,
)
from station.domain.identity import OnboardingSecrets
from station.domain.product import KeyStorage
from tests.builders.bench import Secrets, begun, execute, recognised, target


async def before_its_verdict(ledger: Ledger, board: int) -> AttemptJournal:
    """An attempt whose steps are all done."""
    journal = await begun(ledger, Secrets((board,)))
    await recognised(journal, board)
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    for step in (Phase.FLASH_PROVISIONER, Phase.DELIVER, Phase.FLASH_OPERATIONAL):
        async with journal.step(step):
            pass
    async with journal.step(Phase.CONFIRM):
        await journal.record(CredentialsFound("c0" * 32, "0A", KeyStorage.FLASH))
        await journal.record(Confirmed())
    return journal


VERDICTS: dict[str, Callable[[], Verdict]] = {
    "pass": Passed,
    "fail": lambda: Failed("board.silent"),
    "void": lambda: Voided("board.removed"),
}


@pytest.mark.parametrize("second", VERDICTS)
@pytest.mark.parametrize("first", VERDICTS)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_first_pass_yield_is_that_of_the_attempt_that_began_first(
    ledger: Ledger, path: Path, first: str, second: str, order: tuple[int, int]
) -> None:
    """Only judged attempts count, in whatever order they ended; a recount gives the same numbers."""
    journals = [await before_its_verdict(ledger, board=7) for _ in range(2)]
    for index in order:
        await journals[index].finish(VERDICTS[(first, second)[index]]())
    counted = LedgerReader(path).totals()
    judged = [verdict for verdict in (first, second) if verdict != "void"]
    assert (counted.judged, counted.passed_first) == (bool(judged), judged[:1] == ["pass"])
    execute(path, "UPDATE totals SET attempts = 99, judged = 99, passed_first = 99, void = 99")
    await ledger.rebuild()
    assert LedgerReader(path).totals() == counted


async def test_a_laboratorys_attempt_is_counted_once_and_not_judged(ledger: Ledger, path: Path) -> None:
    """The journal may state several times that the unit is the laboratory's."""
    journal = await begun(ledger, Secrets())
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(7)))
        await journal.record(LaboratoryUnit())
        await journal.record(LaboratoryUnit())
    await journal.finish(Failed("board.silent"))
    counted = LedgerReader(path).totals()
    assert (counted.laboratory, counted.failed, counted.judged) == (1, 1, 0)
    await ledger.rebuild()
    assert LedgerReader(path).totals() == counted


async def test_a_ledger_of_the_first_version_is_counted_when_it_is_opened(path: Path, tmp_path: Path) -> None:
    """The migration finds the laboratory's attempts and keeps the data about its units."""
    (tmp_path / "now").mkdir()
    now = tmp_path / "now" / "ledger.sqlite"
    async with Ledger.open(now, station="line-1") as ledger:
        await (await before_its_verdict(ledger, board=7)).finish(Failed("board.silent"))
        await (await before_its_verdict(ledger, board=7)).finish(Passed())
        laboratory = await begun(ledger, Secrets())
        async with laboratory.step(Phase.RECOGNISE):
            await laboratory.record(UnitIdentified.of(target(7)))
            await laboratory.record(LaboratoryUnit())
        await laboratory.finish(Failed("board.silent"))
        await (await before_its_verdict(ledger, board=8)).finish(Passed())
        await begun(ledger, Secrets())
    make_first_version(path, now)
    async with Ledger.open(path, station="line-1") as ledger:
        assert LedgerReader(path).totals() == LedgerReader(now).totals()
        assert list(LedgerReader(path).units()) == list(LedgerReader(now).units())
        identity = await recognised(await begun(ledger, Secrets()), board=7)
    assert identity.confirmation is not None


def opened_secrets(ledger: Path) -> Iterator[tuple[int, OnboardingSecrets]]:
    keys = StationKeys.of(default_folder(), ledger)
    with sqlite.reading(ledger) as connection, connection.begin():
        for number, secrets in vault.remembered(connection, Vault.of(ledger, connection, keys)):
            assert secrets is not None
            yield number, secrets


def in_clear(ledger: Path) -> list[tuple[object, ...]]:
    """The rows of the first version's table of secrets."""
    return [
        (number, each.passcode.value, each.salt, each.iterations, each.verifier, None)
        for number, each in opened_secrets(ledger)
    ]


def pair_hashes(ledger: Path) -> list[tuple[bytes, int]]:
    """The whole hash of each pair, which earlier versions kept."""
    key = key_file(ledger).read_bytes()
    pairs = [
        (number, each.passcode.value.to_bytes(4, "little") + each.discriminator.value.to_bytes(2, "little"))
        for number, each in opened_secrets(ledger)
    ]
    return [(hmac.digest(key, pair, "sha256"), number) for number, pair in pairs]


def make_first_version(path: Path, of: Path) -> None:
    """Converts a ledger to the first version of the tables."""
    with create_engine(f"sqlite:///{path}").connect() as made, made.begin():
        config = Config(attributes={"connection": made})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.upgrade(config, "0001")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ATTACH ? AS now", (str(of),))
        for table in ("attempt", "event", "identity", "pki_request", "certificate"):
            names = ", ".join(name for _, name, *_ in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")  # noqa: S608  our names
        connection.executemany("INSERT INTO onboarding_secret VALUES (?, ?, ?, ?, ?, ?)", in_clear(of))
        connection.executemany("UPDATE identity SET pairing_hash = ? WHERE id = ?", pair_hashes(of))
        connection.commit()
    shutil.copy(of.with_name(f"{of.name}.key"), path.with_name(f"{path.name}.key"))
