# SPDX-License-Identifier: Apache-2.0
"""The authority by whose certificate a command judges time stamps (RFC 3161)."""

from pathlib import Path
from typing import Annotated

import typer

from station.adapters.ledger.key_file import KeyUnusable
from station.adapters.ledger.timestamps import StampAuthority
from station.daemon import control

AuthorityOption = Annotated[
    Path | None,
    typer.Option(
        "--timestamp-ca",
        metavar="FILE",
        help="The time-stamping authority's certificate in PEM; audit verify knows the configuration's.",
        show_default=False,
    ),
]


def authority_of(file: Path | None) -> StampAuthority | None:
    """The authority with the certificate in this file; ends with an error where it cannot be used."""
    try:
        return None if file is None else StampAuthority.of(file)
    except KeyUnusable as exc:
        raise control.CommandRefused(str(exc)) from exc
