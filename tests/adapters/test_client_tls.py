# SPDX-License-Identifier: Apache-2.0
"""No TLS client of the station speaks an older version than 1.2, whichever Python runs it."""

import re
import ssl
from pathlib import Path

import pytest

from station.adapters.outbox.secret_file import tls_context
from station.adapters.system import client_tls
from station.cli.watch import source

STATION = Path(client_tls.__file__).parents[2]
BUILDERS = {
    "adapters/system/client_tls.py",
    "adapters/pki/tls_words.py",  # asks a server for any version, to tell which it refuses
    "web/certificate.py",  # the page's own server
}


@pytest.mark.parametrize(
    "context",
    [client_tls.trusting(), tls_context(None, None, None), source.trusting(None)],
    ids=["any", "MES", "watch"],
)
def test_the_oldest_version_is_set(context: ssl.SSLContext) -> None:
    """Python's own builds set it, and Debian's does not."""
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_no_other_module_makes_a_context() -> None:
    made = {
        str(path.relative_to(STATION))
        for path in STATION.rglob("*.py")
        if re.search(r"ssl\.(create_default_context|SSLContext\()|TLSContext\(", path.read_text())
    }
    assert made == BUILDERS
