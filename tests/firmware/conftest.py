# SPDX-License-Identifier: Apache-2.0
"""Builds the agent once per session, for both kinds of key storage."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.host_board import Authority, HostBoard, host_program


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("agent")
    return {storage: host_program(folder, storage) for storage in ("flash", "secure")}


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def new_board(programs: dict[str, Path], tmp_path: Path) -> Callable[[str], HostBoard]:
    """Makes a board with factory data on it."""

    def new(storage: str) -> HostBoard:
        board = HostBoard(programs[storage], tmp_path)
        board.put_factory_data()
        return board

    return new


@pytest.fixture(params=["flash", "secure"])
def board(request: pytest.FixtureRequest, new_board: Callable[[str], HostBoard]) -> HostBoard:
    return new_board(request.param)


@pytest.fixture
def flash_board(new_board: Callable[[str], HostBoard]) -> HostBoard:
    return new_board("flash")


@pytest.fixture
def secure_board(new_board: Callable[[str], HostBoard]) -> HostBoard:
    return new_board("secure")
