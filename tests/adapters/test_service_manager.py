# SPDX-License-Identifier: Apache-2.0
"""Notifications to systemd: what is sent, where, and when nothing is."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.system.service_manager import ServiceManager


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket such as systemd's, and its name."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(30)
        yield path, receiver


def test_readiness_and_end_are_sent(listening: tuple[str, socket.socket]) -> None:
    name, receiver = listening
    manager = ServiceManager({"NOTIFY_SOCKET": name})
    manager.ready("8 slots")
    manager.stopping()
    assert [receiver.recv(999), receiver.recv(999)] == [b"READY=1\nSTATUS=8 slots", b"STOPPING=1"]


def test_a_name_in_the_abstract_namespace_is_understood() -> None:
    name = f"matter-station-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.settimeout(30)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).stopping()
        assert receiver.recv(999) == b"STOPPING=1"


async def test_the_watchdog_is_fed_again_and_again(listening: tuple[str, socket.socket]) -> None:
    name, receiver = listening
    manager = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000", "WATCHDOG_PID": str(os.getpid())})
    feeding = asyncio.create_task(manager.feed_watchdog())
    signs = [await asyncio.to_thread(receiver.recv, 999) for _ in range(3)]
    feeding.cancel()
    assert signs == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}],
)
async def test_without_a_watchdog_of_its_own_the_station_feeds_none(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    assert manager.watchdog_every is None
    await manager.feed_watchdog()


def test_the_deadline_is_met_three_times() -> None:
    assert ServiceManager({"WATCHDOG_USEC": "30000000"}).watchdog_every == 10


@pytest.mark.parametrize("name", ["", "/nowhere/notify"])
def test_a_station_without_a_service_manager_goes_on(name: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": name}).ready("8 slots")
