# SPDX-License-Identifier: Apache-2.0
"""Base38, the encoding of QR payloads (Matter Core Specification 5.1.3.1). Pure.

Three bytes are five characters, two are four, one is two; least significant first.
"""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-."
_CHARACTERS = {1: 2, 2: 4, 3: 5}  # by bytes
_BYTES = {characters: size for size, characters in _CHARACTERS.items()}


class Base38Invalid(Exception):
    """The text is no Base38."""


def encode(data: bytes) -> str:
    """The text for any bytes."""
    return "".join(_encode_chunk(data[at : at + 3]) for at in range(0, len(data), 3))


def decode(text: str) -> bytes:
    """The bytes; raises `Base38Invalid` for text that no bytes encode to."""
    return b"".join(_decode_chunk(text[at : at + 5]) for at in range(0, len(text), 5))


def _encode_chunk(chunk: bytes) -> str:
    number = int.from_bytes(chunk, "little")
    characters = ""
    for _ in range(_CHARACTERS[len(chunk)]):
        number, digit = divmod(number, len(_ALPHABET))
        characters += _ALPHABET[digit]
    return characters


def _decode_chunk(chunk: str) -> bytes:
    size = _BYTES.get(len(chunk))
    if size is None or not set(chunk) <= set(_ALPHABET):
        raise Base38Invalid("a character or a length that Base38 does not have")
    number = 0
    for character in reversed(chunk):
        number = number * len(_ALPHABET) + _ALPHABET.index(character)
    try:
        return number.to_bytes(size, "little")
    except OverflowError as exc:
        raise Base38Invalid("a group of characters that no bytes encode to") from exc
