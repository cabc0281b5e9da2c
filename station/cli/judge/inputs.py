# SPDX-License-Identifier: Apache-2.0
"""The inputs of commands: files, folders of certificates, numbers, moments and passcodes.

A file that cannot be used ends the command with exit code 2, and a message with its name, the place and the remedy.
"""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from station.cli.consoles import say
from station.cli.exit_codes import FAILED, USAGE
from station.config import plain_files
from station.config.problems import Problem
from station.faults.line import TrustUnreadable
from station.matter.certificates import pem
from station.matter.certificates.pem import PEMInvalid, der_of
from station.matter.certificates.revocation import Revoked, read_revocation_set
from station.matter.certificates.trust import TrustStore
from station.matter.certificates.x509 import Certificate
from station.matter.onboarding.passcode import Passcode
from station.recipe.files import revocation_file

CERTIFICATE, REQUEST, DECLARATION = (
    pem.CERTIFICATE,
    ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
    ("CMS", "PKCS7"),
)
CERTIFICATE_SUFFIXES = frozenset({".der", ".pem", ".crt", ".cer"})


def unusable(file: Path, place: str, text: str) -> typer.Exit:
    """Prints the mistake in a file; the caller raises the returned exit."""
    say(str(Problem(file, place, text)), err=True)
    return typer.Exit(USAGE)


def read_file(path: Path) -> bytes:
    try:
        return plain_files.read_stream(path)
    except OSError as exc:
        raise unusable(path, "", f"cannot be read: {exc.strerror}. Check its name and its permissions.") from exc


def read_der(path: Path, labels: tuple[str, ...]) -> bytes:
    """The DER in a file, which may be PEM."""
    try:
        return der_of(read_file(path), *labels)
    except PEMInvalid as exc:
        raise unusable(path, f"line {exc.line}", f"{exc.reason}. DER, or PEM with one block, is expected.") from exc


def read_passcode(path: Path) -> Passcode:
    """Reads one to eight digits with white space around them; no message repeats the file's content."""
    text = read_file(path).strip()
    if not re.fullmatch(rb"[0-9]{1,8}", text):
        raise unusable(path, "line 1", "not a passcode. Write its eight digits into the file, and nothing else.")
    try:
        return Passcode(int(text))
    except ValueError as exc:
        say(f"{path}: {exc}", err=True)
        raise typer.Exit(FAILED) from exc


def read_trust(paa_dir: Path, cd_signers: Path, revocation_set: Path | None = None) -> TrustStore:
    """The store of two folders; prints the files that were left out on standard error.

    Without a revocation set of its own it has the one of the trust store whose roots these are, if there is one.
    """
    paas, signers = _certificates(paa_dir), _certificates(cd_signers)
    if revocation_set is None:
        revocation_set = _beside(paa_dir)
    store = TrustStore.of(paas, signers, frozenset() if revocation_set is None else _revoked(revocation_set))
    for left_out in store.unreadable:
        say(f"left out of the trust store: {left_out}", err=True)
    for folder, found in ((paa_dir, store.paas), (cd_signers, store.cd_signers)):
        if not found:
            raise unusable(folder, "", "no certificate in this folder can be used. Put the trusted ones there.")
    return store


def _beside(paa_dir: Path) -> Path | None:
    """The set beside the folder as it is named, which a line reads, or else as it is; a link to a set that is gone counts."""
    for folder in (Path(os.path.abspath(paa_dir)), paa_dir.resolve()):  # noqa: PTH100  resolve() follows links
        beside = folder.with_name(revocation_file.NAME)
        if beside.exists() or beside.is_symlink():
            return beside
    return None


def read_signers(folder: Path) -> Mapping[bytes, Certificate]:
    """The certificates of a folder by key identifier; prints the files that were left out on standard error."""
    store = TrustStore.of({}, _certificates(folder))
    for left_out in store.unreadable:
        say(f"left out: {left_out}", err=True)
    return store.cd_signers


def _revoked(path: Path) -> frozenset[Revoked]:
    try:
        return read_revocation_set(read_file(path))
    except TrustUnreadable as fault:
        raise unusable(path, "", f"{fault.evidence['reason']}. Fetch the set again.") from fault


def _certificates(folder: Path) -> dict[str, bytes]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in CERTIFICATE_SUFFIXES)
    except OSError as exc:
        raise unusable(folder, "", f"cannot be read: {exc.strerror}. A folder of certificates is expected.") from exc
    found: dict[str, bytes] = {}
    for path in paths:
        try:
            found[str(path)] = plain_files.read(path)
        except OSError as exc:
            say(f"left out of the trust store: {path}: {exc.strerror}", err=True)
    return found


def number(text: str) -> int:
    """Reads a number: decimal, or hexadecimal with 0x."""
    return int(text, 16) if text[:2] in {"0x", "0X"} else int(text)


def uint16(text: str) -> int:
    return within(text, 0x10000)


def uint32(text: str) -> int:
    return within(text, 1 << 32)


def moment(text: str) -> datetime:
    """Reads an ISO 8601 moment, in UTC if it names no zone."""
    given = datetime.fromisoformat(text)
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def within(text: str, limit: int) -> int:
    """Reads a number from 0 up to, but not including, the limit."""
    value = number(text)
    if value not in range(limit):
        raise typer.BadParameter(f"{text} is not a number from 0 to 0x{limit - 1:X}")
    return value


PAADirOption = Annotated[Path, typer.Option("--paa-dir", help="Folder of the trusted PAAs, DER or PEM.")]
CDSignersOption = Annotated[Path, typer.Option("--cd-signers", help="Folder of certificates that sign declarations.")]
RevocationOption = Annotated[
    Path | None,
    typer.Option("--revocation-set", help="Revocation set in JSON (default: the trust store's).", show_default=False),
]
VendorOption = Annotated[
    int | None, typer.Option("--vid", parser=uint16, metavar="VID", help="Vendor, such as 0xFFF1.", show_default=False)
]
ProductOption = Annotated[
    int | None, typer.Option("--pid", parser=uint16, metavar="PID", help="Product, such as 0x8000.", show_default=False)
]
DeviceTypeOption = Annotated[
    int | None,
    typer.Option(
        "--device-type", parser=uint32, metavar="N", help="The declaration's required device type.", show_default=False
    ),
]
CertificateIdOption = Annotated[
    str | None, typer.Option("--certificate-id", help="The declaration's required certificate id.", show_default=False)
]
VersionNumberOption = Annotated[
    int | None,
    typer.Option(
        "--version-number", parser=uint16, metavar="N", help="The declaration's required version.", show_default=False
    ),
]
AtOption = Annotated[
    datetime | None,
    typer.Option(
        "--at", parser=moment, metavar="TIME", help="Time to judge at, ISO 8601 (default: now).", show_default=False
    ),
]
ProductionOption = Annotated[
    bool,
    typer.Option("--production/--allow-test-keys", help="Refuse, or allow, test vendors, test roots and the test key."),
]
PasscodeOption = Annotated[
    Path, typer.Option("--passcode-file", help="A file with the passcode's digits, readable by you alone.")
]
JSONOption = Annotated[bool, typer.Option("--json", help="The same as one JSON object.")]
