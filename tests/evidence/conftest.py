# SPDX-License-Identifier: Apache-2.0
"""One lot and its bundle for all tests, which change copies."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.adapters.ledger import Ledger
from tests.builders.bench import Secrets
from tests.builders.commands import station
from tests.builders.forge import PAA
from tests.builders.lot_evidence import LOT, key_file, worked


@dataclass(frozen=True)
class Made:
    """A ledger, the bundle of its lot W1, and the key that has signed it."""

    ledger: Path
    bundle: Path
    key: Ed25519PrivateKey
    key_file: Path
    paa: Path

    @property
    def public_key(self) -> str:
        return self.key.public_key().public_bytes_raw().hex()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("machine")))
        ledger, bundle, paa = folder / "ledger.sqlite", folder / "W1.zip", folder / "paa.der"
        file, key = key_file(folder)
        asyncio.run(_work(ledger, key))
        paa.write_bytes(PAA.der)
        given = ("--signing-key", file, "--paa", paa, "--ledger", ledger)
        done = station("lots", "evidence", LOT, "--to", bundle, *given)
        assert done.exit_code == 0, done.output
        yield Made(ledger, bundle, key, file, paa)


async def _work(path: Path, key: Ed25519PrivateKey) -> None:
    """Works on the lot, and has the chain signed at its end."""
    async with Ledger.open(path, station="line-1") as ledger:
        await worked(ledger, Secrets())
        assert await ledger.audit.checkpoint(key, datetime.now(UTC)) is not None
