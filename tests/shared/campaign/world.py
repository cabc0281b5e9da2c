# SPDX-License-Identifier: Apache-2.0
"""The world around the stations, in a process of its own: boards, the shelf between the stations, and the PKI.

A board keeps its key for ever, whoever programs it. The PKI mints anew at each request. What this process has seen is the
referee's truth, so it imports nothing of the station and reads ST's factory data by itself.
"""

import asyncio
import hashlib
import json
import random
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.builders.forge import DAC, PAI, ForgedRequest, public_key, tlv

OPERATIONAL = "operational"
DISCRIMINATOR, PASSCODE, SERIAL_NUMBER = 11, 15, 25  # tags of ST's factory data
OF_DAC, OF_PAI, OF_KEY = 3, 4, 6
END_MARK = (0xACACACAC).to_bytes(4, "little")
CONTEXT = b"matter provisioning link v1"
MOST_VOIDS = 6  # in a row, after which a person takes the board away
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve P-256


def records(block: bytes) -> dict[int, bytes]:
    """Reads ST's factory data by tags."""
    found, at = {}, 0
    while block[at : at + 4] not in {END_MARK, b""}:
        size = int.from_bytes(block[at + 4 : at + 8], "little")
        found[int.from_bytes(block[at : at + 4], "little")] = block[at + 8 : at + 8 + size]
        at += 8 + size
    return found


def block(found: Mapping[int, bytes]) -> bytes:
    """Writes ST's factory data."""
    parts = (tag.to_bytes(4, "little") + len(value).to_bytes(4, "little") + value for tag, value in found.items())
    return b"".join(parts) + END_MARK if found else b"\xff" * 16


def dac_serial_number(dac: bytes) -> str:
    number = x509.load_der_x509_certificate(dac).serial_number
    return number.to_bytes((number.bit_length() + 7) // 8, "big").hex().upper()


@dataclass
class Board:
    """One board: its secure storage, its factory data by tags, the name of its firmware, and its label's history."""

    uid: str
    secret: int | None = None
    data: dict[int, bytes] = field(default_factory=dict)
    firmware: str = ""
    passes: list[dict[str, object]] = field(default_factory=list)
    voids: int = 0

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        assert self.secret is not None
        return ec.derive_private_key(self.secret, ec.SECP256R1())

    @property
    def key(self) -> str | None:
        """The name of its key."""
        return None if self.secret is None else hashlib.sha256(public_key(self.private_key)).hexdigest()

    @property
    def serial_number(self) -> str | None:
        return self.data[SERIAL_NUMBER].decode() if SERIAL_NUMBER in self.data else None

    @property
    def pair(self) -> list[int] | None:
        if PASSCODE not in self.data:
            return None
        return [int.from_bytes(self.data[tag], "little") for tag in (PASSCODE, DISCRIMINATOR)]

    @property
    def dac(self) -> str | None:
        return dac_serial_number(self.data[OF_DAC]) if OF_DAC in self.data else None

    @property
    def told(self) -> dict[str, object]:
        return {
            "uid": self.uid,
            "key": self.key,
            "serial_number": self.serial_number,
            "pair": self.pair,
            "dac": self.dac,
            "passes": self.passes,
        }


class World:
    """All boards and the PKI. The methods named in `ASKED` answer questions of stations."""

    def __init__(self, seed: int, lost_answers: float) -> None:
        self._chance = random.Random(seed)
        self._lost_answers = lost_answers
        self._boards: dict[str, Board] = {}
        self._shelf: list[str] = []
        self._good: list[str] = []
        self.writes: list[dict[str, object]] = []
        self.minted: list[dict[str, object]] = []
        self.wrong: list[dict[str, object]] = []
        self.counts: Counter[str] = Counter()
        self.clock = 0
        """Counts what has happened: the order of events, whatever the stations' clocks say."""

    def plug(self, _uid: str, _asked: Mapping[str, str]) -> dict[str, object]:
        """A person puts a board into a slot: one from the shelf, rarely a good one, or a new one."""
        chance = self._chance.random()
        if self._shelf and chance < 0.45:
            uid = self._shelf.pop(self._chance.randrange(len(self._shelf)))
        elif self._good and chance < 0.50:
            uid = self._good.pop(self._chance.randrange(len(self._good)))
        else:
            uid = self._chance.randbytes(12).hex()
            self._boards[uid] = Board(uid)
        return {"uid": uid, "key": self._boards[uid].key}

    def program(self, uid: str, asked: Mapping[str, str]) -> dict[str, object]:
        """The programmer has written factory data, a firmware, or both."""
        board = self._boards[uid]
        if "data" in asked:
            written = records(bytes.fromhex(asked["data"]))
            before, board.data = board.serial_number, written
            if board.passes and before != board.serial_number:
                self.wrong.append({"what": "a passed unit got another serial number", "uid": uid, "by": asked["by"]})
            self.writes.append(self._stamped(asked) | board.told | {"passes": len(board.passes)})
        if "firmware" in asked:
            board.firmware = asked["firmware"]
        return {}

    def read(self, uid: str, _asked: Mapping[str, str]) -> dict[str, object]:
        return {"data": block(self._boards[uid].data).hex()}

    def csr(self, uid: str, _asked: Mapping[str, str]) -> dict[str, object]:
        """The agent makes the board's key, unless there is one, and a request for it."""
        board = self._boards[uid]
        if board.secret is None:
            board.secret = self._chance.randrange(1, ORDER)
        key = board.private_key
        return {"csr": ForgedRequest(signer=key, key=public_key(key)).der.hex()}

    def store(self, uid: str, asked: Mapping[str, str]) -> dict[str, object]:
        """The agent puts certificates behind the factory data, if they are for the board's key."""
        board = self._boards[uid]
        dac, pai = bytes.fromhex(asked["dac"]), bytes.fromhex(asked["pai"])
        key = x509.load_der_x509_certificate(dac).public_key()
        if board.secret is None or key != board.private_key.public_key():
            self.wrong.append({"what": "a certificate for another board's key", "uid": uid, "by": asked["by"]})
            return {"refused": "5 not my key"}
        point = board.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        board.data |= {OF_DAC: dac, OF_PAI: pai, OF_KEY: point}
        return {}

    def prove(self, uid: str, asked: Mapping[str, str]) -> dict[str, object]:
        """The firmware signs with the board's key."""
        signed = self._boards[uid].private_key.sign(CONTEXT + bytes.fromhex(asked["nonce"]), ec.ECDSA(hashes.SHA256()))
        return {"signature": b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(signed)).hex()}

    def present(self, uid: str, _asked: Mapping[str, str]) -> dict[str, object]:
        """The operational firmware says what the board is."""
        board = self._boards[uid]
        if board.firmware != OPERATIONAL or board.dac is None:
            return {"silent": True}
        return {"serial_number": board.serial_number, "dac": board.dac}

    def mint(self, uid: str, asked: Mapping[str, str]) -> dict[str, object]:
        """The PKI issues a new certificate at each request. Some answers are lost."""
        request = x509.load_der_x509_csr(bytes.fromhex(asked["csr"]))
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        number = b"\x40" + self._chance.randbytes(15)  # positive, and 16 bytes without a leading zero
        dac = replace(DAC, key=spki, serial_number=tlv(0x02, number)).der
        minted = {"dac": number.hex().upper(), "key": hashlib.sha256(spki).hexdigest(), "uid": uid}
        self.minted.append(self._stamped(asked) | minted)
        if self._chance.random() < self._lost_answers:
            self.counts["answers of the PKI lost"] += 1
            return {"lost": True}
        return {"dac": dac.hex(), "pai": PAI.der.hex()}

    def unplug(self, uid: str, asked: Mapping[str, str]) -> dict[str, object]:
        """A person takes the board out by its verdict, which is durable at the station."""
        board, verdict = self._boards[uid], asked["verdict"]
        self.counts[verdict] += 1
        self.counts[f"{verdict}: {asked['why']}"] += 1
        board.voids = board.voids + 1 if verdict == "void" else 0
        if verdict == "pass":
            board.passes.append(
                self._stamped(asked) | {key: board.told[key] for key in ("serial_number", "pair", "dac")}
            )
            self._good.append(uid)
        elif board.voids < MOST_VOIDS:
            self._shelf.append(uid)
        else:
            self.counts["boards taken away by a person"] += 1
        return {}

    def pulled(self, uid: str) -> None:
        """The station died: a person takes the board out without a verdict."""
        self._shelf.append(uid)

    def state(self, _uid: str, _asked: Mapping[str, str]) -> dict[str, object]:
        return {"counts": self.counts}

    @property
    def seen(self) -> dict[str, object]:
        """Everything, for the referee."""
        return {
            "boards": [board.told for board in self._boards.values()],
            "writes": self.writes,
            "minted": self.minted,
            "wrong": self.wrong,
            "counts": self.counts,
        }

    def _stamped(self, asked: Mapping[str, str]) -> dict[str, object]:
        self.clock += 1
        return {"order": self.clock, "by": asked["by"], "life": asked["life"]}


ASKED = ("plug", "program", "read", "csr", "store", "prove", "present", "mint", "unplug", "state")


class Answers:
    """Answers one station, for as long as it lives."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._plugged: set[str] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                number, what, uid, asked = json.loads(line)
                assert what in ASKED
                assert what in {"plug", "state"} or uid in self._plugged, (
                    f"{what} of a board in no slot of this station"
                )
                answer = getattr(self._world, what)(uid, asked)
                if what == "plug":
                    self._plugged.add(answer["uid"])
                elif what == "unplug":
                    self._plugged.remove(uid)
                writer.write(json.dumps([number, answer]).encode() + b"\n")
        except ConnectionError:
            pass
        finally:
            for uid in sorted(self._plugged):
                self._world.pulled(uid)
            writer.close()


async def _serve(world: World, address: Path, ended: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Answers(world).answer(reader, writer)

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with await asyncio.start_unix_server(answer, address, limit=1 << 20):
        await stopped.wait()
    ended.write_text(json.dumps(world.seen), encoding="utf-8")


def serve(address: Path, ended: Path, seed: int, lost_answers: float) -> None:
    """Answers stations on the unix socket until SIGTERM; what it has seen is then in the file `ended`."""
    uvloop.run(_serve(World(seed, lost_answers), address, ended))
