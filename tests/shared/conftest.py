# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server for the tests of one worker, and a database and a way to it for each test."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import psycopg
import pytest

from tests.builders.centres import Teller, made, owner, teller
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


@pytest.fixture(scope="session")
def centre_template(server: Server) -> str:
    return made(server)


@pytest.fixture
def centre(server: Server, centre_template: str) -> Iterator[str]:
    """The name of a fresh database with a centre: lot L1 has ten blocks, its release is approved; stations line-1 to line-8."""
    name = server.database(centre_template)
    yield name
    server.drop(name)


@pytest.fixture
def boss(server: Server, centre: str) -> Iterator[psycopg.Connection]:
    """The owner's connection to the centre."""
    with owner(server, centre) as connection:
        yield connection


@pytest.fixture
async def line(server: Server, centre: str) -> AsyncIterator[Teller]:
    """Station line-1, enrolled."""
    async with teller(server, centre) as line:
        await line.enrol()
        yield line


@pytest.fixture
async def other(server: Server, centre: str) -> AsyncIterator[Teller]:
    """Station line-2, enrolled."""
    async with teller(server, centre, 2) as other:
        await other.enrol()
        yield other
