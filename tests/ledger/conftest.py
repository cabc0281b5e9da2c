# SPDX-License-Identifier: Apache-2.0
"""A ledger in its own folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from tests.builders.bench import Secrets


@pytest.fixture(autouse=True)
def register(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A register of ledgers for one test."""
    folder = tmp_path_factory.mktemp("machine")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder / "matter-station" / "ledgers"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(path, station="line-1") as opened:
        yield opened


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()
