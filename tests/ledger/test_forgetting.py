# SPDX-License-Identifier: Apache-2.0
"""A forgotten unit's passcode is nowhere, whoever has the keys; its serial number and its pair stay taken."""

import itertools
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, secrets_deeds
from station.adapters.ledger.pairing import PairingKey, key_file, mark_of
from station.adapters.ledger.reader import LedgerReader
from station.faults.slot import UnitForgotten
from station.matter.onboarding.passcode import Discriminator, Passcode
from tests.builders.bench import Secrets, begun, onboarding, passed, recognised, rows, target
from tests.builders.commands import station
from tests.ledger.test_secrets_at_rest import raw


async def test_a_forgotten_unit_that_comes_back_is_not_judged(ledger: Ledger) -> None:
    await passed(await begun(ledger, Secrets((1,))), board=1)
    assert await ledger.forget(target(1).uid, who="anna", reason="sold")
    with pytest.raises(UnitForgotten):
        await recognised(await begun(ledger, Secrets()), board=1)


async def test_its_wrapped_key_leaves_every_file_at_once(ledger: Ledger, path: Path) -> None:
    """Of many units whose rows share pages, and with the ledger open."""
    for board in range(1, 40):
        await passed(await begun(ledger, Secrets((board,))), board=board, dac_serial_number=f"{board:02}")
    ((wrapped, content),) = rows(path, "SELECT wrapped_key, content FROM sealed_secret WHERE identity_id = 17")
    assert isinstance(wrapped, bytes)
    assert isinstance(content, bytes)
    assert wrapped in raw(path)
    assert await ledger.forget(target(17).uid, who="anna", reason="sold")
    assert wrapped not in raw(path)
    assert content not in raw(path)
    story, other = (LedgerReader(path).unit(str(target(board).uid)) for board in (17, 18))
    assert story is not None
    assert other is not None
    assert (story.forgotten, other.forgotten) == (True, False)
    shown = station("units", "show", str(target(17).uid), "--ledger", path).stdout
    assert "passcode forgotten" in shown
    assert "passcode forgotten by anna" in shown
    assert not await ledger.forget(target(17).uid, who="anna", reason="sold")
    assert [(each.who, each.deed, each.uid) for each in secrets_deeds.history(path)] == [
        ("anna", "forget", str(target(17).uid))
    ]


async def test_its_pair_stays_taken(ledger: Ledger) -> None:
    await passed(await begun(ledger, Secrets((1,))), board=1)
    await ledger.forget(target(1).uid, who="anna", reason="sold")
    secrets = Secrets((1, 2))
    identity = await recognised(await begun(ledger, secrets), board=2)
    assert secrets.taken == 2
    assert identity.secrets == onboarding(2)


async def test_with_every_key_its_passcode_is_one_of_thousands(ledger: Ledger, path: Path) -> None:
    """What the ledger keeps of the pair fits one passcode in 4,096, so that trying all of them finds none."""
    await passed(await begun(ledger, Secrets((1,))), board=1)
    await ledger.forget(target(1).uid, who="anna", reason="sold")
    key = PairingKey(key_file(path).read_bytes())
    ((mark, discriminator),) = rows(path, "SELECT pairing_hash, discriminator FROM identity")
    assert isinstance(discriminator, int)
    assert mark == key.mark(onboarding(1))
    tried = 200_000
    fitting = sum(
        key.mark_of(Passcode(passcode), Discriminator(discriminator)) == mark
        for passcode in itertools.islice(range(30_000_000, 99_000_000, 7), tried)
    )
    assert 20 < fitting < 120  # 49 expected: of all passcodes, 24,000
    assert len(mark_of(discriminator, b"\xff\xff")) == 3
