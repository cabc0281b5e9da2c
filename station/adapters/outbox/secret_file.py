# SPDX-License-Identifier: Apache-2.0
"""Reads the secrets for the MES from files that only the station's account can read, and makes TLS contexts."""

import base64
import binascii
import ssl
import stat
from pathlib import Path

from station.adapters.system import client_tls
from station.config import plain_files

LONGEST = 4096
OTHERS = 0o077  # the mode bits of group and others
PREFIX = "whsec_"
SHORTEST_KEY = 16


class SecretUnusable(Exception):
    """A file cannot be used; the text names the file and the reason, never its content."""


def lines(path: Path) -> list[str]:
    """The lines of a secret file that are not empty; raises `SecretUnusable`."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = plain_files.read(path, LONGEST)
    except OSError as exc:
        raise SecretUnusable(f"{path} cannot be read: {exc.strerror}") from exc
    if mode & OTHERS:
        raise SecretUnusable(f"{path} can be used by other accounts (its mode is {mode:04o}): chmod 600 {path}")
    try:
        found = [line.strip() for line in content.decode("ascii").splitlines() if line.strip()]
    except UnicodeDecodeError:
        found = []
    if not found:
        raise SecretUnusable(f"{path} is not a secret: a line of ASCII is expected")
    return found


def signing_keys(path: Path) -> list[bytes]:
    """The keys of the webhook's signatures: base64, one a line, with or without `whsec_`; raises `SecretUnusable`.

    While a receiver changes its secret, the file has both.
    """
    keys = []
    for line in lines(path):
        try:
            key = base64.b64decode(line.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) < SHORTEST_KEY:
            raise SecretUnusable(f"{path} is no secret of a webhook: whsec_ and base64 of 24 to 64 bytes are expected")
        keys.append(key)
    return keys


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Trusts the authorities in `ca`, or this computer's; shows the certificate. Raises `SecretUnusable`."""
    try:
        context = client_tls.trusting(ca)
    except (OSError, ssl.SSLError) as exc:
        raise SecretUnusable(f"{ca} holds no certificate authority: {exc.strerror or exc}") from exc
    if certificate is not None and key is not None:
        lines(key)  # only the station's account may read it
        try:
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ssl.SSLError) as exc:
            raise SecretUnusable(f"{certificate} and {key} are no certificate and its key: {exc}") from exc
    return context
