# SPDX-License-Identifier: Apache-2.0
"""A PKCS#11 token that signs the chain's checkpoints: its Ed25519 key never leaves it (CKM_EDDSA, PKCS#11 3.0).

The station logs in for each signature, once in some minutes. A token that gives no answer holds up nothing but that.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from station.adapters.ledger.key_file import KeyUnusable
from station.adapters.ledger.pkcs11_token import NamedKey, Session

ANSWERED_WITHIN = 10.0  # seconds
POINT = 32  # bytes
OCTET_STRING = bytes((0x04, POINT))  # the head of the same in DER, as PKCS#11 2.40 wants it

T = TypeVar("T")


class SigningToken(NamedKey):
    """A token and its Ed25519 key pair."""

    @classmethod
    def unusable(cls, uri: str, why: str) -> KeyUnusable:
        return KeyUnusable(f"the audit's key is in {uri}: {why}")


class TokenKey:
    """The key pair that this URI names, as an `Ed25519PrivateKey` is one. The public half is read at once; raises `KeyUnusable`."""

    def __init__(self, uri: str, within: float = ANSWERED_WITHIN) -> None:
        self._token = SigningToken.of(uri)
        self._within = within
        self._asking: Thread | None = None
        self._public = self._answered(self._point)

    def public_key(self) -> Ed25519PublicKey:
        return self._public

    def sign(self, data: bytes, /) -> bytes:
        """Raises `KeyUnusable`, also where the token has another key by now."""
        signature = self._answered(lambda: self._signature(data))
        try:
            self._public.verify(signature, data)
        except InvalidSignature as exc:
            raise self._token.trouble("it has signed with another key than at the start") from exc
        return signature

    def _point(self) -> Ed25519PublicKey:
        with Session(self._token) as session:
            point = session.point().removeprefix(OCTET_STRING)
        if len(point) != POINT:
            raise self._token.trouble("its key is no Ed25519 key")
        return Ed25519PublicKey.from_public_bytes(point)

    def _signature(self, data: bytes) -> bytes:
        with Session(self._token) as session:
            return session.sign(data)

    def _answered(self, ask: Callable[[], T]) -> T:
        """What the token answers in time. A thread of its own asks, which nobody waits for at the station's end."""
        if self._asking is not None and self._asking.is_alive():
            raise self._token.trouble("it has still not answered")
        answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

        def work() -> None:
            try:
                answers.put((ask(), None))
            except BaseException as exc:  # noqa: BLE001  raised again by who has asked
                answers.put((None, exc))

        self._asking = Thread(target=work, name="PKCS#11 token", daemon=True)
        self._asking.start()
        self._asking.join(self._within)
        if answers.empty():
            raise self._token.trouble(f"it gave no answer within {self._within:g} s")
        answer, trouble = answers.get()
        if trouble is not None:
            raise trouble
        assert answer is not None
        return answer
