# SPDX-License-Identifier: Apache-2.0
"""What procedure and slot need from the world, as Protocols; the adapters provide it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from station.domain.attempt import Attempt, Phase, Record, Verdict
from station.domain.coprocessor import CoprocessorVersions, WirelessStack
from station.domain.credentials import Credentials
from station.domain.identity import Draft, Identity, OnboardingSecrets
from station.domain.past import Past
from station.domain.product import Flashable, Lock, Write
from station.domain.target import UID, Region, Target
from station.faults import Fault, LineFault, SlotFault
from station.link.messages import Hello
from station.link.operational import OperationalIdentity
from station.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class BoardArrived:
    """A probe and its serial port came up at a physical path of the USB tree.

    `refused` tells why no attempt may be made with them.
    """

    path: str
    probe: str
    tty: str
    refused: SlotFault | None = None


@dataclass(frozen=True, slots=True)
class BoardLeft:
    path: str


class RecordedRecipe(Protocol):
    """A recipe, production's or the laboratory's, as the ledger records it with every attempt."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def images(self) -> Sequence[Flashable]: ...

    @property
    def lot_name(self) -> str: ...


class Hotplug(Protocol):
    """Tells which boards come and go."""

    async def next(self) -> BoardArrived | BoardLeft: ...


class Invocation(Protocol):
    """One run of the programmer, whose actions are awaited in the order in which they were given."""

    async def written(self, write: Write) -> None:
        """Returns when the write is proven; raises the fault that the output tells."""

    async def read(self, region: Region) -> bytes:
        """What stands in the region."""


class Coprocessor(Protocol):
    """The wireless coprocessor, by way of its firmware upgrade service (FUS). All of it overwrites 0x08000000."""

    async def versions(self) -> CoprocessorVersions:
        """What FUS tells when it has been started; raises `FUSNotReady`."""

    async def upgrade(self, stack: WirelessStack, *, first: bool) -> Fault | None:
        """One upgrade; `first` on a coprocessor without a stack, where there is none to delete.

        Returns what speaks against its success, which proves as little as the success that None stands for.
        """

    async def start_stack(self) -> None:
        """Raises `StackNotStarted`."""

    async def restore_boot(self) -> None:
        """Sets the option bytes that the board boots its application by, and reads them back; raises `BootNotRestored`."""


class Programmer(Protocol):
    """Drives the probe of one slot, one process at a time."""

    @property
    def coprocessor(self) -> Coprocessor: ...

    async def identify(self) -> Target:
        """Connects without resetting the board and tells what it is."""

    def invocation(self, *actions: Write | Region) -> AbstractAsyncContextManager[Invocation]:
        """Writes and reads in this order under reset, then resets the board; starts with the first awaited action."""

    async def lock(self, lock: Lock, uid: UID) -> None:
        """Sets the option bytes and reads them back, of this board, in a second connection; raises `LockUnproven`."""


class Board(Protocol):
    """The conversation with the firmware on the board."""

    async def hello(self) -> Hello: ...

    async def make_csr(self) -> bytes:
        """The board's PKCS#10 request, DER; the same key every time."""

    async def store(self, credentials: Credentials) -> None: ...

    async def prove(self, nonce: bytes) -> bytes:
        """r and s over context and nonce, by the stored key: 64 bytes."""

    async def operational_identity(self) -> OperationalIdentity:
        """Who the operational firmware says it is."""


class Partner(Protocol):
    """Something else than the station that puts certificates on the board: a partner's script, or ST's own firmware."""

    async def deliver(self) -> None:
        """Returns when it says that the board has them; the fault that it ends by otherwise."""


class Bench(Protocol):
    """One slot's equipment, for as long as one board is in it."""

    @property
    def programmer(self) -> Programmer: ...

    def board(self) -> AbstractAsyncContextManager[Board]:
        """The board's serial port, open for the block."""

    def partner(self, recipe: Recipe) -> AbstractAsyncContextManager[Partner]:
        """The recipe's partner, which puts certificates on the board; enter it before the reset that makes the firmware speak.

        Raises `ValueError` if the recipe has none.
        """


class Authority(Protocol):
    """The PKI, behind the journal that keeps it from being asked twice."""

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        """DAC and PAI for the key in the request; the same key gets the same DAC."""


class AttemptLedger(Protocol):
    """The ledger as one attempt sees it."""

    @property
    def attempt(self) -> Attempt: ...

    def step(self, phase: Phase) -> AbstractAsyncContextManager[None]:
        """Journals the step durably before its body runs, and its end with its seconds."""

    async def record(self, event: Record) -> None: ...

    async def past_of(self, uid: UID) -> Past:
        """The board's past in this ledger; an empty one for an unknown board."""

    async def find_identity(self, uid: UID) -> Identity | None:
        """The identity that belongs to this board, if it has one."""

    async def reserve_identity(self, draft: Draft) -> Identity:
        """Reserves the draft's identity durably. Asks for another draft, with other secrets, while a unit has such secrets."""

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        """Records the certificate as this board's, durably; raises `KeyShared` when the key is another's."""


class AttemptJournal(AttemptLedger, Protocol):
    """An attempt in the ledger, from its first event to its verdict."""

    @property
    def number(self) -> int: ...

    async def finish(self, verdict: Verdict) -> None: ...


class IssuanceJournal(Protocol):
    """What the relay to the PKI writes down, by the name of the key (`domain.credentials.key_name`)."""

    @property
    def trouble(self) -> LineFault | None:
        """What keeps it from being written now, and every call waiting."""

    async def issued(self, key: str, uid: UID) -> Credentials | None:
        """What was issued for this key, if anything; raises `KeyShared` when another board was given it."""

    async def submitted(self, key: str, csr: bytes, uid: UID) -> int:
        """Durably before the request leaves. Returns how many earlier requests for this key had no answer."""

    async def record_issued(self, key: str, credentials: Credentials) -> None:
        """Durably before the DAC goes anywhere."""

    async def record_rejected(self, key: str, reason: str) -> None:
        """The PKI said no: nothing was issued for the last request."""


class SecretSource(Protocol):
    """Onboarding secrets, made ahead of need."""

    async def take(self) -> OnboardingSecrets: ...
