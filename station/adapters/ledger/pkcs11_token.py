# SPDX-License-Identifier: Apache-2.0
"""PKCS#11 tokens: one that seals the station's key, and the sessions of this and of `signing_token`, which signs.

In the sealed key's file is what only the token's RSA key opens (RSA-OAEP, SHA-1, RFC 8017). It is opened once, at the start,
and wraps the units' keys in memory: a token is asked once for each start and not for each unit. SHA-1 is what all tokens
offer there, and OAEP does not rest on its resistance to collisions.
"""

import os
import re
import stat
from abc import ABC, abstractmethod
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
class NamedKey(ABC):
    """A token and its key pair, as a PKCS#11 URI names them (RFC 7512)."""

    uri: str
    module: Path
    pin: Path = field(repr=False)
    label: str | None
    serial: str | None
    object: str | None
    id: bytes | None

    @classmethod
    def of(cls, uri: str) -> Self:
        """Raises the class's `unusable` where the URI names too little, or has the PIN in it."""
        if "pin-value" in uri:
            raise cls.unusable("pkcs11:…", "a PIN does not belong into it: name its file as pin-source")
        if not _WRITTEN.fullmatch(uri):
            raise cls.unusable(uri, "it is no PKCS#11 URI")
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        named = dict(cls._split(uri, each) for each in path.split(";") if each)
        asked = dict(cls._split(uri, each) for each in query.split("&") if each)
        if further := {*named, *asked} - {"token", "serial", "object", "id", "type", "module-path", "pin-source"}:
            raise cls.unusable(uri, f"{min(further)} is not supported")
        if not {"token", "serial"} & named.keys() or not {"object", "id"} & named.keys():
            raise cls.unusable(uri, "it must name the token (token or serial) and its key (object or id)")
        if not {"module-path", "pin-source"} <= asked.keys():
            raise cls.unusable(uri, "it must name module-path=/…/module.so and pin-source=file:/…")
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

    @classmethod
    @abstractmethod
    def unusable(cls, uri: str, why: str) -> Exception:
        """What this kind of key raises."""

    def trouble(self, why: str) -> Exception:
        return self.unusable(self.uri, why)

    def read_pin(self) -> str:
        """Raises `unusable`, also where others can read it."""
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

    @classmethod
    def _split(cls, uri: str, attribute: str) -> tuple[str, str]:
        name, equals, value = attribute.partition("=")
        if not equals or not value:
            raise cls.unusable(uri, "one of its attributes has no value")
        return name, value


class Token(NamedKey):
    """A token and its RSA key pair, which seals the station's key."""

    def seal(self, secret: bytes) -> bytes:
        """What only the token opens; proven by opening it. Raises `LedgerUnavailable`."""
        with Session(self) as session:
            sealed = session.encrypt(secret)
            if session.decrypt(sealed) != secret:
                raise self.trouble("it does not open what its own key has sealed")
        return sealed

    def opened(self, sealed: bytes) -> bytes:
        """Raises `LedgerUnavailable`."""
        return _opened(self.uri, sealed)

    @classmethod
    def unusable(cls, uri: str, why: str) -> LedgerUnavailable:
        return LedgerUnavailable(f"the station's key is sealed by {uri}: {why}")


class Session:
    """A session in which the station has logged in, for the block. Raises the key's `unusable` for whatever goes wrong there."""

    def __init__(self, token: NamedKey) -> None:
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
        from pkcs11 import Mechanism, ObjectClass

        return self._with_key(ObjectClass.PUBLIC_KEY, "RSA", "encrypt", secret, Mechanism.RSA_PKCS_OAEP)

    def decrypt(self, sealed: bytes) -> bytes:
        from pkcs11 import Mechanism, ObjectClass

        return self._with_key(ObjectClass.PRIVATE_KEY, "RSA", "decrypt", sealed, Mechanism.RSA_PKCS_OAEP)

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature (RFC 8032)."""
        from pkcs11 import Mechanism, ObjectClass

        return self._with_key(ObjectClass.PRIVATE_KEY, "Ed25519", "sign", data, Mechanism.EDDSA)

    def point(self) -> bytes:
        """The public key of an Ed25519 key pair, as the token has it: 32 bytes, with or without the head of an OCTET STRING."""
        import pkcs11
        from pkcs11 import exceptions

        token = self._token
        try:
            key = self._key(pkcs11.ObjectClass.PUBLIC_KEY)
            if key[pkcs11.Attribute.KEY_TYPE] != pkcs11.KeyType.EC_EDWARDS:
                raise token.trouble("its key is no Ed25519 key")
            found: bytes = key[pkcs11.Attribute.EC_POINT]
        except exceptions.NoSuchKey as exc:
            raise token.trouble("it has no such Ed25519 key") from exc
        except (exceptions.PKCS11Error, RuntimeError) as exc:
            raise token.trouble(_said(exc)) from exc
        return found

    def _key(self, kind: "pkcs11.ObjectClass") -> "pkcs11.Key":
        assert self._session is not None
        return self._session.get_key(object_class=kind, label=self._token.object, id=self._token.id)

    def _with_key(
        self, kind: "pkcs11.ObjectClass", name: str, work: str, data: bytes, mechanism: "pkcs11.Mechanism"
    ) -> bytes:
        from pkcs11 import exceptions

        token = self._token
        try:
            done: bytes = getattr(self._key(kind), work)(data, mechanism=mechanism)
        except exceptions.NoSuchKey as exc:
            raise token.trouble(f"it has no such {name} key to {work} with") from exc
        except (exceptions.PKCS11Error, AttributeError, ValueError) as exc:
            raise token.trouble(f"it does not {work}: {_said(exc)}") from exc
        return done


@lru_cache(maxsize=64)  # the keys are in memory anyway, and each further question would cost the token a login
def _opened(uri: str, sealed: bytes) -> bytes:
    with Session(Token.of(uri)) as session:
        return session.decrypt(sealed)


def _said(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
