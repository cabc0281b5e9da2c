# SPDX-License-Identifier: Apache-2.0
"""The checks of a request before the PKI sees it, and of DAC, PAI and PAA as a commissioner makes them. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from station.faults.line import CredentialsInvalid
from station.faults.unit import CSRInvalid
from station.matter.certificates.csr import Request, read_request
from station.matter.certificates.extensions import Extensions
from station.matter.certificates.names import COMMON_NAME, Identifiers, Name, named_subject
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.x509 import READ_AGAIN, Certificate, is_ecdsa_with_sha256

VENDOR_IDS = range(0x0001, 0xFFF5)
TEST_VENDOR_IDS = range(0xFFF1, 0xFFF5)
PRODUCT_IDS = range(0x0001, 0x10000)
EARLIEST_DAC = datetime(1970, 1, 1, tzinfo=UTC)  # a commissioner counts its seconds from here, without a sign

# An authority's clock may be fast, and no board reaches a commissioner so soon.
AHEAD = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules for one kind of certificate: DER of extensions, and how often its subject names vendor and product."""

    kind: str
    basic_constraints: frozenset[bytes]
    key_usage: frozenset[bytes]
    vendors: range
    products: range


def _der(*values: str) -> frozenset[bytes]:
    return frozenset(map(bytes.fromhex, values))


# Key usage: the number of unused bits, then digitalSignature 80, keyCertSign 04, cRLSign 02. A CA that writes nine bits
# (03 03 07 80 00) is refused, since commissioners convert the field without checking its length.
_SIGNS_CERTIFICATES = _der("03020106", "03020186")
_ONE, _AT_MOST_ONE, _NONE = range(1, 2), range(2), range(1)
DAC = Profile("DAC", _der("3000"), _der("03020780"), vendors=_ONE, products=_ONE)
PAI = Profile("PAI", _der("30060101ff020100"), _SIGNS_CERTIFICATES, vendors=_ONE, products=_AT_MOST_ONE)
PAA = Profile("PAA", _der("30030101ff", "30060101ff020101"), _SIGNS_CERTIFICATES, vendors=_AT_MOST_ONE, products=_NONE)


@dataclass(frozen=True, slots=True)
class Chain:
    """DAC, PAI and PAA; each keeps the rules of its kind."""

    dac: Certificate
    pai: Certificate
    paa: Certificate

    @classmethod
    def read(cls, dac: bytes, pai: bytes, paa: bytes) -> "Chain":
        """Reads three certificates in DER; raises `RuleBroken`."""
        return cls(read_certificate(DAC, dac), read_certificate(PAI, pai), read_certificate(PAA, paa))


@lru_cache(maxsize=READ_AGAIN)
def read_certificate(profile: Profile, data: bytes) -> Certificate:
    """Reads a certificate that keeps the rules of its kind (C1 to C13, T1 to T5); raises `RuleBroken`."""
    try:
        certificate = Certificate.read(data)
        _check_profile(profile, certificate)
    except RuleBroken as broken:
        raise RuleBroken(broken.rule, f"{profile.kind}: {broken.reason}") from broken
    return certificate


def check_chain(chain: Chain, at: datetime) -> None:
    """Signatures, names, key identifiers, vendors and validity from DAC to PAA; raises `RuleBroken`.

    PAI and PAA must be valid when the DAC's validity begins, the DAC at `at`.
    """
    _check_link(DAC, chain.dac, PAI, chain.pai)
    _check_link(PAI, chain.pai, PAA, chain.paa)
    dac, pai, paa = (certificate.identifiers for certificate in (chain.dac, chain.pai, chain.paa))
    _check_agree("vendor", DAC, dac.vendor_id, PAI, pai.vendor_id)
    _check_agree("product", DAC, dac.product_id, PAI, pai.product_id)
    _check_agree("vendor", PAI, pai.vendor_id, PAA, paa.vendor_id)
    begins = chain.dac.valid_from
    for profile, certificate in ((DAC, chain.dac), (PAI, chain.pai), (PAA, chain.paa)):
        if not certificate.is_valid_at(begins):
            raise RuleBroken(Rule.K5, f"{profile.kind}: not valid at {begins:%Y-%m-%d %H:%M:%S}, when the DAC begins")
    if not chain.dac.is_valid_at(at):
        raise RuleBroken(Rule.K6, f"DAC: valid from {begins} to {chain.dac.valid_until}, and it is {at}")


def check_issued(dac: Certificate, pai: Certificate, at: datetime) -> None:
    """The same from DAC to PAI, where the PAA is not at hand; raises `RuleBroken`."""
    _check_link(DAC, dac, PAI, pai)
    _check_agree("vendor", DAC, dac.identifiers.vendor_id, PAI, pai.identifiers.vendor_id)
    _check_agree("product", DAC, dac.identifiers.product_id, PAI, pai.identifiers.product_id)
    if not pai.is_valid_at(dac.valid_from):
        raise RuleBroken(Rule.K5, f"PAI: not valid at {dac.valid_from:%Y-%m-%d %H:%M:%S}, when the DAC begins")
    if not dac.is_valid_at(at):
        raise RuleBroken(Rule.K6, f"DAC: valid from {dac.valid_from} to {dac.valid_until}, and it was issued at {at}")


def from_its_beginning(dac: bytes, at: datetime) -> datetime:
    """The time `at`; or the moment when this DAC's validity begins, if that is at most `AHEAD` later."""
    try:
        begins = Certificate.read(dac).valid_from
    except RuleBroken:
        return at
    return begins if at < begins <= at + AHEAD else at


def check_issuer(pai: bytes, paa: bytes) -> tuple[Certificate, Certificate]:
    """A PAI and the PAA above it, DER, each by the rules of its kind and linked; raises `RuleBroken`."""
    issuer, root = read_certificate(PAI, pai), read_certificate(PAA, paa)
    _check_link(PAI, issuer, PAA, root)
    _check_agree("vendor", PAI, issuer.identifiers.vendor_id, PAA, root.identifiers.vendor_id)
    return issuer, root


def check_assignable(named: Identifiers, *, allow_test_vendor: bool) -> None:
    """Raises `RuleBroken` for a vendor or product number that no product may have."""
    if named.vendor_id not in VENDOR_IDS or named.product_id not in PRODUCT_IDS:
        raise RuleBroken(Rule.V4, f"{named} cannot be assigned")
    if named.vendor_id in TEST_VENDOR_IDS and not allow_test_vendor:
        raise RuleBroken(Rule.V4, f"{named} is a test vendor's")


def check_csr(
    data: bytes, *, vendor_id: int | None = None, product_id: int | None = None, common_name: str | None = None
) -> None:
    """Refuses with `CSRInvalid` a request that the PKI must not see.

    Where vendor or product are given, the request's subject must name them; with a common name, it has these three alone.
    """
    try:
        request = read_request(data)
        _check_named("vendor", vendor_id, request.identifiers.vendor_id)
        _check_named("product", product_id, request.identifiers.product_id)
        if common_name is not None:
            _check_subject(request.subject, common_name, request.identifiers)
    except RuleBroken as broken:
        raise CSRInvalid(broken.rule.name, broken.reason) from broken


def check_credentials(
    *,
    csr: bytes,
    dac: bytes,
    pai: bytes,
    pinned_pai: bytes,
    paa: bytes,
    vendor_id: int,
    product_id: int,
    at: datetime,
    allow_test_vendor: bool,
) -> None:
    """Refuses with `CredentialsInvalid` certificates that a commissioner would not accept from this board.

    PAA and pinned PAI are those of the line's configuration, never those of an answer. `at` is now.
    """
    try:
        _check_pinned(pai, pinned_pai)
        chain = Chain.read(dac, pai, paa)
        _check_key(chain.dac, read_request(csr))
        check_chain(chain, at)
        _check_made(chain.dac.identifiers, Identifiers(vendor_id, product_id))
        check_assignable(chain.dac.identifiers, allow_test_vendor=allow_test_vendor)
    except RuleBroken as broken:
        raise CredentialsInvalid(broken.rule.name, broken.reason) from broken


def _check_pinned(pai: bytes, pinned: bytes) -> None:
    if pai != pinned:
        raise RuleBroken(Rule.K1, "PAI: not the one that is pinned")


def _check_named(what: str, asked: int | None, said: int | None) -> None:
    if asked is not None and asked != said:
        found = "none" if said is None else f"0x{said:04X}"
        raise RuleBroken(Rule.P3, f"the request names {what} {found}, and 0x{asked:04X} is made")


def _check_subject(subject: Name, common_name: str, named: Identifiers) -> None:
    """`named` are the request's own vendor and product, which have been compared already."""
    if subject.raw != named_subject(common_name, named.vendor_id or 0, named.product_id or 0):
        names = [attribute.text for attribute in subject.named(COMMON_NAME)]
        found = f"common name {names[0]!a}" if len(names) == 1 else f"{len(names)} common names"
        raise RuleBroken(
            Rule.P4,
            f"found {found} in {len(list(subject.attributes))} names, expected {common_name!a}, vendor and product",
        )


def _check_made(said: Identifiers, made: Identifiers) -> None:
    if said != made:
        raise RuleBroken(Rule.P3, f"DAC: for {said}, and {made} is made")


def _check_key(dac: Certificate, request: Request) -> None:
    if dac.public_key != request.public_key:
        raise RuleBroken(Rule.P1, "DAC: its key is not the one in the request")


def _check_profile(profile: Profile, certificate: Certificate) -> None:
    extensions, named = certificate.extensions, certificate.identifiers
    if extensions.basic_constraints not in profile.basic_constraints:
        raise RuleBroken(Rule.T1, f"basic constraints {extensions.basic_constraints.hex()}")
    if extensions.key_usage not in profile.key_usage:
        raise RuleBroken(Rule.T2, f"key usage {extensions.key_usage.hex()}")
    if (named.vendor_id is not None) not in profile.vendors:
        raise RuleBroken(Rule.T3, f"the subject is for {named}")
    if (named.product_id is not None) not in profile.products:
        raise RuleBroken(Rule.T4, f"the subject is for {named}")
    if profile is DAC and certificate.valid_from < EARLIEST_DAC:
        raise RuleBroken(Rule.C13, f"it begins at {certificate.valid_from}")
    _check_constraints(profile, extensions)
    if profile is PAA:
        _check_root(certificate)
    elif extensions.authority_key_id is None:
        raise RuleBroken(Rule.C9, "missing")
    elif not is_ecdsa_with_sha256(certificate.signature_algorithm):
        raise RuleBroken(Rule.C2, "the algorithm has parameters")


def _check_constraints(profile: Profile, extensions: Extensions) -> None:
    if profile is not DAC and extensions.constrains_names:
        raise RuleBroken(Rule.T6, "it constrains names")
    if profile is PAI and extensions.constrains_policies:
        raise RuleBroken(Rule.T6, "it constrains policies")
    if profile is DAC and extensions.demands_policy:
        raise RuleBroken(Rule.T6, "it demands a policy")


def _check_root(paa: Certificate) -> None:
    if not paa.issuer.is_same_as(paa.subject):
        raise RuleBroken(Rule.T5, "issuer and subject differ")
    if paa.extensions.authority_key_id not in {None, paa.extensions.subject_key_id}:
        raise RuleBroken(Rule.K3, "its authority key identifier is not its own")
    _check_authority(PAA, paa, PAA, paa)
    if not paa.is_signed_by(paa.public_key):
        raise RuleBroken(Rule.K3, "it does not verify under its own key")


@lru_cache(maxsize=READ_AGAIN)
def _check_link(lower: Profile, certificate: Certificate, upper: Profile, issuer: Certificate) -> None:
    if certificate.extensions.authority_key_id != issuer.extensions.subject_key_id:
        rule = Rule.K2 if upper is PAA else Rule.K3
        raise RuleBroken(rule, f"{lower.kind}: its authority key identifier names another key than the {upper.kind}'s")
    if not certificate.issuer.is_same_as(issuer.subject):
        raise RuleBroken(Rule.T5, f"{lower.kind}: its issuer is not the {upper.kind}'s subject")
    _check_authority(lower, certificate, upper, issuer)
    if not certificate.is_signed_by(issuer.public_key):
        raise RuleBroken(Rule.K3, f"{lower.kind}: it does not verify under the {upper.kind}'s key")


def _check_authority(lower: Profile, certificate: Certificate, upper: Profile, issuer: Certificate) -> None:
    """Issuer and serial number in the authority key identifier, of which commissioners read the first directory name."""
    key = certificate.extensions.authority_key
    if key is None:
        return
    if key.issuers and not key.issuers[0].is_same_as(issuer.issuer):
        raise RuleBroken(
            Rule.K3, f"{lower.kind}: its authority key identifier has another issuer than the {upper.kind}'s"
        )
    if key.serial_number not in {None, issuer.serial_number}:
        raise RuleBroken(
            Rule.K3, f"{lower.kind}: its authority key identifier has another serial number than the {upper.kind}'s"
        )


def _check_agree(what: str, lower: Profile, said: int | None, upper: Profile, bound: int | None) -> None:
    if bound is not None and said != bound:
        found = "none" if said is None else f"0x{said:04X}"
        raise RuleBroken(Rule.K4, f"{lower.kind}: {what} {found}, and the {upper.kind} is bound to 0x{bound:04X}")
