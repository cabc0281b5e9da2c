"""The DAC's key: in the agent's record in internal flash, in the coprocessor, or in the factory data. And what it signs.

The record is one page above every application and below the coprocessor: flashing factory data or firmware leaves it alone.
"""

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from virtual_bench import factory_data
from virtual_bench.firmware.hardware import Hardware
from virtual_bench.firmware.questions import Refusal, Status
from virtual_bench.flash import Flash
from virtual_bench.secure_storage import SecureStorageOccupied

RECORD = 0x08093000
MAGIC = b"AGENT\x01\0\0"
PUBLIC_OFFSET, PRIVATE_OFFSET, RECORD_SIZE = 16, 88, 120  # after magic and key storage; whole double words
CONTEXT = b"matter provisioning link v1"
NONCE = 32


def public_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """The uncompressed point, 65 bytes."""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_numbers().private_value.to_bytes(32)


def agent_key(hardware: Hardware, *, secure: bool) -> ec.EllipticCurvePrivateKey | None:
    """The key that the provisioning agent made on this board, wherever it is now."""
    record = hardware.internal.read(RECORD, RECORD_SIZE)
    if record[:8] != MAGIC or record[8] != secure:
        return None
    public = record[PUBLIC_OFFSET : PUBLIC_OFFSET + 65]
    if secure:
        return _coprocessors(hardware, public)
    return _key(record[PRIVATE_OFFSET : PRIVATE_OFFSET + 32], public) or _key_in_factory_data(hardware, public)


def shipped_key(hardware: Hardware, *, secure: bool) -> ec.EllipticCurvePrivateKey | None:
    """The key that the operational firmware signs with; its public half is in the factory data."""
    public = factory_data.readable(hardware.external).get(factory_data.PUBLIC_KEY, b"")
    return _coprocessors(hardware, public) if secure else _key_in_factory_data(hardware, public)


def make_key(hardware: Hardware, *, secure: bool) -> ec.EllipticCurvePrivateKey:
    """Makes a key pair and stores it before anyone hears of it. Raises Refusal if the coprocessor has one already."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = private_bytes(key)
    if secure:
        try:
            hardware.secure_storage.write(private)
        except SecureStorageOccupied as exc:
            raise Refusal(Status.SECURE_STORAGE) from exc
        private = bytes(32)
    head = MAGIC + bytes([secure]).ljust(8, b"\0")
    hardware.internal.erase(RECORD, RECORD_SIZE)
    hardware.internal.program(RECORD, head + public_point(key.public_key()).ljust(72, b"\0") + private)
    return key


def forget_private_key(internal: Flash) -> None:
    """Clears every bit of it, which flash can do without an erase and so without losing the public key."""
    internal.program(RECORD + PRIVATE_OFFSET, bytes(32))


def proof(key: ec.EllipticCurvePrivateKey | None, nonce: bytes) -> bytes:
    """r and s over context and nonce: 64 bytes. Raises Refusal."""
    if len(nonce) != NONCE:
        raise Refusal(Status.PARAMETER)
    if key is None:
        raise Refusal(Status.NO_KEY)
    r, s = decode_dss_signature(key.sign(CONTEXT + nonce, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def _coprocessors(hardware: Hardware, public: bytes) -> ec.EllipticCurvePrivateKey | None:
    """The coprocessor signs only for who can name the public key."""
    return _key(hardware.secure_storage.key() or b"", public)


def _key_in_factory_data(hardware: Hardware, public: bytes) -> ec.EllipticCurvePrivateKey | None:
    return _key(factory_data.readable(hardware.external).get(factory_data.PRIVATE_KEY, b""), public)


def _key(private: bytes, public: bytes) -> ec.EllipticCurvePrivateKey | None:
    """The pair, if both halves are there and belong together."""
    try:
        key = ec.derive_private_key(int.from_bytes(private), ec.SECP256R1())
    except ValueError:  # cleared, erased or absent
        return None
    return key if public_point(key.public_key()) == public else None
