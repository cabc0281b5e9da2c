# SPDX-License-Identifier: Apache-2.0
"""Compares a trust store's folder with what a DCL node has answered, and writes the difference once a person has accepted it.

The ledger's certificates are the files `dcl-…`; all others are a person's, and stay.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from station.config import plain_files, whole_file
from station.faults.line import TrustUnreadable
from station.matter.certificates.crl import RevokedOf
from station.matter.certificates.dcl_answers import Model
from station.matter.certificates.dcl_trust import Verified
from station.matter.certificates.x509 import Certificate
from station.recipe.files import revocation_file

MODELS = "dcl-models.json"


@dataclass(frozen=True, slots=True)
class Change:
    """One file of the store, its new content (None removes it), and the sentences that a person accepts."""

    file: Path
    content: bytes | None
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """All changes, in the order in which they are written. `confirmed` is a revocation set that the answers leave as it is."""

    changes: tuple[Change, ...]
    confirmed: Path | None = None

    @property
    def digest(self) -> str:
        """Names exactly these changes and sentences: to accept it accepts nothing that was not shown."""
        digest = hashlib.sha256()
        for change in self.changes:
            content = b"-" if change.content is None else b"+" + change.content
            sentences = json.dumps(change.sentences).encode()  # what a file takes back depends on what was there before
            for part in (change.file.as_posix().encode(), content, sentences):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()[:16]

    def write(self) -> None:
        """Each file is the whole old one or the whole new one at any time. A confirmed set is as old as now. Raises `OSError`."""
        for change in self.changes:
            if change.content is None:
                change.file.unlink()
            else:
                # certificates and lists are public, and the daemon has its own account
                whole_file.write(change.file, change.content, whole_file.PUBLIC)
        if self.confirmed is not None:
            os.utime(self.confirmed)


def update_of(folder: Path, found: Verified) -> Update:
    """Raises `OSError` or `TrustUnreadable` for a store that cannot be read."""
    revocation_set = folder / revocation_file.NAME
    changes = (
        *_certificates(folder / "paa", "root", found.paas, found.roots_known),
        *_certificates(folder / "cd-signers", "signer of declarations", found.signers, found.signers_known),
        *_revocations(revocation_set, found),
        *_models(folder / MODELS, found.models),
    )
    stays = found.has_every_list and revocation_set.exists()
    return Update(changes, revocation_set if stays and all(each.file != revocation_set for each in changes) else None)


def _certificates(
    folder: Path, what: str, found: Mapping[bytes, Certificate], known: frozenset[bytes] | None
) -> Iterator[Change]:
    there = {path.name: plain_files.read(path) for path in sorted(folder.iterdir()) if path.is_file()}
    persons = {content for name, content in there.items() if not name.startswith("dcl-")}
    for key_id, certificate in sorted(found.items()):
        name = f"dcl-{key_id.hex().upper()}.der"
        before = there.get(name)
        if certificate.der not in persons and before != certificate.der:
            how = "new" if before is None else "another certificate for the same key identifier:"
            yield Change(folder / name, certificate.der, (f"{how} {what} {_shown(certificate)}",))
    listed = None if known is None else {f"dcl-{key_id.hex().upper()}.der" for key_id in known}
    for name in there:
        if name.startswith("dcl-") and listed is not None and name not in listed:
            text = f"{what} {name.removeprefix('dcl-').removesuffix('.der')} is no longer in the ledger"
            yield Change(folder / name, None, (text,))


def _shown(certificate: Certificate) -> str:
    subject = ", ".join(attribute.text for attribute in certificate.subject.attributes)
    fingerprint = hashlib.sha256(certificate.der).hexdigest()
    return f"{certificate.extensions.subject_key_id.hex().upper()} ({subject}), SHA-256 {fingerprint}"


def _revocations(file: Path, found: Verified) -> Iterator[Change]:
    """An authority of which a list is not among the answers keeps what it has revoked before."""
    before = _entries(file)
    asked = {(each.issuer, each.issuer_key_id): each.is_whole for each in found.revoked}
    after = {key: numbers for key, numbers in before.items() if not asked.get(key)}
    for each in found.revoked:
        key = (each.issuer, each.issuer_key_id)
        after[key] = after.get(key, frozenset()) | each.serial_numbers
    after = {key: numbers for key, numbers in after.items() if numbers}
    if after == before and (file.exists() or not found.has_every_list):
        return
    sentences = []
    for key in sorted({*before, *after}):
        was, now, name = before.get(key, frozenset()), after.get(key, frozenset()), key[1].hex().upper()
        sentences += [f"revoked by {name}: {number:X}" for number in sorted(now - was)]
        sentences += [f"no longer revoked by {name}: {number:X}" for number in sorted(was - now)]
    entries = [RevokedOf(*key, after[key]).entry for key in sorted(after)]
    content = json.dumps(entries, indent=1).encode() + b"\n"
    yield Change(file, content, tuple(sentences) or ("a revocation set, in which nothing is revoked",))


def _entries(file: Path) -> dict[tuple[bytes, bytes], frozenset[int]]:
    entries: dict[tuple[bytes, bytes], frozenset[int]] = {}
    for revoked in revocation_file.RevocationFile(file).entries:
        key = (revoked.issuer, revoked.issuer_key_id or b"")
        entries[key] = entries.get(key, frozenset()) | {revoked.serial_number}
    return entries


def _models(file: Path, found: tuple[Model, ...]) -> Iterator[Change]:
    try:
        rows: object = json.loads(plain_files.read(file))
    except FileNotFoundError:
        rows = {}
    except ValueError as exc:
        raise TrustUnreadable(f"{file}: no JSON") from exc
    if not isinstance(rows, dict):
        raise TrustUnreadable(f"{file}: no object of models")
    after, sentences = dict(rows), []
    for model in found:
        name = f"{model.vendor_id:04X}/{model.product_id:04X}"
        row = {"device_type": model.device_type, "product_name": model.product_name}
        if rows.get(name) != row:
            sentences.append(f"model {name}: {model.product_name}, device type 0x{model.device_type:04X}")
            after[name] = row
    if sentences:
        yield Change(file, json.dumps(after, indent=1, sort_keys=True).encode() + b"\n", tuple(sentences))
