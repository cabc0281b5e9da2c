"""What the core does between a reset and the next: boots the image that stands in flash, announces it, answers questions."""

import asyncio
from contextlib import suppress
from typing import Protocol

from virtual_bench import link
from virtual_bench.firmware import st_demonstration
from virtual_bench.firmware.hardware import Hardware
from virtual_bench.firmware.operational import OperationalFirmware
from virtual_bench.firmware.provisioning import ProvisioningAgent
from virtual_bench.firmware.questions import ANSWER, REFUSED, Refusal
from virtual_bench.image import Image

ANNOUNCED_EVERY = 0.5


class Application(Protocol):
    """A firmware, once it has booted."""

    def announcement(self) -> bytes: ...

    async def answer(self, question: int, payload: bytes) -> bytes: ...


async def run(hardware: Hardware) -> None:
    """Runs until it is cancelled, which is a halt, a reset or a power cut. Without a whole image the board is dead silent."""
    await hardware.clock.sleep(hardware.profile.boot)
    image = Image.standing_in(hardware.internal)
    if image is None:
        return
    if image.kind.demonstration:
        await st_demonstration.run(hardware, secure=image.kind.secure)
    application: Application
    if image.kind.provisioning:
        application = ProvisioningAgent(hardware, secure=image.kind.secure, version=image.version)
    else:
        application = OperationalFirmware(hardware, secure=image.kind.secure)
    frames = link.FrameReader()
    questions = await _announce(hardware, application.announcement(), frames)
    while True:
        for question in questions:
            await _answer(hardware, application, question)
        questions = frames.feed(await hardware.uart.receive())


async def _announce(hardware: Hardware, announcement: bytes, frames: link.FrameReader) -> list[bytes]:
    """Says it every 500 ms until it is asked something, which is returned."""
    questions: list[bytes] = []
    while not questions:
        hardware.uart.send(announcement)
        with suppress(TimeoutError):
            async with asyncio.timeout(hardware.clock.period(ANNOUNCED_EVERY)):
                while not questions:
                    questions = frames.feed(await hardware.uart.receive())
    return questions


async def _answer(hardware: Hardware, application: Application, question: bytes) -> None:
    clock, profile = hardware.clock, hardware.profile
    await clock.sleep(profile.uart(len(question)))
    kind, number = question[:2]
    try:
        answer = bytes([kind | ANSWER, number]) + await application.answer(kind, question[2:])
    except Refusal as refusal:
        answer = bytes([REFUSED, number, refusal.status])
    await clock.sleep(profile.uart(len(answer)))
    hardware.uart.send(link.encode(answer))
