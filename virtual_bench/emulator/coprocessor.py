# SPDX-License-Identifier: Apache-2.0
"""The radio's core with ST's wireless stack: only system events, Thread start, and the commands of the key storage (CKS).

The layout of shared memory is that of ST's tl.h, mbox_def.h and shci.h; the two commands are from its OpenThread interface.
"""

from typing import Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from virtual_bench.hardware.secure_storage import SecureStorage, SecureStorageOccupied

REFERENCE_TABLE = 0x20030000  # from option byte SNBRSA
THREAD_TABLE, SYSTEM_TABLE, MEMORY_TABLE = 2, 3, 4  # places in the reference table, in words
SYSTEM, THREAD = 2, 3  # channels
EVENT_PACKET, SYSTEM_RESPONSE, THREAD_RESPONSE = 0x12, 0x11, 0x09
ASYNCHRONOUS, COMMAND_COMPLETE = 0xFF, 0x0E
READY = 0x9200
STACK_RUNS, UPGRADE_SERVICE_RUNS = 0, 1
THREAD_INIT = 0xFC67
DONE, UNKNOWN_COMMAND = 0, 1
FAILED, NOT_FOUND, ALREADY = 1, 23, 24  # OpenThread's error codes
LONGEST_MESSAGE = 1024


class Memory(Protocol):
    """The memory of both cores. Raises Crash at an address without memory, as the core does."""

    def read(self, address: int, size: int) -> bytes: ...

    def write(self, address: int, data: bytes) -> None: ...


class Coprocessor:
    """Boots on request; unless its wireless stack runs, its upgrade service answers, which stores no keys."""

    def __init__(self, memory: Memory, storage: SecureStorage, *, stack_runs: bool) -> None:
        self._memory = memory
        self._storage = storage
        self._stack_runs = stack_runs
        self._thread_runs = False

    def announce(self) -> None:
        """Queues the system event that names the running firmware."""
        packet = self._word(self._table(MEMORY_TABLE) + 8)  # the pool of event buffers
        queue = self._word(self._table(SYSTEM_TABLE) + 4)
        event = bytes([EVENT_PACKET, ASYNCHRONOUS, 3]) + READY.to_bytes(2, "little")
        event += bytes([STACK_RUNS if self._stack_runs else UPGRADE_SERVICE_RUNS])
        last = self._word(queue + 4)
        self._memory.write(packet, _words(queue, last) + event)
        self._memory.write(last, _words(packet))
        self._memory.write(queue + 4, _words(packet))

    def answer(self, channel: int) -> bool:
        """Executes the command in a channel's buffer; false if this coprocessor does not serve the channel."""
        if channel == SYSTEM and self._stack_runs:
            self._answer_system(self._word(self._table(SYSTEM_TABLE)))
            return True
        if channel == THREAD and self._thread_runs:
            self._answer_thread(self._word(self._table(THREAD_TABLE) + 8))
            return True
        return False

    def _answer_system(self, buffer: int) -> None:
        """Overwrites the command with the response, which has no list pointers before it."""
        code = self._memory.read(buffer + 9, 2)
        known = int.from_bytes(code, "little") == THREAD_INIT
        self._thread_runs |= known
        response = bytes([SYSTEM_RESPONSE, COMMAND_COMPLETE, 4, 1]) + code + bytes([DONE if known else UNKNOWN_COMMAND])
        self._memory.write(buffer, response)

    def _answer_thread(self, buffer: int) -> None:
        """Executes 0x2E4 (otCksDacInitialize) or 0x2E5 (otCksDacSignature)."""
        identifier, count = self._word(buffer + 12), self._word(buffer + 16)
        arguments = [self._word(buffer + 20 + 4 * number) for number in range(min(count, 4))]
        match identifier, arguments:
            case 0x2E4, [key_at]:
                outcome = self._store(key_at)
            case 0x2E5, [message_at, length, public_key_at, signature_at]:
                outcome = self._sign(message_at, length, public_key_at, signature_at)
            case _:
                outcome = FAILED
        event = bytes([THREAD_RESPONSE, COMMAND_COMPLETE, 12]) + _words(identifier, 1, outcome)
        self._memory.write(buffer + 8, event)

    def _store(self, key_at: int) -> int:
        try:
            self._storage.write(self._memory.read(key_at, 32))
        except SecureStorageOccupied:
            return ALREADY
        return DONE

    def _sign(self, message_at: int, length: int, public_key_at: int, signature_at: int) -> int:
        key = _pair(self._storage.key(), self._memory.read(public_key_at, 65))
        if key is None or length > LONGEST_MESSAGE:
            return NOT_FOUND
        r, s = decode_dss_signature(key.sign(self._memory.read(message_at, length), ec.ECDSA(hashes.SHA256())))
        self._memory.write(signature_at, r.to_bytes(32) + s.to_bytes(32))
        return DONE

    def _table(self, place: int) -> int:
        return self._word(REFERENCE_TABLE + 4 * place)

    def _word(self, address: int) -> int:
        return int.from_bytes(self._memory.read(address, 4), "little")


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def _pair(private: bytes | None, public: bytes) -> ec.EllipticCurvePrivateKey | None:
    """The stored private key, if it belongs to this public key."""
    if private is None:
        return None
    try:
        key = ec.derive_private_key(int.from_bytes(private), ec.SECP256R1())
    except ValueError:
        return None
    encoding = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    return key if key.public_key().public_bytes(*encoding) == public else None
