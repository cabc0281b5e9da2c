"""What can go wrong inside the chip, as its peripherals ask for it."""

from typing import Protocol


class ChipFaults(Protocol):
    """Whoever spoils chips. Each question is asked when the deed is done, so a yes has consequences."""

    def random_fails(self) -> bool:
        """Whether the random number generator finds its own seed wrong."""

    def accelerator_fails(self) -> bool:
        """Whether the operation of the public key accelerator that now begins ends in an error."""

    def external_write_fails(self) -> bool:
        """Whether the part on the QSPI bus fails at the erase or program that now begins."""

    def power_goes(self) -> bool:
        """Whether the power is cut while the erase or program that now begins is half done."""
