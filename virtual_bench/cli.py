# SPDX-License-Identifier: Apache-2.0
"""The command line: serves a bench; plugs, unplugs, spoils and shows its boards."""

import asyncio
import hashlib
import json
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from virtual_bench.bench.versions import DEFAULT_VERSION, VERSIONS
from virtual_bench.board.stack_image import SHIPPED_FUS, SHIPPED_SIZE, SHIPPED_STACK, made, version_word
from virtual_bench.faults.catalogue import CATALOGUE
from virtual_bench.faults.fault_file import FaultsInvalid, load, typed
from virtual_bench.hub.translator import HubKind
from virtual_bench.journal import BenchTaken
from virtual_bench.printer.printer import serve as serve_printer
from virtual_bench.server import control
from virtual_bench.server.server import Settings
from virtual_bench.server.server import serve as serve_bench
from virtual_bench.timing.profile import DEFAULT_PROFILE, PROFILES
from virtual_bench.version import version

FAILED, USAGE, ENVIRONMENT_MISSING = 1, 2, 3

app = typer.Typer(
    help="Simulates a station's bench without hardware: ST-LINK probes, boards and STM32_Programmer_CLI.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Directory = Annotated[Path, typer.Option("--dir", help="Boards, programmer, device links and bench.jsonl.")]
Ports = Annotated[list[int] | None, typer.Argument(metavar="[PORT]...", help="Hub ports, from 1.")]
All = Annotated[bool, typer.Option("--all", help="Every port.")]
StackVersion = Annotated[str, typer.Option(metavar="VERSION", help="Of fresh boards' wireless stack.")]
FUSVersion = Annotated[str, typer.Option(metavar="VERSION", help="Of fresh boards' coprocessor's upgrade service.")]
NoStack = Annotated[
    bool, typer.Option("--no-wireless-stack", help="Fresh boards' coprocessors have no stack and store no keys.")
]
SCHEMA = 1
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"virtual-bench {version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Version.")] = False,
) -> None:
    """Options before the command."""


@app.command()
def serve(
    directory: Directory,
    probes: Annotated[int, typer.Option(min=1, max=256, help="Ports of the hub.")] = 8,
    seed: Annotated[int, typer.Option(help="Determines the boards' probes and UIDs.")] = 1,
    time_scale: Annotated[float, typer.Option(min=0, help="Factor for every delay: 1 is real time, 0 none.")] = 1.0,
    faults: Annotated[Path | None, typer.Option(metavar="FILE", help="TOML; see `virtual-bench fault --list`.")] = None,
    profile: Annotated[str, typer.Option(help=f"Host and probe: {', '.join(PROFILES)}.")] = DEFAULT_PROFILE,
    programmer_version: Annotated[str, typer.Option(help=f"One of {', '.join(VERSIONS)}.")] = DEFAULT_VERSION,
    hub: Annotated[HubKind, typer.Option(help="Whether full-speed probes share bandwidth.")] = HubKind.MULTI_TT,
    stack_version: StackVersion = SHIPPED_STACK,
    fus_version: FUSVersion = SHIPPED_FUS,
    *,
    no_wireless_stack: NoStack = False,
    windows: Annotated[bool, typer.Option("--windows", help="Progress bars and line ends as on Windows.")] = False,
    decimal_comma: Annotated[bool, typer.Option("--decimal-comma", help="Numbers with a comma, such as 3,28.")] = False,
    noise: Annotated[bool, typer.Option("--noise", help="Durations scatter, determined by seed and board.")] = False,
) -> None:
    """Serve a bench until SIGINT or SIGTERM. Prints one line when it is ready, and writes DIR/bench.json.

    The boards stay in DIR: a later run finds them at their ports again.
    """
    if profile not in PROFILES:
        raise typer.BadParameter(f"{profile}: choose one of {', '.join(PROFILES)}", param_hint="--profile")
    if programmer_version not in VERSIONS:
        raise typer.BadParameter(f"choose one of {', '.join(VERSIONS)}", param_hint="--programmer-version")
    try:
        armed = load(faults) if faults else []
    except FaultsInvalid as exc:
        raise _ended(USAGE, str(exc)) from exc
    except OSError as exc:
        raise _ended(USAGE, f"{faults}: {exc.strerror}") from exc
    version = replace(VERSIONS[programmer_version], windows=windows, decimal_comma=decimal_comma)
    settings = Settings(
        directory.absolute(),
        probes,
        seed,
        time_scale,
        PROFILES[profile],
        version,
        armed,
        fus=_word(fus_version, "--fus-version"),
        stack=None if no_wireless_stack else _word(stack_version, "--stack-version"),
        hub=hub,
        noise=noise,
    )
    try:
        _run(serve_bench(settings, lambda path: typer.echo(f"virtual-bench: ready, see {path}")))
    except (BenchTaken, OSError) as exc:
        raise _ended(ENVIRONMENT_MISSING, str(exc)) from exc


@app.command("printer")
def print_labels(
    directory: Annotated[Path, typer.Option("--dir", help="Where the labels go, and the file `mode`.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Serve a label printer until SIGINT or SIGTERM: ZPL at a raw TCP port, and `~HS` as a Zebra answers it.

    What is in the file `mode` of its folder is how it is: ready, media-out, head-open, paused, mute, busy or half.
    """
    try:
        _run(serve_printer(directory.absolute(), port, lambda at: typer.echo(f"virtual-bench: printer at port {at}")))
    except OSError as exc:
        raise _ended(ENVIRONMENT_MISSING, str(exc)) from exc


@app.command()
def plug(
    directory: Directory,
    ports: Ports = None,
    *,
    everything: All = False,
    new: Annotated[bool, typer.Option("--new", help="A fresh board in place of the present one.")] = False,
    every: Annotated[float, typer.Option(min=0, help="Seconds from one plugging in to the next.")] = 0.0,
    stack_version: StackVersion | None = None,
    fus_version: FUSVersion | None = None,
    no_wireless_stack: NoStack = False,
) -> None:
    """Plug in the board at a hub port; at a port without one, a fresh board."""
    radio: dict[str, object] = {}
    if no_wireless_stack or stack_version is not None:
        radio["stack"] = None if no_wireless_stack else _word(stack_version or "", "--stack-version")
    if fus_version is not None:
        radio["fus"] = _word(fus_version, "--fus-version")
    chosen = _chosen(ports, everything=everything)
    if not every:
        _plug(directory, chosen, new=new, radio=radio)
        return
    due = time.monotonic()
    for number in chosen or [int(str(port["port"])) for port in _ask(directory, "status")]:
        time.sleep(max(0.0, due - time.monotonic()))
        due += every
        _plug(directory, [number], new=new, radio=radio)


@app.command()
def unplug(directory: Directory, ports: Ports = None, *, everything: All = False) -> None:
    """Pull out boards; they keep their ports and the content of their memories."""
    for board in _ask(directory, "unplug", ports=_chosen(ports, everything=everything)):
        typer.echo("port {port}: board {board} pulled out".format_map(board))


@app.command()
def move(
    directory: Directory,
    port: Annotated[int, typer.Argument(metavar="FROM", help="Hub port of the board, from 1.")],
    to: Annotated[int, typer.Argument(metavar="TO", help="Hub port where it is to stand.")],
) -> None:
    """Stand a pulled out board at another hub port, with its probe; a board there changes places with it."""
    for board in _ask(directory, "move", port=port, to=to):
        typer.echo("port {port}: board {board} stands here now".format_map(board))


@app.command()
def dump(
    directory: Directory,
    ports: Ports = None,
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder for the dumps, one in it for each probe.")],
    everything: All = False,
) -> None:
    """Write out the memories as a debugger reads them: internal and external flash, and the SRAM of a running core."""
    chosen = _chosen(ports, everything=everything)
    for board in _ask(directory, "dump", ports=chosen, to=str(to.absolute())):
        typer.echo("port {port}: board {board}, {folder}".format_map(board))


@app.command()
def fault(
    *,
    listed: Annotated[bool, typer.Option("--list", help="Show every fault that the bench knows.")] = False,
    as_json: AsJSON = False,
    directory: Annotated[Path | None, typer.Option("--dir", help="The bench that gets the fault.")] = None,
    board: Annotated[int | None, typer.Option(help="The board's number in order of first plugging, from 1.")] = None,
    at: Annotated[str | None, typer.Option(metavar="PHASE")] = None,
    what: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter, or times.")
    ] = None,
) -> None:
    """List the faults, or arm one for a board: it happens when that board reaches the phase."""
    if listed:
        typer.echo(_catalogue_json() if as_json else _catalogue_text())
        return
    if directory is None or board is None or at is None or what is None:
        raise typer.BadParameter("give either --list, or --dir, --board, --at and --what")
    parameters = CATALOGUE[what].parameters if what in CATALOGUE else {}
    entry: dict[str, object] = {"board": board, "at": at, "what": what}
    for key, _, text in (value.partition("=") for value in values or ()):
        entry[key] = typed(parameters[key], text) if key in parameters else int(text) if text.isdigit() else text
    _ask(directory, "fault", fault=entry)


@app.command()
def status(directory: Directory, *, as_json: AsJSON = False) -> None:
    """Show ports and their paths, boards, their firmware and phase, and the processes that hold their probes."""
    ports = _ask(directory, "status")
    if as_json:
        typer.echo(_document(ports=ports))
        return
    for port in ports:
        if not port["plugged"]:
            typer.echo(
                f"port {port['port']}, path {port['path']}: "
                + (f"board {port['board']}, pulled out" if "board" in port else "empty")
            )
            continue
        typer.echo(
            "port {port}, path {path}: board {board}, probe {probe} ({probe_state}), {tty}, UID {uid}, {firmware}, "
            "phase {phase}".format_map({key: "none" if value is None else value for key, value in port.items()})
        )


@app.command("stack-image")
def stack_image(
    file: Annotated[Path, typer.Argument(help="The image to be written.")],
    stack_version: Annotated[str, typer.Option("--version", metavar="VERSION")] = SHIPPED_STACK,
    size: Annotated[int, typer.Option(help="Bytes.")] = SHIPPED_SIZE,
) -> None:
    """Write a wireless stack that the boards' coprocessors accept, in the place of ST's signed one."""
    try:
        image = made(_word(stack_version, "--version"), size)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--size") from exc
    try:
        file.write_bytes(image)
    except OSError as exc:
        raise _ended(ENVIRONMENT_MISSING, f"{file}: {exc.strerror}") from exc
    typer.echo(f"{file}: wireless stack {stack_version}, {size} bytes, SHA-256 {hashlib.sha256(image).hexdigest()}")


def main() -> None:
    """Runs the command line."""
    app()


def _plug(directory: Path, ports: Sequence[object], *, new: bool, radio: Mapping[str, object]) -> None:
    for board in _ask(directory, "plug", ports=ports, new=new, radio=radio):
        typer.echo("port {port}: board {board}, probe {probe}, {tty}".format_map(board))


def _chosen(ports: list[int] | None, *, everything: bool) -> list[int]:
    if everything == bool(ports):
        raise typer.BadParameter("give ports or --all, not both")
    return ports or []


def _word(version: str, option: str) -> int:
    try:
        return version_word(version)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def _ask(directory: Path, command: str, **arguments: object) -> list[dict[str, object]]:
    try:
        return control.ask(directory, command, **arguments)
    except control.BenchAbsent as exc:
        raise _ended(ENVIRONMENT_MISSING, str(exc)) from exc
    except control.Refused as exc:
        raise _ended(FAILED, str(exc)) from exc


def _ended(status: int, message: str) -> typer.Exit:
    for line in message.splitlines():
        typer.echo(f"virtual-bench: {line}", err=True)
    return typer.Exit(status)


def _catalogue_text() -> str:
    lines = []
    for kind in CATALOGUE.values():
        lines.append(f"{kind.name}: {kind.does}\n    at {', '.join(kind.phases)}; {kind.nature.value}")
        lines += [
            f"    {name}: {parameter.says}"
            + (f" ({', '.join(parameter.choices)})" if parameter.choices else "")
            + (f" [{parameter.default}]" if parameter.default is not None else "")
            for name, parameter in kind.parameters.items()
        ]
    return "\n".join(
        (
            *lines,
            "",
            "Each fault also takes `times`, the number of times that it happens: 1 if not given, 0 for always.",
        )
    )


def _catalogue_json() -> str:
    rows = [
        {
            "name": kind.name,
            "does": kind.does,
            "when": kind.nature.value,
            "phases": list(kind.phases),
            "parameters": {
                name: {"type": parameter.kind.__name__, "default": parameter.default, "says": parameter.says}
                | ({"choices": list(parameter.choices)} if parameter.choices else {})
                for name, parameter in kind.parameters.items()
            },
        }
        for kind in CATALOGUE.values()
    ]
    return _document(faults=rows)


def _document(**members: object) -> str:
    """What `--json` prints. `schema` is the version of its keys, and grows when one changes its meaning or goes."""
    return json.dumps({"schema": SCHEMA, **members}, indent=1)


def _run(main_task: Coroutine[None, None, None]) -> None:
    try:
        import uvloop
    except ImportError:  # uvloop does not exist for Windows
        asyncio.run(main_task)
    else:
        uvloop.run(main_task)
