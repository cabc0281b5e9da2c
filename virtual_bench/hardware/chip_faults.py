# SPDX-License-Identifier: Apache-2.0
"""The questions that a chip's peripherals ask about faults."""

from typing import Protocol


class ChipFaults(Protocol):
    """Decides about a chip's faults. A peripheral asks when its operation happens, so a yes takes effect."""

    def random_fails(self) -> bool:
        """Whether the random number generator finds its own seed wrong."""

    def accelerator_fails(self) -> bool:
        """Whether the operation of the public key accelerator that now begins ends in an error."""

    def external_write_fails(self) -> bool:
        """Whether the part on the QSPI bus fails at the erase or program that now begins."""

    def power_goes(self) -> bool:
        """Whether the power is cut while the erase or program that now begins is half done."""
