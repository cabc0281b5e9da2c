# SPDX-License-Identifier: Apache-2.0
"""The chain of a shared ledger's journal."""

import hashlib
import json
from pathlib import Path

from tests.builders.bench import Secrets, begun
from tests.builders.sharing import enrolled


async def test_a_line_is_canonical_json_and_its_hash_covers_the_line_before(path: Path, secrets: Secrets) -> None:
    async with enrolled(path) as ledger:
        journal = await begun(ledger, secrets)
        assert ledger.shared is not None
        standing = await ledger.shared.standing()
        lines = await ledger.shared.unsent(0, 100)
    assert [json.loads(line.text)[2] for line in lines] == ["IncarnationBegun", "AttemptBegun"]
    previous = bytes(32)
    for number, line in enumerate(lines, 1):
        assert line.number == number
        previous = hashlib.sha256(previous + line.text).digest()
        assert line.hash == previous
    assert standing.head == previous
