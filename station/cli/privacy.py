# SPDX-License-Identifier: Apache-2.0
"""For commands whose memory and files hold secrets of units."""

import os
import resource


def keep_private() -> None:
    """What this process and its children write from here on is for this user alone, and their crashes write no memory."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
