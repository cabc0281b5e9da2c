# SPDX-License-Identifier: Apache-2.0
"""What a program of others gets of the station's environment: neither settings nor secrets."""

import os

KEPT = ("HOME", "PATH", "TMPDIR")


def for_others(*further: str) -> dict[str, str]:
    """The variables that every program needs, and these, as far as they are set; its messages are in English."""
    return {name: os.environ[name] for name in (*KEPT, *further) if name in os.environ} | {"LC_ALL": "C.UTF-8"}
