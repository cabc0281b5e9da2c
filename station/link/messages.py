# SPDX-License-Identifier: Apache-2.0
"""Questions and answers of the provisioning link, version 1: values to payloads and back. Pure.

A body is type (1), sequence number (1), payload; an answer's type is the question's with the top bit set. See
docs/link-protocol.md.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

PROTOCOL = 1
ANSWER = 0x80
REFUSED = 0xFF  # the type of an answer that carries only a status
UNASKED = 0  # the sequence number of the HELLO that a board sends at boot
NONCE_SIZE = 32
SIGNATURE_SIZE = 64
_UID_SIZE = 12
_NAMED = 1


class Question(IntEnum):
    HELLO = 0x01
    MAKE_CSR = 0x02
    STORE = 0x03
    PROVE = 0x04


class Status(IntEnum):
    """0 to 4 are ST's codes, as in `finish:NNN`."""

    OK = 0
    NO_FACTORY_DATA = 1
    TOO_SMALL = 2
    PARAMETER = 3
    SECURE_STORAGE = 4
    NOT_MY_KEY = 5
    CRYPTO = 6
    FLASH = 7
    NO_KEY = 8
    UNKNOWN_QUESTION = 9
    OTHER_DAC = 10


class KeyStorage(StrEnum):
    """The place of the DAC's private key: ST's test mode (flash) and production mode (secure)."""

    FLASH = "flash"
    SECURE = "secure"


class KeyState(IntEnum):
    NO_KEY = 0
    KEY = 1
    PROVISIONED = 2


_KEY_STORAGE = (KeyStorage.FLASH, KeyStorage.SECURE)


@dataclass(frozen=True, slots=True)
class Hello:
    """The firmware's answer to HELLO: key storage, state, UID and version."""

    key_storage: KeyStorage
    state: KeyState
    uid: bytes
    version: str


class AnswerInvalid(ValueError):
    """A well-formed frame that is no answer to the question."""


class Refused(Exception):
    """The board answered with a status other than OK."""

    def __init__(self, status: int) -> None:
        super().__init__(status_name(status))
        self.status = status


def status_name(status: int) -> str:
    """The status's number and name."""
    try:
        return f"{status} {Status(status).name.lower().replace('_', ' ')}"
    except ValueError:
        return f"{status} unknown status"


def body(question: Question, number: int, payload: bytes = b"") -> bytes:
    return bytes([question, number]) + payload


def payload_of(question: Question, number: int, answer: bytes) -> bytes | None:
    """The payload if `answer` (a frame's body) answers this question; None for a late or foreign one.

    Raises `Refused` if the board answers with a status instead.
    """
    if len(answer) < 2 or answer[1] != number:
        return None
    if answer[0] == REFUSED:
        if len(answer) != 3:
            raise AnswerInvalid("a refusal carries one status byte")
        raise Refused(answer[2])
    if answer[0] != question | ANSWER:
        return None
    return answer[2:]


def is_boot_hello(answer: bytes) -> bool:
    """Whether this is the HELLO that a board sends unasked after a reset."""
    return answer[:2] == bytes([Question.HELLO | ANSWER, UNASKED])


def hello(payload: bytes) -> Hello:
    if len(payload) < 3 + _UID_SIZE:
        raise AnswerInvalid(f"HELLO has {len(payload)} bytes, at least {3 + _UID_SIZE} expected")
    protocol, storage, state = payload[:3]
    if protocol != PROTOCOL:
        raise AnswerInvalid(f"protocol version {protocol}, {PROTOCOL} expected")
    if storage >= len(_KEY_STORAGE) or state > KeyState.PROVISIONED:
        raise AnswerInvalid(f"key storage {storage}, state {state}")
    return Hello(
        key_storage=_KEY_STORAGE[storage],
        state=KeyState(state),
        uid=payload[3 : 3 + _UID_SIZE],
        version=payload[3 + _UID_SIZE :].decode("utf-8", errors="replace"),
    )


def make_csr_payload(*, named: bool) -> bytes:
    """The form of the request's subject: with the serial number as common name, or as every agent knows it."""
    return bytes([_NAMED]) if named else b""


def csr(payload: bytes) -> bytes:
    if not payload:
        raise AnswerInvalid("an empty certificate request")
    return payload


def store_payload(dac: bytes, pai: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2, "little") + part for part in (dac, pai))


def check_stored(payload: bytes) -> None:
    """Raises `Refused` unless the status is OK."""
    if len(payload) != 1:
        raise AnswerInvalid(f"STORE answered with {len(payload)} bytes, 1 expected")
    if payload[0] != Status.OK:
        raise Refused(payload[0])


def signature(payload: bytes) -> bytes:
    if len(payload) != SIGNATURE_SIZE:
        raise AnswerInvalid(f"a signature of {len(payload)} bytes, {SIGNATURE_SIZE} expected")
    return payload
