# SPDX-License-Identifier: Apache-2.0
"""A client of a development PKI, and a request for it."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.development_pki.pki_client import Client, connected, csr, new_key


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path / "pki") as client:
        yield client


@pytest.fixture
def request_body() -> bytes:
    return base64.encodebytes(csr(new_key()))
