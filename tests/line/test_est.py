# SPDX-License-Identifier: Apache-2.0
"""The EST client's requests, and its verdict on every answer."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from development_pki.directory import load_credential, open_or_make
from development_pki.tls import station_template
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.http_answer import MAX_ANSWER
from station.domain.policy import consequence
from station.faults import LineFault
from station.faults.line import (
    NOTHING_ISSUED,
    PKIAddressWrong,
    PKIAnswerInvalid,
    PKIAuthoritiesInvalid,
    PKIForbidden,
    PKIRefusedStation,
    PKIUnavailable,
)
from station.faults.unit import CSRRejected
from tests.line.pki_bench import PRODUCT, Handler, Served, answering, client, new_csr, refused, served, status


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A development PKI's directory, which also has the station's files."""
    open_or_make(tmp_path / "pki", PRODUCT)
    return tmp_path / "pki"


@pytest.fixture
async def pki(directory: Path) -> AsyncIterator[Served]:
    async with served(directory) as pki:
        yield pki


async def test_the_certificate_is_for_the_key_in_the_request(pki: Served) -> None:
    """Every board's request comes back as a DAC for its key, from a pool of connections."""
    requests = [new_csr() for _ in range(20)]
    dacs = await asyncio.gather(*[pki.est.enroll(csr) for csr, _ in requests])
    for (_, key), dac in zip(requests, dacs, strict=True):
        assert x509.load_der_x509_certificate(dac.certificate).public_key() == key
    assert len(pki.issued) == 20


async def test_the_authorities_are_pai_and_paa(pki: Served) -> None:
    """Asking for the authorities has no effect on the PKI."""
    found = {each.public_bytes(Encoding.PEM) for each in await pki.est.authorities()}
    assert found == {(pki.directory / name).read_bytes() for name in ("pai.pem", "paa.pem")}
    assert pki.issued == []


async def test_requests_are_base64_in_lines(directory: Path) -> None:
    """Lines have 76 columns, and the last one has a line end, so that every server can read them."""
    bodies = []

    async def record(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        assert request.headers["Content-Type"] == "application/pkcs10"
        assert request.headers["Content-Transfer-Encoding"] == "base64"
        assert int(request.headers["Content-Length"]) == len(bodies[0])
        return web.Response(status=503)

    async with answering(directory, record) as url, client(directory, url) as est:
        csr, _ = new_csr()
        with pytest.raises(NotNow):
            await est.enroll(csr)
    (body,) = bodies
    lines = body.split(b"\n")
    assert lines.pop() == b""
    assert [len(line) for line in lines[:-1]] == [76] * (len(lines) - 1)
    assert 0 < len(lines[-1]) <= 76
    assert base64.b64decode(body) == csr


@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n"])
async def test_the_certificate_is_found_among_others_in_any_form(directory: Path, line_end: bytes) -> None:
    """Some servers send the whole chain, some break lines: the client finds the certificate by its key."""
    pai = load_credential(directory, "pai")
    csr, key = new_csr()
    dac = pai.certify(station_template(), key)

    async def answer(_: web.Request) -> web.Response:
        der = pkcs7.serialize_certificates([pai.certificate, dac], Encoding.DER)
        text = base64.b64encode(der)
        return web.Response(
            body=line_end.join(text[start : start + 64] for start in range(0, len(text), 64)) + line_end
        )

    async with answering(directory, answer) as url, client(directory, url) as est:
        issued = await est.enroll(csr)
    assert issued.certificate == dac.public_bytes(Encoding.DER)
    assert issued.others == (pai.certificate.public_bytes(Encoding.DER),)


# --- the time ----------------------------------------------------------------------------------------------------------


DATES = {
    "Tue, 15 Nov 1994 08:12:31 GMT": datetime(1994, 11, 15, 8, 12, 31, tzinfo=UTC),
    "Tue, 15 Nov 1994 08:12:31 -0000": datetime(1994, 11, 15, 8, 12, 31, tzinfo=UTC),
    "Tue, 15 Nov 1994 08:12:31 +0100": datetime(1994, 11, 15, 7, 12, 31, tzinfo=UTC),
    "yesterday": None,
    "Tue, 15 Nov 0101 08:12:31 +2300": None,
    "Fri, 31 Dec 9999 23:59:59 -2300": None,
    f"Fri, 31 Dec {'9' * 40} 23:59:59 GMT": None,
}


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("number", [200, 202, 401, 503])
async def test_every_answer_tells_the_time(directory: Path, date: str, number: int) -> None:
    """An unreadable date gives no time; as a time to wait it is ignored."""
    answer = status(number, Date=date, Retry_After=date)
    async with answering(directory, answer) as url, client(directory, url) as est:
        assert est.time() is None
        with pytest.raises((NotNow, AnswerUnusable, PKIRefusedStation)):
            await est.enroll(new_csr()[0])
        expected, told = DATES[date], est.time()
        if expected is None:
            assert told is None
        else:
            assert told is not None
            assert timedelta() <= told - expected < timedelta(minutes=5)


async def test_an_answer_without_a_readable_date_leaves_the_time_that_is_known(directory: Path) -> None:
    """A monotonic clock continues the known time."""
    dates = iter(["Tue, 15 Nov 1994 08:12:31 GMT", "later"])

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Date": next(dates)})

    async with answering(directory, answer) as url, client(directory, url) as est:
        seen = []
        for _ in range(2):
            with pytest.raises(NotNow):
                await est.enroll(new_csr()[0])
            seen.append(est.time())
        first, second = seen
        assert first is not None
        assert second is not None
        assert first < second < first + timedelta(minutes=5)


# --- answers that are no certificate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["wrong_key", "garbage"])
async def test_another_answer_than_asked_for_stops_the_line(pki: Served, fault: str) -> None:
    """After a certificate for another key, or none, the station does not ask again."""
    pki.faults.set({fault: 1})
    with pytest.raises(AnswerUnusable) as caught:
        await pki.est.enroll(new_csr()[0])
    assert isinstance(caught.value.fault, PKIAnswerInvalid)
    assert len(pki.issued) == 1


@pytest.mark.parametrize("number", [200, 201, 203, 206])
async def test_an_answer_that_is_no_enrolment_stops_the_line(directory: Path, number: int) -> None:
    """An empty or partial answer is not a certificate."""
    assert isinstance(await refused(directory, status(number)), AnswerUnusable)


@pytest.mark.parametrize("number", [204, 205])
async def test_an_answer_that_announces_nothing_has_issued_nothing(directory: Path, number: int) -> None:
    """The server has said that it has nothing to hand out."""
    trouble = await refused(directory, status(number))
    assert isinstance(trouble, NotNow)
    assert trouble.outcome is Outcome.NOTHING_ISSUED


async def test_an_endless_answer_is_not_read_to_its_end(directory: Path) -> None:
    """No server can fill the station's memory."""

    async def flood(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(3):
            await answer.write(bytes(MAX_ANSWER))
        return answer

    fault = await refused(directory, flood)
    assert isinstance(fault, AnswerUnusable)
    assert fault.fault.reason == "more than 65536 bytes"
    assert len(fault.content) == MAX_ANSWER


@pytest.mark.parametrize("number", [400, 409, 413, 422])
async def test_a_refused_request_is_the_boards(directory: Path, number: int) -> None:
    """The PKI refused this request; the next board's may be accepted."""
    fault = await refused(directory, status(number, "the subject\n is\x00 wrong\n" + "x" * 1000))
    assert isinstance(fault, CSRRejected)
    assert fault.reason.startswith(f"{number} the subject is wrong xxx")
    assert len(fault.reason) <= 200


REFUSALS: dict[int, tuple[type[LineFault], str]] = {
    401: (PKIRefusedStation, "check the station's client certificate, and its secret"),
    403: (PKIForbidden, "ask the PKI for the right to enrol"),
    404: (PKIAddressWrong, "check the URL"),
    405: (PKIAddressWrong, "check the URL"),
    410: (PKIAddressWrong, "check the URL"),
    418: (PKIRefusedStation, "does not accept this station"),
}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (status(200), "nothing"),
        (status(200, "<html>"), "HTML"),
        (status(200, "MCMGCSqGSIb3DQEHAqAWMBQCAQExADALBgkqhkiG9w0BBwExAA=="), "CMS without certificates"),
        (status(200, "x" * 100_000), "more than 65536 bytes"),
    ],
    ids=["empty", "HTML", "without certificates", "endless"],
)
async def test_authorities_that_cannot_be_read_have_a_fault_of_their_own(
    directory: Path, answer: Handler, found: str
) -> None:
    """Nobody has requested a certificate, and the line goes on as soon as the list can be read."""
    async with answering(directory, answer) as url, client(directory, url) as est:
        with pytest.raises(PKIAuthoritiesInvalid, match=found) as caught:
            await est.authorities()
    assert consequence(caught.value).mends_itself


@pytest.mark.parametrize("number", [408, 425, 429])
async def test_a_server_that_is_busy_has_not_refused_the_station(directory: Path, number: int) -> None:
    """The operator is not sent to look at the station's certificate."""
    async with answering(directory, status(number)) as url, client(directory, url) as est:
        with pytest.raises(PKIUnavailable, match=str(number)):
            await est.authorities()


@pytest.mark.parametrize("number", [429, 503])
async def test_authorities_may_be_asked_for_later(directory: Path, number: int) -> None:
    async with answering(directory, status(number, Retry_After="77")) as url, client(directory, url) as est:
        with pytest.raises(NotNow) as caught:
            await est.authorities()
    assert (caught.value.after, caught.value.outcome) == (77, Outcome.NOTHING_ISSUED)


@pytest.mark.parametrize("number", REFUSALS)
async def test_each_refusal_has_a_sentence_of_its_own(directory: Path, number: int) -> None:
    """A station without rights, or with a wrong address, can get no certificate for any board; nothing was issued."""
    kind, says = REFUSALS[number]
    assert kind in NOTHING_ISSUED
    async with answering(directory, status(number, "x" * 100_000)) as url, client(directory, url) as est:
        for asked in (est.enroll(new_csr()[0]), est.authorities()):
            with pytest.raises(kind) as caught:
                await asked
            assert type(caught.value) is kind
            assert says in str(caught.value)
            assert f"{number} xxx" in str(caught.value)


@pytest.mark.parametrize("number", [408, 425, 429, 503])
async def test_a_request_that_was_not_processed_may_be_repeated(directory: Path, number: int) -> None:
    """These status codes mean that the PKI did not process the request."""
    trouble = await refused(directory, status(number, Retry_After="17"))
    assert isinstance(trouble, NotNow)
    assert (trouble.outcome, trouble.after) == (Outcome.NOTHING_ISSUED, 17.0)


@pytest.mark.parametrize("number", [500, 502, 504])
async def test_after_an_error_of_the_server_nothing_is_known(directory: Path, number: int) -> None:
    """A server may fail after it has issued a certificate."""
    trouble = await refused(directory, status(number))
    assert isinstance(trouble, NotNow)
    assert (trouble.outcome, trouble.after) == (Outcome.UNKNOWN, None)


async def test_a_server_that_speaks_no_http_is_quoted_in_one_short_line(directory: Path) -> None:
    """The quotation is shown on the screen and kept in the ledger."""

    async def babble(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 \x1b[2J\r\n" + b"\x1b[2J\xe2\x80\xae" * 500 + b"\r\n\r\n")
        await asyncio.Event().wait()
        raise AssertionError

    trouble = await refused(directory, babble)
    assert isinstance(trouble, NotNow)
    assert trouble.outcome is Outcome.UNKNOWN
    assert trouble.reason.isprintable()
    assert len(trouble.reason) <= 200
    assert "400" not in trouble.reason  # a status that the server has not sent


async def test_a_decision_can_be_put_off(pki: Served) -> None:
    """202 gives the time of the next request, and the same request is then answered."""
    pki.faults.set({"pending": 1})
    csr, _ = new_csr()
    with pytest.raises(NotNow) as caught:
        await pki.est.enroll(csr)
    assert (caught.value.outcome, caught.value.after) == (Outcome.PENDING, 3.0)
    assert pki.issued == []
    assert (await pki.est.enroll(csr)).certificate


@pytest.mark.parametrize(("text", "after"), [("0", 0), ("3600", 3600), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)])
async def test_retry_after_is_understood(directory: Path, text: str, after: float) -> None:
    """Retry-After is a number of seconds or a date; a date in the past means now."""
    trouble = await refused(directory, status(202, Retry_After=text))
    assert isinstance(trouble, NotNow)
    assert trouble.after == after


async def test_retry_after_may_be_a_date_to_come(directory: Path) -> None:
    """An hour from now is about 3,600 seconds."""
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    trouble = await refused(directory, status(202, Retry_After=in_an_hour))
    assert isinstance(trouble, NotNow)
    assert trouble.after is not None
    assert 3500 < trouble.after <= 3600


@pytest.mark.parametrize("text", ["soon", "-5", "1.5", "²"])
async def test_a_senseless_retry_after_is_none(directory: Path, text: str) -> None:
    """The station then waits as long as it thinks fit."""
    trouble = await refused(directory, status(202, Retry_After=text))
    assert isinstance(trouble, NotNow)
    assert trouble.after is None
