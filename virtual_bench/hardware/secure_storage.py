# SPDX-License-Identifier: Apache-2.0
"""The coprocessor's key storage (CKS) in a file: a key is written once, and can then be used but not erased."""

import json
import secrets
from contextlib import suppress
from pathlib import Path


class SecureStorageOccupied(Exception):
    """The storage already has a key, and keeps it."""


class SecureStorage:
    """The board's one key in the coprocessor, kept as the list of all keys ever written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            path.write_text("[]\n")

    def key(self) -> bytes | None:
        """The private key, for the model of the coprocessor to sign with."""
        keys = json.loads(self._path.read_text())
        return bytes.fromhex(keys[0]["private_key"]) if keys else None

    def write(self, private_key: bytes) -> None:
        """Stores a key. Raises SecureStorageOccupied if there already is one."""
        if self.key() is not None:
            raise SecureStorageOccupied
        self._path.write_text(json.dumps([{"private_key": private_key.hex()}]) + "\n")

    def occupy(self) -> None:
        """Puts an unknown key into the storage."""
        with suppress(SecureStorageOccupied):
            self.write(secrets.token_bytes(32))
