# SPDX-License-Identifier: Apache-2.0
"""The address, certificates and key in `[pki]`: exchanged, expired, of another, or not there."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from station.adapters.pki import authority_files, tls
from station.adapters.pki.secret_header import SecretHeader
from station.config import plain_files
from station.config.problems import Problem
from station.doctor.paths import file_mistake
from station.doctor.settings import Settings
from station.faults.line import PKIFileUnusable

_OF_EXAMPLES = re.compile(r"(^|\.)example(\.(com|net|org))?$")  # RFC 2606
_CERTIFICATE, _PRIVATE_KEY = (
    re.compile(rb"-BEGIN (X509 |TRUSTED )?CERTIFICATE-"),
    re.compile(rb"-BEGIN [A-Z ]*PRIVATE KEY-"),
)

EXPECTED = {
    "ca": "the certificate of the PKI server's authority, in PEM",
    "certificate": "this station's certificate, in PEM",
    "key": "the key of this station's certificate, in PEM",
}

PINNED = {
    "pai": "the certificate of the PAI under which the PKI issues",
    "paa": "the certificate of the PAA above it",
}

SECRETS = {
    "basic_file": "one line with user:password, or with a provider's code",
    "header_file": "one line with the header's value",
    "openbao.token_file": "one line with a token",
}

PROGRAMS = {
    "command": "the program that brings requests to the PKI",
    "check": "the program that prints the authorities",
}


def mistakes(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the settings of `[pki]` on this machine."""
    yield from _address(settings)
    paths = {name: path for name in EXPECTED if (path := settings.path("pki", name))}
    wrong = {name: text for name, path in paths.items() if (text := _mistake_in(name, path))}
    for name, text in wrong.items():
        yield Problem(settings.file, f"pki.{name}", text)
    if len(paths) == len(EXPECTED) and not wrong:
        try:
            tls.client_context(paths["ca"], paths["certificate"], paths["key"])
        except PKIFileUnusable as fault:
            name = next((name for name, path in paths.items() if str(path) == fault.file), "certificate")
            yield Problem(settings.file, f"pki.{name}", f"{fault.file} {fault.reason}, expected {EXPECTED[name]}")
    yield from _pinned(settings)
    yield from _secrets(settings)
    yield from _programs(settings)


def _pinned(settings: Settings) -> Iterator[Problem]:
    """Told here, too, since a line whose recipe cannot be read still needs both files; a place is told once."""

    def expired(path: Path, _: str) -> str | None:
        text = authority_files.mistake_in_time(path, datetime.now(UTC))
        return f"{path} {text}" if text else None

    yield from _of_files(settings, PINNED, expired)


def _secrets(settings: Settings) -> Iterator[Problem]:
    def unusable(path: Path, what: str) -> str | None:
        try:
            SecretHeader(path).read()
        except PKIFileUnusable as fault:
            return f"{fault.file} {fault.reason}, expected {what}"
        return None

    yield from _of_files(settings, SECRETS, unusable)


def _programs(settings: Settings) -> Iterator[Problem]:
    for name, what in PROGRAMS.items():
        path, place = settings.program("pki", "exec", name), f"pki.exec.{name}"
        if path is None:
            continue
        if mistake := file_mistake(path, what):
            yield Problem(settings.file, place, mistake)
        elif not os.access(path, os.X_OK):
            text = f"{path} may not be executed by this account, expected {what}: chmod a+x {path}"
            yield Problem(settings.file, place, text)


def _of_files(
    settings: Settings, files: Mapping[str, str], further: Callable[[Path, str], str | None]
) -> Iterator[Problem]:
    """For each setting that names a file: that there is no such file, or what else is wrong with it."""
    for name, what in files.items():
        path = settings.path("pki", *name.split("."))
        if path is not None and (mistake := file_mistake(path, what) or further(path, what)):
            yield Problem(settings.file, f"pki.{name}", mistake)


def _address(settings: Settings) -> Iterator[Problem]:
    url = settings.text("pki", "url")
    if url and _OF_EXAMPLES.search(_host(url)):
        text = f'found "{_host(url)}", the address of an example, expected that of your PKI'
        yield Problem(settings.file, "pki.url", text)


def _mistake_in(name: str, path: Path) -> str | None:
    if mistake := file_mistake(path, EXPECTED[name]):
        return mistake
    mistake = _mistake_of_content(name, path, plain_files.read(path))
    return f"{path} {mistake}, expected {EXPECTED[name]}" if mistake else None


def _mistake_of_content(name: str, path: Path, content: bytes) -> str | None:
    has_certificate, has_key = bool(_CERTIFICATE.search(content)), bool(_PRIVATE_KEY.search(content))
    if not content.strip():
        return "is empty"
    if name == "key" and has_certificate and not has_key:
        return "holds a certificate and no key"
    if name != "key" and has_key and not has_certificate:
        return "holds a private key"
    if name == "certificate" and authority_files.is_authority(path):
        return "is the certificate of an authority"
    return authority_files.mistake_in_authority(path, datetime.now(UTC)) if name == "ca" else None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
