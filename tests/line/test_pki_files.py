# SPDX-License-Identifier: Apache-2.0
"""The files for the connection to the PKI: the station reports their mistakes before the line opens."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from development_pki.directory import load_credential, open_or_make
from development_pki.tls import server_template, station_template
from station.adapters.pki import tls
from station.faults.line import PKIFileUnusable
from tests.line.pki_bench import PRODUCT, saved


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A development PKI's directory, which also has the station's files."""
    open_or_make(tmp_path / "pki", PRODUCT)
    return tmp_path / "pki"


@contextmanager
def unusable(directory: Path, name: str) -> Iterator[pytest.ExceptionInfo[PKIFileUnusable]]:
    """The fault of the station's files, which names one of them."""
    with pytest.raises(PKIFileUnusable) as caught:
        yield caught
    assert caught.value.file == str(directory / "tls" / name)


def context_of(directory: Path) -> ssl.SSLContext:
    files = directory / "tls"
    return tls.client_context(files / "ca.pem", files / "station.pem", files / "station-key.pem")


def test_the_connection_is_at_least_tls_1_2_and_knows_the_host(directory: Path) -> None:
    """The client trusts only the configured authorities."""
    context = context_of(directory)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert [each["subject"] for each in context.get_ca_certs()] == [((("commonName", "TEST TLS CA"),),)]


@pytest.mark.parametrize("name", ["ca.pem", "station.pem", "station-key.pem"])
def test_a_missing_file_is_named(directory: Path, name: str) -> None:
    """The line does not open without the file."""
    (directory / "tls" / name).unlink()
    with unusable(directory, name) as caught:
        context_of(directory)
    assert "No such file" in caught.value.reason


@pytest.mark.parametrize("name", ["ca.pem", "station.pem", "station-key.pem"])
def test_a_file_that_is_not_pem_is_named(directory: Path, name: str) -> None:
    """A PEM file with other content is named, too."""
    (directory / "tls" / name).write_text("hello")
    with unusable(directory, name):
        context_of(directory)


def test_a_key_of_another_certificate_is_noticed(directory: Path) -> None:
    """Certificate and key must belong together."""
    (directory / "tls/station-key.pem").write_bytes((directory / "tls/server-key.pem").read_bytes())
    with unusable(directory, "station-key.pem") as caught:
        context_of(directory)
    assert "KEY_VALUES_MISMATCH" in caught.value.reason


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_does_not_ask_at_the_terminal(directory: Path, form: PrivateFormat) -> None:
    """Nobody can type a password for a daemon; the sentence names the setting and the remedy."""
    key = load_credential(directory, "tls/station").key
    encrypted = key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret"))
    (directory / "tls/station-key.pem").write_bytes(encrypted)
    with unusable(directory, "station-key.pem") as caught:
        context_of(directory)
    assert caught.value.reason.startswith("is encrypted")
    assert "[pki] key needs a key without one" in caught.value.reason


@pytest.mark.parametrize(("name", "setting"), [("ca", "ca"), ("station", "certificate")])
def test_a_certificate_in_der_is_named_as_such(directory: Path, name: str, setting: str) -> None:
    """The sentence names the setting and the command that converts the file."""
    path = directory / f"tls/{name}.pem"
    path.write_bytes(load_credential(directory, f"tls/{name}").certificate.public_bytes(Encoding.DER))
    with unusable(directory, f"{name}.pem") as caught:
        context_of(directory)
    assert caught.value.reason.startswith(f"is DER, and [pki] {setting} needs PEM: openssl x509 -inform DER -in {path}")


def test_a_key_in_der_is_named_as_such(directory: Path) -> None:
    """OpenSSL's word for it would be "no start line"."""
    key = load_credential(directory, "tls/station").key
    path = directory / "tls/station-key.pem"
    path.write_bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    with unusable(directory, "station-key.pem") as caught:
        context_of(directory)
    assert caught.value.reason.startswith(f"is DER, and [pki] key needs PEM: openssl pkey -inform DER -in {path}")


@pytest.mark.parametrize(("name", "other"), [("station-key", "station"), ("station", "station-key")])
def test_certificate_and_key_exchanged_are_told(directory: Path, name: str, other: str) -> None:
    """PEM says what it holds."""
    (directory / f"tls/{name}.pem").write_bytes((directory / f"tls/{other}.pem").read_bytes())
    with unusable(directory, f"{name}.pem") as caught:
        context_of(directory)
    assert "PEM with 'CERTIFICATE'" in caught.value.reason or "PRIVATE KEY" in caught.value.reason


@pytest.mark.parametrize(
    ("days_from", "days_until", "says"), [(-2, -1, "expired at"), (1, 2, "is valid from"), (-2, 365, None)]
)
def test_the_certificate_must_be_valid_now(directory: Path, days_from: int, days_until: int, says: str | None) -> None:
    """The station finds an expired certificate before the line opens."""
    now = datetime.now(UTC)
    template = replace(
        station_template(), valid_from=now + timedelta(days=days_from), valid_until=now + timedelta(days=days_until)
    )
    saved(directory, "station", load_credential(directory, "tls/ca").subordinate(template))
    if says is None:
        assert context_of(directory).get_ca_certs()
        return
    with unusable(directory, "station.pem") as caught:
        context_of(directory)
    assert caught.value.reason.startswith(says)


def test_a_servers_certificate_is_none_for_a_station(directory: Path) -> None:
    """A PKI would refuse a server's certificate from a client."""
    saved(directory, "station", load_credential(directory, "tls/ca").subordinate(server_template()))
    with unusable(directory, "station.pem") as caught:
        context_of(directory)
    assert caught.value.reason == "is not a certificate for clients"
