# SPDX-License-Identifier: Apache-2.0
"""The file of the fleet's key: where a configuration names it, or systemd hands it over."""

import os
from collections.abc import Mapping
from pathlib import Path

from station.adapters.ledger import key_file
from station.adapters.ledger.fleet_key import KEY_SIZE, FleetKey
from station.adapters.ledger.key_file import KeyUnusable

CREDENTIAL = "fleet-key"  # its name in systemd's folder of credentials
LARGEST = 4 * KEY_SIZE  # bytes that are read


def fleet_key(named: Path | None, environment: Mapping[str, str] = os.environ) -> FleetKey:
    """The key in the file `named`, else in systemd's credential; raises `KeyUnusable`."""
    file = key_file.place(named, CREDENTIAL, environment)
    if file is None:
        raise KeyUnusable(
            f"there is no fleet key: name its file as [shared] fleet_key, or have systemd hand it over as {CREDENTIAL}"
        )
    content = key_file.content(file, "fleet key", LARGEST, private=named is not None)
    try:
        return FleetKey.parse(content)
    except ValueError as exc:
        raise KeyUnusable(f"{file}: {exc}") from None
