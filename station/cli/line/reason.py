# SPDX-License-Identifier: Apache-2.0
"""The reason of a person who takes slots out of service, releases them, or drains the line."""

from collections.abc import Mapping
from typing import Annotated

import typer

from station.cli.consoles import say

ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason",
        show_default=False,
        help="The reason, in one line. The ledger keeps it with your account's name and the time.",
    ),
]


def say_unless_recorded(answer: Mapping[str, object]) -> None:
    """Says if the daemon has done it, and its ledger could not record it yet."""
    if not answer["recorded"]:
        say("done; the ledger will record it as soon as it can be written (see station status)", err=True)
