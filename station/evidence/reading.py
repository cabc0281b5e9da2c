# SPDX-License-Identifier: Apache-2.0
"""Reads a bundle that may be anything: bounded, line by line, and never written to disk."""

import hashlib
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from station.evidence import layout
from station.evidence.form import ALWAYS, MANIFEST, SIGNATURE, Manifest, Member, NotABundle, Signature, read_object

LONGEST_LINE = 1 << 20
LARGEST_FILE = 16 << 20  # of a member that is read as a whole
MOST_MEMBERS = 10_000
_AT_ONCE = 1 << 16

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class Bundle:
    """An open bundle, whose manifest and signature could be read."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._counts = Counter(each.filename for each in archive.infolist())
        self.names = frozenset(self._counts)
        for name in (MANIFEST, SIGNATURE):
            if name not in self.names:
                raise NotABundle(f"{name}: it is missing")
        self._archive = archive
        self.signed = self._whole(MANIFEST)
        self.manifest = Manifest.read(self.signed)
        self.signature = Signature.read(self._whole(SIGNATURE))

    def members_wrong(self) -> Iterator[tuple[str, str]]:
        """Each member that is not as the manifest says, with the reason."""
        listed = {each.name for each in self.manifest.members}
        for name in sorted(self.names - listed - {MANIFEST, SIGNATURE}):
            yield name, "the manifest does not list it"
        for name in sorted(name for name, count in self._counts.items() if count > 1):
            yield name, "it is in the file more than once"
        if len(listed) < len(self.manifest.members):
            yield MANIFEST, "it lists a member twice"
        for name in ALWAYS:
            if name not in listed:
                yield name, "the manifest does not list it, and every bundle has it"
        for each in self.manifest.members:
            if each.name not in self.names:
                yield each.name, "it is missing"
            elif (reason := self._difference(each)) is not None:
                yield each.name, reason

    def lines(self, name: str) -> Iterator[tuple[int, Mapping[str, object]]]:
        """The JSON objects of a member, with their line numbers; raises `NotABundle`."""
        with self._opened(name) as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    raise NotABundle(f"{name}, line {number}: it is too long, or has no end")
                yield number, read_object(f"{name}, line {number}", line)

    def json(self, name: str) -> Mapping[str, object]:
        """A member that is one JSON object; raises `NotABundle`."""
        return read_object(name, self._whole(name))

    def content(self, name: str) -> bytes:
        """A small member; raises `NotABundle`."""
        return self._whole(name)

    def named(self, folder: str) -> Iterator[str]:
        """The members in a folder."""
        return (each.name for each in self.manifest.members if each.name.startswith(f"{folder}/"))

    def _whole(self, name: str) -> bytes:
        with self._opened(name) as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise NotABundle(f"{name}: it is longer than {LARGEST_FILE} bytes")
        return content

    def _difference(self, member: Member) -> str | None:
        digest, size = hashlib.sha256(), 0
        try:
            with self._opened(member.name) as file:
                while piece := file.read(_AT_ONCE):
                    size += len(piece)
                    if size > member.size:
                        return f"it is longer than the {member.size} bytes of the manifest"
                    digest.update(piece)
        except NotABundle:
            return "it is damaged: its content cannot be unpacked"
        if size != member.size:
            return f"it has {size} bytes, and {member.size} in the manifest"
        return None if digest.hexdigest() == member.sha256 else "its SHA-256 is not the one in the manifest"

    @contextmanager
    def _opened(self, name: str) -> Iterator[zipfile.ZipExtFile]:
        try:
            with self._archive.open(name) as file:
                assert isinstance(file, zipfile.ZipExtFile)
                yield file
        except KeyError:
            raise NotABundle(f"{name}: it is missing") from None
        except _UNREADABLE as exc:
            raise NotABundle(f"{name}: it is damaged ({exc})") from exc


@contextmanager
def reading(path: Path) -> Iterator[Bundle]:
    """The bundle for the block; raises `NotABundle`, and `OSError` where the file cannot be opened."""
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except _UNREADABLE as exc:
            raise NotABundle(f"it is no zip file, or a damaged one ({exc})") from exc
        with archive:
            try:
                layout.check(archive, file, path.stat().st_size, MOST_MEMBERS)
            except _UNREADABLE as exc:
                raise NotABundle(f"it is a damaged zip file ({exc})") from exc
            yield Bundle(archive)
