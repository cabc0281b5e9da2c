# SPDX-License-Identifier: Apache-2.0
"""The development PKI from a station's view: over TLS, with every answer that it can give."""

import base64
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from development_pki.authority import key_sha256
from development_pki.certificate import Credential
from development_pki.directory import TLS_CA, TLS_SERVER, load_credential, open_or_make
from development_pki.faults import Fault
from development_pki.tls import TLSCredentials, station_template
from tests.development_pki.pki_client import PRODUCT, SUBJECT, Client, certificates, connected, csr, new_key

CUT = (aiohttp.ClientError, ConnectionResetError)


@pytest.mark.parametrize("label", ["", "/line-7"])
async def test_cacerts_are_pai_and_paa(client: Client, label: str) -> None:
    """The authority's certificates are served with and without a label."""
    host = client.url
    async with client.session.get(f"{host}{label}/cacerts") as answer:
        found = certificates(await answer.text())
        assert answer.headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    names = {(client.directory / name).read_bytes() for name in ("paa.pem", "pai.pem")}
    assert {each.public_bytes(Encoding.PEM) for each in found} == names


async def test_nothing_is_asked_of_requests(client: Client) -> None:
    """The authority asks for no attributes."""
    assert await client.get("/csrattrs") == (204, "")


async def test_a_dac_carries_the_key_that_was_asked_for(client: Client) -> None:
    """Enrolment answers with one certificate for the request's key, signed by the PAI."""
    key = new_key()
    dac = await client.dac(csr(key))
    assert dac.public_key() == key.public_key()
    dac.verify_directly_issued_by(x509.load_pem_x509_certificate((client.directory / "pai.pem").read_bytes()))


@pytest.mark.parametrize("offset", [timedelta(), timedelta(days=366), timedelta(days=-366)])
@pytest.mark.parametrize("place", ["/cacerts", "/csrattrs", "/nowhere"])
async def test_every_answer_has_a_date_which_may_be_another(tmp_path: Path, place: str, offset: timedelta) -> None:
    """The development PKI can pretend a wrong clock."""
    async with (
        connected(tmp_path / "pki", date_offset=offset) as client,
        client.session.get(f"{client.url}{place}") as answer,
    ):
        dates = answer.headers.getall("Date")
    told = [parsedate_to_datetime(date) - datetime.now(UTC) - offset for date in dates]
    assert [abs(difference) < timedelta(minutes=1) for difference in told] == [True]


async def test_answers_are_one_line(client: Client, request_body: bytes) -> None:
    """Some clients cannot read base64 with line ends in it."""
    status, text = await client.enrol(request_body)
    assert (status, len(text.splitlines()), text.strip()) == (200, 1, text)


async def test_every_request_gets_a_certificate_of_its_own(client: Client, request_body: bytes) -> None:
    """Two requests for one key get two certificates, and both are listed."""
    answers = [certificates((await client.enrol(request_body))[1])[0] for _ in range(2)]
    assert answers[0] != answers[1]
    assert [each["certificate"] for each in client.issued] == [
        each.public_bytes(Encoding.PEM).decode() for each in answers
    ]


async def test_the_list_says_what_was_issued_to_whom(client: Client) -> None:
    """A line has serial number, key and subject of the certificate, and the requesting station."""
    dac = await client.dac(csr(new_key()))
    (listed,) = client.issued
    assert listed["serial_number"] == f"{dac.serial_number:032X}"
    assert listed["key_sha256"] == key_sha256(dac)
    assert listed["subject"] == f"PID=8004,VID=FFF1,CN=TEST DAC {dac.serial_number:X}"
    assert listed["station"] == "TEST station"


async def test_a_bad_request_is_refused_in_words(client: Client) -> None:
    """The answer names the mistake, and the PKI issues nothing."""
    assert await client.enrol(b"bad!") == (400, "The body is not base64.\n")
    assert client.issued == []


async def test_another_content_type_is_refused(client: Client, request_body: bytes) -> None:
    """An enrolment must have the type application/pkcs10."""
    assert await client.enrol(request_body, "text/plain") == (400, "The content type is not application/pkcs10.\n")
    assert client.issued == []


async def test_a_body_above_the_limit_is_refused(client: Client) -> None:
    """The authority reads at most 16 KiB."""
    status, _ = await client.enrol(b"A" * (16 * 1024 + 1))
    assert status == 413


# --- who is let in ---------------------------------------------------------------------------------------------------


async def test_a_station_without_certificate_is_told_what_is_missing(tmp_path: Path, request_body: bytes) -> None:
    """The connection succeeds, and every request is answered with 401 and a reason."""
    async with connected(tmp_path / "pki", anonymous=True) as client:
        for status, text in (
            await client.get("/cacerts"),
            await client.enrol(request_body),
            await client.set_faults({}),
        ):
            assert status == 401
            assert "client certificate" in text
            assert "tls/station.pem" in text
        assert client.issued == []


def saved(folder: Path, credential: Credential) -> Path:
    """Writes a credential where the client finds it."""
    path = folder / "foreign.pem"
    path.write_bytes(credential.certificate.public_bytes(Encoding.PEM))
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.with_name("foreign-key.pem").write_bytes(key)
    return path


async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path, request_body: bytes) -> None:
    """A certificate with the right name but another signer ends the connection."""
    foreign = saved(tmp_path, TLSCredentials.made().station)
    async with connected(tmp_path / "pki", certificate=foreign) as client:
        with pytest.raises(CUT):
            await client.enrol(request_body)
        assert client.issued == []


async def test_a_certificate_of_its_own_kind_only_is_let_in(tmp_path: Path, request_body: bytes) -> None:
    """The server's own certificate, from the right authority but not for clients, is refused."""
    open_or_make(tmp_path / "pki", PRODUCT)
    async with connected(tmp_path / "pki", certificate=tmp_path / "pki" / f"{TLS_SERVER}.pem") as client:
        with pytest.raises(CUT):
            await client.enrol(request_body)
        assert client.issued == []


async def test_an_expired_certificate_is_refused(tmp_path: Path, request_body: bytes) -> None:
    """A station with an expired certificate cannot connect."""
    directory = tmp_path / "pki"
    open_or_make(directory, PRODUCT)
    ca = load_credential(directory, TLS_CA)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = ca.subordinate(
        replace(station_template(), valid_until=yesterday, valid_from=yesterday - timedelta(days=1))
    )
    async with connected(directory, certificate=saved(tmp_path, expired)) as client:
        with pytest.raises(CUT):
            await client.enrol(request_body)
        assert client.issued == []


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "status"), [("pending", 202), ("busy", 503)])
async def test_an_enrolment_can_be_put_off(client: Client, request_body: bytes, fault: str, status: int) -> None:
    """After an answer with Retry-After the same request succeeds; nothing was issued before."""
    await client.set_faults({fault: 1})
    headers = {"Content-Type": "application/pkcs10"}
    async with client.session.post(f"{client.url}/simpleenroll", data=request_body, headers=headers) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
    assert client.issued == []
    assert (await client.enrol(request_body))[0] == 200


async def test_an_answer_can_be_lost(client: Client, request_body: bytes) -> None:
    """The PKI lists the certificate before it sends the answer, so a lost one is listed, too."""
    await client.set_faults({"drop_after_issue": 1})
    with pytest.raises(CUT):
        await client.enrol(request_body)
    assert len(client.issued) == 1
    assert (await client.enrol(request_body))[0] == 200
    assert len(client.issued) == 2


async def test_a_dac_can_be_wrong_on_purpose(client: Client) -> None:
    """Wrong key, wrong product and expired: each fault spoils one certificate."""
    key = new_key()
    await client.set_faults({"wrong_key": 1})
    assert (await client.dac(csr(key))).public_key() != key.public_key()
    await client.set_faults({"wrong_product": 1})
    assert "8005" in (await client.dac(csr(key))).subject.rfc4514_string()
    await client.set_faults({"expired": 1})
    assert (await client.dac(csr(key))).not_valid_after_utc < datetime.now(UTC)
    good = await client.dac(csr(key))
    assert good.public_key() == key.public_key()
    assert good.not_valid_after_utc.year == 9999


async def test_an_answer_can_be_garbage(client: Client, request_body: bytes) -> None:
    """The answer has status 200 and contains no certificate."""
    await client.set_faults({"garbage": 1})
    status, text = await client.enrol(request_body)
    assert status == 200
    with pytest.raises(ValueError, match="PKCS7"):
        certificates(text)


async def test_the_authority_can_be_down_until_it_is_up(client: Client, request_body: bytes) -> None:
    """While it is down every EST request is cut, and only the fault switches answer."""
    await client.set_faults({"down": -1})
    for _ in range(3):
        with pytest.raises(CUT):
            await client.get("/cacerts")
        with pytest.raises(CUT):
            await client.enrol(request_body)
    await client.set_faults({"down": 0})
    assert (await client.enrol(request_body))[0] == 200
    assert len(client.issued) == 1


async def test_subjects_can_be_unique(client: Client) -> None:
    """A second request for a subject is refused, whoever's key it has, and so is a repeated one; another subject is served."""
    await client.set_faults({"unique_subject": {"times": -1, "status": 409}})
    first, second, named = (
        base64.encodebytes(each)
        for each in (csr(new_key()), csr(new_key()), csr(new_key(), (NameOID.COMMON_NAME, "LT01"), *SUBJECT))
    )
    assert (await client.enrol(first))[0] == 200
    for again in (first, second):
        assert await client.enrol(again) == (409, "There is already a certificate for PID=8004,VID=FFF1\n")
    assert (await client.enrol(named))[0] == 200
    assert [each["requested_subject"] for each in client.issued] == ["PID=8004,VID=FFF1", "PID=8004,VID=FFF1,CN=LT01"]
    assert client.issued[1]["subject"] == "PID=8004,VID=FFF1,CN=LT01"
    assert client.faults.fired["unique_subject"] == 2
    await client.set_faults({"unique_subject": 0})
    assert (await client.enrol(second))[0] == 200


WRONG: list[object] = [
    *([], 5),
    {"no_such": 1},
    *({"busy": times} for times in ("1", True, -2, None, [1], 1.0, {"times": "1"})),
    *({"busy": {"times": 1, **each}} for each in ({"days": 1}, {"form": "late"}, {"form": 1}, {"seconds": "1"})),
    *({"busy": {"seconds": each}} for each in (-1, True, None, math.nan, math.inf)),
]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_fault_is_refused_whole(client: Client, wrong: object) -> None:
    """A table with one mistake changes nothing, and the answer names the mistake."""
    status, text = await client.set_faults(wrong | {"pending": 1} if isinstance(wrong, dict) else wrong)
    assert status == 400
    assert text
    assert set(client.faults.left.values()) == {0}


async def test_the_switches_can_be_read(client: Client, request_body: bytes) -> None:
    """The PKI lists how often each fault will still happen, and how often it has; a table sets its parameters."""
    await client.set_faults({"busy": {"times": 2, "seconds": 20}, "down": -1})
    await client.set_faults({"down": 0})
    await client.enrol(request_body)
    async with client.session.get(client.url.replace("/.well-known/est", "/fault")) as answer:
        shown = await answer.json()
    assert {name: state["left"] for name, state in shown.items()} == {fault.label: 0 for fault in Fault} | {"busy": 1}
    assert {name: state["fired"] for name, state in shown.items()} == {fault.label: 0 for fault in Fault} | {"busy": 1}
    assert shown["busy"] == {"left": 1, "fired": 1, "seconds": 20, "form": "seconds"}
