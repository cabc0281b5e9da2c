# SPDX-License-Identifier: Apache-2.0
"""Faults of probe, tty, cable, fixture or tool: the attempt is void and the slot goes out of service. Pure."""

from dataclasses import dataclass

from station.faults import SlotFault


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
class BoardAsleep(SlotFault):
    """The board was in its slot before the station started, and its firmware is silent until it was without power: plug it in again."""

    code = "board.asleep"


@dataclass(eq=False)
class BoardSwapped(SlotFault):
    """Another board answers on this slot's serial port: probe and port cables are swapped."""

    code = "board.swapped"
    expected_uid: str
    found_uid: str


@dataclass(eq=False)
class BoardExchanged(SlotFault):
    """The board was exchanged during its attempt: leave a board in its slot until its verdict."""

    code = "board.exchanged"
    expected_uid: str
    found_uid: str


@dataclass(eq=False)
class UnitElsewhere(SlotFault):
    """Another station, or another ledger, gave this board its key. Nothing was written to the board: take it to an engineer."""

    code = "unit.elsewhere"
    uid: str
    key: str
    known: str = "nothing of it is known here"


@dataclass(eq=False)
class NotRouted(SlotFault):
    """The MES says that this board does not belong at this station now: take it where the MES wants it. Nothing was written to it."""

    code = "mes.not_routed"
    uid: str
    reason: str


@dataclass(eq=False)
class UnitForgotten(SlotFault):
    """This unit has left the line and its passcode was forgotten, so nobody can judge it again. Nothing was written to the board: take it to an engineer."""

    code = "unit.forgotten"
    uid: str


@dataclass(eq=False)
class AnswerElsewhere(SlotFault):
    """Another station has asked the PKI about this board and waits for the answer: plug the board in again once it has come, or retire that station."""

    code = "unit.answer_elsewhere"
    uid: str
    station: str


@dataclass(eq=False)
class UnitQuarantined(SlotFault):
    """This unit failed for good and is in quarantine: keep it aside for an engineer."""

    code = "unit.quarantined"
    uid: str


@dataclass(eq=False)
class UnitScrapped(SlotFault):
    """This unit was scrapped: throw it away as your rules for scrap say."""

    code = "unit.scrapped"
    uid: str


@dataclass(eq=False)
class PKIAnswerLost(SlotFault):
    """The PKI's answers for this board were lost, and each may have been a certificate: have the PKI looked at, then run `station pki again UID`."""

    code = "pki.answer_lost"
    uid: str
    requests: int


@dataclass(eq=False)
class PKIPending(SlotFault):
    """The PKI decides about this board later: leave the board in its slot, or plug it in again after this time."""

    code = "pki.pending"
    until: str


@dataclass(eq=False)
class PKIParked(SlotFault):
    """The PKI cannot be reached: set this board aside, and plug it in again when the PKI answers."""

    code = "pki.parked"
    url: str
    reason: str


@dataclass(eq=False)
class ProbeWrong(SlotFault):
    """The programmer uses another probe than the requested one: have its installation checked."""

    code = "probe.wrong"
    probe: str
    answering: str


@dataclass(eq=False)
class ProbeMissing(SlotFault):
    """The programmer cannot see the probe: check its USB cable."""

    code = "probe.missing"
    probe: str


@dataclass(eq=False)
class ProbeBusy(SlotFault):
    """Another program uses the probe: close that program."""

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
    """Two probes have the same serial number, so the station cannot tell them apart: unplug one of them."""

    code = "probe.duplicate"
    probe: str


@dataclass(eq=False)
class ProbeUnidentified(SlotFault):
    """The station found no probe's serial number for the serial port in this slot."""

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
    """The station itself failed: give its log, which has the traceback, to the station's maintainer."""

    code = "station.bug"
    exception: str


@dataclass(eq=False)
class SlotSuspected(SlotFault):
    """Different boards in a row had the same fault in this slot: check its fixture and its contacts."""

    code = "slot.suspected"
    cause: str


@dataclass(eq=False)
class SlotHeld(SlotFault):
    """Somebody took the slot out of service."""

    code = "slot.held"
