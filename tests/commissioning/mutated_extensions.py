# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the extensions of certificates, and extensions without a mistake."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

from tests.builders import forge
from tests.builders.forge import COMMON_NAME, extension, sequence, tlv
from tests.commissioning.mutant import OTHERS, Mutant, any_certificate
from tests.fuzz.mutations import INTERESTING, mutated

LAST_ARCS = ("0e", "0f", "10", "11", "12", "13", "1e", "1f", "20", "21", "23", "24", "25", "2e", "36", "63")
OIDS = (*(f"0603551d{arc}" for arc in LAST_ARCS), "06082b06010505070101", "06096086480186f842010d")
URI = tlv(0x86, b"http://example.test/crl")
GENERAL_NAMES = (
    URI,
    tlv(0x81, b"a@example.test"),
    tlv(0x82, b"example.test"),
    tlv(0xA4, forge.PAA_NAME),
    tlv(0xA4, forge.PAI_NAME),
    tlv(0xA4, forge.DAC_NAME),
    tlv(0xA4, forge.PAA_NAME.replace(b"TEST", b"test")),
    tlv(0x87, b"\x7f\0\0\1"),
    tlv(0x87, b"\x7f"),
    tlv(0x88, b"\x2a\x03"),
    tlv(0xA0, bytes.fromhex("06032a0304"), tlv(0xA0, tlv(0x0C, b"x"))),
    tlv(0xA3, sequence()),
    tlv(0xA5, tlv(0xA1, tlv(0x0C, b"x"))),
    tlv(0xA4),
    tlv(0x89, b"x"),
    b"",
)
POLICY, ANY_POLICY, CLIENT = (bytes.fromhex(oid) for oid in ("06032a0304", "0604551d2000", "06082b06010505070302"))
STATEMENT, NOTICE = bytes.fromhex("06082b06010505070201"), bytes.fromhex("06082b06010505070202")


def an_extension(rng: Random, made: Mutant) -> Mutant:
    """Adds an extension of a known kind, with a value of its form or nearly."""
    part = any_certificate(rng)
    oid = rng.choice(OIDS)
    value = _value(rng, oid)
    if rng.random() < 0.35:
        value = mutated(rng, value, (forge.PAA_NAME, URI))
    added = extension(oid, value, critical=rng.random() < 0.12)
    return made.having(part, made.certificates[part].and_extension(added))


def an_extensions_place(rng: Random, made: Mutant) -> Mutant:
    """Removes, doubles, moves or bends an extension that is there."""
    part = any_certificate(rng)
    extensions = list(made.certificates[part].extensions)
    if not extensions:
        return made
    at = rng.randrange(len(extensions))
    match rng.randrange(5):
        case 0:
            del extensions[at]
        case 1:
            extensions.insert(rng.randrange(len(extensions) + 1), extensions[at])
        case 2:
            rng.shuffle(extensions)
        case 3:
            extensions[at] = extensions[at].replace(b"\x01\x01\xff", b"")
        case _:
            extensions[at] = mutated(rng, extensions[at], OTHERS)
    return made.having(part, replace(made.certificates[part], extensions=tuple(extensions)))


def an_authority_key(rng: Random, made: Mutant) -> Mutant:
    """Writes key, issuer and serial number of the certificate above, or other ones, in any number and order."""
    part = any_certificate(rng)
    above = made.pai if part == "dac" else made.paa
    own_id = forge.PAI_ID if part == "dac" else forge.PAA_ID
    parts = [tlv(0x80, own_id)]
    if rng.random() < 0.6:
        names = rng.choices(GENERAL_NAMES, k=rng.choice((0, 1, 2)))
        names.insert(rng.randrange(len(names) + 1), tlv(0xA4, above.issuer if rng.random() < 0.7 else above.subject))
        parts.append(tlv(0xA1, *names))
    if rng.random() < 0.6:
        serial = (
            above.serial_number[2:] if rng.random() < 0.7 else rng.choice((b"", b"\1", b"\0\1", b"\xff", bytes(20)))
        )
        parts.append(tlv(0x82, serial))
    match rng.randrange(8):
        case 0:
            rng.shuffle(parts)
        case 1:
            parts.append(rng.choice(parts))
        case 2:
            parts.append(tlv(rng.choice(INTERESTING)))
        case 3:
            parts = parts[1:]
        case _:
            pass
    value = sequence(*parts)
    if rng.random() < 0.15:
        value = mutated(rng, value, (forge.PAA_NAME,))
    return made.having(part, made.certificates[part].with_extension(forge.AKI, extension(forge.AKI, value)))


def _value(rng: Random, oid: str) -> bytes:
    """A value of the form of this extension, or nearly; general names for one that has no form here."""
    names = rng.choices(GENERAL_NAMES, k=rng.choice((0, 1, 1, 2)))
    return VALUES.get(oid[-2:], _general_names)(rng, names)


def _general_names(_rng: Random, names: list[bytes]) -> bytes:
    return sequence(*names)


def _one_of(*values: str) -> Callable[[Random, list[bytes]], bytes]:
    return lambda rng, _names: bytes.fromhex(rng.choice(values))


def _few(rng: Random) -> range:
    return range(rng.choice((0, 1, 1, 2)))


def _name_constraints(rng: Random, names: list[bytes]) -> bytes:
    subtrees = (sequence(name, rng.choice((b"", b"", tlv(0x80, b"\0"), tlv(0x81, b"\1")))) for name in names)
    return sequence(tlv(rng.choice((0xA0, 0xA1, 0xA2)), *subtrees))


def _distribution_points(rng: Random, names: list[bytes]) -> bytes:
    return sequence(*(_distribution_point(rng, names) for _ in _few(rng)))


def _policies(rng: Random, _names: list[bytes]) -> bytes:
    return sequence(*(_policy(rng) for _ in _few(rng)))


def _policy_mappings(rng: Random, _names: list[bytes]) -> bytes:
    return sequence(*(sequence(*rng.choices((POLICY, CLIENT, ANY_POLICY), k=2)) for _ in _few(rng)))


def _policy_constraints(rng: Random, _names: list[bytes]) -> bytes:
    numbers = (b"\0", b"\1", b"\2", b"\xff", b"", b"\0\1", bytes(9))
    return sequence(*(tlv(tag, rng.choice(numbers)) for tag in (0x80, 0x81) if rng.random() < 0.6))


def _extended_usage(rng: Random, _names: list[bytes]) -> bytes:
    return sequence(*rng.choices((CLIENT, POLICY, bytes.fromhex("0604551d2500")), k=len(_few(rng))))


def _distribution_point(rng: Random, names: list[bytes]) -> bytes:
    relative = tlv(0xA1, sequence(bytes.fromhex(COMMON_NAME), tlv(0x0C, b"x")))
    name = rng.choice((tlv(0xA0, tlv(0xA0, *names)), tlv(0xA0, tlv(0xA0, URI)), tlv(0xA0, relative), b"", tlv(0xA0)))
    reasons = rng.choice((b"", b"", tlv(0x81, b"\1\6"), tlv(0x81, b"\1\7"), tlv(0x81)))
    issuer = rng.choice((b"", b"", tlv(0xA2, *names), tlv(0xA2, tlv(0xA4, forge.PAA_NAME))))
    return sequence(name, reasons, issuer)


def _policy(rng: Random) -> bytes:
    words = tlv(rng.choice((0x0C, 0x16, 0x1A, 0x1E, 0x13)), b"words!")
    reference = sequence(words, sequence(tlv(0x02, b"\1")))
    qualifier = rng.choice(
        (
            sequence(STATEMENT, tlv(0x16, b"http://x")),
            sequence(STATEMENT, words),
            sequence(NOTICE, sequence(reference, words)),
            sequence(NOTICE, sequence(words)),
            sequence(NOTICE, sequence()),
            sequence(CLIENT, tlv(0x0C, b"x")),
            sequence(CLIENT),
        )
    )
    return sequence(
        rng.choice((POLICY, POLICY, ANY_POLICY, CLIENT)), *rng.choice(((), (), (sequence(qualifier),), (sequence(),)))
    )


VALUES: Mapping[str, Callable[[Random, list[bytes]], bytes]] = {
    "0e": _one_of("0414" + "03" * 20, "0413" + "03" * 19, "0400"),
    "0f": _one_of("03020780", "03020106", "030100", "0303078000", "03020186", "03020388"),
    "13": _one_of("3000", "30030101ff", "30060101ff020100", "30060101ff020101", "3003020100"),
    "1e": _name_constraints,
    "1f": _distribution_points,
    "2e": _distribution_points,
    "20": _policies,
    "21": _policy_mappings,
    "23": _one_of("30168014" + "02" * 20, "3000"),
    "24": _policy_constraints,
    "25": _extended_usage,
    "36": _one_of("020100", "020101", "0201ff", "0200", "02020001"),
}
