# SPDX-License-Identifier: Apache-2.0
"""Verifies a bundle by itself: first its signature and hashes, then its content (`judgement`), without the ledger that it came from.

A bundle whose members are not those of its manifest is judged no further.
"""

from pathlib import Path

from station.evidence.findings import Result, Trusted
from station.evidence.form import MANIFEST, SIGNATURE, NotABundle
from station.evidence.judgement import Judgement
from station.evidence.reading import Bundle, reading

__all__ = ["Result", "Trusted", "verify"]


def verify(path: Path, trusted: Trusted) -> Result:
    """Judges the bundle in this file; raises `OSError` where the file cannot be read."""
    result = Result()
    try:
        with reading(path) as bundle:
            result.lot, result.made_at = bundle.manifest.lot, bundle.manifest.made_at
            result.signed_by = bundle.signature.public_key
            _seal(bundle, trusted, result)
            if result.is_sound or all(each.place == SIGNATURE for each in result.findings):
                Judgement(bundle, trusted, result).pronounce()
    except NotABundle as exc:
        place, _, reason = str(exc).partition(": ")
        result.add(place if reason else "the file", reason or place)
    return result


def _seal(bundle: Bundle, trusted: Trusted, result: Result) -> None:
    """Signature and hashes."""
    if not bundle.signature.fits(bundle.signed):
        result.add(MANIFEST, "its signature does not verify: the manifest was changed, or its signature or key was")
    if trusted.keys and bundle.signature.public_key not in trusted.keys:
        key = bundle.signature.public_key.hex()
        result.add(SIGNATURE, f"the bundle is signed by the key {key}, which is none of the given keys")
    for place, reason in bundle.members_wrong():
        result.add(place, reason)
