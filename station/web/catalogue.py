# SPDX-License-Identifier: Apache-2.0
"""Each fault's sentence and act, by its code, as the page shows them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from station.domain.policy import Act, act_of
from station.faults import LineFault, SlotFault, UnitFault, line, slot, unit

MODULES = (unit, slot, line)  # imported, so that the kinds know their faults


@dataclass(frozen=True, slots=True)
class Entry:
    sentence: str
    act: Act


def _entries() -> Mapping[str, Entry]:
    faults = (fault for kind in (UnitFault, SlotFault, LineFault) for fault in kind.__subclasses__())
    return {fault.code: Entry(" ".join((fault.__doc__ or fault.code).split()), act_of(fault)) for fault in faults}


ENTRIES = _entries()
