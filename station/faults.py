"""The catalogue of faults: what can go wrong, who pays for it, and the operator's sentence.

Each class is one condition: its docstring is the sentence, `code` is what is counted, its fields are the evidence. Pure.
"""

from dataclasses import dataclass
from typing import ClassVar


class Fault(Exception):
    """Something the station understands went wrong. Never raised itself."""

    code: ClassVar[str]

    def __str__(self) -> str:
        sentence = " ".join((type(self).__doc__ or self.code).split())
        evidence = ", ".join(f"{name} {value}" for name, value in self.evidence.items())
        return f"{sentence} ({evidence})" if evidence else sentence

    @property
    def evidence(self) -> dict[str, str]:
        """The fields as text, for journal and log; no field of any fault holds a secret."""
        names = getattr(self, "__dataclass_fields__", {})  # a class without evidence need not be a dataclass
        return {name: _shown(name, getattr(self, name)) for name in names}


class UnitFault(Fault):
    """The board is bad: the attempt fails and counts against yield."""


class SlotFault(Fault):
    """Probe, tty, cable, fixture or tool is bad: the attempt is void and the slot goes out of service."""


class LineFault(Fault):
    """PKI, ledger, recipe or programmer installation is unavailable: the attempt is void and the line pauses."""


def _shown(name: str, value: object) -> str:
    return f"0x{value:08X}" if isinstance(value, int) and name.endswith("address") else str(value)


# --- the board -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class TargetNotFound(UnitFault):
    """The probe finds no microcontroller: reseat the board; if it stays, the board is dead."""

    code = "target.not_found"
    probe: str


@dataclass(eq=False)
class TargetWrong(UnitFault):
    """The microcontroller is not the part that the recipe asks for."""

    code = "target.wrong_part"
    device_id: str
    expected: str


@dataclass(eq=False)
class TargetLocked(UnitFault):
    """The microcontroller is read-protected and cannot be programmed."""

    code = "target.locked"
    readout_protection: str


@dataclass(eq=False)
class TargetRefused(UnitFault):
    """The microcontroller does not obey the probe: a bad contact, or it is protected."""

    code = "target.refused"
    probe: str


@dataclass(eq=False)
class FlashMismatch(UnitFault):
    """Flash did not read back what was written."""

    code = "flash.mismatch"
    address: int


@dataclass(eq=False)
class FlashWriteFailed(UnitFault):
    """Flash could not be written."""

    code = "flash.write_failed"
    reason: str


@dataclass(eq=False)
class FlashEraseFailed(UnitFault):
    """Flash could not be erased."""

    code = "flash.erase_failed"
    reason: str


@dataclass(eq=False)
class FlashReadFailed(UnitFault):
    """Flash could not be read."""

    code = "flash.read_failed"
    reason: str


@dataclass(eq=False)
class BoardSilent(UnitFault):
    """The board does not answer on its serial port."""

    code = "board.silent"
    question: str
    within: float


@dataclass(eq=False)
class BoardRefused(UnitFault):
    """The board's firmware answered with an error."""

    code = "board.refused"
    question: str
    status: str


@dataclass(eq=False)
class BoardAnswerInvalid(UnitFault):
    """The board's firmware answered with something that is not an answer to the question."""

    code = "board.answer_invalid"
    question: str
    reason: str


@dataclass(eq=False)
class CSRInvalid(UnitFault):
    """The board's certificate request is not one that the PKI may see."""

    code = "csr.invalid"
    rule: str
    reason: str


@dataclass(eq=False)
class CSRRejected(UnitFault):
    """The PKI refused this board's certificate request."""

    code = "pki.csr_rejected"
    reason: str


@dataclass(eq=False)
class KeyChanged(UnitFault):
    """The board holds another key than the one its certificate was issued for."""

    code = "board.key_changed"
    key: str
    issued_for: str


@dataclass(eq=False)
class CertificateUnfit(UnitFault):
    """The certificate that the board was given before is not one for this recipe and this PKI: it may be another product's."""

    code = "board.certificate_unfit"
    rule: str
    reason: str


@dataclass(eq=False)
class KeyShared(UnitFault):
    """The board holds the key of another board: one of them is a copy."""

    code = "board.key_shared"
    key: str
    issued_to: str


@dataclass(eq=False)
class PossessionUnproven(UnitFault):
    """The board's signature does not verify under its certificate: it does not hold the key."""

    code = "board.possession_unproven"
    during: str


@dataclass(eq=False)
class ReadbackInvalid(UnitFault):
    """What was read back from the board is not a list of factory data."""

    code = "readback.invalid"
    reason: str


@dataclass(eq=False)
class ReadbackDiffers(UnitFault):
    """What was read back from the board is not what the ledger intended."""

    code = "readback.differs"
    record: str


@dataclass(eq=False)
class ReadbackRefused(UnitFault):
    """A commissioner would refuse what was read back from the board."""

    code = "readback.refused"
    rule: str
    reason: str


@dataclass(eq=False)
class VerifierWrong(UnitFault):
    """The board would refuse the label's passcode: its SPAKE2+ verifier is not the right one."""

    code = "readback.verifier"
    reason: str


@dataclass(eq=False)
class PrivateKeyExposed(UnitFault):
    """The private key stands in flash although it belongs in secure storage."""

    code = "readback.private_key_exposed"


@dataclass(eq=False)
class OperationalSilent(UnitFault):
    """The operational firmware does not say who it is."""

    code = "operational.silent"
    within: float


@dataclass(eq=False)
class OperationalIdentityWrong(UnitFault):
    """The operational firmware presents another identity than the one that was provisioned."""

    code = "operational.identity"
    field: str
    found: str


@dataclass(eq=False)
class LockUnproven(UnitFault):
    """The option bytes that lock the board did not read back as they were set."""

    code = "lock.unproven"
    option: str
    expected: str
    found: str


@dataclass(eq=False)
class FUSNotReady(UnitFault):
    """The coprocessor's upgrade service (FUS) did not start, or did not tell its versions, at the second try either."""

    code = "coprocessor.fus_not_ready"
    reason: str


@dataclass(eq=False)
class FUSOutdated(UnitFault):
    """The coprocessor's upgrade service (FUS) is older than the recipe asks: upgrade it with STM32CubeProgrammer."""

    code = "coprocessor.fus_outdated"
    version: str
    expected: str


@dataclass(eq=False)
class StackUnproven(UnitFault):
    """The coprocessor's wireless stack was upgraded, and what was read back does not prove it."""

    code = "coprocessor.stack_unproven"
    expected: str
    before: str
    found: str
    said: str


@dataclass(eq=False)
class StackNotStarted(UnitFault):
    """The coprocessor did not start its wireless stack, at the second try either."""

    code = "coprocessor.stack_not_started"
    reason: str


@dataclass(eq=False)
class StackUnseen(UnitFault):
    """The board may hold a key, so its coprocessor is left alone; but no earlier attempt has seen the right wireless stack."""

    code = "coprocessor.stack_unseen"
    expected: str
    seen: str


@dataclass(eq=False)
class BootNotRestored(UnitFault):
    """The option bytes that the board boots by did not read back as they were set after work on its coprocessor."""

    code = "coprocessor.boot_not_restored"
    option: str
    expected: str
    found: str


@dataclass(eq=False)
class MonitorDataMissing(UnitFault):
    """ST's provisioning firmware finds no factory data: none was written, or the board is provisioned already."""

    code = "monitor.data_missing"


@dataclass(eq=False)
class MonitorBufferTooSmall(UnitFault):
    """The factory data is too large for ST's provisioning firmware."""

    code = "monitor.buffer_too_small"


@dataclass(eq=False)
class MonitorParameterWrong(UnitFault):
    """ST's provisioning firmware cannot use a record of the factory data."""

    code = "monitor.parameter_wrong"


@dataclass(eq=False)
class MonitorStorageFailed(UnitFault):
    """The coprocessor's key storage refused the private key: it is written once, and the board has one already."""

    code = "monitor.storage_failed"


@dataclass(eq=False)
class MonitorCodeUnknown(UnitFault):
    """ST's provisioning firmware ended with a code that nobody knows."""

    code = "monitor.code_unknown"
    finish: str


@dataclass(eq=False)
class MonitorSilent(UnitFault):
    """ST's provisioning firmware does not say that it has finished: without a running wireless stack it is mute."""

    code = "monitor.silent"
    within: float


@dataclass(eq=False)
class PartnerRefused(UnitFault):
    """The partner's script could not provision the board."""

    code = "partner.refused"
    message: str


@dataclass(eq=False)
class PartnerStuck(UnitFault):
    """The partner's script did not end in time and was stopped: most likely the board is silent."""

    code = "partner.stuck"
    within: float


# --- the slot --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class BoardRemoved(SlotFault):
    """The board was pulled before its verdict: plug it in again."""

    code = "board.removed"


@dataclass(eq=False)
class BoardUnpowered(SlotFault):
    """The board has no supply voltage: reseat it."""

    code = "board.unpowered"
    supply: str


@dataclass(eq=False)
class BoardSwapped(SlotFault):
    """Another board answers on this slot's serial port: probe and port cables are swapped."""

    code = "board.swapped"
    expected_uid: str
    found_uid: str


@dataclass(eq=False)
class ProbeMissing(SlotFault):
    """The programmer cannot see the probe: check its USB cable."""

    code = "probe.missing"
    probe: str


@dataclass(eq=False)
class ProbeBusy(SlotFault):
    """Another program holds the probe."""

    code = "probe.busy"
    probe: str


@dataclass(eq=False)
class ProbeWedged(SlotFault):
    """The probe no longer answers over USB: unplug it and plug it in again."""

    code = "probe.wedged"
    probe: str


@dataclass(eq=False)
class ProbeOutdated(SlotFault):
    """The probe's firmware is too old for the programmer: upgrade it."""

    code = "probe.outdated"
    probe: str


@dataclass(eq=False)
class TargetNotReset(SlotFault):
    """The probe cannot reset the microcontroller: check the reset line of the slot."""

    code = "target.not_reset"
    probe: str


@dataclass(eq=False)
class ProbeDuplicate(SlotFault):
    """Two probes have the same serial number: neither can be told from the other."""

    code = "probe.duplicate"
    probe: str


@dataclass(eq=False)
class ProbeUnidentified(SlotFault):
    """A serial port came up in this slot without a probe's serial number."""

    code = "probe.unidentified"
    tty: str


@dataclass(eq=False)
class ProgrammerStuck(SlotFault):
    """The programmer did not end in time."""

    code = "programmer.stuck"
    within: float


@dataclass(eq=False)
class ProgrammerFailed(SlotFault):
    """The programmer reported an error that is not the board's."""

    code = "programmer.failed"
    exit_status: int
    line: str


@dataclass(eq=False)
class ProgrammerUnproven(SlotFault):
    """The programmer claims success without evidence for it."""

    code = "programmer.unproven"
    file: str
    missing: str


@dataclass(eq=False)
class TTYUnavailable(SlotFault):
    """The board's serial port cannot be opened."""

    code = "tty.unavailable"
    tty: str
    reason: str


@dataclass(eq=False)
class TTYLost(SlotFault):
    """The board's serial port went away while it was in use."""

    code = "tty.lost"
    tty: str


@dataclass(eq=False)
class PartnerFailed(SlotFault):
    """The partner's script failed: its output is in the attempt's transcript."""

    code = "partner.failed"
    reason: str


@dataclass(eq=False)
class StationBug(SlotFault):
    """The station itself failed: its log has the traceback for whoever maintains it."""

    code = "station.bug"
    exception: str


@dataclass(eq=False)
class SlotSuspected(SlotFault):
    """The same fault came on different boards one after the other in this slot: look at its fixture and its contacts."""

    code = "slot.suspected"
    cause: str


@dataclass(eq=False)
class SlotHeld(SlotFault):
    """Somebody took the slot out of service."""

    code = "slot.held"


# --- the line --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ProgrammerMissing(LineFault):
    """STM32CubeProgrammer cannot be started: check the path in the configuration."""

    code = "programmer.missing"
    path: str
    reason: str


@dataclass(eq=False)
class LineSuspected(LineFault):
    """The same fault came on several slots in a short time: look for what they share, then release the line."""

    code = "line.suspected"
    cause: str


@dataclass(eq=False)
class PartnerUnusable(LineFault):
    """The partner's script cannot be used."""

    code = "partner.unusable"
    script: str
    reason: str


@dataclass(eq=False)
class SecretFilesUnavailable(LineFault):
    """There is no place in memory for files that hold secrets: give the daemon a runtime directory on tmpfs."""

    code = "station.secret_files"
    place: str
    reason: str


@dataclass(eq=False)
class FactoryDataInvalid(LineFault):
    """The factory data cannot be built or read."""

    code = "factory_data.invalid"
    place: str
    reason: str


@dataclass(eq=False)
class KeyStorageWrong(LineFault):
    """The provisioning firmware keeps the key elsewhere than the recipe asks."""

    code = "recipe.key_storage"
    expected: str
    found: str


@dataclass(eq=False)
class StackImageRefused(LineFault):
    """The coprocessor does not accept the wireless stack's image as ST's: check the recipe's file and address."""

    code = "coprocessor.image_refused"
    line: str


@dataclass(eq=False)
class LotExhausted(LineFault):
    """The lot has no serial number left."""

    code = "lot.exhausted"
    lot: str


@dataclass(eq=False)
class SerialNumberTaken(LineFault):
    """The lot's next serial number belongs to another unit: two lots overlap."""

    code = "lot.overlap"
    lot: str
    serial_number: str


@dataclass(eq=False)
class PKIUnavailable(LineFault):
    """The PKI does not answer."""

    code = "pki.unavailable"
    url: str
    reason: str


@dataclass(eq=False)
class PKIRefusedStation(LineFault):
    """The PKI does not accept this station: check the station's client certificate."""

    code = "pki.refused_station"
    url: str
    reason: str


@dataclass(eq=False)
class PKIUntrusted(LineFault):
    """The PKI's server is not the one that is configured: its certificate does not verify."""

    code = "pki.untrusted"
    url: str
    reason: str


@dataclass(eq=False)
class PKIAnswerInvalid(LineFault):
    """The PKI answered with something that is not a certificate for the key asked about."""

    code = "pki.answer_invalid"
    url: str
    reason: str


@dataclass(eq=False)
class PKIFileUnusable(LineFault):
    """A certificate or key that the connection to the PKI needs cannot be used."""

    code = "pki.file_unusable"
    file: str
    reason: str


@dataclass(eq=False)
class PKIAuthorityWrong(LineFault):
    """The PKI issues under another PAI than the one that this line is configured for."""

    code = "pki.authority_wrong"
    url: str
    expected: str


@dataclass(eq=False)
class CredentialsInvalid(LineFault):
    """The PKI issued a certificate that a commissioner would refuse."""

    code = "pki.credentials_invalid"
    rule: str
    reason: str


@dataclass(eq=False)
class DeclarationInvalid(LineFault):
    """A commissioner would refuse the certification declaration, or refuse it for this product."""

    code = "cd.invalid"
    rule: str
    reason: str


@dataclass(eq=False)
class OnboardingCodeInvalid(LineFault):
    """The onboarding code is not one that a commissioner would accept."""

    code = "label.code_invalid"
    reason: str


@dataclass(eq=False)
class TrustUnreadable(LineFault):
    """A file of the trust store cannot be used."""

    code = "trust.unreadable"
    reason: str


@dataclass(eq=False)
class LedgerUnavailable(LineFault):
    """The ledger cannot be opened or written."""

    code = "ledger.unavailable"
    reason: str
