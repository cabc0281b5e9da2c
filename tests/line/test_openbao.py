# SPDX-License-Identifier: Apache-2.0
"""What a server in OpenBao's place may answer, and the real one cannot be made to; tests/commissioning has the real one."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.directory import open_or_make
from station.adapters.pki import openbao_list, providers
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.http_answer import MAX_ANSWER, Answer
from station.adapters.pki.openbao_list import CertificateList
from station.adapters.pki.openbao_session import Session
from station.adapters.pki.providers import Provider
from station.config.pki_kinds import OpenBaoSection
from station.config.sections import PKISection
from station.domain.credentials import Credentials
from station.faults import Fault
from station.faults.line import (
    PKIAuthoritiesInvalid,
    PKIFileUnusable,
    PKIForbidden,
    PKIRefusedStation,
    PKIUnavailable,
)
from tests.line.pki_bench import PRODUCT, answering
from tests.line.relay_bench import dac_for, new_csr

SECRET = "s.fromTheLogin"
OF_FILE = "s.fromTheFile"


def pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


@dataclass
class Server:
    """A scripted server: the next answers to sign-verbatim, then certificates; and everything that it was asked."""

    folder: Path
    script: list[web.Response | str] = field(default_factory=list)
    """`drop` issues and closes the connection."""
    asked: Counter[str] = field(default_factory=Counter)
    tokens: list[str] = field(default_factory=list)
    issued: list[bytes] = field(default_factory=list)
    logins: list[web.Response] = field(default_factory=list)
    lists: dict[str, Callable[[], web.Response]] = field(default_factory=dict)
    """What it says instead of a list."""
    chain: object = None
    pages: bool = False

    async def answer(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911  a case a path
        path = request.path.partition("/v1/")[2]
        self.asked[path] += 1
        match path.split("/"):
            case ["auth", "cert", "login"]:
                return self.logins.pop(0) if self.logins else found({}, auth={"client_token": SECRET})
            case ["pki", "sign-verbatim"]:
                return await self.signed(request)
            case ["pki", "certs", *more]:
                return self.listed("/".join(["certs", *more]), request)
            case ["pki", "cert", number]:
                return found({"certificate": pem(self.issued[int(number.replace(":", ""), 16)])})
            case ["pki", "issuer", "default", "json"] if self.chain is not None:
                return found({"ca_chain": self.chain})
            case ["auth", "token", "lookup-self"]:
                return found({})
        return web.json_response({"errors": ["no handler for route"]}, status=404)

    async def signed(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers["X-Vault-Token"])
        csr = x509.load_pem_x509_csr(json.loads(await request.read())["csr"].encode())
        what = self.script.pop(0) if self.script else ""
        if isinstance(what, web.Response):
            return what
        dac = dac_for(csr.public_bytes(Encoding.DER))
        self.issued.append(dac)
        if what == "drop":
            assert request.transport is not None
            request.transport.abort()
        return found({"certificate": pem(dac)})

    def listed(self, name: str, request: web.Request) -> web.Response:
        """All in one, as Vault answers, which knows no pages; or in pages as OpenBao does."""
        if instead := self.lists.get(name):
            return instead()
        assert request.query["list"] == "true"
        keys = [f"{number:02x}" for number in range(len(self.issued))]
        if self.pages:
            stored = [f"00-{key}" for key in keys if f"00-{key}" > request.query.get("after", "")]
            keys = [each.replace("-", ":") for each in stored[: int(request.query["limit"])]]
        return found({"keys": keys}) if keys else errors(404)


def found(data: object, **others: object) -> web.Response:
    return web.json_response({"data": data, **others})


def errors(status: int, *words: str, **headers: str) -> web.Response:
    return web.json_response(
        {"errors": list(words)}, status=status, headers={name.replace("_", "-"): each for name, each in headers.items()}
    )


@pytest.fixture
def server(tmp_path: Path) -> Server:
    open_or_make(tmp_path / "pki", PRODUCT)
    return Server(tmp_path / "pki")


@asynccontextmanager
async def opened(server: Server, **openbao: object) -> AsyncIterator[Provider]:
    files = {"ca": "tls/ca.pem", "certificate": "tls/station.pem", "key": "tls/station-key.pem"}
    paths = {name: server.folder / file for name, file in {**files, "pai": "pai.pem", "paa": "paa.pem"}.items()}
    async with answering(server.folder, server.answer) as url:
        origin = url.removesuffix("/est")
        section = PKISection.model_validate(
            {"kind": "openbao", "url": origin, **paths, "openbao": openbao, "reply_within": 60, "connect_within": 60}
        )
        async with providers.opened(section) as client:
            yield client


def token_file(server: Server, mode: int = 0o600) -> Path:
    path = server.folder / "token"
    path.write_text(f"{OF_FILE}\n")
    path.chmod(mode)
    return path


async def refusal(client: Provider, csr: bytes | None = None) -> AnswerUnusable | Fault | NotNow:
    with pytest.raises((AnswerUnusable, Fault, NotNow)) as caught:
        await client.enroll(csr or new_csr())
    assert isinstance(caught.value, AnswerUnusable | Fault | NotNow)
    return caught.value


async def test_a_lost_answer_is_in_the_list(server: Server) -> None:
    """Each certificate is read once."""
    csr, other = new_csr(), new_csr()
    server.script = ["drop"]
    async with opened(server) as client:
        lost = await refusal(client, csr)
        assert isinstance(lost, NotNow)
        assert lost.outcome is Outcome.UNKNOWN
        await client.enroll(other)
        for _ in range(2):
            assert await client.issued_for(csr) == [server.issued[0]]
        assert await client.issued_for(other) == [server.issued[1]]
    assert [server.asked[f"pki/cert/{number}"] for number in ("00", "01")] == [1, 1]


async def test_no_page_leaves_out_what_begins_as_the_last_of_the_page_before(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server compares where a page begins with its stored names, whose bytes stand between hyphens."""
    monkeypatch.setattr(openbao_list, "PAGE", 2)
    server.pages = True
    csrs = [new_csr() for _ in range(5)]
    async with opened(server) as client:
        for csr in csrs:
            await client.enroll(csr)
        assert [await client.issued_for(csr) for csr in csrs] == [[dac] for dac in server.issued]
    assert server.asked["pki/certs/detailed"] == 3 * len(csrs)


async def test_a_failure_says_whether_something_may_have_been_issued(server: Server) -> None:
    """And an empty list says that nothing was."""
    csr = new_csr()
    server.script = [errors(500, "no leader"), errors(429, "quota")]
    async with opened(server) as client:
        for outcome in (Outcome.UNKNOWN, Outcome.NOTHING_ISSUED):
            failed = await refusal(client, csr)
            assert isinstance(failed, NotNow)
            assert failed.outcome is outcome
        assert await client.issued_for(csr) == []


async def test_a_list_that_fails_is_a_fault(server: Server) -> None:
    """It is not an empty list."""
    server.lists = {"certs/detailed": lambda: errors(500, "no leader")}
    async with opened(server) as client:
        with pytest.raises(PKIUnavailable, match="no leader"):
            await client.issued_for(new_csr())


@pytest.mark.parametrize("status", [404, 405, 403])
async def test_vaults_plainer_list_is_read_too(server: Server, status: int) -> None:
    """It has no details and no pages."""
    csr = new_csr()
    server.lists = {"certs/detailed": lambda: errors(status, "unsupported path")}
    async with opened(server) as client:
        dac = (await client.enroll(csr)).certificate
        assert await client.issued_for(csr) == [dac]


@pytest.mark.parametrize("body", ["x" * (MAX_ANSWER + 1), None])
async def test_a_list_that_cannot_be_read_is_none(server: Server, body: str | None) -> None:
    """Too long for an answer, or forbidden: the station asks as it would ask a PKI without a list."""

    def forbidden() -> web.Response:
        return errors(403, "permission denied") if body is None else web.Response(text=body)

    server.lists = {"certs/detailed": forbidden, "certs": forbidden}
    csr = new_csr()
    async with opened(server, token_file=token_file(server)) as client:
        await client.enroll(csr)
        assert await client.issued_for(csr) is None


async def test_a_search_has_an_end(server: Server) -> None:
    """A server that answers each question late cannot hold a slot for hours."""

    class Slow(Session):
        def __init__(self) -> None:
            self.url = "https://bao.example"

        async def question(self, path: str) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError(path)

    with pytest.raises(PKIUnavailable, match=r"not searched within 0\.1 s"):
        await CertificateList(Slow(), "pki", within=0.1).certificates_for("aa")


async def test_a_wrapped_answer_is_named_and_its_token_is_not(server: Server) -> None:
    """The token would give the certificate to whoever reads the log."""
    server.script = [web.json_response({"data": None, "wrap_info": {"token": "s.wrapping", "ttl": 60}})]
    async with opened(server) as client:
        unusable = await refusal(client)
    assert isinstance(unusable, AnswerUnusable)
    assert "a wrapped answer" in unusable.fault.reason
    assert "s.wrapping" not in str(unusable.fault)


async def test_names_of_the_list_become_no_path(server: Server) -> None:
    """A serial number is hexadecimal, whatever the server says."""
    server.lists = {"certs/detailed": lambda: found({"keys": ["../../sys/seal", 7, None], "key_info": []})}
    async with opened(server) as client:
        assert await client.issued_for(new_csr()) == []
    assert not any("seal" in path for path in server.asked)


@pytest.mark.parametrize(
    ("answer", "kind", "outcome"),
    [
        (lambda: errors(429, "quota"), NotNow, Outcome.NOTHING_ISSUED),
        (lambda: errors(412, "not caught up"), NotNow, Outcome.NOTHING_ISSUED),
        (lambda: errors(502), NotNow, Outcome.UNKNOWN),
        (lambda: web.Response(status=504, text="<html>"), NotNow, Outcome.UNKNOWN),
        (lambda: found({}), AnswerUnusable, None),
        (lambda: found(None, wrap_info={"token": "s.wrapped"}), AnswerUnusable, None),
        (lambda: web.Response(text="{" * 5000), AnswerUnusable, None),
        (lambda: found({"certificate": "x"}), AnswerUnusable, None),
        (lambda: found({"certificate": pem(dac_for(new_csr()))}), AnswerUnusable, None),
        (lambda: web.Response(text="x" * (MAX_ANSWER + 1)), AnswerUnusable, None),
    ],
)
async def test_each_answer_has_its_meaning(
    server: Server, answer: object, kind: type[Exception], outcome: Outcome | None
) -> None:
    """None of them is a certificate."""
    assert callable(answer)
    server.script = [answer()]
    async with opened(server) as client:
        refused = await refusal(client)
    assert isinstance(refused, kind)
    if isinstance(refused, NotNow):
        assert refused.outcome is outcome


async def test_a_refused_token_brings_one_login_and_one_further_request(server: Server) -> None:
    """A second refusal is a fault, after which nothing was issued."""
    server.script = [errors(403, "permission denied") for _ in range(2)]
    async with opened(server) as client:
        assert isinstance(await refusal(client), PKIForbidden)
    assert (server.asked["auth/cert/login"], server.asked["pki/sign-verbatim"]) == (2, 2)
    assert server.issued == []


async def test_a_lost_login_has_issued_nothing(server: Server) -> None:
    """Also one whose answer makes no sense."""
    for login in (web.Response(status=500), found({}), found({}, auth={"client_token": "no\r\nheader"})):
        server.logins = [login]
        async with opened(server) as client:
            refused = await refusal(client)
        assert isinstance(refused, NotNow)
        assert refused.outcome is Outcome.NOTHING_ISSUED
        assert refused.reason.startswith("login: ")
    server.logins = [errors(403, "permission denied")]
    async with opened(server) as client:
        assert isinstance(await refusal(client), PKIRefusedStation)
    assert server.asked["pki/sign-verbatim"] == 0


@pytest.mark.parametrize("source", ["file", "login"])
async def test_a_server_that_repeats_the_token_does_not_get_it_into_our_texts(
    server: Server, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    """Neither refusals nor what is kept of an unusable answer have it."""
    secret = OF_FILE if source == "file" else SECRET
    settings = {"token_file": token_file(server)} if source == "file" else {}
    server.script = [
        errors(500, f"token {secret} failed"),
        found({"certificate": f"x {secret}"}),
        web.Response(text=secret * MAX_ANSWER),
    ]
    async with opened(server, **settings) as client:
        told = [await refusal(client) for _ in range(3)]
    assert set(server.tokens) == {secret}
    for each in told:
        kept = each.content.decode() if isinstance(each, AnswerUnusable) else ""
        assert secret not in f"{each} {each!r} {vars(each)} {kept}"
    assert secret not in caplog.text


async def test_a_token_that_others_can_read_is_refused(server: Server) -> None:
    """As every secret."""
    with pytest.raises(PKIFileUnusable, match="chmod 600"):
        async with opened(server, token_file=token_file(server, 0o644)):
            pass


async def test_without_a_certificate_a_token_is_enough(server: Server) -> None:
    """Then there is no certificate whose days are counted; this server wants one, and says so by an alert."""
    async with answering(server.folder, server.answer) as url:
        section = PKISection(
            kind="openbao",
            url=url.removesuffix("/est"),
            ca=server.folder / "tls/ca.pem",
            pai=server.folder / "pai.pem",
            paa=server.folder / "paa.pem",
            openbao=OpenBaoSection(token_file=token_file(server)),
        )
        async with providers.opened(section) as client:
            assert (client.certificate_days, client.look()) == (None, None)
            csr = new_csr()
            dac = (await client.enroll(csr)).certificate
            assert Credentials(dac, b"").key == Credentials(dac_for(csr), b"").key


async def test_authorities_that_make_no_sense_are_told(server: Server) -> None:
    """Such as an issuer without a chain."""
    async with opened(server) as client:
        with pytest.raises(Fault, match="no handler for route"):
            await client.authorities()

    server.chain = 7
    async with opened(server) as client:
        with pytest.raises(PKIAuthoritiesInvalid, match="expected the issuer's ca_chain"):
            await client.authorities()
