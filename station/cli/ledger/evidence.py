# SPDX-License-Identifier: Apache-2.0
"""`station lots evidence` and `station evidence`: writes all that proves a lot into one signed file, shows it, and verifies it."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from station.adapters.ledger import evidence_reader
from station.adapters.ledger.timestamps import NotAStamp, StampAuthority
from station.adapters.system import sbom
from station.cli.consoles import say, say_json
from station.cli.exit_codes import FAILED
from station.cli.judge.inputs import CERTIFICATE, read_der, read_file, unusable
from station.cli.ledger import evidence_members
from station.cli.ledger.evidence_members import Beside
from station.cli.ledger.options import LedgerOption
from station.cli.ledger.output import whole
from station.cli.ledger.questions import JsonOption, counted
from station.cli.ledger.time_stamps import AuthorityOption, authority_of
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control
from station.evidence import certificates, rows
from station.evidence.findings import Stamped, StampRefused
from station.evidence.form import AUDIT, BUNDLE, EXCEPTIONS, SBOM, NotABundle, fingerprint
from station.evidence.reading import reading
from station.evidence.verifying import Result, Trusted
from station.evidence.verifying import verify as judged
from station.evidence.writing import writing
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate

app = typer.Typer(help="The evidence of a lot in one signed file: verify it, show it.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.", show_default=False)]


def write(
    lot: Annotated[str, typer.Argument(metavar="LOT", help="The lot's name.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The bundle to write.", show_default=False)],
    signing_key: Annotated[
        Path | None,
        typer.Option(
            "--signing-key",
            metavar="FILE",
            help="The Ed25519 key that signs, in PEM, instead of the configuration's.",
            show_default=False,
        ),
    ] = None,
    recipes: Annotated[
        list[Path] | None,
        typer.Option(
            "--recipe", metavar="FILE", help="A recipe of the lot; the line's own is found.", show_default=False
        ),
    ] = None,
    paas: Annotated[
        list[Path] | None,
        typer.Option(
            "--paa", metavar="FILE", help="A PAA of the lot's PAI; the line's own is found.", show_default=False
        ),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--open", help="Also of a lot that is not closed: what is known of it now.")
    ] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Write all that proves a lot into one signed file, which `station evidence verify` judges without the ledger.

    May run while the daemon does. Exits 1 when the ledger does not know the lot, or the lot is not closed. The file has its
    name only once it is whole.
    """
    path = ledger_path(config, ledger)
    line = None if ledger is not None and config is None else configuration.load(config_path(config))
    signer = evidence_members.signer(signing_key, line)
    beside = Beside.found(recipes or [], [(paa, read_der(paa, CERTIFICATE)) for paa in paas or []], line)
    with evidence_reader.evidence(path, lot) as found:
        if found is None:
            say(f"{path} knows no lot {lot}", err=True)
            raise typer.Exit(FAILED)
        if found.is_open and not unfinished:
            raise control.CommandRefused(
                f"lot {lot} is not closed, and more may happen in it: close it (station lots close), or say --open"
            )
        with whole(to) as place, writing(place) as bundle:
            count = evidence_members.fill(bundle, found, beside, signer)
    say(f"{to}: {counted(count, 'unit')} of lot {lot}{', which is open' if found.is_open else ''}")
    say(f"signed by the key {signer.public_key.hex()}")


@app.command()
def verify(
    file: FileArgument,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="A station's public key: a PEM file, or 64 hexadecimal digits.",
            show_default=False,
        ),
    ] = None,
    paas: Annotated[
        list[Path] | None,
        typer.Option(
            "--paa", metavar="FILE", help="A PAA that is trusted, in place of the bundle's.", show_default=False
        ),
    ] = None,
    chained: Annotated[
        bool,
        typer.Option(
            "--chained", help="Refuse events without a line of the chain, which only a lot from before it has."
        ),
    ] = False,
    timestamp_ca: AuthorityOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Verify a bundle by itself: signature, hashes, journal, certificates and counts. Needs neither ledger nor configuration.

    Exits 1 when anything is not as it must be, and names it. Without --key the bundle may be signed by anybody: compare
    the key that is printed.
    """
    authority = authority_of(timestamp_ca)
    stamped = None if authority is None else _stamped_by(authority)
    trusted = Trusted([_key(each) for each in keys or []], dict(_root(paa) for paa in paas or []), chained, stamped)
    result = judged(file, trusted)
    if json_wanted:
        say_json(_told(file, result, pinned=bool(keys)))
    else:
        _say(file, result, pinned=bool(keys))
    if not result.is_sound:
        raise typer.Exit(FAILED)


@app.command()
def show(file: FileArgument, json_wanted: JsonOption = False) -> None:
    """Show what a bundle says of its lot, without judging it: balance, tools, recipes, images, exceptions.

    Exits 1 when the file is no bundle.
    """
    try:
        with reading(file) as bundle:
            head, audit = bundle.json(BUNDLE), bundle.json(AUDIT)
            kinds = Counter(rows.text(row, "kind") for _, row in bundle.lines(EXCEPTIONS))
            components = len(rows.objects(bundle.json(SBOM), "components"))
            key, made_at = bundle.signature.public_key, bundle.manifest.made_at
            members = {each.name: each.size for each in bundle.manifest.members}
    except NotABundle as exc:
        raise control.CommandRefused(f"{file}: {exc}") from exc
    told = {"made_at": made_at, "signed_by": key.hex(), "exceptions": dict(sorted(kinds.items())), "audit": audit}
    if json_wanted:
        say_json({**told, **head, "members": members, "components": components})
        return
    say(f"lot {head.get('lot')}: made {made_at}, signed by the key {key.hex()}, not judged")
    parts = {name: head.get(name) for name in ("record", "balance", "tools", "recipes", "images", "mistakes")}
    for name, value in {**parts, "exceptions": dict(sorted(kinds.items())), "audit": audit}.items():
        say(*evidence_members.outline(name, value))
    say(*(f"{name}: {counted(size, 'byte')}" for name, size in members.items()))


@app.command("sbom")
def show_sbom(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; else standard output.", show_default=False)
    ] = None,
) -> None:
    """Write the software bill of materials of this installation, in CycloneDX 1.6."""
    evidence_members.write_sbom(sbom.document(), output)


def _key(given: str) -> bytes:
    """A public key; ends with exit code 2 for anything else."""
    try:
        key = bytes.fromhex(given)
    except ValueError:
        key = b""
    if len(key) == 32:
        return key
    file = Path(given)
    try:
        read = load_pem_public_key(read_file(file))
    except (ValueError, TypeError):
        read = None
    if not isinstance(read, Ed25519PublicKey):
        raise unusable(file, "", "is no Ed25519 public key. Give PEM, or 64 hexadecimal digits.")
    return read.public_bytes_raw()


def _root(file: Path) -> tuple[bytes, Certificate]:
    try:
        return certificates.root(read_der(file, CERTIFICATE))
    except RuleBroken as broken:
        raise unusable(file, "", f"is no PAA: {broken.rule.name} {broken.reason}") from broken


def _stamped_by(authority: StampAuthority) -> Stamped:
    def stamped(statement: bytes, answer: bytes) -> datetime:
        try:
            return authority.check(statement, answer)
        except NotAStamp as exc:
            raise StampRefused(str(exc)) from exc

    return stamped


def _told(file: Path, result: Result, *, pinned: bool) -> dict[str, object]:
    names = ("lot", "made_at", "open", "units", "passed", "attempts", "certificates", "linked", "notes")
    return {
        "file": str(file),
        "sound": result.is_sound,
        **{name: getattr(result, name) for name in names},
        "signed_by": result.signed_by.hex(),
        "pinned": pinned,
        "findings": [{"place": each.place, "what": each.sentence} for each in result.findings],
        "more_findings": result.more,
    }


def _say(file: Path, result: Result, *, pinned: bool) -> None:
    for each in result.findings:
        say(f"found: {each}", err=True)
    if result.more:
        say(f"found: {result.more} more", err=True)
    if result.signed_by:
        print_of = fingerprint(result.signed_by)[:16]
        whose = "one of the given keys" if pinned and result.is_sound else "compare it with the station's"
        say(f"lot {result.lot}, made {result.made_at}", f"key {result.signed_by.hex()} ({print_of}): {whose}")
    if result.is_sound:
        say(*(f"note: {note}" for note in result.notes))
        say(
            f"{counted(result.units, 'unit')}, {result.passed} passed; {counted(result.attempts, 'attempt')},"
            f" {counted(result.certificates, 'certificate')}, {counted(result.linked, 'line')} of the chain"
        )
        say(f"{file}: sound{', of a lot that was still open' if result.open else ''}")
    else:
        say(f"{file}: not sound")
