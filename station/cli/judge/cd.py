# SPDX-License-Identifier: Apache-2.0
"""`station cd`: shows a certification declaration, and whether it is valid."""

from pathlib import Path
from typing import Annotated

import typer

from station.cli.judge import verdicts
from station.cli.judge.certificate import hexadecimal, name_text
from station.cli.judge.inputs import DECLARATION, JSONOption, read_der, read_signers
from station.faults.line import DeclarationInvalid
from station.matter.certificates.certification_declaration import CertificationDeclaration
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.x509 import Certificate

app = typer.Typer(help="Show certification declarations.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Show certification declarations."""


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="DER or PEM.", show_default=False)],
    cd_signers: Annotated[
        Path | None,
        typer.Option(
            "--cd-signers", help="Folder of signers; with it the signature is verified, too.", show_default=False
        ),
    ] = None,
    json_wanted: JSONOption = False,
) -> None:
    """Show a certification declaration; exits 1 if it is invalid, or if its signature does not verify."""
    data = read_der(file, DECLARATION)
    signers = None if cd_signers is None else read_signers(cd_signers)
    try:
        declaration = CertificationDeclaration.read(data)
    except RuleBroken as broken:
        verdicts.conclude(DeclarationInvalid(broken.rule.name, broken.reason), "", json_wanted=json_wanted)
        return
    fault, signature = None, "not verified: no --cd-signers were given"
    if signers is not None:
        signer = signers.get(declaration.signer_key_id)
        fault, signature = _signature(declaration, signer)
    said = {"declaration": {**described(declaration), "signature": signature, "bytes": len(data)}}
    verdicts.conclude(fault, "it is a certification declaration", json_wanted=json_wanted, shown=said)


def described(declaration: CertificationDeclaration) -> dict[str, object]:
    """The declaration's content, for people and as JSON."""
    origin, paas = declaration.origin, declaration.authorized_paas
    return {
        "vendor_id": hexadecimal(declaration.vendor_id),
        "product_ids": [hexadecimal(number) for number in declaration.product_ids],
        "device_type": hexadecimal(declaration.device_type),
        "certificate_id": declaration.certificate_id,
        "kind": declaration.kind.name.lower(),
        "version_number": hexadecimal(declaration.version_number),
        "security_level": declaration.security_level,
        "security_information": declaration.security_information,
        "origin_vendor_id": origin and hexadecimal(origin.vendor_id),
        "origin_product_id": origin and hexadecimal(origin.product_id),
        "authorized_paas": None if paas is None else [key_id.hex().upper() for key_id in paas],
        "signer_key_id": declaration.signer_key_id.hex().upper(),
    }


def _signature(
    declaration: CertificationDeclaration, signer: Certificate | None
) -> tuple[DeclarationInvalid | None, str]:
    if signer is None:
        reason = f"no known signer has key {declaration.signer_key_id.hex().upper()}"
        return DeclarationInvalid(Rule.D5.name, reason), "by an unknown signer"
    if not declaration.is_signed_by(signer.public_key):
        return DeclarationInvalid(Rule.D5.name, "the signature does not verify"), "does not verify"
    return None, f"verifies, by {name_text(signer.subject)}"
