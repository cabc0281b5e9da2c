# SPDX-License-Identifier: Apache-2.0
"""Device attestation: checks a unit's certificates and declaration as a commissioner does, and more strictly. Pure."""

from dataclasses import dataclass
from datetime import datetime

from station.faults.line import CredentialsInvalid, DeclarationInvalid
from station.matter.certificates.certification_declaration import CertificationDeclaration, Kind
from station.matter.certificates.chain import (
    DAC,
    PAI,
    TEST_VENDOR_IDS,
    Chain,
    check_assignable,
    check_chain,
    check_issuer,
    read_certificate,
)
from station.matter.certificates.names import Identifiers
from station.matter.certificates.published_roots import publisher
from station.matter.certificates.revocation import check_unrevoked
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.trust import TEST_CD_KEY_ID, TrustStore
from station.matter.certificates.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Attestation:
    """The certificates and the declaration that a unit shows a commissioner, DER."""

    dac: bytes
    pai: bytes
    certification_declaration: bytes


@dataclass(frozen=True, slots=True)
class Product:
    """The product being made. A None field accepts any value in the declaration.

    Units may show DACs of another vendor or product, as white-label products do; without them the DACs are the product's own.
    """

    vendor_id: int
    product_id: int
    device_type: int | None = None
    certificate_id: str | None = None
    version_number: int | None = None
    dac_vendor_id: int | None = None
    dac_product_id: int | None = None

    @property
    def own(self) -> Identifiers:
        """The vendor and product that the unit and its label name."""
        return Identifiers(self.vendor_id, self.product_id)

    @property
    def dac(self) -> Identifiers:
        """The vendor and product that the unit's DAC names."""
        vendor_id = self.vendor_id if self.dac_vendor_id is None else self.dac_vendor_id
        return Identifiers(vendor_id, self.product_id if self.dac_product_id is None else self.dac_product_id)

    @property
    def borrows_dacs(self) -> bool:
        return self.dac != self.own


def check_attestation(
    attestation: Attestation, product: Product, trust: TrustStore, *, at: datetime, production: bool
) -> None:
    """Refuses with `CredentialsInvalid` or `DeclarationInvalid` an attestation that a commissioner would refuse.

    On a production line test vendors, test roots and the test key for declarations are refused too. `at` is now.
    """
    try:
        chain = _chain(attestation, trust)
        check_chain(chain, at)
        _check_trusted(chain, trust, production=production)
        _check_borrowed(chain, product)
    except RuleBroken as broken:
        raise CredentialsInvalid(broken.rule.name, broken.reason) from broken
    declaration = attestation.certification_declaration
    check_declaration(declaration, product, chain.dac.identifiers, chain.pai, chain.paa, trust, production=production)


def check_declaration(
    data: bytes,
    product: Product,
    dac: Identifiers,
    pai: Certificate,
    paa: Certificate,
    trust: TrustStore,
    *,
    production: bool,
) -> None:
    """Refuses with `DeclarationInvalid` a declaration that does not cover this product under this PAI.

    `dac` is the vendor and product that the unit's DAC names, or, before there is one, will name.
    """
    declaration = check_certified(data, product, trust, production=production)
    try:
        _check_covers(declaration, dac, pai, paa)
    except RuleBroken as broken:
        raise DeclarationInvalid(broken.rule.name, broken.reason) from broken


def check_certified(data: bytes, product: Product, trust: TrustStore, *, production: bool) -> CertificationDeclaration:
    """Raises `DeclarationInvalid` for a declaration that is not for this product, whichever PKI certifies its units."""
    try:
        declaration = CertificationDeclaration.read(data)
        _check_signer(declaration, trust, production=production)
        _check_product(declaration, product, production=production)
    except RuleBroken as broken:
        raise DeclarationInvalid(broken.rule.name, broken.reason) from broken
    return declaration


def check_authority(
    pai: bytes, paa: bytes, product: Product, trust: TrustStore, *, production: bool
) -> tuple[Certificate, Certificate]:
    """Checks the PAI and the PAA in a line's configuration.

    Refuses with `CredentialsInvalid` a PAI or PAA under which no DAC could be accepted.
    """
    try:
        issuer, root = check_issuer(pai, paa)
        _check_issues_for(issuer, product)
        check_root(root, trust, production=production)
        check_unrevoked(PAI.kind, issuer, trust.revoked)
        for named in (product.own, product.dac):
            check_assignable(named, allow_test_vendor=not production)
    except RuleBroken as broken:
        raise CredentialsInvalid(broken.rule.name, broken.reason) from broken
    return issuer, root


def check_root(root: Certificate, trust: TrustStore, *, production: bool) -> None:
    """Raises `RuleBroken` for a root that the trust store lacks, or that no production line may trust."""
    known = trust.paas.get(root.extensions.subject_key_id)
    if known is None or known.der != root.der:
        raise RuleBroken(Rule.K2, "PAA: it is not in the trust store")
    if production and (file := publisher(root)) is not None:
        raise RuleBroken(Rule.K2, f"PAA: a test root, on a production line; its private key is published in {file}")


def _check_issues_for(issuer: Certificate, product: Product) -> None:
    named = issuer.identifiers
    made = product.dac
    if named.vendor_id != made.vendor_id or named.product_id not in {None, made.product_id}:
        raise RuleBroken(
            Rule.K4, f"PAI: it issues for {named}, and {made} is {'expected' if product.borrows_dacs else 'made'}"
        )


def _chain(attestation: Attestation, trust: TrustStore) -> Chain:
    dac, pai = read_certificate(DAC, attestation.dac), read_certificate(PAI, attestation.pai)
    key_id = pai.extensions.authority_key_id or b""
    paa = trust.paas.get(key_id)
    if paa is None:
        raise RuleBroken(Rule.K2, f"PAI: there is no PAA {key_id.hex().upper()} in the trust store")
    return Chain(dac, pai, paa)


def _check_trusted(chain: Chain, trust: TrustStore, *, production: bool) -> None:
    for profile, certificate in ((DAC, chain.dac), (PAI, chain.pai)):
        check_unrevoked(profile.kind, certificate, trust.revoked)
    check_assignable(chain.dac.identifiers, allow_test_vendor=not production)
    check_root(chain.paa, trust, production=production)


def _check_borrowed(chain: Chain, product: Product) -> None:
    if product.borrows_dacs and chain.dac.identifiers != product.dac:
        raise RuleBroken(Rule.K4, f"DAC: for {chain.dac.identifiers}, and {product.dac} is expected")


def _check_signer(declaration: CertificationDeclaration, trust: TrustStore, *, production: bool) -> None:
    key_id = declaration.signer_key_id
    if key_id == TEST_CD_KEY_ID and (production or declaration.kind is Kind.OFFICIAL):
        raise RuleBroken(Rule.D5, f"the test key signed a declaration of kind {declaration.kind.name.lower()}")
    signer = trust.cd_signers.get(key_id)
    if signer is None:
        raise RuleBroken(Rule.D5, f"no known signer has key {key_id.hex().upper()}")
    if not declaration.is_signed_by(signer.public_key):
        raise RuleBroken(Rule.D5, "the signature does not verify")


def _check_product(declaration: CertificationDeclaration, product: Product, *, production: bool) -> None:
    if product.product_id not in declaration.product_ids:
        raise RuleBroken(Rule.D8, f"product 0x{product.product_id:04X} is not among those it is for")
    for what, said, made in (
        ("vendor", declaration.vendor_id, product.vendor_id),
        ("device type", declaration.device_type, product.device_type),
        ("certificate id", declaration.certificate_id, product.certificate_id),
        ("version number", declaration.version_number, product.version_number),
        ("security level", declaration.security_level, 0),
        ("security information", declaration.security_information, 0),
    ):
        if made is not None and said != made:
            raise RuleBroken(Rule.D8, f"{what} {_shown(said)}, and {_shown(made)} is made")
    if production and declaration.kind is not Kind.OFFICIAL:
        raise RuleBroken(Rule.D9, f"its kind is {declaration.kind.name.lower()}")
    if production and declaration.vendor_id in TEST_VENDOR_IDS:
        raise RuleBroken(Rule.D9, f"vendor 0x{declaration.vendor_id:04X} is a test vendor")


def _check_covers(declaration: CertificationDeclaration, dac: Identifiers, pai: Certificate, paa: Certificate) -> None:
    rule, vendor_id, product_ids = Rule.D2, declaration.vendor_id, declaration.product_ids
    if origin := declaration.origin:
        rule, vendor_id, product_ids = Rule.D3, origin.vendor_id, (origin.product_id,)
    for profile, named in ((DAC, dac), (PAI, pai.identifiers)):
        if named.vendor_id != vendor_id:
            raise RuleBroken(rule, f"{profile.kind}: for {named}, and the declaration covers vendor 0x{vendor_id:04X}")
        if named.product_id is not None and named.product_id not in product_ids:
            raise RuleBroken(rule, f"{profile.kind}: for {named}, which the declaration does not cover")
    authorized = declaration.authorized_paas
    if authorized is not None and paa.extensions.subject_key_id not in authorized:
        raise RuleBroken(Rule.D4, "the PAA is not on the list")


def _shown(value: int | str) -> str:
    """Vendor and product numbers as Matter writes them."""
    return f"0x{value:04X}" if isinstance(value, int) else ascii(value)
