# SPDX-License-Identifier: Apache-2.0
"""The Protocols that procedure and slot use for equipment, PKI and ledger; the adapters implement them."""

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

    `refused` is the reason why no attempt may use them; None if one may.
    """

    path: str
    probe: str
    tty: str
    refused: SlotFault | None = None


@dataclass(frozen=True, slots=True)
class BoardLeft:
    """The serial port at this physical path of the USB tree went away."""

    path: str


class RecordedRecipe(Protocol):
    """The properties of a recipe, for production or laboratory, that the ledger records with every attempt."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def images(self) -> Sequence[Flashable]: ...

    @property
    def lot_name(self) -> str: ...


class Hotplug(Protocol):
    """Reports boards that are plugged in and pulled."""

    async def next(self) -> BoardArrived | BoardLeft: ...


class Invocation(Protocol):
    """One run of the programmer. Await its actions in the order in which `Programmer.invocation` got them."""

    async def written(self, write: Write) -> None:
        """Returns once the programmer's output proves the write; raises the fault that the output reports."""

    async def read(self, region: Region) -> bytes:
        """Returns the region's content, `region.size` bytes; raises the fault that the output reports."""


class Coprocessor(Protocol):
    """The wireless coprocessor, through its firmware upgrade service (FUS). Every operation overwrites flash at 0x08000000."""

    async def versions(self) -> CoprocessorVersions:
        """Starts FUS and returns the versions that it reports; raises `FUSNotReady`."""

    async def upgrade(self, stack: WirelessStack, *, first: bool) -> Fault | None:
        """Runs one upgrade. Returns the reported fault or None; neither is proof: read the versions.

        `first` says that the coprocessor has no stack, so that none is deleted.
        """

    async def start_stack(self) -> None:
        """Starts the wireless stack; raises `StackNotStarted`."""

    async def restore_boot(self) -> None:
        """Sets the option bytes that make the board boot its application, and reads them back; raises `BootNotRestored`."""


class Programmer(Protocol):
    """Drives the probe of one slot, one process at a time."""

    @property
    def coprocessor(self) -> Coprocessor: ...

    async def identify(self) -> Target:
        """Connects without resetting the board, and returns its part, UID, supply and protection."""

    def invocation(self, *actions: Write | Region) -> AbstractAsyncContextManager[Invocation]:
        """Writes and reads in this order under reset, then resets the board. The run starts when its first action is awaited."""

    async def lock(self, lock: Lock, uid: UID) -> None:
        """Sets this board's option bytes, and reads them back over a second connection; raises `LockUnproven`."""


class Board(Protocol):
    """The conversation with the firmware on the board. Its methods raise `BoardSilent`, `BoardRefused`, `BoardAnswerInvalid`."""

    async def hello(self) -> Hello: ...

    async def make_csr(self) -> bytes:
        """Returns the board's PKCS#10 request, DER. A board requests for the same key every time."""

    async def store(self, credentials: Credentials) -> None: ...

    async def prove(self, nonce: bytes) -> bytes:
        """Returns the stored key's ECDSA signature over `PROOF_CONTEXT` and the nonce: r and s, 32 bytes each, big-endian."""

    async def operational_identity(self) -> OperationalIdentity:
        """Returns the identity that the operational firmware reports; raises `OperationalSilent`."""


class Partner(Protocol):
    """A partner's script, or ST's own firmware, that puts the certificates on the board in place of the station."""

    async def deliver(self) -> None:
        """Returns when the partner reports that the board has its certificates; raises the fault that it fails with."""


class Bench(Protocol):
    """One slot's equipment, for as long as one board is in it."""

    @property
    def programmer(self) -> Programmer: ...

    def board(self) -> AbstractAsyncContextManager[Board]:
        """The board's serial port, open for the block."""

    def partner(self, recipe: Recipe) -> AbstractAsyncContextManager[Partner]:
        """The recipe's partner. Enter it before the board is reset: its firmware speaks at once.

        Raises `ValueError` if the recipe has none.
        """


class Authority(Protocol):
    """The PKI, behind the journal that keeps it from being asked twice."""

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        """Returns DAC and PAI for the key in the request (PKCS#10, DER); the same key gets the same DAC."""


class AttemptLedger(Protocol):
    """The ledger as one attempt sees it."""

    @property
    def attempt(self) -> Attempt: ...

    def step(self, phase: Phase) -> AbstractAsyncContextManager[None]:
        """Journals the step durably before its body runs, and its end with its seconds."""

    async def record(self, event: Record) -> None: ...

    async def past_of(self, uid: UID) -> Past:
        """The board's past in this ledger; an empty `Past` for an unknown board."""

    async def find_identity(self, uid: UID) -> Identity | None:
        """The identity that the ledger has for this board, or None."""

    async def reserve_identity(self, draft: Draft) -> Identity:
        """Reserves an identity durably. Calls `draft` with new secrets until no other unit has the same ones."""

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        """Records the certificate as this board's, durably; raises `KeyShared` if the key is another board's."""


class AttemptJournal(AttemptLedger, Protocol):
    """An attempt in the ledger, from its first event to its verdict."""

    @property
    def number(self) -> int: ...

    async def finish(self, verdict: Verdict) -> None: ...


class IssuanceJournal(Protocol):
    """The requests to the PKI and their answers, each under the name of its key (`domain.credentials.key_name`)."""

    @property
    def trouble(self) -> LineFault | None:
        """The fault that keeps the journal from being written now, and its callers waiting; None if there is none."""

    async def issued(self, key: str, uid: UID) -> Credentials | None:
        """The credentials issued for this key, or None; raises `KeyShared` if they were issued to another board."""

    async def submitted(self, key: str, csr: bytes, uid: UID) -> int:
        """Records the request durably, before it is sent. Returns how many earlier requests for this key had no answer."""

    async def record_issued(self, key: str, credentials: Credentials) -> None:
        """Records the credentials durably, before anybody gets them."""

    async def record_rejected(self, key: str, reason: str) -> None:
        """Records that the PKI refused the last request for this key."""


class SecretSource(Protocol):
    """Onboarding secrets, made ahead of need."""

    async def take(self) -> OnboardingSecrets: ...
