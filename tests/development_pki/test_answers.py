# SPDX-License-Identifier: Apache-2.0
"""What each switch of an answer does, from a station's view; and what the authority's own lists say of it."""

import asyncio
import base64
import gzip
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from development_pki import answers
from development_pki.answers import STATUSES
from development_pki.faults import Fault, Place
from development_pki.lists import issued_with_fates, requests_with_answers
from development_pki.transport import WAYS
from tests.development_pki.pki_client import Client, certificates, client_context, connected, csr, new_key

CUT = (aiohttp.ClientError, ConnectionResetError)
HEADERS = {"Content-Type": "application/pkcs10"}
# SignedData of version 1 without digest algorithms, content, certificates and signers (RFC 5652, 5.1).
NO_CERTIFICATES = "302306092a864886f70d010702a01630140201013100300b06092a864886f70d0107013100"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path / "pki") as client:
        yield client


@pytest.fixture
def request_body() -> bytes:
    return base64.encodebytes(csr(new_key()))


async def answer(client: Client, body: bytes) -> tuple[aiohttp.ClientResponse, bytes]:
    """One enrolment's answer, which follows no redirect and unpacks nothing."""
    async with client.session.post(
        f"{client.url}/simpleenroll", data=body, headers=HEADERS, allow_redirects=False
    ) as response:
        return response, await response.read()


def fates(client: Client) -> list[str]:
    """How the requests ended whose certificates were issued."""
    return [each["fate"] for each in issued_with_fates(client.directory)]


def the_fault_struck(client: Client, fault: Fault, times: int = 1) -> bool:
    return {name: count for name, count in client.faults.fired.items() if count} == {fault.label: times}


# --- instead of a certificate ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        *((Fault.PENDING, 202), (Fault.BUSY, 503), (Fault.TOO_MANY, 429), (Fault.STATUS_204, 204)),
        *((Fault.STATUS_301, 301), (Fault.STATUS_307, 307), (Fault.STATUS_401, 401), (Fault.STATUS_403, 403)),
        *((Fault.STATUS_404, 404), (Fault.STATUS_500, 500), (Fault.STATUS_502, 502)),
    ],
)
async def test_an_enrolment_can_be_refused(client: Client, request_body: bytes, fault: Fault, status: int) -> None:
    """The switch strikes once, nothing is issued, and the same request then succeeds."""
    await client.set_faults({fault.label: 1})
    response, _ = await answer(client, request_body)
    assert response.status == status
    assert client.issued == []
    assert the_fault_struck(client, fault)
    assert (await client.enrol(request_body))[0] == 200
    ended = [(each["status"], each["fate"]) for each in requests_with_answers(client.directory)]
    assert ended == [(status, "refused"), (200, "sent")]


@pytest.mark.parametrize("fault", [Fault.STATUS_401, Fault.STATUS_403, Fault.STATUS_404, Fault.STATUS_502])
async def test_a_refusal_can_be_everywhere(client: Client, request_body: bytes, fault: Fault) -> None:
    """As of a server that knows neither path nor station: cacerts is refused, too, but by default it is not."""
    status = int(fault.label[-3:])
    await client.set_faults({fault.label: {"times": -1, "at": "everywhere"}})
    assert [(await client.get(path))[0] for path in ("/cacerts", "/csrattrs")] == [status] * 2
    assert (await client.enrol(request_body))[0] == status
    await client.set_faults({fault.label: -1})
    assert (await client.get("/cacerts"))[0] == 200


@pytest.mark.parametrize("fault", [Fault.PENDING, Fault.BUSY, Fault.TOO_MANY])
async def test_retry_after_has_every_form_that_was_seen(client: Client, request_body: bytes, fault: Fault) -> None:
    """Seconds, dates good and bad, garbage, 400 digits, and none at all."""

    async def retry_after(**parameters: object) -> str | None:
        await client.set_faults({fault.label: {"times": 1, **parameters}})
        response, _ = await answer(client, request_body)
        return response.headers.get("Retry-After")

    now = datetime.now(UTC)
    assert await retry_after() == "7"
    assert await retry_after(seconds=3600) == "3600"
    assert await retry_after(seconds=0) == "0"
    date = parsedate_to_datetime(await retry_after(form="date", seconds=3600) or "")
    assert timedelta(minutes=59) < date - now < timedelta(minutes=90)
    assert parsedate_to_datetime(await retry_after(form="date_past") or "") < now
    zoneless = await retry_after(form="date_without_zone", seconds=3600) or ""
    assert parsedate_to_datetime(zoneless).tzinfo is None
    assert await retry_after(form="date_absurd_zone") == "Fri, 31 Dec 9999 23:59:59 -2300"
    assert await retry_after(form="garbage") == "when the cows come home"
    assert await retry_after(form="superscript") == "\N{SUPERSCRIPT TWO}"
    assert await retry_after(form="digits") == "9" * 400
    assert await retry_after(form="none") is None
    assert client.issued == []


@pytest.mark.parametrize("fault", [Fault.STATUS_301, Fault.STATUS_307])
async def test_a_redirect_leads_here_or_elsewhere(client: Client, request_body: bytes, fault: Fault) -> None:
    """The default is a path of the same server, at which the enrolment succeeds."""

    async def location(**parameters: object) -> str | None:
        await client.set_faults({fault.label: {"times": 1, **parameters}})
        response, _ = await answer(client, request_body)
        return response.headers.get("Location")

    assert await location(to="itself") == "/.well-known/est/simpleenroll"
    assert await location(to="other_origin") == "https://localhost:1/.well-known/est/simpleenroll"
    assert await location(to="plain_http") == "http://localhost:1/.well-known/est/simpleenroll"
    assert await location(to="none") is None
    moved = await location()
    assert moved == "/.well-known/est/moved/simpleenroll"
    async with client.session.post(
        client.url.replace("/.well-known/est", moved), data=request_body, headers=HEADERS
    ) as response:
        assert response.status == 200


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_AFTER_ISSUE])
async def test_an_enrolment_can_hang(client: Client, request_body: bytes, fault: Fault) -> None:
    """There is no answer until the client ends the connection, before or after the certificate is issued."""
    await client.set_faults({fault.label: 1})
    asking = asyncio.create_task(client.enrol(request_body))
    while not client.faults.fired[fault.label]:
        await asyncio.sleep(0.01)
    assert not asking.done()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    while not (ended := [each for each in requests_with_answers(client.directory) if each["fate"] != "unknown"]):
        await asyncio.sleep(0.01)
    bought = fault is Fault.HANG_AFTER_ISSUE
    assert [(each["status"], each["fate"]) for each in ended] == [(None, "lost" if bought else "refused")]
    assert len(client.issued) == bought


async def test_a_request_can_be_reset(client: Client, request_body: bytes) -> None:
    """The connection ends by a reset, and nothing is issued."""
    await client.set_faults({"reset": 1})
    with pytest.raises(CUT):
        await client.enrol(request_body)
    assert client.issued == []
    assert the_fault_struck(client, Fault.RESET)


# --- the certificate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "so"),
    [
        (Fault.WRONG_VENDOR, lambda dac: "VID=FFF2" in named(dac) and "PID=8004" in named(dac)),
        (Fault.BEGINS_TOMORROW, lambda dac: timedelta(hours=23) < begins_in(dac) < timedelta(hours=25)),
        (Fault.BEGINS_SOON, lambda dac: timedelta() < begins_in(dac) <= timedelta(minutes=5)),
        (Fault.SHORT_LIVED, lambda dac: 89 < (dac.not_valid_after_utc - datetime.now(UTC)).days + 1 <= 90),
        (Fault.LARGE, lambda dac: len(dac.public_bytes(Encoding.DER)) == 768),
    ],
)
async def test_a_certificate_can_be_unusual(
    client: Client, fault: Fault, so: Callable[[x509.Certificate], bool]
) -> None:
    """The switch changes one certificate, which is listed as it is; the next has nothing of it."""
    key = new_key()
    await client.set_faults({fault.label: 1})
    dac = await client.dac(csr(key))
    assert so(dac)
    assert dac.public_key() == key.public_key()
    assert the_fault_struck(client, fault)
    assert not so(await client.dac(csr(key)))
    assert x509.load_pem_x509_certificate(client.issued[0]["certificate"].encode()) == dac


def named(dac: x509.Certificate) -> str:
    return dac.subject.rfc4514_string().replace("1.3.6.1.4.1.37244.2.1", "VID").replace("1.3.6.1.4.1.37244.2.2", "PID")


def begins_in(dac: x509.Certificate) -> timedelta:
    return dac.not_valid_before_utc - datetime.now(UTC)


async def test_another_pai_may_sign_and_be_served(client: Client) -> None:
    """`wrong_pai` and `cacerts_other_pai` mean the same PAI, which the PAA has signed."""
    await client.set_faults({"wrong_pai": 1, "cacerts_other_pai": 1})
    dac = await client.dac(csr(new_key()))
    served = certificates((await client.get("/cacerts"))[1])
    expected, paa = (
        x509.load_pem_x509_certificate((client.directory / name).read_bytes()) for name in ("pai.pem", "paa.pem")
    )
    (other,) = [each for each in served if each != paa]
    assert other.public_key() != expected.public_key()
    other.verify_directly_issued_by(paa)
    dac.verify_directly_issued_by(other)


async def test_cacerts_can_be_incomplete(client: Client) -> None:
    """It has only the PAA, or nothing, and is whole again afterwards."""
    await client.set_faults({"cacerts_without_pai": 1})
    paa = x509.load_pem_x509_certificate((client.directory / "paa.pem").read_bytes())
    assert certificates((await client.get("/cacerts"))[1]) == [paa]
    await client.set_faults({"cacerts_empty": 1})
    assert base64.b64decode((await client.get("/cacerts"))[1]).hex() == NO_CERTIFICATES
    assert len(certificates((await client.get("/cacerts"))[1])) == 2
    assert client.faults.fired["cacerts_without_pai"] == client.faults.fired["cacerts_empty"] == 1


async def test_a_serial_number_can_come_twice(client: Client) -> None:
    """The repeated number is that of the certificate before; the first of all has none to repeat."""
    await client.set_faults({"repeated_serial": 1})
    first = await client.dac(csr(new_key()))
    assert client.faults.fired["repeated_serial"] == 0
    second = await client.dac(csr(new_key()))
    third = await client.dac(csr(new_key()))
    assert first.serial_number == second.serial_number != third.serial_number
    assert first.subject != second.subject
    assert client.issued[0]["serial_number"] == client.issued[1]["serial_number"]


# --- the form of the answer ------------------------------------------------------------------------------------------


def from_base64(body: bytes) -> list[x509.Certificate]:
    return certificates(body.decode())


FORMS: dict[Fault, Callable[[bytes], list[x509.Certificate]]] = {
    Fault.DER: pkcs7.load_der_pkcs7_certificates,
    Fault.PEM: pkcs7.load_pem_pkcs7_certificates,
    Fault.SINGLE: lambda body: [x509.load_der_x509_certificate(base64.b64decode(body, validate=True))],
    Fault.SINGLE_DER: lambda body: [x509.load_der_x509_certificate(body)],
    Fault.SINGLE_PEM: lambda body: [x509.load_pem_x509_certificate(body)],
    Fault.WRAPPED: lambda body: from_base64(b"".join(lines(body, 64, b"\n"))),
    Fault.CR_LF: lambda body: from_base64(b"".join(lines(body, 76, b"\r\n"))),
    Fault.BOM: lambda body: from_base64(body.removeprefix(b"\xef\xbb\xbf")),
    Fault.STATUS_201: from_base64,
    Fault.CONTENT_TYPE_WRONG: from_base64,
    Fault.CONTENT_TYPE_MISSING: from_base64,
}


def lines(body: bytes, columns: int, end: bytes) -> list[bytes]:
    assert body.endswith(end)
    found = body.removesuffix(end).split(end)
    assert {len(line) for line in found[:-1]} == {columns}
    return found


@pytest.mark.parametrize("fault", FORMS, ids=lambda fault: fault.label)
async def test_an_answer_can_have_another_form(client: Client, request_body: bytes, fault: Fault) -> None:
    """The certificate is in it, it is bought once, and the answer was sent whole."""
    await client.set_faults({fault.label: 1})
    response, body = await answer(client, request_body)
    (dac,) = FORMS[fault](body)
    assert [each["certificate"] for each in client.issued] == [dac.public_bytes(Encoding.PEM).decode()]
    assert response.status == (201 if fault is Fault.STATUS_201 else 200)
    if fault is Fault.CONTENT_TYPE_WRONG:
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert ("Content-Type" in response.headers) == (fault is not Fault.CONTENT_TYPE_MISSING)
    assert the_fault_struck(client, fault)
    assert fates(client) == ["sent"]


@pytest.mark.parametrize("columns", [1, 4, 63, 65, 1000])
async def test_lines_can_have_any_length(client: Client, request_body: bytes, columns: int) -> None:
    """No line end need fall between two groups of four."""
    await client.set_faults({"wrapped": {"columns": columns}})
    _, body = await answer(client, request_body)
    found = body.split(b"\n")
    assert found.pop() == b""
    assert {len(line) for line in found[:-1]} <= {columns}
    (_,) = from_base64(b"".join(found))


@pytest.mark.parametrize(
    ("fault", "authorities"),
    [(Fault.WITH_PAI, ["pai.pem"]), (Fault.WITH_PAA, ["pai.pem", "paa.pem"]), (Fault.UNSORTED, ["pai.pem", "paa.pem"])],
)
async def test_an_answer_can_have_a_chain(
    client: Client, request_body: bytes, fault: Fault, authorities: list[str]
) -> None:
    """PAI, or PAI and PAA, come beside the certificate; an unsorted set makes the library warn."""
    await client.set_faults({fault.label: 1})
    _, body = await answer(client, request_body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions of the library warn of the order
        found = {each.public_bytes(Encoding.PEM).decode() for each in from_base64(body)}
    (listed,) = client.issued
    assert found == {listed["certificate"], *((client.directory / name).read_text() for name in authorities)}
    assert the_fault_struck(client, fault)


async def test_an_unsorted_set_is_not_in_ders_order(client: Client, request_body: bytes) -> None:
    """The encodings fall, where DER has them rise; all else is as the library writes it."""
    await client.set_faults({"unsorted": 1, "with_paa": 0})
    unsorted = base64.b64decode((await answer(client, request_body))[1])
    pai, paa = (
        x509.load_pem_x509_certificate((client.directory / f"{name}.pem").read_bytes()) for name in ("pai", "paa")
    )
    dac = x509.load_pem_x509_certificate(client.issued[0]["certificate"].encode())
    rising = sorted(each.public_bytes(Encoding.DER) for each in (dac, pai, paa))
    sorted_set = pkcs7.serialize_certificates([dac, pai, paa], Encoding.DER)
    assert b"".join(rising) in sorted_set
    assert unsorted == sorted_set.replace(b"".join(rising), b"".join(reversed(rising)))


async def test_two_certificates_can_be_issued_at_once(client: Client) -> None:
    """Both carry the key, both are listed, under the same request."""
    key = new_key()
    await client.set_faults({"two_certificates": 1})
    _, body = await answer(client, base64.encodebytes(csr(key)))
    found = from_base64(body)
    assert [each.public_key() for each in found] == [key.public_key()] * 2
    assert {f"{each.serial_number:X}" for each in found} == {each["serial_number"] for each in client.issued}
    (asked,) = requests_with_answers(client.directory)
    assert asked["serial_numbers"] == [each["serial_number"] for each in client.issued]


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.EMPTY])
async def test_an_answer_can_hold_no_certificate(client: Client, request_body: bytes, fault: Fault) -> None:
    """It was issued nevertheless, and the list says that the answer did not have it."""
    await client.set_faults({fault.label: 1})
    response, body = await answer(client, request_body)
    assert response.status == 200
    assert body == {Fault.GARBAGE: base64.b64encode(b"This is not a certificate."), Fault.EMPTY: b""}[fault]
    assert fates(client) == ["withheld"]
    assert the_fault_struck(client, fault)


@pytest.mark.parametrize("content_type", ["text/plain", "application/pkcs10"])
@pytest.mark.parametrize("encoding", ["base64", "single line", "pem", "der"])
async def test_a_lenient_server_takes_any_request(client: Client, content_type: str, encoding: str) -> None:
    """The encodings that other providers ask for are those of one and the same request."""
    der = csr(new_key())
    pem = x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)
    bodies = {"base64": base64.encodebytes(der), "single line": base64.b64encode(der), "pem": pem, "der": der}
    await client.set_faults({"lenient": 1})
    assert (await client.enrol(bodies[encoding], content_type))[0] == 200
    assert the_fault_struck(client, Fault.LENIENT)


# --- the way of the answer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_ISSUE, Fault.FIN_AFTER_ISSUE, Fault.TRUNCATED])
async def test_a_bought_certificate_can_be_withheld(client: Client, request_body: bytes, fault: Fault) -> None:
    """The connection ends too early, by a reset or in good order, as often as the switch says."""
    await client.set_faults({fault.label: 2})
    for _ in range(2):
        with pytest.raises(CUT):
            await client.enrol(request_body)
    assert (await client.enrol(request_body))[0] == 200
    assert fates(client) == ["withheld", "withheld", "sent"]
    assert the_fault_struck(client, fault, 2)


async def test_the_failure_can_come_after_the_purchase(client: Client, request_body: bytes) -> None:
    """A 500 does not prove that nothing was issued."""
    await client.set_faults({"status_500_after_issue": 1})
    assert (await client.enrol(request_body))[0] == 500
    assert fates(client) == ["withheld"]
    assert [each["status"] for each in requests_with_answers(client.directory)] == [500]


async def test_an_answer_can_be_late(client: Client, request_body: bytes) -> None:
    """It comes whole in the end."""
    await client.set_faults({"late": {"times": 1, "seconds": 0.1}})
    (dac,) = certificates((await client.enrol(request_body))[1])
    assert [each["serial_number"] for each in client.issued] == [f"{dac.serial_number:X}"]
    assert the_fault_struck(client, Fault.LATE)
    assert fates(client) == ["sent"]


@pytest.mark.parametrize("fault", [Fault.DRIP_HEADER, Fault.DRIP_BODY])
async def test_an_answer_can_drip(client: Client, request_body: bytes, fault: Fault) -> None:
    """Its head or its body comes in small pieces, and whole in the end."""
    await client.set_faults({fault.label: {"times": 1, "seconds": 0.001}})
    pieces = [piece async for piece in raw_answer(client, request_body)]
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n" in head + b"\r\n"
    (dac,) = certificates(body.decode())
    assert [each["serial_number"] for each in client.issued] == [f"{dac.serial_number:X}"]
    whole = [piece for piece in pieces if head in piece or body in piece]
    assert len(whole) <= 1
    assert len(pieces) > 2
    assert the_fault_struck(client, fault)
    assert fates(client) == ["sent"]


async def raw_answer(client: Client, body: bytes) -> AsyncIterator[bytes]:
    """What arrives of an answer at each look, until the server ends the connection."""
    host, port = client.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=stations(client))
    length = f"Content-Type: application/pkcs10\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(f"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: {host}\r\n{length}".encode() + body)
    while piece := await reader.read(65536):
        yield piece
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_early_loses_the_answer(client: Client, request_body: bytes) -> None:
    """The list says so."""
    await client.set_faults({"late": {"times": 1, "seconds": 3600}})
    asking = asyncio.create_task(client.enrol(request_body))
    while not client.issued:
        await asyncio.sleep(0.01)
    assert fates(client) == ["unknown"]
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    while fates(client) == ["unknown"]:
        await asyncio.sleep(0.01)
    assert fates(client) == ["lost"]


async def test_a_header_can_be_too_large(client: Client, request_body: bytes) -> None:
    """Two megabytes in one header; a client gives up before."""
    await client.set_faults({"header_2_mb": 1})
    with pytest.raises(aiohttp.ClientError, match=r"too long|Got more than"):
        await client.enrol(request_body)
    assert the_fault_struck(client, Fault.HEADER_2_MB)


async def test_an_answer_can_be_too_large(client: Client, request_body: bytes) -> None:
    """It is what RFC 8951 allows, ten megabytes of it."""
    await client.set_faults({"body_10_mb": 1})
    _, body = await answer(client, request_body)
    assert len(body) == 10_000_000
    assert len(from_base64(body.strip())) == 1
    assert the_fault_struck(client, Fault.BODY_10_MB)


async def test_an_answer_can_be_endless(client: Client, request_body: bytes) -> None:
    """The server sends until the client ends the connection."""
    await client.set_faults({"endless": 1})
    async with client.session.post(f"{client.url}/simpleenroll", data=request_body, headers=HEADERS) as response:
        assert len(await response.content.readexactly(3_000_000)) == 3_000_000
        response.close()
    while fates(client) == ["unknown"]:
        await asyncio.sleep(0.01)
    assert fates(client) == ["lost"]
    assert the_fault_struck(client, Fault.ENDLESS)


async def test_an_answer_can_be_a_bomb(client: Client, request_body: bytes) -> None:
    """A quarter of a megabyte on the wire unpacks to a thousand times as much, with the certificate in front."""
    await client.set_faults({"gzip_bomb": 1})
    connector = aiohttp.TCPConnector(ssl=stations(client))
    async with (
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
        session.post(f"{client.url}/simpleenroll", data=request_body, headers=HEADERS) as response,
    ):
        assert response.headers["Content-Encoding"] == "gzip"
        packed = await response.read()
    assert len(packed) < 500_000
    unpacked = gzip.decompress(packed)
    assert len(unpacked) > 250_000_000
    assert len(from_base64(unpacked.rstrip())) == 1
    assert the_fault_struck(client, Fault.GZIP_BOMB)


def stations(client: Client) -> ssl.SSLContext:
    return client_context(client.directory / "tls" / "ca.pem", client.directory / "tls" / "station.pem")


# --- completeness ----------------------------------------------------------------------------------------------------


def test_every_switch_of_an_answer_does_something() -> None:
    """The tables in the code have all switches of their place."""
    assert set(Fault.at(Place.REFUSAL)) == {*STATUSES, Fault.HANG, Fault.RESET}
    assert set(Fault.at(Place.FORM)) == {*answers.FORMS, Fault.WRAPPED, Fault.CR_LF, Fault.TWO_CERTIFICATES}
    assert set(Fault.at(Place.DELIVERY)) == WAYS.keys()
