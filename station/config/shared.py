# SPDX-License-Identifier: Apache-2.0
"""The `[shared]` section of the line's configuration: the ledger that many stations share, and how this one takes part in it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from station.config.conninfo import without_secret
from station.config.file_path import FilePath
from station.config.table import Table

Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
ConnInfo = Annotated[str, AfterValidator(without_secret)]


class SharedSection(Table):
    """The shared ledger's centre, a PostgreSQL; needed where several stations make one product. docs/shared-ledger.md tells how to set it up."""

    dsn: ConnInfo
    """The centre as libpq reaches it, without a password, such as `host=db dbname=station user=line_3 sslmode=verify-full`; certificates are files that it names."""
    reader: ConnInfo | None = None
    """The same with the role that only reads, for questions about all stations; without it this station asks none."""
    fleet_key: FilePath | None = None
    """File of the key that all stations have and the centre has not, of mode 0600; by default systemd's credential `fleet-key`."""
    signing_key: FilePath | None = None
    """File of this station's Ed25519 key in PEM, with which it signs what it has told; without it nothing is signed."""
    hold_hours: float = Field(default=8, gt=0, le=744, allow_inf_nan=False)
    """Hours of the busiest hour in seven days for which the station holds serial numbers and passcodes: so long the line goes on without the centre."""
    sync_every: Seconds = 1.0
    """Seconds between two transfers of what the station has journalled."""
    claim_within: Seconds = 0.5
    """Seconds for the answer whose unit a board is, if this station does not know; then the centre counts as away."""
    deadline: Seconds = 8.0
    """Seconds for any other transaction at the centre, which ends its own after 6."""
    offline_start: Literal["same-place", "never"] = "same-place"
    """While the centre is away the station starts with what it holds if the ledger is where it was; `never` on virtual machines, whose snapshots nobody sees without the centre."""
    keep_local_days: int = Field(default=30, ge=1, le=3650)
    """Days for which the station keeps the chain of what the centre has."""
