# SPDX-License-Identifier: Apache-2.0
"""Opens the parts of a daemon, in the order of their dependencies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from station.adapters.ledger import Ledger
from station.adapters.pki import providers
from station.adapters.pki.providers import Provider
from station.adapters.pki.relay import Relay
from station.adapters.pki.waits import Limits
from station.adapters.programmer import probe_lock
from station.adapters.programmer.configured import deadlines_of, installation_of
from station.adapters.programmer.probe_lock import Claims
from station.adapters.programmer.run import Installation
from station.adapters.system.recordings import Recordings
from station.adapters.system.secret_files import SecretFiles
from station.adapters.system.transcripts import Transcripts
from station.adapters.system.verifiers import VerifierPool, random_pair
from station.config.line import Config
from station.daemon.absent_pki import WithoutPKI
from station.daemon.checkpointing import Checkpointing
from station.daemon.equipment import Equipment
from station.daemon.mes import MES, reports_of
from station.daemon.reloading import Settings
from station.daemon.revocations import Revocations
from station.domain.attempt import STATION_STOPPED
from station.domain.credentials import Credentials
from station.interfaces import SecretSource
from station.line.wall_clock import WallClock
from station.recipe import checks
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe
from station.replay.recorder import Recorder

if TYPE_CHECKING:
    from station.daemon.shared import Sharing

log = structlog.get_logger()

WRITABLE_WITHIN = 10.0  # seconds for the ledger at the start; later the line pauses and waits


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that all slots of one daemon share. `config` is what the line opened with, `settings` what is in force now."""

    config: Config
    settings: Settings
    recipe: Recipe | Laboratory
    ledger: Ledger
    secrets: SecretSource
    relay: Relay | WithoutPKI
    pki: Provider | None
    clock: WallClock
    claims: Claims
    installation: Installation
    transcripts: Transcripts
    recorder: Recorder
    revocations: Revocations
    mes: MES
    audit: Checkpointing
    shared: "Sharing | None" = None

    @property
    def equipment(self) -> Equipment:
        return Equipment(
            self.recipe,
            self.ledger,
            self.secrets,
            self.clock,
            self.installation,
            self.transcripts,
            lambda: self.settings.config.board,
            lambda: deadlines_of(self.settings.config),
            lambda: self.settings.config.policy.quarantine_after,
            self.recorder,
        )

    def look(self) -> None:
        """The cheap checks before every attempt; raises the fault that prevents work."""
        self.clock.check()
        self.claims.check()
        self.revocations.check()
        self.mes.check()
        if self.shared is not None:
            self.shared.check()


@asynccontextmanager
async def opened(config: Config, recipe: Recipe | Laboratory) -> AsyncIterator[Parts]:
    """Opens the parts, and closes the attempts that an earlier run left open."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        section, reports, settings = config.station, reports_of(config.mes), Settings(config)
        shared = _sharing(config, recipe)
        opening = Ledger.open(
            config.ledger,
            station=section.name,
            register=section.witness,
            key=config.secrets.key,
            only=True,
            reports=reports,
            shared=shared.opening if shared is not None else None,
        )
        ledger = await enter(opening)
        audit = await enter(Checkpointing.opened(ledger, config.audit, section.name))
        claims = stack.enter_context(probe_lock.claimed(config.locks, [slot.path for slot in config.slot]))
        for attempt in await _closed_attempts(ledger):
            log.warning("attempt.closed", attempt=attempt, fault=STATION_STOPPED)
        for reason in recipe.trust_left_out:
            log.warning("trust.left_out", reason=reason)
        last_entry = await ledger.last_entry()
        clock = WallClock(last_entry, lambda: None)
        secrets: SecretSource = WithoutPKI()
        relay: Relay | WithoutPKI = WithoutPKI()
        pki: Provider | None = None
        if recipe.new_secrets is not None:
            pair = random_pair if ledger.shared is None else ledger.shared.pair
            secrets = await enter(VerifierPool(recipe.new_secrets, 2 * len(config.slot), pair))
        if recipe.own_pki is not None and config.pki is not None:
            pki = await enter(providers.opened(config.pki))
            clock = WallClock(last_entry, pki.time)
            limits = Limits(
                answer_within=config.pki.answer_within, reply_within=config.pki.reply_within, at_once=config.pki.at_once
            )
            parks = config.pki.outage == "park"
            check = partial(_check_now, recipe)
            relay = await enter(
                Relay.opened(pki, recipe.own_pki.anchors.pai, ledger.issuance, limits, check=check, parks=parks)
            )
        mes = await enter(MES.opened(settings, recipe, ledger, reports, clock.check))
        if shared is not None:
            await enter(shared.running(ledger))
        scratch = stack.enter_context(SecretFiles.opened(section.name))
        installation, transcripts = installation_of(config, scratch), Transcripts(config.transcripts)
        yield Parts(
            config,
            settings,
            recipe,
            ledger,
            secrets,
            relay,
            pki,
            clock,
            claims,
            installation,
            transcripts,
            Recorder(Recordings(config.transcripts)),
            Revocations(recipe),
            mes,
            audit,
            shared,
        )


def _sharing(config: Config, recipe: Recipe | Laboratory) -> "Sharing | None":
    """The line's part in the shared ledger; raises `ConfigurationInvalid`."""
    if config.shared is None:
        return None
    from station.daemon.shared import Sharing  # it and psycopg cost memory that a line without [shared] saves

    return Sharing(config, config.shared, recipe)


def _check_now(recipe: Recipe | Laboratory, csr: bytes, credentials: Credentials) -> None:
    """Checks a certificate that the PKI has just issued; raises `CredentialsInvalid`."""
    if isinstance(recipe, Recipe):
        checks.check_credentials(recipe, csr, credentials, datetime.now(UTC))


async def _closed_attempts(ledger: Ledger) -> list[int]:
    """Voids the attempts that an earlier run left open and returns their numbers. Raises `LedgerUnavailable`: no line can wait yet."""
    try:
        async with asyncio.timeout(WRITABLE_WITHIN):
            return await ledger.close_open_attempts(STATION_STOPPED)
    except TimeoutError:
        if (trouble := ledger.trouble) is None:
            raise
        raise trouble from None
