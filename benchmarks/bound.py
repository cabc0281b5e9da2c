# SPDX-License-Identifier: Apache-2.0
"""The bound: the time of silicon, probe and programmer for one board, without any cost of the station. Pure.

It is a second implementation of the performance study's model: virtual_bench/timing/profile.py makes the delays, this
module computes their sums, and neither imports the other. A test compares both with the study's published totals.
Seconds and bytes.

Sources of the constants: page erase 22 ms (datasheet DS11929, at most 24.5; Zephyr's device tree says at most 25),
64-bit program 81.7 us (the same datasheet), QSPI flash S25FL128S 130 ms a 64 KB sector (ST's board package) and 250 us
a page (datasheet), SWD rates and the cost of an invocation (published logs of STM32CubeProgrammer on F429, L476 and
G431), boot and process start (estimates: measure these first on a real line), P-256 (5.25 million cycles of the PKA at
64 MHz).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

INTERNAL_PAGE = 4096
EXTERNAL_PAGE = 256
FACTORY_DATA_BLOCK = 16384  # the provisioning firmware rewrites all of it, and the station reads all of it back
TRANSFER_OF_A_PAGE = 64e-6  # from the microcontroller to the QSPI flash
CSR_BYTES, CERTIFICATES_BYTES, PROOF_BYTES = 280, 1000, 150  # on the UART, with the bytes of their frames
WITNESS = 4096  # bytes of a file, read before and after a write without an erase
FAST_UART = 92_160  # bytes a second at 921,600 baud
READ_BACK_BYTES = 2_500  # factory data with certificates, when the board itself sends it
# Key generation, the CSR's signature, the proof of possession. The study's board neither verifies its DAC nor proves its key again
# once the application runs: those two are in no bound, so they count as added by the station.
CURVE_OPERATIONS = 3
READ_WITHIN, SLEEP = 1.0, 0.5  # seconds; STM32_provisioning.py, Provisioning and read_from_com_port


@dataclass(frozen=True, slots=True)
class Sizes:
    """The images of one recipe."""

    application: int
    provisioner: int
    factory_data: int


@dataclass(frozen=True, slots=True)
class Constants:
    """One host, one kind of probe, one kind of board."""

    start_of_process: float = 0.25
    connection: float = 0.50
    end_of_process: float = 0.10
    loader_into_ram: float = 0.22
    external_loader: float = 0.30
    reset: float = 0.05
    fast_verification: float = 0.15
    write_rate: float = 225_000
    read_rate: float = 125_000
    erase_page: float = 0.022
    program_double_word: float = 81.7e-6
    erase_external_sector: float = 0.130
    program_external_page: float = 250e-6
    boot: float = 1.0
    curve_operation: float = 0.082
    uart_rate: float = 11_520
    pki: float = 0.020
    list_of_boards: float = 1.0  # an estimate, as the next
    listed_board: float = 0.5

    @property
    def invocation(self) -> float:
        """The fixed cost of a run of the programmer."""
        return self.start_of_process + self.connection + self.end_of_process

    @property
    def after_exit(self) -> float:
        """The rest of the boot after the programmer has ended; its last action reset the board."""
        return self.boot - self.end_of_process

    def internal(self, size: int, *, erased: bool = True) -> float:
        erase = math.ceil(size / INTERNAL_PAGE) * self.erase_page if erased else 0.0
        return self.loader_into_ram + erase + size / 8 * self.program_double_word + size / self.write_rate

    def external(self, size: int, *, erased: bool = True) -> float:
        erase = self.erase_external_sector if erased else 0.0
        program = math.ceil(size / EXTERNAL_PAGE) * self.program_external_page
        return self.loader_into_ram + erase + program + size / self.write_rate

    def witness(self, size: int) -> float:
        """The two reads that prove a write of this size without an erase; in double words, from the file's end."""
        return 2 * self.readback(min(WITNESS, math.ceil(size / 8) * 8))

    def readback(self, size: int) -> float:
        return size / self.read_rate

    def uart(self, size: int) -> float:
        return size / self.uart_rate

    @property
    def rewrite(self) -> float:
        """The time in which the board's firmware erases a sector and rewrites the block with DAC and PAI."""
        pages = FACTORY_DATA_BLOCK // EXTERNAL_PAGE
        return self.erase_external_sector + pages * (self.program_external_page + TRANSFER_OF_A_PAGE)


DEFAULT = "fast-host-v2-1"
PROFILES: Mapping[str, Constants] = {
    DEFAULT: Constants(),
    "fast-host-v3": Constants(write_rate=600_000, read_rate=435_000),
    "slow-host-v2-1": Constants(
        start_of_process=0.8, connection=0.7, boot=2.0, write_rate=131_000, read_rate=150 * 1024
    ),
}


def by_step(
    constants: Constants, sizes: Sizes, *, verified_in_full: bool = False, erased: bool = True
) -> dict[str, float]:
    """The bound of each step of the procedure, in its order.

    A step that shares an invocation ends when its own file is proven. A blank board that is not `erased` is spared the
    erase for factory data and provisioner; the application is written over the provisioner, and erased as ever.
    """
    c = constants
    witnesses = [0.0 if erased else c.witness(size) for size in (sizes.factory_data, sizes.provisioner)]
    verification = c.readback(sizes.application) if verified_in_full else c.fast_verification
    return {
        "recognise": c.invocation,
        "flash_data": c.start_of_process
        + c.connection
        + c.external_loader
        + c.external(sizes.factory_data, erased=erased)
        + c.readback(sizes.factory_data)
        + witnesses[0],
        "flash_provisioner": c.internal(sizes.provisioner, erased=erased)
        + c.readback(sizes.provisioner)
        + witnesses[1]
        + c.reset
        + c.end_of_process,
        "await_csr": c.after_exit + (CURVE_OPERATIONS - 1) * c.curve_operation + c.uart(CSR_BYTES),
        "relay_to_pki": c.pki,
        "deliver": c.uart(CERTIFICATES_BYTES + PROOF_BYTES) + c.rewrite + c.curve_operation,
        "flash_operational": c.invocation
        + c.external_loader
        + c.readback(FACTORY_DATA_BLOCK)
        + c.internal(sizes.application)
        + verification
        + c.reset,
        "confirm": c.after_exit,
    }


def in_ram_by_step(
    constants: Constants, sizes: Sizes, *, verified_in_full: bool = False, erased: bool = True
) -> dict[str, float]:
    """As `by_step`, for the plan `ram`: its second run ends with the start of the provisioning firmware, its third boots the application.

    A blank board that is not `erased` is spared all erases.
    """
    c, steps = constants, by_step(constants, sizes, verified_in_full=verified_in_full, erased=erased)
    verification = c.readback(sizes.application) if verified_in_full else c.fast_verification
    application = c.internal(sizes.application, erased=erased) + verification
    return {
        "recognise": steps["recognise"],
        "flash_data": steps["flash_data"],
        "flash_operational": application + (0.0 if erased else c.witness(sizes.application)),
        "flash_provisioner": sizes.provisioner / c.write_rate + c.readback(sizes.provisioner) + c.end_of_process,
        "await_csr": steps["await_csr"],
        "relay_to_pki": steps["relay_to_pki"],
        "deliver": steps["deliver"],
        "confirm": c.invocation + c.external_loader + c.readback(FACTORY_DATA_BLOCK) + c.reset + c.after_exit,
    }


def of(constants: Constants, sizes: Sizes, *, verified_in_full: bool = False, erased: bool = True) -> float:
    """The bound of one board."""
    return sum(by_step(constants, sizes, verified_in_full=verified_in_full, erased=erased).values())


def of_ram(constants: Constants, sizes: Sizes, *, verified_in_full: bool = False, erased: bool = True) -> float:
    """The bound of one board by the plan `ram`."""
    return sum(in_ram_by_step(constants, sizes, verified_in_full=verified_in_full, erased=erased).values())


def of_st_calls(constants: Constants, sizes: Sizes, boards: int, threads: int) -> float:
    """The bound of the calls that ST's tool makes, for all boards: each thread has one board after the other.

    Each of three files has a run of its own, with the external loader, and another one that only resets.
    """
    c = constants
    of_one = (
        3 * (c.invocation + c.external_loader + c.reset)
        + 3 * (c.invocation + c.reset)
        + sum(c.internal(size) + c.readback(size) for size in (sizes.provisioner, sizes.application))
        + c.external(sizes.factory_data)
        + c.readback(sizes.factory_data)
        + _listening(c)
    )
    return of_st_list(c, boards) + math.ceil(boards / threads) * of_one


def _listening(constants: Constants) -> float:
    """From the programmer's end, when ST's script opens the port, until it has read the word of the firmware that has then booted."""
    spoken, reading = constants.after_exit + constants.rewrite, 0.0
    while spoken >= reading + READ_WITHIN:
        reading += READ_WITHIN + SLEEP
    return max(spoken, reading) + READ_WITHIN


def of_st_list(constants: Constants, boards: int) -> float:
    """The list of boards that precedes them; it connects to each."""
    c = constants
    return c.start_of_process + c.list_of_boards + boards * c.listed_board + c.end_of_process


@dataclass(frozen=True, slots=True)
class Cut:
    """A change of the plan, and the seconds that it would take off the bound."""

    what: str
    seconds: float
    price: str


def next_cuts(constants: Constants, sizes: Sizes) -> list[Cut]:
    """The changes that would make the cycle shorter, the greatest saving first."""
    c, bound = constants, of(constants, sizes)
    v3 = PROFILES["fast-host-v3"]
    provisioner_in_flash = c.internal(sizes.provisioner) + c.readback(sizes.provisioner)
    provisioner_in_ram = sizes.provisioner / c.write_rate
    readback_by_probe = c.external_loader + c.readback(FACTORY_DATA_BLOCK)
    data_by_probe = c.external_loader + c.external(sizes.factory_data) + c.readback(sizes.factory_data)
    cuts = [
        Cut(
            "provisioning firmware in RAM, started by the one invocation that flashes factory data and application",
            c.invocation
            + provisioner_in_flash
            - provisioner_in_ram
            + c.reset
            + readback_by_probe
            - c.uart(READ_BACK_BYTES)
            - c.end_of_process,
            "a RAM build of the agent; the read-back moves to the UART; the agent resets the board itself",
        ),
        Cut(
            "no erase of pages that are blank (`--skipErase` on virgin parts)",
            bound - of(replace(c, erase_page=0.0), sizes),
            "proven by reads before and after; while the provisioner is in flash, the application keeps its erase",
        ),
        Cut(
            "ST-LINK V3 instead of V2-1",
            bound - of(replace(c, write_rate=v3.write_rate, read_rate=v3.read_rate), sizes),
            "hardware, and wires of the fixture that carry 24 MHz",
        ),
        Cut(
            "no invocation for recognition: the unique id from the header of the first write",
            c.invocation,
            "the station resets the board before it knows which one it is, and interrupts a firmware that is writing",
        ),
        Cut(
            "factory data over the UART at 921,600 baud, written once, with the certificates",
            data_by_probe + c.uart(CERTIFICATES_BYTES) - (sizes.factory_data + CERTIFICATES_BYTES) / FAST_UART,
            "one more question in the protocol; the external loader is then needed for the read-back only",
        ),
        Cut(
            "read-back over the UART instead of the external loader",
            readback_by_probe - c.uart(READ_BACK_BYTES),
            "the board then reports its own content: weaker evidence",
        ),
        Cut(
            "fast verification of the provisioning firmware, too",
            c.readback(sizes.provisioner) - c.fast_verification,
            "an incomplete firmware is noticed only by its silence; today images up to 64 KB are read back",
        ),
    ]
    return sorted(cuts, key=lambda cut: cut.seconds, reverse=True)
