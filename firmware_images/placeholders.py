"""Makes the placeholder images that stand here until real firmware does: ST's sizes, seeded filler, no byte FF.

`python firmware_images/placeholders.py` writes them beside this file and prints the manifest's SHA-256 of each.
"""

import hashlib
import itertools
from pathlib import Path

STACK_POINTER = 0x20030000
LOAD_ADDRESS = 0x08000000
RESET_VECTOR = LOAD_ADDRESS + 0x141  # odd: Thumb
VERSION = b"1.0.0"
SIZES = {
    "provisioning-flash": 48_874,
    "provisioning-secure": 48_874,
    "st-demonstration-flash": 48_874,
    "st-demonstration-secure": 48_874,
    "operational-flash": 479_006,
    "operational-secure": 479_006,
}


def placeholder(kind: str, size: int) -> bytes:
    """A header that says what it is, filler, and the SHA-256 of all before it."""
    head = b"".join(number.to_bytes(4, "little") for number in (STACK_POINTER, RESET_VECTOR))
    head += b"BENCH IMAGE v1\0\0"
    head += b"".join(number.to_bytes(4, "little") for number in (size, LOAD_ADDRESS))
    head += kind.encode().ljust(32, b"\0") + VERSION.ljust(16, b"\0")
    body = head + filler(kind, size - len(head) - 32)
    return body + hashlib.sha256(body).digest()


def filler(seed: str, size: int) -> bytes:
    blocks = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in itertools.count())
    return b"".join(itertools.islice(blocks, size // 32 + 1)).replace(b"\xff", b"\xfe")[:size]


def main() -> None:
    folder = Path(__file__).parent
    for kind, size in SIZES.items():
        image = placeholder(kind, size)
        path = folder / f"{kind}.bin"
        if not path.exists() or path.read_bytes() != image:
            path.write_bytes(image)
        print(f"{hashlib.sha256(image).hexdigest()}  {path.name}")


if __name__ == "__main__":
    main()
