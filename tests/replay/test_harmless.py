# SPDX-License-Identifier: Apache-2.0
"""What a recording keeps of the UART, of the programmer's text and of a read-back."""

from station.adapters.programmer.output_line import public_memory
from station.domain.agent_record import RECORD_HEAD
from station.domain.target import Region
from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import FactoryData, Tag
from station.link.frames import FrameReader, Noise, encode
from station.link.messages import ANSWER, Question
from station.replay import harmless
from tests.builders.bench import RECIPE

ANSWERED = encode(bytes([Question.HELLO | ANSWER, 1]) + b"rest")
LINE = b"operational VID=FFF1 PID=8004 DAC=0A1B SN=SN000001\r\n"


def test_answers_and_the_operational_line_stay_and_all_other_text_goes() -> None:
    data = b"passcode 20202021\r\n" + ANSWERED + b"MT:Y.K9042C00KA0648G00\0" + LINE + b"tail"
    kept = harmless.stream(data)
    assert len(kept) == len(data)
    assert kept == b"." * 17 + b"\r\n" + ANSWERED + b"." * 22 + b"\0" + LINE + b"...."


def test_filler_is_noise_as_the_text_was() -> None:
    data = b"a log\0" + ANSWERED + b"more\0"
    before, after = FrameReader().feed(data), FrameReader().feed(harmless.stream(data))
    assert [isinstance(each, Noise) for each in before] == [isinstance(each, Noise) for each in after]
    assert [each for each in after if isinstance(each, bytes)] == [each for each in before if isinstance(each, bytes)]


def test_a_frame_of_another_type_is_no_answer() -> None:
    """Nobody knows what a firmware would put there."""
    unknown = encode(b"\x77\x01secret")
    assert b"secret" not in harmless.stream(unknown)


def test_a_read_back_tells_of_secrets_their_length_alone() -> None:
    passcode, verifier = (20202021).to_bytes(4, "little"), b"canary verifier".ljust(97)
    records = {
        Tag.SERIAL_NUMBER: b"SN000001",
        Tag.SPAKE2_SETUP_PASSCODE: passcode,
        Tag.SPAKE2_VERIFIER: verifier,
        Tag.DEVICE_ATTESTATION_PRIV_KEY: b"k" * 32,
    }
    region = Region(0x901C0000, 0x4000)
    content = flat_tlv.encode(FactoryData(records)).ljust(region.size, b"\xff")
    told = harmless.block(RECIPE, None, region, content)
    assert told == {
        "form": "records",
        "public": {"SERIAL_NUMBER": "U04wMDAwMDE="},
        "secret": {
            "SPAKE2_SETUP_PASSCODE": {"size": 4, "fits": False},
            "SPAKE2_VERIFIER": {"size": 97, "fits": False},
            "DEVICE_ATTESTATION_PRIV_KEY": {"size": 32, "fits": False},
        },
    }


def test_flash_without_factory_data_is_told_by_its_kind() -> None:
    region = Region(0x901C0000, 16)
    assert harmless.block(RECIPE, None, region, b"\xff" * 16) == {"form": "erased"}
    assert harmless.block(RECIPE, None, region, b"secret") == {"form": "short", "size": 6}
    damaged = harmless.block(RECIPE, None, region, b"\x01secret secret !")
    assert damaged["form"] == "damaged"
    assert "secret" not in str(damaged)


def test_of_the_agents_record_the_public_part_stays_however_much_a_line_shows() -> None:
    """The private key may follow four bytes behind the public one."""
    last = RECORD_HEAD.address + 80
    assert public_memory(f"0x{last:08X} : 00000011 22222222 33333333 44444444") == f"0x{last:08X} : 00000011"
    assert public_memory(f"0x{last + 16:08X} : 55555555 66666666") is None
    assert public_memory("0x901C0000 : 11111111") is None
