# SPDX-License-Identifier: Apache-2.0
"""Looks for a unit's secrets in every byte of every file of a folder, in each form in which a program may have left them."""

import base64
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from station.domain.identity import OnboardingSecrets
from station.matter.onboarding import codes
from station.matter.onboarding.codes import OnboardingPayload

PIECE = 16  # bytes of a longer secret, in case that a page's end cuts the rest off
DEEPEST = 3  # compressed within compressed


def forms(secret: OnboardingSecrets, payload: OnboardingPayload) -> dict[str, bytes]:
    """What gives the unit's passcode away, or lets somebody try all of them, by name."""
    digits, manual = secret.passcode.digits, codes.manual_code(payload)
    w0, point = secret.verifier[:32], secret.verifier[32:]
    texts = {
        "passcode": digits,
        "QR code": codes.qr_code(payload).removeprefix("MT:"),
        "manual code": manual,
        "manual code with dashes": f"{manual[:4]}-{manual[4:7]}-{manual[7:]}",
    }
    found = {name: text.encode() for name, text in texts.items()}
    found |= {f"{name} in UTF-16": text.encode("utf-16-le") for name, text in texts.items()}
    parts = {"salt": secret.salt, "W0": w0, "L": point}
    for name, content in parts.items():
        found |= {
            f"{name} from {start}": content[start : start + PIECE]
            for start in range(0, len(content) - PIECE + 1, PIECE)
        }
    whole = {**{name: text.encode() for name, text in texts.items()}, **parts}
    for name, content in whole.items():
        found |= {f"{name} in hex": content.hex().encode(), f"{name} in HEX": content.hex().upper().encode()}
        found |= {f"{name} in base64, {at}": each for at, each in enumerate(_base64(content))}
    return found


def chances(secret: OnboardingSecrets) -> tuple[bytes, ...]:
    """Forms of the passcode that occur by chance in a few megabytes, so that all units' say more than one's."""
    number = secret.passcode.value
    orders = number.to_bytes(4, "little"), number.to_bytes(4, "big")
    return (*orders, b"%08x" % number, b"%08X" % number, secret.passcode.digits.encode())


def _base64(content: bytes) -> Iterator[bytes]:
    """The characters that this content has in base64, wherever in the encoded text it stands."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content)
        yield encoded[-(-before * 8 // 6) : (before + len(content)) * 8 // 6]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below the folder with all that can be read in it: its bytes, and what is in its compressed streams."""
    return {
        str(file.relative_to(folder)): b"\xff".join([file.name.encode(), *_unpacked(file.read_bytes())])
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }


def found(everything: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> list[str]:
    """Where something of it is."""
    patterns = {name: re.compile(_pattern(text)) for name, text in wanted.items()}
    return [
        f"{name} in {file}"
        for file, content in everything.items()
        for name, pattern in patterns.items()
        if pattern.search(content)
    ]


def _pattern(text: bytes) -> bytes:
    """Digits count as a number of their own: eight of them occur by chance in longer ones, and behind a decimal point."""
    return b"(?<![0-9.])%b(?![0-9])" % text if text.isdigit() else re.escape(text)


def _unpacked(content: bytes, depth: int = 0) -> Iterator[bytes]:
    yield content
    if depth == DEEPEST:
        return
    for mark in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b\x08"):
        at = content.find(mark)
        while at != -1:
            if inside := _stream(content[at:]):
                yield from _unpacked(inside, depth + 1)
            at = content.find(mark, at + 1)


def _stream(content: bytes) -> bytes:
    """As much of a stream as there is; a half of it was written by somebody, too."""
    reader, made = zlib.decompressobj(zlib.MAX_WBITS | 32), b""
    for start in range(0, len(content), 256):
        try:
            made += reader.decompress(content[start : start + 256])
        except zlib.error:
            break
        if reader.eof:
            break
    return made
