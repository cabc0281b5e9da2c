# SPDX-License-Identifier: Apache-2.0
"""The bound equals the figures that the performance study's own script printed for the station's plan."""

import pytest

from benchmarks import bound
from benchmarks.bound import DEFAULT, PROFILES, Sizes

PLAN = Sizes(application=479_006, provisioner=48_874, factory_data=1_600)

# Output of the study's script for these sizes, in seconds; each part of the plan is one or more steps of the procedure.
TOTALS = {"fast-host-v2-1": 17.649, "fast-host-v3": 15.797, "slow-host-v2-1": 23.488}
PARTS = {
    ("recognise",): 0.85,
    ("flash_data", "flash_provisioner"): 3.162997,
    ("await_csr", "relay_to_pki", "deliver"): 0.9 + 0.390132 + 0.150096,
    ("flash_operational",): 11.295836,
    ("confirm",): 0.9,
}


@pytest.mark.parametrize("profile", TOTALS)
def test_the_bound_is_what_the_study_says(profile: str) -> None:
    """The bound of each host and probe equals the study's to the millisecond."""
    assert bound.of(PROFILES[profile], PLAN) == pytest.approx(TOTALS[profile], abs=0.001)


def test_a_board_takes_at_least_seventeen_and_a_half_seconds() -> None:
    """The bound is that of a fast host with an ST-LINK V2-1 and the demonstration's images."""
    assert f"{bound.of(PROFILES[DEFAULT], PLAN):.2f}" == "17.65"


@pytest.mark.parametrize("names", PARTS)
def test_each_step_has_its_part_of_the_plan(names: tuple[str, ...]) -> None:
    """Each step's bound equals the study's part for it."""
    steps = bound.by_step(PROFILES[DEFAULT], PLAN)
    assert sum(steps[name] for name in names) == pytest.approx(PARTS[names], abs=1e-5)


def test_every_step_belongs_to_the_plan() -> None:
    """The plan counts every step once."""
    assert list(bound.by_step(PROFILES[DEFAULT], PLAN)) == [name for names in PARTS for name in names]


def test_verification_in_full_reads_the_application_back() -> None:
    """Reading back goes at 125 kB a second; fast verification compares a check sum instead."""
    longer = bound.of(PROFILES[DEFAULT], PLAN, verified_in_full=True) - bound.of(PROFILES[DEFAULT], PLAN)
    assert longer == pytest.approx(479_006 / 125_000 - 0.15)


def test_a_board_that_is_not_erased_saves_the_provisioners_pages_and_reads_its_witnesses() -> None:
    """A sector of 130 ms and twelve pages of 22 ms, for twice 1,600 and twice 4,096 bytes at 125 kB a second."""
    saved = bound.of(PROFILES[DEFAULT], PLAN) - bound.of(PROFILES[DEFAULT], PLAN, erased=False)
    assert saved == pytest.approx(0.130 + 12 * 0.022 - 2 * (1_600 + 4_096) / 125_000)
    steps, spared = (bound.by_step(PROFILES[DEFAULT], PLAN, erased=erased) for erased in (True, False))
    assert {name for name, seconds in steps.items() if spared[name] != seconds} == {"flash_data", "flash_provisioner"}


def test_the_provisioning_firmware_in_ram_saves_its_pages_and_on_blank_boards_all_erases() -> None:
    """Its erase and its programming, its loader, and a reset; of a blank board also 117 pages and a sector, for three witnesses."""
    default = PROFILES[DEFAULT]
    saved = bound.of(default, PLAN) - bound.of_ram(default, PLAN)
    assert saved == pytest.approx(0.22 + 12 * 0.022 + 48_874 / 8 * 81.7e-6 + 0.05)
    spared = bound.of_ram(default, PLAN) - bound.of_ram(default, PLAN, erased=False)
    assert spared == pytest.approx(117 * 0.022 + 0.130 - 2 * (1_600 + 4_096) / 125_000)
    assert sorted(bound.in_ram_by_step(default, PLAN)) == sorted(bound.by_step(default, PLAN))


def test_the_calls_of_sts_tool_take_as_long_as_the_study_says() -> None:
    """The study has 24.4 s a board, 19.9 s with an ST-LINK V3, 30.2 s on a slow host, without the list; boards that share a thread wait."""
    fast = PROFILES[DEFAULT]
    for name, seconds in {DEFAULT: 24.4, "fast-host-v3": 19.9, "slow-host-v2-1": 30.2}.items():
        one = bound.of_st_calls(PROFILES[name], PLAN, 1, 6) - bound.of_st_list(PROFILES[name], 1)
        assert one == pytest.approx(seconds, abs=0.2)
    assert bound.of_st_list(fast, 8) == pytest.approx(0.35 + 1.0 + 8 * 0.5)
    of_eight = bound.of_st_calls(fast, PLAN, 8, 6) - bound.of_st_list(fast, 8)
    assert of_eight == pytest.approx(2 * (bound.of_st_calls(fast, PLAN, 6, 6) - bound.of_st_list(fast, 6)))


def test_the_next_cuts_come_dearest_first() -> None:
    """The greatest saving comes first; each saves some time and never the whole cycle."""
    saved = [cut.seconds for cut in bound.next_cuts(PROFILES[DEFAULT], PLAN)]
    assert saved == sorted(saved, reverse=True)
    assert saved[-1] > 0
    assert saved[0] < bound.of(PROFILES[DEFAULT], PLAN) / 2
