# SPDX-License-Identifier: Apache-2.0
"""The agent's C, built for this machine with address and undefined-behaviour sanitizers, tested over its link."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from station.link.frames import encode
from station.link.messages import KeyState, KeyStorage, Question, Status, hello, store_payload
from tests.firmware.host_board import PRODUCT, Authority, HostBoard, check_proof, key_in, point, record, records

pytestmark = pytest.mark.line

HELLO, MAKE_CSR, STORE, PROVE = Question.HELLO, Question.MAKE_CSR, Question.STORE, Question.PROVE
NONCE = bytes(range(32))


def provisioned(board: HostBoard, authority: Authority) -> bytes:
    """Provisions a board under power up to the stored DAC, and returns the DAC."""
    dac, certificates = authority.answer(board.ask(MAKE_CSR))
    assert board.ask(STORE, certificates) == b"\0"
    return dac


def test_it_says_hello_unasked(board: HostBoard) -> None:
    """The board sends HELLO's answer with number 0; a board without a key is in state 0."""
    with board as live:
        body = live.body()
    said = hello(body[2:])
    assert body[:2] == b"\x81\0"
    assert (said.state, said.version) == (KeyState.NO_KEY, "host 1.0.0")
    assert said.uid == b"\x2a\x00\x31\x00\x08Q884056"


@pytest.mark.parametrize(("storage", "said"), [("flash", KeyStorage.FLASH), ("secure", KeyStorage.SECURE)])
def test_hello_tells_where_the_key_lives(new_board: Callable[[str], HostBoard], storage: str, said: KeyStorage) -> None:
    """The station compares the key storage with its recipe before anything else."""
    with new_board(storage) as board:
        assert hello(board.ask(HELLO)).key_storage is said


def test_hello_tells_how_far_the_board_is(board: HostBoard, authority: Authority) -> None:
    """HELLO has the state: no key, key, or provisioned."""
    with board:
        states = [hello(board.ask(HELLO)).state]
        csr = board.ask(MAKE_CSR)
        states.append(hello(board.ask(HELLO)).state)
        board.ask(STORE, authority.answer(csr)[1])
        states.append(hello(board.ask(HELLO)).state)
    assert states == [KeyState.NO_KEY, KeyState.KEY, KeyState.PROVISIONED]


def test_openssl_accepts_the_request(board: HostBoard) -> None:
    """openssl gives a second opinion beside the library that the tests use."""
    with board:
        csr = board.ask(MAKE_CSR)
    verified = subprocess.run(
        ["openssl", "req", "-inform", "DER", "-verify", "-noout", "-text"], input=csr, capture_output=True, check=True
    )
    assert b"verify OK" in verified.stderr
    assert b"1.3.6.1.4.1.37244.2.1 = FFF1, 1.3.6.1.4.1.37244.2.2 = 8004" in verified.stdout


@pytest.mark.parametrize("payload", [b"", b"\0", b"\1"])
def test_the_request_is_the_one_that_cryptography_would_write(board: HostBoard, payload: bytes) -> None:
    """Except for the signature, the request equals the library's byte for byte, with a common name and without."""
    with board:
        csr = board.ask(MAKE_CSR, payload)
    own = x509.load_der_x509_csr(csr)
    builder = x509.CertificateSigningRequestBuilder(own.subject)
    other = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    assert own.tbs_certrequest_bytes.replace(point(key_in(csr)), b"") == other.tbs_certrequest_bytes.replace(
        point(key_in(other.public_bytes(Encoding.DER))), b""
    )


SERIAL_NUMBERS = {b"SN 0001": "SN 0001", b"SN 0001\0": "SN 0001", b"S": "S", b"S" * 32 + b"\0": "S" * 32}


@pytest.mark.parametrize("value", SERIAL_NUMBERS)
def test_the_serial_number_is_the_common_name_where_the_station_asks_for_it(board: HostBoard, value: bytes) -> None:
    """It is a UTF8String, the subject's first name, and has no NUL; the key is the same either way."""
    board.put_factory_data(PRODUCT | {25: value})
    with board:
        named, plain, asked = (x509.load_der_x509_csr(board.ask(MAKE_CSR, asked)) for asked in (b"\1", b"\0", b""))
    assert [attribute.value for attribute in named.subject] == [SERIAL_NUMBERS[value], "FFF1", "8004"]
    name = SERIAL_NUMBERS[value].encode()
    assert b"\x06\x03\x55\x04\x03\x0c" + bytes([len(name)]) + name in named.tbs_certrequest_bytes
    assert [attribute.value for attribute in plain.subject] == ["FFF1", "8004"]
    assert plain.subject == asked.subject
    assert named.is_signature_valid
    assert named.public_key() == plain.public_key() == asked.public_key()


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({25: b"S" * 33}, Status.PARAMETER),
        ({25: b"S" * 34}, Status.PARAMETER),
        ({25: b"\0"}, Status.PARAMETER),
        ({25: b"S" * 602}, Status.PARAMETER),
        ({}, Status.NO_FACTORY_DATA),
    ],
    ids=["33", "34", "only a NUL", "602", "none"],
)
def test_a_serial_number_that_is_no_name_is_refused(board: HostBoard, values: dict[int, bytes], status: Status) -> None:
    """Matter's longest serial number has 32 characters. A request without it is still made."""
    board.put_factory_data({tag: PRODUCT[tag] for tag in (22, 24)} | values)
    with board:
        assert board.refusal(MAKE_CSR, b"\1") == status
        assert board.ask(MAKE_CSR)


@pytest.mark.parametrize("payload", [b"\2", b"\xff", b"\0\0", b"\1\1"])
def test_a_form_of_request_that_the_agent_does_not_know_is_refused(board: HostBoard, payload: bytes) -> None:
    """A later station is told so, instead of getting another request than it asked for."""
    with board:
        assert board.refusal(MAKE_CSR, payload) == Status.PARAMETER


def test_the_key_is_made_once(board: HostBoard) -> None:
    """The key survives questions, resets and new factory data."""
    keys = []
    for _ in range(2):
        with board:
            keys += [point(key_in(board.ask(MAKE_CSR))) for _ in range(2)]
        board.put_factory_data()
    assert len(set(keys)) == 1


def test_stored_certificates_stand_behind_the_factory_data(board: HostBoard, authority: Authority) -> None:
    """The records are in ST's order, ended by the magic word; the rest of the block is erased."""
    before = board.block[: board.block.index(b"\xac" * 4)]
    with board:
        csr = board.ask(MAKE_CSR)
        dac, certificates = authority.answer(csr)
        board.ask(STORE, certificates)
    added = record(3, dac) + record(4, authority.pai) + record(6, point(key_in(csr)))
    stored = records(board.block)
    assert stored is not None
    if 5 in stored:
        added += record(5, stored[5])
    assert board.block == (before + added + b"\xac" * 4).ljust(16384, b"\xff")


def test_flash_storage_moves_the_private_key_into_the_factory_data(
    flash_board: HostBoard, authority: Authority
) -> None:
    """Tag 5 is the key of the DAC, and the record's copy is gone."""
    with flash_board as board:
        csr = board.ask(MAKE_CSR)
        board.ask(STORE, authority.answer(csr)[1])
    stored = records(board.block)
    assert stored is not None
    private = ec.derive_private_key(int.from_bytes(stored[5]), ec.SECP256R1())
    assert point(private.public_key()) == stored[6] == point(key_in(csr))
    assert stored[5] not in (board.folder / "record.bin").read_bytes()


def test_secure_storage_keeps_the_private_key_out_of_flash(secure_board: HostBoard, authority: Authority) -> None:
    """Flash never contains eight consecutive bytes of the key."""
    with secure_board as board:
        csr = board.ask(MAKE_CSR)
        early = board.flash
        board.ask(STORE, authority.answer(csr)[1])
    private = (board.folder / "secure.bin").read_bytes()
    assert len(private) == 32
    assert not any(private[at : at + 8] in early + board.flash for at in range(25))


def test_its_proof_verifies_under_the_dac(board: HostBoard, authority: Authority) -> None:
    """The proof verifies before and after STORE, and after a reset."""
    with board:
        csr = board.ask(MAKE_CSR)
        proofs = [board.ask(PROVE, NONCE)]
        board.ask(STORE, authority.answer(csr)[1])
        proofs.append(board.ask(PROVE, NONCE))
    with board:
        proofs.append(board.ask(PROVE, NONCE))
    for proof in proofs:
        check_proof(key_in(csr), NONCE, proof)


def test_no_two_signatures_share_their_secret_number(board: HostBoard) -> None:
    """Two signatures of one message have different r; equal ones would reveal the key."""
    with board:
        board.ask(MAKE_CSR)
        assert board.ask(PROVE, NONCE)[:32] != board.ask(PROVE, NONCE)[:32]


def test_the_same_dac_may_be_stored_again_and_no_other(board: HostBoard, authority: Authority) -> None:
    """Storing the same DAC again changes nothing; another DAC is refused."""
    with board:
        csr = board.ask(MAKE_CSR)
        certificates = authority.answer(csr)[1]
        board.ask(STORE, certificates)
        before = board.block
        assert board.ask(STORE, certificates) == b"\0"
        assert board.refusal(STORE, authority.answer(csr, serial_number=2)[1]) == Status.OTHER_DAC
    assert board.block == before


def test_a_store_ends_with_what_sts_firmware_says(board: HostBoard, authority: Authority) -> None:
    """The agent sends `finish:000` in sixteen bytes without a newline; the three digits are the status."""
    with board:
        assert board.refusal(STORE, b"") == Status.PARAMETER
        board.hear_until(b"finish:003\0\0\0\0\0\0")
        provisioned(board, authority)
        board.hear_until(b"finish:000\0\0\0\0\0\0")


def test_statuses_tell_what_is_wrong(board: HostBoard, authority: Authority) -> None:
    """No key yet, a foreign key, inconsistent lengths, invalid certificates, a short nonce, an unknown question."""
    stranger = authority.certificate(ec.generate_private_key(ec.SECP256R1()).public_key())
    foreign = store_payload(stranger, authority.pai)
    with board:
        assert board.refusal(PROVE, NONCE) == Status.NO_KEY
        assert board.refusal(STORE, foreign) == Status.NO_KEY
        dac, certificates = authority.answer(board.ask(MAKE_CSR))
        assert board.refusal(STORE, foreign) == Status.NOT_MY_KEY
        for wrong in (certificates[:-1], certificates + b"\0", b"", b"\0\0\0\0", store_payload(dac, b"\x30\x82")):
            assert board.refusal(STORE, wrong) == Status.PARAMETER
        assert board.refusal(PROVE, NONCE[:-1]) == Status.PARAMETER
        assert board.refusal(0x55) == Status.UNKNOWN_QUESTION
    assert records(board.block) == PRODUCT


def test_a_pai_that_did_not_sign_the_dac_is_refused(board: HostBoard, authority: Authority) -> None:
    """No commissioner would accept the two as a chain."""
    other = Authority()
    with board:
        dac, _ = authority.answer(board.ask(MAKE_CSR))
        assert board.refusal(STORE, store_payload(dac, other.pai)) == Status.PARAMETER
    assert records(board.block) == PRODUCT


def test_a_damaged_dac_is_refused(board: HostBoard, authority: Authority) -> None:
    """One bit of the part that the PAI signed is flipped."""
    with board:
        dac, _ = authority.answer(board.ask(MAKE_CSR))
        damaged = dac[:20] + bytes([dac[20] ^ 1]) + dac[21:]
        assert board.refusal(STORE, store_payload(damaged, authority.pai)) == Status.PARAMETER


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", Status.NO_FACTORY_DATA),
        (record(25, b"SN") + b"\xac" * 4, Status.NO_FACTORY_DATA),
        (record(1, b"x" * 603) + b"\xac" * 4, Status.PARAMETER),
        (record(1, b"") + b"\xac" * 4, Status.PARAMETER),
        (record(22, b"\xf1\xff\0") + record(24, b"\x04\x80") + b"\xac" * 4, Status.PARAMETER),
        (record(1, b"x" * 602) * 27, Status.NO_FACTORY_DATA),
        (record(1, b"x" * 602) * 26 + b"\x09\0\0\0\xff\x01\0\0", Status.NO_FACTORY_DATA),
    ],
    ids=["erased", "no vendor id", "too long", "empty", "wrong size", "no end", "behind the end"],
)
def test_unusable_factory_data_is_named(board: HostBoard, raw: bytes, status: Status) -> None:
    """Status 1 if there is no list, 3 if ST's reader would refuse it."""
    board.put_factory_data(raw=raw)
    with board:
        assert board.refusal(MAKE_CSR) == status


def test_a_list_may_end_with_the_last_word_of_the_block(board: HostBoard) -> None:
    """The PC tool writes the magic word without a length there."""
    values = PRODUCT | {1000 + number: bytes(602) for number in range(26)}
    size = sum(8 + len(value) for value in values.values())
    values |= {2000: bytes(16384 - 4 - size - 8)}
    board.put_factory_data(values)
    with board:
        key_in(board.ask(MAKE_CSR))


def test_certificates_that_do_not_fit_are_refused(board: HostBoard, authority: Authority) -> None:
    """The stored records stay as they were."""
    values = PRODUCT | {1000 + number: bytes(602) for number in range(26)}
    board.put_factory_data(values)
    with board:
        assert board.refusal(STORE, authority.answer(board.ask(MAKE_CSR))[1]) == Status.TOO_SMALL
    assert records(board.block) == values


def test_secure_storage_is_written_once(secure_board: HostBoard) -> None:
    """A board that has lost the record of its key cannot make another."""
    with secure_board as board:
        board.ask(MAKE_CSR)
    (board.folder / "record.bin").unlink()
    with board:
        assert board.refusal(MAKE_CSR) == Status.SECURE_STORAGE
        assert hello(board.ask(HELLO)).state is KeyState.NO_KEY


def test_silent_secure_storage_costs_no_key(secure_board: HostBoard) -> None:
    """Without a wireless stack the storage does not answer; with one, the next request succeeds."""
    with secure_board.power("--broken", "secure") as board:
        assert board.refusal(MAKE_CSR) == Status.SECURE_STORAGE
        assert board.refusal(MAKE_CSR) == Status.SECURE_STORAGE
    with board.power():
        key_in(board.ask(MAKE_CSR))


def test_firmware_of_the_other_storage_does_not_destroy_the_record(
    programs: dict[str, Path], secure_board: HostBoard
) -> None:
    """Only the record has the public key that belongs to secure storage."""
    with secure_board as board:
        csr = board.ask(MAKE_CSR)
    with HostBoard(programs["flash"], board.folder) as other:
        assert other.refusal(MAKE_CSR) == Status.SECURE_STORAGE
    with board:
        assert point(key_in(board.ask(MAKE_CSR))) == point(key_in(csr))


@pytest.mark.parametrize("part", ["erase", "write"])
def test_flash_that_fails_is_told(board: HostBoard, authority: Authority, part: str) -> None:
    """The answer is status 7; after the next power-up the operation can be repeated."""
    with board:
        certificates = authority.answer(board.ask(MAKE_CSR))[1]
    with board.power("--broken", part):
        assert board.refusal(STORE, certificates) == Status.FLASH
    board.put_factory_data()
    with board.power():
        assert board.ask(STORE, certificates) == b"\0"


def test_a_key_that_cannot_be_stored_is_not_offered(flash_board: HostBoard) -> None:
    """No request leaves the board before its key is safe."""
    with flash_board.power("--broken", "write") as board:
        assert board.refusal(MAKE_CSR) == Status.FLASH
    with board.power():
        assert hello(board.ask(HELLO)).state is KeyState.NO_KEY


def test_a_lost_factory_data_block_does_not_lose_the_key(board: HostBoard, authority: Authority) -> None:
    """The agent's record holds the whole key until STORE has ended."""
    with board:
        first = board.ask(MAKE_CSR)
    board.put_factory_data(raw=b"")
    with board:
        assert board.refusal(MAKE_CSR) == Status.NO_FACTORY_DATA
    board.put_factory_data()
    with board:
        assert point(key_in(board.ask(MAKE_CSR))) == point(key_in(first))
        assert board.ask(STORE, authority.answer(first)[1]) == b"\0"


def test_noise_and_its_own_voice_are_not_questions(board: HostBoard) -> None:
    """The agent ignores an echo, a body of one byte, half a frame and text, and answers the next question."""
    with board:
        echo = board.hear()
        for noise in (echo, encode(b"\x01"), encode(b"\x02\x09")[:5], b"\0finish:000\0\xff\xfe", b"\x55" * 5000):
            board.say(noise)
        assert hello(board.ask(HELLO)).state is KeyState.NO_KEY


def test_a_question_may_be_repeated(board: HostBoard) -> None:
    """The station repeats a question under its number when an answer is late."""
    with board:
        for _ in range(2):
            board.say(encode(bytes([HELLO, 200])))
        answers: list[bytes] = []
        while len(answers) < 2:
            body = board.body()
            if body[1]:
                answers.append(body)
    assert answers[0] == answers[1]


def test_another_boards_factory_data_is_not_its_own(
    flash_board: HostBoard, authority: Authority, tmp_path: Path
) -> None:
    """A dump of a provisioned board, flashed into another one, does not transfer the identity."""
    with flash_board as first:
        provisioned(first, authority)
    folder = tmp_path / "second"
    folder.mkdir()
    shutil.copy(first.folder / "data.bin", folder)
    with HostBoard(first.program, folder) as second:
        assert second.refusal(PROVE, NONCE) == Status.NO_KEY
        csr = second.ask(MAKE_CSR)
        assert second.refusal(STORE, authority.answer(csr)[1]) == Status.OTHER_DAC
