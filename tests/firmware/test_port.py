# SPDX-License-Identifier: Apache-2.0
"""The STM32WB55 port, run on this machine over memory in place of registers: its operands and its commands."""

import subprocess
from pathlib import Path

import pytest

from tests.firmware.host_board import SOURCE, compiled

pytestmark = pytest.mark.line

PROGRAMS = Path(__file__).parent / "programs"
PORT = SOURCE / "ports/stm32wb55"
# Each number of the program: 16 * (number + 1), counting up in its last four bits.
NUMBERS = [bytes(16 * (number + 1) + place % 16 for place in range(65)) for number in range(5)]
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
SECRET = int.from_bytes(b"\x5a" * 32)


def port_program(folder: Path, name: str, *sources: Path) -> list[str]:
    """The program's output; the port's registers are memory of the program."""
    fake = PROGRAMS / "fake_registers.h"
    options = (
        "-Wno-pedantic",
        "-Wno-conversion",
        "-Wno-int-to-pointer-cast",
        "-DAGENT_SECURE=1",
        "-include",
        str(fake),
    )
    program = compiled(folder / name, [PROGRAMS / f"{name}.c", *sources], *options, f"-I{PORT}", f"-I{SOURCE}")
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture(scope="module")
def operands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The lines of each operation of the accelerator."""
    lines = port_program(tmp_path_factory.mktemp("pka"), "pka", PORT / "pka.c", SOURCE / "agent/scalar.c")
    found: dict[str, list[str]] = {}
    for line in lines:
        if line in {"multiply", "sign", "verify"}:
            found[line] = []
        else:
            found[list(found)[-1]].append(line)
    return found


def words(offset: int, number: int) -> set[str]:
    """A number in the accelerator's format: eight words, the least significant first, and a word of zero."""
    return {f"{offset + 4 * i:03x} {number >> 32 * i & 0xFFFFFFFF:08x}" for i in range(9)}


def value(index: int, start: int = 0) -> int:
    return int.from_bytes(NUMBERS[index][start : start + 32])


def written(lines: list[str]) -> set[str]:
    return {line for line in lines if len(line) == len("400 00000100")}


def test_operands_of_a_multiplication(operands: dict[str, list[str]]) -> None:
    """Mode 20h; a is negative and given as its magnitude 3; the private key is erased afterwards."""
    expected = {"400 00000100", "404 00000100", "408 00000001"}
    expected |= words(0x40C, 3) | words(0x460, P) | words(0x508, value(0)) | words(0x55C, GX) | words(0x5B0, GY)
    assert written(operands["multiply"]) == expected
    assert "mode 20" in operands["multiply"]
    assert "private key left 00000000" in operands["multiply"]


def test_operands_of_a_signature(operands: dict[str, list[str]]) -> None:
    """Mode 24h; the order is at E94h; private key and secret number are erased afterwards."""
    expected = {"400 00000100", "404 00000100", "408 00000001"}
    expected |= words(0x40C, 3) | words(0x460, P) | words(0x508, SECRET) | words(0x55C, GX) | words(0x5B0, GY)
    expected |= words(0xDE8, value(1)) | words(0xE3C, value(0)) | words(0xE94, N)
    assert written(operands["sign"]) == expected
    assert {"mode 24", "private key left 00000000", "secret number left 00000000"} <= set(operands["sign"])


def test_operands_of_a_verification(operands: dict[str, list[str]]) -> None:
    """Mode 26h has its operands at other addresses than signing."""
    expected = {"404 00000100", "4b4 00000100", "45c 00000001"}
    expected |= words(0x460, 3) | words(0x4B8, P) | words(0x5E8, GX) | words(0x63C, GY) | words(0xD5C, N)
    expected |= words(0xF40, value(2, 1)) | words(0xF94, value(2, 33)) | words(0xFE8, value(3))
    expected |= words(0x1098, value(4)) | words(0xA44, value(4, 32))
    assert {line for line in operands["verify"] if line[0] in "0123456789abcdef" and " " in line} == expected
    assert "mode 26" in operands["verify"]


def test_the_accelerator_is_shared(operands: dict[str, list[str]]) -> None:
    """The coprocessor uses it, too, so the port takes semaphore 1 and releases it."""
    for lines in operands.values():
        assert (lines[0], lines.count("takes 1"), lines.count("releases 1")) == ("takes 1", 1, 1)


def test_commands_in_the_mailbox(tmp_path: Path) -> None:
    """Store is 2E4h with one argument, sign 2E5h with four; Thread is started once."""
    *said, where = port_program(tmp_path, "mailbox")
    private_key, message, public_key, signature = where.split()[1:]

    def little(number: str) -> str:
        return bytes.fromhex(number)[::-1].hex()

    commands = [line for line in said if line.startswith(("store", "sign"))]
    payloads = [line.split()[1] for line in said if line.startswith("payload")]
    packets = [line.split()[2][16:] for line in said if "command" in line]
    assert commands == ["store 0", "store 1", "sign 0"]
    assert packets == ["1067fc00", "0880020c", "0880020c", "08800218"]
    assert payloads[0][:24] == payloads[1][:24] == "e402000001000000" + little(private_key)
    arguments = little(message) + "3b000000" + little(public_key) + little(signature)
    assert payloads[2] == "e502000004000000" + arguments
