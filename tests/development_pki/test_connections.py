# SPDX-License-Identifier: Apache-2.0
"""What each switch of a connection does, under asyncio as under uvloop, and that it can be taken back."""

import asyncio
import base64
import json
import ssl
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from development_pki.directory import READY
from development_pki.faults import Fault, Place
from tests.development_pki.pki_client import Client, client_context, connected, csr, new_key

CUT = (aiohttp.ClientError, ConnectionError)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path / "pki") as client:
        yield client


def stations(directory: Path) -> ssl.SSLContext:
    return client_context(directory / "tls" / "ca.pem", directory / "tls" / "station.pem")


def old(directory: Path) -> ssl.SSLContext:
    """A client that speaks TLS 1.1."""
    context = stations(directory)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


async def version(url: str, context: ssl.SSLContext) -> str | None:
    """The TLS version of a new connection through which the server answers."""
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        writer.write(f"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return spoken.version()
    finally:
        writer.transport.abort()


REFUSALS = [
    (Fault.RESET_CONNECTION, "reset|Connection lost|ConnectionResetError"),
    (Fault.PLAIN_HTTP, "WRONG_VERSION_NUMBER|wrong version number"),
    (Fault.TLS_ALERT, "HANDSHAKE_FAILURE|handshake failure"),
    (Fault.TLS_1_1, "protocol version|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL"),
    (Fault.SERVER_EXPIRED, "certificate has expired"),
    (Fault.SERVER_MISNAMED, "certificate is not valid for"),
    (Fault.CLIENT_UNKNOWN, "unknown ca|UNKNOWN_CA"),
]


@pytest.mark.parametrize(("fault", "says"), REFUSALS, ids=lambda value: value.label if isinstance(value, Fault) else "")
async def test_a_client_can_be_refused(client: Client, fault: Fault, says: str) -> None:
    """No request is answered, the client sees why, and the switch's end is the trouble's end."""
    client.faults.set({fault.label: -1})
    with pytest.raises((*CUT, OSError), match=f"(?i){says}"):
        await version(client.url, stations(client.directory))
    assert client.faults.fired[fault.label] >= 1
    client.faults.set({fault.label: 0})
    assert await version(client.url, stations(client.directory)) == "TLSv1.3"


async def test_an_alert_can_be_any(client: Client) -> None:
    """The number is that of RFC 8446, 6."""
    client.faults.set({"tls_alert": {"times": 1, "alert": 48}})
    with pytest.raises((*CUT, OSError), match=r"(?i)unknown.ca"):
        await version(client.url, stations(client.directory))


async def test_a_server_can_speak_tls_1_2_only(client: Client) -> None:
    """Enrolment goes on over the older version."""
    client.faults.set({"tls_1_2": 1})
    assert await version(client.url, stations(client.directory)) == "TLSv1.2"
    assert client.faults.fired["tls_1_2"] == 1


async def test_a_server_can_speak_tls_1_1_only(client: Client) -> None:
    """A client that speaks it completes the handshake."""
    client.faults.set({"tls_1_1": 1})
    host, port = client.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=old(client.directory))
    spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
    assert spoken.version() == "TLSv1.1"
    assert await reader.read() == b""
    writer.transport.abort()


async def test_a_connection_can_be_half_open(client: Client) -> None:
    """The server accepts it, and neither speaks nor ends it."""
    client.faults.set({"half_open": 1})
    host, port = client.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"Is anybody there?")
    while not client.faults.fired["half_open"]:
        await asyncio.sleep(0.01)
    assert await version(client.url, stations(client.directory)) == "TLSv1.3"  # another connection
    assert not reader.at_eof()
    writer.close()
    await writer.wait_closed()


async def test_plain_http_is_answered_in_plain_http(client: Client) -> None:
    """The port understands a request without TLS, which has no client certificate."""
    client.faults.set({"plain_http": 1})
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{client.url.replace('https', 'http')}/cacerts") as answer,
    ):
        assert answer.status == 401


async def test_a_switch_ends_the_idle_connections(client: Client) -> None:
    """A station that keeps its connection meets the change with the next request, not with the next connection."""
    assert (await client.get("/cacerts"))[0] == 200
    client.faults.set({"server_expired": -1})

    async def refused() -> bool:
        try:
            await client.get("/csrattrs")
        except aiohttp.ClientConnectorCertificateError:
            return True
        except CUT:
            return False
        raise AssertionError

    assert await refused() or await refused()  # the first may go into the connection that the server has just ended
    client.faults.set({"server_expired": 0})
    assert (await client.get("/cacerts"))[0] == 200


async def test_a_server_can_serve_one_connection_at_a_time(client: Client) -> None:
    """The second connection is served when the first has ended."""
    client.faults.set({"one_at_a_time": -1})
    assert (await client.get("/cacerts"))[0] == 200  # this connection stays open
    second = asyncio.create_task(version(client.url, stations(client.directory)))
    assert (await client.enrol(base64.encodebytes(csr(new_key()))))[0] == 200
    assert not second.done()
    await client.session.close()
    assert await second == "TLSv1.3"
    client.faults.set({"one_at_a_time": 0})
    assert client.faults.fired["one_at_a_time"] == 2


# --- the program, which runs under uvloop where there is one ---------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "pki"
    command = [sys.executable, "-m", "development_pki", "serve", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline()
            yield directory
        finally:
            server.terminate()


async def test_the_control_port_takes_back_what_spoils_the_other(program: Path) -> None:
    """Every switch of a connection strikes in the program, is counted, and ends by a request to the control port."""
    ready = json.loads((program / READY).read_text())
    connector = aiohttp.TCPConnector(ssl=stations(program))
    async with aiohttp.ClientSession(connector=connector) as control:

        async def set_faults(**faults: int) -> dict[str, dict[str, object]]:
            async with control.post(ready["control"], data=json.dumps(faults)) as answer:
                assert answer.status == 200
                shown: dict[str, dict[str, object]] = await answer.json()
                return shown

        for fault, says in REFUSALS:
            await set_faults(**{fault.label: -1})
            with pytest.raises((*CUT, OSError), match=f"(?i){says}"):
                await version(ready["url"], stations(program))
            await set_faults(**{fault.label: 0})
        await set_faults(tls_1_2=1)
        assert await version(ready["url"], stations(program)) == "TLSv1.2"
        await set_faults(half_open=1)
        host, port = ready["url"].split("/")[2].split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        await set_faults(one_at_a_time=1)
        assert await version(ready["url"], stations(program)) == "TLSv1.3"
        shown = await set_faults()
        writer.close()
        await writer.wait_closed()
    fired = {fault.label: shown[fault.label]["fired"] for fault in Fault.at(Place.CONNECTION)}
    assert [name for name, count in fired.items() if not count] == []


ENDLESS = {Fault.HANG, Fault.HANG_AFTER_ISSUE, Fault.ENDLESS}
AT_ONCE = {Fault.LATE, Fault.DRIP_HEADER, Fault.DRIP_BODY}


@pytest.mark.slow
async def test_every_switch_strikes_in_the_program(program: Path) -> None:
    """Each of a request or an answer is set alone, and counted once; the server then issues as before."""
    ready, body = json.loads((program / READY).read_text()), base64.encodebytes(csr(new_key()))
    connector, headers = aiohttp.TCPConnector(ssl=stations(program)), {"Content-Type": "application/pkcs10"}
    async with aiohttp.ClientSession(connector=connector) as session:

        async def set_faults(faults: dict[str, object]) -> dict[str, dict[str, object]]:
            async with session.post(ready["control"], data=json.dumps(faults)) as answer:
                shown: dict[str, dict[str, object]] = await answer.json()
                return shown

        async def enrol(within: float | None) -> int | None:
            asked = session.post(
                f"{ready['url']}/simpleenroll",
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=within),
            )
            try:
                async with asked as answer:
                    async for _ in answer.content.iter_chunked(65536):
                        pass
                    return answer.status
            except (*CUT, TimeoutError):
                return None

        assert await enrol(None) == 200  # a serial number to repeat
        for fault in (each for each in Fault if each.place is not Place.CONNECTION):
            await set_faults({fault.label: {"times": 1, **({"seconds": 0} if fault in AT_ONCE else {})}})
            while (await set_faults({}))[fault.label]["left"]:
                await enrol(0.5 if fault in ENDLESS else None)
                if fault.place is Place.AUTHORITIES:
                    async with session.get(f"{ready['url']}/cacerts") as answer:
                        assert answer.status == 200
        assert await enrol(None) == 200
        shown = await set_faults({})
    assert {fault.label: shown[fault.label]["fired"] for fault in Fault} == {
        fault.label: 0 if fault.place is Place.CONNECTION else 1 for fault in Fault
    }


async def test_the_control_port_asks_for_a_stations_certificate(program: Path) -> None:
    """It is no open door, and it issues nothing."""
    control = json.loads((program / READY).read_text())["control"]
    connector = aiohttp.TCPConnector(ssl=client_context(program / "tls" / "ca.pem"))
    async with aiohttp.ClientSession(connector=connector) as session, session.get(control) as answer:
        assert answer.status == 401
    connector = aiohttp.TCPConnector(ssl=stations(program))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(control.replace("/fault", "/.well-known/est/cacerts")) as answer,
    ):
        assert answer.status == 404
