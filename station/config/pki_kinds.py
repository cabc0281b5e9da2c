# SPDX-License-Identifier: Apache-2.0
"""The settings that only one kind of PKI has, and which of the common ones each kind needs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from station.config import path_mistakes
from station.config.file_path import FilePath, beside_the_file
from station.config.table import Table

Kind = Literal["est", "openbao", "exec"]

_NAME = r"^[A-Za-z0-9_.-]+$"
_PLACE = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"
_MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


def _program_first(command: tuple[str, ...], info: ValidationInfo[Mapping[str, Path] | None]) -> tuple[str, ...]:
    if not command:
        raise ValueError("found an empty list, expected a program and its arguments")
    if mistake := path_mistakes.mistake_in(command[0]):
        raise ValueError(mistake)
    return (str(beside_the_file(Path(command[0]), info)), *command[1:])


Command = Annotated[tuple[str, ...], AfterValidator(_program_first)]


class OpenBaoSection(Table):
    """Of `kind = "openbao"`: OpenBao, or HashiCorp's Vault."""

    mount: str = Field(default="pki", max_length=200, pattern=_PLACE)
    """Where the secrets engine for certificates is mounted."""
    issuer: str | None = Field(default=None, max_length=200, pattern=_NAME)
    """Name or id of the mount's issuer that is the PAI; by default the mount's default issuer."""
    role: str | None = Field(default=None, max_length=200, pattern=_NAME)
    """Role of the mount whose limits apply to the request; by default none."""
    not_after: str = Field(default="9999-12-31T23:59:59Z", pattern=_MOMENT)
    """The end of each DAC; an issuer refuses one that outlives its own certificate."""
    token_file: FilePath | None = None
    """File with a token, one line, read again whenever it changes; without it the station logs in by its certificate."""
    login: str = Field(default="cert", max_length=200, pattern=_PLACE)
    """Where the authentication by certificates is mounted."""
    login_role: str | None = Field(default=None, max_length=200, pattern=_NAME)
    """Role of that authentication; by default the server looks for one that fits."""
    namespace: str | None = Field(default=None, max_length=200, pattern=_PLACE)
    """Namespace of both mounts, where the server has any."""


class ExecSection(Table):
    """Of `kind = "exec"`: a program that brings the request to the PKI."""

    command: Command
    """The program and its arguments. It gets the CSR on its standard input and prints the certificate, both in PEM."""
    check: Command | None = None
    """A program that prints the certificates of the authorities; without it nothing is asked before a board needs its DAC."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The common settings that a kind has beyond those that all have."""

    required: frozenset[str]
    allowed: frozenset[str]


_OF_A_SERVER = frozenset({"url", "ca"})
_IDENTITY = frozenset({"certificate", "key"})
_CONNECTION = frozenset(
    {"connect_within", "keep_alive", "tls_floor", "authorities", "basic_file", "header", "header_file"}
)
_FORM = frozenset({"request", "content_type"})

NEEDS: Mapping[Kind, Needs] = {
    "est": Needs(_OF_A_SERVER | _IDENTITY, _CONNECTION | _FORM),
    "openbao": Needs(_OF_A_SERVER, _CONNECTION | _IDENTITY),
    "exec": Needs(frozenset({"exec"}), frozenset()),
}
TABLES: Mapping[str, Kind] = {"openbao": "openbao", "exec": "exec"}
"""The tables below `[pki]`, each of one kind."""
OF_SOME_KINDS = (*sorted(_OF_A_SERVER | _IDENTITY | _CONNECTION | _FORM), *TABLES)


def mistake_of_kind(setting: str, kind: Kind) -> str | None:
    """Why this setting must not be set under this kind; None if it may be."""
    if _has(kind, setting):
        return None
    kinds = " and ".join(f'"{each}"' for each in NEEDS if _has(each, setting))
    return f'belongs to kind = {kinds}, and the kind is "{kind}": delete it, or set kind in [pki]'


def _has(kind: Kind, setting: str) -> bool:
    needs = NEEDS[kind]
    return setting in needs.required | needs.allowed or TABLES.get(setting) == kind
