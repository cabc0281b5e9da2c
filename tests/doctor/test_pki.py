# SPDX-License-Identifier: Apache-2.0
"""The doctor's look at the PKI: each cause has a sentence and a remedy of its own."""

import base64
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.directory import load_credential, open_or_make
from station.config.sections import PKISection
from station.doctor import services
from station.doctor.finding import Finding, State
from tests.line.answer_forms import oid, tlv
from tests.line.pki_bench import PRODUCT, answering, served, status


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A development PKI's directory, which also has the station's files."""
    open_or_make(tmp_path / "pki", PRODUCT)
    return tmp_path / "pki"


def section(directory: Path, url: str, **settings: object) -> PKISection:
    files = {"ca": "tls/ca.pem", "certificate": "tls/station.pem", "key": "tls/station-key.pem"}
    anchors = {"pai": "pai.pem", "paa": "paa.pem"}
    values = {name: directory / file for name, file in (files | anchors).items()}
    return PKISection.model_validate({"url": url, **values, **settings})


async def found(pki: PKISection) -> dict[str, Finding]:
    return {finding.check: finding async for finding in services.pki(pki)}


async def test_a_good_pki_is_good(directory: Path) -> None:
    """The development PKI wants nothing of requests."""
    async with served(directory) as pki:
        findings = await found(section(directory, pki.est.url))
    for check in ("station's certificate", "PKI", "PAI"):
        assert findings[check].state is State.GOOD
    assert "requests" not in findings


REMEDIES = {
    401: "certificate and the secrets",
    403: "the rights that the PKI gives",
    404: "Check [pki] url.",
    500: "network",
}


@pytest.mark.parametrize("number", REMEDIES)
async def test_each_refusal_has_its_remedy(directory: Path, number: int) -> None:
    """Whoever reads it knows what to look at."""
    async with answering(directory, status(number)) as url:
        finding = (await found(section(directory, url)))["PKI"]
    assert finding.state is State.BAD
    assert REMEDIES[number] in str(finding)


async def test_a_key_for_others_to_read_is_told(directory: Path) -> None:
    """As a line that starts would tell it."""
    (directory / "tls/station-key.pem").chmod(0o644)
    finding = (await found(section(directory, "https://127.0.0.1:1/est")))["PKI"]
    assert finding.state is State.BAD
    assert "chmod 600" in str(finding)


@pytest.mark.parametrize(("authorities", "state"), [("cacerts", State.BAD), ("pinned", State.GOOD)])
async def test_the_list_without_the_pai_is_bad_unless_it_is_not_compared(
    directory: Path, authorities: str, state: State
) -> None:
    """What the PKI wants of requests is advice, whatever the list says."""
    paa = x509.load_pem_x509_certificate((directory / "paa.pem").read_bytes()).public_bytes(Encoding.DER)

    async def answer(request: web.Request) -> web.Response:
        wants = base64.b64encode(tlv(0x30, oid("2a864886f70d010907")))
        return web.Response(body=wants if request.path.endswith("csrattrs") else base64.b64encode(paa))

    async with answering(directory, answer) as url:
        findings = await found(section(directory, url, authorities=authorities))
    assert findings["PAI"].state is state
    assert findings["requests"].state is State.ADVICE
    assert "challengePassword" in str(findings["requests"])


async def test_the_settings_reach_the_server(directory: Path, tmp_path: Path) -> None:
    """Secrets are those of the files."""
    basic, value = tmp_path / "basic", tmp_path / "value"
    for file, text in ((basic, "user:password"), (value, "key-of-line-1")):
        file.write_text(text)
        file.chmod(0o600)
    pai, seen = load_credential(directory, "pai").certificate, list[dict[str, str]]()

    async def answer(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response(body=pai.public_bytes(Encoding.DER))

    async with answering(directory, answer) as url:
        secrets = {"basic_file": basic, "header": "X-Key", "header_file": value}
        pki = section(directory, url, tls_floor="1.3", at_once=1, keep_alive=0, **secrets)
        assert (await found(pki))["PAI"].state is State.GOOD
    for headers in seen:
        assert headers["Authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
        assert headers["X-Key"] == "key-of-line-1"


def program(folder: Path, name: str, body: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def of_programs(directory: Path, **programs: list[str]) -> PKISection:
    anchors = {"pai": directory / "pai.pem", "paa": directory / "paa.pem"}
    return PKISection.model_validate({"kind": "exec", **anchors, "exec": programs})


async def test_without_a_check_nothing_is_known_of_a_programs_pki(directory: Path) -> None:
    """It would have to enrol to find out; a program that is not there is told all the same."""
    enrol = program(directory, "enrol", "exit 11")
    findings = await found(of_programs(directory, command=[enrol]))
    assert {name: finding.state for name, finding in findings.items()} == {"PKI": State.UNKNOWN}
    Path(enrol).unlink()
    assert (await found(of_programs(directory, command=[enrol])))["PKI"].state is State.BAD


@pytest.mark.parametrize(("file", "state"), [("pai.pem", State.GOOD), ("paa.pem", State.BAD)])
async def test_a_programs_check_is_compared_with_the_pinned_pai(directory: Path, file: str, state: State) -> None:
    """As a server's own list is."""
    enrol, check = program(directory, "enrol", "exit 11"), program(directory, "check", f"cat '{directory / file}'")
    findings = await found(of_programs(directory, command=[enrol], check=[check]))
    assert (findings["PKI"].state, findings["PAI"].state) == (State.GOOD, state)
