# SPDX-License-Identifier: Apache-2.0
"""A file for a print house, encrypted with age (age-encryption.org) to its public key (pyrage, an extra of the package).

`age --decrypt -i KEY FILE` reads it.
"""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from station.faults import Fault
from station.label.extras import LibraryMissing

LONGEST = 4096  # characters of a key's file


class RecipientUnfit(ValueError):
    """Nothing can be encrypted to this; the text says why, and never shows it, since it might be a private key."""


class Recipient:
    """Somebody who has the private key of a public one: `age1…`, or an SSH key of type ed25519 or RSA."""

    def __init__(self, text: str) -> None:
        try:
            from pyrage import ssh, x25519
        except ImportError as exc:
            raise LibraryMissing("pyrage") from exc
        lines = [line.strip() for line in text[:LONGEST].splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        if len(keys) != 1:
            raise RecipientUnfit("expected one line with one public key")
        (self._text,) = keys
        if self._text.upper().startswith("AGE-SECRET-KEY") or "PRIVATE KEY" in self._text:
            raise RecipientUnfit("it is a private key, which its owner should replace now; the public one is wanted")
        kind = x25519 if self._text.startswith("age1") else ssh
        try:
            self._recipient = kind.Recipient.from_str(self._text)
        except Exception as exc:
            raise RecipientUnfit("expected age1…, ssh-ed25519 … or ssh-rsa …") from exc

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key as age and SSH write it, without a comment behind it; hexadecimal."""
        return hashlib.sha256(" ".join(self._text.split()[:2]).encode()).hexdigest()

    def encrypt(self, content: Iterator[bytes], file: BinaryIO) -> None:
        """Writes the content for this recipient alone, a part at a time."""
        import pyrage

        through = _Through(content, file)
        try:
            pyrage.encrypt_io(through, through, [self._recipient])
        except pyrage.EncryptError:
            if through.failure is not None:
                raise through.failure from None
            raise


class _Through:
    """Parts and file as pyrage reads and writes them. Keeps the failure, of which pyrage has only the text."""

    def __init__(self, parts: Iterator[bytes], file: BinaryIO) -> None:
        self.failure: Fault | OSError | None = None
        self._parts = parts
        self._file = file
        self._rest = b""

    def read(self, size: int) -> bytes:
        try:
            while not self._rest:
                if (part := next(self._parts, None)) is None:
                    return b""
                self._rest = part
        except (Fault, OSError) as exc:
            self.failure = exc
            raise
        given, self._rest = self._rest[:size], self._rest[size:]
        return given

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as exc:
            self.failure = exc
            raise

    def flush(self) -> None:
        self._file.flush()
