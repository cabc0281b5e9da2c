# SPDX-License-Identifier: Apache-2.0
"""The agent's pure parts in C: hash, frames, certificates, request, numbers, against vectors and other codecs."""

import hashlib
import json
import random
import subprocess
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from station.link.frames import encode
from tests.firmware.host_board import SOURCE, compiled, point

pytestmark = pytest.mark.line

PROGRAMS = Path(__file__).parent / "programs"
VECTORS = Path(__file__).parents[1] / "vectors"
GOLDEN = json.loads((VECTORS / "link/golden.json").read_text())["frames"]
Codec = Callable[..., list[str]]  # type: ignore[explicit-any]  # a program, with any number of arguments


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """Runs the program on each piece of data; returns its lines."""
    sources = [PROGRAMS / "codec.c"]
    sources += [SOURCE / f"agent/{name}.c" for name in ("certificate", "csr", "frames", "sha256")]
    program = compiled(tmp_path_factory.mktemp("codec") / "codec", sources)

    def ask(part: str, *data: bytes) -> list[str]:
        lines = "".join(f"{part} {piece.hex()}\n" for piece in data)
        return subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()

    return ask


def body_of(vector: dict[str, str | int]) -> bytes:
    kind, number, payload = vector["type"], vector["number"], vector["payload"]
    assert isinstance(kind, str)
    assert isinstance(number, int)
    assert isinstance(payload, str)
    return bytes.fromhex(kind) + bytes([number]) + bytes.fromhex(payload)


def test_sha256_is_that_of_python(codec: Codec) -> None:
    """Every length around the block's borders is tried."""
    messages = [bytes(range(256))[:length] * 1 for length in range(130)] + [b"a" * 1000, b"\xff" * 65]
    assert codec("sha256", *messages) == [hashlib.sha256(message).hexdigest() for message in messages]


def test_crc32_is_that_of_python(codec: Codec) -> None:
    """CRC-32/ISO-HDLC, whose check value is cbf43926."""
    messages = [b"123456789", b"", bytes(300), bytes(range(256))]
    assert codec("crc32", *messages) == [f"{zlib.crc32(message):08x}" for message in messages]
    assert codec("crc32", b"123456789") == ["cbf43926"]


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["name"])
def test_golden_frames(codec: Codec, vector: dict[str, str | int]) -> None:
    """The agent writes and reads the golden frames byte for byte."""
    body = body_of(vector)
    assert codec("encode", body) == [vector["frame"]]
    assert codec("decode", bytes.fromhex(str(vector["frame"]))) == [body.hex()]


def test_frames_are_those_of_the_station(codec: Codec) -> None:
    """Bodies of every length are tried, with zeros and with runs of no zero."""
    chance = random.Random(1)
    bodies = [bytes(chance.choices((0, 1, 255), (1, 300, 1), k=length)) for length in range(1, 1537, 7)]
    assert codec("encode", *bodies) == [encode(body).hex() for body in bodies]
    assert codec("decode", *map(encode, bodies)) == [body.hex() for body in bodies]


def test_no_flipped_bit_makes_another_body(codec: Codec) -> None:
    """A damaged frame is noise."""
    frame = encode(b"\x02\x07" + bytes(range(40)))
    flipped = [
        frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1 :]
        for at in range(1, len(frame) - 1)
        for bit in range(8)
    ]
    assert set(codec("decode", *flipped)) == {""}


def test_noise_around_frames_is_skipped(codec: Codec) -> None:
    """The noise is text, zeros, half a frame, or an overlong frame."""
    frame = encode(b"\x01\x01")
    overlong = b"\0" + b"\x02\x41" * 1600 + b"\0"
    stream = b"boot\r\n" + frame + b"\0\0\0" + frame[:4] + b"\0" + frame + overlong + b"x" * 3000 + frame + frame
    assert codec("decode", stream) == ["0101 0101 0101 0101"]


def certificate(
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    serial_number: int = 1,
    algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key, serial_number, now, now + timedelta(days=1))
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), algorithm or hashes.SHA256()).public_bytes(
        Encoding.DER
    )


def expected(der: bytes) -> str:
    read = x509.load_der_x509_certificate(der)
    r, s = decode_dss_signature(read.signature)
    key = read.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    number = read.serial_number
    serial = number.to_bytes(max(1, (number.bit_length() + 7) // 8)).hex()
    return f"{serial} {point(key).hex()} {(r.to_bytes(32) + s.to_bytes(32)).hex()} {read.tbs_certificate_bytes.hex()}"


def test_certificates_are_read_as_cryptography_reads_them(codec: Codec) -> None:
    """Serial number, key, signature and signed part are compared, with and without a leading zero."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    ders = [certificate(key, number) for number in (1, 0x7F, 0x80, 0x1234ABCD, 2**158 + 5)]
    assert codec("certificate", *ders) == [expected(der) for der in ders]


def test_what_is_no_certificate_is_refused(codec: Codec) -> None:
    """The input is truncated, followed by more bytes, or empty."""
    der = certificate(ec.generate_private_key(ec.SECP256R1()).public_key())
    wrong = [der[:length] for length in range(len(der))] + [der + b"\0", b"\x30\x80", b"\x30\x83\0\0\x01\0"]
    assert set(codec("certificate", *wrong)) == {"refused"}


def test_other_keys_and_algorithms_are_no_dacs(codec: Codec) -> None:
    """Each is a certificate, but Matter allows none of them."""
    p256 = ec.generate_private_key(ec.SECP256R1()).public_key()
    others: list[ec.EllipticCurvePublicKey | rsa.RSAPublicKey] = [
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    ]
    assert [line.split()[1] for line in codec("certificate", *(certificate(key) for key in others))] == ["-", "-", "-"]
    assert codec("certificate", certificate(p256, algorithm=hashes.SHA384()))[0].split()[2] == "-"


@pytest.mark.parametrize("size", range(33))
@pytest.mark.parametrize(
    "half", [b"\0" * 31 + b"\x01", b"\x7f" + bytes(31), b"\x80" + bytes(31), b"\xff" * 32, b"\0\x80" + bytes(30)]
)
def test_signatures_and_names_of_every_shape_fit_into_the_request(codec: Codec, half: bytes, size: int) -> None:
    """The numbers have the shortest and the longest encodings in DER, and the common name every length."""
    key, text = point(ec.generate_private_key(ec.SECP256R1()).public_key()), "LIGHT-0123456789-0123456789-2026"[:size]
    csr = x509.load_der_x509_csr(bytes.fromhex(codec("csr", key + half + half + text.encode())[0]))
    assert decode_dss_signature(csr.signature) == (int.from_bytes(half), int.from_bytes(half))
    assert [attribute.value for attribute in csr.subject] == [*([text] if text else []), "FFF1", "8004"]


def test_secret_numbers_are_in_range(tmp_path: Path) -> None:
    """The agent discards 0 and numbers not below the order; a stuck or failing source gives none."""
    program = compiled(tmp_path / "scalar", [PROGRAMS / "scalar.c", SOURCE / "agent/scalar.c"])
    subprocess.run([program], check=True)
