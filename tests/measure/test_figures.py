# SPDX-License-Identifier: Apache-2.0
"""What measured times say: medians, the nearest profile, the cycle."""

import pytest

from station.domain.product import Plan
from station.measure.figures import by_model, cycle, report
from station.measure.model import PROFILES, Sizes

SIZES = Sizes(application=479_006, provisioner=48_874, factory_data=1_600, ram_image=9_440, internal_read=65_536)


@pytest.mark.parametrize("name", PROFILES)
def test_a_board_that_is_as_the_model_has_its_profile(name: str) -> None:
    found = report([by_model(PROFILES[name], SIZES)], SIZES, verified_in_full=False)
    assert found.nearest == name
    assert found.differences[name] == 0.0
    assert {figure.ratio for figure in found.figures} == {1.0}
    assert list(found.cycles) == [Plan.FLASH, Plan.RAM]
    assert all(by_figures == by_profile for by_figures, by_profile in found.cycles.values())


def test_short_durations_that_a_busy_pc_spoils_do_not_choose_the_profile() -> None:
    """A PC that reads every line 30 ms late nearly doubles the shortest, and still is nearest to its own profile."""
    usual = by_model(PROFILES["fast-host-v2-1"], SIZES)
    found = report([{name: seconds + 0.03 for name, seconds in usual.items()}], SIZES, verified_in_full=False)
    assert found.nearest == "fast-host-v2-1"
    assert found.differences[found.nearest] == pytest.approx(0.03 * len(usual))


def test_the_median_counts_and_the_spread_is_told() -> None:
    """One slow round of three changes no figure."""
    usual = dict(by_model(PROFILES["fast-host-v2-1"], SIZES))
    rounds = [{**usual, "boot": seconds} for seconds in (1.0, 9.0, 0.9)]
    found = report(rounds, SIZES, verified_in_full=False)
    boot = next(figure for figure in found.figures if figure.quantity.name == "boot")
    assert (boot.least, boot.median, boot.most) == (0.9, 1.0, 9.0)
    assert all(by_figures == by_profile for by_figures, by_profile in found.cycles.values())


def test_a_boot_within_the_end_of_the_programmer_costs_no_time() -> None:
    """The station waits for the programmer's end in any case."""
    usual = dict(by_model(PROFILES["fast-host-v2-1"], SIZES))
    cycles = [cycle(Plan.FLASH, {**usual, "boot": boot}, verified_in_full=False) for boot in (0.0, 0.05, 0.1, 1.1)]
    assert cycles[0] == cycles[1] == pytest.approx(cycles[2])
    assert cycles[3] == pytest.approx(cycles[0] + 2)


def test_a_quantity_that_no_round_has_is_left_out() -> None:
    """Without a start in RAM the other figures are told all the same."""
    times = {n: s for n, s in by_model(PROFILES["fast-host-v2-1"], SIZES).items() if not n.startswith("ram_")}
    found = report([times], SIZES, verified_in_full=False)
    assert [figure.quantity.name for figure in found.figures] == list(times)
    assert list(found.cycles) == [Plan.FLASH]


def test_times_that_are_too_short_to_be_measured_have_a_ratio_and_no_rate() -> None:
    """A programmer that says everything at its end, or a bench that takes no time."""
    found = report([dict.fromkeys(by_model(PROFILES["fast-host-v2-1"], SIZES), 0.0)], SIZES, verified_in_full=False)
    assert {figure.rate for figure in found.figures} == {None}
    assert {figure.ratio for figure in found.figures} == {0.0}


def test_verification_in_full_makes_the_cycle_longer_by_its_difference() -> None:
    times = by_model(PROFILES["fast-host-v2-1"], SIZES)
    fast, full = (report([times], SIZES, verified_in_full=full).cycles[Plan.RAM][0] for full in (False, True))
    assert full - fast == pytest.approx(479_006 / 125_000 - 0.15)
