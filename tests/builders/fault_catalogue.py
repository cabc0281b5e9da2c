# SPDX-License-Identifier: Apache-2.0
"""Every fault there is, for tests and pages that go through them all."""

from station.faults import Fault, LineFault, SlotFault, UnitFault, line, slot, unit

KINDS: tuple[type[Fault], ...] = (UnitFault, SlotFault, LineFault)


def catalogue() -> list[type[Fault]]:
    """Every fault of the catalogue, in the order of its files."""
    order = [*vars(unit), *vars(slot), *vars(line)]
    return sorted(
        (fault for kind in KINDS for fault in kind.__subclasses__()), key=lambda fault: order.index(fault.__name__)
    )


def kind_of(fault: type[Fault]) -> type[Fault]:
    """Who pays for it."""
    return next(kind for kind in KINDS if issubclass(fault, kind))
