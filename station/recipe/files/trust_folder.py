# SPDX-License-Identifier: Apache-2.0
"""Reads a trust store from a folder with `paa/` and `cd-signers/`, certificates in DER or PEM, and perhaps a revocation set.

A file that cannot be read, such as a dangling link, is left out and reported, like a file without a certificate.
"""

from dataclasses import replace
from pathlib import Path

from station.config import plain_files
from station.faults.line import TrustUnreadable
from station.faults.resources import exhausted
from station.matter.certificates.trust import TrustStore
from station.recipe.files import revocation_file
from station.recipe.files.revocation_file import RevocationFile

ENDINGS = frozenset({".der", ".pem", ".cer", ".crt"})


def load(folder: Path) -> TrustStore:
    """Reads the store; raises `TrustUnreadable` if it has no usable root, no usable declaration signer, or an unusable revocation set."""
    left_out: list[str] = []
    paas, signers = (_files(folder / name, left_out) for name in ("paa", "cd-signers"))
    store = TrustStore.of(paas, signers, RevocationFile(folder / revocation_file.NAME))
    unreadable = (*left_out, *store.unreadable)
    if not store.paas or not store.cd_signers:
        found = f"{folder} has {len(store.paas)} roots in paa/, {len(store.cd_signers)} in cd-signers/"
        raise TrustUnreadable("; ".join((found, *unreadable)))
    return replace(store, unreadable=unreadable)


def _files(folder: Path, left_out: list[str]) -> dict[str, bytes]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    except OSError as exc:
        raise TrustUnreadable(f"{exc.filename}: {exc.strerror}") from exc
    files: dict[str, bytes] = {}
    for path in paths:
        try:
            files[path.name] = plain_files.read(path)
        except OSError as exc:
            if fault := exhausted(f"read {path}", exc):
                raise fault from exc  # the file may be good, and readable later
            left_out.append(f"{path.name}: {exc.strerror}")
    return files
