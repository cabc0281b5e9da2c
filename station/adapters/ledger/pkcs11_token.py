# SPDX-License-Identifier: Apache-2.0
"""A PKCS#11 token that seals the station's key: in its file is what only the token's RSA key opens (RSA-OAEP, SHA-1, RFC 8017).

The key is opened once, at the start, and wraps the units' keys in memory: a token is asked once for each start and not for
each unit. SHA-1 is what all tokens offer there, and OAEP does not rest on its resistance to collisions.
"""

import os
import re
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, unquote_to_bytes

from station.faults.line import LedgerUnavailable

if TYPE_CHECKING:
    import pkcs11

SCHEME = "pkcs11:"
EXTRA = "pip install 'matter-provisioning-station[pkcs11]'"
_WRITTEN = re.compile(r"pkcs11:[!-~]{1,1000}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its RSA key pair, as a PKCS#11 URI names them (RFC 7512)."""

    uri: str
    module: Path
    pin: Path = field(repr=False)
    label: str | None
    serial: str | None
    object: str | None
    id: bytes | None

    @classmethod
    def of(cls, uri: str) -> Self:
        """Raises `LedgerUnavailable` where the URI names too little, or has the PIN in it."""
        if not _WRITTEN.fullmatch(uri):
            raise _unusable(uri, "it is no PKCS#11 URI")
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        named = dict(_split(uri, each) for each in path.split(";") if each)
        asked = dict(_split(uri, each) for each in query.split("&") if each)
        if "pin-value" in asked:
            raise _unusable("pkcs11:…", "a PIN does not belong into it: name its file as pin-source")
        if further := {*named, *asked} - {"token", "serial", "object", "id", "type", "module-path", "pin-source"}:
            raise _unusable(uri, f"{min(further)} is not supported")
        if not {"token", "serial"} & named.keys() or not {"object", "id"} & named.keys():
            raise _unusable(uri, "it must name the token (token or serial) and its key (object or id)")
        if not {"module-path", "pin-source"} <= asked.keys():
            raise _unusable(uri, "it must name module-path=/…/module.so and pin-source=file:/…")
        texts = {name: unquote(value) for name, value in named.items()}
        return cls(
            uri=uri,
            module=Path(unquote(asked["module-path"])),
            pin=Path(unquote(asked["pin-source"]).removeprefix("file:")),
            label=texts.get("token"),
            serial=texts.get("serial"),
            object=texts.get("object"),
            id=unquote_to_bytes(named["id"]) if "id" in named else None,
        )

    def seal(self, secret: bytes) -> bytes:
        """What only the token opens; proven by opening it. Raises `LedgerUnavailable`."""
        with _Session(self) as session:
            sealed = session.encrypt(secret)
            if session.decrypt(sealed) != secret:
                raise self.trouble("it does not open what its own key has sealed")
        return sealed

    def opened(self, sealed: bytes) -> bytes:
        """Raises `LedgerUnavailable`."""
        return _opened(self.uri, sealed)

    def trouble(self, why: str) -> LedgerUnavailable:
        return _unusable(self.uri, why)

    def read_pin(self) -> str:
        """Raises `LedgerUnavailable`, also where others can read it."""
        try:
            mode = self.pin.stat().st_mode
            pin = self.pin.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeError) as exc:
            raise self.trouble(f"the file of its PIN, {self.pin}, cannot be read") from exc
        if stat.S_IMODE(mode) & 0o077:
            raise self.trouble(f"others can read its PIN: chmod 600 {self.pin}")
        if not pin:
            raise self.trouble(f"the file of its PIN, {self.pin}, is empty")
        return pin


@lru_cache(maxsize=64)  # the keys are in memory anyway, and each further question would cost the token a login
def _opened(uri: str, sealed: bytes) -> bytes:
    with _Session(Token.of(uri)) as session:
        return session.decrypt(sealed)


class _Session:
    """A session in which the station has logged in, for the block. Raises `LedgerUnavailable` for whatever goes wrong there."""

    def __init__(self, token: Token) -> None:
        self._token = token
        self._session: pkcs11.Session | None = None

    def __enter__(self) -> Self:
        token = self._token
        try:
            import pkcs11
            from pkcs11 import exceptions
        except ImportError as exc:
            raise token.trouble(f"this needs python-pkcs11: {EXTRA}") from exc
        pin = token.read_pin()
        try:
            found = list(pkcs11.lib(os.fspath(token.module)).get_tokens(token_label=token.label))
            found = [each for each in found if token.serial in (None, each.serial.decode(errors="replace").strip())]
            if len(found) != 1:
                raise token.trouble("there is no such token" if not found else "there are several such tokens")
            # a wrong PIN is tried once and never again by itself: the third one would lock the token for good
            if found[0].flags & (pkcs11.TokenFlag.USER_PIN_COUNT_LOW | pkcs11.TokenFlag.USER_PIN_FINAL_TRY):
                raise token.trouble("a wrong PIN was tried: log in once with the token's own tool, then try again")
            self._session = found[0].open(user_pin=pin)
        except exceptions.PinIncorrect as exc:
            raise token.trouble(f"the PIN in {token.pin} is wrong") from exc
        except (exceptions.PKCS11Error, RuntimeError) as exc:
            raise token.trouble(_said(exc)) from exc
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    def encrypt(self, secret: bytes) -> bytes:
        import pkcs11

        return self._with_key(pkcs11.ObjectClass.PUBLIC_KEY, "encrypt", secret)

    def decrypt(self, sealed: bytes) -> bytes:
        import pkcs11

        return self._with_key(pkcs11.ObjectClass.PRIVATE_KEY, "decrypt", sealed)

    def _with_key(self, kind: "pkcs11.ObjectClass", work: str, data: bytes) -> bytes:
        import pkcs11
        from pkcs11 import exceptions

        assert self._session is not None
        token = self._token
        try:
            key = self._session.get_key(object_class=kind, label=token.object, id=token.id)
            done: bytes = getattr(key, work)(data, mechanism=pkcs11.Mechanism.RSA_PKCS_OAEP)
        except exceptions.NoSuchKey as exc:
            raise token.trouble(f"it has no such RSA key to {work} with") from exc
        except (exceptions.PKCS11Error, AttributeError, ValueError) as exc:
            raise token.trouble(f"it does not {work}: {_said(exc)}") from exc
        return done


def _split(uri: str, attribute: str) -> tuple[str, str]:
    name, equals, value = attribute.partition("=")
    if not equals or not value:
        raise _unusable(uri, "one of its attributes has no value")
    return name, value


def _said(exc: Exception) -> str:
    return str(exc) or type(exc).__name__


def _unusable(uri: str, why: str) -> LedgerUnavailable:
    return LedgerUnavailable(f"the station's key is sealed by {uri}: {why}")
