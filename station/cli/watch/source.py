# SPDX-License-Identifier: Apache-2.0
"""Where a watched line's page is, and what it is shown: the token of a person or program. Which CA it must have."""

import asyncio
import re
import ssl
import stat
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import typer

from station.adapters.system import client_tls
from station.config import plain_files
from station.config.line import Config
from station.daemon import control
from station.line.status import Status

LONGEST_TOKEN = 4096  # bytes
_TOKEN = re.compile(r"[\x21-\x7e]+")

Address = Callable[[], Awaitable[str]]


def at(url: str) -> Address:
    """An address that somebody named; raises `typer.BadParameter` for anything but the root of a page."""
    if not _names_a_page(url):
        raise typer.BadParameter(f"expected the page's address, such as http://127.0.0.1:8470/, not {url}")
    root = url if url.endswith("/") else f"{url}/"

    async def address() -> str:
        return root

    return address


def _names_a_page(url: str) -> bool:
    try:
        parts = urlsplit(url)
        there = parts.hostname and parts.port != 0
    except ValueError:
        return False
    plain = url.isprintable() and not (set("@?#") & set(url))
    return bool(plain and there and parts.scheme in {"http", "https"})


def of_line(config: Config) -> Address:
    """The address that the line's daemon tells; the configured one while the daemon is not there.

    It raises `ConnectionError` where neither is one.
    """

    def asked() -> str:
        absent = "[web] on = false"
        try:
            page = Status.model_validate(control.ask(config.control_socket, "status")).page
        except (control.DaemonAbsent, control.CommandRefused, ValueError) as exc:
            page, absent = None, str(exc)
        if page is not None and page.url:
            return page.url
        if not config.web.on or config.web.listen.endswith(":0"):
            raise ConnectionError(page.reason if page is not None and page.reason else absent)
        return f"http://{config.web.listen}/"

    async def address() -> str:
        return await asyncio.to_thread(asked)

    return address


def check_safe(url: str) -> None:
    """Raises `typer.BadParameter` if a token on its way to this address could be read."""
    parts = urlsplit(url)
    try:
        this_pc = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        this_pc = parts.hostname == "localhost"
    if parts.scheme != "https" and not this_pc:
        raise typer.BadParameter(f"a token goes over https only, not to {url}")


def bearer(file: Path | None) -> Mapping[str, str]:
    """The header with a file's token; raises `typer.BadParameter`, never with the token."""
    if file is None:
        return {}
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        token = plain_files.read(file, LONGEST_TOKEN).decode(errors="replace").strip()
    except OSError as exc:
        raise typer.BadParameter(f"{file} cannot be read: {exc.strerror}") from exc
    if mode & 0o077:
        raise typer.BadParameter(f"{file} can be used by other accounts (its mode is {mode:04o}): chmod 600 {file}")
    if not _TOKEN.fullmatch(token):
        raise typer.BadParameter(f"{file} holds no token: `station people token` prints one")
    return {"Authorization": f"Bearer {token}"}


def trusting(ca: Path | None) -> ssl.SSLContext:
    """Trusts the CA in this file alone; None trusts what the system does. Raises `typer.BadParameter`."""
    try:
        return client_tls.trusting(ca)
    except OSError as exc:  # `ssl.SSLError` is one
        raise typer.BadParameter(f"{ca} is no file of certificates in PEM: {exc.strerror or exc}") from exc
