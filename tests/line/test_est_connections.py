# SPDX-License-Identifier: Apache-2.0
"""The EST client's connections: breaks, delays, and authentication."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import connector as aiohttp_connector
from aiohttp import web
from aiohttp.tracing import Trace

from development_pki.directory import load_credential, open_or_make
from development_pki.server import tls_context
from development_pki.tls import TLSCredentials
from station.adapters.pki import tls
from station.adapters.pki.enroller import NotNow, Outcome
from station.adapters.pki.est import ESTClient
from station.adapters.pki.http import Connection
from station.adapters.pki.identity import Watched
from station.faults.line import PKIRefusedStation, PKIUnavailable, PKIUntrusted, ResourcesExhausted
from tests.builders.scarcity import descriptors_left
from tests.line.pki_bench import PRODUCT, Served, answering, client, new_csr, refused, saved, served, server_at, status


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A development PKI's directory, which also has the station's files."""
    open_or_make(tmp_path / "pki", PRODUCT)
    return tmp_path / "pki"


@pytest.fixture
async def pki(directory: Path) -> AsyncIterator[Served]:
    async with served(directory) as pki:
        yield pki


async def test_a_lost_answer_may_have_been_a_certificate(pki: Served) -> None:
    """The PKI issued the certificate, and then the connection broke."""
    pki.faults.set({"drop_after_issue": 1})
    with pytest.raises(NotNow) as caught:
        await pki.est.enroll(new_csr()[0])
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(pki.issued) == 1


async def test_a_station_without_a_descriptor_blames_itself(pki: Served) -> None:
    """The client sent nothing; when a descriptor is free again, it asks the PKI."""
    with descriptors_left(0), pytest.raises(ResourcesExhausted, match=r"connect to https.*Too many open files"):
        await pki.est.enroll(new_csr()[0])
    with descriptors_left(0), pytest.raises(ResourcesExhausted):
        await pki.est.authorities()
    assert pki.issued == []
    await pki.est.enroll(new_csr()[0])


async def test_half_an_answer_may_have_been_a_certificate(directory: Path) -> None:
    """The connection broke within the answer to an enrolment."""

    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"MII")
        assert request.transport is not None
        request.transport.close()
        return answer

    trouble = await refused(directory, half)
    assert isinstance(trouble, NotNow)
    assert trouble.outcome is Outcome.UNKNOWN


async def test_a_late_answer_may_have_been_a_certificate(directory: Path) -> None:
    """The server may still answer after the deadline."""

    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    trouble = await refused(directory, never, reply_within=0.05)
    assert isinstance(trouble, NotNow)
    assert trouble.outcome is Outcome.UNKNOWN


async def test_what_is_not_connected_is_not_issued(directory: Path) -> None:
    """No server listens, so no certificate can have been issued; the fault is that the PKI is unavailable."""
    async with answering(directory, status(200)) as url:
        pass
    async with client(directory, url) as est:
        with pytest.raises(NotNow) as caught:
            await est.enroll(new_csr()[0])
        assert caught.value.outcome is Outcome.NOTHING_ISSUED
        with pytest.raises(PKIUnavailable, match="Cannot connect"):
            await est.authorities()


async def test_a_server_that_does_not_speak_is_not_connected(directory: Path) -> None:
    """The handshake has a separate deadline, and the client sends nothing before it is done."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/est"
        async with client(directory, url, connect_within=0.05) as est:
            with pytest.raises(NotNow) as caught:
                await est.enroll(new_csr()[0])
    assert caught.value.outcome is Outcome.NOTHING_ISSUED


def connection_over(session: aiohttp.ClientSession, directory: Path, url: str) -> Connection:
    server = server_at(directory, url)
    return Connection(server, Watched(server.files), session)


async def test_a_reset_before_the_request_has_issued_nothing(directory: Path) -> None:
    """The server cuts every connection as soon as it is there; the handshake was never done."""

    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/est"
        async with client(directory, url) as est:
            with pytest.raises(NotNow) as caught:
                await est.enroll(new_csr()[0])
            with pytest.raises(PKIUnavailable):
                await est.authorities()
    assert caught.value.outcome is Outcome.NOTHING_ISSUED


class ClosesWhatIsReused(aiohttp.TCPConnector):
    """Closes the connection chosen for the second request before the request is sent."""

    chosen = 0

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> aiohttp_connector.Connection:
        connection = await super().connect(req, traces, timeout)
        self.chosen += 1
        if self.chosen == 2:
            assert connection.transport is not None
            connection.transport.close()
        return connection


async def test_an_idle_connection_that_closes_at_the_wrong_moment_costs_nothing(directory: Path) -> None:
    """A connection that closes between its choice and the request is replaced at once, since nothing had been sent."""
    asked = []

    async def count(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(status=503)

    files = directory / "tls"
    context = tls.client_context(files / "ca.pem", files / "station.pem", files / "station-key.pem")
    connector = ClosesWhatIsReused(ssl=context)
    async with (
        answering(directory, count) as url,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        for _ in range(2):
            with pytest.raises(NotNow, match="503"):
                await ESTClient(connection_over(session, directory, url)).enroll(new_csr()[0])
    assert len(asked) == 2
    assert connector.chosen == 3


# --- who is who ------------------------------------------------------------------------------------------------------


async def test_a_server_of_another_authority_is_untrusted(directory: Path) -> None:
    """Only the configured authority counts, not the system's; the request is not sent."""
    saved(directory, "ca", TLSCredentials.made().ca)
    asked = []

    async def record(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response()

    assert isinstance(await refused(directory, record), PKIUntrusted)
    assert asked == []


async def test_a_server_of_another_name_is_untrusted(directory: Path) -> None:
    """The certificate must be for the host in the URL."""
    async with answering(directory, status(200), "127.0.0.2") as url, client(directory, url) as est:
        with pytest.raises(PKIUntrusted, match=r"127\.0\.0\.2"):
            await est.enroll(new_csr()[0])
        with pytest.raises(PKIUntrusted):
            await est.authorities()


async def test_a_station_without_certificate_is_told_so(directory: Path) -> None:
    """The fault quotes the PKI's reason."""
    context = ssl.create_default_context(cafile=directory / "tls/ca.pem")
    async with served(directory) as pki, aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        est = ESTClient(connection_over(session, directory, pki.est.url))
        with pytest.raises(PKIRefusedStation, match="showed none"):
            await est.enroll(new_csr()[0])
        with pytest.raises(PKIRefusedStation, match="showed none"):
            await est.authorities()
    assert pki.issued == []


async def test_a_station_of_another_authority_is_refused(directory: Path, tmp_path: Path) -> None:
    """The check before the line opens blames the certificate; nothing is issued."""
    open_or_make(tmp_path / "station", PRODUCT)
    saved(tmp_path / "station", "ca", load_credential(directory, "tls/ca"))
    async with served(directory, station=tmp_path / "station") as pki:
        with pytest.raises(PKIRefusedStation, match="closes the connection"):
            await pki.est.authorities()
        with pytest.raises(NotNow):
            await pki.est.enroll(new_csr()[0])
        assert pki.issued == []


@asynccontextmanager
async def refusing(directory: Path, version: ssl.TLSVersion) -> AsyncIterator[str]:
    """A server that sends the reason for refusing a client, and waits until it has been read.

    asyncio servers send no reason, and servers that close at once may overtake it.
    """
    context = tls_context(directory)
    context.minimum_version = context.maximum_version = version

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        handshake = context.wrap_bio(incoming, outgoing, server_side=True)
        while received := await reader.read(4096):
            incoming.write(received)
            with suppress(ssl.SSLError):  # it needs more bytes, or it refuses; its answer is in `outgoing`
                handshake.do_handshake()
            writer.write(outgoing.read())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/est"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_refusal_in_the_words_of_tls_is_understood(
    directory: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Most servers send a TLS alert with the reason, with TLS 1.3 only after the client's part of the handshake."""
    open_or_make(tmp_path / "station", PRODUCT)
    saved(tmp_path / "station", "ca", load_credential(directory, "tls/ca"))
    async with refusing(directory, version) as url, client(tmp_path / "station", url) as est:
        with pytest.raises(PKIRefusedStation, match="UNKNOWN_CA"):
            await est.enroll(new_csr()[0])
        with pytest.raises(PKIRefusedStation, match="UNKNOWN_CA"):
            await est.authorities()
