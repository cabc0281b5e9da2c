# SPDX-License-Identifier: Apache-2.0
"""Everything that a campaign leaves in its folder, read without any code of the station."""

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.campaign.referee.boards import DECLARATION, Board
from tests.campaign.referee.ledgers import StationLedger
from tests.campaign.referee.remains import Remains
from tests.line.lot_count import Print, Tray

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "firmware_images"

NUMBERS = {22: "vendor_id", 24: "product_id", 27: "hardware_version"}
NAMES = {21: "vendor_name", 23: "product_name", 28: "hardware_version_string"}

Entry = Mapping[str, object]
SAME_MOMENT = 60.0  # seconds that a busy machine may lie between two stamps of one moment


@dataclass(frozen=True)
class Issued:
    """A certificate of the PKI's own list, with the key for which it was asked."""

    serial_number: int
    key: str
    dac: bytes = field(repr=False)


@dataclass(frozen=True)
class Pki:
    """The PKI's own lists."""

    issued: Sequence[Issued]
    asked: frozenset[str]
    """The keys for which it was asked."""
    disturbed: Mapping[str, Sequence[float]]
    """When an enrolment for a key did not end with an answer that was sent, by key."""
    paa: x509.Certificate

    @cached_property
    def repeated(self) -> frozenset[int]:
        """The serial numbers that it has given more than one certificate."""
        times = Counter(each.serial_number for each in self.issued)
        return frozenset(number for number in times if times[number] > 1)

    @classmethod
    def read(cls, folder: Path) -> "Pki":
        requests = {int(str(each["request"])): each for each in _lines(folder / "requests.jsonl")}
        answers = {int(str(each["request"])): each for each in _lines(folder / "answers.jsonl")}
        issued = []
        for each in _lines(folder / "issued.jsonl"):
            request = requests.get(int(str(each.get("request") or 0)), each)
            certificate = x509.load_pem_x509_certificate(str(each["certificate"]).encode())
            issued.append(
                Issued(certificate.serial_number, str(request["key_sha256"]), certificate.public_bytes(Encoding.DER))
            )
        disturbed: dict[str, list[float]] = {}
        for number, request in requests.items():
            answer = answers.get(number, {})
            if (answer.get("status"), answer.get("fate")) != (200, "sent"):
                disturbed.setdefault(str(request["key_sha256"]), []).append(_number(request["time"]))
        asked = frozenset(str(each["key_sha256"]) for each in requests.values())
        paa = x509.load_pem_x509_certificate((folder / "paa.pem").read_bytes())
        return cls(issued, asked, disturbed, paa)


@dataclass(frozen=True)
class Bench:
    """The bench's journal: what befell which board, and when its programmer worked."""

    faults: Mapping[int, Sequence[tuple[float, str]]]
    pulls: Mapping[int, Sequence[float]]
    seated: frozenset[int]
    runs: Mapping[int, Sequence[float]]

    @classmethod
    def read(cls, files: Sequence[Path]) -> "Bench":
        faults: dict[int, list[tuple[float, str]]] = {}
        pulls: dict[int, list[float]] = {}
        seated: set[int] = set()
        runs: dict[int, list[float]] = {}
        for each in (entry for file in files for entry in _lines(file)):
            if each.get("board") is None:
                continue
            board, at = int(str(each["board"])), _number(each["time"])
            match each["event"]:
                case "fault":
                    faults.setdefault(board, []).append((at, str(each["what"])))
                case "unplugged" | "moved":
                    pulls.setdefault(board, []).append(at)
                case "plugged":
                    seated.add(board)
                case "invocation":
                    runs.setdefault(board, []).append(at)
        return cls(faults, pulls, frozenset(seated), runs)


@dataclass(frozen=True)
class Product:
    """What every unit of a recipe has in its factory data, by tag; names without a NUL behind them."""

    records: Mapping[int, bytes]

    @classmethod
    def read(cls, configuration: Path) -> "Product":
        """That of the recipe which a station's configuration names."""
        recipe = configuration.parent / tomllib.loads(configuration.read_text(encoding="utf-8"))["recipe"]
        product = tomllib.loads(recipe.read_text(encoding="utf-8"))["product"]
        records = {tag: int(product[name]).to_bytes(2, "little") for tag, name in NUMBERS.items() if name in product}
        records |= {tag: str(product[name]).encode() for tag, name in NAMES.items() if name in product}
        return cls(records | {DECLARATION: (recipe.parent / product["certification_declaration"]).read_bytes()})


@dataclass(frozen=True)
class Sample:
    """A station's memory and open files at a moment, as the campaign has read them."""

    at: float
    station: str
    life: str
    rss: float
    files: float


@dataclass(frozen=True)
class Story:
    """What the campaign itself says that it did."""

    disturbed: Mapping[int, Sequence[tuple[float, str]]]
    away: frozenset[int]
    """Boards that a person has taken off the line for good."""
    troubles: Sequence[tuple[float, float, str]]
    """What befell the whole line, with its beginning and end; a kill has no length."""
    steps: Sequence[tuple[float, float, float]]
    """When the stations' clock was wrong, and by how many seconds it was ahead."""
    samples: Sequence[Sample]
    labels: bool

    @classmethod
    def read(cls, file: Path) -> "Story":
        told = json.loads(file.read_text(encoding="utf-8"))
        boards = told.get("boards", [])
        troubles = [
            (_number(each["from"]), _number(each["to"]), str(each["what"])) for each in told.get("troubles", [])
        ]
        troubles += [
            (_number(each["at"]), _number(each["at"]), f"{each['who']} killed") for each in told.get("kills", [])
        ]
        return cls(
            {
                int(each["number"]): [(_number(one["at"]), str(one["what"])) for one in each["disturbed"]]
                for each in boards
            },
            frozenset(int(each["number"]) for each in boards if each.get("away")),
            troubles,
            [
                (_number(each["from"]), _number(each["to"]), _number(each["seconds"]))
                for each in told.get("troubles", [])
                if "seconds" in each
            ],
            [
                Sample(
                    _number(each["at"]),
                    str(each["station"]),
                    str(each.get("pid")),
                    float(each["rss"]),
                    float(each["fds"]),
                )
                for each in told.get("samples", [])
            ],
            bool(told.get("labels")),
        )

    def real(self, at: float) -> float:
        """The real time of what a station says was at this moment, by the clock that was stepped for a while."""
        for begin, end, seconds in self.steps:
            if begin - SAME_MOMENT <= at - seconds <= end + SAME_MOMENT:
                return at - seconds
        return at


@dataclass(frozen=True)
class Evidence:
    """All of it."""

    folder: Path
    boards: Sequence[Board]
    ledgers: Sequence[StationLedger]
    pki: Pki
    bench: Bench
    story: Story
    prints: Sequence[Print]
    told: Sequence[Entry] | None
    """The events at the MES's receiver, each once; None if there was no receiver."""
    remains: Remains
    operational: frozenset[str]
    """The SHA-256 of the images that a unit may leave the line with."""
    centre: Mapping[str, Sequence[Entry]]
    """The centre's tables by their names; none of a station alone."""
    products: Mapping[str, Product]
    """By the station that makes it, as its folder is named."""

    @classmethod
    def read(cls, folder: Path) -> "Evidence":
        """Raises `FileNotFoundError` if there is no campaign in the folder."""
        story = Story.read(folder / "campaign.json")
        manifest = tomllib.loads((IMAGES / "manifest.toml").read_text(encoding="utf-8"))["image"]
        contents = {each["sha256"]: (IMAGES / each["file"]) for each in manifest if each["kind"] == "operational"}
        images = {digest: file.read_bytes() for digest, file in contents.items() if file.exists()}
        for digest, content in images.items():
            if hashlib.sha256(content).hexdigest() != digest:
                raise ValueError(f"{contents[digest]} is not the image of its manifest: run make setup")
        receiver = folder / "mes.jsonl"
        events = {str(each["id"]): each for each in _lines(receiver)}
        return cls(
            folder,
            [Board.read(plate.parent, images) for plate in sorted(folder.glob("bench*/boards/*/board.json"))],
            [StationLedger.read(file, story.real) for file in sorted(folder.glob("*/ledger.sqlite"))],
            Pki.read(folder / "pki"),
            Bench.read(sorted(folder.glob("bench*/bench.jsonl"))),
            story,
            Tray(folder / "printer").prints(),
            list(events.values()) if receiver.exists() else None,
            Remains.read(folder),
            frozenset(images),
            {file.stem: list(_lines(file)) for file in folder.glob("centre/*.jsonl") if file.stem != "journals"},
            {file.parent.name: Product.read(file) for file in sorted(folder.glob("*/line.toml"))},
        )

    @property
    def has_centre(self) -> bool:
        return bool(self.centre)

    def central(self, table: str) -> Sequence[Entry]:
        """The rows of one of the centre's tables."""
        return self.centre.get(table, ())

    @cached_property
    def by_uid(self) -> Mapping[str, Board]:
        return {board.uid: board for board in self.boards}

    @cached_property
    def feigned(self) -> frozenset[str]:
        """Unique ids of no board: the bench shows a board's own with its bytes reversed while that board counts as exchanged."""
        return frozenset(
            bytes.fromhex(board.uid)[::-1].hex()
            for board in self.boards
            if any(what == "board_exchanged" for _, what in self.bench.faults.get(board.number, ()))
        )

    @cached_property
    def by_probe(self) -> Mapping[str, Board]:
        return {board.probe: board for board in self.boards}


def _lines(file: Path) -> Iterator[dict[str, object]]:
    """The objects of a file with one in each line; none if there is no file. A last line that a kill has cut is left out."""
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def _number(value: object) -> float:
    return float(str(value))
