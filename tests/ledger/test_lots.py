# SPDX-License-Identifier: Apache-2.0
"""Lots for work orders: new units come from the open one and never are too many; no serial number is in two lots."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.domain.attempt import Phase
from station.domain.identity import Lot
from station.domain.intervention import Decision, DecisionRefused
from station.domain.work_order import LotClosed, LotOpened, LotPaused, LotResumed, Traced
from station.faults.line import LotExhausted, LotFull, LotNotOpen, LotRecipeChanged
from tests.builders.bench import RECIPE, Secrets, begun, passed, recipe_with, recognised, rows

ANNA = Decision("anna", "order of the week")


def lot(name: str = "W1", *, pattern: str = "W{:04d}", first: int = 1, size: int = 10, planned: int = 3) -> LotOpened:
    return LotOpened(name, f"WO-{name}", RECIPE.name, RECIPE.sha256, planned, pattern, first, size)


async def unit(ledger: Ledger, secrets: Secrets, board: int) -> str:
    identity = await recognised(await begun(ledger, secrets), board)
    return identity.serial_number


async def test_new_units_come_from_the_open_lot(ledger: Ledger, secrets: Secrets) -> None:
    """The recipe's own lot is for a line that never had a work order."""
    assert await unit(ledger, secrets, 1) == "SN000001"
    await ledger.open_lot(lot(), ANNA)
    journal = await begun(ledger, secrets)
    assert journal.traced == Traced("W1", "WO-W1")
    assert (await recognised(journal, 2)).serial_number == "W0001"
    await ledger.change_lot(LotClosed("W1"), ANNA)
    with pytest.raises(LotNotOpen, match="W1 is closed"):
        await unit(ledger, secrets, 3)


async def test_a_unit_stays_in_its_own_lot(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Its later attempts are traced to that lot and its order, whichever is open by then."""
    await ledger.open_lot(lot(), ANNA)
    await unit(ledger, secrets, 1)
    await ledger.change_lot(LotClosed("W1"), ANNA)
    await ledger.open_lot(lot("W2", first=11), ANNA)
    journal = await begun(ledger, secrets)
    assert journal.traced.lot == "W2"
    await recognised(journal, 1)
    async with journal.step(Phase.FLASH_DATA):
        assert journal.traced == Traced("W1", "WO-W1")
        assert rows(path, "SELECT lot FROM attempt ORDER BY id") == [("W1",), ("W1",)]


async def test_no_unit_begins_beyond_the_plan(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Sixty-four boards at once get the planned identities and not one more; each that has one goes on."""
    await ledger.open_lot(lot(planned=40, size=100), ANNA)

    async def plugged(board: int) -> LotFull | None:
        try:
            await unit(ledger, secrets, board)
        except LotFull as fault:
            return fault
        return None

    async with asyncio.TaskGroup() as group:
        tasks = {board: group.create_task(plugged(board)) for board in range(64)}
    begun_ones = [board for board, task in tasks.items() if task.result() is None]
    refused = [fault.evidence for task in tasks.values() if (fault := task.result()) is not None]
    assert refused == [{"lot": "W1", "planned": "40"}] * 24
    assert len(begun_ones) == 40
    assert rows(path, "SELECT live, (SELECT count(*) FROM identity) FROM lot") == [(40, 40)]
    for board in begun_ones[:3]:
        assert (await unit(ledger, secrets, board)).startswith("W")


async def test_a_lot_without_serial_numbers_gives_none(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The range ends although the plan does not: here after a unit whose identity nobody can use any more."""
    await ledger.open_lot(lot(planned=2, size=2), ANNA)
    await unit(ledger, secrets, 1)
    await unit(ledger, secrets, 2)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE lot SET live = 1")
    with pytest.raises(LotExhausted, match="W1"):
        await unit(ledger, secrets, 3)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "W1"}, "a name is never given twice"),
        ({"name": "LOT-1"}, "units have been made in a lot LOT-1"),
        ({"pattern": "W0{:03d}", "first": 9}, "lot W1 has serial numbers among W0009 to W0018"),
        ({"pattern": "SN{:06d}"}, "a unit of lot LOT-1 has the serial number SN000001"),
        ({"pattern": "SN0{:05d}"}, "a unit of lot LOT-1 has the serial number SN000001"),
        ({"planned": 11}, "11 units are planned with 10 serial numbers"),
        ({"planned": 0}, "0 units are planned"),
        ({"pattern": "no number"}, "does not do: it has no numbers"),
        ({"pattern": "X{:02d}", "first": 95}, "does not do: its number has 2 digits"),
        ({"pattern": "X" * 40 + "{}"}, "does not do"),
        ({"name": " W2"}, "the name must be one line"),
        ({"work_order": "a\nb"}, "the work order must be one line"),
        ({"size": 2_000_000_000, "pattern": "X{:012d}"}, "beyond"),
    ],
)
async def test_a_lot_that_cannot_be_is_refused(
    ledger: Ledger, path: Path, secrets: Secrets, changes: dict[str, str | int], why: str
) -> None:
    """Each refusal is a sentence, and changes nothing."""
    await unit(ledger, secrets, 1)
    await ledger.open_lot(lot(), ANNA)
    await ledger.change_lot(LotClosed("W1"), ANNA)
    wanted = replace(lot("W2", pattern="X{:05d}", first=1), **changes)  # type: ignore[arg-type]  # by name
    with pytest.raises(DecisionRefused, match=why):
        await ledger.open_lot(wanted, ANNA)
    assert rows(path, "SELECT name, state FROM lot") == [("W1", "closed")]


async def test_the_file_itself_refuses_a_second_owner_of_a_serial_number(ledger: Ledger, path: Path) -> None:
    """Whoever writes there: the range of a closed lot is taken for ever, and what is known of a lot is never edited."""
    await ledger.open_lot(lot(), ANNA)
    await ledger.change_lot(LotClosed("W1"), ANNA)
    new = "INSERT INTO lot_range (lot, shape, fixed, low, high) VALUES ('W1', 'W••••', '', ?, ?)"
    with closing(sqlite3.connect(path)) as connection, connection:
        with pytest.raises(sqlite3.IntegrityError, match="in common"):
            connection.execute(new, ("0010", "0020"))
        for edit in ("UPDATE lot_range SET low = '9'", "DELETE FROM lot_range", "DELETE FROM lot_event"):
            with pytest.raises(sqlite3.IntegrityError, match="never edited"):
                connection.execute(edit)
        with pytest.raises(sqlite3.IntegrityError, match="live"):
            connection.execute("UPDATE lot SET live = planned + 1")
        connection.execute(new, ("0011", "0020"))


async def test_one_lot_is_open_at_a_time(ledger: Ledger) -> None:
    """So it is never in doubt where a new unit belongs."""
    await ledger.open_lot(lot(), ANNA)
    with pytest.raises(DecisionRefused, match="lot W1 is open"):
        await ledger.open_lot(lot("W2", first=11), ANNA)
    await ledger.change_lot(LotPaused("W1"), ANNA)
    await ledger.open_lot(lot("W2", first=11), ANNA)
    with pytest.raises(DecisionRefused, match="lot W2 is open"):
        await ledger.change_lot(LotResumed("W1"), ANNA, recipe=RECIPE.sha256)


async def test_a_paused_lot_gives_nothing_and_goes_on_where_it_was(ledger: Ledger, secrets: Secrets) -> None:
    """Units that have begun are not concerned."""
    await ledger.open_lot(lot(), ANNA)
    await unit(ledger, secrets, 1)
    await ledger.change_lot(LotPaused("W1"), ANNA)
    with pytest.raises(LotNotOpen, match="W1 is paused"):
        await unit(ledger, secrets, 2)
    assert await unit(ledger, secrets, 1) == "W0001"
    with pytest.raises(DecisionRefused, match="the line's recipe is another one or has changed"):
        await ledger.change_lot(LotResumed("W1"), ANNA, recipe="00" * 32)
    await ledger.change_lot(LotResumed("W1"), ANNA, recipe=RECIPE.sha256)
    assert await unit(ledger, secrets, 2) == "W0002"


@pytest.mark.parametrize(
    ("deeds", "why"),
    [
        ([LotPaused("W2")], "lot W2 does not exist"),
        ([LotResumed("W1")], "lot W1 is open already"),
        ([LotPaused("W1"), LotPaused("W1")], "lot W1 is paused already"),
        ([LotClosed("W1"), LotClosed("W1")], "lot W1 is closed already"),
        ([LotClosed("W1"), LotResumed("W1")], "lot W1 is closed"),
    ],
)
async def test_what_cannot_happen_to_a_lot_is_refused(
    ledger: Ledger, deeds: list[LotPaused | LotResumed | LotClosed], why: str
) -> None:
    await ledger.open_lot(lot(), ANNA)
    for deed in deeds[:-1]:
        await ledger.change_lot(deed, ANNA)
    with pytest.raises(DecisionRefused, match=why):
        await ledger.change_lot(deeds[-1], ANNA, recipe=RECIPE.sha256)


async def test_another_recipe_makes_no_unit_of_the_order(ledger: Ledger, secrets: Secrets) -> None:
    """The order names the recipe by its content: a change under way would mix two products in one lot."""
    await ledger.open_lot(lot(), ANNA)
    changed = replace(RECIPE, sha256="77" * 32)
    with pytest.raises(LotRecipeChanged, match="777777777777"):
        await recognised(await begun(ledger, secrets, recipe=changed), 1, changed)
    assert (await begun(ledger, secrets, recipe=changed)).traced == Traced(RECIPE.lot_name)


async def test_a_person_without_a_reason_is_refused(ledger: Ledger) -> None:
    with pytest.raises(DecisionRefused, match="the reason must be one line"):
        await ledger.open_lot(lot(), Decision("anna", " "))
    await ledger.open_lot(lot(), ANNA)
    with pytest.raises(DecisionRefused, match="the reason must be one line"):
        await ledger.change_lot(LotClosed("W1"), Decision("anna", ""))


async def test_lots_can_be_rebuilt(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """State and count follow from events and identities alone."""
    await ledger.open_lot(lot(), ANNA)
    await passed(await begun(ledger, secrets), board=1)
    await ledger.change_lot(LotPaused("W1"), ANNA)
    await ledger.open_lot(lot("W2", first=11), ANNA)
    await ledger.change_lot(LotClosed("W2"), ANNA)
    before = rows(path, "SELECT * FROM lot")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE lot SET state = 'closed', live = 0")
    await ledger.rebuild()
    assert rows(path, "SELECT * FROM lot") == before


async def test_a_recipes_lot_goes_on_as_ever_without_orders(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Two lots of recipes may overlap on paper, as long as no serial number would be given out twice."""
    await unit(ledger, secrets, 1)
    later = recipe_with(Lot("LOT-2", "SN{:06d}", first=2, size=10))
    journal = await begun(ledger, secrets, recipe=later)
    assert (await recognised(journal, 2, later)).serial_number == "SN000002"
    assert journal.traced == Traced("LOT-2")
    assert rows(path, "SELECT count(*) FROM lot") == [(0,)]
