# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ST's signed wireless stack: arbitrary bytes, and a footer with the version and a hash. Pure.

The footer is MAGIC, the version word and the file's size (u32, little-endian), and the SHA-256 of everything before
that hash.
"""

import hashlib

MAGIC = b"VBSTACK1"
FOOTER = 48
SHIPPED_STACK = "1.24.0.3"
SHIPPED_FUS = "2.1.0.0"
SHIPPED_SIZE = 391_636  # of stm32wb5x_BLE_Thread_light_dynamic_fw.bin in X-CUBE-MATTER 1.4.1
_PARTS = 4  # major, minor, sub, and release type with branch
_DIGEST = 32


def version_word(text: str) -> int:
    """The coprocessor's version word for a text such as 1.24.0.3, one byte per number. Raises ValueError."""
    parts = [int(part) for part in text.split(".")]
    if len(parts) != _PARTS:
        raise ValueError(f"{text}: a version has four numbers, as 1.24.0.3")
    try:
        return int.from_bytes(bytes(parts))
    except ValueError as exc:
        raise ValueError(f"{text}: each number of a version is 0 to 255") from exc


def version_text(word: int) -> str:
    return ".".join(map(str, word.to_bytes(_PARTS)))


def made(version: int, size: int) -> bytes:
    """An image of that version and size, always with the same bytes. Raises ValueError if the footer does not fit."""
    if size <= FOOTER:
        raise ValueError(f"{size}: an image has more than the {FOOTER} bytes of its footer")
    body = hashlib.shake_128(f"wireless stack {version_text(version)}".encode()).digest(size - FOOTER)
    signed = body + MAGIC + version.to_bytes(4, "little") + size.to_bytes(4, "little")
    return signed + hashlib.sha256(signed).digest()


def authentic_version(image: bytes) -> int | None:
    """The version word of an image; None if its footer shows that the image is not whole."""
    signed, digest = image[:-_DIGEST], image[-_DIGEST:]
    header = signed[-(FOOTER - _DIGEST) :]
    whole = header[:8] == MAGIC and int.from_bytes(header[12:], "little") == len(image)
    if len(image) <= FOOTER or not whole or hashlib.sha256(signed).digest() != digest:
        return None
    return int.from_bytes(header[8:12], "little")
