# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server for the tests of one worker, and a database and a way to it for each test."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.builders.network import Mode, Network, Way
from tests.builders.postgresql import MISSING, Server, programs

NUMBERS = count(1)


@pytest.fixture(scope="session", autouse=True)
def _postgresql() -> None:
    if programs() is None:
        pytest.skip(MISSING)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that all tests of a worker share: stop, crash and set back another one."""
    with Server() as server:
        yield server


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of a fresh database on `server`."""
    name = server.database()
    yield name
    server.drop(name)


@pytest.fixture(scope="session")
def network(server: Server) -> Iterator[Network]:
    with Network(server) as network:
        yield network


@pytest.fixture
def way(network: Network) -> Iterator[Way]:
    """A station's way to `server`."""
    way = network.way(f"n{next(NUMBERS)}")
    yield way
    way.become(Mode.REFUSE)
