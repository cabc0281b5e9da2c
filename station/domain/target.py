# SPDX-License-Identifier: Apache-2.0
"""A board as the station sees it through its probe. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

UID_SIZE = 12
RDP_LEVEL_0, RDP_LEVEL_1, RDP_LEVEL_2 = 0xAA, 0xBB, 0xCC  # RM0434 section 3.6.1; any other value is level 1, too


@dataclass(frozen=True, slots=True)
class UID:
    """The microcontroller's 96-bit unique ID: 12 bytes in memory order, as text 24 hexadecimal digits."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != UID_SIZE:
            msg = f"a UID has {UID_SIZE} bytes, not {len(self.raw)}"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> "UID":
        """Reads it as a person types it; ValueError if it is none."""
        try:
            return cls(bytes.fromhex(text))
        except ValueError as exc:
            raise ValueError(f"a UID has {2 * UID_SIZE} hexadecimal digits") from exc

    def __str__(self) -> str:
        return self.raw.hex()


@dataclass(frozen=True, slots=True)
class Target:
    """The result of the first connection: the part, its UID, its supply and its protection."""

    uid: UID
    device_id: int
    revision: str
    supply_mv: int
    readout_protection: int
    probe_firmware: str
    programmer_version: str
    option_bytes: Mapping[str, int] = field(default_factory=dict)
    """The option bytes, by the programmer's names."""
    agent_key: str | None = None
    """The name of the key in the provisioning agent's record; None if there is none or it cannot be read."""

    @property
    def readable(self) -> bool:
        """Whether the debug port can read the memories."""
        return self.readout_protection == RDP_LEVEL_0


def differing(found: Mapping[str, int], wanted: Mapping[str, int]) -> tuple[str, str, str] | None:
    """The first option byte that differs: its name, the expected value and the value found."""
    values = {name.casefold(): value for name, value in found.items()}  # versions differ in capitals
    for name, value in wanted.items():
        if (there := values.get(name.casefold())) != value:
            return name, f"0x{value:X}", "none" if there is None else f"0x{there:X}"
    return None


@dataclass(frozen=True, slots=True)
class Region:
    """A range of the target's memory, in bytes."""

    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size

    def overlaps(self, other: "Region") -> bool:
        return self.address < other.end and other.address < self.end

    def holds(self, other: "Region") -> bool:
        return self.address <= other.address and other.end <= self.end
