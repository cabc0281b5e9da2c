# SPDX-License-Identifier: Apache-2.0
"""The station reads the record that the agent's own C code has written."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from station.domain.agent_record import RECORD_HEAD, recorded_key
from station.domain.credentials import key_name
from tests.virtual_bench.bench_client import station


@pytest.mark.parametrize("storage", ["flash", "secure"])
async def test_the_agents_record_tells_the_key_of_the_boards_certificate(tmp_path: Path, storage: str) -> None:
    """The record keeps the key as soon as it is made, also under another firmware."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        assert recorded_key(board.internal.read(RECORD_HEAD.address, RECORD_HEAD.size)) is None
        dac = x509.load_der_x509_certificate(await bench.provisioned(board, storage))
        await bench.operational(board)
        key = dac.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert recorded_key(board.internal.read(RECORD_HEAD.address, RECORD_HEAD.size)) == key_name(key)
