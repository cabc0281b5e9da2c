# SPDX-License-Identifier: Apache-2.0
"""For commands whose memory and files hold secrets of units."""

import os
import resource


def keep_private() -> None:
    """Makes files that this process and its children create private to this user, and disables their core dumps."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
