"""What a firmware can touch, and nothing more: the seam between a board and what runs on it."""

from dataclasses import dataclass
from typing import Protocol

from virtual_bench.clock import Clock
from virtual_bench.flash import Flash
from virtual_bench.secure_storage import SecureStorage
from virtual_bench.timing import Profile


class UART(Protocol):
    """The board's end of the serial line."""

    def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """What has arrived, at least one byte."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """One microcontroller and what is soldered to it."""

    uid: bytes
    internal: Flash
    external: Flash
    secure_storage: SecureStorage
    uart: UART
    clock: Clock
    profile: Profile
