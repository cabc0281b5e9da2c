# SPDX-License-Identifier: Apache-2.0
"""Faults of the board: the attempt fails and counts against yield. Pure."""

from dataclasses import dataclass

from station.faults import UnitFault


@dataclass(eq=False)
class TargetNotFound(UnitFault):
    """The probe finds no microcontroller: reseat the board. If the fault comes again, the board is dead."""

    code = "target.not_found"
    probe: str


@dataclass(eq=False)
class TargetWrong(UnitFault):
    """The microcontroller is not the part that the recipe requires: check that the board belongs to this product."""

    code = "target.wrong_part"
    device_id: str
    expected: str


@dataclass(eq=False)
class TargetLocked(UnitFault):
    """The microcontroller is read-protected, so it cannot be programmed: set the board aside."""

    code = "target.locked"
    readout_protection: str


@dataclass(eq=False)
class TargetRefused(UnitFault):
    """The microcontroller does not obey the probe: reseat the board. If the fault comes again, the board may be protected."""

    code = "target.refused"
    probe: str


@dataclass(eq=False)
class FlashMismatch(UnitFault):
    """The flash does not read back as it was written."""

    code = "flash.mismatch"
    address: int


@dataclass(eq=False)
class FlashWriteFailed(UnitFault):
    """The flash could not be written."""

    code = "flash.write_failed"
    reason: str


@dataclass(eq=False)
class FlashEraseFailed(UnitFault):
    """The flash could not be erased."""

    code = "flash.erase_failed"
    reason: str


@dataclass(eq=False)
class FlashReadFailed(UnitFault):
    """The flash could not be read."""

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
    """The board's firmware sent an answer that does not fit the question."""

    code = "board.answer_invalid"
    question: str
    reason: str


@dataclass(eq=False)
class CSRInvalid(UnitFault):
    """The board's certificate request breaks a rule, so it was not sent to the PKI."""

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
    """The certificate issued to this board before does not fit this recipe or this PKI: the board may belong to another product."""

    code = "board.certificate_unfit"
    rule: str
    reason: str


@dataclass(eq=False)
class SampleUncertified(UnitFault):
    """This sample has no certificate, and never gets one."""

    code = "sample.uncertified"


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
    """The factory data read back from the board cannot be decoded."""

    code = "readback.invalid"
    reason: str


@dataclass(eq=False)
class ReadbackDiffers(UnitFault):
    """The factory data read back from the board differs from the intended factory data."""

    code = "readback.differs"
    record: str


@dataclass(eq=False)
class ReadbackRefused(UnitFault):
    """A commissioner would refuse the factory data read back from the board."""

    code = "readback.refused"
    rule: str
    reason: str


@dataclass(eq=False)
class VerifierWrong(UnitFault):
    """The board would refuse the label's passcode: its SPAKE2+ verifier belongs to another passcode."""

    code = "readback.verifier"
    reason: str


@dataclass(eq=False)
class PrivateKeyExposed(UnitFault):
    """The private key is in flash although it belongs in secure storage."""

    code = "readback.private_key_exposed"


@dataclass(eq=False)
class OperationalSilent(UnitFault):
    """The operational firmware does not report its identity."""

    code = "operational.silent"
    within: float


@dataclass(eq=False)
class OperationalIdentityWrong(UnitFault):
    """The operational firmware reports another identity than the provisioned one."""

    code = "operational.identity"
    field: str
    found: str


@dataclass(eq=False)
class LockUnproven(UnitFault):
    """The option bytes that lock the board do not read back as they were set."""

    code = "lock.unproven"
    option: str
    expected: str
    found: str


@dataclass(eq=False)
class FUSNotReady(UnitFault):
    """The coprocessor's upgrade service (FUS) did not start, or did not report its versions, in two tries."""

    code = "coprocessor.fus_not_ready"
    reason: str


@dataclass(eq=False)
class FUSOutdated(UnitFault):
    """The coprocessor's upgrade service (FUS) is older than the recipe requires: upgrade it with STM32CubeProgrammer."""

    code = "coprocessor.fus_outdated"
    version: str
    expected: str


@dataclass(eq=False)
class StackUnproven(UnitFault):
    """The coprocessor's wireless stack was upgraded, but the versions read back do not prove it."""

    code = "coprocessor.stack_unproven"
    expected: str
    before: str
    found: str
    said: str


@dataclass(eq=False)
class StackNotStarted(UnitFault):
    """The coprocessor did not start its wireless stack in two tries."""

    code = "coprocessor.stack_not_started"
    reason: str


@dataclass(eq=False)
class StackUnseen(UnitFault):
    """No earlier attempt has seen the right wireless stack on this board, and it is not upgraded since the board may hold a key."""

    code = "coprocessor.stack_unseen"
    expected: str
    seen: str


@dataclass(eq=False)
class BootNotRestored(UnitFault):
    """The option bytes that make the board boot its application do not read back as they were set."""

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
    """The coprocessor's key storage refused the private key: it takes one key only, and the board has one already."""

    code = "monitor.storage_failed"


@dataclass(eq=False)
class MonitorCodeUnknown(UnitFault):
    """ST's provisioning firmware ended with an unknown code."""

    code = "monitor.code_unknown"
    finish: str


@dataclass(eq=False)
class MonitorSilent(UnitFault):
    """ST's provisioning firmware did not report its end in time: it stays silent if no wireless stack runs."""

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
