# SPDX-License-Identifier: Apache-2.0
"""The TLS of the connections to the MES, taken up again whenever its files change. Half of a pair leaves the old one in use."""

import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from station.adapters.outbox.secret_file import SecretUnusable, tls_context
from station.adapters.system.file_stamp import Stamp, stamp_of

log = structlog.get_logger()

TLS = Callable[[], ssl.SSLContext]
"""Asked before each connection."""

_Stamps = tuple[Stamp | None, ...]


class TLSFiles:
    """Authorities, certificate and key in `[mes]`, as far as they are named."""

    def __init__(self, ca: Path | None, certificate: Path | None, key: Path | None) -> None:
        """Raises `SecretUnusable`."""
        self._files = ca, certificate, key
        self._stamp = self._stamps()
        self._current = tls_context(*self._files)
        self._refused: str | None = None

    def newest(self) -> ssl.SSLContext:
        """The context for the next connection; the same one until the files have changed."""
        stamp = self._stamps()
        if stamp != self._stamp or self._refused is not None:
            self._stamp = stamp
            self._take_up()
        return self._current

    def _take_up(self) -> None:
        before, self._refused = self._refused, None
        try:
            self._current = tls_context(*self._files)
        except SecretUnusable as exc:
            self._refused = str(exc)
            if self._refused != before:
                log.warning("mes.files_refused", reason=self._refused)
            return
        log.info("mes.files_taken_up", file=str(self._files[1] or self._files[0]))

    def _stamps(self) -> _Stamps:
        return tuple(None if path is None else stamp_of(path) for path in self._files)
