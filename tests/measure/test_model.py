# SPDX-License-Identifier: Apache-2.0
"""The station's copy of the model is that of the benchmark and of the virtual bench, which share no code with it."""

from dataclasses import fields

import pytest

from benchmarks import bound
from station.domain.product import Plan
from station.measure import model
from station.measure.figures import QUANTITIES, by_model, cycle
from station.measure.model import PROFILES, Profile, Sizes
from virtual_bench.timing import profile as bench

SIZES = [
    Sizes(application=479_006, provisioner=48_874, factory_data=1_600, ram_image=49_000),
    Sizes(application=4_097, provisioner=9_252, factory_data=1, ram_image=9_440),
]
# The bench's names of the constants that have other names here.
BENCHS = {
    "start_of_process": "process_start",
    "connection": "connect",
    "end_of_process": "exit",
    "loader_into_ram": "internal_loader",
    "fast_verification": "verify_fast",
    "write_rate": "swd_write",
    "read_rate": "swd_read",
    "erase_page": "page_erase",
    "program_double_word": "double_word",
    "erase_external_sector": "external_sector_erase",
    "program_external_page": "external_page_program",
    "curve_operation": "p256_operation",
    "uart_rate": "uart_bytes",
}


def test_all_three_know_the_same_profiles() -> None:
    assert list(PROFILES) == list(bound.PROFILES) == list(bench.PROFILES)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("constant", [each.name for each in fields(Profile)])
def test_every_constant_is_that_of_benchmark_and_bench(name: str, constant: str) -> None:
    """The bench has no constant for the PKI, which is a server of its own."""
    value = getattr(PROFILES[name], constant)
    assert value == getattr(bound.PROFILES[name], constant)
    if constant != "pki":
        assert value == getattr(bench.PROFILES[name], BENCHS.get(constant, constant))


@pytest.mark.parametrize(
    "name",
    ["EXTERNAL_PAGE", "TRANSFER_OF_A_PAGE", "CSR_BYTES", "CERTIFICATES_BYTES", "PROOF_BYTES", "CURVE_OPERATIONS"],
)
def test_every_size_is_that_of_the_benchmark(name: str) -> None:
    assert getattr(model, name) == getattr(bound, name)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("plan", Plan)
def test_the_cycle_by_the_model_is_the_benchmarks_bound(name: str, sizes: Sizes, plan: Plan, *, full: bool) -> None:
    """So whatever a board differs in is the board's, and not the sum's."""
    agent, of = (sizes.ram_image, bound.of_ram) if plan is Plan.RAM else (sizes.provisioner, bound.of)
    theirs = bound.Sizes(sizes.application, agent, sizes.factory_data)
    ours = cycle(plan, by_model(PROFILES[name], sizes), verified_in_full=full) + PROFILES[name].certificates
    assert ours == pytest.approx(of(bound.PROFILES[name], theirs, verified_in_full=full))


def test_every_quantity_has_a_name_of_its_own() -> None:
    names = [each.name for each in QUANTITIES]
    assert len(set(names)) == len(names) > 0
