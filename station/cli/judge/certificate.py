# SPDX-License-Identifier: Apache-2.0
"""`station certificate`: shows one certificate, and whether it keeps the rules for its kind."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from station.cli.judge import verdicts
from station.cli.judge.inputs import CERTIFICATE, JSONOption, read_der
from station.domain.credentials import key_name
from station.faults.line import CredentialsInvalid
from station.matter.certificates import der
from station.matter.certificates.chain import DAC, PAA, PAI, read_certificate
from station.matter.certificates.names import PRODUCT_ID, VENDOR_ID, Name
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate

app = typer.Typer(help="Show certificates.", no_args_is_help=True)

_SHORT_NAMES = {
    der.oid("2.5.4.3"): "CN",
    der.oid("2.5.4.5"): "serialNumber",
    der.oid("2.5.4.6"): "C",
    der.oid("2.5.4.7"): "L",
    der.oid("2.5.4.8"): "ST",
    der.oid("2.5.4.10"): "O",
    der.oid("2.5.4.11"): "OU",
    VENDOR_ID: "VID",
    PRODUCT_ID: "PID",
}
_KEY_USAGES = {0x80: "sign data", 0x04: "sign certificates", 0x02: "sign revocation lists"}


class Kind(StrEnum):
    DAC = "dac"
    PAI = "pai"
    PAA = "paa"
    CD_SIGNER = "cd-signer"


_PROFILES = {Kind.DAC: DAC, Kind.PAI: PAI, Kind.PAA: PAA}


@app.callback()
def group() -> None:
    """Show certificates."""


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="DER or PEM.", show_default=False)],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="The required kind (default: from its basic constraints).")
    ] = None,
    json_wanted: JSONOption = False,
) -> None:
    """Show a certificate, and check it by the rules of its kind.

    Exits 1 when it breaks a rule. `station attestation check` judges a chain.
    """
    data = read_der(file, CERTIFICATE)
    try:
        certificate = Certificate.read(data)
    except RuleBroken as broken:
        verdicts.conclude(CredentialsInvalid(broken.rule.name, broken.reason), "", json_wanted=json_wanted)
        return
    kind = kind or _kind(certificate)
    fault = None
    if kind in _PROFILES:
        try:
            read_certificate(_PROFILES[kind], data)
        except RuleBroken as broken:
            fault = CredentialsInvalid(broken.rule.name, broken.reason)
    said = {"certificate": {"kind": kind.value, **described(certificate)}}
    verdicts.conclude(fault, f"it keeps every rule for a {kind.value}", json_wanted=json_wanted, shown=said)


def described(certificate: Certificate) -> dict[str, object]:
    """The certificate's content, for people and as JSON."""
    named, extensions = certificate.identifiers, certificate.extensions
    return {
        "subject": name_text(certificate.subject),
        "issuer": name_text(certificate.issuer),
        "serial_number": f"{certificate.serial_number:X}",
        "vendor_id": hexadecimal(named.vendor_id),
        "product_id": hexadecimal(named.product_id),
        "valid_from": f"{certificate.valid_from:%Y-%m-%d %H:%M:%SZ}",
        "valid_until": "no end"
        if certificate.valid_until.year == 9999
        else f"{certificate.valid_until:%Y-%m-%d %H:%M:%SZ}",
        "may": [words for bit, words in _KEY_USAGES.items() if int.from_bytes(extensions.key_usage[3:4], "big") & bit],
        "subject_key_id": extensions.subject_key_id.hex().upper(),
        "authority_key_id": extensions.authority_key_id and extensions.authority_key_id.hex().upper(),
        "key_sha256": key_name(certificate.public_key),
        "sha256": hashlib.sha256(certificate.der).hexdigest(),
        "bytes": len(certificate.der),
    }


def name_text(name: Name) -> str:
    """A distinguished name as text; an attribute without a short name is shown by its OID's bytes."""
    return ", ".join(f"{_SHORT_NAMES.get(each.oid, each.oid.hex())}={each.text}" for each in name.attributes)


def hexadecimal(number: int | None) -> str | None:
    return None if number is None else f"0x{number:04X}"


def _kind(certificate: Certificate) -> Kind:
    constraints = certificate.extensions.basic_constraints
    for kind, profile in _PROFILES.items():
        if constraints in profile.basic_constraints:
            return kind
    return Kind.PAA
