# SPDX-License-Identifier: Apache-2.0
"""The page over TLS: its versions, its certificate, and what becomes of it when the files change."""

import asyncio
import shlex
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from station.domain.people import Role
from station.web import site as sites
from station.web.certificate import Certificate, CertificateUnusable, loaded, uncovered
from station.web.site import Site
from tests.builders.page_certificate import FOR_CLIENTS, written
from tests.web.abroad import Abroad, served
from tests.web.fake_door import FakeDoor, slot
from tests.web.test_site import WITHIN, address

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def abroad(tmp_path: Path) -> AsyncIterator[Abroad]:
    async with served(tmp_path) as abroad:
        yield abroad


async def test_nothing_is_told_without_tls(abroad: Abroad) -> None:
    """Nor by an old version of it."""
    host, port = abroad.url.removeprefix("https://").split(":")
    with pytest.raises(aiohttp.ClientError):
        await abroad.browser.get(f"http://{host}:{port}/healthz")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("AES256-SHA:ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(host, int(port), ssl=old)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        new = ssl.create_default_context(cafile=abroad.people.path.with_name("page.pem"))
        new.minimum_version = new.maximum_version = version
        _, writer = await asyncio.open_connection(host, int(port), ssl=new)
        spoken = writer.get_extra_info("ssl_object")
        assert spoken.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        writer.close()
        await writer.wait_closed()


async def test_over_tls_too_a_listener_that_does_not_read_loses_its_connection(abroad: Abroad) -> None:
    host, port = abroad.url.removeprefix("https://").split(":")
    token = abroad.people.add_token("MES", Role.READER)
    _, writer = await asyncio.open_connection(host, int(port), ssl=_trusting(), limit=1)
    writer.write(f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    async with asyncio.timeout(WITHIN):
        while not abroad.site.hub.listeners:
            await asyncio.sleep(0.01)
        big = slot("2", "fail", "board.silent").model_copy(update={"reason": "x" * 20_000})
        while abroad.site.hub.listeners:
            abroad.door.put(big)
            abroad.site.hub.look()
            await asyncio.sleep(0)
    writer.transport.abort()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "127.0.0.2:0"])
def test_the_address_that_it_listens_at_is_a_name(listen: str) -> None:
    """But no PC is called by the address that stands for all."""
    site = Site(FakeDoor(), listen, ["line1.example"])
    hosts = {"localhost", "127.0.0.1", "[::1]", "line1.example"}
    assert site._hosts == (hosts | {"127.0.0.2"} if listen == "127.0.0.2:0" else hosts)  # noqa: SLF001


async def test_hsts_is_for_those_who_want_it(tmp_path: Path, abroad: Abroad) -> None:
    """It holds for every port of the host, so the station does not choose it."""
    async with await abroad.ask("/healthz") as answer:
        assert "Strict-Transport-Security" not in answer.headers
    (tmp_path / "other").mkdir()
    async with served(tmp_path / "other", hsts_days=365) as other, await other.ask("/healthz") as answer:
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_changed_files_are_taken_up_without_a_restart(abroad: Abroad, tmp_path: Path) -> None:
    """Half of a pair leaves the old certificate in use."""
    host, port = abroad.url.removeprefix("https://").split(":")

    async def shown() -> bytes | None:
        _, writer = await asyncio.open_connection(host, int(port), ssl=_trusting())
        der: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return der

    def in_file() -> bytes:
        return ssl.PEM_cert_to_DER_cert((tmp_path / "page.pem").read_text())

    first = in_file()
    assert await shown() == first
    (tmp_path / "new").mkdir()
    certificate, key = written(tmp_path / "new", days=10)
    with capture_logs() as logs:
        certificate.replace(tmp_path / "page.pem")
        assert await shown() == first
        assert await shown() == first
        key.replace(tmp_path / "page-key.pem")
        assert await shown() == in_file() != first
        assert await shown() == in_file()
    events = [(each["event"], each.get("days")) for each in logs]
    assert events == [
        ("web.certificate_refused", None),
        ("web.certificate_taken_up", 10),
        ("web.certificate_expiring", 10),
    ]
    assert abroad.site.certificate is not None
    assert abroad.site.certificate.days == 10


@pytest.mark.parametrize(("days", "told"), [(90, "ok"), (10, "expires in 10 days"), (-3, "has expired")])
async def test_readyz_tells_when_the_certificate_expires(tmp_path: Path, days: int, told: str) -> None:
    """Which is no reason against the line."""
    async with served(tmp_path, days=days) as abroad:
        token = abroad.people.add_token("watch", Role.READER)
        async with abroad.browser.get(
            f"{abroad.url}/readyz", headers={"Authorization": f"Bearer {token}"}, ssl=_trusting()
        ) as answer:
            assert (answer.status, (await answer.json())["checks"]["page's certificate"]) == (200, told)


async def test_a_certificate_that_is_gone_costs_the_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes up once the files are there."""
    monkeypatch.setattr(sites, "AGAIN_AFTER", 0.05)
    place = tmp_path / "page"
    site = Site(FakeDoor(), "127.0.0.1:0", certificate=lambda: Certificate(place / "page.pem", place / "page-key.pem"))
    serving = asyncio.create_task(site.run())
    async with asyncio.timeout(WITHIN):
        while (reason := site.reason) is None:
            await asyncio.sleep(0.01)
    assert reason == f"{place / 'page.pem'} cannot be read: No such file or directory"
    place.mkdir()
    written(place)
    assert (await address(site)).startswith("https://127.0.0.1:")
    serving.cancel()
    await asyncio.wait([serving])


def _spoiled(
    *, mode: int = 0o600, certificate: bytes | None = None, key: bytes | None = None
) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        if certificate is not None:
            (folder / "page.pem").write_bytes(certificate)
        if key is not None:
            (folder / "page-key.pem").write_bytes(key)
        (folder / "page-key.pem").chmod(mode)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "file", "reason"),
    [
        (_spoiled(mode=0o640), "page-key.pem", "can be used by other accounts (its mode is 0640): chmod 600"),
        (_spoiled(certificate=b"x"), "page.pem", "is no certificate in PEM"),
        (_spoiled(certificate=b"\x30\x82"), "page.pem", "is DER, and PEM is needed: openssl x509"),
        (_spoiled(key=b"\x30\x82"), "page-key.pem", "is DER, and PEM is needed: openssl pkey"),
        (_spoiled(key=b"-----BEGIN ENCRYPTED PRIVATE KEY-----"), "page-key.pem", "is encrypted, and nobody can type"),
        (_spoiled(key=b"x"), "page-key.pem", "has no private key"),
        (_spoiled(key=b"-----BEGIN PRIVATE KEY-----"), "page-key.pem", "is not the key of"),
        (lambda folder: (folder / "page-key.pem").unlink(), "page-key.pem", "cannot be read: No such file"),
        (lambda folder: written(folder, usage=FOR_CLIENTS), "page.pem", "is not a certificate for servers"),
    ],
)
def test_files_that_cannot_be_used_are_told(
    tmp_path: Path, spoil: Callable[[Path], object], file: str, reason: str
) -> None:
    certificate, key = written(tmp_path)
    spoil(tmp_path)
    with pytest.raises(CertificateUnusable) as unusable:
        loaded(certificate, key)
    assert unusable.value.file == tmp_path / file
    assert unusable.value.reason.startswith(reason)


def test_a_certificate_is_for_the_names_it_has(tmp_path: Path) -> None:
    """A wildcard stands for one label."""
    read = loaded(*written(tmp_path, ("Line1.example", "*.factory.example", "fd00::4", "10.0.0.1")))
    hosts = ["line1.example", "a.factory.example", "[fd00::4]", "10.0.0.1"]
    assert uncovered(read.names, hosts) == []
    strange = ["line2.example", "factory.example", "a.b.factory.example", "10.0.0.2"]
    assert uncovered(read.names, strange) == strange


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_the_run_books_commands_make_a_pair_that_is_good(tmp_path: Path) -> None:
    """As they stand there, in a folder of their own."""
    book = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    commands = [line.strip() for line in book.splitlines() if line.startswith("   openssl ")]
    assert len(commands) == 3
    for command in commands:
        subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
    read = loaded(tmp_path / "page.pem", tmp_path / "page-key.pem")
    assert uncovered(read.names, ["line1.factory.example", "192.168.1.20"]) == []
    assert read.days > 360
