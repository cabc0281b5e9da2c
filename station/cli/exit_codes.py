# SPDX-License-Identifier: Apache-2.0
"""What a command ends with. Scripts depend on these numbers."""

from station.faults.line import (
    LedgerDamaged,
    LedgerMoved,
    LedgerUnavailable,
    ProgrammerMissing,
    ResourcesExhausted,
    SecretFilesUnavailable,
    SlotTaken,
)

DONE = 0
FAILED = 1  # the work was done, and its result is bad: a board failed, a file is refused, a unit is not known
USAGE = 2  # wrong usage, configuration or input: nothing was done
ENVIRONMENT = 3  # this machine is missing something
INTERRUPTED = 130  # as shells have it for SIGINT

# The faults that end a command with ENVIRONMENT; all others end it with FAILED.
MISSING = (
    LedgerDamaged,
    LedgerMoved,
    LedgerUnavailable,
    ProgrammerMissing,
    ResourcesExhausted,
    SecretFilesUnavailable,
    SlotTaken,
)
