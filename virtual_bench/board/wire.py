# SPDX-License-Identifier: Apache-2.0
"""The serial line between a board and the station. Its traffic shows the phase; faults of the line happen here."""

import asyncio

from virtual_bench.board import link
from virtual_bench.board.serial_port import SerialPort
from virtual_bench.faults.armed import BoardFaults
from virtual_bench.faults.phases import CONVERSATION, Phase

STORE = 0x03
HELLO_ANSWER, CSR_ANSWER = 0x81, 0x82
UID = slice(5, 17)  # in HELLO's answer, after type, number, protocol, key storage and state
UNASKED = 0
NOISE = b"\x80LSE ready\r\n\0\x55\xff"  # text, a delimiter, and bytes that could begin a frame
LOOKED_AGAIN = 0.001  # real seconds, until the station has read the CSR


class Wire:
    """The board's UART, for the firmware, and the serial port behind it while the board is plugged in."""

    def __init__(self, faults: BoardFaults) -> None:
        self._faults = faults
        self._port: SerialPort | None = None
        self._questions = link.FrameReader()
        self._said = link.Segments()
        self._received = b""
        self._news = asyncio.Event()
        self._resets = 0

    def plug(self, port: SerialPort) -> None:
        self._port = port

    def unplug(self) -> None:
        """Stops all traffic, in both directions."""
        self._port = None
        self.reset()

    def reset(self) -> None:
        """Drops the bytes on their way to the firmware and its half-sent frames, as a reset does."""
        self._resets += 1
        self._received = b""
        self._said = link.Segments()

    def heard(self, data: bytes) -> None:
        """Takes bytes from the station."""
        resets = self._resets
        for question in self._questions.feed(data):
            self._note_question(question[0])
        if self._resets == resets:  # otherwise a reset has dropped the bytes
            self._received += data
            self._news.set()

    def take(self) -> bytes:
        """For the chip: the bytes that have arrived."""
        data, self._received = self._received, b""
        return data

    async def arrival(self) -> None:
        """For the chip: returns when bytes have arrived."""
        while not self._received:
            self._news.clear()
            await self._news.wait()

    def send(self, data: bytes) -> None:
        """From the chip: bytes for the station."""
        resets = self._resets
        for segment in self._said.feed(data):
            if self._faults.phase is Phase.FLASH_OPERATIONAL:
                self._faults.enter(Phase.CONFIRM)
            if self._port is None or self._resets != resets or self._faults.lasting("mute"):
                return
            body = link.decode(segment.strip(b"\0"))
            if body is None:
                self._port.write(segment)
            elif body[1] == UNASKED:
                self._port.write(link.encode(self._tampered(body)))
            else:
                self._answer(self._port, body)

    def _answer(self, port: SerialPort, body: bytes) -> None:
        frame = link.encode(self._tampered(body))
        if fault := self._faults.due("uart_noise"):
            frame = _with_noise(frame, fault.text("where"))
        if fault := self._faults.due("late_answer"):
            asyncio.get_running_loop().call_later(fault.number("seconds"), self._write_late, port, frame)
            return
        port.write(frame)
        if body[0] == CSR_ANSWER:
            self._note_csr_taken()

    def _write_late(self, port: SerialPort, frame: bytes) -> None:
        if self._port is port:
            port.write(frame)

    def _tampered(self, body: bytes) -> bytes:
        if body[0] == HELLO_ANSWER and self._faults.lasting("other_uart"):
            return body[: UID.start] + bytes(byte ^ 0xFF for byte in body[UID]) + body[UID.stop :]
        if body[0] == CSR_ANSWER and self._faults.due("csr_bad_signature"):
            return body[:-1] + bytes([body[-1] ^ 1])  # the last byte of s
        return body

    def _note_question(self, kind: int) -> None:
        if kind == STORE:
            if self._faults.phase is Phase.AWAIT_CSR:
                self._faults.enter(Phase.RELAY_TO_PKI)
            self._faults.enter(Phase.DELIVER)
        elif self._faults.phase not in {*CONVERSATION, Phase.CONFIRM}:
            self._faults.enter(Phase.AWAIT_CSR)

    def _note_csr_taken(self) -> None:
        """Begins the phase relay_to_pki once the station has read the CSR."""
        if self._port is None or self._faults.phase is not Phase.AWAIT_CSR:
            return
        asyncio.get_running_loop().call_later(LOOKED_AGAIN, self._note_csr_read)

    def _note_csr_read(self) -> None:
        if self._port is not None and self._port.unread():
            self._note_csr_taken()
        elif self._faults.phase is Phase.AWAIT_CSR:
            self._faults.enter(Phase.RELAY_TO_PKI)


def _with_noise(frame: bytes, where: str) -> bytes:
    match where:
        case "before":
            return NOISE + frame
        case "between":
            return frame + NOISE
        case _:
            return frame[: len(frame) // 2] + NOISE + frame[len(frame) // 2 :]
