# SPDX-License-Identifier: Apache-2.0
"""Images from firmware_images/ on the emulated chip: their output on the serial line, and their data in flash."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.builders.authority import PRODUCT, Authority, Status, factory_data, key_in
from tests.emulator.chip_bench import MAKE_CSR, PROVE, STORE, UID, ChipBench, image
from virtual_bench.board import factory_data as written

NONCE = bytes(range(32))
CONTEXT = b"matter provisioning link v1"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ChipBench]:
    bench = ChipBench(tmp_path)
    bench.external.program(written.ADDRESS, factory_data())
    yield bench
    bench.close()


def provisioned(bench: ChipBench, authority: Authority, storage: str) -> bytes:
    """Provisions a board up to the stored DAC, and returns the DAC."""
    bench.flash(image(f"provisioning-{storage}"))
    bench.boot()
    dac = authority.dac(key_in(bench.ask(MAKE_CSR)))
    assert bench.ask(STORE, authority.certificates(dac)) == b"\0"
    return dac


def prove(bench: ChipBench, dac: bytes) -> None:
    """Raises InvalidSignature unless the DAC's key signs a nonce."""
    signature = bench.ask(PROVE, NONCE)
    key = x509.load_der_x509_certificate(dac).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(r, s), CONTEXT + NONCE, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_hello_comes_from_the_image_that_was_flashed(bench: ChipBench, storage: str) -> None:
    """HELLO has protocol 1, the key storage, no key yet, the chip's UID and the image's version."""
    bench.flash(image(f"provisioning-{storage}"))
    assert bench.boot() == bytes([0x81, 0, 1, storage == "secure", 0]) + UID + b"1.1.1"


def test_another_version_string_in_the_image_makes_another_hello(bench: ChipBench) -> None:
    """One changed byte of the image appears in HELLO."""
    bench.flash(image("provisioning-flash").replace(b"1.1.1", b"1.1.7"))
    assert bench.boot().endswith(b"1.1.7")


@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_openssl_accepts_the_request(bench: ChipBench, tmp_path: Path, storage: str) -> None:
    """openssl gives a second opinion on the bytes from the serial line."""
    bench.flash(image(f"provisioning-{storage}"))
    bench.boot()
    (tmp_path / "request.der").write_bytes(bench.ask(MAKE_CSR))
    command = [
        "openssl",
        "req",
        "-verify",
        "-noout",
        "-subject",
        "-inform",
        "DER",
        "-in",
        str(tmp_path / "request.der"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "verify OK" in done.stdout + done.stderr
    assert "1.3.6.1.4.1.37244.2.1 = FFF1" in done.stdout
    assert "1.3.6.1.4.1.37244.2.2 = 8004" in done.stdout


def test_certificate_public_key_and_private_key_belong_together(bench: ChipBench, authority: Authority) -> None:
    """With the key in flash, DAC, tag 6 and tag 5 follow the factory data."""
    dac = provisioned(bench, authority, "flash")
    values = written.records_in(bench.external)
    private = ec.derive_private_key(int.from_bytes(values[5]), ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert list(values) == [*PRODUCT, 3, 4, 6, 5]
    assert values[3] == dac
    assert values[4] == authority.pai
    assert values[6] == point
    assert x509.load_der_x509_certificate(dac).public_key() == private.public_key()


def test_a_key_in_secure_storage_is_nowhere_in_flash(bench: ChipBench, authority: Authority) -> None:
    """Neither memory contains eight consecutive bytes of the key."""
    provisioned(bench, authority, "secure")
    key = bench.secure_storage.key()
    assert key is not None
    memories = [flash.read(flash.base, flash.size) for flash in (bench.internal, bench.external)]
    assert not [at for at in range(25) for memory in memories if key[at : at + 8] in memory]
    assert 5 not in written.records_in(bench.external)


@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_the_product_says_who_it_is_and_proves_it(bench: ChipBench, authority: Authority, storage: str) -> None:
    """One operational image works with both kinds of key storage."""
    dac = provisioned(bench, authority, storage)
    bench.flash(image("operational-stand-in"))
    bench.reset()
    said = bench.hear(lambda said: said.endswith(b"\r\n"))
    assert said == b"operational VID=FFF1 PID=8004 DAC=1234ABCD SN=SN 0001\r\n"
    prove(bench, dac)


@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_a_board_that_is_flashed_again_keeps_its_key(bench: ChipBench, storage: str) -> None:
    """After new factory data and firmware, the request is for the same key."""
    requests = []
    for state in (0, 1):
        bench.external.erase(written.ADDRESS, written.BLOCK)
        bench.external.program(written.ADDRESS, factory_data())
        bench.flash(image(f"provisioning-{storage}"))
        assert bench.boot()[4] == state
        requests.append(key_in(bench.ask(MAKE_CSR)))
    assert requests[0] == requests[1]


def test_a_second_run_with_secure_storage_takes_the_same_dac_again(bench: ChipBench, authority: Authority) -> None:
    """The key survives new factory data."""
    dac = provisioned(bench, authority, "secure")
    bench.external.erase(written.ADDRESS, written.BLOCK)
    bench.external.program(written.ADDRESS, factory_data())
    assert bench.boot()[4] == 1
    assert key_in(bench.ask(MAKE_CSR)) == x509.load_der_x509_certificate(dac).public_key()
    assert bench.ask(STORE, authority.certificates(dac)) == b"\0"
    prove(bench, dac)


@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_a_stored_dac_is_stored_again_and_no_other(bench: ChipBench, authority: Authority, storage: str) -> None:
    """The board refuses another DAC after a reset, too."""
    dac = provisioned(bench, authority, storage)
    other = authority.dac(key_in(bench.ask(MAKE_CSR)), serial_number=2)
    assert bench.boot()[4] == 2
    assert bench.ask(STORE, authority.certificates(dac)) == b"\0"
    assert bench.refusal(STORE, authority.certificates(other)) == Status.OTHER_DAC
    prove(bench, dac)


def test_finish_is_said_as_st_says_it(bench: ChipBench, authority: Authority) -> None:
    """The message has ten characters, a NUL and no newline, in sixteen bytes."""
    bench.flash(image("provisioning-flash"))
    bench.boot()
    dac = authority.dac(key_in(bench.ask(MAKE_CSR)))
    bench.ask(STORE, authority.certificates(dac))
    assert b"finish:000\0" in bench.hear(lambda said: b"finish:000" in said and len(said) >= 16)


def test_the_demonstration_gives_every_board_the_same_dac(bench: ChipBench) -> None:
    """ST's demonstration firmware has one DAC, so it is useless in a factory."""
    bench.flash(image("st-demonstration-flash"))
    bench.reset()
    said = bench.hear(lambda said: said.count(b"finish:000") == 2)
    assert said.startswith(b"finish:000\0")
    dac = x509.load_der_x509_certificate(written.records_in(bench.external)[3])
    assert dac.subject.rfc4514_string().endswith("CN=Matter Dev DAC 0xFFF1/0x8004")


def test_without_a_wireless_stack_there_is_no_secure_storage(tmp_path: Path) -> None:
    """The upgrade service answers instead, and the agent reports it."""
    bench = ChipBench(tmp_path, has_wireless_stack=False)
    bench.external.program(written.ADDRESS, factory_data())
    bench.flash(image("provisioning-secure"))
    bench.boot()
    assert bench.refusal(MAKE_CSR) == Status.SECURE_STORAGE
    assert bench.secure_storage.key() is None
    bench.close()


def test_a_key_that_nobody_knows_blocks_secure_storage(bench: ChipBench) -> None:
    """ST's firmware reports the code 004."""
    bench.secure_storage.occupy()
    bench.flash(image("provisioning-secure"))
    bench.boot()
    assert bench.refusal(MAKE_CSR) == Status.SECURE_STORAGE
