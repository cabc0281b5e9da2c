# SPDX-License-Identifier: Apache-2.0
"""Pads the operational stand-in to the size of ST's lighting application, so that flashing it takes as long as a product's.

`python firmware_images/padding.py` writes it beside this file, once for each key storage, and prints the manifest's SHA-256.
"""

import hashlib
import itertools
from pathlib import Path

SIZE = 479_006
STAND_IN = "operational-stand-in.bin"
PADDED = ("operational-flash.bin", "operational-secure.bin")  # equal: the firmware detects where the key is


def padded(image: bytes) -> bytes:
    """The image, followed by filler without a byte FF, which would look like erased flash."""
    return image + filler("operational", SIZE - len(image))


def filler(seed: str, size: int) -> bytes:
    """Filler bytes, the same on every machine."""
    blocks = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in itertools.count())
    return b"".join(itertools.islice(blocks, size // 32 + 1)).replace(b"\xff", b"\xfe")[:size]


def main() -> None:
    folder = Path(__file__).parent
    image = padded((folder / STAND_IN).read_bytes())
    for name in PADDED:
        path = folder / name
        if not path.exists() or path.read_bytes() != image:
            path.write_bytes(image)
        print(f"{hashlib.sha256(image).hexdigest()}  {name}")


if __name__ == "__main__":
    main()
