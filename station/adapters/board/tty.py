# SPDX-License-Identifier: Apache-2.0
"""A board's serial port. The one home of pyserial-asyncio, which is unmaintained; this module works around its faults.

Bytes that arrived before a loss are delivered before the loss is raised.
"""

import asyncio
import errno
import fcntl
import os
import termios
from collections.abc import AsyncIterator
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import serial
import serial_asyncio
import structlog

from station.faults import Fault
from station.faults.line import ResourcesExhausted
from station.faults.resources import exhausted
from station.faults.slot import TTYLost, TTYUnavailable
from station.interfaces import Traffic

log = structlog.get_logger()

BUFFERED = 1 << 16  # a board that sends without being asked must not fill memory
CLOSED_WITHIN = 1.0  # a driver may block close() for up to 30 s; a thread waits for it, the slot goes on

TRIED_AGAIN_AFTER = 0.5  # seconds between two tries at a port that another program holds

_REFUSALS = (OSError, serial.SerialException, termios.error)  # `termios.error` is not an OSError
# EBUSY: locked with TIOCEXCL, as by ModemManager; EAGAIN: locked with flock
_HELD = frozenset({errno.EBUSY, errno.EAGAIN})

# Opening and closing a USB serial port are control transfers and block; a port that hangs occupies one thread.
_io = ThreadPoolExecutor(max_workers=64, thread_name_prefix="tty")


class _Port(serial.Serial):
    """pyserial's port with a write that returns at once."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # the stub wants typing_extensions' Buffer
        """Writes what the driver takes now: pyserial's own spins on EAGAIN when `write_timeout` is 0."""
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as exc:
            raise serial.SerialException(f"write failed: {exc}") from exc


class _Transport(serial_asyncio.SerialTransport):  # type: ignore[misc]  # it ships no types
    """pyserial-asyncio's transport, closed in a thread and at most once."""

    _lost = False

    def close(self) -> None:
        if not self._closing:
            self._close(None)

    def abort(self) -> None:
        if not self._lost:
            self._abort(None)

    def pause_reading(self) -> None:
        """Never stops reading: a paused reader would not see the board leave."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""

    def _fatal_error(self, exc: BaseException, message: str = "") -> None:
        """Treats a failed write as a lost port: tells the protocol, and does not call the loop's exception handler."""
        del message
        self._abort(exc)

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        """Closes the port in a thread, once.

        pyserial-asyncio closes it on the loop's thread, and fails at the second call.
        """
        if self._lost:
            return
        self._lost = True
        self._write_buffer.clear()
        protocol, loop = self._protocol, self._loop
        closing = _io.submit(_shut, self._serial)
        # A done callback, since a transport has no task to wait in; the loop may be gone by then.
        closing.add_done_callback(lambda _: _tell(loop, protocol, exc))


def _shut(port: serial.Serial) -> None:
    with suppress(OSError, termios.error, serial.SerialException):  # the device may be gone already
        # else close() waits until the driver has sent these bytes, which nobody will receive
        port.reset_output_buffer()
    with suppress(OSError, serial.SerialException):  # the same
        port.close()


def _tell(loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, exc: BaseException | None) -> None:
    with suppress(RuntimeError):  # the loop has closed: no protocol is left to call
        loop.call_soon_threadsafe(protocol.connection_lost, exc if isinstance(exc, Exception) else None)


class _Receiver(asyncio.Protocol):
    """Keeps the bytes that have arrived until `TTY.receive` takes them."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.news = asyncio.Event()
        self.lost: Exception | None = None
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.received += data
        del self.received[:-BUFFERED]
        self.news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        self.closed.set()
        self.news.set()


class TTY:
    """An open serial port: bytes in, bytes out, and `TTYLost` once it is gone."""

    def __init__(
        self, path: str, transport: asyncio.Transport, receiver: _Receiver, traffic: Traffic | None = None
    ) -> None:
        self.path = path
        self._transport = transport
        self._receiver = receiver
        self._traffic = traffic

    @property
    def waiting(self) -> int:
        """How many bytes have arrived that `receive` has not returned."""
        return len(self._receiver.received)

    def send(self, data: bytes) -> None:
        """Queues bytes for the board; raises `TTYLost`."""
        if self._receiver.closed.is_set():
            raise self._lost() from self._receiver.lost
        if self._traffic is not None:
            self._traffic.sent(data)
        self._transport.write(data)

    def discard(self) -> None:
        """Discards the bytes that have arrived."""
        self._receiver.received.clear()

    async def receive(self) -> bytes:
        """The bytes that have arrived, at least one.

        Raises `TTYLost` when the port is gone and every byte has been taken.
        """
        receiver = self._receiver
        while not self.waiting:
            if receiver.closed.is_set():
                raise self._lost() from receiver.lost
            receiver.news.clear()
            await receiver.news.wait()
        data = bytes(receiver.received)
        receiver.received.clear()
        if self._traffic is not None:
            self._traffic.received(data)
        return data

    def _lost(self) -> TTYLost:
        if self._traffic is not None:
            self._traffic.port_lost()
        return TTYLost(self.path)


@asynccontextmanager
async def opened(
    path: str, baudrate: int, free_within: float = 0, traffic: Traffic | None = None
) -> AsyncIterator[TTY]:
    """The port, exclusively ours for the block; raises `TTYUnavailable` where it cannot be opened. `traffic` sees its bytes.

    Tries a port that another program holds again for `free_within` seconds: ModemManager probes every new port.
    """
    try:
        port = await _free(path, baudrate, free_within)
    except Fault as fault:
        if traffic is not None:
            traffic.port_refused(fault)
        raise
    receiver = _Receiver()
    try:
        transport = _Transport(asyncio.get_running_loop(), receiver, port)
    except _REFUSALS as exc:  # the transport's setup also accesses the port, and fails if the board has been pulled
        _io.submit(_shut, port)
        raise TTYUnavailable(path, _reason(exc)) from exc
    if traffic is not None:
        traffic.port_opened()
    try:
        yield TTY(path, transport, receiver, traffic)
    finally:
        transport.abort()
        with suppress(TimeoutError):  # the thread goes on waiting for the driver, the slot goes on without it
            async with asyncio.timeout(CLOSED_WITHIN):
                await receiver.closed.wait()


async def _free(path: str, baudrate: int, within: float) -> _Port:
    """Opens the port as soon as no other program holds it."""
    now = asyncio.get_running_loop().time
    deadline = now() + within
    while True:
        try:
            opening = _io.submit(_open, path, baudrate)
        except RuntimeError as exc:  # Python raises it when the system cannot start another thread
            raise ResourcesExhausted(f"start a thread for {path}", str(exc)) from exc
        try:
            return await asyncio.wrap_future(opening)
        except _REFUSALS as exc:
            if fault := exhausted(f"open {path}", exc):
                raise fault from exc
            if not _is_held(exc) or now() >= deadline:
                raise TTYUnavailable(path, _reason(exc)) from exc
            log.warning("retry.scheduled", tty=path, seconds=TRIED_AGAIN_AFTER, reason=_reason(exc))
        except asyncio.CancelledError:
            # the thread goes on: if it still opens the port, it closes it again
            opening.add_done_callback(_close_unused)
            raise
        await asyncio.sleep(min(TRIED_AGAIN_AFTER, max(0.0, deadline - now())))


def _is_held(refusal: Exception) -> bool:
    return isinstance(refusal, OSError) and refusal.errno in _HELD


def _reason(refusal: Exception) -> str:
    """The system's message for the error; a `termios.error` carries it as its second argument."""
    return str(refusal.args[-1]) if isinstance(refusal, termios.error) and refusal.args else str(refusal)


def _open(path: str, baudrate: int) -> _Port:
    port = _Port(path, baudrate=baudrate, timeout=0, write_timeout=0, exclusive=True)
    with suppress(OSError):  # flock excludes only programs that use flock; TIOCEXCL excludes all others, except root's
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    return port


def _close_unused(opening: "ThreadFuture[_Port]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        _shut(opening.result())
