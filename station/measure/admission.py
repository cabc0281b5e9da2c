# SPDX-License-Identifier: Apache-2.0
"""Whether a board may be measured, and so be overwritten: never one that may be somebody's unit."""

from pathlib import Path

from station.adapters.ledger import samples
from station.adapters.ledger.reader import LedgerReader
from station.daemon.control import CommandRefused
from station.domain.product import WB55_DEVICE_ID
from station.domain.target import Target
from station.factory_data.flash import ReadBack
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults.unit import TargetLocked, TargetWrong


def check_board(target: Target, ledger: Path) -> None:
    """Raises `CommandRefused` for a board that a station has begun to make a unit of, and the fault of a ledger that cannot be read.

    A ledger that is not there yet knows no unit.
    """
    if target.device_id != WB55_DEVICE_ID:
        raise TargetWrong(f"0x{target.device_id:03X}", f"0x{WB55_DEVICE_ID:03X}")
    if not target.readable:
        raise TargetLocked(f"0x{target.readout_protection:02X}")
    if ledger.is_file():
        _check_unknown(target, ledger)
    if target.agent_key is not None:
        raise CommandRefused(
            f"board {target.uid} has a key that a station had it make, and this line's ledger does not know it: it may be "
            "another line's unit. Measure with another board"
        )


def check_content(target: Target, flash: ReadBack) -> None:
    """Raises `CommandRefused` for a board that holds a certificate, whoever put it there."""
    if isinstance(flash, FactoryData) and Tag.DEVICE_ATTESTATION_CERTIFICATE in flash.records:
        raise CommandRefused(
            f"board {target.uid} holds a device attestation certificate: it may be another line's unit, or a partner's. "
            "Measure with another board"
        )


def _check_unknown(target: Target, ledger: Path) -> None:
    uid = str(target.uid)
    story = LedgerReader(ledger).unit(uid)
    if story is not None and story.unit is not None:
        unit = story.unit
        raise CommandRefused(
            f"board {uid} is unit {unit.serial_number} ({unit.state.value}), which measuring would destroy: "
            "measure with a board that the ledger does not know"
        )
    if any(sample.uid == uid for sample in samples.listed(ledger)):
        raise CommandRefused(f"board {uid} is a sample of this line: measure with another board")
