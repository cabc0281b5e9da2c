# SPDX-License-Identifier: Apache-2.0
"""Mistakes in certification declarations, and members that a later version of Matter might add."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.builders import forge
from tests.builders.forge import tlv
from tests.builders.forge_declaration import paas, products, text, u8, u16, u32
from tests.commissioning.mutant import Mutant
from tests.fuzz.mutations import INTERESTING

FIXED_SIZES = {**dict(enumerate((1, 2, 4, 8, 1, 2, 4, 8))), 0x08: 0, 0x09: 0, 0x0A: 4, 0x0B: 8, 0x14: 0}
IDS = (
    "ZIG20141ZB330001-24",
    "ZIG20141ZB330001-2",
    "ZIG20141ZB330001-244",
    "ZIG20141ZB330001-\u00e9",
    "ZIG20141ZB330001-\u00e94",
)


def a_member(rng: Random, made: Mutant) -> Mutant:
    declaration = made.declaration
    tag = rng.randrange(12)
    match tag:
        case 2:
            changed = products(*rng.choices((0x8004, 0x8005, 0, 0xFFFF), k=rng.choice((0, 1, 2, 99, 100, 101))))
        case 4:
            changed = text(4, rng.choice((*IDS, "ZIG20141ZB330001-2\0", "\0IG20141ZB330001-24")))
        case 11:
            keys = (forge.PAA_ID, forge.PAA_ID, forge.PAI_ID, forge.PAA_ID[:19], forge.PAA_ID + b"x")
            changed = paas(*rng.choices(keys, k=rng.choice((0, 1, 2, 10, 11))))
        case _:
            value = rng.choice((0, 1, 2, 3, 0xFF, 0xFFF1, 0xFFF2, 0x8004, 0x1234))
            changed = rng.choice((u16(tag, value), u32(tag, value), u8(tag, value & 0xFF), _element(rng, tag)))
    return replace(made, declaration=declaration.having(changed))


def an_origin(rng: Random, made: Mutant) -> Mutant:
    changed = [u16(9, rng.choice((0xFFF1, 0xFFF1, 0xFFF2))), u16(10, rng.choice((0x8004, 0x8004, 0x8005)))]
    if rng.random() < 0.15:
        changed.pop(rng.randrange(2))
    other = rng.random() < 0.5
    if other:
        changed += [u16(1, 0xFFF3), products(0x1111)]
    made = replace(
        made, declaration=replace(made.declaration, members=_ordered(made.declaration.having(*changed).members))
    )
    return replace(made, vendor_id=0xFFF3, product_id=0x1111) if other else made


def an_order(rng: Random, made: Mutant) -> Mutant:
    members = list(made.declaration.members)
    match rng.randrange(4):
        case 0:
            members.insert(rng.randrange(len(members) + 1), members.pop(rng.randrange(len(members))))
        case 1:
            members.insert(rng.randrange(len(members) + 1), rng.choice(members))
        case 2:
            del members[rng.randrange(len(members))]
        case _:
            members = list(_ordered(made.declaration.members))
    return replace(made, declaration=replace(made.declaration, members=tuple(members)))


def a_later_member(rng: Random, made: Mutant) -> Mutant:
    """Adds members that Matter does not know yet."""
    added = [_element(rng, rng.choice((12, 13, 14, 100, 255, rng.randrange(12)))) for _ in range(rng.choice((1, 1, 2)))]
    members = [*made.declaration.members, *added]
    if rng.random() < 0.15:
        members.insert(rng.randrange(len(members) + 1), members.pop())
    return replace(made, declaration=replace(made.declaration, members=tuple(members)))


def an_envelope(rng: Random, made: Mutant) -> Mutant:
    declaration = made.declaration
    match rng.randrange(5):
        case 0:
            changed = replace(declaration, version=tlv(0x02, rng.choice((b"\1", b"\3", b"\0\3", b""))))
        case 1:
            changed = replace(declaration, signer_version=tlv(0x02, rng.choice((b"\1", b"\3", b"\0\3", b""))))
        case 2:
            changed = replace(declaration, tail=rng.choice((b"", b"\x18\0", b"\x18\x18", b"\x18" + bytes(4))))
        case 3:
            changed = replace(declaration, behind=bytes(rng.choices(INTERESTING, k=2)))
        case _:
            changed = replace(declaration, signer=forge.OTHER_KEY)
    return replace(made, declaration=changed)


def a_product(rng: Random, made: Mutant) -> Mutant:
    return replace(made, vendor_id=rng.choice((0xFFF1, 0xFFF2)), product_id=rng.choice((0x8004, 0x8005)))


def _ordered(members: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted(members, key=lambda member: member[1]))


def _element(rng: Random, tag: int, depth: int = 0) -> bytes:
    """A TLV element of any type, with a context tag."""
    kind = rng.randrange(26)
    head, size = bytes([0x20 | kind, tag]), 1 << (kind & 3)
    if kind in FIXED_SIZES:
        return head + bytes(rng.choices(INTERESTING, k=FIXED_SIZES[kind]))
    if kind in range(0x0C, 0x14):
        random = bytes(rng.choices(INTERESTING, k=rng.randrange(20)))
        content = rng.choice((b"", b"x", "\u00e9".encode(), b"\xff", random))
        return head + len(content).to_bytes(size, "little") + content
    if kind in range(0x15, 0x18) and depth < 2:
        inside = b"".join(_element(rng, rng.randrange(20), depth + 1) for _ in range(rng.choice((0, 1, 2))))
        return head + inside + b"\x18"
    return head
