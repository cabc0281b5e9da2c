# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the names of certificates, and ways of writing them that are none."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.builders import forge
from tests.builders.forge import COMMON_NAME, PRODUCT, VENDOR, sequence, tlv
from tests.commissioning.mutant import OTHERS, Mutant, any_certificate
from tests.fuzz.mutations import mutated

Attribute = tuple[str, int, bytes]  # an OID in hexadecimal DER, the type of the string, and the string
Relative = tuple[Attribute, ...]

STRINGS = (0x0C, 0x0C, 0x0C, 0x13, 0x16, 0x14, 0x1E, 0x1A, 0x1C, 0x04)
OTHER_ATTRIBUTES = ("060355040a", "060355040b", "0603550406", "0603550405", "06092a864886f70d010901", "060355040c")
VENDORS = (b"FFF1", b"FFF1", b"FFF1", b"FFF2", b"fff1", b"FFF", b"FFF11", b"", b"0000", b"FFF5", b"F\0F1", b" FFF1")
PRODUCTS = (b"8004", b"8004", b"8004", b"8005", b"0000", b"800", b"80040", b"", b"800g", b"ffff")
REWRITINGS = (
    (b"\x0c", b"\x13"),
    (b"\x0c", b"\x14"),
    (b"TEST", b"test"),
    (b"TEST ", b"TeST "),
    (b"\x08TEST ", b"\x08TEST\t"),
    (b"FFF1", b"fff1"),
)
LETTERS = ("x", " ", "\u00e9", "\u20ac", "\U0001f600", "M", "v", ":", "0", "F", "Mvid", "Mpid:", "Mvid:")


def a_subject(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    return _renamed(rng, made, part, _relatives(rng, part))


def a_fallback_name(rng: Random, made: Mutant) -> Mutant:
    part = rng.choice(("dac", "dac", "pai"))
    relatives = [_common(_fallback(rng)) for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))]
    if rng.random() < 0.15:
        relatives.insert(rng.randrange(len(relatives) + 1), ((VENDOR, 0x0C, b"FFF1"),))
        relatives.insert(rng.randrange(len(relatives) + 1), ((PRODUCT, 0x0C, b"8004"),))
    return _renamed(rng, made, part, relatives)


def an_issuer(rng: Random, made: Mutant) -> Mutant:
    part = any_certificate(rng)
    certificate = made.certificates[part]
    return made.having(part, replace(certificate, issuer=_rewritten(rng, certificate.issuer)))


def _renamed(rng: Random, made: Mutant, part: str, relatives: Sequence[Relative]) -> Mutant:
    """Gives a certificate this subject, which the certificate below names as its issuer, most times in the same bytes."""
    subject = _name(relatives)
    below = subject if rng.random() < 0.7 else _rewritten(rng, subject)
    made = made.having(part, replace(made.certificates[part], subject=subject))
    if part == "pai":
        return replace(made, dac=replace(made.dac, issuer=below))
    if part == "paa":
        return replace(made, paa=replace(made.paa, issuer=subject), pai=replace(made.pai, issuer=below))
    return made


def _relatives(rng: Random, part: str) -> list[Relative]:
    vendor: Relative = ((VENDOR, rng.choice(STRINGS), rng.choice(VENDORS)),)
    product: Relative = ((PRODUCT, rng.choice(STRINGS), rng.choice(PRODUCTS)),)
    found = [_common("TEST " + part.upper())]
    if rng.random() < 0.8:
        found.append(vendor if rng.random() < 0.5 else ((VENDOR, 0x0C, b"FFF1"),))
    if rng.random() < (0.1 if part == "paa" else 0.8):
        found.append(product if rng.random() < 0.5 else ((PRODUCT, 0x0C, b"8004"),))
    for _ in range(rng.choice((0, 1, 1, 2))):
        _rearrange(rng, found)
    return found


def _rearrange(rng: Random, found: list[Relative]) -> None:
    at = rng.randrange(len(found))
    match rng.randrange(7):
        case 0:
            found.insert(at, ((rng.choice(OTHER_ATTRIBUTES), rng.choice(STRINGS), b"ACME"),))
        case 1:
            found.insert(at, _common(""))
        case 2:
            found.append(found[at])
        case 3:
            rng.shuffle(found)
        case 4 if len(found) > 1:
            found[:2] = [(*found[0], *found[1])]
        case 5:
            found[at] = ()
        case _:
            found[at] = tuple((oid, rng.choice(STRINGS), value) for oid, _, value in found[at])


def _fallback(rng: Random) -> bytes:
    """A common name with prefixes around the place where a commissioner stops to read."""
    pieces = ["".join(rng.choices(LETTERS[:4], k=rng.choice((0, 1, 5, 10, 20, 40, rng.randrange(64)))))]
    ids = [
        rng.choice(("Mvid:FFF1", "Mvid:FFF1", "Mvid:FFF1", "Mvid:FFF2", "Mvid:fff1", "Mvid:", "Mvid:FF")),
        rng.choice(("Mpid:8004", "Mpid:8004", "Mpid:8004", "Mpid:8005", "Mpid:80", "Mpid:")),
    ]
    rng.shuffle(ids)
    for piece in ids[: rng.choice((1, 2, 2, 2, 2))]:
        pieces += [piece, "".join(rng.choices(LETTERS, k=rng.choice((0, 0, 1, 3, rng.randrange(30)))))]
    return "".join(pieces).encode()


def _rewritten(rng: Random, name: bytes) -> bytes:
    """The name as another certificate authority might write it, or as none may."""
    if rng.random() < 0.12:
        return mutated(rng, name, OTHERS)
    if rng.random() < 0.12:
        return rng.choice((forge.PAA_NAME, forge.PAI_NAME, forge.DAC_NAME, sequence()))
    return name.replace(*rng.choice(REWRITINGS))


def by_common_name(made: Mutant) -> Mutant:
    """Vendor and product in the DAC's common name, as old certificate authorities write them."""
    return replace(made, dac=replace(made.dac, subject=_name((_common("ACME Mvid:FFF1 Mpid:8004"),))))


def _common(words: str | bytes) -> Relative:
    return ((COMMON_NAME, 0x0C, words.encode() if isinstance(words, str) else words),)


def _name(relatives: Sequence[Relative]) -> bytes:
    return sequence(
        *(
            tlv(0x31, *(sequence(bytes.fromhex(oid), tlv(kind, value)) for oid, kind, value in relative))
            for relative in relatives
        )
    )
