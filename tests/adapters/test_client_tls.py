# SPDX-License-Identifier: Apache-2.0
"""No TLS client of the station speaks an older version than 1.2, whichever Python runs it."""

import os
import re
import ssl
import subprocess
import sys
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


@pytest.mark.parametrize("oldest", ["TLSv1", "TLSv1.2", "TLSv1.3"])
def test_a_stricter_system_stays_so(tmp_path: Path, oldest: str) -> None:
    """What the PC's configuration of OpenSSL asks for is taken where Python takes it, and 1.2 is asked for in any case."""
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(f"openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nMinProtocol={oldest}\n")
    asked = (
        "import ssl; from station.adapters.system import client_tls;"
        "print(int(ssl.create_default_context().minimum_version), int(client_tls.trusting().minimum_version))"
    )
    environment = {**os.environ, "OPENSSL_CONF": str(configuration)}
    told = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    pythons, ours = map(int, told.stdout.split())
    assert ours == max(pythons, ssl.TLSVersion.TLSv1_2)


def test_no_other_module_makes_a_context() -> None:
    made = {
        str(path.relative_to(STATION))
        for path in STATION.rglob("*.py")
        if re.search(r"ssl\.(create_default_context|SSLContext\()", path.read_text())
    }
    assert made == BUILDERS
