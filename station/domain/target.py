"""What the station knows of a board through its probe. Pure."""

from dataclasses import dataclass

UID_ADDRESS = 0x1FFF7590  # RM0434 section 42.1: unique device ID register, 96 bits
UID_SIZE = 12


@dataclass(frozen=True, slots=True)
class UID:
    """The microcontroller's 96-bit unique ID, in the order of memory; its text is 24 hexadecimal digits."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != UID_SIZE:
            msg = f"a UID has {UID_SIZE} bytes, not {len(self.raw)}"
            raise ValueError(msg)

    def __str__(self) -> str:
        return self.raw.hex()


@dataclass(frozen=True, slots=True)
class Target:
    """What the first connection told: the part, its UID, its supply and its protection."""

    uid: UID
    device_id: int
    revision: str
    supply_mv: int
    readout_protection: int
    probe_firmware: str
    programmer_version: str


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
