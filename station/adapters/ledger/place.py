# SPDX-License-Identifier: Apache-2.0
"""The place of a ledger's file: machine, path, and the file's inode and time of birth."""

import ctypes
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MACHINE_ID = Path("/etc/machine-id")
_PRODUCT_ID = Path("/sys/class/dmi/id/product_uuid")  # only root may read it
_AT_FDCWD, _STATX_BTIME = -100, 0x800  # linux/fcntl.h, linux/stat.h
_STATX_SIZE, _MASK_AT, _BIRTH_AT = 256, 0, 80  # struct statx of linux/stat.h: stx_mask, and stx_btime: s64 and u32


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger's place. A part that cannot be read is None, and is not compared.

    A file system's device number is left out: it may change with every start of the machine. So is the file system's
    own id, which is that number on some. A copy has another inode and birth time; a clone of the disk would have the
    same id.
    """

    path: str
    inode: int
    born: str | None
    machine: str | None
    product: str | None

    @classmethod
    def of(cls, path: Path) -> "Place":
        """The place of the file at this path; `OSError` where there is none."""
        return cls(
            path=os.path.realpath(path),
            inode=path.stat().st_ino,
            born=_born(path),
            machine=_hashed(_MACHINE_ID),
            product=_hashed(_PRODUCT_ID),
        )

    def differences(self, now: "Place") -> Iterator[str]:
        """The differences from this place, in words; empty if there are none."""
        for name in ("machine", "product"):
            before, today = getattr(self, name), getattr(now, name)
            if before is not None and today is not None and before != today:
                yield "it was on another machine"
                return
        if self.path != now.path:
            yield f"its path was {self.path}"
        elif self.inode != now.inode or (self.born and now.born and self.born != now.born):
            yield "it is another file than the one that was there"


def _hashed(file: Path) -> str | None:
    """A hash of the machine's numbers, since machine-id(5) forbids to show them; None where there is none."""
    try:
        content = file.read_bytes().strip()
    except OSError:
        return None
    return hashlib.sha256(b"matter-station " + content).hexdigest()[:32] if content else None


def _born(path: Path) -> str | None:
    """The file's time of birth, which differs in every copy; None if system or file system do not keep it."""
    statx = getattr(ctypes.CDLL(None, use_errno=True), "statx", None)  # Python 3.11's os.stat does not have it
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    if statx is None or statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, buffer) != 0:
        return None
    (mask,) = struct.unpack_from("=I", buffer.raw, _MASK_AT)
    seconds, nanoseconds = struct.unpack_from("=qI", buffer.raw, _BIRTH_AT)
    return f"{seconds}.{nanoseconds:09}" if mask & _STATX_BTIME else None
