# SPDX-License-Identifier: Apache-2.0
"""The conversation with a board over a perfect, a lossy, a noisy and a dead wire."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from station.adapters.board import conversation
from station.adapters.board.conversation import Deadlines, SerialBoard
from station.domain.credentials import Credentials
from station.faults.slot import TTYLost
from station.faults.unit import BoardAnswerInvalid, BoardRefused, BoardSilent, OperationalSilent
from station.link.frames import encode
from station.link.messages import KeyState, KeyStorage
from tests.builders.wire import Wire, answer, wired

UID = bytes.fromhex("2a0031000851383834303536")
HELLO = bytes.fromhex("010000") + UID + b"1.0.0"
BOOT_HELLO = encode(b"\x81\x00" + HELLO)
PATIENT = Deadlines(boot_within=30, reply_within=30, repeat_every=30)
REPEATING = Deadlines(boot_within=30, reply_within=30, repeat_every=0.1)
SHORT = Deadlines(boot_within=0.1, reply_within=0.1)  # for silent boards


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    with wired() as end:
        yield end


@pytest.fixture
def deadlines() -> Deadlines:
    return PATIENT


@pytest.fixture
async def asker(wire: Wire, deadlines: Deadlines) -> AsyncIterator[SerialBoard]:
    async with conversation.connected(wire.path, 115200, deadlines) as connected:
        yield connected


async def test_a_question_gets_its_answer(wire: Wire, asker: SerialBoard) -> None:
    """A board answers HELLO with its identity."""
    wire.reply = lambda question: [answer(question, HELLO)]
    hello = await asker.hello()
    assert (hello.uid, hello.key_storage, hello.state, hello.version) == (
        UID,
        KeyStorage.FLASH,
        KeyState.NO_KEY,
        "1.0.0",
    )


async def test_a_board_that_boots_late_is_asked_at_once(wire: Wire, asker: SerialBoard) -> None:
    """An unasked HELLO shows that the board cannot have received the question."""
    waiting = asyncio.ensure_future(asker.hello())
    while not wire.asked:
        await asyncio.sleep(0)
    wire.reply = lambda question: [answer(question, HELLO)]
    wire.say(b"\0boot\r\n" + BOOT_HELLO)
    assert (await waiting).uid == UID
    assert len(wire.asked) == 2


@pytest.mark.parametrize("deadlines", [REPEATING])
async def test_a_lost_question_is_repeated_with_its_number(wire: Wire, asker: SerialBoard) -> None:
    """The repeated number lets the board tell a repetition from a new question."""
    wire.reply = lambda question: [answer(question, b"csr")] if len(wire.asked) == 2 else []
    assert await asker.make_csr() == b"csr"
    assert wire.asked[0] == wire.asked[1]


async def test_the_request_is_asked_for_with_a_name_or_without(wire: Wire, asker: SerialBoard) -> None:
    """The payload is the form of the subject; the question without a name has none."""
    wire.reply = lambda question: [answer(question, b"csr")]
    await asker.make_csr()
    await asker.make_csr(named=True)
    assert [question[2:] for question in wire.asked] == [b"", b"\x01"]


async def test_a_late_reply_is_not_the_next_answer(wire: Wire, asker: SerialBoard) -> None:
    """A reply that arrives after its deadline never answers the following request."""
    asking = asyncio.ensure_future(asker.make_csr())
    while not wire.asked:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    late = wire.asked[0]
    wire.reply = lambda question: [answer(late, b"late"), answer(question, b"csr")]
    assert await asker.make_csr() == b"csr"


async def test_noise_around_an_answer_is_skipped(wire: Wire, asker: SerialBoard) -> None:
    """Log lines and half frames of the firmware do not harm."""
    wire.reply = lambda question: [
        b"[M4] key made\r\n",
        answer(question, b"csr")[:4],
        b"\0",
        answer(question, b"csr"),
        b"x",
    ]
    assert await asker.make_csr() == b"csr"


@pytest.mark.parametrize("deadlines", [SHORT])
async def test_a_mute_board_is_silent_and_the_question_is_named(asker: SerialBoard) -> None:
    """The fault names the question and the time that the board was given."""
    with pytest.raises(BoardSilent, match="HELLO"):
        await asker.hello()


async def test_a_refusal_names_question_and_status(wire: Wire, asker: SerialBoard) -> None:
    """The fault names question and status in words, for the process engineer."""
    wire.reply = lambda question: [encode(bytes([0xFF, question[1], 8]))]
    with pytest.raises(BoardRefused, match=r"PROVE.*8 no key"):
        await asker.prove(bytes(32))


async def test_a_store_that_failed_is_a_refusal(wire: Wire, asker: SerialBoard) -> None:
    """STORE answers with a status in its payload; any but OK is a refusal."""
    wire.reply = lambda question: [answer(question, b"\x07")]
    with pytest.raises(BoardRefused, match=r"STORE.*7 flash"):
        await asker.store(Credentials(b"dac", b"pai"))


async def test_nonsense_is_no_answer(wire: Wire, asker: SerialBoard) -> None:
    """A signature of another size is refused and not padded."""
    wire.reply = lambda question: [answer(question, b"short")]
    with pytest.raises(BoardAnswerInvalid, match="PROVE"):
        await asker.prove(bytes(32))


async def test_numbers_go_round_from_255_to_1(wire: Wire, asker: SerialBoard) -> None:
    """Number 0 is skipped, since the board uses it for its unasked HELLO."""
    wire.reply = lambda question: [answer(question, b"csr")]
    for _ in range(256):
        await asker.make_csr()
    assert [question[1] for question in wire.asked[-2:]] == [255, 1]


async def test_the_operational_firmware_says_who_it_is(wire: Wire, asker: SerialBoard) -> None:
    """The conversation finds the firmware's identity among other lines."""
    wire.say(b"\0boot\r\noperational VID=FFF1 PID=8004 DAC=0A SN=LT1\r\n")
    assert (await asker.operational_identity()).serial_number == "LT1"


async def test_an_operational_firmware_without_factory_data_is_a_refusal(wire: Wire, asker: SerialBoard) -> None:
    """A firmware that runs without factory data cannot name its unit."""
    wire.say(b"operational fault=1\r\n")
    with pytest.raises(BoardRefused, match="1 no factory data"):
        await asker.operational_identity()


@pytest.mark.parametrize("deadlines", [SHORT])
async def test_an_operational_firmware_that_says_nothing_is_silent(asker: SerialBoard) -> None:
    """A silent operational firmware is a fault, since the image may be wrong or dead."""
    with pytest.raises(OperationalSilent):
        await asker.operational_identity()


async def test_a_board_that_leaves_is_lost_at_once(wire: Wire, asker: SerialBoard) -> None:
    """A pulled board raises its fault before the deadline."""

    def leave(_question: bytes) -> list[bytes]:
        wire.hang_up()
        return []

    wire.reply = leave
    with pytest.raises(TTYLost):
        await asker.make_csr()
