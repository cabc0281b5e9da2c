# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks`, which is `make bench`: measures, and shows and writes the results."""

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import rates
from benchmarks.attestation import attestation_costs
from benchmarks.findings import ALONE, GROUPED, Findings
from benchmarks.idle import idle
from benchmarks.line_runs import ROOT, demonstrated
from benchmarks.listeners import PAGES
from benchmarks.machine import Machine
from benchmarks.page import page
from benchmarks.page_rows import Pair
from benchmarks.recording import RunUnusable
from benchmarks.relay import relay_costs
from benchmarks.results import CROWD, LINES
from benchmarks.scale import scales
from benchmarks.shared import shared
from benchmarks.shared_price import price
from benchmarks.st_runs import CONTENDERS, st_run
from benchmarks.troubled import troubled
from station.cli.consoles import styled, wide_console

PARTS = (
    *LINES,
    *CONTENDERS,
    "idle",
    "ledger",
    "scale",
    "verifiers",
    "attestation",
    "relay",
    "factory-data",
    "frames",
    "page",
    "shared",
    "shared-price",
    "troubled",
)
SEEDS, RATE_ROUNDS = 5, 5
PRICE_ROUNDS = 5
SIZES, QUICK_SIZES = (200_000, 1_000_000), (200_000,)
CACHE = ROOT / "build" / "ledgers"


class Said:
    """Shows the present activity: as a spinner on a terminal, otherwise as one line per activity."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._progress.add_task("", total=steps)

    @contextmanager
    def shown(self) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with self._progress:
            yield

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        if self._console.is_terminal:
            self._progress.update(self._task, description=what)
        else:
            self._console.print(f"{what} …", soft_wrap=True)
        yield
        self._progress.advance(self._task)


BESIDE_PAGES = ("eight", "in-turn")


def bench(
    only: Annotated[str, typer.Option(help=f"Parts, separated by commas: {', '.join(PARTS)}.")] = ",".join(PARTS),
    seeds: Annotated[int, typer.Option(min=1, help="Rounds; each has a seed and runs every line once.")] = SEEDS,
    quick: Annotated[  # noqa: FBT002  an option
        bool,
        typer.Option(
            "--quick", help="Only one round: some twenty minutes, without intervals and the ledger of a million."
        ),
    ] = False,
    report: Annotated[Path, typer.Option("--json", help="Writes the results to this file.")] = Path("build/bench.json"),
    keep: Annotated[
        Path | None, typer.Option(help="Keeps the folders of all runs in this new folder.", show_default=False)
    ] = None,
) -> None:
    """Measure the station: real time, through `station demo`, as a user would run it.

    Nothing else should run on the machine meanwhile; the load is noted with each run. Exits with 1 if a goal is missed.
    """
    # as Ctrl-C: `timeout` and supervisors send it, and unhandled it would leave whole lines standing
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = wide_console()
    parts = _parts(only)
    machine = Machine.here()
    console.print(f"{machine}", soft_wrap=True)
    found, interrupted = Findings(), False
    with _folder(keep) as folder:
        try:
            _measure(console, found, folder, parts, 1 if quick else seeds, QUICK_SIZES if quick else SIZES)
        except KeyboardInterrupt:
            interrupted = True
    outcome = found.report(machine, " ".join(["python -m benchmarks", *sys.argv[1:]]))
    outcome.print(console)
    if interrupted:
        console.print("Interrupted: the results so far are above, and no file was written.")
        raise typer.Exit(130)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(outcome.as_json(), indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {report}", soft_wrap=True)
    for why in outcome.unusable:
        console.print(styled(("A run gave no figures:", "red"), f" {why}"), soft_wrap=True)
    if outcome.missed or outcome.unusable:
        console.print(styled((f"{len(outcome.missed)} of {len(outcome.held)} goals were missed.", "red")))
        raise typer.Exit(1)
    console.print(f"All {len(outcome.held)} goals were met." if outcome.held else "Nothing measured here has a goal.")


def _parts(only: str) -> Sequence[str]:
    parts = [part.strip() for part in only.split(",")]
    if unknown := [part for part in parts if part not in PARTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(PARTS)}", param_hint="--only")
    return [part for part in PARTS if part in parts]


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder for the runs' files: on the project's disk, since the ledger's rate depends on the disk."""
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=build))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(
    console: Console, found: Findings, folder: Path, parts: Sequence[str], seeds: int, sizes: Sequence[int]
) -> None:
    plan = [
        (name, seed)
        for seed in range(1, seeds + 1)  # round by round, so that compared runs meet the same machine
        for name in (*LINES, *CONTENDERS)
        if name in parts
    ]
    others = [part for part in parts if part not in (*LINES, *CONTENDERS)]
    pairs = [(name, seed) for seed in range(1, seeds + 1) for name in BESIDE_PAGES if "page" in parts]
    said = Said(console, len(plan) + len(others) + len(pairs))
    with said.shown():
        for name, seed in plan:
            boards = CONTENDERS[name] if name in CONTENDERS else LINES[name].boards
            what = f"{name}: {boards} board{'s' * (boards > 1)} in real time, seed {seed} of {seeds}"
            with said.doing(what), _noting(found, f"{name}, seed {seed}"):
                _measure_run(found, _new(folder, f"{name}-{seed}"), name, seed)
        for name, seed in pairs:
            what = f"{name} with {PAGES} open pages and without, seed {seed} of {seeds}"
            with said.doing(what), _noting(found, f"{name} beside pages, seed {seed}"):
                pair = _pair(folder, name, seed)
                found.beside_pages.setdefault(name, []).append(pair)
        for part in others:
            with said.doing(part), _noting(found, part):
                _measure_part(part, found, folder, sizes, seeds)


def _measure_run(found: Findings, folder: Path, name: str, seed: int) -> None:
    if name in CONTENDERS:
        found.st_runs.append(st_run(folder, name, seed))
    else:
        found.runs.append(demonstrated(folder, name, seed))


def _pair(folder: Path, name: str, seed: int) -> Pair:
    """Both runs, in an order that changes with the seed, so that neither always meets the warmer machine."""
    runs = {}
    for pages in (0, PAGES) if seed % 2 else (PAGES, 0):
        runs[pages] = demonstrated(_new(folder, f"{name}-{pages}-pages-{seed}"), name, seed, pages)
    return Pair(runs[0], runs[PAGES])


@contextmanager
def _noting(found: Findings, what: str) -> Iterator[None]:
    """Notes a run without figures, and lets the others go on."""
    try:
        yield
    except RunUnusable as exc:
        found.unusable.append(f"{what}: {exc}")


def _measure_part(part: str, found: Findings, folder: Path, sizes: Sequence[int], rounds: int) -> None:
    match part:
        case "idle":
            found.idle = idle(folder, CROWD)
        case "ledger":
            both = [rates.ledger_rates(_new(folder, f"ledger-{number}")) for number in range(RATE_ROUNDS)]
            found.rates[part] = {ALONE: [alone for alone, _ in both], GROUPED: [grouped for _, grouped in both]}
        case "scale":
            found.scales = scales(_new(folder, "scale"), CACHE, sizes, RATE_ROUNDS)
        case "verifiers":
            verifiers = [rates.verifier_rate() for _ in range(RATE_ROUNDS)]
            found.rates[part] = {f"onboarding secrets of {rates.ITERATIONS:,} iterations": verifiers}
        case "attestation":
            found.attestation = attestation_costs(folder)
        case "relay":
            found.relay = relay_costs(_new(folder, "relay"))
        case "page":
            found.page = page(folder)
        case "shared" | "shared-price" | "troubled":
            _measure_lines(part, found, folder, rounds)
        case "factory-data":
            found.rates[part] = _two("encoded", "decoded", [rates.factory_data_rates() for _ in range(RATE_ROUNDS)])
        case _:
            found.rates[part] = _two("built", "cut out of a stream", [rates.frame_rates() for _ in range(RATE_ROUNDS)])


def _measure_lines(part: str, found: Findings, folder: Path, rounds: int) -> None:
    if part == "shared":
        found.shared = shared()
    elif part == "troubled":
        found.troubled = troubled(folder / part, rounds)
    else:
        found.price = price(folder / part, PRICE_ROUNDS)


def _two(first: str, second: str, both: Sequence[tuple[float, float]]) -> dict[str, list[float]]:
    return {first: [one for one, _ in both], second: [two for _, two in both]}


def _new(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    return place


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(bench)
    app()
