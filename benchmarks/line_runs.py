# SPDX-License-Identifier: Apache-2.0
"""Runs of `station demo` in real time, as a user would start them, watched from outside."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import processes
from benchmarks.bound import Sizes
from benchmarks.listeners import listening
from benchmarks.processes import Watch
from benchmarks.recording import REPORT, Recording, RunUnusable, Usage, moments
from benchmarks.results import LINES
from station.config.line import SOCKET
from station.daemon import control
from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import FactoryData, Tag
from station.line.status import Status
from station.recipe.files import recipe_file

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "config" / "recipes"
STOPPED_WITHIN = 60.0
ASKED_EVERY = 0.05
ADDED_BY_THE_BOARD = frozenset(
    {
        Tag.DEVICE_ATTESTATION_CERTIFICATE,
        Tag.PAI_CERTIFICATE,
        Tag.DEVICE_ATTESTATION_PUB_KEY,
        Tag.DEVICE_ATTESTATION_PRIV_KEY,
    }
)


def demonstrated(folder: Path, name: str, seed: int, pages: int = 0) -> Recording:
    """Runs that line once in real time, with so many open pages. Raises `RunUnusable`."""
    line, way = folder / "line", LINES[name]
    options = ["--boards", str(way.boards), "--every", str(way.every), "--seed", str(seed), "--time-scale", "1"]
    recipe = _in_ram(folder / "ram.toml") if way.in_ram else RECIPES / "lighting.toml"
    options += ["--recipe", str(recipe), "--profile", way.profile]
    command = [sys.executable, "-m", "station", "demo", *options, "--dir", str(line), "--json", str(folder / REPORT)]
    load = os.getloadavg()[0]
    with (
        processes.watched(line) as watches,
        (folder / "demo.out").open("wb") as output,
        _started(command, output.fileno()) as demo,
        _open_pages(line, pages),
    ):
        status = demo.wait()
    if status:
        last_words = (folder / "demo.out").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RunUnusable(f"station demo ended with {status}:\n{last_words}")
    (folder / REPORT).rename(line / REPORT)
    usage = _usage(watches, *moments(line))
    return Recording.read(line, line=name, seed=seed, sizes=sizes_of(line, recipe), usage=usage, load=load)


def _in_ram(path: Path) -> Path:
    """The recipe of the plan `ram`, which spares new boards the erase."""
    text = (
        (RECIPES / "lighting-ram.toml")
        .read_text(encoding="utf-8")
        .replace("[images]\n", '[images]\nerase = "as-needed"\n')
    )
    for name in ("certification-declaration.der", "../../firmware_images/manifest.toml"):
        text = text.replace(f'"{name}"', json.dumps(str(RECIPES / name)))
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def _started(command: list[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    """The demonstration in its own session: the benchmark gets Ctrl-C and passes it on once, for an orderly end."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _open_pages(line: Path, pages: int) -> Iterator[None]:
    """Opens the pages as soon as the daemon answers, and keeps them open for the block. Raises `RunUnusable`."""
    over, opened = threading.Event(), threading.Event()
    thread = threading.Thread(target=_keep_open, args=(line, pages, opened, over), name="pages")
    if pages:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if pages:
            thread.join()
    if pages and not opened.is_set():
        raise RunUnusable("the daemon served no page")


def _keep_open(line: Path, pages: int, opened: threading.Event, over: threading.Event) -> None:
    while not over.wait(ASKED_EVERY):
        try:
            page = Status.model_validate(control.ask(line / SOCKET, "status")).page
        except (control.DaemonAbsent, OSError):
            continue
        if page is not None and page.url is not None:
            with listening(page.url, pages):
                opened.set()
                over.wait()


def _usage(watches: Mapping[str, Watch], start: float, end: float) -> dict[str, Usage]:
    found = {}
    for role, watch in watches.items():
        try:
            cpu, children = watch.cpu_between(start, end)
        except ValueError as exc:
            raise RunUnusable(f"{role}: {exc}") from exc
        found[role] = Usage(cpu=cpu, memory=watch.memory, children=children)
    return found


def sizes_of(line: Path, file: Path = RECIPES / "lighting.toml") -> Sizes:
    """The sizes of the files that the run wrote: the recipe's images, and factory data without certificates."""
    recipe = recipe_file.load(file, line / "pki" / "pai.pem", line / "pki" / "paa.pem")
    flash = next((line / "boards").glob("*/qspi.bin")).read_bytes()
    found = flat_tlv.decode(flash).records
    written = FactoryData({tag: value for tag, value in found.items() if tag not in ADDED_BY_THE_BOARD})
    return Sizes(
        application=recipe.operational_image.region.size,
        provisioner=recipe.provisioning_image.region.size,
        factory_data=len(flat_tlv.encode(written)),
    )
