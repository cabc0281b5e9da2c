# SPDX-License-Identifier: Apache-2.0
"""Writes a bundle, member by member and line by line, so that a lot of any size fits into memory."""

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from station.evidence.form import CONTEXT, MANIFEST, SIGNATURE, Manifest, Member, Signature, canonical

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the moment of writing is in the manifest: the same lot makes the same members
_LARGE = True  # sizes of 64 bits, since a member's size is not known before its end
_AT_ONCE = 1 << 16

Sign = Callable[[bytes], bytes]


class BundleWriter:
    """Takes members in their order; `close` adds manifest and signature."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = list[Member]()

    def member(self, name: str, pieces: Iterable[bytes]) -> None:
        """Adds a member of these pieces."""
        digest, size, waiting = hashlib.sha256(), 0, bytearray()
        with self._archive.open(_entry(name), "w", force_zip64=_LARGE) as file:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                waiting += piece
                if len(waiting) >= _AT_ONCE:
                    file.write(waiting)
                    waiting.clear()
            file.write(waiting)
        self._members.append(Member(name, size, digest.hexdigest()))

    def json(self, name: str, value: Mapping[str, object]) -> None:
        """Adds a JSON object."""
        self.member(name, [canonical(value), b"\n"])

    def lines(self, name: str, rows: Iterable[Mapping[str, object]]) -> int:
        """Adds JSON objects, one a line. Returns how many."""
        count = 0

        def pieces() -> Iterator[bytes]:
            nonlocal count
            for row in rows:
                count += 1
                yield canonical(row) + b"\n"

        self.member(name, pieces())
        return count

    def close(self, lot: str, made_at: str, public_key: bytes, sign: Sign) -> Manifest:
        """Adds the manifest and its signature."""
        manifest = Manifest(lot, made_at, tuple(self._members))
        content = manifest.content()
        signature = Signature(public_key, sign(CONTEXT + content))
        for name, each in ((MANIFEST, content), (SIGNATURE, signature.content())):
            self._archive.writestr(_entry(name), each)
        return manifest


@contextmanager
def writing(place: Path) -> Iterator[BundleWriter]:
    """A bundle at this place, for the block."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        yield BundleWriter(archive)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
