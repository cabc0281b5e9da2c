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
DEAF_TO = Parameter(str, "nothing", "signals that do not end it", ("nothing", "interrupt", "all"))
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
            "bounce",
            "The board is pulled out and is back at once, as a plug does that was not pushed in firmly.",
            Nature.ENTRY,
            EVERY,
            {"after": AFTER, "milliseconds": Parameter(float, 0.0, "without the board, in real time")},
        ),
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
            {"of": Parameter(int, 1, "number of the board whose UID it reads")},
        ),
        Kind(
            "two_paths",
            "by-path has the board's serial port twice, as systemd 255 makes it: with `usb-0` and with `usbv2-0`.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
        ),
        Kind(
            "port_held",
            "Another program holds the serial port when the board has been plugged in, as ModemManager does.",
            Nature.PLUGGED,
            (Phase.RECOGNISE,),
            {"seconds": Parameter(float, 5.0, "how long, in real seconds, as the station's deadlines are")},
        ),
        Kind(
            "other_probe",
            "The programmer works with another probe than the one that it is asked for; its header names that probe.",
            Nature.LASTING,
            CONNECTED,
            {"answering": Parameter(int, 1, "number of the board whose probe it works with")},
        ),
        Kind(
            "board_exchanged",
            "Another board is behind the probe, which stays: the debug port reads another UID.",
            Nature.LASTING,
            CONNECTED,
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
            EXTERNAL,
        ),
        Kind(
            "loader_rejected",
            "The programmer says that it cannot load its external loader, and exits with 1.",
            Nature.MOMENT,
            EXTERNAL,
        ),
        Kind(
            "external_flash_absent",
            "Nothing answers on the QSPI bus: the programmer's erase stalls for minutes, then fails.",
            Nature.LASTING,
            EXTERNAL,
            {"seconds": Parameter(float, 360.0, "until the programmer says so, times the time scale")},
        ),
        Kind(
            "write_protected",
            "The option bytes protect the internal flash against writing (WRP1A), and stay so.",
            Nature.ENTRY,
            (Phase.RECOGNISE, *PROGRAMMED),
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
            (Phase.COPROCESSOR, Phase.LOCK),
        ),
        Kind(
            "option_reconnect_fails",
            "Option bytes take, but the programmer does not reconnect behind them, says so, and exits with 1.",
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
            "The coprocessor's upgrade service does not answer: its state is unknown whatever is asked of it.",
            Nature.LASTING,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "version_word_garbage",
            "Where the coprocessor's version words should stand, something else is read.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "fwupgrade_hang",
            "The programmer waits for the coprocessor's upgrade for ever.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
            {"done": Parameter(str, "yes", "whether the upgrade is", ("yes", "no")), "deaf_to": DEAF_TO},
        ),
        Kind(
            "fwdelete_fails_but_did",
            "The programmer says that deleting the coprocessor's old stack failed, and exits with 1; it is gone.",
            Nature.MOMENT,
            (Phase.COPROCESSOR,),
        ),
        Kind(
            "fwupgrade_fails_but_did",
            "The programmer says that the coprocessor's upgrade failed, and exits with 1; it is done.",
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
            "A plain `-l`, whoever asks for it, resets the board; `-l st-link-only` does not.",
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
            "If the programmer is killed in this phase, its probe answers nothing until it is plugged in again.",
            Nature.MOMENT,
            CONNECTED,
            {"by": Parameter(str, "kill", "which end does it", ("kill", "any"))},
        ),
    )
}
