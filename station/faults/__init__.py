# SPDX-License-Identifier: Apache-2.0
"""The catalogue of faults, in one module for each culprit: `unit`, `slot` and `line`. Pure.

Each class is one condition. Its docstring is the sentence that the operator reads, its `code` names it in journal and log,
and its fields are the evidence.
"""

from typing import ClassVar

LONGEST_EVIDENCE = 500  # characters of one field


class Fault(Exception):
    """A condition that the station understands. Only subclasses are raised."""

    code: ClassVar[str]

    def __str__(self) -> str:
        sentence = " ".join((type(self).__doc__ or self.code).split())
        evidence = ", ".join(f"{name} {value}" for name, value in self.evidence.items())
        return f"{sentence} ({evidence})" if evidence else sentence

    @property
    def evidence(self) -> dict[str, str]:
        """The fields as text, bounded, for journal and log; no field of any fault holds a secret."""
        names = getattr(self, "__dataclass_fields__", {})  # a class without fields need not be a dataclass
        return {name: _text(name, getattr(self, name)) for name in names}


class UnitFault(Fault):
    """The board is bad: the attempt fails and counts against yield."""


class SlotFault(Fault):
    """Probe, tty, cable, fixture or tool is bad: the attempt is void and the slot goes out of service."""


class LineFault(Fault):
    """PKI, ledger, recipe or programmer installation is unavailable: the attempt is void and the line pauses."""


def _text(name: str, value: object) -> str:
    if isinstance(value, int) and name.endswith("address"):
        return f"0x{value:08X}"
    # A field may hold any text of a board, a programmer or a PKI, and the journal keeps it for ever.
    text = str(value).encode(errors="backslashreplace").decode()
    return text if len(text) <= LONGEST_EVIDENCE else f"{text[: LONGEST_EVIDENCE - 1]}…"
