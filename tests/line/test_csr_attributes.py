# SPDX-License-Identifier: Apache-2.0
"""What an EST server wants of requests, and what boards' requests lack of it."""

import base64
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from development_pki.directory import load_credential, open_or_make
from station.adapters.pki import csr_attributes
from station.adapters.pki.ber import BERInvalid
from station.faults.unit import CSRRejected
from tests.line.answer_forms import cms, oid, tlv
from tests.line.pki_bench import PRODUCT, Handler, answering, client, new_csr

EC, P256, P384 = "2a8648ce3d0201", "2a8648ce3d030107", "2b81040022"
SHA256, SHA384, RSA = "2a8648ce3d040302", "2a8648ce3d040303", "2a864886f70d010101"
CHALLENGE, EXTENSIONS = "2a864886f70d010907", "2a864886f70d01090e"
KEY_USAGE, MAC_ADDRESS = "551d0f", "2b060101010116"


def attribute(kind: str, *values: bytes) -> bytes:
    return tlv(0x30, oid(kind), tlv(0x31, *values))


# RFC 7030, 4.5.2, has the first as its example.
EXAMPLE = base64.b64decode(
    "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw=="
)
WANTS: dict[str, tuple[bytes, list[str]]] = {
    "nothing": (tlv(0x30), []),
    "what boards have": (tlv(0x30, attribute(EC, oid(P256)), oid(SHA256)), []),
    "any curve": (tlv(0x30, oid(EC)), []),
    "P-256 among others": (tlv(0x30, attribute(EC, oid(P384), oid(P256)), oid(SHA384), oid(SHA256)), []),
    "either kind of key": (tlv(0x30, attribute(RSA, b"\x02\x02\x08\x00"), attribute(EC, oid(P256))), []),
    "another curve": (tlv(0x30, attribute(EC, oid(P384))), ["a key of another kind (secp384r1)"]),
    "RSA": (tlv(0x30, attribute(RSA, b"\x02\x02\x08\x00")), ["a key of another kind (1.2.840.113549.1.1.1)"]),
    "another signature": (tlv(0x30, oid(SHA384)), ["a signature by ecdsa-with-SHA384"]),
    "a challenge": (tlv(0x30, oid(CHALLENGE)), ["challengePassword"]),
    "an extension": (
        tlv(0x30, attribute(EXTENSIONS, tlv(0x30, tlv(0x30, oid(KEY_USAGE), tlv(0x04))))),
        ["the extension keyUsage"],
    ),
    "an attribute": (tlv(0x30, attribute(MAC_ADDRESS)), ["macAddress"]),
    "an unknown one": (tlv(0x30, oid("2a0304")), ["1.2.3.4"]),
}


@pytest.mark.parametrize("name", WANTS)
def test_what_requests_lack_is_named(name: str) -> None:
    """A board's key is on P-256, its signature is by ecdsa-with-SHA256, and it has no attributes."""
    content, lacks = WANTS[name]
    assert csr_attributes.lacking(content) == lacks


def test_the_example_of_the_standard_is_read() -> None:
    """Its extension request has an object identifier where extensions have a sequence."""
    lacks = csr_attributes.lacking(EXAMPLE)
    assert lacks[:2] == ["a key of another kind (secp384r1)", "a signature by ecdsa-with-SHA384"]
    assert {"challengePassword", "the extension macAddress"} <= set(lacks)


@settings(max_examples=200, derandomize=True)
@given(st.binary(max_size=200))
def test_no_content_raises_anything_else(content: bytes) -> None:
    """A server may send anything."""
    try:
        assert isinstance(csr_attributes.lacking(content), list)
    except BERInvalid:
        return


def serving(directory: Path, csrattrs: web.Response | None, asked: list[str]) -> Handler:
    pai = load_credential(directory, "pai").certificate

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(operation := request.path.rpartition("/")[2])
        if operation == "cacerts":
            return web.Response(body=base64.b64encode(cms(pai.public_bytes(Encoding.DER))))
        if operation == "simpleenroll":
            return web.Response(status=400, text="no")
        assert csrattrs is not None
        return web.Response(status=csrattrs.status, body=csrattrs.body)

    return answer


async def test_the_check_asks_once_and_warns(tmp_path: Path) -> None:
    """A refused request names what was missing."""
    open_or_make(tmp_path / "pki", PRODUCT)
    asked: list[str] = []
    content = web.Response(body=base64.encodebytes(tlv(0x30, oid(CHALLENGE))))
    handler = serving(tmp_path / "pki", content, asked)
    async with answering(tmp_path / "pki", handler) as url, client(tmp_path / "pki", url) as est:
        with capture_logs() as log:
            for _ in range(2):
                assert len(await est.authorities()) == 1
        with pytest.raises(CSRRejected, match="400 no; it wants challengePassword"):
            await est.enroll(new_csr()[0])
    assert asked == ["cacerts", "csrattrs", "cacerts", "simpleenroll"]
    assert [each["reason"] for each in log if each["event"] == "pki.request_lacks"] == ["challengePassword"]


@pytest.mark.parametrize(("status", "body"), [(204, b""), (404, b"none"), (200, b""), (200, b"MAA="), (500, b"")])
async def test_a_server_may_want_nothing(tmp_path: Path, status: int, body: bytes) -> None:
    """Most have no list, and some an empty one."""
    open_or_make(tmp_path / "pki", PRODUCT)
    handler = serving(tmp_path / "pki", web.Response(status=status, body=body), [])
    async with answering(tmp_path / "pki", handler) as url, client(tmp_path / "pki", url) as est:
        with capture_logs() as log:
            await est.authorities()
        assert est.lacks == ()
    assert log == []


async def test_an_unreadable_list_keeps_no_line_from_working(tmp_path: Path) -> None:
    """The answer to a request decides."""
    open_or_make(tmp_path / "pki", PRODUCT)
    handler = serving(tmp_path / "pki", web.Response(body=b"<html>"), [])
    async with answering(tmp_path / "pki", handler) as url, client(tmp_path / "pki", url) as est:
        with capture_logs() as log:
            assert await est.authorities()
    assert [each["event"] for each in log] == ["pki.csrattrs_unreadable"]
