# SPDX-License-Identifier: Apache-2.0
"""The `[audit]` section of the line's configuration: who signs the ledger's chain, how often, and where copies go."""

from typing import Self

from pydantic import Field, model_validator

from station.config.file_path import FilePath
from station.config.table import Table


class AuditSection(Table):
    """Signed checkpoints of the ledger's chain, which show later whether anything before them was changed or cut off."""

    signing_key: FilePath | None = None
    """File of this station's Ed25519 key in PEM, of mode 0600; by default systemd's credential `audit-key`. Without either nothing is signed."""
    signing_token: str | None = None
    """PKCS#11 URI of this station's Ed25519 key in a token, instead of `signing_key`, with `module-path` and the PIN's file as `pin-source`."""
    copy_to: FilePath | None = None
    """Folder for copies of the checkpoints, at best on another machine; the ledger is compared with them at each start."""
    every_minutes: float = Field(default=10, gt=0, le=1440, allow_inf_nan=False)
    """Minutes between two checkpoints while anything is written; a lot's end and the daemon's have one, too."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.signing_key is not None and self.signing_token is not None:
            raise ValueError("signing_key and signing_token are two keys: name one")
        return self
