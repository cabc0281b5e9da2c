# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server for the tests of one worker, and a database for each test."""

from collections.abc import Iterator

import pytest

from tests.builders.postgresql import MISSING, Server, programs


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
