# SPDX-License-Identifier: Apache-2.0
"""The station's client against the real OpenBao server, over mutual TLS."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.directory import open_or_make
from station.adapters.pki import providers
from station.adapters.pki.enroller import NotNow, Outcome
from station.adapters.pki.providers import Provider
from station.config.sections import PKISection
from station.domain.credentials import Credentials
from station.faults import Fault
from station.faults.line import PKIAddressWrong, PKIForbidden, PKIRefusedStation, PKIUnavailable
from station.faults.unit import CSRRejected
from station.matter.certificates import chain
from tests.commissioning.openbao import OpenBao
from tests.line.pki_bench import PRODUCT, new_csr

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A development PKI's folder; no server of it runs."""
    folder = tmp_path_factory.mktemp("pki") / "pki"
    open_or_make(folder, PRODUCT)
    return folder


@pytest.fixture(scope="module")
def bao(pki: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with OpenBao.serving(tmp_path_factory.mktemp("bao") / "bao", pki) as server:
        yield server


@asynccontextmanager
async def opened(bao: OpenBao, pki: Path, **openbao: object) -> AsyncIterator[Provider]:
    """The station's client, as a configuration opens it."""
    files = {"ca": "tls/ca.pem", "certificate": "tls/station.pem", "key": "tls/station-key.pem"}
    paths = {name: pki / file for name, file in {**files, "pai": "pai.pem", "paa": "paa.pem"}.items()}
    values: Mapping[str, object] = {"kind": "openbao", "url": bao.url, **paths, "openbao": openbao}
    section = PKISection.model_validate({**values, "connect_within": 200, "reply_within": 200})
    async with providers.opened(section) as client:
        yield client


def token_file(folder: Path, token: str) -> Path:
    path = folder / "token"
    path.touch(0o600)
    path.write_text(token + "\n")
    return path


def anchor(pki: Path, name: str) -> bytes:
    paa, pai = open_or_make(pki, PRODUCT)
    return {"paa": paa, "pai": pai}[name].certificate.public_bytes(Encoding.DER)


async def test_a_certificate_passes_the_stations_checks(bao: OpenBao, pki: Path) -> None:
    """The request's subject is left as it is; the authorities are those that the line pins."""
    csr, _ = new_csr()
    async with opened(bao, pki) as client:
        dac = (await client.enroll(csr)).certificate
        authorities = [each.public_bytes(Encoding.DER) for each in await client.authorities()]
        moment = client.time()
    assert authorities == [anchor(pki, "pai"), anchor(pki, "paa")]
    assert moment is not None
    chain.check_credentials(
        csr=csr,
        dac=dac,
        pai=anchor(pki, "pai"),
        pinned_pai=anchor(pki, "pai"),
        paa=anchor(pki, "paa"),
        vendor_id=0xFFF1,
        product_id=0x8004,
        at=datetime.now(UTC),
        allow_test_vendor=True,
    )


async def test_one_request_twice_is_two_certificates_and_the_list_has_both(bao: OpenBao, pki: Path) -> None:
    """Others' certificates are not among them, nor is anything for a key that was never certified."""
    (csr, _), (other, _), (never, _) = new_csr(), new_csr(), new_csr()
    async with opened(bao, pki) as client:
        bought = [(await client.enroll(csr)).certificate for _ in range(2)]
        await client.enroll(other)
        found = await client.issued_for(csr)
        assert await client.issued_for(never) == []
    assert found is not None
    assert sorted(found) == sorted(bought)
    assert len({Credentials(each, b"").dac_serial_number for each in found}) == 2


async def test_a_list_of_many_pages_is_read_to_its_end(
    bao: OpenBao, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own paging leaves nothing out, among so many that some serial numbers begin with the same byte."""
    csrs = [new_csr()[0] for _ in range(40)]
    monkeypatch.setattr("station.adapters.pki.openbao_list.PAGE", 3)
    async with opened(bao, pki) as client:
        bought = [(await client.enroll(csr)).certificate for csr in csrs]
        assert [await client.issued_for(csr) for csr in csrs] == [[dac] for dac in bought]


async def test_the_issuer_may_be_named(bao: OpenBao, pki: Path) -> None:
    """One that is not there is seen before a board needs its DAC."""
    async with opened(bao, pki, issuer="default") as client:
        await client.authorities()
        await client.enroll(new_csr()[0])
    async with opened(bao, pki, issuer="nobody") as client:
        with pytest.raises(PKIUnavailable, match="unable to find PKI issuer for reference: nobody"):
            await client.authorities()


async def test_a_role_that_is_not_there_is_seen_before_a_board_needs_it(bao: OpenBao, pki: Path) -> None:
    """The server refuses the request itself like a bad one. A role that is there applies its limits."""
    async with opened(bao, pki, role="nobody") as client:
        with pytest.raises(PKIAddressWrong, match="has no role nobody"):
            await client.authorities()
        with pytest.raises(CSRRejected, match="400 unknown role: nobody"):
            await client.enroll(new_csr()[0])
    bao.ask("POST", "pki/roles/dac", {"allow_any_name": True})
    async with opened(bao, pki, role="dac") as client:
        await client.authorities()
        await client.enroll(new_csr()[0])


async def test_a_mount_that_is_not_there_is_told(bao: OpenBao, pki: Path, tmp_path: Path) -> None:
    """The server says so only to a token with every right, and forbids it to others."""
    async with opened(bao, pki, mount="elsewhere", token_file=token_file(tmp_path, bao.root)) as client:
        with pytest.raises(PKIAddressWrong, match="404 no handler for route"):
            await client.enroll(new_csr()[0])
    async with opened(bao, pki, mount="elsewhere") as client:
        with pytest.raises(PKIForbidden, match="the token gives no right to v1/elsewhere/sign-verbatim"):
            await client.enroll(new_csr()[0])


async def test_a_bad_request_is_refused(bao: OpenBao, pki: Path) -> None:
    """Nothing is issued, and the board pays."""
    before = len(bao.issued)
    async with opened(bao, pki) as client:
        with pytest.raises(CSRRejected, match="400 request signature invalid"):
            await client.enroll(new_csr()[0][:-3] + b"\0\0\0")
    assert len(bao.issued) == before


async def test_a_sealed_server_has_issued_nothing(bao: OpenBao, pki: Path) -> None:
    """Unsealed, it answers again, with the token of before."""
    csr, _ = new_csr()
    async with opened(bao, pki) as client:
        await client.enroll(csr)
        bao.seal()
        try:
            with pytest.raises(NotNow) as caught:
                await client.enroll(csr)
            with pytest.raises(PKIUnavailable, match="sealed"):
                await client.authorities()
        finally:
            bao.unseal()
        assert (caught.value.outcome, caught.value.reason) == (Outcome.NOTHING_ISSUED, "503 Vault is sealed")
        await client.enroll(csr)


async def test_a_server_that_was_sealed_at_the_login_has_issued_nothing(bao: OpenBao, pki: Path) -> None:
    """A login issues no certificate."""
    bao.seal()
    try:
        async with opened(bao, pki) as client:
            with pytest.raises(NotNow) as caught:
                await client.enroll(new_csr()[0])
    finally:
        bao.unseal()
    assert (caught.value.outcome, caught.value.reason) == (Outcome.NOTHING_ISSUED, "login: 503 Vault is sealed")


async def test_a_quota_has_issued_nothing(bao: OpenBao, pki: Path) -> None:
    """The server says "too many" without a time to come back, or with one that is kept."""
    csr, _ = new_csr()
    async with opened(bao, pki) as client:
        await client.enroll(csr)
        before = len(bao.issued)
        with bao.quota(0.001):
            answers = []
            for _ in range(3):
                try:
                    answers.append(await client.enroll(csr))
                except NotNow as exc:
                    assert exc.outcome is Outcome.NOTHING_ISSUED  # noqa: PT017  the last one is asserted, too
                    assert "429" in exc.reason  # noqa: PT017
        assert len(answers) < 3
        assert len(bao.issued) == before + len(answers)
        await client.enroll(csr)


async def test_an_expired_login_is_made_anew_once(bao: OpenBao, pki: Path) -> None:
    """The request that met it is made again, since the server did not handle it."""
    csr, _ = new_csr()
    async with opened(bao, pki) as client:
        await client.enroll(csr)
        bao.revoke_logins()
        await client.enroll(csr)
        found = await client.issued_for(csr)
    assert found is not None
    assert len(found) == 2


async def test_a_certificate_that_may_not_log_in_is_told(bao: OpenBao, pki: Path) -> None:
    """At the line's check and at a request."""
    async with opened(bao, pki, login_role="other") as client:
        for asked in (client.authorities, lambda: client.enroll(new_csr()[0])):
            with pytest.raises(PKIRefusedStation, match="login by certificate: 400 "):
                await asked()
    async with opened(bao, pki, login="approle") as client:
        with pytest.raises(Fault, match="login"):
            await client.authorities()


async def test_a_token_from_a_file_is_taken_up_when_it_changes(bao: OpenBao, pki: Path, tmp_path: Path) -> None:
    """An expired one is told as that; a new one in the file needs no restart. No text has the token."""
    first, second = bao.new_token(), bao.new_token()
    path = token_file(tmp_path, first)
    csr, _ = new_csr()
    async with opened(bao, pki, token_file=path) as client:
        await client.authorities()
        await client.enroll(csr)
        bao.revoke(first)
        for asked in (client.authorities, lambda: client.enroll(csr)):
            with pytest.raises(PKIRefusedStation, match=r"the token of \[pki.openbao\] token_file: 403") as caught:
                await asked()
            assert first not in str(caught.value)
        path.with_suffix(".new").touch(0o600)
        path.with_suffix(".new").write_text(second)
        path.with_suffix(".new").rename(path)
        await client.enroll(csr)


async def test_a_token_without_the_right_is_told_as_that(bao: OpenBao, pki: Path, tmp_path: Path) -> None:
    """It is let in; its list is not shown either."""
    answer = bao.ask("POST", "auth/token/create", {"policies": ["default"], "no_parent": True})
    auth = answer["auth"]
    assert isinstance(auth, dict)
    async with opened(bao, pki, token_file=token_file(tmp_path, str(auth["client_token"]))) as client:
        await client.authorities()
        with pytest.raises(PKIForbidden, match="the token gives no right to v1/pki/sign-verbatim"):
            await client.enroll(new_csr()[0])
        assert await client.issued_for(new_csr()[0]) is None


async def test_a_namespace_is_named_in_every_request(bao: OpenBao, pki: Path, tmp_path: Path) -> None:
    """The mounts of another namespace are not there."""
    bao.ask("POST", "sys/namespaces/factory", {})
    path = token_file(tmp_path, bao.root)
    async with opened(bao, pki, namespace="factory", token_file=path) as client:
        with pytest.raises(PKIAddressWrong, match="404"):
            await client.enroll(new_csr()[0])
