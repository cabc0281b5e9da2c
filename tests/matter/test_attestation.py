# SPDX-License-Identifier: Apache-2.0
"""Device attestation: the upstream vectors, and each rule of declarations, roots and revocations broken once."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.faults.line import CredentialsInvalid, DeclarationInvalid
from station.matter.certificates.attestation import (
    Attestation,
    Product,
    check_attestation,
    check_declaration,
    check_root,
)
from station.matter.certificates.certification_declaration import CertificationDeclaration
from station.matter.certificates.names import Identifiers
from station.matter.certificates.published_roots import PUBLISHED_ROOTS
from station.matter.certificates.revocation import Revoked
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.trust import TEST_CD_KEY_ID, TrustStore
from station.matter.certificates.x509 import Certificate
from tests.builders.forge import (
    AKI,
    DAC,
    ECDSA_SHA384,
    OTHER_KEY,
    PAA,
    PAA_ID,
    PAI,
    PAI_ID,
    PRODUCT,
    SKI,
    VENDOR,
    Forged,
    extension,
    name,
    sequence,
    tlv,
)
from tests.builders.forge_declaration import (
    DATA,
    SHA256,
    SIGNED_DATA,
    SIGNER,
    SIGNER_ID,
    Declaration,
    array,
    paas,
    products,
    text,
    u8,
    u16,
    u32,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FOLDER = Path(__file__).parents[1] / "vectors" / "attestation"
VECTORS: Mapping[str, Mapping[str, str | int | bool]] = json.loads((FOLDER / "commissioner_vectors.json").read_text())
UPSTREAM = TrustStore.of(
    {path.name: path.read_bytes() for path in (FOLDER / "paa").iterdir()},
    {path.name: path.read_bytes() for path in (FOLDER / "cd-signers").glob("*.der")},
)
MUTATED = json.loads((FOLDER / "chip_refuses.json").read_text())
MUTATED_TRUST = TrustStore.of(
    {name: bytes.fromhex(root) for name, root in MUTATED["paa"].items()},
    {path.name: path.read_bytes() for path in (FOLDER / "cd-signers").glob("*.der")},
)
TRUST = TrustStore.of({"paa": PAA.der}, {"signer": SIGNER.der})
PRODUCT_MADE = Product(0xFFF1, 0x8004, 0x1234, "ZIG20141ZB330001-24", 0x9876)
GOOD = Declaration()


def verdict(attestation: Attestation, product: Product, trust: TrustStore, *, production: bool = False) -> str:
    """The fault's code and the broken rule, or "accepted"."""
    try:
        check_attestation(attestation, product, trust, at=NOW, production=production)
    except (CredentialsInvalid, DeclarationInvalid) as fault:
        return f"{fault.code} {fault.rule}"
    return "accepted"


def upstream(name_: str, *, production: bool = False) -> str:
    vector = VECTORS[name_]
    dac, pai, cd = (bytes.fromhex(str(vector[f])) for f in ("dac_cert", "pai_cert", "certification_declaration"))
    product = replace(PRODUCT_MADE, product_id=int(vector["basic_info_pid"]))
    return verdict(Attestation(dac, pai, cd), product, UPSTREAM, production=production)


def judged(
    declaration: Declaration = GOOD,
    *,
    dac: Forged = DAC,
    pai: Forged = PAI,
    product: Product = PRODUCT_MADE,
    trust: TrustStore = TRUST,
    production: bool = False,
) -> str:
    return verdict(Attestation(dac.der, pai.der, declaration.der), product, trust, production=production)


@pytest.mark.parametrize("vector", VECTORS)
def test_the_strict_verdict_is_reached(vector: str) -> None:
    """The checker accepts exactly the vectors that a strict commissioner accepts."""
    assert (upstream(vector) == "accepted") == VECTORS[vector]["strict_accept"]


@pytest.mark.parametrize("vector", VECTORS)
def test_a_production_line_refuses_every_test_vector(vector: str) -> None:
    """A production line accepts no test vendor, test root or test key."""
    assert upstream(vector, production=True) != "accepted"


# The rules that say in the station's words what each of the SDK's verdicts says, and the part that they are about.
CHIPS_VERDICTS = {
    "CdInvalidFormat": ("cd.invalid", {"D7"}, ""),
    "DacFormatInvalid": ("pki.credentials_invalid", {"C10", "C14", "V3", "V5"}, "DAC:"),
    "PaiFormatInvalid": ("pki.credentials_invalid", {"C10", "C14", "V3", "V5"}, "PAI:"),
    "DacVendorIdMismatch": ("pki.credentials_invalid", {"T3"}, "DAC:"),
    "DacProductIdMismatch": ("pki.credentials_invalid", {"T4"}, "DAC:"),
    "DacSignatureInvalid": ("pki.credentials_invalid", {"C14", "T6", "K3"}, ""),  # of the chain: any part of it
}


@pytest.mark.parametrize("vector", MUTATED["vectors"])
def test_a_mutation_that_the_sdk_refuses_is_refused_for_the_same_reason(vector: str) -> None:
    """The rule and the certificate that it names are those of the SDK's verdict."""
    mutated = MUTATED["vectors"][vector]
    parts = (bytes.fromhex(mutated[part]) for part in ("dac_cert", "pai_cert", "certification_declaration"))
    product = Product(0xFFF1, mutated["basic_info_pid"])
    fault: CredentialsInvalid | DeclarationInvalid | None = None
    try:
        check_attestation(Attestation(*parts), product, MUTATED_TRUST, at=NOW, production=False)
    except (CredentialsInvalid, DeclarationInvalid) as exc:
        fault = exc
    code, rules, part = CHIPS_VERDICTS[mutated["chip"]]
    assert fault is not None
    assert (fault.code, fault.rule in rules) == (code, True), fault
    assert fault.reason.startswith(part)


def test_a_good_unit_is_accepted() -> None:
    """So each refusal below is for its own reason."""
    assert judged() == "accepted"


ORIGIN = (u16(9, 0xFFF1), u16(10, 0x8004))
UNSIGNED_ATTRIBUTES = tlv(0xA1, sequence())
MALFORMED = {
    "of no type": b"\x39\x0c",
    "a text that is cut off": b"\x2c\x0c\x20",
    "a structure without an end": b"\x35\x0c\x24\x00\x01",
    "a structure with an element without a tag": b"\x35\x0c\x04\x01\x18",
    "an array with an element that has a tag": b"\x36\x0c\x24\x00\x01\x18",
    "a list with a tag of an unknown profile": b"\x37\x0c\x84\0\0\x01\x18",
}
LATER = {
    "a number": u8(12, 0),
    "a signed number": b"\x23\x0c" + bytes(8),
    "a truth value": b"\x29\x0c",
    "nothing": b"\x34\x0c",
    "a broken number": b"\x2b\x0c" + bytes(8),
    "a text that is not UTF-8": b"\x2c\x0c\x01\xff",
    "containers in containers": b"\x35\x0c\x36\x01\x04\x01\x17\x04\x02\x24\x03\x01\x18\x18\xc4\1\0\2\0\3\0\4\x18",
}
DECLARATIONS: list[tuple[str, str, Declaration]] = [
    *(("D1", f"no member {tag}", GOOD.without(tag)) for tag in range(9)),
    ("D1", "out of order", replace(GOOD, members=GOOD.members[::-1])),
    ("D1", "the origin behind a member 12", GOOD.having(u8(12, 0), *ORIGIN)),
    *(("D7", f"a member 12 that is {what}", GOOD.having(element)) for what, element in MALFORMED.items()),
    ("D1", "an origin without product", GOOD.having(ORIGIN[0])),
    ("D1", "an origin without vendor", GOOD.having(ORIGIN[1])),
    ("D3", "an origin of another vendor", GOOD.having(u16(9, 0xFFF2), u16(10, 0x8004))),
    ("D3", "an origin of another product", GOOD.having(u16(9, 0xFFF1), u16(10, 0x8005))),
    ("D4", "another PAA", GOOD.having(paas(PAI_ID))),
    ("D4", "an empty list of PAAs", GOOD.having(paas())),
    ("D4", "eleven PAAs", GOOD.having(paas(*[PAA_ID] * 11))),
    ("D4", "a key id of 19 bytes", GOOD.having(paas(PAA_ID[:19]))),
    ("D4", "no list of PAAs", GOOD.having(u8(11, 0))),
    ("D5", "an unknown signer", replace(GOOD, key_id=tlv(0x80, PAA_ID))),
    ("D5", "another key signed", replace(GOOD, signer=OTHER_KEY)),
    ("D6", "another content type", replace(GOOD, content_type=DATA)),
    ("D6", "CMS version 1", replace(GOOD, version=tlv(0x02, b"\x01"))),
    ("D6", "SHA-1", replace(GOOD, digests=bytes.fromhex("300706052b0e03021a"))),
    ("D6", "two digests", replace(GOOD, digests=SHA256 * 2)),
    ("D6", "another inner type", replace(GOOD, inner_type=SIGNED_DATA)),
    ("D6", "certificates inside", replace(GOOD, certificates=tlv(0xA0, SIGNER.der))),
    ("D6", "signer version 1", replace(GOOD, signer_version=tlv(0x02, b"\x01"))),
    ("D6", "a signer by name", replace(GOOD, key_id=sequence(PAA.issuer, tlv(0x02, b"\x01")))),
    ("D6", "signed attributes", replace(GOOD, signer_digest=SHA256 + tlv(0xA0, sequence()))),
    ("D6", "another signer digest", replace(GOOD, signer_digest=bytes.fromhex("300706052b0e03021a"))),
    ("D6", "another signature algorithm", replace(GOOD, algorithm=ECDSA_SHA384)),
    ("D6", "a byte behind", replace(GOOD, behind=b"\0")),
    ("D6", "791 bytes", GOOD.having(products(*[0x8004] * 200))),
    ("D7", "no end of the structure", replace(GOOD, tail=b"")),
    ("D7", "a byte behind the structure", replace(GOOD, tail=b"\x18\0")),
    ("D7", "a member twice", replace(GOOD, members=(*GOOD.members, u8(8, 0)))),
    ("D7", "format version 2", GOOD.having(u8(0, 2))),
    ("D7", "a vendor of 32 bits", GOOD.having(u32(1, 0x10000))),
    ("D7", "a vendor in words", GOOD.having(text(1, "FFF1"))),
    ("D7", "no products", GOOD.having(products())),
    ("D7", "101 products", GOOD.having(products(*range(0x8000, 0x8065)))),
    ("D7", "products that are none", GOOD.having(array(2, b"\x0c\x01A"))),
    ("D7", "products that are no array", GOOD.having(u16(2, 0x8004))),
    ("D7", "a device type of 32 bits", GOOD.having(u32(3, 1 << 31))),
    ("D7", "a certificate id of 18 characters", GOOD.having(text(4, "ZIG20141ZB330001-2"))),
    ("D7", "a certificate id of 19 characters in 20 bytes", GOOD.having(text(4, "ZIG20141ZB330001-\u00e94"))),
    ("D7", "a certificate id with a NUL", GOOD.having(text(4, "ZIG20141ZB330001-2\0"))),
    ("D7", "a certificate id in numbers", GOOD.having(u8(4, 1))),
    ("D7", "a security level of 16 bits", GOOD.having(u16(5, 0x100))),
    ("D7", "kind 3", GOOD.having(u8(8, 3))),
    ("D8", "another vendor", GOOD.having(u16(1, 0xFFF2), *ORIGIN)),
    ("D8", "another product", GOOD.having(products(0x8005))),
    ("D8", "another device type", GOOD.having(u16(3, 0x100))),
    ("D8", "another certificate id", GOOD.having(text(4, "ZIG20141ZB330001-25"))),
    ("D8", "another version", GOOD.having(u16(7, 1))),
    ("D8", "a security level", GOOD.having(u8(5, 1))),
    ("D8", "security information", GOOD.having(u16(6, 1))),
]


@pytest.mark.parametrize(
    ("rule", "what", "declaration"), DECLARATIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_declaration_that_breaks_a_rule_is_refused_by_that_rule(
    rule: str, what: str, declaration: Declaration
) -> None:
    """Each case changes one thing in a good declaration."""
    assert judged(declaration) == f"cd.invalid {rule}"


ACCEPTED = {
    "an origin": GOOD.having(*ORIGIN),
    "the PAA on a list of ten": GOOD.having(paas(*[PAI_ID] * 9, PAA_ID)),
    "one hundred products": GOOD.having(products(*range(0x8000, 0x8064))),
    "a provisional declaration": GOOD.having(u8(8, 1)),
    "an official declaration": GOOD.having(u8(8, 2)),
    "a number in more bytes than it needs": GOOD.having(u32(3, 0x1234)),
    **{f"a member of a later version: {what}": GOOD.having(*ORIGIN, element) for what, element in LATER.items()},
    "several members of a later version": replace(GOOD, members=(*GOOD.members, u8(200, 1), u8(12, 1), u8(200, 2))),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_what_the_rules_allow_is_accepted(what: str) -> None:
    assert judged(ACCEPTED[what]) == "accepted"


def test_with_an_origin_the_dac_is_for_the_origin() -> None:
    """The declaration may name another vendor and product whose DAC the product has."""
    declaration = GOOD.having(u16(1, 0xFFF3), products(0x1111), *ORIGIN)
    assert judged(declaration, product=replace(PRODUCT_MADE, vendor_id=0xFFF3, product_id=0x1111)) == "accepted"


def test_a_dac_of_a_product_that_is_not_covered_is_refused() -> None:
    """The DAC is refused even if the declaration covers the recipe's product."""
    declaration = GOOD.having(products(0x9999))
    assert judged(declaration, product=replace(PRODUCT_MADE, product_id=0x9999)) == "cd.invalid D2"


def test_what_nobody_asks_is_not_checked() -> None:
    """A recipe need not give certificate id, device type and version."""
    assert judged(GOOD.having(u16(3, 1), u16(7, 1)), product=Product(0xFFF1, 0x8004)) == "accepted"


def test_a_certificate_id_may_have_fewer_characters_than_bytes() -> None:
    """Its size is 19 bytes."""
    assert judged(GOOD.having(text(4, "ZIG20141ZB330001-\u00e9")), product=Product(0xFFF1, 0x8004)) == "accepted"


def test_a_declaration_is_checked_before_there_is_a_dac() -> None:
    """The recipe reader checks its declaration for the product that the DAC will name."""
    pai, paa = Certificate.read(PAI.der), Certificate.read(PAA.der)
    named = Identifiers(0xFFF1, 0x8004)
    check_declaration(GOOD.der, PRODUCT_MADE, named, pai, paa, TRUST, production=False)
    with pytest.raises(DeclarationInvalid) as caught:
        check_declaration(GOOD.der, Product(0xFFF1, 0x8005), named, pai, paa, TRUST, production=False)
    assert caught.value.rule == "D8"


def trust_with_test_key() -> TrustStore:
    signer = SIGNER.with_extension(SKI, extension(SKI, tlv(0x04, TEST_CD_KEY_ID)))
    return TrustStore.of({"paa": PAA.der}, {"signer": signer.der})


@pytest.mark.parametrize(("kind", "expected"), [(0, "accepted"), (1, "accepted"), (2, "cd.invalid D5")])
def test_the_test_key_signs_for_development_only(kind: int, expected: str) -> None:
    """Everybody has the test key, so an official declaration by it is refused."""
    declaration = replace(GOOD.having(u8(8, kind)), key_id=tlv(0x80, TEST_CD_KEY_ID))
    assert judged(declaration, trust=trust_with_test_key()) == expected


REAL = name((VENDOR, "1234"), (PRODUCT, "8004"))
REAL_PAA_NAME, REAL_PAI_NAME = name((VENDOR, "1234")), name((VENDOR, "1234"), (PRODUCT, "8004"))
REAL_PAA = replace(PAA, issuer=REAL_PAA_NAME, subject=REAL_PAA_NAME)
REAL_PAI = replace(PAI, issuer=REAL_PAA_NAME, subject=REAL_PAI_NAME)
REAL_DAC = replace(DAC, issuer=REAL_PAI_NAME, subject=REAL)
REAL_TRUST = TrustStore.of({"paa": REAL_PAA.der}, {"signer": SIGNER.der})
REAL_PRODUCT = replace(PRODUCT_MADE, vendor_id=0x1234)


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        (GOOD.having(u16(1, 0x1234), u8(8, 2)), "accepted"),
        (GOOD.having(u16(1, 0x1234), u8(8, 1)), "cd.invalid D9"),
        (GOOD.having(u16(1, 0x1234), u8(8, 0)), "cd.invalid D9"),
        (replace(GOOD.having(u16(1, 0x1234), u8(8, 2)), key_id=tlv(0x80, TEST_CD_KEY_ID)), "cd.invalid D5"),
    ],
    ids=["official", "provisional", "test", "test key"],
)
def test_a_production_line_wants_an_official_declaration(declaration: Declaration, expected: str) -> None:
    """The vendor must be real, and the CSA must have signed."""
    found = judged(declaration, dac=REAL_DAC, pai=REAL_PAI, product=REAL_PRODUCT, trust=REAL_TRUST, production=True)
    assert found == expected


def test_a_test_vendor_in_the_declaration_is_refused_on_a_production_line() -> None:
    """It is refused even if an origin names the real vendor of the DAC."""
    declaration = GOOD.having(u8(8, 2), u16(9, 0x1234), u16(10, 0x8004))
    found = judged(declaration, dac=REAL_DAC, pai=REAL_PAI, product=PRODUCT_MADE, trust=REAL_TRUST, production=True)
    assert found == "cd.invalid D9"


def test_a_test_root_is_refused_on_a_production_line() -> None:
    """A test root is refused even if it names no vendor."""
    key_id = bytes.fromhex("785CE705B86B8F4E6FC793AA60CB43EA696882D5")
    paa = REAL_PAA.with_extension(SKI, extension(SKI, tlv(0x04, key_id))).with_extension(AKI, b"")
    pai = REAL_PAI.with_extension(AKI, extension(AKI, sequence(tlv(0x80, key_id))))
    trust = TrustStore.of({"paa": paa.der}, {"signer": SIGNER.der})
    declaration = GOOD.having(u16(1, 0x1234), u8(8, 2))
    found = judged(declaration, dac=REAL_DAC, pai=pai, product=REAL_PRODUCT, trust=trust, production=True)
    assert found == "pki.credentials_invalid K2"


TEST_CD_SIGNER = Path(__file__).parents[2] / "config" / "trust" / "cd-signers" / "chip-test-cd-signing.der"
PUBLISHED = sorted(
    [*(FOLDER / "paa").glob("Chip-*.der"), *(FOLDER / "published-paa").glob("*.der"), TEST_CD_SIGNER],
)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_root_whose_key_is_published_is_refused_on_a_production_line(path: Path) -> None:
    """The refusal names the file with the private key. Whoever has the key may choose another key identifier."""
    paa = Certificate.read(path.read_bytes())
    for root in (paa, replace(paa, extensions=replace(paa.extensions, subject_key_id=PAA_ID))):
        trust = TrustStore({root.extensions.subject_key_id: root}, {})
        check_root(root, trust, production=False)
        with pytest.raises(RuleBroken, match=r"its private key is published in github\.com/.*-Key\.pem") as caught:
            check_root(root, trust, production=True)
        assert caught.value.rule is Rule.K2


def test_every_published_root_is_a_vector() -> None:
    """Each identifier of the list is that of a root above, so that none is mistyped."""
    found = {Certificate.read(path.read_bytes()).extensions.subject_key_id for path in PUBLISHED}
    assert found == set(PUBLISHED_ROOTS)


def test_a_paa_that_is_not_in_the_store_is_not_trusted() -> None:
    """A consistent chain alone does not make its root trusted."""
    assert judged(trust=TrustStore.of({}, {"signer": SIGNER.der})) == "pki.credentials_invalid K2"


@pytest.mark.parametrize("revoked", [DAC, PAI], ids=["DAC", "PAI"])
def test_a_revoked_certificate_is_refused(revoked: Forged) -> None:
    """The set names issuer, the issuer's key, and serial number."""
    trust = replace(TRUST, revoked=frozenset({Revoked.would_be(Certificate.read(revoked.der))}))
    assert judged(trust=trust) == "pki.credentials_invalid K7"


def test_a_revoked_certificate_with_its_issuer_in_another_string_type_is_refused() -> None:
    """The set names the issuer in the bytes of the issuer's own certificate."""
    trust = replace(TRUST, revoked=frozenset({Revoked.would_be(Certificate.read(DAC.der))}))
    assert judged(dac=replace(DAC, issuer=DAC.issuer.replace(b"\x0c\x08", b"\x13\x08")), trust=TRUST) == "accepted"
    assert (
        judged(dac=replace(DAC, issuer=DAC.issuer.replace(b"\x0c\x08", b"\x13\x08")), trust=trust)
        == "pki.credentials_invalid K7"
    )


def test_a_flipped_bit_in_a_declaration_is_refused() -> None:
    """Every bit of a declaration is signed or has a fixed value."""
    good = GOOD.der
    flipped = ((int.from_bytes(good, "big") ^ 1 << bit).to_bytes(len(good), "big") for bit in range(len(good) * 8))
    assert "accepted" not in {verdict(Attestation(DAC.der, PAI.der, data), PRODUCT_MADE, TRUST) for data in flipped}


def read_or_rule(data: bytes) -> CertificationDeclaration | Rule:
    try:
        return CertificationDeclaration.read(data)
    except RuleBroken as broken:
        return broken.rule


@pytest.mark.parametrize("length", range(len(GOOD.der)))
def test_a_declaration_that_is_cut_off_is_refused(length: int) -> None:
    assert read_or_rule(GOOD.der[:length]) is Rule.D6


@settings(max_examples=300, derandomize=True)
@given(st.binary(max_size=20), st.integers(0, 260), st.integers(0, 20))
def test_any_change_gives_a_declaration_or_a_rule(patch: bytes, at: int, removed: int) -> None:
    """Every refused change names a rule; no other error is raised."""
    assert isinstance(read_or_rule(GOOD.der[:at] + patch + GOOD.der[at + removed :]), CertificationDeclaration | Rule)


def test_every_rule_about_declarations_has_a_test_here() -> None:
    """Some case breaks each rule."""
    broken = {rule for rule, _, _ in DECLARATIONS} | {"D2", "D9"}
    assert {rule.name for rule in Rule if rule.name.startswith("D")} == broken


def test_the_signer_is_found_by_its_key_id() -> None:
    """The store finds each certificate of its folder by the key id."""
    assert set(TRUST.cd_signers) == {SIGNER_ID}
    assert set(TRUST.paas) == {PAA_ID}
