# SPDX-License-Identifier: Apache-2.0
"""Attestations with mistakes, each made from a seed and its number."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec

from tests.builders import forge
from tests.builders.forge import generalized, tlv, utc
from tests.commissioning.mutant import CERTIFICATES, OTHERS, Mutant, any_certificate
from tests.commissioning.mutated_declarations import (
    a_later_member,
    a_member,
    a_product,
    an_envelope,
    an_order,
    an_origin,
)
from tests.commissioning.mutated_extensions import an_authority_key, an_extension, an_extensions_place
from tests.commissioning.mutated_names import a_fallback_name, a_subject, an_issuer, by_common_name
from tests.fuzz.mutations import INTERESTING, mutated


def mutant(seed: str, number: int) -> Mutant:
    """The attestation of this number; about one in a hundred has no mistake."""
    rng = Random(f"{seed}/{number}")
    made = rng.choice((Mutant(), by_common_name(Mutant())))
    for _ in range(rng.choice((0, *[1] * 60, *[2] * 30, *[3] * 9))):
        change = rng.choice(CHANGES)
        made = change(rng, made)
        made = replace(made, changes=(*made.changes, change.__name__))
    return made


BEGINS = datetime(2025, 1, 1, tzinfo=UTC)
MOMENTS = (
    *(BEGINS + timedelta(seconds=seconds) for seconds in (-2, -1, 0, 0, 0, 1, 2)),
    *(datetime(year, 1, 1, tzinfo=UTC) for year in (1950, 1969, 1970, 1999, 2000, 2024, 2049, 2050, 2106, 9999)),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
)


def a_time(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    time = _time(rng)
    certificate = made.certificates[part]
    changed = replace(certificate, valid_from=time) if rng.random() < 0.5 else replace(certificate, valid_until=time)
    return made.having(part, changed)


def _time(rng: Random) -> bytes:
    moment = rng.choice(MOMENTS)
    long = f"{moment:%Y%m%d%H%M%S}Z".rjust(15, "0")
    right = utc(long[2:]) if "1950" <= long < "2050" else generalized(long)
    wrong = (
        generalized(long),
        utc(long[2:]),
        utc(long[2:12] + "Z"),
        generalized(long[:-1] + ".5Z"),
        generalized(long[:-1]),
        mutated(rng, right, OTHERS),
    )
    return right if rng.random() < 0.5 else rng.choice(wrong)


def a_serial_number(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    content = rng.choice((b"", b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\0\x80", b"\0\1", b"\x11" * 20, b"\x11" * 21))
    return made.having(part, replace(made.certificates[part], serial_number=tlv(0x02, content)))


def a_version(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    version = rng.choice((b"", *(tlv(0xA0, tlv(0x02, content)) for content in (b"\0", b"\1", b"\3", b"\0\2", b""))))
    return made.having(part, replace(made.certificates[part], version=version))


def an_algorithm(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    certificate = made.certificates[part]
    choices = (forge.ECDSA_SHA256, forge.ECDSA_SHA256_NULL, forge.ECDSA_SHA384, bytes.fromhex("300906072a8648ce3d0401"))
    inside = rng.choice(choices)
    outside = inside if rng.random() < 0.6 else rng.choice(choices)
    return made.having(part, replace(certificate, inside=inside, outside=outside))


def a_key(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    certificate = made.certificates[part]
    point = certificate.key[26:]
    key = rng.choice(
        (
            mutated(rng, certificate.key, OTHERS),
            certificate.key[:26].replace(b"\x03\x42", b"\x03\x22") + bytes([2 + point[-1] % 2]) + point[1:33],
            forge.public_key(ec.derive_private_key(5, ec.SECP384R1())),
            forge.public_key(forge.OTHER_KEY),
            forge.public_key(ec.derive_private_key(5, ec.SECP256K1())),
        )
    )
    return made.having(part, replace(certificate, key=key))


def a_signature(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    certificate = made.certificates[part]
    good = forge.sign(certificate.signed, certificate.signer)
    changed = (
        replace(certificate, signature=mutated(rng, good, OTHERS))
        if rng.random() < 0.7
        else replace(certificate, signer=forge.OTHER_KEY)
    )
    return made.having(part, changed)


def something_behind(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    return made.having(
        part, replace(made.certificates[part], behind=bytes(rng.choices(INTERESTING, k=rng.randint(1, 4))))
    )


def bent_bytes(rng: Random, made: Mutant) -> Mutant:
    """Changes the signed part of a certificate or of the declaration as DER or as bytes, and signs it again."""
    return replace(made, bent=(rng.choice((*CERTIFICATES, "declaration")), rng.getrandbits(32)))


CHANGES: tuple[Callable[[Random, Mutant], Mutant], ...] = (
    *[a_subject] * 5,
    *[a_fallback_name] * 5,
    *[an_issuer] * 3,
    *[a_time] * 4,
    *[an_extension] * 8,
    *[an_extensions_place] * 3,
    *[an_authority_key] * 4,
    a_serial_number,
    a_version,
    an_algorithm,
    a_key,
    a_signature,
    something_behind,
    *[bent_bytes] * 8,
    *[a_member] * 4,
    *[an_origin] * 2,
    *[an_order] * 2,
    *[a_later_member] * 3,
    an_envelope,
    a_product,
)
