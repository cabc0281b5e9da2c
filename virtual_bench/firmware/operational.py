"""The operational firmware: reads its factory data at boot, says who it is, and proves it."""

from cryptography import x509

from virtual_bench import factory_data
from virtual_bench.firmware import key
from virtual_bench.firmware.hardware import Hardware
from virtual_bench.firmware.questions import Question, Refusal, Status


class OperationalFirmware:
    """A product that has booted; its only question is PROVE."""

    def __init__(self, hardware: Hardware, *, secure: bool) -> None:
        self._hardware = hardware
        self._secure = secure

    def announcement(self) -> bytes:
        """One line of text: the identity, or that there is none."""
        values = factory_data.readable(self._hardware.external)
        try:
            vendor, product = (int.from_bytes(values[tag], "little") for tag in factory_data.PRODUCT)
            dac = x509.load_der_x509_certificate(values[factory_data.DAC]).serial_number
            serial_number = values[factory_data.SERIAL_NUMBER].split(b"\0")[0].decode()  # a string of C
            line = f"VID={vendor:04X} PID={product:04X} DAC={dac:X} SN={serial_number}"
        except (KeyError, ValueError):
            line = "fault=1"
        return f"operational {line}\r\n".encode()

    async def answer(self, question: int, payload: bytes) -> bytes:
        """The payload of the answer. Raises Refusal."""
        if question != Question.PROVE:
            raise Refusal(Status.UNKNOWN_QUESTION)
        await self._hardware.clock.sleep(self._hardware.profile.p256_operation)
        return key.proof(key.shipped_key(self._hardware, secure=self._secure), payload)
