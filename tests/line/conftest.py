# SPDX-License-Identifier: Apache-2.0
"""Fixtures that the tests of whole lines share."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from station.adapters.system.secret_files import SHARED_MEMORY
from tests.line.relay_bench import Journal, new_csr


@pytest.fixture
def journal() -> Journal:
    """The relay's, in memory."""
    return Journal()


@pytest.fixture
def csr() -> bytes:
    return new_csr()


@pytest.fixture
def secrets_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place in memory for this test's daemons alone."""
    with TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)
