# SPDX-License-Identifier: Apache-2.0
"""Paths and addresses that no setting can mean, as shells, other systems and copying leave them behind. Pure."""

import re
from urllib.parse import urlsplit

from station.config.sentences import shown


def mistake_in(path: str) -> str | None:
    """Why this text is no path of this system; None if it may be one."""
    if not path.strip():
        return f"found {shown(path)}, expected a path"
    if path != path.strip():
        return f"found {shown(path)}, expected no blanks around a path; did you mean {shown(path.strip())}?"
    if path.startswith("~") or re.search(r"[$%]\{?\w", path):
        return f"found {shown(path)}, expected a path in full: the station replaces neither ~ nor variables"
    if "\\" in path or re.match(r"[A-Za-z]:/", path):
        return f"found {shown(path)}, a path of Windows, expected one of this computer, with / between its folders"
    return None


def mistake_in_address(url: str) -> str | None:
    """Why no server can have this address; None if one can."""
    expected = "expected an address such as https://pki.factory.net/.well-known/est"
    if re.search(r"\s", url):
        return f"found {shown(url)} with a blank in it, {expected}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"found {shown(url)}, whose port is no number from 1 to 65535, {expected}"
    if not parts.hostname:
        return f"found {shown(url)} without the name of a server, {expected}"
    return None if port != 0 else f"found {shown(url)}, whose port is no number from 1 to 65535, {expected}"
