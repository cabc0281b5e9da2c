# SPDX-License-Identifier: Apache-2.0
"""The files that `[shared]` names, and the library for PostgreSQL: not there, or not what they should be."""

import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from station.adapters.ledger.key_file import KeyUnusable, signing_key
from station.config import conninfo
from station.config.problems import Problem
from station.doctor.paths import file_mistake
from station.doctor.settings import Settings

EXPECTED = {
    "sslcert": "this station's certificate for the centre, in PEM",
    "sslkey": "the key of that certificate, in PEM",
    "sslrootcert": "the certificate of the authority of the centre's server, in PEM",
    "sslcrl": "a list of revoked certificates, in PEM",
    "passfile": "libpq's file of passwords",
}
SECRETS = {"fleet_key": "the key of the fleet", "signing_key": "this station's Ed25519 key, in PEM"}
_PRIVATE = ("sslkey", "passfile")


def mistakes(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the settings of `[shared]` on this machine."""
    if "shared" in settings.values and find_spec("psycopg") is None:
        yield Problem(
            settings.file, "shared", "needs the extra shared: pip install 'matter-provisioning-station[shared]'"
        )
    for setting in ("dsn", "reader"):
        for name, path in _named_in(settings.text("shared", setting)):
            if mistake := _mistake(path, EXPECTED[name], private=name in _PRIVATE):
                yield Problem(settings.file, f"shared.{setting}", mistake)
    for setting, what in SECRETS.items():
        if (secret := settings.path("shared", setting)) is None:
            continue
        mistake = _mistake(secret, what, private=True)
        if mistake is None and setting == "signing_key" and not _signs(secret):
            mistake = f"{secret} has no such key, expected {what}"
        if mistake is not None:
            yield Problem(settings.file, f"shared.{setting}", mistake)


def _named_in(dsn: str | None) -> Iterator[tuple[str, Path]]:
    try:
        if dsn is not None:
            yield from conninfo.files_of(dsn).items()
    except ValueError:  # the setting's own check tells it
        return


def _mistake(path: Path, what: str, *, private: bool) -> str | None:
    if mistake := file_mistake(path, what):
        return mistake
    if private and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return f"others can read {path}, which is {what}: chmod 600 {path}"
    return None


def _signs(path: Path) -> bool:
    try:
        signing_key(path, "station's signing key", private=False)
    except KeyUnusable:
        return False
    return True
