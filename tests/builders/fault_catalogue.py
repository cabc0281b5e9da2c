# SPDX-License-Identifier: Apache-2.0
"""Every fault class, for tests and pages that iterate over them."""

from station.faults import Fault, LineFault, SlotFault, UnitFault, line, slot, unit

KINDS: tuple[type[Fault], ...] = (UnitFault, SlotFault, LineFault)


def catalogue() -> list[type[Fault]]:
    """Every fault of the catalogue, in the order of its source files."""
    order = [*vars(unit), *vars(slot), *vars(line)]
    return sorted(
        (fault for kind in KINDS for fault in kind.__subclasses__()), key=lambda fault: order.index(fault.__name__)
    )


def kind_of(fault: type[Fault]) -> type[Fault]:
    """The kind of a fault, which says whose fault it is: the unit's, the slot's or the line's."""
    return next(kind for kind in KINDS if issubclass(fault, kind))
