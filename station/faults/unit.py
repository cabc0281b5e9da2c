# SPDX-License-Identifier: Apache-2.0
"""Faults of the board: the attempt fails and counts against yield. Pure."""

from dataclasses import dataclass

from station.faults import UnitFault


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
