# SPDX-License-Identifier: Apache-2.0
"""The provisioning agent built for this machine, with its flash in files: each board is a process with pipes."""

import os
import select
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from station.link.frames import FrameReader, encode
from station.link.messages import Refused, is_boot_hello, store_payload

SOURCE = Path(__file__).parents[2] / "firmware_images/source"
AGENT = sorted((SOURCE / "agent").glob("*.c"))
COMPILER = ["gcc", "-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
DEADLINE = 200.0  # generous, for a machine that is busy with other tests
POWER_GONE = 75
CONTEXT = b"matter provisioning link v1"
PRODUCT = {22: (0xFFF1).to_bytes(2, "little"), 24: (0x8004).to_bytes(2, "little"), 25: b"SN 0001"}
MAGIC = b"\xac" * 4
BLOCK = 16384


def compiled(program: Path, sources: Sequence[Path], *options: str) -> Path:
    """Builds a program with both sanitizers; its warnings are errors."""
    includes = [f"-I{SOURCE / part}" for part in ("agent", "ports/host")]
    subprocess.run([*COMPILER, *SANITIZERS, *includes, *sources, *options, "-o", program], check=True)
    return program


def host_program(folder: Path, storage: str) -> Path:
    """Builds the agent as a program, for a kind of key storage."""
    sources = [*AGENT, SOURCE / "ports/host/host.c", SOURCE / "ports/psa/p256_psa.c"]
    return compiled(folder / f"agent-{storage}", sources, f"-DAGENT_SECURE={int(storage == 'secure')}", "-lmbedcrypto")


def factory_data(values: dict[int, bytes]) -> bytes:
    """Records of tag, length and value, and the magic word, as ST's PC tool writes them."""
    return b"".join(record(tag, value) for tag, value in values.items()) + MAGIC


def record(tag: int, value: bytes) -> bytes:
    return tag.to_bytes(4, "little") + len(value).to_bytes(4, "little") + value


def records(block: bytes) -> dict[int, bytes] | None:
    """The list in a block; None if it has no end."""
    found: dict[int, bytes] = {}
    at = 0
    while block[at : at + 4] != MAGIC:
        tag, length = (int.from_bytes(block[start : start + 4], "little") for start in (at, at + 4))
        if not 0 < length <= 602 or at + 8 + length > len(block):
            return None
        found[tag] = block[at + 8 : at + 8 + length]
        at += 8 + length
    return found


class PowerGone(Exception):
    """The board has lost its power at the requested operation."""


class HostBoard:
    """A board with its flash in a folder; each `with` block is a time under power."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._options: tuple[str, ...] = ()
        self._frames = FrameReader()
        self._bodies: list[bytes] = []
        self.heard = b""
        self.errors = b""

    def power(self, *options: str) -> Self:
        """Sets options of the program for the next time under power."""
        self._options = options
        return self

    def __enter__(self) -> Self:
        self._frames = FrameReader()
        self._bodies = []
        self.heard = b""
        self._process = subprocess.Popen(
            [self.program, self.folder, *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        _, self.errors = self._process.communicate(timeout=DEADLINE)
        status = self._process.returncode
        assert status in {0, POWER_GONE}, self.errors.decode()

    def say(self, data: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError as exc:
            raise PowerGone from exc

    def hear(self) -> bytes:
        """The board's next output. Raises PowerGone if it ends."""
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], DEADLINE)
        assert ready, "the board is silent"
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            raise PowerGone
        self.heard += data
        return data

    def hear_until(self, text: bytes) -> None:
        ends = time.monotonic() + DEADLINE
        while text not in self.heard:
            assert time.monotonic() < ends
            self.hear()

    def body(self) -> bytes:
        """The next frame's body."""
        while not self._bodies:
            self._bodies += [frame for frame in self._frames.feed(self.hear()) if isinstance(frame, bytes)]
        return self._bodies.pop(0)

    def ask(self, question: int, payload: bytes = b"") -> bytes:
        """The payload of the answer. Raises Refused, and PowerGone."""
        self._number = self._number % 255 + 1
        self.say(encode(bytes([question, self._number]) + payload))
        while is_boot_hello(body := self.body()):
            pass
        assert body[1] == self._number, body.hex()
        if body[0] == 0xFF:
            raise Refused(body[2])
        assert body[0] == question | 0x80
        return body[2:]

    def refusal(self, question: int, payload: bytes = b"") -> int:
        """The status of the refusal."""
        try:
            answer = self.ask(question, payload)
        except Refused as refused:
            return refused.status
        raise AssertionError(f"was answered with {answer.hex()}")

    @property
    def block(self) -> bytes:
        return (self.folder / "data.bin").read_bytes()[:BLOCK]

    @property
    def flash(self) -> bytes:
        """Everything that the programmer could read from flash."""
        return b"".join((self.folder / name).read_bytes() for name in ("data.bin", "record.bin"))

    def put_factory_data(self, values: dict[int, bytes] | None = None, raw: bytes | None = None) -> None:
        """Writes factory data as the station does: erases the sector, then writes the list."""
        content = raw if raw is not None else factory_data(values or PRODUCT)
        (self.folder / "data.bin").write_bytes(content.ljust(65536, b"\xff"))


class Authority:
    """A PAI for the tests."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test PAI")])
        self.pai = self.certificate(self._key.public_key(), 1)

    def certificate(self, key: ec.EllipticCurvePublicKey, serial_number: int = 0x1234ABCD) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self.name, self.name, key, serial_number, now, now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)

    def answer(self, csr: bytes, serial_number: int = 0x1234ABCD) -> tuple[bytes, bytes]:
        """DAC and STORE's payload for a request."""
        dac = self.certificate(key_in(csr), serial_number)
        return dac, store_payload(dac, self.pai)


def key_in(csr: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a request; checks the request's signature."""
    request = x509.load_der_x509_csr(csr)
    assert request.is_signature_valid
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def check_proof(key: ec.EllipticCurvePublicKey, nonce: bytes, signature: bytes) -> None:
    """Raises InvalidSignature unless the key made the proof."""
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(r, s), CONTEXT + nonce, ec.ECDSA(hashes.SHA256()))
