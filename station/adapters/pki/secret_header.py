# SPDX-License-Identifier: Apache-2.0
"""Secrets that the PKI wants in a header of every request, read from files that only the station's account can read."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from station.adapters.pki.tls import check_private
from station.config import plain_files
from station.faults.line import PKIFileUnusable

LONGEST = 4096
_ONE_LINE = re.compile(r"[\x20-\x7e]+")
_SHORTEST = 4  # characters; hiding shorter ones would garble any text


@dataclass(frozen=True, slots=True)
class SecretHeader:
    """A header, and the file with its value; without a name the header of Basic authentication (RFC 7617)."""

    file: Path
    name: str | None = None

    def read(self) -> tuple[str, str]:
        """Name and value; raises PKIFileUnusable, never with the secret.

        Some providers want a bare code where Basic authentication has `user:password`.
        """
        check_private(self.file)
        try:
            text = plain_files.read(self.file, LONGEST).decode("ascii").strip()
        except OSError as exc:
            raise PKIFileUnusable(str(self.file), f"cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError:
            text = ""
        if not _ONE_LINE.fullmatch(text):
            raise PKIFileUnusable(str(self.file), "is not a secret: one line of ASCII is expected") from None
        if self.name is None:
            return "Authorization", f"Basic {base64.b64encode(text.encode()).decode()}"
        return self.name, text


def hidden(content: bytes, headers: Mapping[str, str]) -> bytes:
    """What a server says, without the secrets that were sent to it."""
    for value in headers.values():
        for secret in _spellings(value):
            if len(secret) >= _SHORTEST:
                content = content.replace(secret, b"<secret>")
    return content


def _spellings(value: str) -> list[bytes]:
    if not value.startswith("Basic "):
        return [value.encode(), value.rsplit(" ", maxsplit=1)[-1].encode()]
    encoded = value.removeprefix("Basic ").encode()
    clear = base64.b64decode(encoded)
    return [encoded, clear, *clear.split(b":", 1)[1:]]
