# SPDX-License-Identifier: Apache-2.0
"""Verifies what a DCL node has answered: which roots, declaration signers and revocations a trust store may take. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from station.matter.certificates.chain import PAA, read_certificate
from station.matter.certificates.crl import ListUnproven, RevokedOf, revoked_by
from station.matter.certificates.dcl_answers import (
    CHILDREN,
    POINTS,
    ROOTS,
    Answers,
    Identifier,
    ListedCertificate,
    Model,
)
from station.matter.certificates.published_roots import publisher
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.trust import TEST_CD_KEY_ID, TrustStore
from station.matter.certificates.x509 import Certificate

_LISTS = {ROOTS: "roots", CHILDREN: "signers", POINTS: "revocation points"}


@dataclass(frozen=True, slots=True)
class Verified:
    """Certificates by subject key identifier. `left_out` names what cannot be used, and why.

    `has_every_list`: the revocation list of every authority in the ledger was there and proven. `roots_known` and `signers_known` are the key identifiers that the ledger lists; None if it was not asked, or its last page is missing.
    """

    paas: Mapping[bytes, Certificate]
    signers: Mapping[bytes, Certificate]
    revoked: tuple[RevokedOf, ...]
    models: tuple[Model, ...]
    roots_known: frozenset[bytes] | None
    signers_known: frozenset[bytes] | None
    has_every_list: bool
    left_out: tuple[str, ...]


def verified(answers: Answers, store: TrustStore) -> Verified:
    """The usable part of the answers. `store` vouches for the authority that signs the signers of declarations."""
    left_out: list[str] = []
    paas = dict(_roots(answers, store, left_out))
    signers = dict(_signers(answers, store, left_out))
    known = {**store.paas, **paas}
    lacking = {member for member in _LISTS if answers.lacks_its_last_page(member)}
    left_out += (
        f"{what}: the last page is not among the answers" for member, what in _LISTS.items() if member in lacking
    )
    revoked, unproven = [], set[bytes]()
    for point in answers.points or ():
        try:
            revoked.append(revoked_by(point, answers.crls, known))
        except (ListUnproven, RuleBroken) as exc:
            unproven.add(point.issuer_key_id)
            why = exc.reason if isinstance(exc, RuleBroken) else exc
            left_out.append(f"revocations of {_shown(point.issuer_key_id)} ({point.label}): {why}")
    has_points = answers.points is not None and POINTS not in lacking
    whole = [replace(each, is_whole=has_points and each.issuer_key_id not in unproven) for each in revoked]
    return Verified(
        paas=paas,
        signers=signers,
        revoked=tuple(whole),
        models=tuple(answers.models),
        roots_known=None if ROOTS in lacking else _ids(answers.roots),
        signers_known=None if CHILDREN in lacking else _ids(answers.children),
        has_every_list=has_points and not unproven,
        left_out=tuple(left_out),
    )


def _roots(answers: Answers, store: TrustStore, left_out: list[str]) -> Iterator[tuple[bytes, Certificate]]:
    listed = answers.roots
    for each in answers.certificates:
        if not each.is_root or (listed is not None and each.identifier not in listed):
            continue
        if (authority := _read(each)) and _vouched(authority, store):
            continue  # the ledger's roots have the authority for declarations, under which no unit's certificates are
        try:
            paa = read_certificate(PAA, each.der)
        except RuleBroken as broken:
            left_out.append(f"root {_shown(each.identifier.key_id)}: {broken.rule.name} {broken.reason}")
            continue
        if mistake := _mistake_in(each, paa):
            left_out.append(f"root {_shown(each.identifier.key_id)}: {mistake}")
        elif file := publisher(paa):
            left_out.append(f"root {_shown(each.identifier.key_id)}: its private key is published in {file}")
        else:
            yield paa.extensions.subject_key_id, paa
    there = {each.identifier for each in answers.certificates}
    missing = sorted(_shown(each.key_id) for each in (listed or set()) - there)
    left_out += (f"root {name}: the ledger lists it, and its certificate is not among the answers" for name in missing)


def _signers(answers: Answers, store: TrustStore, left_out: list[str]) -> Iterator[tuple[bytes, Certificate]]:
    """Those that the authority of an already trusted signer has signed; of other certificates nothing is said."""
    authorities = {}
    for each in answers.certificates:
        if each.is_root and (authority := _read(each)) and _vouched(authority, store):
            authorities[authority.extensions.subject_key_id] = authority
    for each in answers.certificates:
        signer = None if each.is_root else _read(each)
        authority = authorities.get(signer.extensions.authority_key_id or b"") if signer else None
        if signer is None or authority is None:
            continue
        if mistake := _mistake_in(each, signer):
            left_out.append(f"signer {_shown(each.identifier.key_id)}: {mistake}")
        elif signer.issuer.raw != authority.subject.raw or not signer.is_signed_by(authority.public_key):
            left_out.append(f"signer {_shown(each.identifier.key_id)}: its authority has not signed it")
        else:
            yield signer.extensions.subject_key_id, signer


def _vouched(authority: Certificate, store: TrustStore) -> bool:
    """Whether a signer that the store trusts already was signed by this authority.

    The test key has signed itself and is published: whoever signs with it would get past rule D5 under another identifier.
    """
    return any(
        signer.extensions.authority_key_id == authority.extensions.subject_key_id
        and signer.is_signed_by(authority.public_key)
        for key_id, signer in store.cd_signers.items()
        if key_id != TEST_CD_KEY_ID
    )


def _read(listed: ListedCertificate) -> Certificate | None:
    try:
        return Certificate.read(listed.der)
    except RuleBroken:
        return None


def _mistake_in(listed: ListedCertificate, certificate: Certificate) -> str | None:
    if listed.identifier != Identifier(certificate.subject.raw, certificate.extensions.subject_key_id):
        return "the ledger lists it under another name or key identifier"
    return None


def _ids(listed: set[Identifier] | None) -> frozenset[bytes] | None:
    return None if listed is None else frozenset(each.key_id for each in listed)


def _shown(key_id: bytes) -> str:
    return key_id.hex().upper()
