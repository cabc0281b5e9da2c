# SPDX-License-Identifier: Apache-2.0
"""`station demo`: the main job on the virtual bench, with bench, development PKI and daemon as processes of their own."""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from station.cli.consoles import document, styled, wide_console
from station.cli.demo.endings import Ending
from station.cli.demo.line import DemoFailed, DemoLine, FolderTaken
from station.cli.demo.report import Report, expectations, explanations, report_table
from station.cli.demo.watch import watch
from station.cli.exit_codes import ENVIRONMENT, FAILED, INTERRUPTED
from station.cli.watch.following import end_in_order, ignore_endings

LOOK_EVERY = 0.5
FILES = {
    "logs/station.jsonl": "the station's log: verdicts in attempt.finished",
    "logs/daemon.out": "what the daemon printed",
    "transcripts": "the programmer's output, a file an attempt",
    "bench.jsonl": "what the bench did, and its faults",
    "ledger.sqlite": "for `station units list --ledger FILE` and `units show`",
}


def demo(
    boards: Annotated[int, typer.Option(min=1, max=128, help="How many boards are plugged in.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the bench: UIDs, probe serial numbers, noise.")] = 1,
    faults: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Fault file (TOML); boards without an entry must pass."),
    ] = None,
    time_scale: Annotated[float, typer.Option(min=0, help="Factor for the bench's delays: 1 real time, 0 none.")] = 1.0,
    recipe: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Another recipe than the demonstration's.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Keep boards, ledger, logs and PKI in this new folder.", show_default=False),
    ] = None,
    every: Annotated[
        float, typer.Option(min=0, help="Seconds between plugging in two boards; 0: all boards at once.")
    ] = 0.0,
    hub: Annotated[
        str, typer.Option(help="multi-tt, or single-tt: seven probes share one hub's bandwidth.")
    ] = "multi-tt",
    profile: Annotated[
        str | None,
        typer.Option(
            help="The bench's host and probe, as fast-host-v3: `virtual-bench serve --help` names them.",
            show_default=False,
        ),
    ] = None,
    programmer_version: Annotated[
        str | None, typer.Option(help="The bench's version of STM32CubeProgrammer.", show_default=False)
    ] = None,
    *,
    noise: Annotated[
        bool, typer.Option("--noise", help="Vary the bench's durations at random, by seed and board.")
    ] = False,
    stay: Annotated[
        bool, typer.Option("--stay", help="Leave bench, PKI, daemon and page up afterwards, until Ctrl-C.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file.", show_default=False)
    ] = None,
) -> None:
    """Provision boards on the virtual bench and show it live.

    Exits 0 only if every board got the expected verdict: a pass, or the verdict in the fault file.
    """
    console = wide_console()
    bench_options = [f"--hub={hub}"] + ["--noise"] * noise
    bench_options += [f"--profile={profile}"] if profile else []
    bench_options += [f"--programmer-version={programmer_version}"] if programmer_version else []
    expected = expectations(faults, boards)
    end_in_order()
    place = folder or Path(tempfile.mkdtemp(prefix="station-demo-"))
    with ExitStack() as stack:
        if folder is None:
            stack.push(partial(_remove_unseen, place))
        try:
            console.print(f"Files: {place}", soft_wrap=True)
            line = stack.enter_context(
                DemoLine.standing(place, boards, seed, faults, time_scale, recipe, bench_options, say=console.print)
            )
            if every:
                line.plug_in_turn(every)
            else:
                line.plug_all()
            found, endings = watch(console, line, boards)
            result = Report.of(found)
            if stay:
                _tell(console, result, endings, place, report)
                _stay(console, line)
        except DemoFailed as exc:
            _say_why_it_failed(console, exc, place)
            raise typer.Exit(ENVIRONMENT) from exc
        except KeyboardInterrupt:
            console.print("Interrupted: bench, PKI and daemon are being stopped.")
            _say_kept(console, place)
            raise typer.Exit(INTERRUPTED) from None
        ignore_endings()  # the processes are stopped next
    if not stay:
        _tell(console, result, endings, place, report)
    surprises = result.surprises(expected)
    for surprise in surprises:
        console.print(styled((surprise, "red")))
    _keep_or_remove(console, place, unneeded=folder is None and result.count("pass") == boards)
    if surprises:
        raise typer.Exit(FAILED)


def _tell(console: Console, result: Report, endings: Sequence[Ending], folder: Path, report: Path | None) -> None:
    """Prints the report, and writes it to its file."""
    console.print(report_table(result))
    for explanation in explanations(result, endings, folder):
        console.print(explanation, soft_wrap=not console.is_terminal)
    if report is not None:
        report.write_text(json.dumps(document(result.as_json()), indent=2) + "\n", encoding="utf-8")


def _stay(console: Console, line: DemoLine) -> None:
    """Returns after Ctrl-C. Raises `DemoFailed` if one of the processes ends."""
    try:  # from before the line is told, for whoever reads it may be quick
        console.print(f"The page stays up until Ctrl-C: {line.page}", soft_wrap=True)
        while (trouble := line.trouble()) is None:
            time.sleep(LOOK_EVERY)
    except KeyboardInterrupt:
        console.print("Bench, PKI and daemon are being stopped.")
        return
    raise trouble


def _say_why_it_failed(console: Console, failure: DemoFailed, folder: Path) -> None:
    first, *others = str(failure).split("\n")
    console.print(styled(("The demonstration could not run:", "red"), f" {first}"), soft_wrap=True)
    for other in others:
        console.print(other, soft_wrap=True)
    if not isinstance(failure, FolderTaken):
        _say_kept(console, folder)


def _keep_or_remove(console: Console, folder: Path, *, unneeded: bool) -> None:
    if unneeded:
        shutil.rmtree(folder)
        console.print(f"Every board passed: {folder} is removed; --dir keeps it.", soft_wrap=True)
    else:
        _say_kept(console, folder)


def _say_kept(console: Console, folder: Path) -> None:
    """Says where the demonstration's files are, and which of them tells what."""
    console.print(f"Kept: {folder}", soft_wrap=True)
    for name, tells in FILES.items():
        if (folder / name).exists():
            console.print(styled(f"    {name:<20} ", (tells, "dim")), soft_wrap=True)


def _remove_unseen(folder: Path, ending: type[BaseException] | None, *_: object) -> None:
    """Removes the folder of a demonstration whose output was closed before its end: rich then raises SystemExit."""
    if ending is not None and issubclass(ending, SystemExit):
        shutil.rmtree(folder)
