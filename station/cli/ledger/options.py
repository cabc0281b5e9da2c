# SPDX-License-Identifier: Apache-2.0
"""Options that several commands about the ledger share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", help="The ledger's file, instead of the configuration's.", show_default=False)
]
StoppedLedgerOption = Annotated[
    Path | None, typer.Option("--ledger", help="The ledger's file, if no daemon is running.", show_default=False)
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="The reason, in one line. The ledger keeps it with the account's name.")
]


class Format(StrEnum):
    """Of rows in a file."""

    CSV = "csv"
    JSONL = "jsonl"
