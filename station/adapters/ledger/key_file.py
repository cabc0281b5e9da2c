# SPDX-License-Identifier: Apache-2.0
"""Files of keys: where a configuration names one, or systemd hands it over. One that signs is Ed25519 in PEM."""

import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

LARGEST_PEM = 16_384  # bytes that are read


class KeyUnusable(Exception):
    """There is no such key; the text names the place and the reason, never a content."""


def place(named: Path | None, credential: str, environment: Mapping[str, str]) -> Path | None:
    """The file `named`, else the one where systemd would put this credential; None where it hands over none."""
    folder = environment.get("CREDENTIALS_DIRECTORY")
    return named or (None if folder is None else Path(folder) / credential)


def content(file: Path, what: str, most: int, *, private: bool) -> bytes:
    """At most so many bytes of the file. Raises `KeyUnusable`, also for a `private` file that others can read."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        with file.open("rb") as opened:
            found = opened.read(most)
    except OSError as exc:
        raise KeyUnusable(f"{file}: the {what} cannot be read: {exc.strerror}") from exc
    if private and mode & 0o077:
        raise KeyUnusable(f"{file}: others can read the {what}: chmod 600 {file}")
    return found


def signing_key(file: Path, what: str, *, private: bool) -> Ed25519PrivateKey:
    """The key in this file; raises `KeyUnusable`, like `content`."""
    found = content(file, what, LARGEST_PEM, private=private)
    try:
        key = load_pem_private_key(found, None)
    except TypeError:
        raise KeyUnusable(f"{file}: it is encrypted, and the station knows no password for it") from None
    except ValueError:
        raise KeyUnusable(f"{file}: it is no private key in PEM: openssl genpkey -algorithm ed25519") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{file}: it is no Ed25519 key: openssl genpkey -algorithm ed25519")
    return key
