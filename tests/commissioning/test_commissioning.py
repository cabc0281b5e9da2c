# SPDX-License-Identifier: Apache-2.0
"""Real Matter commissioners commission provisioned units, and refuse spoiled ones, each for the right reason."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.builders import forge
from tests.builders.forge_declaration import u8
from tests.builders.station_demo import ROOT, SHORT_DEADLINES, Demonstration, demonstrate
from tests.builders.white_label import CD_SIGNERS
from tests.commissioning import white_label
from tests.commissioning.flash import Flash, Tag
from tests.commissioning.mutant import DECLARATION
from tests.commissioning.room import PYTHON, Answer, chip_room, matterjs_room
from tests.commissioning.white_label import LABELS

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(1800)]

ATTESTATION = ROOT / "tests" / "vectors" / "attestation"
COMMISSIONERS = ("chip", "matter.js")


@dataclass(frozen=True, slots=True)
class Case:
    """A light and its label's code, made from two boards of a run, and each commissioner's text of refusal."""

    light: Callable[[Flash, Flash], Flash]
    code: Callable[[Flash, Flash], str] = lambda board, _: board.label()
    reasons: tuple[str, str] | None = None

    def reason(self, commissioner: str) -> str:
        assert self.reasons is not None
        return self.reasons[COMMISSIONERS.index(commissioner)]


def with_later_member(board: Flash) -> Flash:
    """The board with a declaration that has a member of a later version of Matter."""
    declaration = DECLARATION.having(u8(12, 1))
    return board.having(Tag.CERTIFICATION_DECLARATION, declaration.der)


def with_rewritten_issuer(board: Flash) -> Flash:
    """The board with a DAC that names its issuer in a string of another type and case."""
    dac = replace(forge.DAC, issuer=forge.PAI_NAME.replace(b"\x0c\x08TEST", b"\x13\x08Test"))
    key = forge.DAC_KEY.private_numbers().private_value.to_bytes(32, "big")
    return board.having(Tag.DAC, dac.der).having(Tag.PAI, forge.PAI.der).having(Tag.DAC_PRIVATE_KEY, key)


GOOD = {
    "the first board": Case(lambda first, _: first),
    "the second board": Case(lambda _, second: second, lambda _, second: second.label()),
    "a declaration with a later member": Case(lambda first, _: with_later_member(first)),
    "an issuer's name in another string type": Case(lambda first, _: with_rewritten_issuer(first)),
}
WRONG_PASSCODE = ("Failed to verify peer's MAC", "incorrect key confirmation")
WRONG_KEY = (r"err 500 ", "^AttestationSignatureInvalid$")
BAD_CHAIN = (r"err 301 ", "^CertificateChainInvalid$")
UNATTESTED = {
    "the DAC of another board": Case(
        lambda first, second: first.having(Tag.DAC, second.records[Tag.DAC]),
        reasons=WRONG_KEY,
    ),
    "a flipped bit in the key": Case(
        lambda first, _: first.with_flipped_bit(Tag.DAC_PRIVATE_KEY, -1),
        reasons=WRONG_KEY,
    ),
    "a flipped bit in the DAC": Case(
        lambda first, _: first.with_flipped_bit(Tag.DAC, -1),  # of its signature
        reasons=BAD_CHAIN,
    ),
    "a flipped bit in the PAI": Case(
        lambda first, _: first.with_flipped_bit(Tag.PAI, -1),
        reasons=BAD_CHAIN,
    ),
    "a flipped bit in the declaration": Case(
        lambda first, _: first.with_flipped_bit(Tag.CERTIFICATION_DECLARATION, -1),
        reasons=(r"err 602 ", "^CertificationDeclarationSignatureInvalid$"),
    ),
}
UNPAIRED = {
    "a wrong passcode": Case(
        lambda first, _: first,
        lambda first, second: first.label(passcode=second.number(Tag.PASSCODE)),
        reasons=WRONG_PASSCODE,
    ),
    "the verifier of another board": Case(
        lambda first, second: first.having(Tag.VERIFIER, second.records[Tag.VERIFIER]),
        reasons=WRONG_PASSCODE,
    ),
    "a flipped bit in the verifier": Case(
        lambda first, _: first.with_flipped_bit(
            Tag.VERIFIER, 31
        ),  # of w0; a flipped bit in L, after it, would give an invalid point
        reasons=WRONG_PASSCODE,
    ),
    "another iteration count": Case(
        lambda first, _: first.with_flipped_bit(Tag.ITERATIONS, 0),
        reasons=WRONG_PASSCODE,
    ),
}
UNFOUND = {
    "a wrong discriminator": Case(
        lambda first, _: first,
        lambda first, _: first.label(discriminator=first.number(Tag.DISCRIMINATOR) ^ 1),
        reasons=(
            r"Discovered device discriminator \(\d+\) does not match our discriminator",
            "No commissionable device was discovered",
        ),
    ),
}
UNTRUSTED = {
    "a PAA that is not trusted": Case(
        lambda first, _: first,
        reasons=(r"err 101 ", "^PaaNotTrusted$"),
    ),
}
IN_RAM = ("the plan ram, unit 0", "the plan ram, unit 1")
REFUSED = UNATTESTED | UNPAIRED | UNFOUND | UNTRUSTED
LONG, SHORT = 30.0, 6.0  # seconds of matter.js's search, for a light that it must find, and for one that it refuses


@dataclass(frozen=True, slots=True)
class Meetings:
    """The two boards, units of other plans and declarations, and each commissioner's outcome in each case."""

    boards: tuple[Flash, Flash]
    in_ram: Mapping[str, Flash]
    """Units of the plan `ram`."""
    others: Mapping[str, Flash]
    """Units of products with other declarations."""
    answers: Mapping[tuple[str, str], Answer]


@pytest.fixture(scope="module")
def meetings(tmp_path_factory: pytest.TempPathFactory) -> Meetings:
    """Provisions two boards, then runs every case with both commissioners, in separate rooms at the same time."""
    assert PYTHON.exists(), "the commissioners are not installed: run `make test-commissioning`, which does it"
    folder = tmp_path_factory.mktemp("commissioning")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
        for name, value in SHORT_DEADLINES.items():
            patch.setenv(name, value)
        running = pool.submit(white_label.made, folder / "other-lines")
        done = demonstrate(folder, "--boards", "2", "--recipe", str(recipe(folder)))
        (folder / "ram").mkdir()
        in_ram = demonstrate(
            folder / "ram", "--boards", "2", "--recipe", str(recipe(folder / "ram", "lighting-ram.toml"))
        )
        lines = running.result()
    first, second = made(done)
    ours = folder / "paa"
    ours.mkdir()
    for number, line in enumerate([done.folder, in_ram.folder, *(place for place, _ in lines.values())]):
        root = x509.load_pem_x509_certificate((line / "pki" / "paa.pem").read_bytes())
        (ours / f"paa{number}.der").write_bytes(root.public_bytes(serialization.Encoding.DER))
    (ours / "forged.der").write_bytes(forge.PAA.der)
    others = {
        of_others(title, number): flash for title, (_, units) in lines.items() for number, flash in enumerate(units)
    }
    by_plan = dict(zip(IN_RAM, made(in_ram), strict=True))
    answers = asyncio.run(commission(folder, ours, (first, second), others | by_plan))
    return Meetings((first, second), by_plan, others, answers)


def made(done: Demonstration) -> list[Flash]:
    """The flashes of the run's boards, all of which passed."""
    assert done.exit_status == 0, done.output
    return [
        Flash.of((done.folder / "boards" / str(board["probe"]) / "qspi.bin").read_bytes())
        for board in done.report["boards"]
    ]


def of_others(title: str, number: int) -> str:
    """The title of one unit's case."""
    return f"{title}, unit {number}"


def recipe(folder: Path, name: str = "lighting.toml") -> Path:
    """A shipped recipe, with a declaration that is signed by the public test key."""
    (folder / "declaration.der").write_bytes(DECLARATION.der)
    text = (ROOT / "config" / "recipes" / name).read_text(encoding="utf-8")
    manifest = ROOT / "firmware_images" / "manifest.toml"
    for was, becomes in (
        ("certification-declaration.der", "declaration.der"),
        ("../../firmware_images/manifest.toml", str(manifest)),
    ):
        assert was in text
        text = text.replace(was, becomes)
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


async def commission(
    folder: Path, ours: Path, boards: tuple[Flash, Flash], more: Mapping[str, Flash]
) -> Mapping[tuple[str, str], Answer]:
    """Outcomes by commissioner and case. A PAA of CHIP's stands for all roots that are not the station's."""
    others = ATTESTATION / "paa"
    answers: dict[tuple[str, str], Answer] = {}
    labelled = {title: Case(_always(flash), _label_of(flash)) for title, flash in more.items()}

    async def visit(
        commissioner: str, name: str, paas: Path, cases: Mapping[str, Case], patience: float = LONG
    ) -> None:
        if commissioner == "chip":
            opened = chip_room(folder / name, paas)
        else:
            opened = matterjs_room(folder / name, paas, CD_SIGNERS)
        async with opened as room:
            for title, case in cases.items():
                light, code = case.light(*boards).light(), case.code(*boards)
                answers[commissioner, title] = await room.commission(light, code, patience=patience)

    async with asyncio.TaskGroup() as group:
        group.create_task(visit("chip", "chip", ours, GOOD | UNATTESTED | UNPAIRED))
        group.create_task(visit("chip", "chip-labelled", ours, labelled))
        group.create_task(visit("matter.js", "matterjs-labelled", ours, labelled))
        group.create_task(visit("chip", "chip-unfound", ours, UNFOUND))  # CHIP searches for half a minute
        group.create_task(visit("chip", "chip-untrusted", others, UNTRUSTED))
        group.create_task(visit("matter.js", "matterjs", ours, GOOD | UNATTESTED))
        group.create_task(visit("matter.js", "matterjs-unpaired", ours, UNPAIRED | UNFOUND, SHORT))
        group.create_task(visit("matter.js", "matterjs-untrusted", others, UNTRUSTED))
    return answers


def _always(flash: Flash) -> Callable[[Flash, Flash], Flash]:
    return lambda _first, _second: flash


def _label_of(flash: Flash) -> Callable[[Flash, Flash], str]:
    return lambda _first, _second: flash.label()


def test_the_station_makes_the_same_label(meetings: Meetings, tmp_path: Path) -> None:
    """The commissioners' code equals the one that the station's command prints."""
    for board in meetings.boards:
        passcode = tmp_path / "passcode"
        passcode.touch(0o600)
        passcode.write_text(f"{board.number(Tag.PASSCODE):08d}\n", encoding="ascii")
        numbers = {"--vid": Tag.VENDOR_ID, "--pid": Tag.PRODUCT_ID, "--discriminator": Tag.DISCRIMINATOR}
        options = [f"{option}={board.number(tag)}" for option, tag in numbers.items()]
        command = [sys.executable, "-m", "station", "onboarding", "encode", f"--passcode-file={passcode}", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert board.label() in done.stdout.split()


@pytest.mark.parametrize("case", GOOD)
@pytest.mark.parametrize("commissioner", COMMISSIONERS)
def test_a_provisioned_board_is_commissioned(meetings: Meetings, commissioner: str, case: str) -> None:
    """The commissioner uses the label's code and checks the attestation; the unit then serves the data in its flash."""
    answer = meetings.answers[commissioner, case]
    assert answer["commissioned"], answer
    light = GOOD[case].light(*meetings.boards).light()
    identity = answer["identity"]
    assert isinstance(identity, dict)
    assert identity == {name: light[name] for name in identity}
    assert {"serial_number", "vendor_id", "product_id", "dac", "pai"} <= identity.keys()


@pytest.mark.parametrize("title", IN_RAM)
@pytest.mark.parametrize("commissioner", COMMISSIONERS)
def test_a_board_that_was_provisioned_from_ram_is_commissioned(
    meetings: Meetings, commissioner: str, title: str
) -> None:
    """By its own label."""
    answer = meetings.answers[commissioner, title]
    assert answer["commissioned"], answer
    light, identity = meetings.in_ram[title].light(), answer["identity"]
    assert isinstance(identity, dict)
    assert identity == {name: light[name] for name in identity}
    assert {"serial_number", "vendor_id", "product_id", "dac", "pai"} <= identity.keys()


@pytest.mark.parametrize("title", [of_others(label, n) for label in LABELS for n in range(white_label.UNITS)])
@pytest.mark.parametrize("commissioner", COMMISSIONERS)
def test_a_unit_with_another_declaration_is_commissioned(meetings: Meetings, commissioner: str, title: str) -> None:
    """By its own label, which names the product and not the maker of its DAC."""
    answer = meetings.answers[commissioner, title]
    assert answer["commissioned"], answer
    light = meetings.others[title].light()
    identity = answer["identity"]
    assert isinstance(identity, dict)
    assert identity == {name: light[name] for name in identity}
    assert (identity["vendor_id"], identity["product_id"]) == white_label.OWN


def test_the_units_with_other_declarations_are_enough(meetings: Meetings) -> None:
    """Eight have an origin, and eight a list of PAAs; the certificates name another product than the unit does."""
    origins = [title for title in meetings.others if "origin" in title]
    lists = [title for title in meetings.others if "list of PAAs" in title]
    assert (len(origins), len(lists)) == (8, 8)
    for title, flash in meetings.others.items():
        subject = x509.load_der_x509_certificate(flash.records[Tag.DAC]).subject
        named = tuple(int(str(each.value), 16) for each in list(subject)[-2:])
        assert named == LABELS[title.rpartition(", unit")[0]].dac != white_label.OWN


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("commissioner", COMMISSIONERS)
def test_a_wrong_unit_is_refused_for_its_reason(meetings: Meetings, commissioner: str, case: str) -> None:
    """A refusal for another reason would prove nothing."""
    answer = meetings.answers[commissioner, case]
    assert not answer["commissioned"], answer
    assert re.search(REFUSED[case].reason(commissioner), str(answer["reason"]))
