# SPDX-License-Identifier: Apache-2.0
"""`[web]`: where the page is, and what an address needs that other PCs reach: certificate and key, and the names by which they go."""

import re
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from station.config.file_path import FilePath
from station.config.sentences import shown
from station.config.table import Table

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def parted(listen: str) -> tuple[str, int]:
    """The address and the port; raises `ValueError` for anything else."""
    address = urlsplit(f"//{listen}")
    host, port = address.hostname, address.port
    if host is None or port is None or address.netloc != listen or address.username is not None:
        raise ValueError
    return str(ip_address(host)), port


def is_of_this_pc_alone(listen: str) -> bool:
    """Whether no other PC reaches the address."""
    return ip_address(parted(listen)[0]).is_loopback


def as_host(address: str) -> str:
    """The address as a URL has it."""
    return f"[{address}]" if ":" in address else address


def _an_address(listen: str) -> str:
    try:
        parted(listen)
    except ValueError:
        raise ValueError(
            f"found {shown(listen)}, expected an address with a port: of this PC alone, such as 127.0.0.1:8470, or one "
            "that other PCs reach, such as 192.168.1.20:8470 or 0.0.0.0:8470"
        ) from None
    return listen


def _a_host(name: str) -> str:
    host = name.lower().removesuffix(".")
    try:
        return as_host(str(ip_address(host.strip("[]"))))
    except ValueError:
        pass
    if not _NAME.fullmatch(host):
        raise ValueError(
            f"found {shown(name)}, expected a name or an address as browsers show it, without https:// and port, such as "
            "line1.factory.example"
        )
    return host


class WebTLSSection(Table):
    """Certificate and key of the page; needed where other PCs reach it."""

    certificate: FilePath
    """The page's certificate in PEM, with the intermediates under it; it names every one of `hosts`."""
    key: FilePath
    """The key of that certificate; only the station's account may read it."""
    hsts_days: int = Field(default=0, ge=0, le=730)
    """Days for which a browser that was here refuses this host without TLS (HSTS), at every port.

    0 where the host has other pages that have no TLS.
    """


class WebSection(Table):
    """The operator's page, which a browser on this PC shows, and other PCs where they may."""

    on: bool = True
    """Whether the daemon serves the page."""
    listen: Annotated[str, AfterValidator(_an_address)] = "127.0.0.1:8470"
    """Address and port; port 0 means any free one, which `station status` tells. Another address than this PC's own needs `[web.tls]`, and people with PINs who sign in."""
    hosts: tuple[Annotated[str, AfterValidator(_a_host)], ...] = Field(default=(), validate_default=True)
    """The names and addresses by which other PCs' browsers call this one; all others are refused. The address of `listen` is one of them."""
    signed_in_hours: float = Field(default=12, gt=0, le=744, allow_inf_nan=False)
    """Hours after which a browser of another PC has to sign in again: a shift, and time to hand it over."""
    language: Literal["en", "de", "zh"] = "en"
    """The language in which the page begins; a button on it changes the language."""
    columns: int | None = Field(default=None, ge=1, le=64)
    """Columns of the grid of slots; by default as many as leave the tiles as large as possible."""
    tls: WebTLSSection | None = Field(default=None, validate_default=True)

    @property
    def needs_people(self) -> bool:
        """Whether whoever reads the page has to sign in: other PCs reach it."""
        return self.on and not is_of_this_pc_alone(self.listen)

    @field_validator("hosts")
    @classmethod
    def _has_a_name(cls, hosts: tuple[str, ...], info: ValidationInfo[object]) -> tuple[str, ...]:
        listen = info.data.get("listen")
        if isinstance(listen, str) and ip_address(parted(listen)[0]).is_unspecified and not hosts:
            raise ValueError(
                f"there is none, and {listen} is every address of this PC: list the names and addresses by which browsers "
                'call it, such as hosts = ["line1.factory.example"]'
            )
        return hosts

    @field_validator("tls")
    @classmethod
    def _is_there_for_other_pcs(cls, tls: WebTLSSection | None, info: ValidationInfo[object]) -> WebTLSSection | None:
        listen, on = info.data.get("listen"), info.data.get("on")
        if isinstance(listen, str) and on and tls is None and not is_of_this_pc_alone(listen):
            raise ValueError(
                f"there is no [web.tls], and other PCs reach {listen}: name certificate and key there, or listen on an "
                "address of this PC alone, such as 127.0.0.1:8470"
            )
        return tls
