# SPDX-License-Identifier: Apache-2.0
"""`station attestation`: judges DAC, PAI and certification declaration as a commissioner does, and more strictly."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import DONE, FAILED
from station.cli.judge import verdicts
from station.cli.judge.inputs import CERTIFICATE, DECLARATION, read_der, read_file, unusable
from station.cli.judge.terms import Terms, with_terms
from station.faults import Fault
from station.faults.line import CredentialsInvalid, DeclarationInvalid
from station.matter.certificates.attestation import Attestation, Product, check_attestation
from station.matter.certificates.trust import TrustStore

ACCEPTED = "a commissioner accepts this attestation"

app = typer.Typer(help="Judge a unit's attestation.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Judge a unit's attestation."""


@app.command()
@with_terms
def check(
    terms: Terms,
    dac: Annotated[Path | None, typer.Option("--dac", help="DAC, DER or PEM.", show_default=False)] = None,
    pai: Annotated[Path | None, typer.Option("--pai", help="PAI, DER or PEM.", show_default=False)] = None,
    cd: Annotated[Path | None, typer.Option("--cd", help="Certification declaration.", show_default=False)] = None,
    vectors: Annotated[
        Path | None, typer.Option("--vectors", help="A JSON file of several attestations.", show_default=False)
    ] = None,
) -> None:
    """Check DAC, PAI and certification declaration of one unit, or of every vector in a file.

    Exits 0 when all is accepted, 1 when anything is refused, 2 when arguments or files cannot be used.

    A vector has dac_cert, pai_cert and certification_declaration in hexadecimal, and basic_info_pid.
    """
    vid, pid = terms.vid, terms.pid
    if vid is None:
        raise typer.BadParameter("required: the product's vendor", param_hint="--vid")
    trust, now = terms.read_trust(), terms.moment

    def judged(attestation: Attestation, product_id: int) -> Fault | None:
        product = terms.product(vid, product_id)
        return _judged(attestation, product, trust, at=now, production=terms.production)

    if vectors is not None:
        if dac or pai or cd or pid is not None:
            raise typer.BadParameter(
                "a file of vectors has its own --dac, --pai, --cd and --pid", param_hint="--vectors"
            )
        found = _vectors(vectors)
        _conclude_all({name: judged(*vector) for name, vector in found.items()}, json_wanted=terms.json_wanted)
        return
    if dac is None or pai is None or cd is None or pid is None:
        raise typer.BadParameter("--dac, --pai, --cd and --pid are needed, or --vectors")
    shown = Attestation(read_der(dac, CERTIFICATE), read_der(pai, CERTIFICATE), read_der(cd, DECLARATION))
    verdicts.conclude(judged(shown, pid), ACCEPTED, json_wanted=terms.json_wanted)


def _judged(
    attestation: Attestation, product: Product, trust: TrustStore, *, at: datetime, production: bool
) -> Fault | None:
    try:
        check_attestation(attestation, product, trust, at=at, production=production)
    except (CredentialsInvalid, DeclarationInvalid) as fault:
        return fault
    return None


def _conclude_all(faults: Mapping[str, Fault | None], *, json_wanted: bool) -> None:
    if json_wanted:
        say_json({"vectors": {name: verdicts.as_json(fault, ACCEPTED) for name, fault in faults.items()}})
    else:
        for name, fault in faults.items():
            say(f"{name}: {verdicts.line(fault, ACCEPTED)}")
    refused = sum(fault is not None for fault in faults.values())
    if not json_wanted:
        say(f"{len(faults)} vectors: {len(faults) - refused} accepted, {refused} refused")
    raise typer.Exit(FAILED if refused else DONE)


def _vectors(path: Path) -> dict[str, tuple[Attestation, int]]:
    """Each vector's attestation and product."""
    try:
        content: object = json.loads(read_file(path))
    except (ValueError, RecursionError) as exc:
        raise unusable(path, "", f"not JSON: {exc}. An object of vectors by name is expected.") from exc
    if not isinstance(content, dict) or not content:
        raise unusable(path, "", "an object of vectors by name is expected.")
    return {str(name): _vector(path, str(name), vector) for name, vector in content.items()}


def _vector(path: Path, name: str, vector: object) -> tuple[Attestation, int]:
    match vector:
        case {
            "dac_cert": str(dac),
            "pai_cert": str(pai),
            "certification_declaration": str(cd),
            "basic_info_pid": int(product_id),
        }:
            try:
                return Attestation(bytes.fromhex(dac), bytes.fromhex(pai), bytes.fromhex(cd)), product_id
            except ValueError as exc:
                raise unusable(path, name, f"not hexadecimal: {exc}. Certificates are written in hexadecimal.") from exc
        case _:
            fields = "dac_cert, pai_cert, certification_declaration and basic_info_pid"
            raise unusable(path, name, f"a field is missing, or no text or number. {fields} are expected.")
