# SPDX-License-Identifier: Apache-2.0
"""A slot's equipment in the station's process, for boards that are in the world's: programmer, serial port, and the PKI."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Self

from station.adapters.ledger import Ledger
from station.domain.coprocessor import CoprocessorVersions, WirelessStack
from station.domain.credentials import Credentials, csr_key
from station.domain.identity import Lot
from station.domain.product import Image, KeyStorage, Lock, Trust, TrustAnchors, Verify, Write
from station.domain.target import UID, Region, Target
from station.factory_data.flat_tlv import Tag
from station.faults import Fault
from station.faults.line import PKIUnavailable
from station.faults.slot import PKIAnswerLost
from station.faults.unit import BoardRefused, BoardSilent, OperationalSilent, TargetNotFound
from station.interfaces import Partner
from station.link.messages import Hello, KeyState
from station.link.operational import OperationalIdentity
from station.recipe.commissioner import Commissioner
from station.recipe.recipe import OwnPKI, Recipe
from tests.builders.forge import PAA, PAI
from tests.builders.forge_unit import RECORDS, TRUST
from tests.shared.campaign.world import OPERATIONAL

ITERATIONS = 1000
PROVISIONER = "provisioner"
OF_THE_UNIT = frozenset(
    {
        Tag.DEVICE_ATTESTATION_CERTIFICATE,
        Tag.PAI_CERTIFICATE,
        Tag.DEVICE_ATTESTATION_PRIV_KEY,
        Tag.DEVICE_ATTESTATION_PUB_KEY,
        Tag.SETUP_DISCRIMINATOR,
        Tag.SPAKE2_ITERATION_COUNT,
        Tag.SPAKE2_SALT,
        Tag.SPAKE2_VERIFIER,
        Tag.SPAKE2_SETUP_PASSCODE,
        Tag.SERIAL_NUMBER,
        Tag.MANUFACTURING_DATE,
        Tag.ROTATING_DEVICE_ID,
    }
)

# How often each step of a board fails, and the share of the cycle that each takes.
NOT_FOUND, SILENT, REFUSED, OPERATIONAL_SILENT = 0.02, 0.03, 0.02, 0.04
IDENTIFY, WRITE, FLASH, BOOT, CONFIRM = 0.03, 0.05, 0.20, 0.05, 0.05


def recipe(lot: Lot) -> Recipe:
    """The recipe of all stations: units keep their keys in secure storage, and their firmware answers."""
    return Recipe(
        name="campaign",
        sha256="5e" * 32,
        product={tag: value for tag, value in RECORDS.items() if tag not in OF_THE_UNIT},
        vendor_id=0xFFF1,
        product_id=0x8004,
        key_storage=KeyStorage.SECURE,
        trust=Trust.DEVELOPMENT,
        lot=lot,
        iterations=ITERATIONS,
        provisioning_image=Image(PROVISIONER, b"provisioner", 0x08000000, "1.0"),
        operational_image=Image(OPERATIONAL, b"operational", 0x08000000, "1.0"),
        operational_answers=frozenset({"identity"}),
        verify=Verify.FAST,
        certification=OwnPKI(TrustAnchors(PAI.der, PAA.der), Commissioner(TRUST)),
    )


class Line:
    """The station's connection to the world. `by` names the station, `life` this run of its process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by: str, life: str) -> None:
        self._reader, self._writer = reader, writer
        self._stamp = {"by": by, "life": life}
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Mapping[str, object]]] = {}

    @classmethod
    async def opened(cls, address: Path, by: str, life: str) -> Self:
        return cls(*await asyncio.open_unix_connection(address, limit=1 << 20), by, life)

    async def carry(self) -> None:
        """Carries the answers to those who wait, until it is cancelled; the boards that are still in slots are then pulled."""
        try:
            while line := await self._reader.readline():
                number, answer = json.loads(line)
                if not (waiting := self._waiting.pop(number)).done():
                    waiting.set_result(answer)
        finally:
            self._writer.close()

    async def ask(self, what: str, uid: str = "", **asked: str) -> Mapping[str, object]:
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps([number, what, uid, asked | self._stamp]).encode() + b"\n")
        answer: Mapping[str, object] = await waiting
        return answer


@dataclass(frozen=True)
class Pace:
    """How long things take in this slot, and what goes wrong. Once `ending` is set, nothing takes time."""

    cycle: float
    chance: random.Random
    ending: asyncio.Event

    async def take(self, share: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.cycle * share * self.chance.uniform(0.5, 1.5)):
                await self.ending.wait()

    def fail(self, probability: float, fault: Fault) -> None:
        if self.chance.random() < probability:
            raise fault


@dataclass(frozen=True)
class Invocation:
    """One run of the programmer."""

    line: Line
    pace: Pace
    uid: str

    async def written(self, write: Write) -> None:
        await self.pace.take(WRITE if write.external else FLASH)
        what = {"data": write.content.hex()} if write.external else {"firmware": write.name}
        await self.line.ask("program", self.uid, **what)

    async def read(self, _region: Region) -> bytes:
        return bytes.fromhex(str((await self.line.ask("read", self.uid))["data"]))


class NoCoprocessor:
    """The recipe has no wireless stack."""

    async def versions(self) -> CoprocessorVersions:
        raise NotImplementedError

    async def upgrade(self, stack: WirelessStack, *, first: bool) -> Fault | None:
        raise NotImplementedError

    async def start_stack(self) -> None:
        raise NotImplementedError

    async def restore_boot(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Programmer:
    line: Line
    pace: Pace
    target: Target
    coprocessor: NoCoprocessor = field(default_factory=NoCoprocessor)

    async def identify(self) -> Target:
        await self.pace.take(IDENTIFY)
        self.pace.fail(NOT_FOUND, TargetNotFound("066AFF"))
        return self.target

    @asynccontextmanager
    async def invocation(self, *_actions: Write | Region, **_options: object) -> AsyncIterator[Invocation]:
        yield Invocation(self.line, self.pace, str(self.target.uid))

    async def lock(self, lock: Lock, uid: UID) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Board:
    """The conversation with a board's firmware."""

    line: Line
    pace: Pace
    uid: UID

    async def hello(self) -> Hello:
        await self.pace.take(BOOT)
        self.pace.fail(SILENT, BoardSilent("HELLO", 1.0))
        return Hello(KeyStorage.SECURE, KeyState.KEY, self.uid.raw, "1.0")

    async def make_csr(self, *, named: bool) -> bytes:
        assert not named
        return bytes.fromhex(str((await self.line.ask("csr", str(self.uid)))["csr"]))

    async def store(self, credentials: Credentials) -> None:
        self.pace.fail(REFUSED, BoardRefused("STORE", "4 secure storage"))
        sent = {"dac": credentials.dac.hex(), "pai": credentials.pai.hex()}
        if refused := (await self.line.ask("store", str(self.uid), **sent)).get("refused"):
            raise BoardRefused("STORE", str(refused))

    async def prove(self, nonce: bytes) -> bytes:
        return bytes.fromhex(str((await self.line.ask("prove", str(self.uid), nonce=nonce.hex()))["signature"]))

    async def operational_identity(self) -> OperationalIdentity:
        await self.pace.take(CONFIRM)
        self.pace.fail(OPERATIONAL_SILENT, OperationalSilent(1.0))
        said = await self.line.ask("present", str(self.uid))
        if "silent" in said:
            raise OperationalSilent(1.0)
        return OperationalIdentity(0xFFF1, 0x8004, int(str(said["dac"]), 16), str(said["serial_number"]))


@dataclass(frozen=True)
class Equipment:
    """One slot's equipment, with a board in it (`interfaces.Bench`)."""

    line: Line
    pace: Pace
    target: Target

    @property
    def programmer(self) -> Programmer:
        return Programmer(self.line, self.pace, self.target)

    @asynccontextmanager
    async def board(self) -> AsyncIterator[Board]:
        yield Board(self.line, self.pace, self.target.uid)

    def partner(self, recipe: Recipe) -> AbstractAsyncContextManager[Partner]:
        raise ValueError(f"{recipe.name} has no partner")


BLANK = Target(UID(bytes(12)), 0x495, "Rev Y", 3300, 0xAA, "V3J15M6", "2.19.0")


def target(plugged: Mapping[str, object]) -> Target:
    """A board as its probe shows it."""
    key = plugged["key"]
    return replace(BLANK, uid=UID.parse(str(plugged["uid"])), agent_key=None if key is None else str(key))


@dataclass(frozen=True)
class Authority:
    """The PKI, behind the ledger: the journalling of the relay, without its repetitions."""

    line: Line
    ledger: Ledger
    url: str = "the world"

    async def check_askable(self, uid: UID) -> None:
        asked = await self.ledger.issuance.asked(uid)
        if asked.exhausted:
            raise PKIAnswerLost(str(uid), asked.unanswered)

    async def askable(self, uid: UID) -> None:
        await self.check_askable(uid)

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        key = csr_key(csr)
        if (known := (await self.ledger.issuance.of_key(key, uid)).credentials) is not None:
            return known
        await self.ledger.issuance.submitted(key, csr, uid)
        answer = await self.line.ask("mint", str(uid), csr=csr.hex())
        if "lost" in answer:
            raise PKIUnavailable(self.url, "its answer was lost")
        credentials = Credentials(bytes.fromhex(str(answer["dac"])), bytes.fromhex(str(answer["pai"])))
        await self.ledger.issuance.record_issued(key, credentials)
        return credentials
