# SPDX-License-Identifier: Apache-2.0
"""`station board`: shows and checks one board's flash image, as a page that a process engineer can sign.

Shows no secret.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import DONE, FAILED
from station.cli.judge import cd, certificate, verdicts
from station.cli.judge.inputs import read_file, read_passcode
from station.cli.judge.terms import Terms, with_terms
from station.domain.product import KeyStorage
from station.factory_data import flat_tlv
from station.factory_data.device_information import is_terminated
from station.factory_data.examination import Examination, Finding
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults.line import FactoryDataInvalid
from station.matter.certificates.certification_declaration import CertificationDeclaration
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.trust import TrustStore
from station.matter.certificates.x509 import Certificate

ACCEPTED = "a commissioner accepts this unit"
TITLES = {
    "unit": "Unit",
    "dac": "Device attestation certificate (DAC): this unit's own",
    "pai": "Product attestation intermediate (PAI): signed the DAC",
    "paa": "Product attestation authority (PAA): signed the PAI, from the trust store",
    "declaration": "Certification declaration (CD): what the product was certified as",
}
Sections = dict[str, dict[str, object]]

app = typer.Typer(help="Look at a board's flash image.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look at a board's flash image."""


@app.command()
@with_terms
def inspect(
    terms: Terms,
    flash: Annotated[Path, typer.Argument(help="A dump from 0x90000000 or 0x901C0000, or the block alone.")],
    passcode_file: Annotated[
        Path | None, typer.Option("--passcode-file", help="The label's passcode, in a file.", show_default=False)
    ] = None,
    key_storage: Annotated[
        KeyStorage | None, typer.Option("--key-storage", help="Required place of the DAC's key.", show_default=False)
    ] = None,
) -> None:
    """Show the content of a board's flash, and judge all of it as a commissioner does.

    Exits 0 if all is right, 1 if anything is wrong, 2 if a file cannot be used. --vid and --pid default to the block's own,
    --passcode-file to the passcode in flash, if there is one.
    """
    trust = terms.read_trust()
    passcode = None if passcode_file is None else read_passcode(passcode_file)
    try:
        data = flat_tlv.decode(read_file(flash))
    except FactoryDataInvalid as fault:
        verdicts.conclude(fault, "", json_wanted=terms.json_wanted)
        return
    vendor_id, product_id = (
        given if given is not None else data.number(tag) or 0
        for given, tag in ((terms.vid, Tag.VENDOR_ID), (terms.pid, Tag.PRODUCT_ID))
    )
    examination = Examination(
        terms.product(vendor_id, product_id),
        trust,
        at=terms.moment,
        production=terms.production,
        passcode=passcode,
        key_in_flash=None if key_storage is None else key_storage is KeyStorage.FLASH,
    )
    _report(_sections(data, trust), examination.of(data), json_wanted=terms.json_wanted)


def _report(sections: Sections, findings: Sequence[Finding], *, json_wanted: bool) -> None:
    first = next((finding.fault for finding in findings if finding.fault), None)
    if json_wanted:
        checks = [_check(finding) for finding in findings]
        say_json({**verdicts.as_json(first, ACCEPTED), **sections, "checks": checks})
    else:
        for title, members in sections.items():
            say(TITLES[title])
            verdicts.print_members({f"  {name}": value for name, value in members.items()})
            say("")
        say("Checks")
        for finding in findings:
            say(_line(finding))
        say("")
        bad = sum(finding.fault is not None for finding in findings)
        say(f"refused: {bad} of {len(findings)} checks" if bad else f"accepted: {ACCEPTED}")
    raise typer.Exit(DONE if first is None else FAILED)


def _check(finding: Finding) -> dict[str, object]:
    return {"subject": finding.subject, "judged": finding.judged, **verdicts.as_json(finding.fault, finding.note)}


def _line(finding: Finding) -> str:
    word = "REFUSED" if finding.fault else "ok" if finding.judged else "open"
    return f"  {word:8} {finding.subject:26} {verdicts.text(finding.fault) if finding.fault else finding.note}"


def _sections(data: FactoryData, trust: TrustStore) -> Sections:
    pai = data.octets(Tag.PAI_CERTIFICATE)
    return {
        "unit": _unit(data),
        "dac": _certificate(data.octets(Tag.DEVICE_ATTESTATION_CERTIFICATE)),
        "pai": _certificate(pai),
        "paa": _paa(pai, trust),
        "declaration": _declaration(data.octets(Tag.CERTIFICATION_DECLARATION)),
    }


def _unit(data: FactoryData) -> dict[str, object]:
    hidden = {tag: "in flash, not shown" if tag in data.records else "not in flash" for tag in flat_tlv.SECRET}
    return {
        "serial_number": _text(data, Tag.SERIAL_NUMBER),
        "vendor": _named(data, Tag.VENDOR_NAME, Tag.VENDOR_ID),
        "product": _named(data, Tag.PRODUCT_NAME, Tag.PRODUCT_ID),
        "hardware": _named(data, Tag.HARDWARE_VERSION_STRING, Tag.HARDWARE_VERSION),
        "made_on": _text(data, Tag.MANUFACTURING_DATE),
        "discriminator": data.number(Tag.SETUP_DISCRIMINATOR),
        "passcode": hidden[Tag.SPAKE2_SETUP_PASSCODE],
        "verifier_iterations": data.number(Tag.SPAKE2_ITERATION_COUNT),
        "private_key": hidden[Tag.DEVICE_ATTESTATION_PRIV_KEY],
        "rotating_device_id": hidden[Tag.ROTATING_DEVICE_ID],
        "strings": "end in NUL" if is_terminated(data) else "without NUL, as ST's tool writes them",
        "factory_data": f"{len(data.records)} records, {len(flat_tlv.encode(data))} of {flat_tlv.BLOCK_SIZE} bytes",
    }


def _text(data: FactoryData, tag: Tag) -> str | None:
    text = data.text(tag)
    return text and text.removesuffix("\0")


def _named(data: FactoryData, name: Tag, number: Tag) -> str:
    return f"{_text(data, name) or 'no name'} ({certificate.hexadecimal(data.number(number)) or 'no number'})"


def _certificate(content: bytes | None) -> dict[str, object]:
    if content is None:
        return {"missing": "no such record"}
    try:
        return certificate.described(Certificate.read(content))
    except RuleBroken as broken:
        return {"unreadable": f"rule {broken.rule.name}: {broken.reason}"}


def _paa(pai: bytes | None, trust: TrustStore) -> dict[str, object]:
    """The trusted root that the PAI names; never a certificate from the board."""
    try:
        key_id = Certificate.read(pai or b"").extensions.authority_key_id
    except RuleBroken:
        return {"missing": "unknown, since the PAI that names it cannot be read"}
    found = trust.paas.get(key_id or b"")
    return {"missing": "not in the trust store"} if found is None else certificate.described(found)


def _declaration(content: bytes | None) -> dict[str, object]:
    if content is None:
        return {"missing": "no such record"}
    try:
        return cd.described(CertificationDeclaration.read(content))
    except RuleBroken as broken:
        return {"unreadable": f"rule {broken.rule.name}: {broken.reason}"}
