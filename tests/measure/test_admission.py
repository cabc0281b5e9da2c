# SPDX-License-Identifier: Apache-2.0
"""Boards that must not be overwritten."""

from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.daemon.control import CommandRefused
from station.domain.intervention import Decision
from station.domain.samples import Expected
from station.domain.target import Target
from station.factory_data import flat_tlv
from station.factory_data.flash import read_back
from station.faults import Fault
from station.faults.line import LedgerDamaged
from station.faults.unit import TargetLocked, TargetWrong
from station.measure.admission import check_board, check_content
from station.measure.rounds import THROW_AWAY
from tests.builders.bench import Secrets, begun, recognised, target
from tests.domain.test_recipe import PLAIN, finished

BOARD = target(1)


def test_a_line_without_a_ledger_knows_no_unit(tmp_path: Path) -> None:
    """Who sets up a line measures before the first board is made."""
    check_board(BOARD, tmp_path / "ledger.sqlite")


@pytest.mark.parametrize(
    ("board", "fault"),
    [
        (replace(BOARD, device_id=0x435), TargetWrong),
        (replace(BOARD, readout_protection=0xBB), TargetLocked),
        (replace(BOARD, readout_protection=0xCC), TargetLocked),
    ],
    ids=["another part", "level 1", "level 2"],
)
def test_another_part_and_a_protected_one_are_refused(tmp_path: Path, board: Target, fault: type[Fault]) -> None:
    with pytest.raises(fault):
        check_board(board, tmp_path / "ledger.sqlite")


def test_a_board_with_a_key_is_refused_also_without_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="another line's unit"):
        check_board(replace(BOARD, agent_key="c0" * 32), tmp_path / "ledger.sqlite")


def test_a_board_with_a_certificate_is_refused_whoever_put_it_there() -> None:
    """What the measurement itself writes is none, nor is what cannot be read."""
    with pytest.raises(CommandRefused, match="holds a device attestation certificate"):
        check_content(BOARD, read_back(flat_tlv.encode(finished(PLAIN)).ljust(0x4000, b"\xff")))
    for content in (b"\xff" * 0x4000, bytes(0x4000), THROW_AWAY.ljust(0x4000, b"\xff")):
        check_content(BOARD, read_back(content))


async def test_an_identity_makes_a_unit_of_a_board(tmp_path: Path) -> None:
    """Whatever became of it; other boards may be measured."""
    path = tmp_path / "ledger.sqlite"
    async with Ledger.open(path, station="line-1") as ledger:
        identity = await recognised(await begun(ledger, Secrets()), 1)
        with pytest.raises(CommandRefused, match=f"is unit {identity.serial_number} "):
            check_board(BOARD, path)
        check_board(target(2), path)


async def test_a_sample_is_refused(tmp_path: Path) -> None:
    """A bad one has no identity."""
    path = tmp_path / "ledger.sqlite"
    async with Ledger.open(path, station="line-1") as ledger:
        await ledger.samples.add(target(2).uid, Expected("fail", "board.silent"), Decision("engineer", "mute"))
        with pytest.raises(CommandRefused, match="is a sample"):
            check_board(target(2), path)


def test_what_is_no_ledger_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no ledger at all")
    with pytest.raises(LedgerDamaged):
        check_board(BOARD, path)
