# SPDX-License-Identifier: Apache-2.0
"""The boards' firmware, over a real serial line, after the programmer has flashed it."""

import random
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.builders.authority import PRODUCT, Status, key_in
from tests.virtual_bench.bench_client import (
    APPLICATION,
    AUTHORITY,
    HELLO,
    MAKE_CSR,
    PROVE,
    STORE,
    image,
    station,
)
from virtual_bench.board import factory_data
from virtual_bench.server.server import Settings

NONCE = bytes(range(32))
CONTEXT = b"matter provisioning link v1"


def check_proof(dac: bytes, signature: bytes) -> None:
    """Raises InvalidSignature unless the DAC's key made the proof."""
    key = x509.load_der_x509_certificate(dac).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(r, s), CONTEXT + NONCE, ec.ECDSA(hashes.SHA256()))


async def test_a_board_says_hello_unasked_after_a_reset(tmp_path: Path) -> None:
    """It sends HELLO's answer with number 0: protocol 1, key storage, state, UID in memory order, version."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        async with bench.line(board) as line:
            await bench.provisioner(board)
            body = await line.body()
    assert body == bytes([HELLO | 0x80, 0, 1, 0, 0]) + board.nameplate.uid + b"1.1.1"


async def test_an_unasked_board_repeats_its_hello(tmp_path: Path) -> None:
    """The board sends HELLO every half second until the first question."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        async with bench.line(board) as line:
            await bench.provisioner(board)
            assert await line.body() == await line.body()


async def test_the_request_names_the_product_and_is_signed_by_its_key(tmp_path: Path) -> None:
    """Vendor and product come from the factory data."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            request = x509.load_der_x509_csr(await line.ask(MAKE_CSR))
    assert request.is_signature_valid
    assert [attribute.value for attribute in request.subject] == ["FFF1", "8004"]


async def test_the_request_has_the_serial_number_where_it_is_asked_for(tmp_path: Path) -> None:
    """The board reads it from its own factory data."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            request = x509.load_der_x509_csr(await line.ask(MAKE_CSR, b"\1"))
    assert request.is_signature_valid
    assert [attribute.value for attribute in request.subject] == ["SN 0001", "FFF1", "8004"]


@pytest.mark.parametrize("storage", ["flash", "secure"])
async def test_the_key_is_made_once(tmp_path: Path, storage: str) -> None:
    """Every request is for the same key, also after factory data and firmware were flashed again."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        requests = []
        for _ in range(2):
            await bench.provisioner(board, f"provisioning-{storage}")
            async with bench.line(board) as line:
                requests += [await line.ask(MAKE_CSR), await line.ask(MAKE_CSR)]
    assert all(key_in(request) == key_in(requests[0]) for request in requests)


@pytest.mark.parametrize("storage", ["flash", "secure"])
async def test_stored_certificates_stand_behind_the_factory_data(tmp_path: Path, storage: str) -> None:
    """The records are in ST's order, ended by the magic word; the private key is among them only where it belongs."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        dac = await bench.provisioned(board, storage)
        block = board.external.read(factory_data.ADDRESS, factory_data.BLOCK)
    values = factory_data.records(block)
    private = [5] if storage == "flash" else []
    assert list(values) == [*PRODUCT, 3, 4, 6, *private]
    assert values[3] == dac
    assert block[sum(8 + len(value) for value in values.values()) :].startswith(b"\xac" * 4 + b"\xff" * 4)


@pytest.mark.parametrize("storage", ["flash", "secure"])
async def test_the_operational_firmware_says_who_it_is_and_proves_it(tmp_path: Path, storage: str) -> None:
    """The firmware's line ends with the serial number, and its proof verifies under the DAC."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        dac = await bench.provisioned(board, storage)
        async with bench.line(board) as line:
            await bench.operational(board, "operational-stand-in")
            await line.until(b"operational VID=FFF1 PID=8004 DAC=1234ABCD SN=SN 0001\r\n")
            check_proof(dac, await line.ask(PROVE, NONCE))
            assert await line.refusal(HELLO) == Status.UNKNOWN_QUESTION


async def test_an_operational_firmware_without_identity_says_so(tmp_path: Path) -> None:
    """A unit without a DAC has no identity."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        async with bench.line(board) as line:
            await bench.operational(board)
            await line.until(b"operational fault=1\r\n")


async def test_proof_of_the_provisioning_firmware_verifies_under_the_dac(tmp_path: Path) -> None:
    """The key is the same before and after STORE."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            dac = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))
            check_proof(dac, await line.ask(PROVE, NONCE))
            await line.ask(STORE, AUTHORITY.certificates(dac))
            check_proof(dac, await line.ask(PROVE, NONCE))


async def test_the_same_dac_may_be_stored_again_and_no_other(tmp_path: Path) -> None:
    """Storing the same DAC again changes nothing; another DAC is refused."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        dac = await bench.provisioned(board)
        before = board.external.read(factory_data.ADDRESS, factory_data.BLOCK)
        async with bench.line(board) as line:
            other = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)), serial_number=2)
            assert await line.ask(STORE, AUTHORITY.certificates(dac)) == b"\0"
            assert await line.refusal(STORE, AUTHORITY.certificates(other)) == Status.OTHER_DAC
        assert board.external.read(factory_data.ADDRESS, factory_data.BLOCK) == before


async def test_statuses_tell_what_is_wrong(tmp_path: Path) -> None:
    """No key yet, a foreign key, inconsistent lengths, an invalid certificate, a short nonce, an unknown question."""
    stranger = AUTHORITY.dac(ec.generate_private_key(ec.SECP256R1()).public_key())
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            assert await line.refusal(PROVE, NONCE) == Status.NO_KEY
            assert await line.refusal(STORE, AUTHORITY.certificates(stranger)) == Status.NO_KEY
            await line.ask(MAKE_CSR)
            assert await line.refusal(STORE, AUTHORITY.certificates(stranger)) == Status.NOT_MY_KEY
            assert await line.refusal(STORE, AUTHORITY.certificates(stranger)[:-1]) == Status.PARAMETER
            assert await line.refusal(STORE, AUTHORITY.certificates(b"\x30\x82")) == Status.PARAMETER
            assert await line.refusal(PROVE, NONCE[:-1]) == Status.PARAMETER
            assert await line.refusal(0x55) == Status.UNKNOWN_QUESTION


async def test_without_factory_data_there_is_no_request(tmp_path: Path) -> None:
    """Erased flash is status 1; a record that ST's reader refuses is status 3."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        firmware = bench.file("p.bin", image("provisioning-flash"))
        await bench.program(*bench.connect(board), "-d", firmware, hex(APPLICATION), "-rst")
        async with bench.line(board) as line:
            assert await line.refusal(MAKE_CSR) == Status.NO_FACTORY_DATA
            board.external.program(factory_data.ADDRESS, (1).to_bytes(4, "little") + (603).to_bytes(4, "little"))
            assert await line.refusal(MAKE_CSR) == Status.PARAMETER


async def test_certificates_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """The firmware rewrites exactly 16,384 bytes."""
    filler = {1000 + number: bytes(602) for number in range(26)}
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, _ = await bench.program(*bench.connect(board), *bench.writes(values=PRODUCT | filler))
        assert status == 0
        async with bench.line(board) as line:
            dac = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))
            assert await line.refusal(STORE, AUTHORITY.certificates(dac)) == Status.TOO_SMALL


async def test_secure_storage_is_written_once(tmp_path: Path) -> None:
    """A board that has lost the record of its key cannot make another."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board, "provisioning-secure")
        async with bench.line(board) as line:
            await line.ask(MAKE_CSR)
            board.internal.erase(0x08093000, 4096)
            assert await line.refusal(MAKE_CSR) == Status.SECURE_STORAGE


async def test_boards_without_a_wireless_stack_have_no_secure_storage(tmp_path: Path) -> None:
    """`--no-wireless-stack` makes coprocessors in ST's delivery state."""
    settings = Settings(tmp_path, probes=1, time_scale=0, stack=None)
    async with station(tmp_path, settings=settings) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board, "provisioning-secure")
        async with bench.line(board) as line:
            assert await line.refusal(MAKE_CSR) == Status.SECURE_STORAGE


async def test_a_core_that_never_sleeps_leaves_time_for_others(tmp_path: Path) -> None:
    """One core loops for ever, and the board beside it still sends HELLO."""
    circles = words(0x20030000, APPLICATION + 9) + b"\xfe\xe7"
    async with station(tmp_path) as bench:
        busy, board = bench.hub.plug(1), bench.hub.plug(2)
        busy.internal.program(APPLICATION, circles)
        busy.reset()
        board.internal.program(APPLICATION, image("provisioning-flash"))
        async with bench.line(board) as line:
            board.reset()
            for _ in range(3):
                assert (await line.body())[5:17] == board.nameplate.uid
        assert busy.core.state() == "running"


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


async def test_a_torn_store_leaves_the_key_and_can_be_done_again(tmp_path: Path) -> None:
    """A power cut in the middle loses the factory data, but not the agent's record."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            first = await line.ask(MAKE_CSR)
        board.external.erase(factory_data.ADDRESS, factory_data.BLOCK)
        await bench.provisioner(board)
        async with bench.line(board) as line:
            again = await line.ask(MAKE_CSR)
            assert await line.ask(STORE, AUTHORITY.certificates(AUTHORITY.dac(key_in(first)))) == b"\0"
    assert key_in(again) == key_in(first)


async def test_the_agents_record_forgets_the_private_key_once_it_is_in_the_factory_data(tmp_path: Path) -> None:
    """Tag 5 is then the only copy."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioned(board)
        private = factory_data.records_in(board.external)[factory_data.PRIVATE_KEY]
        assert private not in board.internal.read(board.internal.base, board.internal.size)


RANDOM = random.Random(4).randbytes(9000)


@pytest.mark.parametrize(
    "spoiled",
    [
        b"\xff" * 9000,
        RANDOM,
        image("provisioning-flash")[:2000],
        b"\0" * 4 + image("provisioning-flash"),
        image("provisioning-flash")[4:],
    ],
    ids=["erased", "random", "truncated", "shifted", "beheaded"],
)
async def test_a_board_without_a_whole_image_is_silent(tmp_path: Path, spoiled: bytes) -> None:
    """The core crashes, the journal has the address, and the station receives nothing."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.crash(board)
        board.internal.program(APPLICATION, spoiled)
        async with bench.line(board) as line:
            board.reset()
            why = await bench.crash(board)
            assert line.heard == b""
    assert f"crashed: {bench.journal('crashed')[-1]['why']}" == why
