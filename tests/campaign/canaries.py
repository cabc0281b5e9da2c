# SPDX-License-Identifier: Apache-2.0
"""Secrets of the campaign's boards and keys, searched for in every file that it has left: raw, hexadecimal, decimal, base64.

A board's own memories may hold its secrets, a label its pairing codes, and a key's file the key. Everything else may not.
"""

import base64
import gzip
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.builders import warm
from tests.campaign.referee.boards import DISCRIMINATOR, KEY, PASSCODE, SALT, VERIFIER, Board
from tests.campaign.referee.codes import manual_digits
from tests.line.lot_count import passcode_of

PIECE = 16  # bytes of a longer secret, of which its first and its last ones are searched for
WINDOW = 8  # bytes or characters that are looked up before the whole is compared
KEY_FILES = ("*.key", "*-key.pem", "*.secret", "*token*")
_HEX = re.compile(r"[0-9A-Fa-f]{16,}")
_SPACED_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f]{2}(?:[ :,-]+(?:0x)?[0-9A-Fa-f]{2}){7,}")
_WORDS = re.compile(r"\b[0-9A-Fa-f]{8}(?: [0-9A-Fa-f]{8})+\b")  # as the programmer shows memory
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_LISTED = re.compile(r"\b\d{1,3}(?:[, ]+\d{1,3}){7,}\b")
_LONG = re.compile(r"\d{36,}")
_EIGHT = re.compile(r"(?<![0-9A-Za-z.])\d{8}(?![0-9A-Za-z])")
# In thousands of hashes and unique ids, eight digits in a row are some board's passcode by chance.
_SHORT_RUN = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8,14}(?![0-9A-Fa-f])")
_SQLITE = b"SQLite format 3\0"
_NAMED = re.compile(r"(?i)(?:pass|pin|code|setup)[^0-9]{0,24}?(\d{5,8})(?!\d)")
_NUMBER = re.compile(r"(?i)\b0x0*([0-9a-f]{5,7})\b")
_QR = re.compile(r"MT:[0-9A-Z.-]{19}")
_MANUAL = re.compile(r"(?<!\d)(?:\d{4}-\d{3}-\d{4}|\d{11})(?!\d)")
_ESCAPES = re.compile(rb"\\x[0-9a-fA-F]{2}|\\u00[0-9a-fA-F]{2}")
_URL_SAFE = str.maketrans("-_", "+/")


class Left(Protocol):
    """The folder of a campaign, and its boards."""

    @property
    def folder(self) -> Path: ...

    @property
    def boards(self) -> Sequence[Board]: ...


@dataclass
class Canaries:
    """All secrets in the forms in which they are searched for; the values are what a report may say of them."""

    passcodes: dict[int, str] = field(default_factory=dict, repr=False)
    manual: dict[str, str] = field(default_factory=dict, repr=False)
    digits: dict[bytes, str] = field(default_factory=dict, repr=False)
    """Passcodes of eight digits as text."""
    raw: dict[bytes, list[tuple[bytes, str]]] = field(default_factory=dict, repr=False)
    coded: dict[str, list[tuple[str, str]]] = field(default_factory=dict, repr=False)
    """Base64 by its first characters."""
    coded_digits: set[str] = field(default_factory=set, repr=False)
    """The base64 of passcodes as text."""

    @classmethod
    def of(cls, left: Left) -> "Canaries":
        found = cls()
        for board in left.boards:
            found.add_board(board)
        found._forget_ids(left.boards)
        for file in key_files(left.folder):
            found._add_key_file(file)
        return found

    def add(self, content: bytes, name: str) -> None:
        """A secret of eight bytes or more."""
        for piece in {content[:PIECE], content[-PIECE:]}:
            self.raw.setdefault(piece[:WINDOW], []).append((piece, name))
            self._code(piece, name)

    def _code(self, piece: bytes, name: str) -> set[str]:
        """Adds the forms that these bytes have in base64, and returns them."""
        forms = set[str]()
        for shift in range(3):
            text = base64.b64encode(bytes(shift) + piece).decode().rstrip("=")
            begin = (shift * 8 + 5) // 6  # the characters before it hold bits of what is before the secret
            end = (shift + len(piece)) * 8 // 6  # the one behind it holds bits of what is behind it
            self.coded.setdefault(text[begin:end][:WINDOW], []).append((text[begin:end], name))
            forms.add(text[begin:end])
        return forms

    def add_board(self, board: Board) -> None:
        name = f"of board {board.number}"
        for tag, what in {SALT: "salt", VERIFIER: "verifier", KEY: "private key"}.items():
            if len(value := board.records.get(tag, b"")) >= WINDOW:
                self.add(value, f"{what} {name}")
        for key in board.keys:
            self.add(key, f"private key {name}")
        passcode = board.passcode
        if passcode is None:
            return
        self.passcodes[passcode] = f"passcode {name}"
        self.manual[manual_digits(passcode, board.number_in(DISCRIMINATOR) or 0)] = f"pairing code {name}"
        record = b"".join(each.to_bytes(4, "little") for each in (PASSCODE, 4, passcode))
        self.add(record, f"passcode {name}")
        self.coded_digits |= self._code(f"{passcode:08}".encode(), f"passcode {name}")
        self.digits[f"{passcode:08}".encode()] = f"passcode {name}"

    def _forget_ids(self, boards: Sequence[Board]) -> None:
        """The programmer shows a board's unique id as three words, and one of thousands of words is another board's passcode."""
        for uid in (bytes.fromhex(board.uid) for board in boards):
            for text in (f"{int.from_bytes(uid[at : at + 4], 'little'):08X}" for at in range(0, len(uid), 4)):
                if text.isdecimal():
                    self.passcodes.pop(int(text), None)

    def _add_key_file(self, file: Path) -> None:
        content = file.read_bytes().strip()
        if content.startswith(b"-----BEGIN"):
            key = load_pem_private_key(content, None)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                self.add(key.private_numbers().private_value.to_bytes(key.key_size // 8), f"key {file.name}")
            elif isinstance(key, ed25519.Ed25519PrivateKey):
                self.add(key.private_bytes_raw(), f"key {file.name}")
        elif len(content) >= PIECE:
            self.add(content, f"content of {file.name}")
            if _HEX.fullmatch(content.decode("latin-1")):
                self.add(bytes.fromhex(content.decode("ascii")), f"key {file.name}")

    # --- what a file has ----------------------------------------------------------------------------------------------

    def within(self, content: bytes, *, codes_allowed: bool = False) -> set[str]:
        """The names of the secrets in the content; `codes_allowed` where a label shows its unit's codes."""
        text = content.decode("latin-1")
        found = set(self._numbers(text)) if not codes_allowed else set()
        found |= {name for token in set(_BASE64.findall(text)) for name in self._in_base64(token)}
        found |= {name for piece in _decoded(text) for name in self._in_bytes(piece)}
        if not _is_text(content):
            found |= set(self._in_bytes(content))
        elif _ESCAPES.search(content):
            unescaped = re.sub(r"\\(?:x|u00)([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
            found |= set(self._in_bytes(unescaped.encode("latin-1")))
        return found

    def _numbers(self, text: str) -> Iterator[str]:
        decimals = {int(each) for each in set(_EIGHT.findall(text)) if int(each) % 512}  # sizes of memory are multiples
        decimals |= {int(each) for each in set(_NAMED.findall(text))}
        decimals |= {int(each, 16) for each in set(_NUMBER.findall(text))}
        decimals |= {passcode_of(each) for each in set(_QR.findall(text)) if _is_whole(each)}
        yield from (self.passcodes[each] for each in decimals & self.passcodes.keys())
        digits = {each.replace("-", "")[:10] for each in set(_MANUAL.findall(text))}
        yield from (self.manual[each] for each in digits & self.manual.keys())

    def _in_bytes(self, content: bytes) -> Iterator[str]:
        for window in {content[at : at + WINDOW] for at in range(len(content) - WINDOW + 1)} & self.raw.keys():
            yield from (name for piece, name in self.raw[window] if piece in content)
        yield from self._digits(content)

    def _digits(self, content: bytes) -> Iterator[str]:
        for run in _SHORT_RUN.findall(content):
            windows = {run[at : at + WINDOW] for at in range(len(run) - WINDOW + 1)}
            yield from (self.digits[each] for each in windows & self.digits.keys())

    def _in_base64(self, token: str) -> Iterator[str]:
        text = token.translate(_URL_SAFE)
        for window in {text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1)} & self.coded.keys():
            for piece, name in self.coded[window]:
                if piece in text and (piece not in self.coded_digits or name in self._digits_in_base64(text)):
                    yield name

    def _digits_in_base64(self, text: str) -> Iterator[str]:
        """Passcodes in base64 that are no part of a longer run, as of the serial number in a certificate's name."""
        for shift in range(4):
            part = text[shift:]
            yield from self._digits(base64.b64decode(part + "A" * (-len(part) % 4)))


def key_files(folder: Path) -> list[Path]:
    """The files that are there to hold a secret: those with such names, and those that nobody else may read and that are a PEM key."""
    named = {file for pattern in KEY_FILES for file in folder.rglob(pattern) if file.is_file()}
    own = (file for file in folder.rglob("*") if file.is_file() and not file.stat().st_mode & 0o077)
    return sorted(named | {file for file in own if _begins_as_key(file)})


def _begins_as_key(file: Path) -> bool:
    with file.open("rb") as content:
        return b"PRIVATE KEY-----" in content.readline(64)


def leaks(left: Left) -> Iterator[str]:
    """Each secret at a place where it must not be, by its name and the file's."""
    canaries, homes = Canaries.of(left), set(key_files(left.folder))
    memories = {file for folder in left.folder.glob("bench*/boards") for file in folder.rglob("*")}
    for file in sorted(left.folder.rglob("*")):
        if not file.is_file() or file in homes or file in memories:
            continue
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        place = file.relative_to(left.folder)
        found = canaries.within(content, codes_allowed=place.parts[0] == "printer")
        if content.startswith(_SQLITE):
            found |= {name for cell in _cells(file) if (name := canaries.digits.get(cell)) is not None}
        for name in sorted(found):
            yield f"{name} in {place}"


def _cells(file: Path) -> Iterator[bytes]:
    """Each value of the file's tables that is eight digits: in the file, cells lie side by side without anything between them."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  a name of the schema
                for value in row:
                    cell = value if isinstance(value, bytes) else str(value).encode()
                    if len(cell) == WINDOW and cell.isdigit():
                        yield cell


def _decoded(text: str) -> Iterator[bytes]:
    """The bytes that hexadecimal digits and decimal numbers in the text may stand for."""
    for run in set(_HEX.findall(text)):
        yield from (bytes.fromhex(run[odd : odd + (len(run) - odd) // 2 * 2]) for odd in (0, 1))
    for run in set(_SPACED_HEX.findall(text)):
        yield bytes.fromhex("".join(re.findall(r"[0-9A-Fa-f]{2}(?![0-9A-Fa-fx])", run)))
    for run in set(_WORDS.findall(text)):
        yield b"".join(bytes.fromhex(word)[::-1] for word in run.split())
    for run in set(_LISTED.findall(text)):
        numbers = [int(each) for each in re.split(r"[, ]+", run)]
        yield bytes(number for number in numbers if number < 256)
    for run in set(_LONG.findall(text)):
        number = int(run[:400])
        yield number.to_bytes((number.bit_length() + 7) // 8 or 1)


def _is_text(content: bytes) -> bool:
    """Whether random bytes cannot be in it as they are."""
    return not content.translate(None, bytes([*range(32, 127), 9, 10, 13]))


def _is_whole(code: str) -> bool:
    return len(code) == len("MT:") + 19


# --- processes --------------------------------------------------------------------------------------------------------


class ProcessSampler:
    """Writes the distinct command lines and environments of processes and their children into a file, one JSON object a line.

    Variables that this process has with the same value are left out: they were there before the campaign.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: set[str] = set()

    def sample(self, pids: Iterable[int]) -> None:
        """Looks once. A process that ends meanwhile is left out."""
        assert warm.programs is None, (
            "a forked program shows the command line of another: mark the file of the test `executed`"
        )
        new = [
            line for pid in pids for each in _with_children(pid) if (line := _looks(each)) and line not in self._seen
        ]
        self._seen.update(new)
        if new:
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in dict.fromkeys(new))


def _looks(pid: int) -> str:
    own: Mapping[str, str] = os.environ
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        environ = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    variables = [each for each in environ if each and own.get(each.partition("=")[0]) != each.partition("=")[2]]
    return json.dumps({"argv": [each for each in argv if each], "environ": sorted(variables)})


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _with_children(child)
