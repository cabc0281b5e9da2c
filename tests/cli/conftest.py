# SPDX-License-Identifier: Apache-2.0
"""A desk at which every command runs, with a ledger and a daemon that answers."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders.forge import PAA
from tests.builders.forge_declaration import SIGNER
from tests.cli.hostile import HOSTILE, Desk, configuration, daemon, fill, status
from tests.cli.hostile_centre import centres


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "ledger.sqlite"
    asyncio.run(fill(path))
    return path


@pytest.fixture(scope="session")
def hostile_centre() -> Iterator[Callable[[], str]]:
    with centres() as address:
        yield address


@pytest.fixture
def desk(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch, hostile_centre: Callable[[], str]
) -> Iterator[Desk]:
    made = Desk(tmp_path, monkeypatch, hostile_centre)
    made.file("line.toml", configuration())
    made.file("state/ledger.sqlite", ledger.read_bytes())
    made.file("state/ledger.sqlite.key", (ledger.parent / "ledger.sqlite.key").read_bytes())
    made.file("paa/root.der", PAA.der)
    made.file("signers/signer.der", SIGNER.der)
    with daemon(tmp_path / "state" / "station.sock", status(HOSTILE)):
        yield made
