# SPDX-License-Identifier: Apache-2.0
"""The boards that a recipe spares the erase: those of which nothing is known."""

from dataclasses import replace

import pytest

from station.domain.coprocessor import WirelessStack
from station.domain.identity import Identity, IdentityState
from station.domain.product import Erase
from station.domain.target import Target
from station.recipe.checks import may_be_blank
from station.recipe.recipe import Recipe
from tests.domain.test_recipe import IDENTITY, PLAIN

SPARES = replace(PLAIN, erase=Erase.AS_NEEDED)
NEW = replace(IDENTITY, attempts=1, state=IdentityState.RESERVED)
BOARD = Target(IDENTITY.uid, 0x495, "Rev Y", 3300, 0xAA, "V3J15M6", "2.19.0")


def test_a_board_that_the_ledger_meets_for_the_first_time_may_be_blank() -> None:
    assert may_be_blank(SPARES, BOARD, NEW)


@pytest.mark.parametrize(
    ("recipe", "board", "identity"),
    [
        (PLAIN, BOARD, NEW),
        (replace(SPARES, wireless_stack=WirelessStack("stack.bin", b"", 0x08094000, None)), BOARD, NEW),
        (SPARES, replace(BOARD, agent_key="c0" * 32), NEW),
        (SPARES, BOARD, replace(NEW, attempts=2)),
        (SPARES, BOARD, replace(NEW, state=IdentityState.ON_BOARD)),
        (SPARES, BOARD, replace(NEW, state=IdentityState.PASSED)),
    ],
)
def test_a_board_that_something_is_known_of_is_erased(recipe: Recipe, board: Target, identity: Identity) -> None:
    """The recipe asks for it, FUS has written its operator, an agent has made its key, or an earlier attempt may have written."""
    assert not may_be_blank(recipe, board, identity)
