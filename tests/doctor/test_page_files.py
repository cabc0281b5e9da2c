# SPDX-License-Identifier: Apache-2.0
"""A page that other PCs reach: what is missing for it is told before the line opens, and an old certificate by the doctor."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from station.adapters.system.people_file import PeopleFile
from station.config import line
from station.doctor import configuration, page_files
from station.doctor.finding import State
from station.domain.people import Role
from tests.builders.page_certificate import written
from tests.doctor.line_files import Files, put

ABROAD = """
[web]
listen = "0.0.0.0:8470"
hosts = ["line1.example", "192.168.1.4"]
[web.tls]
certificate = "page.pem"
key = "page-key.pem"
[board]"""
NAMES = ("line1.example", "192.168.1.4")
PIN = "739154"


def people(files: Files) -> PeopleFile:
    (files.folder / "state").mkdir(exist_ok=True)
    return PeopleFile(files.folder / "state" / "people.json")


@pytest.fixture
def abroad(files: Files) -> Files:
    """Files without a mistake, for a page that other PCs reach."""
    put("[board]", ABROAD)(files)
    written(files.folder, NAMES)
    people(files).add("Anna", Role.READER, PIN)
    return files


def only_a_program(files: Files) -> None:
    people(files).remove("Anna")
    people(files).add_token("MES", Role.READER)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda files: people(files).remove("Anna"),
            "line.toml: web.listen: other PCs reach 0.0.0.0:8470, and nobody could sign in there: state/people.json has no person with a PIN, expected at least one: `station people add NAME --role reader`",
        ),
        (
            only_a_program,
            "line.toml: web.listen: other PCs reach 0.0.0.0:8470, and nobody could sign in there: state/people.json has no person with a PIN, expected at least one: `station people add NAME --role reader`",
        ),
        (
            lambda files: people(files).path.chmod(0o644),
            "line.toml: web.listen: other PCs reach 0.0.0.0:8470, and nobody could sign in there: state/people.json can be read by others: chmod 600 state/people.json",
        ),
        (
            lambda files: (files.folder / "page.pem").unlink(),
            'line.toml: web.tls.certificate: there is no file page.pem, expected the page\'s certificate, in PEM; did you mean "page-key.pem"?',
        ),
        (
            lambda files: (files.folder / "page-key.pem").chmod(0o644),
            "line.toml: web.tls.key: page-key.pem can be used by other accounts (its mode is 0644): chmod 600 page-key.pem, expected the key of the page's certificate, in PEM",
        ),
        (
            lambda files: (files.folder / "page.pem").write_bytes((files.folder / "pki/tls/ca.pem").read_bytes()),
            "line.toml: web.tls.key: page-key.pem is not the key of page.pem (KEY_VALUES_MISMATCH), expected the key of the page's certificate, in PEM",
        ),
        (
            lambda files: (files.folder / "page-key.pem").write_bytes((files.folder / "page.pem").read_bytes()),
            "line.toml: web.tls.key: page-key.pem has no private key, expected the key of the page's certificate, in PEM",
        ),
        (
            put('hosts = ["line1.example", "192.168.1.4"]', ""),
            'line.toml: web.hosts: there is none, and 0.0.0.0:8470 is every address of this PC: list the names and addresses by which browsers call it, such as hosts = ["line1.factory.example"]',
        ),
        (
            put('[web.tls]\ncertificate = "page.pem"\nkey = "page-key.pem"\n', ""),
            "line.toml: web.tls: there is no [web.tls], and other PCs reach 0.0.0.0:8470: name certificate and key there, or listen on an address of this PC alone, such as 127.0.0.1:8470",
        ),
    ],
)
def test_what_is_missing_is_told_before_the_line_opens(
    abroad: Files, spoil: Callable[[Files], object], told: str
) -> None:
    """With file, place and remedy."""
    spoil(abroad)
    assert abroad.told() == [told]


def test_without_a_mistake_the_line_opens(abroad: Files) -> None:
    asyncio.run(configuration.checked(abroad.folder / "line.toml", {}, abroad.pci))


@pytest.mark.parametrize(("setting", "value"), [("ON", "false"), ("LISTEN", "127.0.0.1:0")])
def test_where_no_other_pc_reads_nobody_has_to_sign_in(abroad: Files, setting: str, value: str) -> None:
    people(abroad).remove("Anna")
    environment = {f"STATION__WEB__{setting}": value}
    config, _ = asyncio.run(configuration.checked(abroad.folder / "line.toml", environment, abroad.pci))
    assert not config.web.needs_people


@pytest.mark.parametrize(
    ("days", "names", "states"),
    [
        (90, NAMES, [State.GOOD]),
        (29, NAMES, [State.ADVICE]),
        (-1, NAMES, [State.BAD]),
        (90, NAMES[:1], [State.GOOD, State.ADVICE]),
        (90, ("*.example", "192.168.1.4"), [State.GOOD]),
    ],
)
def test_an_old_or_strange_certificate_is_found(
    abroad: Files, days: int, names: tuple[str, ...], states: list[State]
) -> None:
    """It is no mistake of the configuration: the line opens."""
    written(abroad.folder, names, days=days)
    found = list(page_files.findings(line.load(abroad.folder / "line.toml", {})))
    assert [finding.state for finding in found] == states
    assert all(finding.remedy for finding in found if finding.state is not State.GOOD)


def test_files_that_are_gone_are_found(abroad: Files) -> None:
    (abroad.folder / "page-key.pem").unlink()
    [found] = page_files.findings(line.load(abroad.folder / "line.toml", {}))
    assert found.state is State.BAD
    assert str(Path("page-key.pem")) in found.text
