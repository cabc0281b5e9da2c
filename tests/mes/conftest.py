# SPDX-License-Identifier: Apache-2.0
"""A ledger with an outbox, and a receiver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.outbox.reports import LineReports
from tests.builders.bench import Secrets
from tests.mes.receiver import SECRET, Receiver, receiving


@pytest.fixture(autouse=True)
def _register(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("machine")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def reports() -> LineReports:
    return LineReports(["webhook"])


@pytest.fixture
async def ledger(path: Path, reports: LineReports) -> AsyncIterator[Ledger]:
    async with Ledger.open(path, station="line-1", reports=reports) as opened:
        yield opened


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "webhook.secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(Receiver()) as found:
        yield found
