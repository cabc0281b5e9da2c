# SPDX-License-Identifier: Apache-2.0
"""The catalogue of faults, as data."""

from virtual_bench.faults.armed import Kind, Nature, Parameter
from virtual_bench.faults.phases import Phase

PROGRAMMED = (Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.FLASH_OPERATIONAL)
CONNECTED = (Phase.RECOGNISE, Phase.COPROCESSOR, *PROGRAMMED, Phase.LOCK)
EVERY = tuple(Phase)
EXTERNAL = (Phase.FLASH_DATA, Phase.FLASH_OPERATIONAL)
UNTIL_CONFIRMED = tuple(phase for phase in EVERY if phase is not Phase.LOCK)
ASKED = (Phase.AWAIT_CSR, Phase.DELIVER, Phase.CONFIRM)
CONNECT_ERRORS = (
    "no_target",
    "target_command",
    "held_under_reset",
    "usb",
    "busy",
    "no_probe",
    "serial_not_found",
    "old_firmware",
)
DEAF_TO = Parameter(str, "nothing", "the signals that the programmer ignores", ("nothing", "interrupt", "all"))
AFTER = Parameter(float, 0.0, "seconds from the phase's beginning to the fault, times the time scale")

CATALOGUE = {
    kind.name: kind
    for kind in (
        Kind("mute", "The board sends nothing more on its serial port.", Nature.LASTING, UNTIL_CONFIRMED),
        Kind(
            "late_answer",
            "An answer on the serial port comes late.",
            Nature.MOMENT,
            ASKED,
            {"seconds": Parameter(float, 5.0, "the delay in real seconds, like the station's deadlines")},
        ),
        Kind(
            "uart_noise",
            "Noise bytes appear on the serial port, beside an answer or in it.",
            Nature.MOMENT,
            ASKED,
            {"where": Parameter(str, "before", "position in the answer", ("before", "between", "inside"))},
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
            "The chip's random number generator reports a seed error.",
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
            "The board is pulled out while its chip writes to a flash; that write stays incomplete.",
            Nature.MOMENT,
            (Phase.AWAIT_CSR, Phase.DELIVER),
            {"writes": Parameter(int, 0, "erase and program operations of the phase that complete before the cut")},
        ),
        Kind(
            "secure_storage_written",
            "Secure storage already holds an unknown key.",
            Nature.ENTRY,
            (Phase.RECOGNISE, Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.AWAIT_CSR),
        ),
        Kind(
            "factory_data_erased",
            "The sector with the factory data is erased without the station's knowledge.",
            Nature.ENTRY,
            UNTIL_CONFIRMED,
        ),
        Kind("brown_out", "The chip's supply dips and the chip resets.", Nature.ENTRY, EVERY, {"after": AFTER}),
        Kind("unplug", "The board is pulled out.", Nature.ENTRY, EVERY, {"after": AFTER}),
        Kind(
            "bounce",
            "The board is pulled out and plugged in again at once, as by a loose connector.",
            Nature.ENTRY,
            EVERY,
            {"after": AFTER, "milliseconds": Parameter(float, 0.0, "from the pull to the plug, in real time")},
        ),
        Kind(
            "duplicate_serial",
            "The board's probe has the serial number of another probe.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
            {
                "of": Parameter(int, 1, "number of the board whose probe has the same serial number"),
                "product": Parameter(str, "other", "USB product name, part of the link's name", ("same", "other")),
            },
        ),
        Kind(
            "no_serial",
            "The board's probe has no serial number: its link in by-id ends in the product's name.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
        ),
        Kind(
            "duplicate_uid",
            "The probe reads the UID of another board: two slots show one microcontroller.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
            {"of": Parameter(int, 1, "number of the board whose UID the probe reads")},
        ),
        Kind(
            "two_paths",
            "by-path has two links to the board's serial port, as under systemd 255: with `usb-0` and with `usbv2-0`.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
        ),
        Kind(
            "port_held",
            "Another program holds the serial port after the board is plugged in, as ModemManager does.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
            {"seconds": Parameter(float, 5.0, "how long, in real seconds, like the station's deadlines")},
        ),
        Kind(
            "other_probe",
            "The programmer uses another probe than the requested one; its header names the probe in use.",
            Nature.LASTING,
            CONNECTED,
            {"answering": Parameter(int, 1, "number of the board whose probe the programmer uses")},
        ),
        Kind(
            "board_exchanged",
            "The board behind the probe is exchanged, and the probe stays: the debug port reads another UID.",
            Nature.LASTING,
            CONNECTED,
        ),
        Kind(
            "connect_error",
            "The programmer fails to connect, prints the error, and exits with 1.",
            Nature.MOMENT,
            CONNECTED,
            {"error": Parameter(str, "no_target", "the error that it prints", CONNECT_ERRORS)},
        ),
        Kind(
            "second_header",
            "The first attempt to connect fails and the second succeeds: two headers, with an error between them.",
            Nature.MOMENT,
            CONNECTED,
        ),
        Kind(
            "low_voltage",
            "The probe measures a low supply voltage; below 1.71 V flash can be neither erased nor programmed.",
            Nature.LASTING,
            CONNECTED,
            {"volts": Parameter(float, 2.41, "the measured voltage")},
        ),
        Kind(
            "wrong_device_id",
            "Another chip than an STM32WB55 answers.",
            Nature.LASTING,
            CONNECTED,
            {"device_id": Parameter(int, 0x415, "the device ID of that chip")},
        ),
        Kind(
            "loader_ignored",
            "The programmer silently skips its external loader: it writes nothing and reads zeros.",
            Nature.MOMENT,
            EXTERNAL,
        ),
        Kind(
            "loader_rejected",
            "The programmer reports that it cannot load its external loader, and exits with 1.",
            Nature.MOMENT,
            EXTERNAL,
        ),
        Kind(
            "external_flash_absent",
            "The external flash does not answer: the programmer's erase stalls for minutes, then fails.",
            Nature.LASTING,
            EXTERNAL,
            {"seconds": Parameter(float, 360.0, "until the erase fails, times the time scale")},
        ),
        Kind(
            "write_protected",
            "The option bytes write-protect the internal flash (WRP1A) until they are set back.",
            Nature.ENTRY,
            (Phase.RECOGNISE, *PROGRAMMED),
        ),
        Kind(
            "nothing_done",
            "The programmer connects, does nothing more, reports no error, and exits with 0.",
            Nature.MOMENT,
            CONNECTED,
        ),
        Kind(
            "verify_mismatch",
            "One byte that the programmer writes keeps its old value, and verification finds it.",
            Nature.MOMENT,
            PROGRAMMED,
            {"address": Parameter(int, None, "the byte's address; if not given, in the middle of the file")},
        ),
        Kind(
            "error_then_success",
            "The programmer changes nothing, prints an error, then every sentence of success, and exits with 0.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "database_missing",
            "The programmer lacks its database: it erases and programs nothing, reports success, and exits with 0.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "refusal_unnoticed",
            "The programmer writes over flash that is not blank, and does not notice what flash refuses.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "ram_torn",
            "Only the first half of a file that the programmer loads into RAM reaches it; verification finds that.",
            Nature.MOMENT,
            (Phase.FLASH_PROVISIONER,),
        ),
        Kind(
            "start_ignored",
            "The programmer reports that it has started the firmware in RAM, and the core stays halted.",
            Nature.MOMENT,
            (Phase.FLASH_PROVISIONER,),
        ),
        Kind(
            "glued_error",
            "A download fails half way, with `Error:` glued to the progress bar and its text on the next line.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "duplicate_lines",
            "The programmer prints the lines about its file two or three times, as 2.18 does, and succeeds.",
            Nature.MOMENT,
            PROGRAMMED,
        ),
        Kind(
            "failed_but_done",
            "The programmer does everything, reports success, and exits with 1.",
            Nature.MOMENT,
            CONNECTED,
        ),
        Kind(
            "options_refused",
            "The option bytes stay unchanged, and the programmer reports this after its reconnection.",
            Nature.MOMENT,
            (Phase.COPROCESSOR, Phase.LOCK),
        ),
        Kind(
            "option_reconnect_fails",
            "The programmer sets the option bytes, but fails to reconnect afterwards, reports this, and exits with 1.",
            Nature.MOMENT,
            (Phase.COPROCESSOR, Phase.LOCK),
        ),
        Kind(
            "startfus_fails",
            "The FUS operator finds the coprocessor's state unknown, and the programmer exits with 1.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "fus_unknown",
            "The coprocessor's upgrade service does not answer: every command finds its state unknown.",
            Nature.LASTING,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "version_word_garbage",
            "The coprocessor's version words read as garbage.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "fwupgrade_hang",
            "The programmer waits for the coprocessor's upgrade for ever.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
            {"done": Parameter(str, "yes", "whether the upgrade takes place", ("yes", "no")), "deaf_to": DEAF_TO},
        ),
        Kind(
            "fwdelete_fails_but_did",
            "The programmer deletes the coprocessor's old stack, but reports that the deletion failed, and exits with 1.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "fwupgrade_fails_but_did",
            "The programmer upgrades the coprocessor, but reports that the upgrade failed, and exits with 1.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "fwupgrade_not_authentic",
            "The coprocessor refuses its image as not authentic.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "list_resets",
            "A plain `-l`, by any process, resets the board; `-l st-link-only` does not.",
            Nature.LASTING,
            EVERY,
        ),
        Kind(
            "list_bogus_serial",
            "A listing shows the probe as unreachable, with the serial number of a USB port and without a firmware.",
            Nature.LASTING,
            EVERY,
        ),
        Kind(
            "hang",
            "The programmer prints its header and then nothing more, for ever.",
            Nature.MOMENT,
            CONNECTED,
            {"deaf_to": DEAF_TO},
        ),
        Kind(
            "wedge_on_kill",
            "If the programmer is killed in this phase, its probe does not answer until it is plugged in again.",
            Nature.MOMENT,
            CONNECTED,
            {"by": Parameter(str, "kill", "SIGKILL only, or any end", ("kill", "any"))},
        ),
    )
}
