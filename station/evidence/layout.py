# SPDX-License-Identifier: Apache-2.0
"""Whether a zip is one file to all readers: some go by the list at its end, others by what stands before each member."""

import stat
import struct
import zipfile
from collections.abc import Collection
from typing import BinaryIO

from station.evidence.form import NotABundle

PACKED = 200  # times: the members are together not larger than so many files
LARGE = 64 << 20  # bytes that the members of any file may have

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BEFORE = struct.Struct("<4s2xHH8xIIHH")  # mark, flags, method, both sizes, lengths of name and further fields
_END = struct.Struct("<4s8xI4xH")  # mark, size of the list, length of a comment
_ENDS = frozenset({_END.size, 76 + _END.size})  # bytes behind the list; the longer ones of a large file
_LATER = 0x08  # the flag of a member whose sizes stand behind it, in so many bytes:
_LATER_SIZES = frozenset({12, 16, 20, 24})
_WIDE, _IN_FIELD = 0xFFFF_FFFF, struct.Struct("<HHQQ")  # sizes of 64 bits: in the first of the further fields


def check(archive: zipfile.ZipFile, file: BinaryIO, size: int, most: int) -> None:
    """Raises `NotABundle` for too many members, for more than was packed, and for bytes that no member has."""
    members = archive.infolist()
    if len(members) > most:
        raise NotABundle(f"it has more than {most} members")
    if sum(each.file_size for each in members) > max(LARGE, PACKED * size):
        raise NotABundle(f"its members are more than {PACKED} times as large as the file")
    at: int = 0
    behind: Collection[int] = (0,)
    for each in sorted(members, key=lambda each: each.header_offset):
        _check_gap(each.header_offset - at, behind)
        at = _end_of(each, file)
        behind = _LATER_SIZES if each.flag_bits & _LATER else (0,)
    _check_gap(archive.start_dir - at, behind)
    file.seek(max(0, size - _END.size))
    mark, listed, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06" or comment:
        raise NotABundle("bytes that belong to no member follow its list of members")
    _check_gap(size - archive.start_dir - listed, _ENDS)


def _end_of(member: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Where the member ends, if the same stands before it as in the list."""
    file.seek(member.header_offset)
    mark, flags, method, packed, size, name, further = _BEFORE.unpack(file.read(_BEFORE.size))
    fields = file.read(name + further)[name:]
    if _WIDE in (packed, size) and len(fields) >= _IN_FIELD.size:
        _, _, wide_size, wide_packed = _IN_FIELD.unpack_from(fields)
        size = wide_size if size == _WIDE else size
        packed = wide_packed if packed == _WIDE else packed
    sizes = (0, 0) if flags & _LATER and not packed else (member.compress_size, member.file_size)
    told = (mark, flags, method, packed, size)
    if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG}:
        raise NotABundle(f"{member.filename}: it is no file")
    if told != (b"PK\x03\x04", member.flag_bits, member.compress_type, *sizes) or method not in _METHODS:
        raise NotABundle(f"{member.filename}: what stands before it is not what the file's list of members says")
    return int(member.header_offset + _BEFORE.size + name + further + member.compress_size)


def _check_gap(found: int, allowed: Collection[int]) -> None:
    if found not in allowed:
        raise NotABundle("it has bytes that belong to no member")
