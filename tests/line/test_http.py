# SPDX-License-Identifier: Apache-2.0
"""One exchange with a server of the PKI: bounded in size and time, within its origin, and with secrets that stay secret."""

import asyncio
import base64
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from development_pki.directory import load_credential, open_or_make
from development_pki.tls import station_template
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.est import ESTClient, Form, Manner
from station.adapters.pki.http import Connection, Server
from station.adapters.pki.http_answer import MAX_ANSWER
from station.adapters.pki.identity import Watched
from station.adapters.pki.secret_header import SecretHeader
from station.faults import Fault
from station.faults.line import PKIAddressWrong, PKIFileUnusable, PKIRefusedStation, PKIUnavailable
from tests.line.answer_forms import FORMS, pem
from tests.line.pki_bench import PRODUCT, Handler, answering, client, new_csr, refused, server_at, status


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A development PKI's directory, which also has the station's files."""
    open_or_make(tmp_path / "pki", PRODUCT)
    return tmp_path / "pki"


@asynccontextmanager
async def client_of(server: Server, manner: Manner | None = None) -> AsyncIterator[ESTClient]:
    async with Connection.opened(server) as connection:
        yield ESTClient(connection, manner)


# --- size and time -------------------------------------------------------------------------------------------------------


async def test_a_bomb_expands_to_no_more_than_an_answer(directory: Path) -> None:
    """A few bytes may stand for gigabytes."""
    bomb = gzip.compress(bytes(50_000_000))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    assert len(bomb) < MAX_ANSWER
    unusable = await refused(directory, answer)
    assert isinstance(unusable, AnswerUnusable)
    assert unusable.fault.reason == "more than 65536 bytes"
    assert unusable.content == bytes(MAX_ANSWER)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_answer_is_read(directory: Path, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """Some proxies compress although nobody asked for it."""
    csr, key = new_csr()
    dac = load_credential(directory, "pai").certify(station_template(), key).public_bytes(Encoding.DER)

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=compress(base64.b64encode(dac)), headers={"Content-Encoding": encoding})

    async with answering(directory, answer) as url, client(directory, url) as est:
        assert (await est.enroll(csr)).certificate == dac


async def test_damaged_compression_is_an_answer_without_certificates(directory: Path) -> None:
    """The bytes are kept as they came."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8bnoise", headers={"Content-Encoding": "gzip"})

    unusable = await refused(directory, answer)
    assert isinstance(unusable, AnswerUnusable)
    assert unusable.content == b"\x1f\x8bnoise"


async def test_a_refusal_of_any_size_is_a_refusal(directory: Path) -> None:
    """Its page is cut off, and the connection with it."""
    assert isinstance(await refused(directory, status(404, "x" * 10_000_000)), PKIAddressWrong)


async def test_headers_without_measure_end_the_exchange(directory: Path) -> None:
    """Two megabytes of header."""

    async def flood(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\nX-Flood: " + b"x" * 2_000_000 + b"\r\n\r\n")
        await asyncio.Event().wait()
        raise AssertionError

    trouble = await refused(directory, flood)
    assert isinstance(trouble, NotNow)
    assert trouble.outcome is Outcome.UNKNOWN
    assert len(trouble.reason) <= 200


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"]
)
async def test_a_dripping_answer_has_one_deadline(directory: Path, beginning: bytes) -> None:
    """Every byte comes in time, and the whole never does."""

    async def drip(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(beginning)
        while not request.transport.is_closing():
            request.transport.write(b"M")
            await asyncio.sleep(0.01)
        return web.Response()

    trouble = await refused(directory, drip, connect_within=0.5, reply_within=0.5)
    assert isinstance(trouble, NotNow)
    assert trouble.outcome is Outcome.UNKNOWN


async def test_a_date_to_come_counts_from_the_servers_clock(directory: Path) -> None:
    """A server whose clock is years behind asks for twenty seconds."""
    date, later = "Tue, 15 Nov 1994 08:12:31 GMT", "Tue, 15 Nov 1994 08:12:51 GMT"
    trouble = await refused(directory, status(503, Date=date, Retry_After=later))
    assert isinstance(trouble, NotNow)
    assert trouble.after == 20


# --- redirections --------------------------------------------------------------------------------------------------------


def moving(number: int, location: Callable[[web.Request], str], asked: list[str]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path}")
        if request.path.startswith("/new"):
            return web.Response(status=503, text=(await request.text())[:4])
        return web.Response(status=number, headers={"Location": location(request)})

    return answer


@pytest.mark.parametrize("number", [301, 302, 307, 308])
@pytest.mark.parametrize("whole", [False, True])
async def test_a_redirection_within_the_origin_is_followed(directory: Path, number: int, *, whole: bool) -> None:
    """A POST stays a POST with its body: the server has not handled it (RFC 7030, 3.2.1)."""
    asked: list[str] = []
    handler = moving(number, lambda request: f"https://{request.host}/new" if whole else "/new", asked)
    trouble = await refused(directory, handler)
    assert isinstance(trouble, NotNow)
    assert trouble.reason.startswith("503 MI")
    assert asked == ["POST /est/simpleenroll", "POST /new"]


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1:1/new", "http://{host}/new", "//other.example/new", "https://[x", "", "file:///new", "ftp:new"],
)
async def test_no_other_redirection_is_followed(directory: Path, location: str) -> None:
    """Neither certificate nor secret nor request goes to another server; nothing was issued."""
    asked: list[str] = []
    fault = await refused(directory, moving(307, lambda request: location.format(host=request.host), asked))
    assert isinstance(fault, PKIAddressWrong)
    assert "307, which redirects to" in fault.reason
    assert asked == ["POST /est/simpleenroll"]


async def test_redirections_end(directory: Path) -> None:
    """A server that sends the station around gets three requests."""
    asked: list[str] = []
    assert isinstance(await refused(directory, moving(308, lambda _: "/est/around", asked)), PKIAddressWrong)
    assert len(asked) == 3


async def test_see_other_means_that_the_request_was_handled(directory: Path) -> None:
    """303 asks for a GET of the result (RFC 9110, 15.4.4), so a certificate may have been issued."""
    asked: list[str] = []
    trouble = await refused(directory, moving(303, lambda _: "/new", asked))
    assert isinstance(trouble, NotNow)
    assert trouble.outcome is Outcome.UNKNOWN
    assert asked == ["POST /est/simpleenroll"]


# --- the form of requests ------------------------------------------------------------------------------------------------


async def test_the_request_has_the_configured_form(directory: Path) -> None:
    """Each server gets the form that it can read."""
    seen: dict[str, tuple[bytes, str, str | None]] = {}
    csr, _ = new_csr()

    async def record(request: web.Request) -> web.Response:
        kind, transfer = request.headers["Content-Type"], request.headers.get("Content-Transfer-Encoding")
        seen[kind] = (await request.read(), kind, transfer)
        return web.Response(status=503)

    forms: dict[Form, bytes] = {
        "base64": base64.encodebytes(csr),
        "single-line": base64.b64encode(csr),
        "pem": pem("CERTIFICATE REQUEST", csr),
        "der": csr,
    }
    async with answering(directory, record) as url:
        for form in forms:
            async with client_of(server_at(directory, url), Manner(form, f"text/{form}")) as est:
                with pytest.raises(NotNow):
                    await est.enroll(csr)
    for form, body in forms.items():
        transfer = "base64" if form in {"base64", "single-line"} else None
        assert seen[f"text/{form}"] == (body, f"text/{form}", transfer)


@pytest.mark.parametrize("number", [200, 201])
@pytest.mark.parametrize("kind", ["", "text/html", "application/pkcs7-mime"])
async def test_content_decides_and_not_its_type(directory: Path, number: int, kind: str) -> None:
    """A wrong or missing type is no reason to lose a certificate."""
    csr, key = new_csr()
    dac = load_credential(directory, "pai").certify(station_template(), key)

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        body = pem("CERTIFICATE", dac.public_bytes(Encoding.DER))
        header = f"Content-Type: {kind}\r\n" if kind else ""
        head = f"HTTP/1.1 {number} OK\r\n{header}Content-Length: {len(body)}\r\n\r\n"
        request.transport.write(head.encode() + body)
        await asyncio.Event().wait()
        raise AssertionError

    async with answering(directory, answer) as url, client(directory, url) as est:
        assert (await est.enroll(csr)).certificate == dac.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "found 3 certificates for other keys"), (2, "found 2 certificates for the key")]
)
async def test_what_was_found_stands_beside_what_was_expected(directory: Path, count: int, words: str) -> None:
    """Every certificate is kept for the operator."""
    csr, key = new_csr()
    pai = load_credential(directory, "pai")
    dacs = [pai.certify(station_template(), key).public_bytes(Encoding.DER) for _ in range(count)]
    body = b"".join(dacs) or FORMS["certificates in DER"]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with answering(directory, answer) as url, client(directory, url) as est:
        with pytest.raises(AnswerUnusable) as caught:
            await est.enroll(csr)
    unusable = caught.value
    assert unusable.fault.reason.startswith(words)
    assert "expected one for the key" in unusable.fault.reason
    assert unusable.content == body
    assert b"".join(unusable.certificates) == body


async def test_another_kind_of_answer_is_named(directory: Path) -> None:
    """A portal in front of the PKI answers every request with a page."""
    unusable = await refused(directory, status(200, "<html>Please log in"))
    assert isinstance(unusable, AnswerUnusable)
    assert unusable.fault.reason == "found HTML, expected certificates: 200 <html>Please log in"


# --- authorities ---------------------------------------------------------------------------------------------------------


async def test_pinned_authorities_are_not_compared(directory: Path) -> None:
    """The list of some servers lacks the PAI; reach and identity are checked all the same."""
    pai = load_credential(directory, "pai").certificate
    paa = x509.load_pem_x509_certificate((directory / "paa.pem").read_bytes())
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        number = 204 if request.path.endswith("csrattrs") else 200
        return web.Response(status=number, body=paa.public_bytes(Encoding.DER) if number == 200 else b"")

    async with answering(directory, answer) as url:
        async with client_of(server_at(directory, url), Manner(pinned=pai)) as est:
            assert await est.authorities() == [pai]
        async with client(directory, url) as est:
            assert await est.authorities() == [paa]
    assert asked == ["/est/cacerts", "/est/csrattrs"] * 2
    async with (
        answering(directory, status(401)) as url,
        client_of(server_at(directory, url), Manner(pinned=pai)) as est,
    ):
        with pytest.raises(PKIRefusedStation):
            await est.authorities()


# --- connections ---------------------------------------------------------------------------------------------------------


class Counted:
    """A server that counts its connections, and the requests that are at it at once."""

    def __init__(self) -> None:
        self.connections = set[object]()
        self.now = self.most = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.connections.add(request.get_extra_info("peername"))
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(20):
            await asyncio.sleep(0)
        self.now -= 1
        return web.Response(status=503)


async def questions(est: ESTClient, number: int) -> None:
    async def ask() -> None:
        with pytest.raises(PKIUnavailable):
            await est.authorities()

    async with asyncio.TaskGroup() as group:
        for _ in range(number):
            group.create_task(ask())


@pytest.mark.parametrize(("at_once", "keep_alive", "connections"), [(1, 0.0, 6), (1, 600.0, 1), (3, 600.0, 3)])
async def test_connections_are_as_many_and_as_lasting_as_configured(
    directory: Path, at_once: int, keep_alive: float, connections: int
) -> None:
    """Some servers serve one connection at a time, and an idle one blocks them."""
    counted = Counted()
    async with (
        answering(directory, counted.answer) as url,
        client_of(replace(server_at(directory, url), at_once=at_once, keep_alive=keep_alive)) as est,
    ):
        await questions(est, 6)
    assert counted.most <= at_once
    if at_once == 1:
        assert len(counted.connections) == connections
    else:
        assert len(counted.connections) <= connections


async def test_a_turn_that_never_comes_has_issued_nothing(directory: Path) -> None:
    """A request that waits for another one's connection was never sent."""
    begun = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with answering(directory, never) as url:
        server = replace(server_at(directory, url, 200.0, 200.0), at_once=1)
        async with client_of(server) as est, asyncio.TaskGroup() as group:
            first = group.create_task(est.enroll(new_csr()[0]))
            await begun.wait()
            hasty = replace(server, connect_within=0.05, reply_within=0.05)
            est._connection._server = hasty  # noqa: SLF001  # only the second request is in a hurry
            with pytest.raises(NotNow) as caught:
                await est.enroll(new_csr()[0])
            first.cancel()
    assert caught.value.outcome is Outcome.NOTHING_ISSUED


# --- secrets -------------------------------------------------------------------------------------------------------------


def kept(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


async def test_secrets_are_sent_and_never_told(directory: Path, tmp_path: Path) -> None:
    """A server may repeat every header in its refusal; the station's faults, logs and kept answers do not."""
    basic = kept(tmp_path / "basic", "line-1:correct horse\n")
    api = kept(tmp_path / "api", "0123456789abcdef")
    seen: list[tuple[str, str]] = []

    async def echo(request: web.Request) -> web.Response:
        seen.append((request.headers["Authorization"], request.headers["X-API-Key"]))
        text = f"{dict(request.headers)} line-1:correct horse, correct horse"
        return web.Response(status=int(request.query.get("status", "200")), text=text)

    async with answering(directory, echo) as url:
        server = server_at(directory, url)
        files = replace(server.files, secrets=(SecretHeader(basic), SecretHeader(api, "X-API-Key")))
        for number in (200, 400, 401):
            server = replace(server, files=files, url=f"{url}/x?status={number}&")
            with capture_logs() as log:
                async with client_of(server) as est:
                    with pytest.raises((AnswerUnusable, Fault)) as caught:
                        await est.enroll(new_csr()[0])
            told = f"{caught.value} {caught.value!r} {vars(caught.value)} {log} {files!r}"
            for secret in ("correct horse", "0123456789abcdef", base64.b64encode(b"line-1:correct horse").decode()):
                assert secret not in told
    assert seen == [("Basic bGluZS0xOmNvcnJlY3QgaG9yc2U=", "0123456789abcdef")] * 3


async def test_a_changed_secret_is_taken_up(directory: Path, tmp_path: Path) -> None:
    """Secrets are replaced as certificates are."""
    file, seen = kept(tmp_path / "basic", "code-1"), list[str]()

    async def record(request: web.Request) -> web.Response:
        seen.append(base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode())
        return web.Response(status=503)

    async with answering(directory, record) as url:
        server = server_at(directory, url)
        server = replace(server, files=replace(server.files, secrets=(SecretHeader(file),)))
        async with client_of(server) as est:
            for code in ("code-1", "code-number-2"):
                kept(file, code)
                with pytest.raises(NotNow):
                    await est.enroll(new_csr()[0])
    assert seen == ["code-1", "code-number-2"]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two-lines\nof-text", b"tab\there", "Käse".encode(), b"nul\0", b"x" * 5000]
)
def test_a_file_that_is_no_secret_is_told_without_its_content(tmp_path: Path, content: bytes) -> None:
    """A header takes one line of ASCII."""
    (tmp_path / "secret").write_bytes(content)
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(PKIFileUnusable) as caught:
        SecretHeader(tmp_path / "secret", "X-Key").read()
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OSError)
    assert not [
        word for word in content.decode(errors="replace").split() if len(word) > 2 and word in str(caught.value)
    ]


def test_an_identity_does_not_show_its_secret(directory: Path, tmp_path: Path) -> None:
    """Neither in logs nor in tracebacks."""
    server = server_at(directory, "https://127.0.0.1/est")
    files = replace(server.files, secrets=(SecretHeader(kept(tmp_path / "s", "hush-hush"), "X-Key"),))
    assert "hush" not in repr(Watched(files).current)
