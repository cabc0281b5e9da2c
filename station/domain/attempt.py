# SPDX-License-Identifier: Apache-2.0
"""An attempt: its phases, its events with their names on disk, and their sum. Pure.

The journal stores only the events; an `Attempt` is computed from them. `transitions.py` has the table of which event may
follow which.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self

from station.domain.credentials import csr_key
from station.domain.target import UID, Target
from station.link.messages import KeyStorage


class Phase(StrEnum):
    """The state of an attempt: started, in a step of its procedure, or ended with a verdict."""

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
    """The procedures' names in the ledger, independent of the names of their functions."""

    PROVISION = "provision"
    REDELIVER = "redeliver"
    RESUME = "resume"
    PROVISION_IN_RAM = "provision_in_ram"
    REDELIVER_IN_RAM = "redeliver_in_ram"
    RESUME_IN_RAM = "resume_in_ram"
    RECONFIRM = "reconfirm"
    PROVISION_BY_PARTNER = "provision_by_partner"
    FINISH = "finish"
    RECONFIGURE = "reconfigure"


# The one cause of a void attempt that is not a fault: the daemon ended before the verdict.
STATION_STOPPED = "station.stopped"

FLASHING = frozenset({Phase.COPROCESSOR, Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.FLASH_OPERATIONAL})
VERDICTS = {Phase.PASSED: "pass", Phase.FAILED: "fail", Phase.VOID: "void"}


@dataclass(frozen=True, slots=True)
class OnDisk:
    """An event's name in the ledger, and its fields' keys there, in order. Renaming in Python must not change them."""

    name: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Written before the step does anything, so that a power cut leaves an open step."""

    on_disk: ClassVar[OnDisk] = OnDisk("StepStarted", ("step",))
    step: Phase


@dataclass(frozen=True, slots=True)
class StepFinished:
    on_disk: ClassVar[OnDisk] = OnDisk("StepFinished", ("step", "seconds"))
    step: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class ClockAccepted:
    """A person has released the line although the ledger's last entry is later than the clock. `pki` is the PKI's time.

    All three are ISO 8601 in UTC; `pki` is `none` if no PKI was asked.
    """

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
class RouteChecked:
    """The MES was asked whether the board belongs here: it allowed it, or it was down and the board went on unchecked."""

    on_disk: ClassVar[OnDisk] = OnDisk("RouteChecked", ("checked", "reason"))
    checked: bool
    reason: str


@dataclass(frozen=True, slots=True)
class LaboratoryUnit:
    """The attempt makes a laboratory unit: later events do not change an identity's state, and its verdict is not counted."""

    on_disk: ClassVar[OnDisk] = OnDisk("LaboratoryUnit")


@dataclass(frozen=True, slots=True)
class IdentityReserved:
    on_disk: ClassVar[OnDisk] = OnDisk("IdentityReserved", ("serial_number",))
    serial_number: str


@dataclass(frozen=True, slots=True)
class ProcedureChosen:
    """The slot has chosen the procedure for this board."""

    on_disk: ClassVar[OnDisk] = OnDisk("ProcedureChosen", ("procedure",))
    procedure: ProcedureName


@dataclass(frozen=True, slots=True)
class CoprocessorReady:
    """The recipe's wireless stack runs. `before` and `after` are its versions before and after this step.

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
    """Written before the factory data: from here on the identity may be on a board."""

    on_disk: ClassVar[OnDisk] = OnDisk("FactoryDataWritten")


@dataclass(frozen=True, slots=True)
class WriteRepeated:
    """A new board was taken for blank and not erased, and a write failed: the run is repeated with an erase. `fault` is its code."""

    on_disk: ClassVar[OnDisk] = OnDisk("WriteRepeated", ("fault",))
    fault: str


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
    """The certificate for this board, issued by the PKI now or, for the same key, in an earlier attempt."""

    on_disk: ClassVar[OnDisk] = OnDisk("CredentialsChosen", ("key", "dac_serial_number"))
    key: str
    dac_serial_number: str


@dataclass(frozen=True, slots=True)
class CredentialsDelivered:
    on_disk: ClassVar[OnDisk] = OnDisk("CredentialsDelivered", ("dac_serial_number",))
    dac_serial_number: str


@dataclass(frozen=True, slots=True)
class CredentialsFound:
    """The certificate that a partner's script or ST's firmware put on the board, checked as a commissioner checks it.

    `key_storage` is the place where the station found its private key.
    """

    on_disk: ClassVar[OnDisk] = OnDisk("CredentialsFound", ("key", "dac_serial_number", "key_storage"))
    key: str
    dac_serial_number: str
    key_storage: KeyStorage


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The board holds all that the recipe intends, and may be locked."""

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
    | RouteChecked
    | LaboratoryUnit
    | IdentityReserved
    | ProcedureChosen
    | CoprocessorReady
    | FactoryDataWritten
    | WriteRepeated
    | CSRReceived
    | CredentialsChosen
    | CredentialsDelivered
    | CredentialsFound
    | Confirmed
)
Verdict = Passed | Failed | Voided
Event = StepStarted | StepFinished | Record | Verdict


@dataclass(frozen=True, slots=True)
class Attempt:
    """The sum of one attempt's events."""

    phase: Phase = Phase.STARTED
    uid: UID | None = None
    serial_number: str | None = None
    dac_serial_number: str | None = None
    key_storage: KeyStorage | None = None
    """The place of the private key, where a partner or ST's firmware delivered the certificate."""
    fault: str | None = None
    seconds: Mapping[Phase, float] = field(default_factory=dict)
    laboratory: bool = False
    procedure: ProcedureName | None = None
    """None until the slot has chosen, and in a laboratory's attempts."""

    @property
    def ended(self) -> bool:
        return self.phase in VERDICTS

    @property
    def counts_in_yield(self) -> bool:
        """Whether the attempt has judged a production unit."""
        return self.phase in {Phase.PASSED, Phase.FAILED} and not self.laboratory and self.uid is not None
