# SPDX-License-Identifier: Apache-2.0
"""Twenty thousand spoiled inputs; `make fuzz-readers` runs a million."""

import sys
from collections import Counter
from random import Random

import pytest

from tests.builders.forge import DAC
from tests.fuzz.mutations import mutated
from tests.fuzz.readers import FalsePassError, Target, run_case, targets

pytestmark = pytest.mark.slow

EVERYTHING = tuple(targets())


@pytest.mark.parametrize("first", range(0, 20_000, 2_000))
def test_every_spoiled_input_is_refused_by_name_or_good(first: int) -> None:
    """No reader crashes, or accepts input with a broken signature or verifier."""
    seen = Counter(run_case(EVERYTHING, number) for number in range(first, first + 2_000))
    assert {name for name, _ in seen} == {target.name for target in EVERYTHING}
    assert len({refusal for _, refusal in seen}) > 20  # and not all for the same reason


def test_a_false_pass_and_a_crash_are_noticed_with_their_case() -> None:
    """The report has the input, so that it can become a test."""

    def believe(_seed: bytes, _data: bytes) -> None:
        raise FalsePassError

    def stumble(_seed: bytes, data: bytes) -> None:
        sys.stdout.write(str(data[1_000]))

    with pytest.raises(FalsePassError) as caught:
        run_case((Target("believer", (DAC.der,), believe),), 7)
    assert caught.value.__notes__[0].startswith("case 7, believer: ")
    with pytest.raises(IndexError):
        run_case((Target("stumbler", (DAC.der,), stumble),), 7)


def test_a_case_is_the_same_every_time() -> None:
    """A case can be repeated from its number alone."""
    assert mutated(Random(5), DAC.der, [DAC.der]) == mutated(Random(5), DAC.der, [DAC.der])
    assert len({mutated(Random(number), DAC.der, [DAC.der]) for number in range(100)}) > 90
