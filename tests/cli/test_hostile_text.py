# SPDX-License-Identifier: Apache-2.0
"""Every command shows text of boards, partners, programmers, PKIs and people so that no terminal obeys it."""

import ast
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
from rich.table import Table
from typer.core import TyperGroup
from typer.main import get_command

from station.adapters.system.shown import LONGEST, shown
from station.cli import app
from station.cli.consoles import Screen, coloured, say_json, styled
from station.cli.demo.line import DemoLine
from station.cli.demo.report import Expected, Report, explanations, report_table
from station.cli.demo.watch import watch
from station.cli.judge import verdicts
from station.cli.line import measured
from station.cli.line.status import slot_table
from station.config import line
from station.faults import LONGEST_EVIDENCE
from station.measure.figures import by_model, report
from station.measure.model import PROFILES as MEASURED_AGAINST
from station.measure.model import Sizes
from tests.builders.bench import target
from tests.builders.dcl_stub import NEW_PAA, OLD_SIGNER, Ledger
from tests.builders.forge import COMMON_NAME, DAC, PAA, PAI, ForgedRequest, name
from tests.builders.forge_declaration import Declaration
from tests.builders.forge_declaration import text as declared
from tests.builders.forge_unit import flash, unit
from tests.builders.lot_evidence import edited, key_file, members, resigned
from tests.cli.hostile import (
    HOSTILE,
    LONG,
    SEEN,
    TEXT,
    Desk,
    check_harmless,
    configuration,
    faults,
    status,
)
from tests.cli.hostile_centre import CENTRAL
from tests.web.fake_door import FakeDoor, slot
from tests.web.in_a_thread import served_in_a_thread

CLI = Path(__file__).parents[2] / "station" / "cli"


def both(desk: Desk, *arguments: str | Path) -> str:
    """A command's output for people, and its JSON, which must parse."""
    as_json = desk.station(*arguments, "--json")
    json.loads(as_json)
    return desk.station(*arguments) + as_json


def people(desk: Desk) -> str:
    """Lists people whose file somebody has edited."""
    entry = {"name": TEXT, "role": "operator", "token": "00" * 32, "since": "2026-01-01T00:00:00Z"}
    file = line.load(desk.config, {}).people_file
    file.touch(0o600)
    file.write_text(json.dumps({"schema_version": 1, "salt": "00" * 16, "people": [entry]}))
    return both(desk, "people", "list", "--config", desk.config)


def trust(desk: Desk) -> tuple[str | Path, ...]:
    return ("--paa-dir", desk.folder / "paa", "--cd-signers", desk.folder / "signers", "--vid", "0xFFF1")


def ports(desk: Desk) -> str:
    """Runs `station ports` with a place of that name on the bus."""
    for kind, link in (
        ("by-id", "usb-STMicroelectronics_STLink_066DFF01-if02"),
        ("by-path", f"pci-{TEXT.replace('/', '')}"),
    ):
        place = desk.folder / "serial" / kind
        place.mkdir(parents=True)
        (place / link).symlink_to(desk.folder / "gone")
    return both(desk, "ports", "--devices", desk.folder / "serial")


def learn(desk: Desk) -> str:
    """Runs `station slots learn` while a board comes and goes at a place of that name."""
    serial, gone = desk.folder / "learn" / "serial", desk.folder / "gone"
    place = serial / "by-path" / f"pci-{TEXT.replace('/', '')}"
    for folder in (serial / "by-id", serial / "by-path"):
        folder.mkdir(parents=True)
    (serial / "by-id" / "usb-STMicroelectronics_STLink_066DFF01-if02").symlink_to(gone)
    (serial / "by-path" / f"pci-2{TEXT.replace('/', '')}").symlink_to(gone.with_name("other"))
    file = desk.file(f"learn/{TEXT.replace('/', '')}", f'[hotplug]\nsource = "links"\ndirectory = "{serial}"\n')
    learned = threading.Event()

    def come_and_go() -> None:
        while not learned.wait(0.05):
            place.unlink() if place.is_symlink() else place.symlink_to(gone)

    person = threading.Thread(target=come_and_go)
    person.start()
    try:
        told = desk.station("slots", "learn", "--config", file, "--count", "1", "--dry-run")
        return told + desk.station("slots", "learn", "--config", file, "--count", "1")
    finally:
        learned.set()
        person.join()


def run(desk: Desk) -> str:
    """Runs `station run` with the text in its configuration."""
    written = desk.file("bad.toml", configuration() + f"[log]\n{json.dumps(TEXT)} = 1\n")
    return desk.station("run", "--config", written)


def demo(desk: Desk) -> str:
    """Runs `station demo` with the text in a fault file and in the name of its folder."""
    file = desk.file("faults.toml", f'[[fault]]\nboard = {json.dumps(TEXT)}\nexpect = {{ verdict = "pass" }}\n')
    taken = desk.folder / TEXT.replace("/", "")
    (taken / "something").mkdir(parents=True)
    return desk.station("demo", "--faults", file) + desk.station("demo", "--dir", taken)


def watched(desk: Desk) -> str:
    """Runs `station watch` with the text in every option."""
    token = desk.file("token", "t")
    token.chmod(0o600)
    options = (("--url", TEXT), ("--token-file", TEXT), ("--ca", TEXT), ("--config", TEXT), ("--language", TEXT))
    line = ("--config", desk.config)
    return "".join(desk.station("watch", "--once", *line, option, value) for option, value in options) + desk.station(
        "watch", "--url", f"http://{TEXT}", "--token-file", token
    )


def factory_data_build(desk: Desk) -> str:
    return desk.station("factory-data", "build", desk.file("in.json", json.dumps({TEXT: 1})), "-o", desk.folder / "out")


def factory_data_show(desk: Desk) -> str:
    block = desk.file(
        "qspi.bin", flash(unit(SERIAL_NUMBER=TEXT.encode()[:32], PRODUCT_NAME=b"\x1b[2J\xe2\x80\xae[/nope]"))
    )
    return both(desk, "factory-data", "show", block)


def attestation(desk: Desk) -> str:
    vector = {"dac_cert": "00", "pai_cert": "00", "certification_declaration": "00", "basic_info_pid": 1}
    good = desk.file("vectors.json", json.dumps({TEXT: vector}))
    bad = desk.file("bad.json", json.dumps({TEXT: 1}))
    return both(desk, "attestation", "check", *trust(desk), "--vectors", good) + desk.station(
        "attestation", "check", *trust(desk), "--vectors", bad
    )


def trust_store(desk: Desk) -> tuple[Path, Path]:
    """A trust store, and a folder with a node's answers that have the text in a root's subject, a label and a model."""
    store, answers = desk.folder / "store", desk.folder / "answers"
    for folder, der in (("paa", PAA.der), ("cd-signers", OLD_SIGNER.der)):
        (store / folder).mkdir(parents=True, exist_ok=True)
        (store / folder / "one.der").write_bytes(der)
    named = name((COMMON_NAME, TEXT[:60]))
    ledger = Ledger(roots=[replace(NEW_PAA, issuer=named, subject=named)], label=TEXT, product_name=TEXT)
    answers.mkdir(exist_ok=True)
    for number, content in enumerate(ledger.answers().values()):
        (answers / f"{number}.json").write_bytes(content)
    return store, answers


def trust_update(desk: Desk) -> str:
    store, answers = trust_store(desk)
    return both(desk, "trust", "update", store, answers) + desk.station("trust", "update", store, "--node", TEXT)


def dcl_fetch(desk: Desk) -> str:
    store, answers = trust_store(desk)
    bad = desk.file("bad.json", json.dumps({TEXT: 1}))
    return both(desk, "dcl", "fetch", answers, "--store", store) + desk.station("dcl", "fetch", bad, TEXT)


def certificate(desk: Desk) -> str:
    return both(desk, "certificate", "show", desk.file("dac.der", replace(DAC, subject=name((COMMON_NAME, TEXT))).der))


def csr(desk: Desk) -> str:
    request = ForgedRequest(subject=name((COMMON_NAME, TEXT), (COMMON_NAME, TEXT)))
    return both(desk, "csr", "check", desk.file("request.der", request.der)) + desk.station("csr", "check", TEXT)


def cd(desk: Desk) -> str:
    signed = Declaration().having(declared(4, "[/nope]\x1b[2J01234567")).der
    return both(desk, "cd", "show", desk.file("cd.der", signed))


def board(desk: Desk) -> str:
    records = {
        "SERIAL_NUMBER": TEXT.encode()[:32],
        "VENDOR_NAME": b"[/nope]\x1b[2J\xe2\x80\xae",
        "DEVICE_ATTESTATION_CERTIFICATE": replace(DAC, subject=name((COMMON_NAME, TEXT))).der,
        "CERTIFICATION_DECLARATION": Declaration().having(declared(4, "[/nope]\x1b[2J01234567")).der,
        "PAI_CERTIFICATE": replace(PAI, issuer=name((COMMON_NAME, TEXT))).der,
    }
    return both(desk, "board", "inspect", desk.file("qspi.bin", flash(unit(**records))), *trust(desk))


def encode(desk: Desk) -> str:
    passcode = desk.file("passcode", "20202021")
    label = ("--vid", "0xFFF1", "--pid", "0x8004", "--discriminator", "3840", "--passcode-file", passcode)
    return both(desk, "onboarding", "encode", *label, "--serial", TEXT) + desk.station(
        "onboarding", "encode", *label, "--capabilities", TEXT
    )


def decode(desk: Desk) -> str:
    return both(desk, "onboarding", "decode", TEXT) + both(desk, "onboarding", "decode", f"MT:{TEXT}")


def spake2p(desk: Desk) -> str:
    passcode = desk.file("passcode", TEXT)
    given = ("--salt", "00" * 16, "--iterations")
    both(desk, "spake2p", "verifier", "--passcode-file", desk.file("good", "20202021"), *given, "1000")
    return desk.station("spake2p", "verifier", "--passcode-file", passcode, *given, "1000") + desk.station(
        "spake2p", "verifier", "--passcode-file", passcode, *given, TEXT
    )


def gen_factory_data(desk: Desk) -> str:
    """Runs `gen-factory-data` with the text in the input, in a file's name and in an option."""
    source = desk.file("in.json", json.dumps({TEXT: 1}))
    named = desk.file(TEXT.replace("/", ""), "{}")
    return "".join(
        desk.station("gen-factory-data", "--provisioning", *arguments)
        for arguments in (("0", "--json", source, "--verbose"), ("0", "--json", named), (TEXT,), ("0", f"--{TEXT}"))
    )


def config_check(desk: Desk) -> str:
    """Settings with such values; every one is complained of."""
    desk.file("mistaken.toml", configuration().replace('cli = "c"', f"cli = {json.dumps(TEXT)}\nbaudrate = 1"))
    return both(desk, "config", "check", "--config", desk.folder / "mistaken.toml")


def doctor(desk: Desk) -> str:
    """A configuration with such a value, for people and in JSON."""
    config_check(desk)
    return both(desk, "doctor", "--config", desk.folder / "mistaken.toml")


def labels_scan(desk: Desk) -> str:
    """The scanned code is read from standard input."""
    desk.monkeypatch.setattr(sys, "stdin", io.StringIO(TEXT))
    return desk.station("labels", "scan", "--slot", TEXT, "--config", desk.config)


def lot_evidence(desk: Desk) -> str:
    """Writes the bundle of a lot with that name, `bundle.zip`."""
    key, _ = key_file(desk.folder)
    given = ("lots", "evidence", TEXT, "--to", desk.folder / "bundle.zip", "--ledger", desk.ledger)
    return (
        desk.station(*given, "--signing-key", key)
        + desk.station(*given, "--signing-key", TEXT)
        + desk.station(*given, "--signing-key", key, "--open")
    )


def evidence_verify(desk: Desk) -> str:
    """A good bundle, one with the text in a member of the wrong kind, and what is no bundle."""
    lot_evidence(desk)
    bundle, key = desk.folder / "bundle.zip", key_file(desk.folder)[1]
    contents = members(bundle)
    changed = edited(contents["attempts.ndjson"], lambda row: {**row, "verdict": TEXT, "events": TEXT})
    bad = resigned(desk.folder / "bad.zip", {**contents, "attempts.ndjson": changed}, key)
    return (
        both(desk, "evidence", "verify", bundle)
        + both(desk, "evidence", "verify", bad, "--key", key.public_key().public_bytes_raw().hex())
        + desk.station("evidence", "verify", desk.file("bundle.txt", TEXT), "--key", TEXT)
    )


def evidence_show(desk: Desk) -> str:
    lot_evidence(desk)
    return both(desk, "evidence", "show", desk.folder / "bundle.zip") + desk.station("evidence", "show", TEXT)


def measure(desk: Desk) -> str:
    """A slot of that name, which no line has, and a report on a board whose probe and programmer have such versions."""
    board = replace(target(1), probe_firmware=TEXT, programmer_version=TEXT)
    times = [by_model(profile, Sizes(1, 1, 1, 1, 1)) for profile in MEASURED_AGAINST.values()]
    found = report(times, Sizes(1, 1, 1, 1, 1), verified_in_full=False)
    output = io.StringIO()
    with redirect_stdout(output):
        measured.show(found, TEXT, board, 1)
        for fault in faults(TEXT):
            say_json(measured.members(found, TEXT, TEXT, board, 1, fault, fault))
    return output.getvalue() + desk.station("measure", TEXT, "--yes", "--config", desk.config)


PLACES: dict[str, Callable[[Desk], str]] = {
    "demo": demo,
    "measure": measure,
    "ports": ports,
    "run": run,
    "config check": config_check,
    "doctor": doctor,
    "status": lambda desk: both(desk, "status", "--config", desk.config),
    "watch": watched,
    "drain": lambda desk: desk.station("drain", "--reason", TEXT, "--config", desk.config),
    "install": lambda desk: desk.station(
        "install", "--prefix", desk.folder / TEXT, "--program", "/opt/station", "--dry-run"
    ),
    "slots list": lambda desk: both(desk, "slots", "list", "--config", desk.config),
    "slots hold": lambda desk: desk.station("slots", "hold", TEXT, "--reason", TEXT, "--config", desk.config),
    "slots learn": learn,
    "slots release": lambda desk: desk.station("slots", "release", TEXT, "--reason", TEXT, "--config", desk.config),
    "slots history": lambda desk: (
        both(desk, "slots", "history", "--ledger", desk.ledger)
        + both(desk, "slots", "history", "--slot", TEXT, "--ledger", desk.ledger)
    ),
    "factory-data build": factory_data_build,
    "factory-data show": factory_data_show,
    "numbers": lambda desk: (
        both(desk, "numbers", "--lot", TEXT, "--ledger", desk.ledger)
        + both(desk, "numbers", "--ledger", desk.ledger)
        + desk.station("numbers", "--slot", "no " + TEXT, "--ledger", desk.ledger)
    ),
    "replay": lambda desk: desk.station("replay", "1", "--recordings", TEXT, "--config", desk.config),
    "units list": lambda desk: (
        both(desk, "units", "list", "--ledger", desk.ledger)
        + both(desk, "units", "list", "--since", "2020-01-01", "--ledger", desk.ledger)
        + desk.station("units", "list", "--since", TEXT, "--ledger", desk.ledger)
        + desk.station("units", "list", "--fault", "no " + TEXT, "--ledger", desk.ledger)
    ),
    "units show": lambda desk: (
        both(desk, "units", "show", TEXT, "--ledger", desk.ledger)
        + desk.station("units", "show", "no " + TEXT, "--ledger", desk.ledger)
    ),
    "units export": lambda desk: (
        desk.station("units", "export", "--ledger", desk.ledger).replace("\r\n", "\n")
        + desk.station("units", "export", "--format", "jsonl", "--ledger", desk.ledger)
    ),
    "lots list": lambda desk: both(desk, "lots", "list", "--ledger", desk.ledger),
    "lots show": lambda desk: (
        both(desk, "lots", "show", TEXT, "--ledger", desk.ledger)
        + desk.station("lots", "show", "no " + TEXT, "--ledger", desk.ledger)
    ),
    "lots report": lambda desk: desk.station("lots", "report", TEXT, "--ledger", desk.ledger).replace("\r\n", "\n"),
    "lots evidence": lot_evidence,
    "evidence verify": evidence_verify,
    "evidence show": evidence_show,
    "evidence sbom": lambda desk: desk.station("evidence", "sbom", "-o", desk.folder / "none" / TEXT),
    "lots open": lambda desk: desk.station("lots", "open", TEXT, "--reason", TEXT, "--config", desk.config),
    "lots pause": lambda desk: desk.station("lots", "pause", TEXT, "--reason", TEXT, "--config", desk.config),
    "lots close": lambda desk: desk.station("lots", "close", TEXT, "--reason", TEXT, "--config", desk.config),
    "units release": lambda desk: desk.station(
        "units", "release", "00" * 12, "--reason", TEXT, "--config", desk.config
    ),
    "units scrap": lambda desk: desk.station("units", "scrap", "00" * 12, "--reason", TEXT, "--config", desk.config),
    "samples list": lambda desk: both(desk, "samples", "list", "--ledger", desk.ledger),
    "samples add": lambda desk: (
        desk.station("samples", "add", "00" * 12, "--reason", TEXT, "--config", desk.config)
        + desk.station("samples", "add", "00" * 12, "--fault", TEXT, "--reason", TEXT, "--config", desk.config)
    ),
    "samples remove": lambda desk: desk.station(
        "samples", "remove", "00" * 12, "--reason", TEXT, "--config", desk.config
    ),
    "units fresh": lambda desk: desk.station("units", "fresh", "00" * 12, "--reason", TEXT, "--config", desk.config),
    "units label": lambda desk: both(desk, "units", "label", "00" * 12, "--reason", TEXT, "--config", desk.config),
    "units labels": lambda desk: desk.station(
        "units",
        "labels",
        "--lot",
        TEXT,
        "--recipient",
        desk.file("key", TEXT),
        "--to",
        desk.folder / "out",
        "--config",
        desk.config,
    ),
    "units forget": lambda desk: desk.station("units", "forget", "00" * 12, "--reason", TEXT, "--config", desk.config),
    "labels status": lambda desk: both(desk, "labels", "status", "--config", desk.config),
    "labels print": lambda desk: desk.station("labels", "print", "00" * 12, "--reason", "jam", "--config", desk.config),
    "labels scan": labels_scan,
    "secrets status": lambda desk: (
        both(desk, "secrets", "status", "--ledger", desk.ledger)
        + desk.station("secrets", "status", "--ledger", desk.ledger, "--key", desk.folder / TEXT.replace("/", ""))
        + desk.station("secrets", "status", "--ledger", TEXT)
    ),
    "secrets rotate": lambda desk: (
        desk.station("secrets", "rotate", "--reason", TEXT, "--ledger", TEXT)
        + desk.station("secrets", "rotate", "--token", TEXT, "--ledger", desk.ledger)
        + desk.station("secrets", "rotate", "--ledger", TEXT)
    ),
    "secrets give-up": lambda desk: desk.station(
        "secrets", "give-up", "--reason", TEXT, "--yes", "--ledger", desk.folder / TEXT.replace("/", "") / "ledger"
    ),
    "people add": lambda desk: desk.station("people", "add", TEXT, "--config", desk.config),
    "people token": lambda desk: desk.station("people", "token", TEXT, "--config", desk.config),
    "people remove": lambda desk: desk.station("people", "remove", TEXT, "--config", desk.config),
    "people list": people,
    "pki orphans": lambda desk: both(desk, "pki", "orphans", "--ledger", desk.ledger),
    "pki again": lambda desk: desk.station("pki", "again", "00" * 12, "--reason", TEXT, "--config", desk.config),
    "pki close": lambda desk: desk.station("pki", "close", TEXT, "--reason", TEXT, "--config", desk.config),
    "pki reconcile": lambda desk: desk.station("pki", "reconcile", TEXT, "--ledger", desk.ledger),
    "pki export-revocations": lambda desk: (
        desk.station("pki", "export-revocations", "--ledger", desk.ledger).replace("\r\n", "\n")
        + desk.station("pki", "export-revocations", "--jsonl", "--ledger", desk.ledger)
    ),
    "outbox list": lambda desk: both(desk, "outbox", "list", "--ledger", desk.ledger),
    "outbox retry": lambda desk: desk.station("outbox", "retry", "1", "--reason", TEXT, "--config", desk.config),
    "outbox drop": lambda desk: desk.station("outbox", "drop", "1", "--reason", TEXT, "--config", desk.config),
    "ledger backup": lambda desk: (
        desk.station("ledger", "backup", desk.folder / TEXT.replace("/", ""), "--ledger", desk.ledger)
        + desk.station("ledger", "backup", desk.folder / "copy", "--ledger", TEXT)
    ),
    "ledger check": lambda desk: desk.station("ledger", "check", "--ledger", TEXT),
    "ledger restored": lambda desk: desk.station("ledger", "restored", "--skip", "1", "--ledger", TEXT),
    "audit verify": lambda desk: (
        desk.station("audit", "verify", "--ledger", desk.ledger, "--checkpoints", TEXT)
        + desk.station("audit", "verify", "--ledger", desk.ledger, "--key", TEXT)
        + desk.station("audit", "verify", "--ledger", TEXT)
    ),
    "audit show": lambda desk: (
        desk.station("audit", "show", "--ledger", desk.ledger) + desk.station("audit", "show", "--ledger", TEXT)
    ),
    "audit checkpoint": lambda desk: desk.station("audit", "checkpoint", "--config", desk.config),
    "audit accept": lambda desk: desk.station("audit", "accept", "--reason", TEXT, "--config", TEXT),
    "leases show": lambda desk: (
        both(desk, "leases", "show", "--ledger", desk.ledger) + desk.station("leases", "show", "--ledger", TEXT)
    ),
    "leases return": lambda desk: (
        desk.station("leases", "return", TEXT, "--config", desk.config)
        + desk.station("leases", "return", TEXT, "--ledger", TEXT)
    ),
    "ledger audit": lambda desk: (
        desk.station("ledger", "audit", "--ledger", desk.ledger) + desk.station("ledger", "audit", "--ledger", TEXT)
    ),
    "trust update": trust_update,
    "dcl fetch": dcl_fetch,
    "attestation check": attestation,
    "certificate show": certificate,
    "csr check": csr,
    "cd show": cd,
    "board inspect": board,
    "onboarding encode": encode,
    "onboarding decode": decode,
    "spake2p verifier": spake2p,
    "gen-factory-data": gen_factory_data,
    **CENTRAL,
}


NEVER_REPEAT = {
    "onboarding decode",
    "onboarding encode",
    "spake2p verifier",
}  # what they are given is secret, or refused


def registered(group: TyperGroup, before: str = "") -> Iterator[str]:
    """The names of all commands."""
    for command, found in group.commands.items():
        if isinstance(found, TyperGroup):
            yield from registered(found, f"{before}{command} ")
        else:
            yield f"{before}{command}"


def test_every_command_has_a_place_here() -> None:
    """A new command fails this test until it is tested with the hostile text."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    assert set(registered(root)) == set(PLACES)


@pytest.mark.parametrize("command", PLACES)
def test_no_command_obeys_what_it_shows(desk: Desk, command: str) -> None:
    """The text is visible, to people and in JSON, and has no effect on the terminal."""
    output = PLACES[command](desk)
    assert "Traceback" not in output
    check_harmless(output)
    assert "nope" in output or command in NEVER_REPEAT


@pytest.mark.parametrize("option", ["--config", "--ledger"])
def test_a_file_with_such_a_name_is_complained_of(desk: Desk, option: str) -> None:
    """The complaint on standard error has the whole file name."""
    output = desk.station("units", "list", option, TEXT)
    check_harmless(output)
    assert SEEN in output


@pytest.mark.parametrize("arguments", [(TEXT,), (f"--{TEXT}",), ("status", TEXT), ("units", "list", "--last", TEXT)])
def test_wrong_usage_is_told_without_obeying_it(desk: Desk, arguments: tuple[str, ...]) -> None:
    """The hostile text also passes through the command line's parser."""
    output = desk.station(*arguments)
    assert "Error" in output
    check_harmless(output)


def test_the_slots_show_every_fault_with_the_text_in_it() -> None:
    """The table of slots is printed for every fault that carries the text."""
    output = io.StringIO()
    Screen(file=output, width=4000, color_system=None).print(slot_table(status(TEXT)))
    check_harmless(output.getvalue())
    for fault, row in zip(faults(TEXT), output.getvalue().splitlines()[1:], strict=True):
        assert f"{fault.code}: {shown(fault)}" in row


def test_a_serial_number_in_brackets_does_not_end_the_status(desk: Desk) -> None:
    """A board sent `SN=[/nope]`, which rich read as markup, and `station status` crashed."""
    output = desk.station("slots", "list", "--config", desk.config)
    assert "MarkupError" not in output
    assert "[/nope]" in output


@pytest.mark.parametrize("fault", faults(LONG), ids=lambda fault: fault.code)
def test_evidence_is_bounded_where_it_is_kept_and_where_it_is_shown(fault: object) -> None:
    """A board may send a hundred thousand characters."""
    evidence = getattr(fault, "evidence", {})
    assert all(len(value) <= LONGEST_EVIDENCE for value in evidence.values())
    assert len(shown(str(fault))) <= LONGEST + 20 * len(SEEN)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_the_demonstrations_picture_and_report_show_it(
    desk: Desk,
    terminal: bool,  # noqa: FBT001
) -> None:
    """The demonstration's live picture, its sentences from the log, and its report show the text."""
    (desk.folder / "ledger.sqlite").symlink_to(desk.ledger)
    keys = {"event": "attempt.finished", "slot": TEXT, "verdict": TEXT, "fault": TEXT, "reason": TEXT, "step": TEXT}
    log = [json.dumps({**keys, "attempt": attempt, "seconds": 1.0}) for attempt in range(1, len(faults(TEXT)) + 1)]
    desk.file("logs/station.jsonl", "".join(f"{line}\n" for line in log))
    output = io.StringIO()
    screen = Screen(file=output, force_terminal=terminal, width=400, height=400, color_system=None)
    with served_in_a_thread(FakeDoor([slot(TEXT, "fail", "flash.mismatch")])) as url:
        found, endings = watch(screen, DemoLine(desk.folder, Path(), page=url), 1)
    report = Report.of({"1": replace(next(iter(found.values())), slot="1")})
    screen.print(report_table(report))
    for explanation in explanations(report, endings, desk.folder):
        screen.print(explanation, soft_wrap=True)
    for surprise in report.surprises({TEXT: Expected(), "1": Expected("pass", TEXT)}):
        screen.print(styled((surprise, "red")))
    text = output.getvalue()
    for own in ("\x1b[?1049h", "\x1b[?1049l", "\x1b[H", "\x1b[?25l", "\x1b[?25h", "\r"):  # the live picture's own
        text = text.replace(own, "") if terminal else text
    check_harmless(text)
    assert SEEN in text


def test_a_screen_takes_every_string_for_data() -> None:
    """Sentences, cells, titles and styles are all escaped by the screen, so no caller can forget to."""
    output = io.StringIO()
    screen = Screen(file=output, width=400, color_system=None)
    table = Table(HOSTILE, title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE)
    screen.print(HOSTILE, table, styled((HOSTILE, "bold"), HOSTILE), coloured("fail", HOSTILE), coloured(HOSTILE))
    check_harmless(output.getvalue())
    assert output.getvalue().count(SEEN) == 9


def test_text_is_cut_where_it_has_no_end() -> None:
    """A mark shows that the text was cut."""
    assert shown("x" * 1_000_000) == "x" * (LONGEST - 1) + "…"
    assert shown("Lämpchen 电灯") == "Lämpchen 电灯"


def test_a_refusal_is_one_line() -> None:
    """Every fault of the catalogue is shown in one line."""
    for fault in faults(HOSTILE):
        check_harmless(shown(verdicts.line(fault, "")))


OWN = {"echo", "secho", "print_json", "from_markup", "Console", "Text", "Panel", "Markdown"}


@pytest.mark.parametrize("module", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
def test_commands_print_through_one_module(module: Path) -> None:
    """Only `consoles.py` prints, since it escapes and bounds text."""
    if module.stem == "consoles":
        return
    tree = ast.parse(module.read_text())
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
    bare = {call.id for call in calls if isinstance(call, ast.Name)}
    assert not names & OWN
    assert "print" not in bare
