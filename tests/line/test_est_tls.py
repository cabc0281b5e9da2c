# SPDX-License-Identifier: Apache-2.0
"""The TLS side of the connection to the PKI: versions, refusals in words, and files that change while it runs."""

import asyncio
import ssl
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from development_pki.certificate import Credential
from development_pki.directory import load_credential, open_or_make
from development_pki.server import tls_context
from development_pki.tls import server_template, station_template
from station.adapters.pki.enroller import NotNow
from station.adapters.pki.est import ESTClient
from station.adapters.pki.http import Connection
from station.adapters.pki.identity import Watched
from station.faults import Fault
from station.faults.line import NOTHING_ISSUED, PKIFileUnusable, PKIProtocolWrong, PKIUntrusted
from tests.line.pki_bench import PRODUCT, answering, client, new_csr, saved, served, server_at, status


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A development PKI's directory, which also has the station's files."""
    open_or_make(tmp_path / "pki", PRODUCT)
    return tmp_path / "pki"


@asynccontextmanager
async def est_with_floor(directory: Path, url: str, floor: ssl.TLSVersion) -> AsyncIterator[ESTClient]:
    server = server_at(directory, url)
    async with Connection.opened(replace(server, files=replace(server.files, floor=floor))) as connection:
        yield ESTClient(connection)


@asynccontextmanager
async def speaking(directory: Path, version: ssl.TLSVersion) -> AsyncIterator[str]:
    """A server of one TLS version, which answers 503."""
    context = tls_context(directory)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the versions that are the subject
        context.minimum_version = context.maximum_version = version
    async with answering_over(context, b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n") as url:
        yield url


@asynccontextmanager
async def answering_over(context: ssl.SSLContext | None, answer: bytes) -> AsyncIterator[str]:
    """A server that answers anything with these bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/est"


async def told(est: ESTClient) -> Fault:
    """The fault of a request and of a question, which is the same; nothing was issued."""
    with pytest.raises(Fault) as of_request:
        await est.enroll(new_csr()[0])
    with pytest.raises(Fault) as of_question:
        await est.authorities()
    assert str(of_request.value) == str(of_question.value)
    assert isinstance(of_request.value, NOTHING_ISSUED)
    return of_request.value


TOO_LOW = {
    (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2): "it speaks TLS 1.1 only, and the station's floor is TLS 1.2",
    (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2): "it speaks TLS 1.0 only, and the station's floor is TLS 1.2",
    (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3): "it speaks TLS 1.2 only, and the station's floor is TLS 1.3",
}


@pytest.mark.parametrize(("version", "floor"), TOO_LOW)
async def test_a_server_below_the_floor_is_told_with_both_versions(
    directory: Path, version: ssl.TLSVersion, floor: ssl.TLSVersion
) -> None:
    """The operator can decide which of the two to change."""
    async with speaking(directory, version) as url, est_with_floor(directory, url, floor) as est:
        fault = await told(est)
    assert isinstance(fault, PKIProtocolWrong)
    assert fault.reason.startswith(TOO_LOW[version, floor])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_at_the_floor_is_asked(directory: Path, version: ssl.TLSVersion) -> None:
    """The floor is a floor."""
    async with speaking(directory, version) as url, est_with_floor(directory, url, version) as est:
        with pytest.raises(NotNow, match="503"):
            await est.enroll(new_csr()[0])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "it answers plain HTTP, not TLS"),
        (b"220 mail.example.com ESMTP ready\r\n", "it answers something else, not TLS"),
    ],
)
async def test_a_server_without_a_common_protocol_is_told_in_words(directory: Path, answer: bytes, words: str) -> None:
    """A wrong port is not a wrong certificate."""
    async with answering_over(None, answer) as url, client(directory, url) as est:
        fault = await told(est)
    assert isinstance(fault, PKIProtocolWrong)
    assert words in fault.reason


# --- the server's certificate ------------------------------------------------------------------------------------------


def valid(days_from: int, days_until: int) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now + timedelta(days=days_from), now + timedelta(days=days_until)


@pytest.mark.parametrize(
    ("days_from", "days_until", "words"), [(-9, -1, "its certificate has expired"), (1, 9, "is not valid yet")]
)
async def test_a_server_certificate_out_of_time_is_told(
    directory: Path, days_from: int, days_until: int, words: str
) -> None:
    """The words say which side must act."""
    begins, ends = valid(days_from, days_until)
    template = replace(server_template(), valid_from=begins, valid_until=ends)
    saved(directory, "server", load_credential(directory, "tls/ca").subordinate(template))
    async with answering(directory, status(200)) as url, client(directory, url) as est:
        fault = await told(est)
    assert isinstance(fault, PKIUntrusted)
    assert words in fault.reason


async def test_a_server_of_another_name_is_told(directory: Path) -> None:
    """The name in the URL is not in the certificate."""
    async with answering(directory, status(200), "127.0.0.2") as url, client(directory, url) as est:
        fault = await told(est)
    assert isinstance(fault, PKIUntrusted)
    assert fault.reason.startswith("its certificate is for another IP address")


# --- the station's files -----------------------------------------------------------------------------------------------


class Registry:
    """A server that notes the station's certificate at every enrolment, and answers 503 when it is allowed to."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        der = request.get_extra_info("ssl_object").getpeercert(binary_form=True)
        self.seen.append(x509.load_der_x509_certificate(der).serial_number)
        await self.go_on.wait()
        return web.Response(status=503)


def new_station(directory: Path, days: int = 365) -> Credential:
    begins, ends = valid(-1, days)
    template = replace(station_template(), valid_from=begins, valid_until=ends)
    return load_credential(directory, "tls/ca").subordinate(template)


async def asked(est: ESTClient) -> None:
    with pytest.raises(NotNow, match="503"):
        await est.enroll(new_csr()[0])


async def test_changed_files_are_taken_up_and_no_request_is_lost(directory: Path) -> None:
    """A request under way ends on its connection under the old certificate; the next one shows the new one."""
    registry, old, new = Registry(), load_credential(directory, "tls/station"), new_station(directory, 90)
    async with answering(directory, registry.answer) as url, client(directory, url) as est:
        await asked(est)
        registry.go_on.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(asked(est))
            while len(registry.seen) < 2:
                await asyncio.sleep(0.001)
            saved(directory, "station", new)
            group.create_task(asked(est))
            while len(registry.seen) < 3:
                await asyncio.sleep(0.001)
            registry.go_on.set()
        await asked(est)
        assert est.certificate_days in {89, 90}
    first, second = old.certificate.serial_number, new.certificate.serial_number
    assert registry.seen == [first, first, second, second]


async def test_no_enrolment_is_lost_by_a_new_certificate(directory: Path) -> None:
    """A hundred boards, eight at a time; after half of them the files change, and the PKI sees both stations."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TEST station, renewed")])
    renewed = load_credential(directory, "tls/ca").subordinate(replace(station_template(), subject=subject))
    done = list[bytes]()
    async with served(directory) as pki:

        async def boards(number: int) -> None:
            for _ in range(number):
                done.append((await pki.est.enroll(new_csr()[0])).certificate)
                if len(done) == 50:
                    saved(directory, "station", renewed)

        async with asyncio.TaskGroup() as group:
            for number in (13, 13, 13, 13, 12, 12, 12, 12):
                group.create_task(boards(number))
        stations = [each["station"] for each in pki.issued]
    assert len(set(done)) == len(stations) == 100
    assert set(stations) == {"TEST station", "TEST station, renewed"}


async def test_half_a_pair_leaves_the_old_identity(directory: Path) -> None:
    """Certificate and key are two files: between their replacements the old pair works on, with one warning."""
    registry, old, new = Registry(), load_credential(directory, "tls/station"), new_station(directory)
    key = (directory / "tls/station-key.pem").read_bytes()
    async with answering(directory, registry.answer) as url, client(directory, url) as est:
        saved(directory, "station", new)
        new_key = (directory / "tls/station-key.pem").read_bytes()
        (directory / "tls/station-key.pem").write_bytes(key)
        with capture_logs() as log:
            await asked(est)
            await asked(est)
        assert [each["event"] for each in log] == ["pki.files_refused"]
        (directory / "tls/station-key.pem").write_bytes(new_key)
        with capture_logs() as log:
            await asked(est)
        assert [each["event"] for each in log] == ["pki.files_taken_up"]
    assert registry.seen == [old.certificate.serial_number] * 2 + [new.certificate.serial_number]


@pytest.mark.parametrize("name", ["ca.pem", "station.pem", "station-key.pem"])
async def test_a_file_that_vanishes_stops_nothing(directory: Path, name: str) -> None:
    """What was read goes on; a changed authority counts as soon as it can be read."""
    registry = Registry()
    async with answering(directory, registry.answer) as url, client(directory, url) as est:
        (directory / "tls" / name).unlink()
        with capture_logs() as log:
            await asked(est)
        assert [(each["event"], each["file"]) for each in log] == [("pki.files_refused", str(directory / "tls" / name))]


async def test_another_authority_counts_at_once(directory: Path, tmp_path: Path) -> None:
    """The server that was trusted before is trusted no more."""
    open_or_make(tmp_path / "other", PRODUCT)
    async with answering(directory, Registry().answer) as url, client(directory, url) as est:
        await asked(est)
        (directory / "tls/ca.pem").write_bytes((tmp_path / "other/tls/ca.pem").read_bytes())
        with pytest.raises(PKIUntrusted, match="its certificate's authority is not in"):
            await est.enroll(new_csr()[0])


async def test_the_certificate_is_looked_at(directory: Path) -> None:
    """The warning comes in the last thirty days."""
    for days, warns in ((29, True), (60, False)):
        saved(directory, "station", new_station(directory, days))
        async with client(directory, "https://127.0.0.1:1/est") as est:
            with capture_logs() as log:
                assert est.look() == est.certificate_days
            assert est.certificate_days in {days - 1, days}
            assert [each["event"] for each in log] == ["pki.certificate_expiring"] * warns


async def test_a_certificate_that_expires_while_the_line_runs_is_shown_no_more(directory: Path) -> None:
    """Nothing is sent, so nothing was issued; a new certificate ends it."""
    registry = Registry()
    async with answering(directory, registry.answer) as url:
        server = server_at(directory, url)
        watched = Watched(server.files)
        watched.current = replace(watched.current, valid_until=datetime.now(UTC) - timedelta(days=1))
        connection = Connection(server, watched)
        est = ESTClient(connection)
        fault = await told(est)
        assert isinstance(fault, PKIFileUnusable)
        assert fault.reason.startswith("expired at")
        assert est.certificate_days < 0
        assert registry.seen == []
        saved(directory, "station", new_station(directory))
        await asked(est)
        assert len(registry.seen) == 1
        await connection.close()


async def test_the_mode_that_the_warning_asks_for_is_noticed(directory: Path) -> None:
    """The content is the same as before; an expired certificate does not hide what is wrong with its successor."""
    registry, new, key = Registry(), new_station(directory), directory / "tls/station-key.pem"
    async with answering(directory, registry.answer) as url:
        server = server_at(directory, url)
        watched = Watched(server.files)
        connection = Connection(server, watched)
        est = ESTClient(connection)
        saved(directory, "station", new)
        key.chmod(0o644)
        await asked(est)
        watched.current = replace(watched.current, valid_until=datetime.now(UTC) - timedelta(days=1))
        fault = await told(est)
        assert isinstance(fault, PKIFileUnusable)
        assert (fault.file, fault.reason) == (
            str(key),
            f"can be used by other accounts (its mode is 0644): chmod 600 {key}",
        )
        key.chmod(0o600)
        await asked(est)
        await connection.close()
    assert registry.seen[-1] == new.certificate.serial_number


def test_a_certificate_for_later_is_taken_up_when_its_time_has_come(directory: Path) -> None:
    """Nothing changes on the disk at that moment."""
    watched = Watched(server_at(directory, "https://127.0.0.1/est").files)
    template = replace(station_template(), valid_from=datetime.now(UTC) + timedelta(seconds=3))
    saved(directory, "station", load_credential(directory, "tls/ca").subordinate(template))
    with capture_logs() as log:
        while not watched.taken_up():
            time.sleep(0.01)
    assert [each["event"] for each in log][-1] == "pki.files_taken_up"
    assert len(log) <= 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_for_others_to_read_is_refused(directory: Path, mode: int) -> None:
    """The sentence has the command."""
    key = directory / "tls/station-key.pem"
    key.chmod(mode)
    with pytest.raises(PKIFileUnusable, match=f"its mode is {mode:04o}.*chmod 600 {key}"):
        Watched(server_at(directory, "https://127.0.0.1/est").files)
    key.chmod(0o400)
    assert Watched(server_at(directory, "https://127.0.0.1/est").files).days > 0
