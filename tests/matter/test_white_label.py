# SPDX-License-Identifier: Apache-2.0
"""White-label products: every combination of the declaration's origin, products and list of PAAs with DAC, PAI and product.

Matter Core Specification 6.2.3.1 and 6.3.1, written out here once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product as combinations

import pytest

from station.faults.line import CredentialsInvalid, DeclarationInvalid
from station.matter.certificates.attestation import (
    Attestation,
    Product,
    check_attestation,
    check_authority,
    check_declaration,
)
from station.matter.certificates.trust import TrustStore
from tests.builders.forge import COMMON_NAME, DAC, PAA, PAA_ID, PAI, PRODUCT, VENDOR, Forged, name
from tests.builders.forge_declaration import SIGNER, Declaration, paas, products, u16

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROOT_NAME = name((COMMON_NAME, "TEST PAA"))  # for any vendor
ROOT = replace(PAA, issuer=ROOT_NAME, subject=ROOT_NAME)
TRUST = TrustStore.of({"paa": ROOT.der}, {"signer": SIGNER.der})
OWN = (0xFFF2, 0x8010)  # the product, as unit and label name it
MAKER = (0xFFF1, 0x8004)
SIBLING = (0xFFF2, 0x8011)
OTHER_ID = b"\x77" * 20


@dataclass(frozen=True)
class Combination:
    """`dac` is what the DAC names and what the recipe expects; `pai` what the PAI names, perhaps without a product."""

    dac: tuple[int, int]
    pai: tuple[int, int | None]
    origin: tuple[int, int] | None
    covered: tuple[int, ...]
    listed: tuple[bytes, ...] | None

    def __str__(self) -> str:
        dac, origin = ("/".join(f"{each:X}" for each in pair) for pair in (self.dac, self.origin or ()))
        pai = f"{self.pai[0]:X}/{self.pai[1]:X}" if self.pai[1] else f"{self.pai[0]:X}"
        listed = "none" if self.listed is None else len(self.listed) if PAA_ID in self.listed else "others"
        return f"DAC {dac}, PAI {pai}, origin {origin or 'none'}, {len(self.covered)} products, PAAs {listed}"

    @property
    def is_allowed(self) -> bool:
        """As 6.2.3.1 says it: with an origin the certificates are the origin's, without one the declaration's own."""
        if self.listed is not None and PAA_ID not in self.listed:
            return False
        if self.origin is not None:
            return self.dac == self.origin and self.pai in {self.origin, (self.origin[0], None)}
        bound = self.pai[1] is None or self.pai[1] == self.dac[1]  # the chain's own rule
        return self.dac[0] == self.pai[0] == OWN[0] and self.dac[1] in self.covered and bound

    @property
    def declaration(self) -> Declaration:
        made = Declaration().having(u16(1, OWN[0]), products(*self.covered))
        if self.origin is not None:
            made = made.having(u16(9, self.origin[0]), u16(10, self.origin[1]))
        return made if self.listed is None else made.having(paas(*self.listed))

    @property
    def certificates(self) -> tuple[Forged, Forged]:
        """DAC and PAI."""
        vendor_id, product_id = self.pai
        bound = [(PRODUCT, f"{product_id:04X}")] if product_id else []
        of_pai = name((COMMON_NAME, "TEST PAI"), (VENDOR, f"{vendor_id:04X}"), *bound)
        of_dac = name((COMMON_NAME, "TEST DAC"), (VENDOR, f"{self.dac[0]:04X}"), (PRODUCT, f"{self.dac[1]:04X}"))
        return replace(DAC, issuer=of_pai, subject=of_dac), replace(PAI, issuer=ROOT_NAME, subject=of_pai)

    @property
    def product(self) -> Product:
        vendor_id, product_id = self.dac
        return Product(*OWN) if self.dac == OWN else Product(*OWN, dac_vendor_id=vendor_id, dac_product_id=product_id)


def every() -> Iterator[Combination]:
    several = (SIBLING[1], OWN[1], 0x9000)
    yield from (
        Combination(*parts)
        for parts in combinations(
            (OWN, MAKER, SIBLING),
            (OWN, (OWN[0], None), MAKER, (MAKER[0], None), SIBLING),
            (None, OWN, MAKER, (MAKER[0], 0x8005), (OWN[0], MAKER[1])),
            ((OWN[1],), several),
            (None, (PAA_ID,), (OTHER_ID, PAA_ID, b"\x78" * 20), (OTHER_ID,)),
        )
    )


EVERY = tuple(every())


def refused_before_the_first_board(combination: Combination) -> str | None:
    """The rule by which the line's files are refused before the line opens."""
    _, pai = combination.certificates
    product = combination.product
    try:
        issuer, root = check_authority(pai.der, ROOT.der, product, TRUST, production=False)
        check_declaration(combination.declaration.der, product, product.dac, issuer, root, TRUST, production=False)
    except (CredentialsInvalid, DeclarationInvalid) as fault:
        return fault.rule
    return None


def refused_unit(combination: Combination, product: Product) -> str | None:
    """The rule by which a finished unit is refused."""
    dac, pai = combination.certificates
    unit = Attestation(dac.der, pai.der, combination.declaration.der)
    try:
        check_attestation(unit, product, TRUST, at=NOW, production=False)
    except (CredentialsInvalid, DeclarationInvalid) as fault:
        return fault.rule
    return None


def test_the_combinations_are_many_of_both_kinds() -> None:
    assert len(EVERY) == 600
    assert sum(each.is_allowed for each in EVERY) == 42


@pytest.mark.parametrize("what", ["before the first board", "the unit", "the unit, whose recipe is unknown"])
def test_exactly_the_allowed_combinations_are_accepted(what: str) -> None:
    """So a wrong one is refused before a board is touched. A command that knows no recipe lets the declaration decide."""
    for combination in EVERY:
        if what == "before the first board":
            refused = refused_before_the_first_board(combination)
        else:
            refused = refused_unit(combination, combination.product if what == "the unit" else Product(*OWN))
        assert (refused is None) == combination.is_allowed, (str(combination), refused)


def test_a_dac_of_another_product_than_the_recipe_expects_is_refused() -> None:
    """The declaration would cover it: it covers several products."""
    sibling = Combination(SIBLING, (OWN[0], None), None, (SIBLING[1], OWN[1], 0x9000), None)
    assert refused_unit(sibling, sibling.product) is None
    assert refused_unit(sibling, replace(sibling.product, dac_product_id=0x9000)) == "K4"


@pytest.mark.parametrize(("vendor_id", "product_id"), [(0xFFF5, None), (None, 0)])
def test_numbers_that_nobody_can_have_are_refused(vendor_id: int | None, product_id: int | None) -> None:
    """The DAC's numbers are looked at like the product's own."""
    subject = name((COMMON_NAME, "TEST PAI"), (VENDOR, f"{vendor_id or OWN[0]:04X}"))
    issuer = replace(PAI, issuer=ROOT_NAME, subject=subject)
    product = Product(*OWN, dac_vendor_id=vendor_id, dac_product_id=product_id)
    with pytest.raises(CredentialsInvalid) as caught:
        check_authority(issuer.der, ROOT.der, product, TRUST, production=False)
    assert caught.value.rule == "V4"
