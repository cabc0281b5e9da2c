# SPDX-License-Identifier: Apache-2.0
"""A webhook over mutual TLS: the station shows its certificate, and trusts no other server than its authority's."""

import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from station.adapters.outbox.http import NoAnswer, Post
from station.adapters.outbox.mqtt import Broker, try_out
from station.adapters.outbox.secret_file import SecretUnusable, tls_context
from station.adapters.outbox.tls_files import TLSFiles
from station.adapters.outbox.webhook import Webhook
from station.adapters.system import logs
from station.mes.message import Delivered, Failed, Waiting
from tests.mes.broker import brokered
from tests.mes.receiver import Receiver, receiving

MESSAGE = Waiting(1, "line-1/1", "attempt.finished.v1", '{"id": "line-1/1"}', 0, 0)


@dataclass(frozen=True)
class Files:
    """One party's certificate, key and authority."""

    certificate: Path
    key: Path
    ca: Path


def party(folder: Path, days: int = 1) -> Files:
    """A party that is its own authority, at this PC's address. Called again, it has another certificate and key."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, folder.name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=90),
        now + timedelta(days=days, hours=1),
    )
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    signed = builder.sign(key, hashes.SHA256())
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    private.chmod(0o600)
    return Files(certificate, private, certificate)


def lets_in(server: Files, *stations: Path) -> ssl.SSLContext:
    """A server that lets in these stations alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    context.verify_mode = ssl.CERT_REQUIRED
    for station in stations:
        context.load_verify_locations(station)
    return context


async def delivered(context: ssl.SSLContext, receiver: Receiver, secret: Path) -> Delivered | Failed:
    async with Post.opened(lambda: context) as post:
        webhook = Webhook(post, receiver.url, secret, "application/json", lambda: datetime.now(UTC), within=60)
        answer = await webhook.deliver(MESSAGE)
        assert isinstance(answer, Delivered | Failed)
        return answer


async def test_only_the_right_server_gets_messages_and_only_from_the_right_station(
    tmp_path: Path, secret_file: Path
) -> None:
    server, station, stranger = (party(tmp_path / name) for name in ("server", "station", "stranger"))
    async with receiving(Receiver(), tls=lets_in(server, station.ca)) as receiver:
        right = tls_context(server.ca, station.certificate, station.key)
        assert await delivered(right, receiver, secret_file) == Delivered()
        for wrong in (
            tls_context(server.ca, None, None),
            tls_context(server.ca, stranger.certificate, stranger.key),
            tls_context(stranger.ca, station.certificate, station.key),
        ):
            assert isinstance(await delivered(wrong, receiver, secret_file), Failed)
    assert receiver.ids == ["line-1/1"]
    assert receiver.requests == 1


def test_files_of_tls_that_do_not_fit_are_told(tmp_path: Path) -> None:
    one, two = party(tmp_path / "one"), party(tmp_path / "two")
    with pytest.raises(SecretUnusable, match="no certificate and its key"):
        tls_context(None, one.certificate, two.key)
    one.key.chmod(0o640)
    with pytest.raises(SecretUnusable, match="chmod 600"):
        tls_context(None, one.certificate, one.key)
    with pytest.raises(SecretUnusable, match="no certificate authority"):
        tls_context(one.key, None, None)


async def test_new_files_are_taken_up_without_a_restart(
    tmp_path: Path, secret_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half of a new pair leaves the old one in use, and is told once; the whole pair is shown at the next message."""
    server, station = party(tmp_path / "server"), party(tmp_path / "station")
    old = tmp_path / "old.pem"
    old.write_bytes(station.ca.read_bytes())
    tls = TLSFiles(server.ca, station.certificate, station.key)
    async with receiving(Receiver(), tls=lets_in(server, old)) as receiver, Post.opened(tls.newest) as post:
        webhook = Webhook(post, receiver.url, secret_file, "application/json", lambda: datetime.now(UTC), within=60)
        with logs.configured("info", None):
            assert await webhook.deliver(MESSAGE) == Delivered()
            key = station.key.read_bytes()
            party(tmp_path / "station")
            new = station.key.read_bytes()
            station.key.write_bytes(key)
            for _ in range(2):
                assert await webhook.deliver(MESSAGE) == Delivered()
            station.key.write_bytes(new)
            assert isinstance(await webhook.deliver(MESSAGE), Failed)  # this server does not know it yet
    events = [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()]
    assert events == ["mes.files_refused", "mes.files_taken_up"]
    async with receiving(Receiver(), tls=lets_in(server, station.ca)) as receiver:
        assert await delivered(tls.newest(), receiver, secret_file) == Delivered()


async def test_a_broker_is_shown_the_new_certificate_at_the_next_connection(tmp_path: Path) -> None:
    """Without a restart the station comes back to a broker that takes no other certificate any more."""
    server, station = party(tmp_path / "server"), party(tmp_path / "station")
    lines = [
        f"certfile {server.certificate}",
        f"keyfile {server.key}",
        f"cafile {station.ca}",
        "require_certificate true",
    ]
    tls = TLSFiles(server.ca, station.certificate, station.key)
    async with brokered(tmp_path, *lines) as broker:
        address = Broker("127.0.0.1", broker.port, tls.newest)
        await try_out(address)
        before = station.certificate.read_bytes(), station.key.read_bytes()
        party(tmp_path / "station")
        await broker.stop()
        await broker.start()
        await try_out(address)
        after = tmp_path / "after"
        after.mkdir()
        (after / "certificate.pem").write_bytes(before[0])
        (after / "key.pem").write_bytes(before[1])
        (after / "key.pem").chmod(0o600)
        stale = TLSFiles(server.ca, after / "certificate.pem", after / "key.pem")
        with pytest.raises(NoAnswer):
            await try_out(Broker("127.0.0.1", broker.port, stale.newest))
