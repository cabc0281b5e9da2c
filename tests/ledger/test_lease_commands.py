# SPDX-License-Identifier: Apache-2.0
"""`station leases` and `station ledger audit`: what a ledger holds of the centre's numbers, and whether its chain is whole."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.cli.exit_codes import DONE, FAILED
from station.daemon.control import CommandRefused
from station.daemon.lease_commands import LeaseCommands
from tests.builders.bench import LOT, RECIPE, begun, execute, recognised, target
from tests.builders.commands import station
from tests.builders.sharing import enrol, enrolled, lines, of, stock, stocked
from tests.cli.hostile import configuration


def said(*arguments: str | Path, status: int = DONE) -> str:
    result = station(*arguments)
    assert result.exit_code == status, result.output
    return result.output


def shown(path: Path) -> dict[str, object]:
    content = json.loads(said("leases", "show", "--ledger", path, "--json"))
    assert isinstance(content, dict)
    return content


def states(path: Path) -> dict[object, tuple[object, object]]:
    blocks = shown(path)["blocks"]
    assert isinstance(blocks, list)
    return {block["number"]: (block["state"], block["left"]) for block in blocks}


async def test_what_is_left_is_shown_by_block(path: Path) -> None:
    """A unit needs a serial number and a pair; a block that a unit was taken from is open."""
    async with stocked(path) as (ledger, secrets):
        await stock(ledger, [2])
        await recognised(await begun(ledger, secrets), board=1)
    assert states(path) == {0: ("open", 255), 2: ("unused", 256)}
    content, text = shown(path), said("leases", "show", "--ledger", path)
    assert content["items"] == content["pairs"] == 511
    assert "511 serial numbers and 511 pairs left" in text
    assert f"lot {LOT.name}: its highest block here is 2" in text
    assert "SN000513" in text  # the first one of block 2
    assert RECIPE.release[:12] in text


async def test_an_open_request_and_lines_that_wait_are_told(path: Path) -> None:
    async with enrolled(path) as ledger:
        await of(ledger).begin_request(LOT.name, RECIPE.release, 4)
    text = said("leases", "show", "--ledger", path)
    assert "4 blocks asked for" in text
    assert "1 line of 1 not confirmed by the centre" in text


async def test_blocks_of_an_earlier_incarnation_are_burned(path: Path) -> None:
    async with stocked(path) as (ledger, _):
        await enrol(ledger, 2)
    assert states(path) == {0: ("burned", 0)}
    assert shown(path)["items"] == 0
    assert "burned" not in said("leases", "show", "--ledger", path)
    assert "burned" in said("leases", "show", "--all", "--ledger", path)


async def test_a_ledger_of_its_own_has_neither_leases_nor_a_chain(path: Path) -> None:
    async with Ledger.open(path, station="line-1"):
        pass
    assert "its own" in said("leases", "show", "--ledger", path)
    assert shown(path)["shared"] is False
    assert "no chain" in said("ledger", "audit", "--ledger", path)


async def test_the_audit_finds_a_changed_line(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await recognised(await begun(ledger, secrets), board=1)
    assert "sound" in said("ledger", "audit", "--ledger", path)
    execute(path, "DROP TRIGGER chain_no_update")  # whoever changes the file can do that, too
    execute(path, "UPDATE chain SET body = replace(body, 'SN000001', 'SN000009') WHERE type = 'IdentityTaken'")
    broken = said("ledger", "audit", "--ledger", path, status=FAILED)
    assert "incarnation 1, line" in broken
    assert "it was changed" in broken


@pytest.mark.parametrize("command", [("leases", "show"), ("ledger", "audit")])
def test_a_ledger_that_is_not_there_is_said_so(command: tuple[str, str], path: Path) -> None:
    with pytest.raises(Exception, match="there is no ledger"):
        station(*command, "--ledger", path)


class Asked:
    """A control socket's question."""

    def __init__(self, ledger: Ledger, made_now: str | None = None) -> None:
        self._commands = LeaseCommands(ledger, lambda: made_now)

    async def give_back(self, lot: str) -> object:
        answer = await self._commands.by_name["leases_return"]({"who": "anna", "lot": lot})
        assert isinstance(answer, Mapping)
        return answer["blocks"]


async def test_whole_blocks_are_given_back_and_never_used_again(path: Path) -> None:
    """Through the daemon; an open block stays. The journal tells the centre."""
    async with stocked(path) as (ledger, secrets):
        await stock(ledger, [1, 2])
        await recognised(await begun(ledger, secrets), board=1)
        assert await Asked(ledger).give_back(LOT.name) == [1, 2]
        assert await Asked(ledger).give_back("another") == []
        told = [json.loads(line.text)[2] for line in await lines(ledger)]
    assert told.count("BlockGivenBack") == 2
    assert states(path) == {0: ("open", 255), 1: ("given back", 0), 2: ("given back", 0)}


async def test_the_lot_that_the_line_makes_is_not_given_back(path: Path) -> None:
    async with stocked(path) as (ledger, _):
        with pytest.raises(CommandRefused, match="makes lot"):
            await Asked(ledger, made_now=LOT.name).give_back(LOT.name)
    async with Ledger.open(path.with_name("alone.sqlite"), station="line-1") as alone:
        with pytest.raises(CommandRefused, match="its own"):
            await Asked(alone).give_back(LOT.name)


@pytest.fixture
def config(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that names the fleet's key."""
    key = path.with_name("fleet.key")
    key.touch(0o600)
    key.write_bytes(bytes(range(32)))
    file = path.with_name("line.toml")
    file.write_text(configuration() + f'[shared]\ndsn = "host=db"\nfleet_key = "{key}"\n')
    monkeypatch.setenv("STATION_CONFIG", str(file))
    return file


def test_a_ledger_without_its_daemon_is_opened_with_the_fleets_key(path: Path, config: Path) -> None:
    """Also by commands that decide about units."""

    async def fill() -> None:
        async with stocked(path) as (ledger, secrets):
            await stock(ledger, [1])
            await recognised(await begun(ledger, secrets), board=1)

    asyncio.run(fill())
    for _ in range(2):
        assert "so far: blocks 1" in said("leases", "return", LOT.name, "--ledger", path)
    assert "no block is whole" in said("leases", "return", "another", "--ledger", path)
    assert "new board" in said(
        "units", "fresh", str(target(1).uid), "--reason", "lost with its station", "--ledger", path
    )
    config.with_name("fleet.key").unlink()
    with pytest.raises(CommandRefused, match="fleet key"):
        station("leases", "return", LOT.name, "--ledger", path)
