"""What can be made to go wrong: the catalogue as data, and the faults that are armed for a board.

A fault is only ever asked for by whoever behaves differently because of it: the wire, the chip, the programmer, or the hub.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from virtual_bench.journal import Journal
from virtual_bench.phases import Phase

Value = int | float | str

PROGRAMMED = (Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.FLASH_OPERATIONAL)
CONNECTED = (Phase.RECOGNISE, *PROGRAMMED, Phase.LOCK)
EVERY = tuple(phase for phase in Phase if phase is not Phase.COPROCESSOR)
UNTIL_CONFIRMED = tuple(phase for phase in EVERY if phase is not Phase.LOCK)


class Nature(Enum):
    """When a fault makes itself felt."""

    MOMENT = "once, at its moment in the phase"
    ENTRY = "as soon as the phase begins"
    LASTING = "from the phase on, until the board is unplugged"
    PLUGGED = "when the board is plugged in, until it is unplugged"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a fault can be given. Without a default, the bench chooses."""

    kind: type[int] | type[float] | type[str]
    default: Value | None
    says: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the catalogue."""

    name: str
    does: str
    nature: Nature
    phases: tuple[Phase, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


ASKED = (Phase.AWAIT_CSR, Phase.DELIVER, Phase.CONFIRM)
CONNECT_ERRORS = ("no_target", "target_command", "usb", "busy", "no_probe", "old_firmware")
AFTER = Parameter(float, 0.0, "seconds of the phase that pass before, times the time scale")

CATALOGUE = {
    kind.name: kind
    for kind in (
        Kind("mute", "The board says nothing more on its serial port.", Nature.LASTING, UNTIL_CONFIRMED),
        Kind(
            "late_answer",
            "An answer on the serial port comes late.",
            Nature.MOMENT,
            ASKED,
            {"seconds": Parameter(float, 5.0, "how late, in real seconds, as the station's deadlines are")},
        ),
        Kind(
            "uart_noise",
            "Bytes that nobody sent appear on the serial port, beside an answer or in it.",
            Nature.MOMENT,
            ASKED,
            {"where": Parameter(str, "before", "of the answer", ("before", "between", "inside"))},
        ),
        Kind(
            "other_uart",
            "The board's serial port is that of another board: another UID answers.",
            Nature.LASTING,
            (Phase.RECOGNISE, Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.AWAIT_CSR),
        ),
        Kind("tty_gone", "The serial port vanishes, and the probe stays.", Nature.ENTRY, EVERY, {"after": AFTER}),
        Kind(
            "csr_bad_signature",
            "The board's certificate request carries a signature that does not verify.",
            Nature.MOMENT,
            (Phase.AWAIT_CSR,),
        ),
        Kind(
            "rng_error",
            "The chip's random number generator finds its own seed wrong.",
            Nature.MOMENT,
            (Phase.AWAIT_CSR, Phase.CONFIRM),
        ),
        Kind(
            "pka_error",
            "The chip's public key accelerator ends an operation with an error.",
            Nature.MOMENT,
            ASKED,
        ),
        Kind(
            "qspi_error",
            "The external flash fails while the chip erases or programs it.",
            Nature.MOMENT,
            (Phase.DELIVER,),
        ),
        Kind(
            "power_cut",
            "The board is pulled out while its chip writes to a flash; what was being written is half done.",
            Nature.MOMENT,
            (Phase.AWAIT_CSR, Phase.DELIVER),
            {"writes": Parameter(int, 0, "erasures and programs of the phase that come to their end before")},
        ),
        Kind(
            "secure_storage_written",
            "A key that nobody knows stands in secure storage already.",
            Nature.ENTRY,
            (Phase.RECOGNISE, Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.AWAIT_CSR),
        ),
        Kind(
            "factory_data_erased",
            "The sector with the factory data is erased behind the station's back.",
            Nature.ENTRY,
            UNTIL_CONFIRMED,
        ),
        Kind("brown_out", "The chip's supply dips and it starts anew.", Nature.ENTRY, EVERY, {"after": AFTER}),
        Kind("unplug", "The board is pulled out.", Nature.ENTRY, EVERY, {"after": AFTER}),
        Kind(
            "duplicate_serial",
            "The board's probe has the serial number of another: it takes effect when the board is plugged in.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
            {
                "of": Parameter(int, 1, "number of the board whose probe has it too"),
                "product": Parameter(str, "other", "of the USB, which its link names as well", ("same", "other")),
            },
        ),
        Kind(
            "connect_error",
            "The programmer does not get a connection, says why, and exits with 1.",
            Nature.MOMENT,
            CONNECTED,
            {"error": Parameter(str, "no_target", "what it says", CONNECT_ERRORS)},
        ),
        Kind(
            "second_header",
            "The first attempt to connect fails and the second succeeds: two headers, with an error between them.",
            Nature.MOMENT,
            CONNECTED,
        ),
        Kind(
            "low_voltage",
            "The probe measures a low supply; below 1.71 V flash can be neither erased nor programmed.",
            Nature.LASTING,
            CONNECTED,
            {"volts": Parameter(float, 2.41, "what it measures")},
        ),
        Kind(
            "wrong_device_id",
            "Another chip than an STM32WB55 answers.",
            Nature.LASTING,
            CONNECTED,
            {"device_id": Parameter(int, 0x415, "of the chip")},
        ),
        Kind(
            "loader_ignored",
            "The programmer does without its external loader, and says nothing of it: nothing is written, zeros are read.",
            Nature.MOMENT,
            (Phase.FLASH_DATA, Phase.FLASH_OPERATIONAL),
        ),
        Kind(
            "nothing_done",
            "The programmer connects, does nothing from then on, says nothing of it, and exits with 0.",
            Nature.MOMENT,
            CONNECTED,
        ),
        Kind(
            "verify_mismatch",
            "One byte of what the programmer writes does not take, and verification finds it.",
            Nature.MOMENT,
            PROGRAMMED,
            {"address": Parameter(int, None, "of the byte; if not given, in the middle of the file")},
        ),
        Kind(
            "error_then_success",
            "The programmer changes nothing, prints an error, then every sentence of success, and exits with 0.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "glued_error",
            "A download fails half way, with `Error:` glued to the progress bar and its text on the next line.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "duplicate_lines",
            "The programmer prints what it says of its file two or three times, as 2.18 does, and all is well.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "failed_but_done",
            "The programmer does everything, says so, and exits with 1.",
            Nature.MOMENT,
            CONNECTED,
        ),
        Kind(
            "options_refused",
            "Option bytes do not take: they are found unchanged after the reconnection, and the programmer says so.",
            Nature.MOMENT,
            (Phase.LOCK,),
        ),
        Kind(
            "hang",
            "The programmer prints its header and then nothing more, for ever.",
            Nature.MOMENT,
            CONNECTED,
            {"deaf_to": Parameter(str, "nothing", "signals that do not end it", ("nothing", "interrupt", "all"))},
        ),
        Kind(
            "wedge_on_kill",
            "If the programmer is killed in this phase, its probe answers nothing until it is plugged in again.",
            Nature.MOMENT,
            CONNECTED,
            {"by": Parameter(str, "kill", "which end does it", ("kill", "any"))},
        ),
    )
}


@dataclass(eq=False, slots=True)
class Fault:
    """A fault that waits for its board to reach its phase."""

    board: int
    at: Phase
    kind: Kind
    values: Mapping[str, Value] = field(default_factory=dict)
    times: int = 1  # 0: every time

    def integer(self, name: str) -> int | None:
        value = self._value(name)
        return None if value is None else int(value)

    def number(self, name: str) -> float:
        return float(self._value(name) or 0)

    def text(self, name: str) -> str:
        return str(self._value(name))

    def _value(self, name: str) -> Value | None:
        return self.values.get(name, self.kind.parameters[name].default)


class BoardFaults:
    """One board's phase, as observed, and what is to go wrong in it."""

    def __init__(self, board: int, armed: list[Fault], journal: Journal, act: Callable[[Fault], None]) -> None:
        self.phase: Phase | None = None
        self._board = board
        self._armed = armed
        self._journal = journal
        self._act = act
        self._lasting: list[Fault] = []

    def enter(self, phase: Phase) -> None:
        """A phase begins, and with it what begins with a phase."""
        self.phase = phase
        for fault in self._waiting(Nature.LASTING, (phase,)):
            self._fire(fault)
            self._lasting.append(fault)
        for fault in self._waiting(Nature.ENTRY, (phase,)):
            self._fire(fault)
            self._act(fault)

    def plugged(self) -> None:
        """The board comes back, and with it what it then has about it."""
        self.phase = None
        self._lasting = self._waiting(Nature.PLUGGED, EVERY)
        for fault in self._lasting:
            self._fire(fault)

    def unplugged(self) -> None:
        self.phase = None
        self._lasting.clear()

    def due(
        self, name: str, *, during: Collection[Phase] = (), fits: Callable[[Fault], bool] = lambda _: True
    ) -> Fault | None:
        """The fault of that name, if its moment is now, or in any of these phases; it is counted, so ask only to do it."""
        for fault in self._waiting(Nature.MOMENT, during or (self.phase,)):
            if fault.kind.name == name and fits(fault):
                self._fire(fault)
                return fault
        return None

    def lasting(self, name: str) -> Fault | None:
        """The fault of that name, if it has begun."""
        return next((fault for fault in self._lasting if fault.kind.name == name), None)

    def _waiting(self, nature: Nature, phases: Collection[Phase | None]) -> list[Fault]:
        return [
            fault
            for fault in self._armed
            if fault.board == self._board and fault.kind.nature is nature and fault.at in phases
        ]

    def _fire(self, fault: Fault) -> None:
        if fault.times == 1:
            self._armed.remove(fault)
        fault.times = max(fault.times - 1, 0)
        self._journal.write("fault", board=fault.board, at=fault.at.value, what=fault.kind.name, **_complete(fault))


def _complete(fault: Fault) -> dict[str, Value | None]:
    return {name: fault.values.get(name, parameter.default) for name, parameter in fault.kind.parameters.items()}
