"""The provisioning firmware: makes the key, asks for a DAC, and writes DAC and PAI behind the factory data."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_bench import factory_data, link
from virtual_bench.factory_data import DoesNotFit, Unreadable
from virtual_bench.firmware import key
from virtual_bench.firmware.hardware import Hardware
from virtual_bench.firmware.questions import ANSWER, PROTOCOL, UNASKED, Question, Refusal, Status

VENDOR_ID = x509.ObjectIdentifier("1.3.6.1.4.1.37244.2.1")  # Matter's attributes of a distinguished name
PRODUCT_ID = x509.ObjectIdentifier("1.3.6.1.4.1.37244.2.2")


class ProvisioningAgent:
    """Answers the questions of the provisioning link, version 1."""

    def __init__(self, hardware: Hardware, *, secure: bool, version: str) -> None:
        self._hardware = hardware
        self._secure = secure
        self._version = version

    def announcement(self) -> bytes:
        """HELLO's answer, unasked."""
        return link.encode(bytes([Question.HELLO | ANSWER, UNASKED]) + self._hello())

    async def answer(self, question: int, payload: bytes) -> bytes:
        """The payload of the answer. Raises Refusal."""
        try:
            match question:
                case Question.HELLO:
                    return self._hello()
                case Question.MAKE_CSR:
                    return await self._make_csr()
                case Question.STORE:
                    return await self._store(payload)
                case Question.PROVE:
                    await self._hardware.clock.sleep(self._hardware.profile.p256_operation)
                    return key.proof(self._key(), payload)
                case _:
                    raise Refusal(Status.UNKNOWN_QUESTION)
        except Unreadable as exc:
            raise Refusal(Status(exc.status)) from exc

    def _key(self) -> ec.EllipticCurvePrivateKey | None:
        return key.agent_key(self._hardware, secure=self._secure)

    def _hello(self) -> bytes:
        provisioned = factory_data.DAC in factory_data.readable(self._hardware.external)
        state = 2 if provisioned else 1 if self._key() else 0
        return bytes([PROTOCOL, self._secure, state]) + self._hardware.uid + self._version.encode()

    async def _make_csr(self) -> bytes:
        hardware = self._hardware
        values = factory_data.records_in(hardware.external)
        if not {factory_data.VENDOR_ID, factory_data.PRODUCT_ID} <= values.keys():
            raise Refusal(Status.NO_FACTORY_DATA)
        own = self._key()
        if own is None:
            await hardware.clock.sleep(hardware.profile.p256_operation)
            own = key.make_key(hardware, secure=self._secure)
        await hardware.clock.sleep(hardware.profile.p256_operation)
        vendor, product = (
            x509.NameAttribute(attribute, f"{int.from_bytes(values[tag], 'little'):04X}")
            for attribute, tag in ((VENDOR_ID, factory_data.VENDOR_ID), (PRODUCT_ID, factory_data.PRODUCT_ID))
        )
        request = x509.CertificateSigningRequestBuilder(x509.Name([vendor, product])).sign(own, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.DER)

    async def _store(self, payload: bytes) -> bytes:
        dac, pai = _certificates(payload)
        own = self._key()
        if own is None:
            raise Refusal(Status.NO_KEY)
        stored = factory_data.records_in(self._hardware.external).get(factory_data.DAC)
        public = key.public_point(own.public_key())
        if _point_in(dac) != public:
            raise Refusal(Status.NOT_MY_KEY)
        if stored is None:
            added = {factory_data.DAC: dac, factory_data.PAI: pai, factory_data.PUBLIC_KEY: public}
            if not self._secure:
                added[factory_data.PRIVATE_KEY] = key.private_bytes(own)
            await self._append(added)
        elif stored != dac:
            raise Refusal(Status.OTHER_DAC)
        if not self._secure:
            key.forget_private_key(self._hardware.internal)
        return bytes([Status.OK])

    async def _append(self, added: dict[int, bytes]) -> None:
        """ST's way: the sector is erased and the whole block written again. A power cut in between loses the block."""
        hardware, flash = self._hardware, self._hardware.external
        try:
            block = factory_data.appended(flash.read(factory_data.ADDRESS, factory_data.BLOCK), added)
        except DoesNotFit as exc:
            raise Refusal(Status.TOO_SMALL) from exc
        flash.erase(factory_data.ADDRESS, factory_data.BLOCK)
        await hardware.clock.sleep(hardware.profile.external_erase(1))
        flash.program(factory_data.ADDRESS, block)
        await hardware.clock.sleep(hardware.profile.block_program(factory_data.BLOCK))
        if flash.read(factory_data.ADDRESS, factory_data.BLOCK) != block:
            raise Refusal(Status.FLASH)


def _certificates(payload: bytes) -> tuple[bytes, bytes]:
    """DAC and PAI, each behind its length. Raises Refusal."""
    parts: list[bytes] = []
    rest = payload
    while len(parts) < 2:
        length = int.from_bytes(rest[:2], "little")
        parts.append(rest[2 : 2 + length])
        if not 0 < len(parts[-1]) == length <= factory_data.MAX_CERTIFICATE:
            raise Refusal(Status.PARAMETER)
        rest = rest[2 + length :]
    if rest:
        raise Refusal(Status.PARAMETER)
    return parts[0], parts[1]


def _point_in(certificate: bytes) -> bytes:
    """The public key of a certificate. Raises Refusal if there is none that could be a DAC's."""
    try:
        public = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise Refusal(Status.PARAMETER) from exc
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise Refusal(Status.NOT_MY_KEY)
    return key.public_point(public)
