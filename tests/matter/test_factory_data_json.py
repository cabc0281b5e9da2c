# SPDX-License-Identifier: Apache-2.0
"""Reading ST's JSON: every mistake is reported with its place, and no message contains a secret."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.factory_data.flat_tlv import FactoryData, Tag
from station.factory_data.st_json import from_json, read, to_json
from station.faults.line import FactoryDataInvalid

FULL = (Path(__file__).parents[1] / "vectors" / "st" / "Full_FactoryData.json").read_bytes()


def mistakes(text: str, *, lenient: bool = False) -> list[str]:
    return [str(mistake) for mistake in read(text.encode(), lenient=lenient).mistakes]


def octets(count: int, first: str = "0x04") -> str:
    return json.dumps([first, *["0x00"] * (count - 1)])


@pytest.mark.parametrize(
    "text",
    [
        *["3840", "0xF00", "0xf00", "0X0F00", "03840"],
        *[
            " 3840 ",
            "+3840",
            "3_840",
            "+3_8_4_0\\t",
            "0xF_00",
            "0x_F00",
            "0xF00\\n",
            " 0xF00",
            "000000000000000000003840",
        ],
    ],
)
def test_numbers_are_decimal_or_hexadecimal_in_quotes(text: str) -> None:
    """ST's files have both forms, and its tool takes blanks, a plus sign and underscores."""
    assert from_json(f'{{"SETUP_DISCRIMINATOR": "{text}"}}'.encode()).records == {Tag.SETUP_DISCRIMINATOR: b"\x00\x0f"}


@pytest.mark.parametrize("text", ["0xb9", "b9", "B9", "0XB9", " 0xb9 ", "b9\\t", "\\n0xB9"])
def test_bytes_are_hexadecimal_in_quotes(text: str) -> None:
    """A byte may have blanks around it and no 0x; it is never decimal."""
    salt = json.dumps(["0x00"] * 15)[1:-1]
    assert from_json(f'{{"SPAKE2_SALT": ["{text}", {salt}]}}'.encode()).records == {
        Tag.SPAKE2_SALT: b"\xb9" + bytes(15)
    }


@pytest.mark.parametrize("text", ["0x5", "5", "05", " 5 "])
def test_a_byte_may_have_one_digit(text: str) -> None:
    """ST's tool reads it so."""
    salt = json.dumps(["0x00"] * 15)[1:-1]
    assert from_json(f'{{"SPAKE2_SALT": ["{text}", {salt}]}}'.encode()).records == {
        Tag.SPAKE2_SALT: b"\x05" + bytes(15)
    }


WRONG = {
    '{"VENDOR_ID": 65521}': "a number in quotes",
    '{"VENDOR_ID": true}': "a number in quotes",
    '{"VENDOR_ID": ["0x01"]}': "a number in quotes",
    '{"VENDOR_ID": "0x"}': "a number in quotes",
    '{"VENDOR_ID": "0xFFG1"}': "a number in quotes",
    '{"VENDOR_ID": "FFF1"}': "a number in quotes",
    '{"VENDOR_ID": "-1"}': "a number in quotes",
    '{"VENDOR_ID": "-0"}': "a number in quotes",
    '{"VENDOR_ID": "+ 1"}': "a number in quotes",
    '{"VENDOR_ID": "+0x1"}': "a number in quotes",
    '{"VENDOR_ID": "1 0"}': "a number in quotes",
    '{"VENDOR_ID": "1__0"}': "a number in quotes",
    '{"VENDOR_ID": "_1"}': "a number in quotes",
    '{"VENDOR_ID": "1_"}': "a number in quotes",
    '{"VENDOR_ID": "\u00a01"}': "a number in quotes",
    '{"VENDOR_ID": "0b1"}': "a number in quotes",
    '{"VENDOR_ID": "0x__1"}': "a number in quotes",
    '{"VENDOR_ID": "0x1_"}': "a number in quotes",
    f'{{"VENDOR_ID": "{"1" * 5_000}"}}': "a number in quotes",
    '{"VENDOR_ID": "\u0661"}': "a number in quotes",
    '{"VENDOR_ID": ""}': "a number in quotes",
    '{"VENDOR_ID": "65536"}': "0 to 65535",
    '{"VENDOR_ID": "99999999999999"}': "0 to 65535",
    '{"SETUP_DISCRIMINATOR": "0x1000"}': "0 to 4095",
    '{"SPAKE2_ITERATION_COUNT": "999"}': "1000 to 100000",
    '{"SPAKE2_SETUP_PASSCODE": "11111111"}': "trivial",
    '{"VENDOR_NAME": ["0x41"]}': "a string",
    '{"VENDOR_NAME": null}': "a string",
    '{"VENDOR_NAME": 1}': "a string",
    '{"VENDOR_NAME": ""}': "0 bytes",
    '{"VENDOR_NAME": "\\ud800"}': "not UTF-8",
    '{"SPAKE2_SALT": "0x01"}': "an array of bytes",
    '{"SPAKE2_SALT": []}': "0 bytes",
    '{"SPAKE2_SALT": {"a": 1}}': "an array of bytes",
    f'{{"SPAKE2_SALT": {octets(15)}}}': "16 to 32",
    f'{{"SPAKE2_VERIFIER": {octets(98)}}}': "exactly 97",
    f'{{"DEVICE_ATTESTATION_PRIV_KEY": {octets(31)}}}': "exactly 32",
    f'{{"DEVICE_ATTESTATION_PUB_KEY": {octets(65, "0x03")}}}': "begin with 04",
    f'{{"PAI_CERTIFICATE": {octets(601)}}}': "1 to 600",
    f'{{"CERTIFICATION_DECLARATION": {octets(603)}}}': "1 to 602",
    '{"SPAKE2_SALT": "5350414b"}': "an array of bytes",
    '{"SPAKE2_SALT": ["0x123"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": ["0x053"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": ["+53"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": ["5_3"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": ["5 3"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": ["-0"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": ["\u0665\u0663"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": ["0x"]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": [""]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": [83]}': "two hexadecimal digits",
    '{"SPAKE2_SALT": [["0x53"]]}': "two hexadecimal digits",
    '{"VENDOR": "ACME"}': "unknown name",
    '{"schema": 2}': "1 is expected",
    '{"schema": "1"}': "1 is expected",
    '{"schema": 1, "schema": 1}': "occurs twice",
    '{"vendor_name": "ACME"}': "VENDOR_NAME is near",
    '{"VENDOR_NAME": "A", "VENDOR_NAME": "A"}': "occurs twice; first at line 1, column 2",
    '{"UNKNOWN": "A", "UNKNOWN": "A"}': "occurs twice",
    "": "not JSON",
    "[]": "not JSON",
    '{"VENDOR_NAME": "A",}': "not JSON",
    '{"VENDOR_NAME": "A"': "not JSON",
    '{"VENDOR_NAME" "A"}': "not JSON",
    '{"VENDOR_NAME": "A"} x': "not JSON",
    '{1: "A"}': "not JSON",
    '\ufeff{"VENDOR_NAME": "A"}': "not JSON",
    '{"VENDOR_NAME": ' + "[" * 100_000: "not JSON",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:40])
def test_what_is_wrong_is_refused_for_what_is_wrong(text: str) -> None:
    """Each mistake has its own message."""
    assert WRONG[text] in mistakes(text)[-1]


def test_all_mistakes_are_named_at_once_with_line_and_column() -> None:
    """The refusal lists every mistake of a file."""
    text = '{\n  "VENDOR_ID": 1,\n  "PRODUCT_ID": "0x8004",\n  "SPAKE2_SALT": ["0x53",\n    "x"],\n  "NAME": "A"\n'
    assert [mistake.split(": ")[0] for mistake in mistakes(text)] == [
        "line 2, column 3, VENDOR_ID",
        "line 5, column 5, SPAKE2_SALT, byte 2",
        "line 6, column 3, NAME",
        "line 7, column 1",
    ]


def test_the_fault_names_every_mistake() -> None:
    """The fault alone has the whole list."""
    with pytest.raises(FactoryDataInvalid) as caught:
        from_json(b'{"VENDOR_ID": 1, "NAME": 2}')
    assert caught.value.place == "line 1, column 2, VENDOR_ID"
    assert "NAME: unknown name" in caught.value.reason


def test_lenient_lets_unknown_names_pass_and_says_so() -> None:
    """ST's tool reports an unknown name and goes on."""
    reading = read(b'{"NAME": 2, "VENDOR_NAME": "A"}', lenient=True)
    assert reading.factory_data == FactoryData({Tag.VENDOR_NAME: b"A"})
    assert [str(warning) for warning in reading.warnings] == ["line 1, column 2, NAME: unknown name"]


def test_lenient_lets_nothing_else_pass() -> None:
    """A wrong value is a mistake in either mode."""
    assert mistakes('{"VENDOR_ID": 1, "NAME": 2, "NAME": 3}', lenient=True) == [
        'line 1, column 2, VENDOR_ID: a number in quotes is expected, decimal or hexadecimal: "3840" or "0xF00"',
        "line 1, column 29, NAME: occurs twice; first at line 1, column 18",
    ]


def test_no_mistake_tells_a_value() -> None:
    """So a mistyped passcode does not appear on a screen."""
    text = '{"SPAKE2_SETUP_PASSCODE": "2020 2021", "DEVICE_ATTESTATION_PRIV_KEY": ["0x82", "0xSECRET"]}'
    assert not [word for word in ("2020", "0x82", "SECRET") if word in str(mistakes(text))]


def test_bytes_that_are_not_text_are_refused() -> None:
    """The message has the place of the first such byte."""
    assert [str(mistake) for mistake in read(b'{"VENDOR_NAME": "\xff"}').mistakes] == ["byte 17: not UTF-8"]


@pytest.mark.parametrize("length", range(0, len(FULL) - 4, 97))
def test_a_file_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(FactoryDataInvalid):
        from_json(FULL[:length])


@settings(max_examples=200, derandomize=True)
@given(st.text(alphabet='{}[]":,\\ \n0x1FVENDOR_ID\ud800\u0661e+-.'))
def test_garbage_is_refused_by_name(text: str) -> None:
    """Any text gives factory data or a list of mistakes."""
    reading = read(text.encode(errors="surrogatepass"))
    assert reading.mistakes or isinstance(reading.factory_data, FactoryData)


def test_revealed_json_builds_the_same_data_again() -> None:
    """The output of `show --json --reveal` is a valid input."""
    data = from_json(FULL)
    assert from_json(json.dumps(to_json(data, reveal=True)).encode()) == data


@pytest.mark.parametrize(
    "name", ["SPAKE2_SETUP_PASSCODE", "SPAKE2_SALT", "SPAKE2_VERIFIER", "DEVICE_ATTESTATION_PRIV_KEY"]
)
def test_secrets_are_hidden_unless_revealed(name: str) -> None:
    """The default output can be shown to anybody."""
    shown = to_json(from_json(FULL))[name]
    assert isinstance(shown, str)
    assert shown.startswith("<")
