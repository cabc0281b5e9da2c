# SPDX-License-Identifier: Apache-2.0
"""The Protocols through which procedure and slot use the adapters."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from station.domain.attempt import Attempt, Event, Phase, Record, RouteChecked, Verdict
from station.domain.coprocessor import CoprocessorVersions, WirelessStack
from station.domain.credentials import Credentials
from station.domain.identity import Draft, Identity, OnboardingSecrets
from station.domain.issuance import Asked, KeyRecord
from station.domain.past import Past
from station.domain.product import Flashable, Lock, Write
from station.domain.shared import Claim
from station.domain.target import UID, Region, Target
from station.domain.work_order import Traced
from station.faults import Fault, LineFault, SlotFault
from station.link.messages import Hello
from station.link.operational import OperationalIdentity
from station.mes.message import Counts, Facts, Message, Waiting
from station.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class BoardArrived:
    """A probe and its serial port appeared at a physical path of the USB tree.

    `refused` is the reason why the station must not use them, or None.
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

    @property
    def release(self) -> str:
        """SHA-256 over the recipe and everything it names; approved by people where stations share their numbers."""


class Hotplug(Protocol):
    """Reports boards that arrive and leave."""

    async def next(self) -> BoardArrived | BoardLeft: ...


class Traffic(Protocol):
    """Sees what passes between the station and one board in one attempt, and changes none of it. Its methods never fail or wait.

    One run of the programmer at a time, and one open port at a time.
    """

    def run_began(self, command: Sequence[str]) -> None: ...

    def run_said(self, line: str) -> None:
        """A line that the programmer has printed, without what it shows of the board's memory."""

    def run_refused(self, reason: Exception) -> None:
        """There is no process: another one has the probe, or the system starts none."""

    def run_ended(self, status: int) -> None:
        """The process has ended by itself."""

    def run_left(self) -> None:
        """The station needs no more of the run; the process ended before, or is stopped now."""

    def was_read(self, region: Region, content: bytes, meant: bytes | None = None) -> None:
        """The programmer's file with the content of a region of the board's memory.

        `meant` is what a write without an erase shall leave there; such a region is read before and after it.
        """

    def port_opened(self) -> None: ...

    def port_refused(self, fault: Fault) -> None: ...

    def sent(self, data: bytes) -> None: ...

    def received(self, data: bytes) -> None: ...

    def port_lost(self) -> None: ...


class Invocation(Protocol):
    """One run of the programmer. Await its actions in the order in which they were given."""

    async def written(self, write: Write) -> None:
        """Returns when the programmer's output has proven the write; raises the fault that the output reports."""

    async def read(self, region: Region) -> bytes:
        """The content of the region."""


class Coprocessor(Protocol):
    """The wireless coprocessor, through its firmware upgrade service (FUS). Every method overwrites 0x08000000."""

    async def versions(self) -> CoprocessorVersions:
        """Starts FUS and reads its versions; raises `FUSNotReady`."""

    async def upgrade(self, stack: WirelessStack, *, first: bool) -> Fault | None:
        """Runs one upgrade. Returns the reported fault or None; neither is proof: read the versions.

        `first` is for a coprocessor without a stack: there is none to delete.
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
        """Connects without a reset, and reads the part, its UID, its protection and the agent's record."""

    def invocation(
        self, *actions: Write | Region, unerased: Callable[[Fault], Awaitable[None]] | None = None
    ) -> AbstractAsyncContextManager[Invocation]:
        """Writes and reads in this order under reset, then resets the board. The run starts when its first action is awaited.

        If the last action is a write into RAM, the firmware there is started instead.

        With `unerased` the board's flash is taken for blank, and not erased. If a write then fails, `unerased` is called
        with its fault, and a second run does everything again, with an erase.
        """

    async def lock(self, lock: Lock, uid: UID) -> None:
        """Sets the option bytes of the board with this UID and reads them back in a second connection; raises `LockUnproven`."""


class Board(Protocol):
    """The conversation with the firmware on the board. Its methods raise `BoardSilent`, `BoardRefused`, `BoardAnswerInvalid`."""

    async def hello(self) -> Hello: ...

    async def make_csr(self, *, named: bool) -> bytes:
        """Returns the board's PKCS#10 request, DER, for the same key every time; `named`: its common name is the serial number."""

    async def store(self, credentials: Credentials) -> None: ...

    async def prove(self, nonce: bytes) -> bytes:
        """Signs context and nonce with the stored key. Returns r and s, 64 bytes."""

    async def operational_identity(self) -> OperationalIdentity:
        """The identity that the operational firmware reports."""


class Partner(Protocol):
    """Puts certificates on the board instead of the station: a partner's script, or ST's own firmware."""

    async def deliver(self) -> None:
        """Returns when the partner reports success, which proves nothing; raises the fault that it reports otherwise."""


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
    """The PKI, behind a journal that prevents a second certificate for the same key."""

    async def check_askable(self, uid: UID) -> None:
        """Raises `PKIAnswerLost` or `PKIPending` if the PKI must not be asked for this board now."""

    async def askable(self, uid: UID) -> None:
        """Waits until `check_askable` passes."""

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        """Returns DAC and PAI, checked, for the key in the request (PKCS#10, DER); the same key gets the same DAC."""


class Route(Protocol):
    """The MES, asked whether a board belongs to this station now."""

    async def check(self, uid: UID, serial_number: str | None) -> RouteChecked:
        """Returns what is to be journalled; raises `NotRouted`, and `MESUnavailable` if the line is to wait for the MES."""


class Reports(Protocol):
    """Makes the messages about attempts that the receivers of this line want."""

    @property
    def wanted(self) -> frozenset[type[Event]]:
        """The events that make messages."""

    def of(self, facts: Facts) -> Sequence[Message]:
        """The messages of one event, one or more for each receiver."""

    def written(self) -> None:
        """Called once messages are durable."""


class Outbox(Protocol):
    """The messages that wait for their delivery, durable. A method raises `LineFault` while the ledger cannot be used."""

    async def due(self, sink: str, now: datetime, most: int) -> Sequence[Waiting]:
        """The messages that may be tried now, the least tried first; of each key only the first that is pending."""

    async def next_due(self, sink: str) -> datetime | None:
        """When the first of the postponed messages is due."""

    async def counts(self, sink: str) -> Counts: ...

    async def delivered(self, number: int, at: datetime) -> None: ...

    async def postponed(self, number: int, error: str, until: datetime, *, refused: bool) -> None: ...

    async def died(self, number: int, error: str, at: datetime) -> None: ...


class AttemptLedger(Protocol):
    """The ledger as one attempt sees it."""

    @property
    def attempt(self) -> Attempt: ...

    def step(self, phase: Phase, *intents: Record) -> AbstractAsyncContextManager[None]:
        """Journals the step and its intents durably before its body runs, and its end with its seconds."""

    async def record(self, event: Record) -> None:
        """Journals an event; it is durable at the latest when the next step begins, or its verdict is."""

    async def past_of(self, uid: UID) -> Past:
        """The board's past in this ledger; an empty `Past` for an unknown board."""

    async def find_identity(self, uid: UID) -> Identity | None:
        """The identity that the ledger has for this board, or None."""

    async def reserve_identity(self, draft: Draft) -> Identity:
        """Reserves an identity durably. Calls `draft` with new secrets until no other unit has the same ones."""

    async def sample_identity(self, draft: Draft) -> Identity:
        """An identity for a sample that has none: recorded nowhere."""

    async def claim(self, target: Target) -> bool:
        """Makes sure that this station may work on the board, and knows what others know of it.

        Asks the centre unless the ledger's own knowledge fits the board's key; with a standalone ledger, and for samples and
        laboratory units, it does nothing. Returns whether the board's factory data must still prove that it is as this ledger
        left it. Raises `UnitElsewhere` or `AnswerElsewhere`.
        """

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        """Records the certificate as this board's, durably; raises `KeyShared` if another board has the key."""


class Claims(Protocol):
    """The centre, asked about one board."""

    async def claim(self, uid: UID) -> Claim | None:
        """What the centre knows of the board, which is this station's from now on; None if the centre is away.

        Raises the `LineFault` for which the centre refuses this station.
        """


class AttemptJournal(AttemptLedger, Protocol):
    """An attempt in the ledger, from its first event to its verdict."""

    @property
    def number(self) -> int: ...

    @property
    def traced(self) -> Traced:
        """The lot and the work order of the attempt: those of its unit, once that is known."""

    async def finish(self, verdict: Verdict) -> None: ...


@dataclass(frozen=True, slots=True)
class RefusedAnswer:
    """An answer of the PKI that the station refused: the reason, its content, and every certificate in it, DER."""

    reason: str
    content: bytes
    certificates: tuple[bytes, ...] = ()


class IssuanceJournal(Protocol):
    """The relay's journal of requests to the PKI. `key` is the name of a key (`domain.credentials.key_name`)."""

    @property
    def trouble(self) -> LineFault | None:
        """The fault for which every call is waiting, or None while the journal can be written."""

    async def of_key(self, key: str, uid: UID) -> KeyRecord:
        """What there is of this board's key; raises `KeyShared` if another board has its certificate."""

    async def submitted(self, key: str, csr: bytes, uid: UID) -> int:
        """Records a request durably; call it before sending. Returns the number of earlier requests for this key without an answer.

        Raises `PKIAnswerLost` if that number allows no further request.
        """

    async def is_unanswered(self, key: str) -> bool:
        """Whether the answer to a request for this key was lost, even if its board has been excused for it."""

    async def record_issued(self, key: str, credentials: Credentials, surplus: Sequence[bytes] = ()) -> None:
        """Records the credentials durably, before anybody gets them. They have been checked, and are live from now on.

        `surplus` are certificates, DER, that came in the same answer and that no board has.
        Raises `CredentialsInvalid` if the serial number is not new, and `KeyChanged` if the board has another key's.
        """

    async def record_rejected(self, key: str, reason: str) -> None:
        """Records that the PKI issued nothing for the last request for this key."""

    async def record_refused(self, key: str, answer: RefusedAnswer) -> None:
        """Records an answer to the last request that the station refused."""

    async def record_surplus(self, key: str, certificates: Sequence[bytes]) -> int:
        """Records certificates for this key, DER, that the PKI's own list has and no unit gets. Returns how many are new."""

    async def record_pending(self, key: str, due: datetime) -> None:
        """Records that the PKI has the last request, and is not to be asked about it before `due`."""

    async def record_wait(self, endpoint: str, until: datetime) -> None:
        """Records that this endpoint is not to be asked before `until`."""

    async def asked(self, uid: UID) -> Asked:
        """What the PKI owes this board."""

    async def waiting_until(self, endpoint: str) -> datetime | None:
        """The time before which this endpoint is not to be asked."""


class SecretSource(Protocol):
    """Onboarding secrets, made ahead of need."""

    async def take(self) -> OnboardingSecrets: ...
