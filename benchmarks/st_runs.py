# SPDX-License-Identifier: Apache-2.0
"""Runs the model of ST's tool at a bench in real time, and looks what has become of its boards: only finished ones give figures."""

import json
import os
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from benchmarks.bound import Sizes
from benchmarks.recording import JOURNAL, RunUnusable
from benchmarks.st_tool import Done
from station.factory_data import flat_tlv, st_json
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults.line import FactoryDataInvalid
from station.link.operational import IdentityReader, OperationalFault, OperationalIdentity
from tests.builders.line import RECIPE, Line, LineFailed
from virtual_bench.server import control as bench

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "firmware_images"
CONTENDERS: Mapping[str, int] = {"st-one": 1, "st-eight": 8}
CALLS = 6
"""Of the programmer, for each board."""
PROVISIONER_SIZE = 48_874
"""ST's STM_Provisioning, compiled with its project's options; the stand-in for it is filled up to that."""
FACTORY_DATA_OFFSET = 0x1C0000  # in the QSPI flash
GIVEN_UP_AFTER = 600.0
SAYS_ITS_NAME_WITHIN = 60.0
ADDED = (
    Tag.DEVICE_ATTESTATION_CERTIFICATE,
    Tag.PAI_CERTIFICATE,
    Tag.DEVICE_ATTESTATION_PRIV_KEY,
    Tag.DEVICE_ATTESTATION_PUB_KEY,
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Said(_Model):
    """What the model prints at its end."""

    began: float
    listed: float
    ended: float
    threads: int
    boards: tuple[Done, ...]


class Call(_Model):
    """One run of the programmer, from the bench's journal; the list has no board."""

    board: int | None
    argv: tuple[str, ...]
    start: float
    end: float
    modelled: float
    exit_status: int


class STRun(_Model):
    """One run of the model, all of whose boards are finished."""

    line: str
    boards: int
    seed: int
    load: float
    sizes: tuple[int, int, int]
    said: Said
    calls: tuple[Call, ...]
    certificates: int
    """Different DACs among the boards."""

    @property
    def wall(self) -> float:
        """From the list to the last board's last reset."""
        return self.said.ended - self.said.began

    @property
    def listing(self) -> float:
        """Until the first board: the list, and each port opened once."""
        return self.said.listed - self.said.began

    @property
    def cycles(self) -> list[float]:
        """Seconds of each board."""
        return [done.ended - done.began for done in self.said.boards]

    @property
    def waves(self) -> int:
        """How many boards a thread has, at most."""
        return -(-self.boards // self.said.threads)

    @property
    def images(self) -> Sizes:
        return Sizes(*self.sizes)

    @property
    def bench_lateness(self) -> float:
        """Seconds per board by which the bench exceeded its model."""
        return sum(call.end - call.start - call.modelled for call in self.calls) / self.boards

    def as_json(self) -> dict[str, object]:
        return {**self.model_dump(mode="json", exclude={"calls"}), "wall": self.wall, "calls": len(self.calls)}

    @classmethod
    def of(
        cls, line: str, seed: int, load: float, sizes: Sizes, said: Said, calls: Sequence[Call], dacs: Sequence[bytes]
    ) -> Self:
        """Raises `RunUnusable` unless the bench saw each of the model's calls."""
        boards = CONTENDERS[line]
        if (len(calls), sum(call.board is None for call in calls)) != (CALLS * boards + 1, 1):
            raise RunUnusable(f"the bench saw {len(calls)} calls of {boards} boards")
        return cls(
            line=line,
            boards=boards,
            seed=seed,
            load=load,
            sizes=(sizes.application, sizes.provisioner, sizes.factory_data),
            said=said,
            calls=tuple(calls),
            certificates=len(set(dacs)),
        )


def st_run(folder: Path, name: str, seed: int) -> STRun:
    """Plugs in fresh boards, and has the model provision them. Raises `RunUnusable`."""
    boards, load = CONTENDERS[name], os.getloadavg()[0]
    block = flat_tlv.encode(
        st_json.from_json((ROOT / "tests" / "vectors" / "st" / "Provisioning_FactoryData.json").read_bytes())
    )
    images = _images(folder, block)
    line = Line((folder / "line").resolve(), RECIPE)
    (line.folder / "logs").mkdir(parents=True)
    try:
        options = [f"--probes={boards}", f"--seed={seed}", "--time-scale=1"]
        line.start("bench", "virtual_bench", "serve", "--dir", str(line.folder), *options)
        line.wait_for("bench", (line.folder / "bench.json").exists)
        bench.ask(line.folder, "plug", ports=[], new=True, radio={})
        said = _tool(line.folder, images)
        check_said(name, said)
        names = [_identity(line.folder / "dev" / done.port) for done in said.boards]
    except (LineFailed, bench.BenchAbsent, bench.Refused) as exc:
        raise RunUnusable(str(exc)) from exc
    finally:
        line.stop()
    application = images[-1].read_bytes()
    given = flat_tlv.decode(block)
    dacs = [
        check_board(line.folder / "boards" / done.probe, given, application, name)
        for done, name in zip(said.boards, names, strict=True)
    ]
    journal = [json.loads(each) for each in (line.folder / JOURNAL).read_text(encoding="utf-8").splitlines()]
    calls = [Call.model_validate(each) for each in journal if each["event"] == "invocation"]
    sizes = Sizes(application=len(application), provisioner=images[0].stat().st_size, factory_data=len(block))
    return STRun.of(name, seed, load, sizes, said, calls, dacs)


def _images(folder: Path, block: bytes) -> tuple[Path, Path, Path]:
    """The files that the model writes: provisioning firmware, factory data, application."""
    provisioner, data = folder / "provisioner.bin", folder / "data.bin"
    provisioner.write_bytes((IMAGES / "st-demonstration-flash.bin").read_bytes().ljust(PROVISIONER_SIZE, b"\x5a"))
    data.write_bytes(block)
    return provisioner, data, IMAGES / "operational-flash.bin"


def _tool(folder: Path, images: Sequence[Path]) -> Said:
    programmer = folder / "STM32CubeProgrammer" / "bin" / "STM32_Programmer_CLI"
    command = [sys.executable, "-m", "benchmarks.st_tool", str(programmer), *map(str, images)]
    try:
        done = subprocess.run(
            command,
            cwd=folder / "dev",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIVEN_UP_AFTER,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise RunUnusable(f"ST's calls had not ended after {exc.timeout:.0f} s: a board is silent") from exc
    if done.returncode:
        raise RunUnusable(f"the model of ST's tool ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return Said.model_validate_json(done.stdout)


def check_said(line: str, said: Said) -> None:
    """Raises `RunUnusable` unless the model did all its work at every board.

    001 on a busy machine is ST's race: the second reset came so late that the firmware was at work, or done, already.
    """
    if len(said.boards) != CONTENDERS[line]:
        raise RunUnusable(f"the list has {len(said.boards)} boards instead of {CONTENDERS[line]}")
    for done in said.boards:
        if done.said != "000" or any(done.statuses):
            raise RunUnusable(f"{done.port}: exit statuses {done.statuses}, the firmware said {done.said}")


def _identity(port: Path) -> OperationalIdentity:
    """What the application says when it has booted."""
    reader, deadline = IdentityReader(), time.monotonic() + SAYS_ITS_NAME_WITHIN
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        termios.tcflush(
            descriptor, termios.TCIFLUSH
        )  # the provisioning firmware said its word until it was overwritten
        while time.monotonic() < deadline:
            try:
                said = reader.feed(os.read(descriptor, 4096))
            except BlockingIOError:
                time.sleep(0.05)
                continue
            if isinstance(said, OperationalFault):
                raise RunUnusable(f"the application at {port.name} cannot use its factory data: status {said.status}")
            if said is not None:
                return said
    finally:
        os.close(descriptor)
    raise RunUnusable(f"the application at {port.name} has not said its name")


def check_board(folder: Path, given: FactoryData, application: bytes, said: OperationalIdentity) -> bytes:
    """The DAC of a board that is finished: its flash files have all that it was given, certificates, keys and application.

    Raises `RunUnusable`.
    """
    if (folder / "internal.bin").read_bytes()[: len(application)] != application:
        raise RunUnusable(f"{folder.name} does not have the application")
    with (folder / "qspi.bin").open("rb") as flash:
        flash.seek(FACTORY_DATA_OFFSET)
        block = flash.read(flat_tlv.BLOCK_SIZE)
    try:
        found = flat_tlv.decode(block).records
    except FactoryDataInvalid as exc:
        raise RunUnusable(f"{folder.name} has no factory data: {exc}") from exc
    if missing := [tag.name for tag in ADDED if tag not in found]:
        raise RunUnusable(f"{folder.name} is without {', '.join(missing)}")
    if {tag: value for tag, value in found.items() if tag in given.records} != dict(given.records):
        raise RunUnusable(f"{folder.name} has other factory data than it was given")
    if said.serial_number.encode() != found[Tag.SERIAL_NUMBER]:
        raise RunUnusable(f"{folder.name}: the application calls itself {said.serial_number}")
    return found[Tag.DEVICE_ATTESTATION_CERTIFICATE]
