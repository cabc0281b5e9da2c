# SPDX-License-Identifier: Apache-2.0
"""A secret is found in each form in which it may lie about, and what only looks like one is not."""

import base64
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.campaign.canaries import Canaries, ProcessSampler, leaks
from tests.campaign.referee.boards import DISCRIMINATOR, KEY, PASSCODE, SALT, VERIFIER, Board

pytestmark = pytest.mark.executed

KEY_BYTES = hashlib.sha256(b"key").digest()
SALT_BYTES = hashlib.sha256(b"salt").digest()[:16]
VERIFIER_BYTES = b"".join(hashlib.sha256(bytes([each])).digest() for each in range(4))[:97]
CODE, MANUAL = "MT:-24J0AFN00KA0648G00", "34970112332"  # of 20202021 and 3840, by the CHIP SDK


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    records = {
        KEY: KEY_BYTES,
        SALT: SALT_BYTES,
        VERIFIER: VERIFIER_BYTES,
        PASSCODE: (20202021).to_bytes(4, "little"),
        DISCRIMINATOR: (3840).to_bytes(2, "little"),
    }
    board = Board(1, "0" * 24, "probe", records, (), frozenset())
    found = Canaries()
    found.add_board(board)
    return found


PASSCODES = {
    "alone": b"20202021",
    "in JSON": b'{"setup": 20202021}',
    "in words": b"the passcode is 20202021.",
    "hexadecimal": b"0x01344225",
    "its record, as the flash has it": (15).to_bytes(4, "little") + (4).to_bytes(4, "little") + (20202021).to_bytes(4, "little"),
    "its record in hexadecimal": b"0f0000000400000025423401",
    "digits in base64": base64.b64encode(b"xy20202021"),
    "digits in hexadecimal": b"20202021".hex().encode(),
    "QR code": f"scan {CODE} now".encode(),
    "manual code": MANUAL.encode(),
    "manual code as a label has it": b"3497-011-2332",
}  # fmt: skip


@pytest.mark.parametrize("form", PASSCODES)
def test_a_passcode_is_found(canaries: Canaries, form: str) -> None:
    assert {name.partition(" of ")[0] for name in canaries.within(PASSCODES[form])} <= {"passcode", "pairing code"}
    assert canaries.within(PASSCODES[form])


KEYS = {
    "raw": b"\0\1" + KEY_BYTES + b"\xff",
    "hexadecimal": b"key=" + KEY_BYTES.hex().encode(),
    "upper case behind an odd digit": b"0" + KEY_BYTES.hex().upper().encode(),
    "with colons": ":".join(f"{each:02x}" for each in KEY_BYTES).encode(),
    "in C": ", ".join(f"0x{each:02X}" for each in KEY_BYTES).encode(),
    "a list of numbers": str(list(KEY_BYTES)).encode(),
    "one number": str(int.from_bytes(KEY_BYTES)).encode(),
    "words of memory": " ".join(KEY_BYTES[at : at + 4][::-1].hex().upper() for at in range(0, 32, 4)).encode(),
    "as Python shows it": repr(KEY_BYTES).encode(),
    "in JSON": json.dumps(KEY_BYTES.decode("latin-1")).encode(),
    "base64": base64.b64encode(KEY_BYTES),
    "base64 for addresses": base64.urlsafe_b64encode(KEY_BYTES),
    "base64 behind one byte": base64.b64encode(b"x" + KEY_BYTES),
    "base64 behind two bytes": base64.b64encode(b"xy" + KEY_BYTES),
    "its last half": KEY_BYTES[16:].hex().encode(),
}


@pytest.mark.parametrize("form", KEYS)
def test_a_key_is_found(canaries: Canaries, form: str) -> None:
    assert canaries.within(KEYS[form]) == {"private key of board 1"}


def test_salts_and_verifiers_are_found(canaries: Canaries) -> None:
    assert canaries.within(SALT_BYTES.hex().encode()) == {"salt of board 1"}
    assert canaries.within(base64.b64encode(VERIFIER_BYTES)) == {"verifier of board 1"}


@dataclass(frozen=True)
class Folder:
    """A campaign without boards."""

    folder: Path
    boards: Sequence[Board] = ()


@pytest.mark.parametrize("name", ["audit.pem", "station-key.pem"])
def test_a_key_of_a_file_may_be_in_that_file_alone(tmp_path: Path, name: str) -> None:
    """Whatever its name, if nobody else may read it."""
    key = ed25519.Ed25519PrivateKey.generate()
    file = tmp_path / name
    file.touch(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "public.pem").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    assert list(leaks(Folder(tmp_path))) == []
    (tmp_path / "log.jsonl").write_text(key.private_bytes_raw().hex(), encoding="utf-8")
    (tmp_path / "copy.pem").write_bytes(file.read_bytes())  # which everybody may read
    assert list(leaks(Folder(tmp_path))) == [f"key {name} in copy.pem", f"key {name} in log.jsonl"]


INNOCENT = (
    b'{"time": 1795734153.8176196, "seconds": 0.20202021}',
    b"deadbeef20202021cafe and 120202021 and 202020210",
    b"0x20202021 0x01344224",
    b"MT:Y.K9042C00KA0648G00",  # of the same passcode, and yet another board would be the one to leak: see below
)


@pytest.mark.parametrize("text", INNOCENT[:3])
def test_what_only_looks_like_a_passcode_is_none(canaries: Canaries, text: bytes) -> None:
    assert canaries.within(text) == set()


def test_a_code_with_another_discriminator_holds_the_passcode_all_the_same(canaries: Canaries) -> None:
    assert canaries.within(INNOCENT[3]) == {"passcode of board 1"}


def test_digits_in_a_hash_are_none_and_a_cell_of_its_own_is(tmp_path: Path) -> None:
    """A ledger of two thousand boards has so many hashes that some have the digits of a passcode. Its cells lie side by side."""
    board = Board(1, "0" * 24, "probe", {PASSCODE: (20202021).to_bytes(4, "little")}, (), frozenset())
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database, database:
        database.execute("CREATE TABLE unit (uid TEXT, noted TEXT)")
        database.execute("INSERT INTO unit VALUES (?, ?)", ["54760bd620597a2520202021", "b068b99513938353639350"])
    assert list(leaks(Folder(tmp_path, [board]))) == []
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database, database:
        database.execute("INSERT INTO unit VALUES (?, ?)", ["54760bd620597a2551383938", "20202021"])
    assert list(leaks(Folder(tmp_path, [board]))) == ["passcode of board 1 in ledger.sqlite"]


def test_digits_in_the_name_of_a_certificate_are_none_also_in_base64(canaries: Canaries) -> None:
    """A recording has its bytes in base64, and the name has the serial number in hexadecimal."""
    for before in range(4):
        name = b"x" * before + b"TEST DAC 59DA380E073B512C202020211082921B"
        assert canaries.within(base64.b64encode(name)) == set()
        alone = b"x" * before + b"code 20202021, x" + b"y" * before
        assert canaries.within(base64.b64encode(alone)) == {"passcode of board 1"}


def test_a_word_of_another_boards_unique_id_is_none(tmp_path: Path) -> None:
    """The programmer shows it in each run, and by chance it is this board's passcode."""
    passcode = {PASSCODE: (20202021).to_bytes(4, "little")}
    other = Board(2, "67cb5132" + bytes.fromhex("20202021")[::-1].hex() + "51323437", "other", {}, (), frozenset())
    (tmp_path / "transcript.txt").write_text("0x1FFF7590 : 3251CB67 20202021 37343251\n", encoding="utf-8")
    board = Board(1, "0" * 24, "probe", passcode, (), frozenset())
    assert list(leaks(Folder(tmp_path, [board, other]))) == []
    assert list(leaks(Folder(tmp_path, [board]))) == ["passcode of board 1 in transcript.txt"]


def test_labels_may_show_codes_and_no_keys(canaries: Canaries) -> None:
    assert canaries.within(f"{CODE} {MANUAL}".encode(), codes_allowed=True) == set()
    assert canaries.within(KEY_BYTES.hex().encode(), codes_allowed=True) == {"private key of board 1"}


def test_arguments_and_environments_of_children_are_written_once(tmp_path: Path) -> None:
    """What the campaign's own process was started with stays out: it may hold secrets of others."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()', 'of a child']); "
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        env=os.environ | {"STATION_SEEN": "yes"},
    ) as process:
        sampler, file = ProcessSampler(tmp_path / "processes.jsonl"), tmp_path / "processes.jsonl"
        while not file.exists() or "of a child" not in file.read_text(encoding="utf-8"):
            assert process.poll() is None
            sampler.sample([process.pid])
        lines = file.read_text(encoding="utf-8").splitlines()
        assert process.stdin is not None
        process.stdin.close()
    assert len(lines) == len(set(lines))
    seen = [json.loads(line) for line in lines]
    assert any(each["environ"] == ["STATION_SEEN=yes"] for each in seen)
    assert not any(variable.startswith("PATH=") for each in seen for variable in each["environ"])
