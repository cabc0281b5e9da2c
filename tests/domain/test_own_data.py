# SPDX-License-Identifier: Apache-2.0
"""A board whose key nobody has seen must prove by its factory data that it is as this station left it."""

from dataclasses import replace

import pytest

from station.domain.identity import Identity, IdentityState
from station.domain.product import Strings
from station.factory_data.flash import Damaged, Empty, Flash, Locked, NotRead
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults.slot import UnitElsewhere
from station.recipe import checks, unit_builder
from tests.builders.bench import RECIPE, credentials, onboarding, target

BOARD = replace(target(1), agent_key="c1" * 32)
OURS = Identity(BOARD.uid, 1, 2, IdentityState.ON_BOARD, "SN000001", onboarding(1), "20261126")
CERTIFIED = replace(OURS, credentials=credentials(1))


def data(identity: Identity, dac: bytes | None = None) -> FactoryData:
    records = dict(unit_builder.factory_data(RECIPE, identity).records)
    return FactoryData(records if dac is None else records | {Tag.DEVICE_ATTESTATION_CERTIFICATE: dac})


@pytest.mark.parametrize(
    ("identity", "flash"),
    [
        (OURS, data(OURS)),
        (CERTIFIED, data(CERTIFIED)),
        (CERTIFIED, data(CERTIFIED, CERTIFIED.issued.dac)),
    ],
)
def test_its_own_serial_number_proves_it(identity: Identity, flash: Flash) -> None:
    checks.check_own_data(RECIPE, BOARD, identity, flash)


def test_a_serial_number_that_ends_with_nul_proves_it() -> None:
    recipe = replace(RECIPE, strings=Strings.TERMINATED)
    checks.check_own_data(recipe, BOARD, OURS, unit_builder.factory_data(recipe, OURS))


@pytest.mark.parametrize(
    "flash",
    [
        data(replace(OURS, serial_number="SN000301")),  # another station took the blank board for a new one
        data(OURS, b"a certificate that another station has got"),
        Empty("no block"),
        Damaged("no end"),
        NotRead(),
        Locked(),
    ],
)
def test_anything_else_is_elsewhere(flash: Flash) -> None:
    with pytest.raises(UnitElsewhere) as raised:
        checks.check_own_data(RECIPE, BOARD, OURS, flash)
    assert raised.value.evidence == {
        "uid": str(BOARD.uid),
        "key": "c1" * 32,
        "known": "its factory data is not what this station has written",
    }
