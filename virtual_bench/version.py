# SPDX-License-Identifier: Apache-2.0
"""Which version this program is of."""

import json
from importlib import metadata

DISTRIBUTION = "matter-provisioning-station"


def version() -> str:
    """As the wheel was built, with its commit; an editable installation knows only from which commit it was installed once."""
    distribution = metadata.distribution(DISTRIBUTION)
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return f"{distribution.version.partition('+')[0]}, from the source tree {origin['url']}"
    return distribution.version
