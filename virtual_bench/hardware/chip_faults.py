# SPDX-License-Identifier: Apache-2.0
"""The interface through which a chip's peripherals learn of faults."""

from typing import Protocol


class ChipFaults(Protocol):
    """Decides whether a chip's operations fail. A peripheral asks once per operation and must carry out a yes."""

    def random_fails(self) -> bool:
        """Whether the random number generator reports a seed error."""

    def accelerator_fails(self) -> bool:
        """Whether the operation of the public key accelerator that now begins ends in an error."""

    def external_write_fails(self) -> bool:
        """Whether the part on the QSPI bus fails at the erase or program that now begins."""

    def power_goes(self) -> bool:
        """Whether the power is cut while the erase or program that now begins is half done."""
