# SPDX-License-Identifier: Apache-2.0
"""What a TLS client of the station begins with: whom it trusts, and the oldest version that it speaks.

The version is set here, since not every Python sets one: Debian's leaves it to the system's configuration of OpenSSL.
"""

import ssl
from pathlib import Path

OLDEST = ssl.TLSVersion.TLSv1_2


def trusting(ca: Path | None = None, oldest: ssl.TLSVersion = OLDEST) -> ssl.SSLContext:
    """Trusts the authorities in this file alone, or those of this computer.

    Raises `OSError` for a file that cannot be read, and `ssl.SSLError`, which is one, for a file without a certificate.
    """
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = max(oldest, context.minimum_version)  # a stricter system stays so
    return context
