# SPDX-License-Identifier: Apache-2.0
"""What the doctor says of the MES: its receivers are reached over TLS as the line reaches them, and get no event."""

from pathlib import Path

import pytest

from station.config.mes import MESSection
from station.doctor import mes
from station.doctor.finding import Finding, State
from tests.doctor.test_doctor import of
from tests.mes.broker import brokered, free_port
from tests.mes.receiver import SECRET, Receiver, receiving
from tests.mes.test_mutual_tls import lets_in, party

PASSWORD = "hunter2-of-the-broker"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "webhook.secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    return file


async def found(section: MESSection) -> list[Finding]:
    """Every finding; none has a secret, and each that is not good has a remedy."""
    findings = [finding async for finding in mes.findings(section)]
    assert not any(text in f"{findings}" for text in (SECRET, SECRET[6:], PASSWORD, "token=7"))
    assert all(finding.remedy for finding in findings if finding.state is not State.GOOD)
    return findings


async def test_a_line_without_an_mes_is_good() -> None:
    assert [finding.state for finding in await found(MESSection())] == [State.GOOD]


async def test_an_mes_that_answers_is_good_and_is_told_nothing(tmp_path: Path, secret: Path) -> None:
    server, station = party(tmp_path / "server", days=300), party(tmp_path / "station", days=300)
    async with receiving(Receiver(), tls=lets_in(server, station.ca)) as receiver:
        section = MESSection(
            webhook=f"{receiver.url}/?token=7",
            route=receiver.url,
            secret_file=secret,
            ca=server.ca,
            certificate=station.certificate,
            key=station.key,
            answer_within=60,
            route_within=60,
        )
        findings = await found(section)
    assert {finding.check: finding.state for finding in findings} == dict.fromkeys(
        [
            "MES secret",
            "MES certificate",
            "MES webhook's certificate",
            "MES webhook",
            "MES route's certificate",
            "MES route",
        ],
        State.GOOD,
    )
    assert receiver.requests == 0


async def test_a_station_that_the_server_does_not_know_is_bad(tmp_path: Path, secret: Path) -> None:
    """With TLS 1.3 the server says so only after the handshake."""
    server, station, stranger = (party(tmp_path / name, days=300) for name in ("server", "station", "stranger"))
    async with receiving(Receiver(), tls=lets_in(server, station.ca)) as receiver:
        section = MESSection(
            webhook=receiver.url,
            secret_file=secret,
            ca=server.ca,
            certificate=stranger.certificate,
            key=stranger.key,
            answer_within=60,
        )
        webhook = of(await found(section), "MES webhook")
    assert webhook.state is State.BAD
    assert "certificate and key in [mes]" in webhook.remedy


async def test_a_server_of_another_authority_is_bad(tmp_path: Path, secret: Path) -> None:
    server, station = party(tmp_path / "server"), party(tmp_path / "station")
    async with receiving(Receiver(), tls=lets_in(server, station.ca)) as receiver:
        section = MESSection(webhook=receiver.url, secret_file=secret, ca=station.ca, answer_within=60)
        webhook = of(await found(section), "MES webhook")
    assert webhook.state is State.BAD
    assert "its certificate is refused" in webhook.text


@pytest.mark.parametrize(("days", "state"), [(300, State.GOOD), (10, State.ADVICE), (-2, State.BAD)])
async def test_certificates_that_end_soon_are_told_in_time(
    tmp_path: Path, secret: Path, days: int, state: State
) -> None:
    server, station = party(tmp_path / "server", days), party(tmp_path / "station", days)
    async with receiving(Receiver(), tls=lets_in(server, station.ca)) as receiver:
        section = MESSection(
            webhook=receiver.url,
            secret_file=secret,
            ca=server.ca,
            certificate=station.certificate,
            key=station.key,
            answer_within=60,
        )
        findings = await found(section)
    assert of(findings, "MES certificate").state is state
    if days > 0:
        assert of(findings, "MES webhook's certificate").state is state
    else:
        assert "has expired" in of(findings, "MES webhook").text


async def test_what_cannot_be_reached_is_bad(tmp_path: Path, secret: Path) -> None:
    """A name that nobody knows, and a port at which nobody listens, each with its own remedy."""
    for address, words, remedy in (
        ("http://mes.invalid", "mes.invalid has no address here", "name servers"),
        (f"http://127.0.0.1:{free_port()}", "cannot be reached: ", "the network"),
    ):
        section = MESSection(webhook=address, secret_file=secret, answer_within=60)
        webhook = of(await found(section), "MES webhook")
        assert webhook.state is State.BAD
        assert words in webhook.text
        assert remedy in webhook.remedy


@pytest.mark.parametrize(
    ("mode", "state", "words"),
    [("307", State.ADVICE, "follows no redirect"), ("503", State.ADVICE, "HTTP 503"), ("404", State.GOOD, "HTTP 404")],
)
async def test_statuses_that_say_something_are_told(mode: str, state: State, words: str) -> None:
    receiver = Receiver(heads=int(mode))
    async with receiving(receiver):
        route = of(await found(MESSection(route=receiver.url, route_within=60)), "MES route")
    assert (route.state, words in route.text) == (state, True)


async def test_a_secret_that_others_can_read_is_bad(tmp_path: Path, secret: Path) -> None:
    secret.chmod(0o644)
    async with receiving(Receiver()) as receiver:
        findings = await found(MESSection(webhook=receiver.url, secret_file=secret, answer_within=60))
    assert of(findings, "MES secret").state is State.BAD
    assert "chmod 600" in of(findings, "MES secret").text


async def test_files_of_tls_that_do_not_fit_are_bad(tmp_path: Path) -> None:
    one, two = party(tmp_path / "one", 300), party(tmp_path / "two", 300)
    section = MESSection(route="https://mes.invalid", certificate=one.certificate, key=two.key)
    assert [finding.state for finding in await found(section)] == [State.GOOD, State.BAD]


async def test_a_broker_takes_the_station_or_is_not_there(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    async with brokered(tmp_path) as broker:
        section = MESSection(mqtt=f"mqtt://127.0.0.1:{broker.port}", mqtt_user="station", mqtt_password_file=password)
        findings = await found(section)
        assert {finding.check: finding.state for finding in findings} == {
            "MES password": State.GOOD,
            "MES broker": State.GOOD,
        }
        assert "as station" in of(findings, "MES broker").text
    section = MESSection(mqtt=f"mqtt://127.0.0.1:{broker.port}")
    assert of(await found(section), "MES broker").state is State.BAD


async def test_a_broker_that_refuses_the_user_is_bad(tmp_path: Path) -> None:
    (tmp_path / "nobody").touch(mode=0o600)
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    async with brokered(tmp_path, f"password_file {tmp_path}/nobody") as broker:
        section = MESSection(mqtt=f"mqtt://127.0.0.1:{broker.port}", mqtt_user="station", mqtt_password_file=password)
        told = of(await found(section), "MES broker")
    assert told.state is State.BAD
    assert "mqtt_user, mqtt_password_file" in told.remedy
