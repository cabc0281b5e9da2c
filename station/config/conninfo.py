# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL connection string as libpq reads it, in both of its forms: what it says, and what it must not say. Pure."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from station.config.sentences import shown

_URI = ("postgresql://", "postgres://")
_PAIR = re.compile(
    r"\s*(?P<name>[A-Za-z_]+)\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<bare>(?:[^\s'\\]|\\.)*))(?=\s|$)"
)
_ESCAPED = re.compile(r"\\(.)")
_SECRETS = ("password", "sslpassword")
_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile")
_NO_FILE = {"sslrootcert": "system"}  # what libpq takes for no file
_EXPECTED = 'expected a connection string of libpq, such as "host=db.factory.net dbname=station user=line_3 sslmode=verify-full"'


def settings_of(dsn: str) -> dict[str, str]:
    """The parameters of a connection string; raises `ValueError`, whose text has no value of a parameter."""
    if dsn.startswith(_URI):
        return _of_uri(dsn)
    found, at = {}, 0
    while dsn[at:].strip():
        if (pair := _PAIR.match(dsn, at)) is None:
            raise ValueError(f"found a text that is no list of name=value, {_EXPECTED}")
        value = pair["quoted"] if pair["quoted"] is not None else pair["bare"]
        found[pair["name"]] = _ESCAPED.sub(r"\1", value)
        at = pair.end()
    if not found:
        raise ValueError(f"found an empty text, {_EXPECTED}")
    return found


def files_of(dsn: str) -> Mapping[str, Path]:
    """The files that a good connection string names, by their parameters."""
    settings = settings_of(dsn)
    return {
        name: Path(settings[name]) for name in _FILES if settings.get(name) and settings[name] != _NO_FILE.get(name)
    }


def server_is_proven(dsn: str) -> bool:
    """Whether the server must prove by its certificate who it is, or is reached through a socket of this computer."""
    settings = settings_of(dsn)
    return settings.get("sslmode") == "verify-full" or settings.get("host", "").startswith("/")


def without_secret(dsn: str) -> str:
    """A check of a setting: the string itself. Raises `ValueError` for one with a password, or with a path that is not whole."""
    settings = settings_of(dsn)
    for name in _SECRETS:
        if name in settings:
            raise ValueError(
                f"found a {name} in it, expected none: the station's account has it in libpq's passfile or service file,"
                " or proves itself by a certificate (sslcert, sslkey)"
            )
    for name, path in files_of(dsn).items():
        if not path.is_absolute():
            raise ValueError(f"found {shown(str(path))} as {name}, expected a whole path, which begins with /")
    return dsn


def _of_uri(dsn: str) -> dict[str, str]:
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise ValueError(f"found an address that cannot be read, {_EXPECTED}") from None
    found = {
        "host": unquote(parts.hostname or ""),
        "port": "" if port is None else str(port),
        "user": unquote(parts.username or ""),
        "dbname": unquote(parts.path.removeprefix("/")),
        **dict(parse_qsl(parts.query)),
    }
    if parts.password is not None:
        found["password"] = unquote(parts.password)
    return {name: value for name, value in found.items() if value or name in _SECRETS}
