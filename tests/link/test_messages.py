# SPDX-License-Identifier: Apache-2.0
"""Questions and answers: which bytes are an answer, and which values a board may send."""

import pytest

from station.link import messages
from station.link.messages import AnswerInvalid, Hello, KeyState, KeyStorage, Question, Refused

UID = bytes.fromhex("2a0031000851383834303536")


def test_hello_tells_who_the_board_is() -> None:
    """The golden answer is that of a board without a key."""
    payload = bytes.fromhex("010000") + UID + b"1.0.0"
    assert messages.hello(payload) == Hello(KeyStorage.FLASH, KeyState.NO_KEY, UID, "1.0.0")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x01\x00\x00" + UID[:-1], b"\x02\x00\x00" + UID, b"\x01\x02\x00" + UID, b"\x01\x00\x03" + UID],
    ids=["empty", "short UID", "protocol 2", "key storage 2", "state 3"],
)
def test_a_hello_that_makes_no_sense_is_no_answer(payload: bytes) -> None:
    """The reader refuses the whole answer."""
    with pytest.raises(AnswerInvalid):
        messages.hello(payload)


def test_an_answer_repeats_type_and_number_of_its_question() -> None:
    """The payload follows type and number."""
    assert messages.payload_of(Question.PROVE, 7, b"\x84\x07abc") == b"abc"


@pytest.mark.parametrize("answer", [b"", b"\x84", b"\x84\x06abc", b"\x83\x07abc", b"\x04\x07abc"])
def test_a_late_or_foreign_answer_is_dropped(answer: bytes) -> None:
    """A reply that arrives after its deadline never answers the following question."""
    assert messages.payload_of(Question.PROVE, 7, answer) is None


def test_a_refusal_is_an_answer_to_any_question() -> None:
    """The refusal carries its status."""
    with pytest.raises(Refused, match="8 no key") as refused:
        messages.payload_of(Question.PROVE, 7, b"\xff\x07\x08")
    assert refused.value.status == 8


def test_a_late_refusal_refuses_nothing() -> None:
    """A late refusal has the number of another question."""
    assert messages.payload_of(Question.PROVE, 7, b"\xff\x06\x08") is None


def test_only_number_zero_is_unasked() -> None:
    """The number distinguishes a board's HELLO at boot from an answer."""
    assert messages.is_boot_hello(b"\x81\x00\x01")
    assert not messages.is_boot_hello(b"\x81\x01\x01")


def test_the_plain_request_is_asked_for_as_every_agent_knows_it() -> None:
    """Agents before 1.1.0 know no payload."""
    assert messages.make_csr_payload(named=False) == b""
    assert messages.make_csr_payload(named=True) == b"\x01"


def test_store_carries_both_certificates_with_their_lengths() -> None:
    """The DAC comes first; lengths are little-endian."""
    assert messages.store_payload(b"dac", b"pa") == b"\x03\x00dac\x02\x00pa"


def test_a_store_that_did_not_store_is_a_refusal() -> None:
    """STORE answers with its status in the payload."""
    messages.check_stored(b"\x00")
    with pytest.raises(Refused, match="5 not my key"):
        messages.check_stored(b"\x05")
    with pytest.raises(AnswerInvalid):
        messages.check_stored(b"")


def test_a_signature_has_64_bytes() -> None:
    """A payload of another length is not an answer."""
    assert messages.signature(bytes(64)) == bytes(64)
    with pytest.raises(AnswerInvalid):
        messages.signature(bytes(63))


def test_an_unknown_status_still_has_a_name() -> None:
    """A status of a newer firmware must not raise a bug in the station."""
    assert messages.status_name(99) == "99 unknown status"
