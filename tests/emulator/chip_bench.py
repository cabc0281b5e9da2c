# SPDX-License-Identifier: Apache-2.0
"""One emulated chip: flash files with an image in them, and a serial line whose other end belongs to the test."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from virtual_bench.board import link
from virtual_bench.board.stack_image import SHIPPED_FUS, SHIPPED_STACK, version_word
from virtual_bench.emulator.chip import Chip, FromRAM, Outcome
from virtual_bench.emulator.chip_time import SECOND
from virtual_bench.hardware.flash import Flash
from virtual_bench.hardware.hardware import Hardware
from virtual_bench.hardware.radio_core import RadioCore
from virtual_bench.hardware.secure_storage import SecureStorage
from virtual_bench.timing.clock import Clock
from virtual_bench.timing.profile import Profile

UID = bytes.fromhex("0102030405060708090a0b0c")
MAKE_CSR, STORE, PROVE, REFUSED = 0x02, 0x03, 0x04, 0xFF
IMAGES = Path(__file__).parents[2] / "firmware_images"
HEARD_WITHIN = 20 * SECOND  # in the chip's time


def image(name: str) -> bytes:
    return (IMAGES / f"{name}.bin").read_bytes()


@dataclass
class Faults:
    """The faults inside the chip; each is the number of the operation that fails, from 0."""

    random: int | None = None
    accelerator: int | None = None
    external_write: int | None = None
    power: int | None = None
    asked: dict[str, int] = field(default_factory=dict)

    def random_fails(self) -> bool:
        return self._is_due("random")

    def accelerator_fails(self) -> bool:
        return self._is_due("accelerator")

    def external_write_fails(self) -> bool:
        return self._is_due("external_write")

    def power_goes(self) -> bool:
        return self._is_due("power")

    def _is_due(self, name: str) -> bool:
        count = self.asked.get(name, 0)
        self.asked[name] = count + 1
        wanted: int | None = getattr(self, name)
        return count == wanted


class NoLine:
    """A serial line without another end: the test talks to the chip directly."""

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def take(self) -> bytes:
        return b""

    async def arrival(self) -> None:
        await asyncio.Event().wait()


class Silent(Exception):
    """The board did not send the expected text in time."""


class ChipBench:
    """A board's memories, and a chip on them that a test may restart."""

    def __init__(self, directory: Path, *, has_wireless_stack: bool = True) -> None:
        self.internal = Flash(directory / "internal.bin", 0x08000000, 0x100000, 0x1000)
        self.external = Flash(directory / "qspi.bin", 0x90000000, 0x200000, 0x10000)
        self.secure_storage = SecureStorage(directory / "secure_storage.json")
        self.faults = Faults()
        self.has_wireless_stack = has_wireless_stack
        self.chip: Chip | None = None
        self._number = 0

    def flash(self, image: bytes, address: int = 0x08000000) -> None:
        self.internal.erase(self.internal.base, 0x93000)
        self.internal.program(address, image)

    def reset(self) -> Chip:
        """Resets the chip. Raises Crash if no code can run at the reset vector."""
        return self._started(None)

    def started_in_ram(self, loaded: FromRAM) -> Chip:
        """Starts what a probe has loaded into RAM. Raises Crash."""
        return self._started(loaded)

    def _started(self, loaded: FromRAM | None) -> Chip:
        self.chip = Chip(
            Hardware(
                UID,
                self.internal,
                self.external,
                self.secure_storage,
                RadioCore(version_word(SHIPPED_FUS), version_word(SHIPPED_STACK) if self.has_wireless_stack else None),
                NoLine(),
                Clock(0),
                Profile(),
                self.faults,
                asyncio.Lock(),
            ),
            loaded,
        )
        return self.chip

    def hear(self, wanted: Callable[[bytes], bool], said: bytes = b"") -> bytes:
        """The board's output up to the expected text. Raises Silent and Crash."""
        chip = self.chip or self.reset()
        ends = chip.time.now + HEARD_WITHIN
        while chip.time.now < ends:
            outcome = chip.run()
            said += chip.usart.take_sent()
            if wanted(said):
                return said
            if outcome is Outcome.SLEEPS:
                chip.time.reach(min(chip.wakes_at(), ends))
        raise Silent(said)

    def hear_frame(self) -> bytes:
        """The body of the next frame."""
        bodies: list[bytes] = []

        def whole(said: bytes) -> bool:
            bodies[:] = link.FrameReader().feed(said)
            return bool(bodies)

        self.hear(whole)
        return bodies[0]

    def boot(self) -> bytes:
        """Resets the board, and returns the body of its first frame."""
        self.reset()
        return self.hear_frame()

    def ask(self, question: int, payload: bytes = b"") -> bytes:
        """The payload of the answer to a question."""
        kind, *answer = self._answer(question, payload)
        assert kind == question | 0x80, f"refused with status {answer}"
        return bytes(answer)

    def refusal(self, question: int, payload: bytes = b"") -> int:
        """The status with which the board refuses a question."""
        kind, status = self._answer(question, payload)
        assert kind == REFUSED
        return status

    def _answer(self, question: int, payload: bytes) -> bytes:
        """Type and payload of the answer; other output in between is skipped."""
        chip = self.chip or self.reset()
        self._number = self._number % 255 + 1
        chip.usart.arrive(link.encode(bytes([question, self._number]) + payload))
        answers: list[bytes] = []

        def answered(said: bytes) -> bool:
            answers[:] = [body for body in link.FrameReader().feed(said) if body[1] == self._number]
            return bool(answers)

        self.hear(answered)
        return answers[0][:1] + answers[0][2:]

    def close(self) -> None:
        self.chip = None
        self.internal.close()
        self.external.close()
