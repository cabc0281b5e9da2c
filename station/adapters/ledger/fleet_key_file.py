# SPDX-License-Identifier: Apache-2.0
"""The file of the fleet's key: where a configuration names it, or systemd hands it over."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from station.adapters.ledger.fleet_key import KEY_SIZE, FleetKey

CREDENTIAL = "fleet-key"  # its name in systemd's folder of credentials
LARGEST = 4 * KEY_SIZE  # bytes that are read


class FleetKeyUnusable(Exception):
    """There is no such key; the text names the place and the reason, never a content."""


def fleet_key(named: Path | None, environment: Mapping[str, str] = os.environ) -> FleetKey:
    """The key in the file `named`, else in systemd's credential; raises `FleetKeyUnusable`."""
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if named is None and credentials is None:
        raise FleetKeyUnusable(
            f"there is no fleet key: name its file as [shared] fleet_key, or have systemd hand it over as {CREDENTIAL}"
        )
    file = named or Path(credentials or "") / CREDENTIAL
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        with file.open("rb") as opened:
            content = opened.read(LARGEST)
    except OSError as exc:
        raise FleetKeyUnusable(f"{file}: the fleet key cannot be read: {exc.strerror}") from exc
    if named is not None and mode & 0o077:
        raise FleetKeyUnusable(f"{file}: others can read the fleet key: chmod 600 {file}")
    try:
        return FleetKey.parse(content)
    except ValueError as exc:
        raise FleetKeyUnusable(f"{file}: {exc}") from None
