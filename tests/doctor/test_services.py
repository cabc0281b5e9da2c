# SPDX-License-Identifier: Apache-2.0
"""What the doctor says of the PKI, asked over mutual TLS; of the probes' firmware; and of the last backup."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.authority import opened
from development_pki.directory import TLS_CA, TLS_STATION, load_credential
from development_pki.faults import Faults
from development_pki.server import ESTServer, serving, tls_context
from station.adapters.ledger import Ledger
from station.adapters.ledger.register import Backup, Register
from station.adapters.programmer.probe_list import ListedProbe, probes_in
from station.config.line import Config
from station.config.sections import PKISection, ProgrammerSection
from station.doctor import services
from station.doctor.finding import Finding, State
from tests.builders.transcripts import lines
from tests.development_pki.pki_client import PRODUCT
from tests.doctor.test_doctor import configuration, of

LISTING = "#!/bin/sh\n[ \"$*\" = '-l st-link-only' ] || exit 1\ncat <<'EOF'\n{}\nEOF\n"


@asynccontextmanager
async def asked(folder: Path, offset: timedelta = timedelta()) -> AsyncIterator[PKISection]:
    """A development PKI that answers, and the section of a configuration that names it."""
    with opened(folder, PRODUCT) as authority:
        server = ESTServer(authority, Faults(), 1, offset)
        async with serving(server, tls_context(folder), "127.0.0.1", 0) as url:
            yield PKISection(
                url=url,
                ca=folder / f"{TLS_CA}.pem",
                certificate=folder / f"{TLS_STATION}.pem",
                key=folder / f"{TLS_STATION}-key.pem",
                pai=folder / "pai.pem",
                paa=folder / "paa.pem",
            )


async def found(section: PKISection, **changes: Path) -> list[Finding]:
    return [finding async for finding in services.pki(section.model_copy(update=changes))]


def certified(folder: Path, days: int) -> Path:
    """The station's certificate for its own key, valid for so many days, by the authority for TLS."""
    authority, station = load_credential(folder, TLS_CA), load_credential(folder, TLS_STATION).certificate
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer_name=authority.certificate.subject, subject_name=station.subject)
        .public_key(station.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days, hours=1))
    )
    for extension in station.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    path = folder / f"station-{days}.pem"
    path.write_bytes(builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


async def test_a_pki_that_answers_is_good(tmp_path: Path) -> None:
    """It accepts the station's certificate, names the pinned PAI, and has the same time."""
    async with asked(tmp_path / "pki") as section:
        states = {finding.check: finding.state for finding in await found(section)}
    assert states == dict.fromkeys(["station's certificate", "PKI", "clock offset", "PAI"], State.GOOD)


async def test_another_pai_is_bad(tmp_path: Path) -> None:
    """Every board would fail for its certificate's issuer."""
    with opened(tmp_path / "other", PRODUCT):
        pass
    async with asked(tmp_path / "pki") as section:
        findings = await found(section, pai=tmp_path / "other" / "pai.pem")
    assert of(findings, "PKI").state is State.GOOD
    assert of(findings, "PAI").state is State.BAD
    assert f"does not name the PAI of {tmp_path}/other/pai.pem" in of(findings, "PAI").text


@pytest.mark.parametrize(("days", "state"), [(400, State.GOOD), (10, State.ADVICE), (-2, State.BAD)])
async def test_a_certificate_that_ends_soon_is_told_in_time(tmp_path: Path, days: int, state: State) -> None:
    """An expired one is told by its own name, and the PKI refuses it."""
    async with asked(tmp_path / "pki") as section:
        findings = await found(section, certificate=certified(tmp_path / "pki", days))
    assert of(findings, "station's certificate").state is state
    assert of(findings, "PKI").state is (State.BAD if days < 0 else State.GOOD)
    assert days < 0 or f"for {days} more days" in of(findings, "station's certificate").text


async def test_a_server_of_another_authority_is_bad(tmp_path: Path) -> None:
    with opened(tmp_path / "other", PRODUCT):
        pass
    async with asked(tmp_path / "pki") as section:
        findings = await found(section, ca=tmp_path / "other" / f"{TLS_CA}.pem")
    assert of(findings, "PKI").state is State.BAD
    assert {finding.check for finding in findings} == {"station's certificate", "PKI"}


@pytest.mark.parametrize(
    ("offset", "state", "words"),
    [
        (timedelta(hours=-2), State.ADVICE, "ahead of the PKI's"),
        (timedelta(hours=2), State.ADVICE, "behind the PKI's"),
        (timedelta(days=3), State.BAD, "behind the PKI's. The line would pause"),
    ],
)
async def test_the_clock_is_compared_with_the_pkis(tmp_path: Path, offset: timedelta, state: State, words: str) -> None:
    async with asked(tmp_path / "pki", offset) as section:
        clock = of(await found(section), "clock offset")
    assert clock.state is state
    assert words in clock.text


def test_the_list_of_probes_is_read_with_their_firmware() -> None:
    """One that another program holds has no firmware, and perhaps no serial number; a header of a connection is no list."""
    assert probes_in(lines("2.23-list-probes")) == [ListedProbe("066EFF535651727067065821", "V2J48M35")]
    assert probes_in(lines("2.17-list-busy")) == [
        ListedProbe("5&1E237D3C&0&3", ""),
        ListedProbe("56FF6F066682495259282187", "V2J45S7"),
    ]
    assert probes_in(lines("2.13-list-no-probe")) == []
    assert probes_in(lines("2.17-identify")) is None


@pytest.mark.parametrize(
    ("listing", "state", "words"),
    [
        ("2.23-list-probes", State.GOOD, "Of 1 probes: V2J48M35 on 1."),
        ("2.17-list-busy", State.ADVICE, "Of 2 probes: V2J45S7 on 1. Not told by 5&1E237D3C&0&3."),
        ("2.17-identify", State.UNKNOWN, "gives no list of probes"),
    ],
)
def test_the_programmer_is_asked_for_the_probes_firmware(
    tmp_path: Path, listing: str, state: State, words: str
) -> None:
    """Only for the probes: the plain listing connects to every target."""
    config = programmed(tmp_path, "\n".join(lines(listing)))
    finding = asyncio.run(services.probes(config, runs=False))
    assert finding.state is state
    assert words in finding.text


def test_probes_of_one_line_should_be_alike(tmp_path: Path) -> None:
    old = "ST-Link Probe 1 :\n   ST-LINK SN  : 066A\n   ST-LINK FW  : V2J37M26"
    config = programmed(tmp_path, "\n".join([*lines("2.23-list-probes"), old]))
    finding = asyncio.run(services.probes(config, runs=False))
    assert (finding.state, "V2J37M26 on 1, V2J48M35 on 1" in finding.text) == (State.ADVICE, True)


def test_beside_a_running_line_no_probe_is_listed(tmp_path: Path) -> None:
    """A listing may disturb a transfer; the programmer is not started at all."""
    assert asyncio.run(services.probes(configuration(tmp_path), runs=True)).state is State.GOOD
    assert asyncio.run(services.probes(configuration(tmp_path), runs=False)).state is State.UNKNOWN


def programmed(folder: Path, said: str) -> Config:
    """A line whose programmer says this when it is asked for the probes."""
    cli = folder / "cli"
    cli.write_text(LISTING.format(said))
    cli.chmod(0o755)
    programmer = ProgrammerSection(cli=cli, external_loader=cli)
    return configuration(folder).model_copy(update={"programmer": programmer})


@pytest.mark.parametrize(
    ("hours", "state", "words"),
    [
        (None, State.BAD, "never backed up"),
        (5, State.GOOD, "0 days and 5 hours"),
        (24 * 9 + 3, State.BAD, "9 days and 3 hours"),
    ],
)
async def test_the_age_of_the_last_backup_is_told(tmp_path: Path, hours: int | None, state: State, words: str) -> None:
    config = configuration(tmp_path)
    config.station.state.mkdir()
    register = Register(tmp_path / "register")
    async with Ledger.open(config.ledger, station="line-1", register=tmp_path / "register"):
        pass
    record = register.at(config.ledger)
    assert record
    if hours is not None:
        at = datetime.now(UTC) - timedelta(hours=hours, minutes=1)
        register.backed_up(record.ledger, Backup(at.isoformat(), "backup", 1))
    backup = of(list(services.ledger(config)), "backup")
    assert backup.state is state
    assert words in backup.text
