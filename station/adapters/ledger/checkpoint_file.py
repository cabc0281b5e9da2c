# SPDX-License-Identifier: Apache-2.0
"""The copies of a station's checkpoints in another folder, a line of JSON each, and the key that signs them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from station.adapters.ledger import durable, key_file
from station.domain.checkpoint import NotACheckpoint, Signed, SigningKey, verified

CREDENTIAL = "audit-key"  # its name in systemd's folder of credentials
LONGEST = 65_536  # bytes of a line: one with a time stamp has some thousands


def signing_key(
    named: Path | None, token: str | None = None, environment: Mapping[str, str] = os.environ
) -> SigningKey | None:
    """The key in the PKCS#11 token, else in the file `named`, else in systemd's credential; None without any. Raises `KeyUnusable`."""
    if token is not None:
        from station.adapters.ledger.signing_token import TokenKey

        return TokenKey(token)
    file = key_file.place(named, CREDENTIAL, environment)
    if file is None or (named is None and not file.exists()):
        return None
    return key_file.signing_key(file, "audit's key", private=named is not None)


def file_of(folder: Path, station: str) -> Path:
    return folder / f"{quote(station, safe=' ')}.checkpoints.jsonl"


def append(file: Path, signed: Signed) -> None:
    """Adds a checkpoint, durably; raises `OSError`. A line that a power cut has torn is ended first."""
    new = not file.exists()
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        content = memoryview(b"\n" * torn + signed.line().encode() + b"\n")
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        durable.settle(file.parent)


def lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Number and text of each line that is not empty; raises `OSError`."""
    with file.open("rb") as opened:
        number = 0
        while line := opened.readline(LONGEST):
            number += 1
            if line.strip():
                yield number, line


def newest(file: Path, public_key: bytes | None) -> list[Signed]:
    """The checkpoints that a ledger must go on from, by this key if given: the last, that of the latest moment, that of the highest line.

    They are one, unless somebody has appended an old one again, a clock went back, or a ledger was put back. Lines that are
    none are passed over: a power cut may have torn one, and a key may have been replaced. So are those with a
    time stamp: each stands there without it, too, and the stamp may have come when there was a newer one. Raises `OSError`.
    """
    last = latest = highest = None
    try:
        for _, line in lines(file):
            try:
                read = verified(line, *(() if public_key is None else (public_key,)))
            except NotACheckpoint:
                continue
            if read.timestamp is not None:
                continue
            last = read
            if latest is None or last.checkpoint.at >= latest.checkpoint.at:
                latest = last
            if highest is None or last.checkpoint.number >= highest.checkpoint.number:
                highest = last
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(each for each in (last, latest, highest) if each is not None))
