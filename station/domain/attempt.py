# SPDX-License-Identifier: Apache-2.0
"""An attempt: its events, and the table that says which may follow which. Pure.

The journal holds the events; everything known of an attempt is what they add up to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import reduce
from typing import ClassVar, Self

from station.domain.credentials import csr_key
from station.domain.target import UID, Target
from station.link.messages import KeyStorage


class Phase(StrEnum):
    """Where an attempt stands: not begun, in one of the steps of the procedure, or ended by a verdict."""

    STARTED = "started"
    RECOGNISE = "recognise"
    COPROCESSOR = "coprocessor"
    FLASH_DATA = "flash_data"
    FLASH_PROVISIONER = "flash_provisioner"
    AWAIT_CSR = "await_csr"
    RELAY_TO_PKI = "relay_to_pki"
    DELIVER = "deliver"
    FLASH_OPERATIONAL = "flash_operational"
    CONFIRM = "confirm"
    LOCK = "lock"
    PASSED = "passed"
    FAILED = "failed"
    VOID = "void"


class ProcedureName(StrEnum):
    """The procedures as the ledger names them, whatever their functions are called."""

    PROVISION = "provision"
    REDELIVER = "redeliver"
    RECONFIRM = "reconfirm"
    PROVISION_BY_PARTNER = "provision_by_partner"
    FINISH = "finish"
    RECONFIGURE = "reconfigure"


# The only cause of a void attempt that is no fault: the daemon ended before the verdict.
STATION_STOPPED = "station.stopped"

FLASHING = frozenset({Phase.COPROCESSOR, Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.FLASH_OPERATIONAL})
VERDICTS = {Phase.PASSED: "pass", Phase.FAILED: "fail", Phase.VOID: "void"}


@dataclass(frozen=True, slots=True)
class OnDisk:
    """An event's name in the ledger, and the keys of its fields there, in their order. Neither follows a rename in Python."""

    name: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Written before the step's first deed, so that a power cut leaves an open step."""

    on_disk: ClassVar[OnDisk] = OnDisk("StepStarted", ("step",))
    step: Phase


@dataclass(frozen=True, slots=True)
class StepFinished:
    on_disk: ClassVar[OnDisk] = OnDisk("StepFinished", ("step", "seconds"))
    step: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class ClockAccepted:
    """Somebody has released the line although the ledger had been written later than now; `pki` is the time that the PKI told."""

    on_disk: ClassVar[OnDisk] = OnDisk("ClockAccepted", ("clock", "last_entry", "pki"))
    clock: str
    last_entry: str
    pki: str


@dataclass(frozen=True, slots=True)
class UnitIdentified:
    on_disk: ClassVar[OnDisk] = OnDisk(
        "UnitIdentified", ("uid", "device_id", "supply_mv", "probe_firmware", "programmer_version")
    )
    uid: UID
    device_id: int
    supply_mv: int
    probe_firmware: str
    programmer_version: str

    @classmethod
    def of(cls, target: Target) -> Self:
        return cls(target.uid, target.device_id, target.supply_mv, target.probe_firmware, target.programmer_version)


@dataclass(frozen=True, slots=True)
class LaboratoryUnit:
    """This attempt makes a unit for the laboratory: its identity is no production unit's, and counts as none."""

    on_disk: ClassVar[OnDisk] = OnDisk("LaboratoryUnit")


@dataclass(frozen=True, slots=True)
class IdentityReserved:
    on_disk: ClassVar[OnDisk] = OnDisk("IdentityReserved", ("serial_number",))
    serial_number: str


@dataclass(frozen=True, slots=True)
class ProcedureChosen:
    """Which procedure the board gets."""

    on_disk: ClassVar[OnDisk] = OnDisk("ProcedureChosen", ("procedure",))
    procedure: ProcedureName


@dataclass(frozen=True, slots=True)
class CoprocessorReady:
    """The wireless stack runs that the board must have: `before` and `after` are its versions as they were read.

    `image` is the SHA-256 of the stack's image, which was written only if the stack was `upgraded`.
    """

    on_disk: ClassVar[OnDisk] = OnDisk("CoprocessorReady", ("image", "fus", "before", "after", "upgraded"))
    image: str
    fus: str
    before: str
    after: str
    upgraded: bool


@dataclass(frozen=True, slots=True)
class FactoryDataWritten:
    """From here on the identity may stand on a board."""

    on_disk: ClassVar[OnDisk] = OnDisk("FactoryDataWritten")


@dataclass(frozen=True, slots=True)
class CSRReceived:
    """`key` is the SHA-256 of the board's SubjectPublicKeyInfo, in hexadecimal."""

    on_disk: ClassVar[OnDisk] = OnDisk("CSRReceived", ("key",))
    key: str

    @classmethod
    def of(cls, csr: bytes) -> Self:
        return cls(csr_key(csr))


@dataclass(frozen=True, slots=True)
class CredentialsChosen:
    """The certificate that this board gets; it was issued now or for an earlier attempt with the same key."""

    on_disk: ClassVar[OnDisk] = OnDisk("CredentialsChosen", ("key", "dac_serial_number"))
    key: str
    dac_serial_number: str


@dataclass(frozen=True, slots=True)
class CredentialsDelivered:
    on_disk: ClassVar[OnDisk] = OnDisk("CredentialsDelivered", ("dac_serial_number",))
    dac_serial_number: str


@dataclass(frozen=True, slots=True)
class CredentialsFound:
    """The certificate that somebody else than the station put on the board, checked as a commissioner checks it.

    `key_storage` is where its private key was found to be.
    """

    on_disk: ClassVar[OnDisk] = OnDisk("CredentialsFound", ("key", "dac_serial_number", "key_storage"))
    key: str
    dac_serial_number: str
    key_storage: KeyStorage


@dataclass(frozen=True, slots=True)
class Confirmed:
    """All that was intended is on the board: from now on it may be locked, and is never provisioned again."""

    on_disk: ClassVar[OnDisk] = OnDisk("Confirmed")


@dataclass(frozen=True, slots=True)
class Passed:
    on_disk: ClassVar[OnDisk] = OnDisk("Passed")


@dataclass(frozen=True, slots=True)
class Failed:
    on_disk: ClassVar[OnDisk] = OnDisk("Failed", ("fault", "evidence"))
    fault: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Voided:
    on_disk: ClassVar[OnDisk] = OnDisk("Voided", ("fault", "evidence"))
    fault: str
    evidence: Mapping[str, str] = field(default_factory=dict)


Record = (
    ClockAccepted
    | UnitIdentified
    | LaboratoryUnit
    | IdentityReserved
    | ProcedureChosen
    | CoprocessorReady
    | FactoryDataWritten
    | CSRReceived
    | CredentialsChosen
    | CredentialsDelivered
    | CredentialsFound
    | Confirmed
)
Verdict = Passed | Failed | Voided
Event = StepStarted | StepFinished | Record | Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """What may happen in one phase: the steps that may begin, those of a laboratory's unit too, and the facts recorded."""

    next: frozenset[Phase]
    records: frozenset[type[Record]] = frozenset()
    laboratory: frozenset[Phase] = frozenset()

    def allows(self, step: Phase, *, laboratory: bool) -> bool:
        return step in self.next or (laboratory and step in self.laboratory)


def _row(*following: Phase, records: Iterable[type[Record]] = (), laboratory: Iterable[Phase] = ()) -> Row:
    return Row(frozenset(following), frozenset(records), frozenset(laboratory))


TRANSITIONS: Mapping[Phase, Row] = {
    Phase.STARTED: _row(Phase.RECOGNISE, records=[ClockAccepted]),
    Phase.RECOGNISE: _row(
        Phase.COPROCESSOR,
        Phase.FLASH_DATA,
        Phase.FLASH_PROVISIONER,  # a board that holds its certificate is redelivered
        Phase.FLASH_OPERATIONAL,  # one that a partner has provisioned is finished
        Phase.CONFIRM,  # a unit that has passed is reconfirmed
        records=[UnitIdentified, LaboratoryUnit, IdentityReserved, ProcedureChosen],
    ),
    Phase.COPROCESSOR: _row(Phase.FLASH_DATA, records=[CoprocessorReady]),
    Phase.FLASH_DATA: _row(
        Phase.FLASH_PROVISIONER,
        records=[FactoryDataWritten],
        laboratory=[Phase.FLASH_OPERATIONAL, Phase.CONFIRM],  # reconfigured, with and without firmware
    ),
    Phase.FLASH_PROVISIONER: _row(
        Phase.AWAIT_CSR,
        Phase.DELIVER,  # by somebody else than the station
    ),
    Phase.AWAIT_CSR: _row(Phase.RELAY_TO_PKI, records=[CSRReceived]),
    Phase.RELAY_TO_PKI: _row(Phase.DELIVER, records=[CredentialsChosen]),
    Phase.DELIVER: _row(Phase.FLASH_OPERATIONAL, records=[CredentialsDelivered]),
    Phase.FLASH_OPERATIONAL: _row(Phase.CONFIRM),
    Phase.CONFIRM: _row(Phase.LOCK, Phase.PASSED, records=[LaboratoryUnit, CredentialsFound, Confirmed]),
    Phase.LOCK: _row(Phase.PASSED),
    Phase.PASSED: _row(),
    Phase.FAILED: _row(),
    Phase.VOID: _row(),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the events of one attempt add up to."""

    phase: Phase = Phase.STARTED
    uid: UID | None = None
    serial_number: str | None = None
    dac_serial_number: str | None = None
    key_storage: KeyStorage | None = None
    """Where the private key of a certificate was found that the station did not deliver."""
    fault: str | None = None
    seconds: Mapping[Phase, float] = field(default_factory=dict)
    laboratory: bool = False

    @property
    def ended(self) -> bool:
        return self.phase in VERDICTS

    @property
    def counts_in_yield(self) -> bool:
        """Whether the attempt has judged a unit of production."""
        return self.phase in {Phase.PASSED, Phase.FAILED} and not self.laboratory and self.uid is not None


def after(attempt: Attempt, event: Event) -> Attempt:  # noqa: C901, PLR0911  a case an event is the table read aloud
    """The attempt after one more event; `ValueError` where the table does not allow it."""
    row = TRANSITIONS[attempt.phase]
    match event:
        case StepStarted(step) if row.allows(step, laboratory=attempt.laboratory) and step not in VERDICTS:
            return replace(attempt, phase=step)
        case StepFinished(step, seconds) if step is attempt.phase:
            return replace(attempt, seconds={**attempt.seconds, step: seconds})
        case UnitIdentified(uid) if UnitIdentified in row.records:
            return replace(attempt, uid=uid)
        case LaboratoryUnit() if LaboratoryUnit in row.records:
            return replace(attempt, laboratory=True)
        case IdentityReserved(serial_number) if IdentityReserved in row.records:
            return replace(attempt, serial_number=serial_number)
        case CredentialsChosen(_, dac_serial_number) if CredentialsChosen in row.records:
            return replace(attempt, dac_serial_number=dac_serial_number)
        case CredentialsFound(_, dac_serial_number, key_storage) if CredentialsFound in row.records:
            return replace(attempt, dac_serial_number=dac_serial_number, key_storage=key_storage)
        case Passed() if Phase.PASSED in row.next:
            return replace(attempt, phase=Phase.PASSED)
        case Failed(fault) if not attempt.ended:
            return replace(attempt, phase=Phase.FAILED, fault=fault)
        case Voided(fault) if not attempt.ended:
            return replace(attempt, phase=Phase.VOID, fault=fault)
        case _ if type(event) in row.records:
            return attempt
    msg = f"{event.on_disk.name} cannot follow {attempt.phase.value}"
    raise ValueError(msg)


def replay(events: Iterable[Event]) -> Attempt:
    return reduce(after, events, Attempt())
