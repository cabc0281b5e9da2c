# SPDX-License-Identifier: Apache-2.0
"""USART1 with its FIFOs: every byte takes its transmission time, in both directions. Pure."""

from collections import deque

from virtual_bench.emulator.chip_time import NEVER, SECOND, ChipTime
from virtual_bench.emulator.clocks import Clocks
from virtual_bench.emulator.dma import DMA
from virtual_bench.emulator.peripheral import Peripheral
from virtual_bench.emulator.pins import Pins

CR1, CR3, BRR, ISR, ICR, RDR, TDR = 0x00, 0x08, 0x0C, 0x1C, 0x20, 0x24, 0x28
ENABLED, RECEIVING, SENDING = 1 << 0, 1 << 2, 1 << 3  # CR1
IDLE_INTERRUPT, RECEIVED_INTERRUPT = 1 << 4, 1 << 5
FIFO_ENABLED = 1 << 29
ERROR_INTERRUPT, DMA_RECEIVES, THRESHOLD_INTERRUPT = 1 << 0, 1 << 6, 1 << 28  # CR3
THRESHOLDS = (1, 2, 4, 6, 7, 8)  # of a FIFO of eight, by bits 27:25 of CR3
FRAMING_ERROR, OVERRUN, IDLE, RECEIVED, SENT, ROOM = 1 << 1, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7  # ISR
BITS = 10  # of a byte on the line
ADDRESS, DMA_REQUEST = 0x40013800, 14  # of its reception, at the DMA's multiplexer
TX_PIN, RX_PIN, ON_PINS = 6, 7, 7
TOLERANCE = 0.03


class USART(Peripheral):
    """The chip's end of the serial line that the board's ST-LINK turns into a serial port."""

    def __init__(self, time: ChipTime, clocks: Clocks, pins: Pins, dma: DMA, baud_rate: float) -> None:
        super().__init__()
        self._time = time
        self._clocks = clocks
        self._pins = pins
        self._dma = dma
        self._baud_rate = baud_rate
        self._byte_time = round(BITS * SECOND / baud_rate)
        self._coming: deque[int] = deque()  # bytes that the other end has sent
        self._next_arrival = 0
        self._falls_idle = NEVER
        self._fifo: deque[int] = deque()
        self._flags = 0
        self._sent = bytearray()
        self._quiet = 0  # when the last byte has left
        self._due = NEVER  # when the next byte arrives, or the line falls idle
        self._know_settings()
        dma.catch_up = self._receive
        clocks.follow(self._know_settings)
        pins.changed = self._know_settings

    def arrive(self, data: bytes) -> None:
        """Takes bytes from the other end; their transmission begins now, or after its earlier bytes."""
        self._receive()
        if data and not self._coming:
            self._next_arrival = self._time.now + self._byte_time
            if self._falls_idle != NEVER:
                self._next_arrival = max(self._next_arrival, self._falls_idle)
        self._coming += data
        self._falls_idle = NEVER if self._coming else self._falls_idle
        self._due = self._next_arrival if self._coming else self._falls_idle

    def take_sent(self) -> bytes:
        """The bytes that have left since the last call."""
        data, self._sent = bytes(self._sent), bytearray()
        return data

    def interrupt_at(self) -> int:
        """The moment of its interrupt; a past moment if the interrupt is asserted now."""
        if self._due <= self._time.now:
            self._receive()
        moment = NEVER
        if not self._fifo and not self._coming and not self._flags and self._falls_idle == NEVER:
            return moment
        if self._interrupts_on_errors and self._flags & (FRAMING_ERROR | OVERRUN):
            return 0
        if self._interrupts_at:
            moment = self._filled_at(self._interrupts_at)
        if self._interrupts_when_idle:
            moment = min(moment, 0 if self._flags & IDLE else self._idle_at())
        return moment

    def full_at(self) -> int:
        """When the FIFO will be full; the core must read it by then."""
        return self._filled_at(min(self._depth, len(self._fifo) + len(self._coming)))

    def read(self, offset: int, width: int) -> int:
        if self._due <= self._time.now:
            self._receive()
        if offset == ISR:
            return self._state()
        if offset == RDR:
            return self._fifo.popleft() if self._fifo else 0
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        if self._due <= self._time.now:
            self._receive()
        if offset == ICR:
            self._flags &= ~value
        elif offset == TDR:
            self._send(value & 0xFF)
        else:
            super().write(offset, width, value)
            self._know_settings()

    def _state(self) -> int:
        now = self._time.now
        state = self._flags | (RECEIVED if self._fifo else 0) | (SENT if self._quiet <= now else 0)
        if self._quiet - self._full_time <= now:
            return state | ROOM
        self._time.await_moment(self._quiet)  # all of the room, since a check for every single byte is expensive
        return state

    def _send(self, byte: int) -> None:
        if not self._sends:
            return
        self._quiet = max(self._quiet, self._time.now) + self._byte_time
        self._sent.append(byte if self._in_step else 0xFF)

    def _receive(self) -> None:
        """Moves the bytes that have arrived by now into the FIFO."""
        now = self._time.now
        if self._fifo and self._is_served:
            self._hand_over(0)
        if self._due > now:
            return
        while self._coming and self._next_arrival <= now:
            if self._is_served:
                count = min(len(self._coming), (now - self._next_arrival) // self._byte_time + 1)
                self._hand_over(count)
            else:
                count = 1
                self._put(self._coming.popleft())
            self._next_arrival += count * self._byte_time
            if not self._coming:
                self._falls_idle = self._next_arrival
        if self._falls_idle <= now:
            self._falls_idle = NEVER
            self._flags |= IDLE
        self._due = self._next_arrival if self._coming else self._falls_idle

    @property
    def _is_served(self) -> bool:
        """Whether the DMA takes what comes; not after an overrun, until the core has cleared its flag."""
        return self._dma_receives and not self._flags & OVERRUN and self._dma.serves(DMA_REQUEST, ADDRESS + RDR)

    def _hand_over(self, count: int) -> None:
        """Lets the DMA have what is in the FIFO, and the next so many bytes, which have arrived."""
        arrived = bytes(self._coming.popleft() for _ in range(count))
        if not self._receives:
            return
        if count and not self._in_step:  # the DMA is not asked for a byte with an error (DDRE is 0)
            self._flags |= FRAMING_ERROR
            arrived = b""
        content = bytes(self._fifo) + arrived
        left = content[self._dma.move(content) :]  # its transfer has ended
        self._fifo = deque(left[: self._depth])
        if len(left) > self._depth:
            self._flags |= OVERRUN

    def _put(self, byte: int) -> None:
        if not self._receives:
            return
        if len(self._fifo) >= self._depth:
            self._flags |= OVERRUN
        elif self._in_step:
            self._fifo.append(byte)
        else:
            self._flags |= FRAMING_ERROR
            self._fifo.append(0xFF)

    def _filled_at(self, count: int) -> int:
        missing = count - len(self._fifo)
        if missing <= 0:
            return 0
        return self._next_arrival + (missing - 1) * self._byte_time if missing <= len(self._coming) else NEVER

    def _idle_at(self) -> int:
        return self._next_arrival + len(self._coming) * self._byte_time if self._coming else self._falls_idle

    def _know_settings(self) -> None:
        """Recomputes what follows from registers, pins and clock, which change seldom."""
        control, more, divider = (self.registers.get(register, 0) for register in (CR1, CR3, BRR))
        # How many received bytes cause an interrupt; 0 if no number does.
        self._interrupts_at = THRESHOLDS[min(more >> 25 & 7, 5)] if more & THRESHOLD_INTERRUPT else 0
        if control & RECEIVED_INTERRUPT:
            self._interrupts_at = 1
        self._interrupts_on_errors = bool(more & ERROR_INTERRUPT)
        self._dma_receives = bool(more & DMA_RECEIVES)
        self._interrupts_when_idle = bool(control & IDLE_INTERRUPT)
        self._depth = 8 if control & FIFO_ENABLED else 1
        self._full_time = self._depth * self._byte_time  # in which a full FIFO is sent
        self._sends = control & (ENABLED | SENDING) == ENABLED | SENDING and self._pins.serves(TX_PIN, ON_PINS)
        self._receives = control & (ENABLED | RECEIVING) == ENABLED | RECEIVING and self._pins.serves(RX_PIN, ON_PINS)
        # Whether the baud rate is close enough for the other end to receive.
        self._in_step = bool(divider) and abs(self._clocks.frequency / divider / self._baud_rate - 1) < TOLERANCE
