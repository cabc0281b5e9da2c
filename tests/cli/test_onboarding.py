# SPDX-License-Identifier: Apache-2.0
"""`station onboarding` and `station spake2p`: codes and verifiers, with the passcode in a file."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.builders.commands import answer, station

CASES: list[Mapping[str, str | int]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "onboarding" / "onboarding_500.json").read_text()
)
FLOWS = ("standard", "user-intent", "custom")
LABEL = ("--vid", "0xFFF1", "--pid", "0x8000", "--discriminator", "0xF00")


@pytest.fixture
def passcode(tmp_path: Path) -> Path:
    return written(tmp_path, "20202021\n")


def written(folder: Path, content: str) -> Path:
    (folder / "passcode").write_text(content)
    return folder / "passcode"


def onboarding(*arguments: str | Path) -> dict[str, object]:
    said = answer("onboarding", *arguments)["onboarding"]
    assert isinstance(said, dict)
    return said


def test_the_codes_of_the_sdk_are_made(tmp_path: Path) -> None:
    """Makes a fifth of the SDK's codes; tests/matter makes and reads all of them."""
    for case in CASES[::5]:
        options = {
            "--vid": case["vid"],
            "--pid": case["pid"],
            "--discriminator": case["disc"],
            "--flow": FLOWS[int(case["flow"])],
            "--capabilities": case["cap"],
            "--passcode-file": written(tmp_path, f"{case['pin']:08}"),
        }
        words = (str(word) for pair in options.items() for word in pair)
        assert onboarding("encode", *words) == {"qr_code": case["chip_qr"], "manual_code": case["chip_manual"]}


def test_the_codes_of_the_sdk_are_read() -> None:
    """The command reads the SDK's QR codes and manual codes."""
    for case in CASES[::5]:
        said = onboarding("decode", str(case["chip_qr"]))
        assert (said["passcode"], said["discriminator"]) == (f"{case['pin']:08}", case["disc"])
        assert (said["vendor_id"], said["product_id"]) == (f"0x{case['vid']:04X}", f"0x{case['pid']:04X}")
        assert said["flow"] == FLOWS[int(case["flow"])]
        said = onboarding("decode", str(case["chip_manual"]))
        assert (said["passcode"], said["short_discriminator"]) == (f"{case['pin']:08}", int(case["disc"]) >> 8)


def test_a_serial_number_goes_into_the_qr_code(passcode: Path) -> None:
    """The serial number is read back from the QR code."""
    said = onboarding("encode", *LABEL, "--passcode-file", passcode, "--serial", "SN-0000001")
    assert said["qr_code"] == "MT:Y.K9042C00KA064IJ3P0IXZB0384G1-0LJ1-0LJ1.A40"
    assert onboarding("decode", str(said["qr_code"]))["serial_number"] == "SN-0000001"


def test_members_of_a_vendor_go_into_the_qr_code(passcode: Path) -> None:
    """They are read back from the QR code with their tags."""
    vendor = ("--vendor-number", "0x83=12", "--vendor-number", "0x84=-1", "--vendor-text", "0x82=a=b")
    said = onboarding("encode", *LABEL, "--passcode-file", passcode, *vendor)
    assert onboarding("decode", str(said["qr_code"]))["vendor_data"] == {"0x82": "a=b", "0x83": 12, "0x84": -1}
    shown = station("onboarding", "decode", str(said["qr_code"])).stdout
    assert "vendor data                0x82=a=b, 0x83=12, 0x84=-1\n" in shown


def test_a_code_that_a_known_commissioner_cannot_read_is_accepted_with_a_warning(passcode: Path) -> None:
    """The code is valid: a release of that commissioner may read it."""
    result = station("onboarding", "encode", *LABEL, "--passcode-file", passcode, "--serial", "AB")
    assert "warning: matter.js (0.17.9) cannot read this code: without MT: it has 30 characters" in result.stdout
    assert result.exit_code == 0
    code = result.stdout.splitlines()[0].split()[-1]
    said = answer("onboarding", "decode", code)
    assert said["accept"]
    assert "matter.js" in str(said["warnings"])
    assert answer("onboarding", "decode", "MT:Y.K9042C00KA0648G00")["warnings"] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("mt:Y.K9042C00KA0648G00", "this one with mt:"),
        (" MT:Y.K9042C00KA0648G00", "this one with a blank"),
        ("\ufeffMT:Y.K9042C00KA0648G00", "this one with a byte order mark"),
        ("\ufeff mt:Y.K9042C00KA0648G00", "this one with a byte order mark"),
    ],
)
def test_a_qr_code_with_a_wrong_beginning_is_not_taken_for_a_manual_code(code: str, words: str) -> None:
    """The sentence says what stands in front."""
    said = answer("onboarding", "decode", code)
    assert said["fault"] == "label.code_invalid"
    assert f"a QR code begins with MT:, and {words}" in str(said["text"])


@pytest.mark.parametrize(
    ("given", "shown"),
    [("ble", ["ble"]), ("on-network,ble", ["ble", "on-network"]), ("2", ["ble"]), ("0x6", ["ble", "on-network"])],
)
def test_capabilities_have_names_and_numbers(passcode: Path, given: str, shown: list[str]) -> None:
    """The numbers are those of the Matter specification."""
    said = onboarding("encode", *LABEL, "--passcode-file", passcode, "--capabilities", given)
    assert onboarding("decode", str(said["qr_code"]))["capabilities"] == shown


def test_codes_are_shown_to_people(passcode: Path) -> None:
    """Each code is on a separate line."""
    result = station("onboarding", "encode", *LABEL, "--passcode-file", passcode)
    assert result.stdout.splitlines()[:2] == [
        "qr code                    MT:Y.K9042C00KA0648G00",
        "manual code                34970112332",
    ]


def test_a_code_can_come_from_standard_input() -> None:
    """A code from standard input stays out of the shell's history; several payloads are separated."""
    chained = "MT:M5L90MP500K64J00000*M5L90U.D010K4J00000\n"
    result = station("onboarding", "decode", "-", "--json", stdin=chained)
    said = json.loads(result.stdout)
    assert [said[f"onboarding_{place}"]["discriminator"] for place in (1, 2)] == [128, 129]


@pytest.mark.parametrize("code", ["MT:M5L90MP500W-GT68D20", "MT:", "mt:Y.K9042C00KA0648G00", "34970112333", "", "4"])
def test_a_code_that_no_commissioner_reads_is_refused(code: str) -> None:
    assert answer("onboarding", "decode", code)["fault"] == "label.code_invalid"


@pytest.mark.parametrize(
    "changed", [("--discriminator", "4096"), ("--pid", "0"), ("--vid", "0xFFF5"), ("--serial", "X" * 33)]
)
def test_a_label_that_matter_does_not_allow_is_refused(passcode: Path, changed: tuple[str, str]) -> None:
    """The label is refused before anybody prints it."""
    said = answer("onboarding", "encode", *LABEL, *changed, "--passcode-file", passcode)
    assert said["fault"] == "label.code_invalid"


@pytest.mark.parametrize(
    "changed",
    [
        ("--capabilities", "64"),
        ("--capabilities", "blue"),
        ("--flow", "3"),
        ("--vid", "FFF1"),
        ("--vendor-number", "0x80"),
        ("--vendor-number", "0x80=text"),
        ("--vendor-text", "eighty=text"),
        ("--passcode-file", "no"),
    ],
)
def test_wrong_usage_is_exit_code_2(passcode: Path, changed: tuple[str, str]) -> None:
    """A reserved capability, an unknown flow, a malformed number or a missing file is wrong usage."""
    assert station("onboarding", "encode", *LABEL, "--passcode-file", passcode, *changed).exit_code == 2


@pytest.mark.parametrize(
    ("content", "exit_code"), [("", 2), ("2020-2021", 2), ("202020210", 2), ("11111111", 1), ("00000000", 1)]
)
def test_a_passcode_that_is_none_is_refused_without_repeating_it(tmp_path: Path, content: str, exit_code: int) -> None:
    """The message distinguishes an unreadable passcode from a forbidden one."""
    path = written(tmp_path, content)
    for command in (
        ("onboarding", "encode", *LABEL),
        ("spake2p", "verifier", "--salt", "00" * 16, "--iterations", "1000"),
    ):
        result = station(*command, "--passcode-file", path)
        assert result.exit_code == exit_code
        assert str(path) in result.stderr
        assert not content or content not in result.output


@pytest.mark.parametrize("case", [case for case in CASES if "salt" in case], ids=lambda case: str(case["pin"]))
def test_every_verifier_of_the_sdk_is_made(tmp_path: Path, case: Mapping[str, str | int]) -> None:
    """The forty verifiers have salts and iterations of all sizes; the text output has the verifier only."""
    path = written(tmp_path, str(case["pin"]))
    command = (
        "spake2p",
        "verifier",
        "--passcode-file",
        path,
        "--salt",
        str(case["salt"]),
        "--iterations",
        str(case["it"]),
    )
    assert station(*command).stdout == f"{case['chip_ver']}\n"


def test_a_verifier_as_json(passcode: Path) -> None:
    salt = b"SPAKE2P Key Salt".hex()
    said = answer("spake2p", "verifier", "--passcode-file", passcode, "--salt", salt, "--iterations", "1000")
    assert str(said["spake2p"]).startswith("{'verifier': 'b96170aae803346884724fe9a3b287c3")


@pytest.mark.parametrize(
    ("salt", "iterations"),
    [("00" * 15, "1000"), ("00" * 33, "1000"), ("00" * 16, "999"), ("0", "1000"), ("00" * 16, "x")],
)
def test_salt_and_iterations_keep_to_the_limits(passcode: Path, salt: str, iterations: str) -> None:
    """A salt or a number of iterations outside Matter's limits is wrong usage."""
    command = ("spake2p", "verifier", "--passcode-file", passcode, "--salt", salt, "--iterations", iterations)
    assert station(*command).exit_code == 2
