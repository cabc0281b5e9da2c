# SPDX-License-Identifier: Apache-2.0
"""The revocation set in a trust store's folder: JSON as the CHIP SDK's tools make it from the DCL, read again when it has changed."""

import os
import time
from collections.abc import Container
from datetime import UTC, datetime
from pathlib import Path

from station.config import plain_files
from station.faults.line import TrustUnreadable
from station.faults.resources import exhausted
from station.matter.certificates.revocation import Revoked, read_revocation_set

NAME = "revocation-set.json"
SETTLED_AFTER = 2.0  # seconds: a file that was written within them may change again under the same times


class RevocationFile(Container[Revoked]):
    """The certificates that the file names as revoked. Without a file none is."""

    def __init__(self, path: Path) -> None:
        """Reads the file; raises `TrustUnreadable`."""
        self.path = path
        self.written: datetime | None = None
        self._revoked: frozenset[Revoked] = frozenset()
        self._seen: tuple[int, ...] = ()
        self.look()

    def __contains__(self, revoked: object) -> bool:
        return revoked in self._revoked

    @property
    def entries(self) -> frozenset[Revoked]:
        return self._revoked

    def __len__(self) -> int:
        return len(self._revoked)

    def look(self) -> bool:
        """Takes up a file that has changed; returns whether its entries have. Raises `TrustUnreadable`, and keeps the entries.

        A set that was there and is gone is unreadable, too: nobody takes revocations back in that way.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError as exc:
            if self.written is None and not self.path.is_symlink():
                return False
            raise TrustUnreadable(f"{self.path} is gone") from exc
        except OSError as exc:
            raise self._unreadable(exc) from exc
        seen = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if seen == self._seen:
            return False
        revoked = self._read()
        has_changed = revoked != self._revoked or self.written is None
        self._revoked, self.written = revoked, datetime.fromtimestamp(found.st_mtime, UTC)
        self._seen = seen if _is_settled(found) else ()
        return has_changed

    def _read(self) -> frozenset[Revoked]:
        try:
            return read_revocation_set(plain_files.read(self.path))
        except OSError as exc:
            raise self._unreadable(exc) from exc
        except TrustUnreadable as fault:
            raise TrustUnreadable(f"{self.path}: {fault.reason}") from fault

    def _unreadable(self, exc: OSError) -> Exception:
        return exhausted(f"read {self.path}", exc) or TrustUnreadable(f"{self.path}: {exc.strerror}")


def _is_settled(found: os.stat_result) -> bool:
    return found.st_ctime < time.time() - SETTLED_AFTER
