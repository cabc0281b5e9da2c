# SPDX-License-Identifier: Apache-2.0
"""ST's provisioning firmware over a serial port: each code becomes its fault."""

import asyncio

import pytest

from station.adapters.board import st_monitor, tty
from station.faults import UnitFault
from station.faults.slot import TTYLost
from station.faults.unit import (
    MonitorBufferTooSmall,
    MonitorCodeUnknown,
    MonitorDataMissing,
    MonitorParameterWrong,
    MonitorSilent,
    MonitorStorageFailed,
)
from tests.builders.wire import wired


async def finished(*said: bytes, before: bytes = b"", within: float = 5) -> None:
    with wired() as wire:
        async with tty.opened(wire.path, 115200) as port:
            wire.say(before)
            while before and not port.waiting:
                await asyncio.sleep(0)
            waiting = asyncio.ensure_future(st_monitor.Monitor(port, within).deliver())
            await asyncio.sleep(0)
            for piece in said:
                wire.say(piece)
            await waiting


async def test_zero_is_done() -> None:
    """The code 000 is found after the log lines of the stack."""
    await finished(b"[BLE] ready\r\n", b"finish:", b"000\0\x01\x02\x03\x04\x05")


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (1, MonitorDataMissing),
        (2, MonitorBufferTooSmall),
        (3, MonitorParameterWrong),
        (4, MonitorStorageFailed),
        (17, MonitorCodeUnknown),
    ],
)
async def test_each_code_is_a_named_fault(code: int, fault: type[UnitFault]) -> None:
    """Journal and screen count each code of ST's firmware by a fault of its own."""
    with pytest.raises(fault):
        await finished(f"finish:{code:03d}\0".encode())


async def test_what_an_earlier_firmware_said_does_not_count() -> None:
    """An earlier firmware may have reported success minutes ago."""
    with pytest.raises(MonitorDataMissing):
        await finished(b"finish:001\0", before=b"finish:000\0\xff\xff\xff\xff\xff")


async def test_a_silent_firmware_is_a_fault() -> None:
    """The station stops waiting at its deadline; ST's script waits for ever."""
    with pytest.raises(MonitorSilent):
        await finished(b"finish:00", within=0.1)


async def test_a_lost_port_is_the_slots_fault() -> None:
    """A lost port is not taken for a silent board."""
    with wired() as wire:
        async with st_monitor.connected(wire.path, 115200, 5) as monitor:
            waiting = asyncio.ensure_future(monitor.deliver())
            await asyncio.sleep(0)
            wire.hang_up()
            with pytest.raises(TTYLost):
                await waiting
