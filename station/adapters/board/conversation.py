# SPDX-License-Identifier: Apache-2.0
"""The conversation with the firmware on a board: the provisioning link over its serial port.

It reads the port until the reader yields the answer, and repeats an unanswered question, since repeating any question is
safe.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog

from station.adapters.board import tty
from station.domain.credentials import Credentials
from station.faults.unit import BoardAnswerInvalid, BoardRefused, BoardSilent, OperationalSilent
from station.interfaces import Traffic
from station.link import messages
from station.link.frames import FrameReader, Noise, encode
from station.link.messages import AnswerInvalid, Hello, Question, Refused
from station.link.operational import IdentityReader, OperationalFault, OperationalIdentity

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. A question is repeated every `repeat_every` until its deadline."""

    # from the reset to the first answer: the firmware sets up its clocks and the wireless stack
    boot_within: float = 15.0
    reply_within: float = 10.0  # the longest answer is a key pair made in software, about 2 s
    repeat_every: float = 3.0
    port_free_within: float = 25.0  # ModemManager holds a new port for up to 20 s


class SerialBoard:
    """One board's firmware, asked one question at a time."""

    def __init__(self, port: tty.TTY, deadlines: Deadlines) -> None:
        self._port = port
        self._deadlines = deadlines
        self._frames = FrameReader()
        self._number = 0

    async def hello(self) -> Hello:
        """Asks the firmware for its greeting, and waits until the board has booted."""
        payload = await self._ask(Question.HELLO, within=self._deadlines.boot_within)
        return _understood(Question.HELLO, messages.hello, payload)

    async def make_csr(self, *, named: bool = False) -> bytes:
        payload = await self._ask(Question.MAKE_CSR, messages.make_csr_payload(named=named))
        return _understood(Question.MAKE_CSR, messages.csr, payload)

    async def store(self, credentials: Credentials) -> None:
        payload = await self._ask(Question.STORE, messages.store_payload(credentials.dac, credentials.pai))
        _understood(Question.STORE, messages.check_stored, payload)

    async def prove(self, nonce: bytes) -> bytes:
        payload = await self._ask(Question.PROVE, nonce)
        return _understood(Question.PROVE, messages.signature, payload)

    async def operational_identity(self) -> OperationalIdentity:
        """Waits until the operational firmware has booted and has printed its identity."""
        reader = IdentityReader()
        within = self._deadlines.boot_within
        try:
            async with asyncio.timeout(within):
                while (said := reader.feed(await self._port.receive())) is None:
                    pass
        except TimeoutError as exc:
            raise OperationalSilent(within) from exc
        if isinstance(said, OperationalFault):
            raise BoardRefused("operational identity", messages.status_name(said.status))
        return said

    async def _ask(self, question: Question, payload: bytes = b"", within: float | None = None) -> bytes:
        within = within or self._deadlines.reply_within
        self._number = self._number % 255 + 1
        frame = encode(messages.body(question, self._number, payload))
        try:
            async with asyncio.timeout(within):
                while True:
                    self._port.send(frame)
                    answer = await self._answer(question)
                    if answer is not None:
                        return answer
        except TimeoutError as exc:
            raise BoardSilent(question.name, within) from exc

    async def _answer(self, question: Question) -> bytes | None:
        """The answer's payload; None when it is time to repeat the question."""
        skipped = 0
        try:
            async with asyncio.timeout(self._deadlines.repeat_every):
                while True:
                    for frame in self._frames.feed(await self._port.receive()):
                        if isinstance(frame, Noise):
                            skipped += len(frame.data)
                            continue
                        if messages.is_boot_hello(frame):
                            return None  # the board has just booted and cannot have received the question
                        payload = _understood(question, messages.payload_of, question, self._number, frame)
                        if payload is not None:
                            return payload
        except TimeoutError:
            if skipped:  # noise before an answer is normal; its text is not quoted, since it may hold a passcode
                log.info("uart.noise_skipped", size=skipped)
            log.warning("retry.scheduled", question=question.name, seconds=self._deadlines.repeat_every)
            return None


def _understood(question: Question, read: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The answer as `read` decodes it; raises the fault for an answer that `read` refuses."""
    try:
        return read(*args, **kwargs)
    except Refused as exc:
        raise BoardRefused(question.name, messages.status_name(exc.status)) from exc
    except AnswerInvalid as exc:
        raise BoardAnswerInvalid(question.name, str(exc)) from exc


@asynccontextmanager
async def connected(
    path: str, baudrate: int, deadlines: Deadlines, traffic: Traffic | None = None
) -> AsyncIterator[SerialBoard]:
    """The board behind this serial port, for the block; raises `TTYUnavailable`. `traffic` sees the port's bytes."""
    async with tty.opened(path, baudrate, deadlines.port_free_within, traffic) as port:
        yield SerialBoard(port, deadlines)
