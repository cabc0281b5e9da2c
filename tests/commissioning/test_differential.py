# SPDX-License-Identifier: Apache-2.0
"""The CHIP SDK's verifier beside the station's: no mutated attestation passes here that a commissioner would refuse."""

import pytest

from tests.commissioning.differential import Tally, compared, listed

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(1800)]

SEED, CASES = "test", 4000


@pytest.fixture(scope="module")
def tally() -> Tally:
    return compared(SEED, range(CASES))


def test_the_station_accepts_nothing_that_the_sdk_refuses(tally: Tally) -> None:
    """A unit that passes here and cannot be commissioned is a false pass."""
    assert tally.accepted_alone == []


def test_each_refusal_of_the_station_alone_is_listed(tally: Tally) -> None:
    """Its rule and its reason are in the file of reviewed refusals."""
    assert tally.refused_unlisted == []


def test_both_accept_and_both_refuse_many(tally: Tally) -> None:
    """Otherwise the comparison would prove nothing."""
    assert (
        min(tally.cases["accepted here, accepted by CHIP"], tally.cases["refused here, refused by CHIP"]) > CASES // 10
    )


def test_each_listed_refusal_has_a_reason() -> None:
    """Nobody lists a refusal without a review."""
    assert all(entry.why for entry in listed())
