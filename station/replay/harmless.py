# SPDX-License-Identifier: Apache-2.0
"""What passes between station and board, without secrets: what stays is public, what goes leaves its length or its comparison. Pure."""

from pathlib import PurePath

from station.domain.credentials import Credentials
from station.domain.identity import Identity
from station.domain.target import Region
from station.factory_data.flash import ERASED, Damaged, Empty, read_back
from station.factory_data.flat_tlv import SECRET, FactoryData, Tag
from station.link import operational
from station.link.frames import FrameReader, Noise
from station.link.messages import ANSWER, REFUSED, Question
from station.recipe import unit_builder
from station.recipe.recipe import Recipe
from station.replay.entries import base64_of

FILLER = ord(".")  # in place of bytes that are neither frame nor a known line: a firmware's log may show a passcode
_ANSWERS = frozenset({REFUSED, *(question | ANSWER for question in Question)})
_FILLED = bytes(byte if byte in b"\0\r\n" else FILLER for byte in range(256))


def argument(text: str) -> str:
    """An argument of the programmer: of a path only its name, since folders differ from run to run and from PC to PC."""
    return PurePath(text).name if "/" in text else text


def stream(data: bytes) -> bytes:
    """As many bytes: the link's answers and the operational firmware's line as they came, and filler in place of all others."""
    kept = bytearray(data.translate(_FILLED))
    at = 0
    for raw in data.split(b"\0"):
        if raw and _is_answer(raw):
            kept[at : at + len(raw)] = raw
        at += len(raw) + 1
    for start, end in operational.lines_in(data):
        kept[start:end] = data[start:end]
    return bytes(kept)


def _is_answer(raw: bytes) -> bool:
    frames = FrameReader().feed(raw + b"\0")
    return len(frames) == 1 and not isinstance(frames[0], Noise) and frames[0][0] in _ANSWERS


def witness(content: bytes, meant: bytes) -> dict[str, object]:
    """Memory that a write without an erase was to change: it may be factory data, so only whether it is blank, or as written."""
    if content == meant:
        return {"form": "written"}
    return {"form": "erased"} if content == bytes([ERASED]) * len(meant) else {"form": "damaged"}


def block(
    recipe: Recipe, identity: Identity | None, region: Region, content: bytes, *, key_proven: bool = False
) -> dict[str, object]:
    """Factory data that was read: public records as they are, of each secret one its length and whether it is as intended.

    `key_proven`: the attempt has found that the private key is the certificate's; another look would cost half a millisecond.
    """
    if len(content) != region.size:
        return {"form": "short", "size": len(content)}
    match read_back(content):
        case Empty():
            return {"form": "erased"}
        case Damaged(reason):
            return {"form": "damaged", "reason": reason}
        case FactoryData() as found:
            return _records(recipe, identity, found, key_proven=key_proven)


def _records(recipe: Recipe, identity: Identity | None, found: FactoryData, *, key_proven: bool) -> dict[str, object]:
    intended = {} if identity is None else unit_builder.factory_data(recipe, identity).records
    public, secret = {}, {}
    for tag, value in found.records.items():
        if tag not in SECRET:
            public[tag.name] = base64_of(value)
        elif tag is Tag.DEVICE_ATTESTATION_PRIV_KEY:
            secret[tag.name] = {"size": len(value), "fits": key_proven or _is_key(found, value)}
        else:
            secret[tag.name] = {"size": len(value), "fits": intended.get(tag) == value}
    return {"form": "records", "public": public, "secret": secret}


def _is_key(found: FactoryData, private_key: bytes) -> bool:
    dac = found.octets(Tag.DEVICE_ATTESTATION_CERTIFICATE)
    try:
        return dac is not None and Credentials(dac, b"").is_key(private_key)
    except (TypeError, ValueError):  # no certificate, or one with another kind of key
        return False
