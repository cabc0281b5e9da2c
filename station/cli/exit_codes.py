# SPDX-License-Identifier: Apache-2.0
"""The exit codes of all commands. Scripts depend on these numbers."""

from station.faults.line import (
    LedgerDamaged,
    LedgerMoved,
    LedgerRolledBack,
    LedgerUnavailable,
    ProgrammerMissing,
    ResourcesExhausted,
    SecretFilesUnavailable,
    SlotTaken,
)

DONE = 0
FAILED = 1  # the work was done with a bad result: a board failed, a file was refused, a unit is unknown
USAGE = 2  # wrong usage, configuration or input: nothing was done
ENVIRONMENT = 3  # this machine is missing something
INTERRUPTED = 130  # the shells' code for SIGINT

# The faults that end a command with ENVIRONMENT; all others end it with FAILED.
MISSING = (
    LedgerDamaged,
    LedgerMoved,
    LedgerRolledBack,
    LedgerUnavailable,
    ProgrammerMissing,
    ResourcesExhausted,
    SecretFilesUnavailable,
    SlotTaken,
)
