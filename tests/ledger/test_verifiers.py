# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets made in advance."""

import asyncio

import pytest

from station.adapters.system.verifiers import VerifierPool
from station.matter.onboarding.spake2p import check_verifier


async def test_what_is_taken_fits_together() -> None:
    """The verifier is computed from the passcode, the salt and the iterations beside it."""
    async with VerifierPool(iterations=1000, size=2) as pool:
        secrets = await pool.take()
    assert secrets.iterations == 1000
    check_verifier(secrets.verifier, secrets.passcode, secrets.salt, secrets.iterations)


async def test_nobody_gets_the_same_secrets() -> None:
    """When more callers wait than secrets are ready, each still gets its own."""
    async with VerifierPool(iterations=1000, size=4) as pool, asyncio.TaskGroup() as group:
        tasks = [group.create_task(pool.take()) for _ in range(16)]
    assert len({task.result().salt for task in tasks}) == 16
    assert len({task.result().passcode.value for task in tasks}) == 16


async def test_a_cancelled_taker_takes_nothing_from_the_others() -> None:
    """A pulled board loses no secret of the other slots."""
    async with VerifierPool(iterations=1000, size=0) as pool, asyncio.TaskGroup() as group:
        pulled = group.create_task(pool.take())
        waiting = group.create_task(pool.take())
        await asyncio.sleep(0)
        pulled.cancel()
    assert pulled.cancelled()
    assert waiting.result().iterations == 1000


async def test_what_goes_wrong_in_the_worker_reaches_the_taker() -> None:
    """An error in the worker's thread is raised in the caller."""
    async with VerifierPool(iterations=999, size=1) as pool:
        with pytest.raises(ValueError, match="1000 to 100000 iterations"):
            await pool.take()


async def test_secrets_do_not_show_themselves() -> None:
    """The text of a value may end in a log."""
    async with VerifierPool(iterations=1000, size=1) as pool:
        secrets = await pool.take()
    text = repr(secrets)
    assert str(secrets.passcode.value) not in text
    assert repr(secrets.salt) not in text
    assert repr(secrets.verifier) not in text
