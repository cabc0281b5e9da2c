# SPDX-License-Identifier: Apache-2.0
"""`gen-factory-data`: the command of ST's `genFactoryData.py`, in both its spellings, on the station's parts."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import typer
import uvloop

from station.adapters.hotplug import links
from station.adapters.partner import script
from station.adapters.system import logs, orphans, version
from station.cli.consoles import say
from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, INTERRUPTED, MISSING, USAGE
from station.cli.privacy import keep_private
from station.config import plain_files, shipped, whole_file
from station.config.line import locks_beside
from station.factory_data import flat_tlv, sources
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults import Fault
from station.faults.line import ClockContradicted
from station.gen_factory_data import arguments, installation
from station.gen_factory_data.arguments import Typed, UsageInvalid
from station.gen_factory_data.batch import Batch, slot_name
from station.gen_factory_data.installation import InstallationMissing
from station.gen_factory_data.plan import IdentityRule, Plan, plan
from station.gen_factory_data.recipe_from_plan import check_block, laboratory, recipe
from station.interfaces import BoardArrived
from station.line.states import Outcome
from station.recipe.commissioner import Commissioner
from station.recipe.files import trust_folder
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe


class NoBoards(Exception):
    """No board is plugged in."""


def main() -> NoReturn:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def command(context: typer.Context) -> None:
    """ST's genFactoryData.py, built from the station's parts: `station gen-factory-data --help` lists its options and ours."""
    raise typer.Exit(run(context.args))


def run(given: Sequence[str]) -> int:
    """The exit status: 0 every board is good, 1 one is not, 2 wrong usage or input, 3 something is missing here."""
    try:
        return _carried_out(given)
    except UsageInvalid as exc:
        return _complain(USAGE, *exc.mistakes, "No board was touched.")
    except ClockContradicted as exc:
        return _complain(ENVIRONMENT, str(exc), "If this computer's clock is right, give --clock-is-right.")
    except (InstallationMissing, NoBoards, *MISSING) as exc:
        return _complain(ENVIRONMENT, str(exc))
    except OSError as exc:
        return _complain(ENVIRONMENT, f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc))
    except KeyboardInterrupt:
        return _complain(INTERRUPTED, "Interrupted: boards without a verdict are void.")


def _carried_out(given: Sequence[str]) -> int:
    if "--version" in given:  # handled here: in the parser it would make --ver, an abbreviation of --verbose, ambiguous
        _say(f"{arguments.PROGRAM} {version.running()}")
        return DONE
    try:
        typed = arguments.parse(given)
    except arguments.HelpAsked as exc:
        _say(*str(exc).splitlines())
        return DONE
    return _work(typed)


def _work(typed: Typed) -> int:
    planned = plan(typed)
    _say(*planned.said())
    source = _source(planned, verbose=typed.verbose)
    _say(*source.said)
    commissioner = _commissioner(typed.trust)
    if planned.data_address is None:
        return _written(planned, source.data, commissioner)
    work = _checked(typed, planned, source.data, commissioner)
    found = installation.find(typed.programmer_path, typed.external_loader, os.environ)
    _say(*found.said)
    boards = _boards(typed.devices)
    if typed.dry_run:
        _say("Dry run: no board was touched.")
        return DONE
    state = typed.state or _state_folder()
    keep_private()
    with (
        logs.configured("info", state / "gen-factory-data.jsonl", aloud=False),
        logs.speaking() as tell,
        orphans.adopted(),
    ):
        outcomes, blocks = uvloop.run(_judged(typed, work, found, state, boards, tell))
    _keep(planned, blocks)
    return _summed_up(outcomes, boards)


def _source(planned: Plan, *, verbose: bool) -> sources.Source:
    json, binary = (plain_files.read_stream(path) if path else None for path in (planned.json, planned.binary))
    try:
        return sources.read(json=json, binary=binary, verbose=verbose)
    except Fault as exc:
        raise UsageInvalid([f"{planned.json or planned.binary}: {exc}"]) from exc


def _commissioner(folder: Path | None) -> Commissioner:
    try:
        return Commissioner(trust_folder.load(folder or shipped.TRUST))
    except Fault as exc:
        raise UsageInvalid([str(exc)]) from exc


def _checked(typed: Typed, planned: Plan, data: FactoryData, commissioner: Commissioner) -> Laboratory | Recipe:
    """The recipe, after every check that needs no board."""
    try:
        if not planned.provisioning:
            given = laboratory(planned, data, commissioner)
            given.check(datetime.now(UTC))
            return given
        assert planned.script is not None  # a plan for provisioning has one
        with orphans.adopted():
            entry = asyncio.run(script.check(planned.script, lambda _: None))
        _say(f"script: {planned.script}, {entry}")
        return recipe(planned, data, commissioner, typed.script_within)
    except Fault as exc:
        raise UsageInvalid([f"{planned.json or planned.binary}: {exc}"]) from exc


def _written(planned: Plan, data: FactoryData, commissioner: Commissioner) -> int:
    """Writes the block beside the input, and touches no board. Returns the exit code."""
    try:
        check_block(data)
        if Tag.DEVICE_ATTESTATION_CERTIFICATE in data.records:
            commissioner.check_input(data, datetime.now(UTC))
        else:
            _say("The input has no certificates: the block is for a provisioning firmware, not for a finished unit.")
    except Fault as exc:
        raise UsageInvalid([f"{planned.json or planned.binary}: {exc}"]) from exc
    path, block = planned.block, flat_tlv.encode(data)
    whole_file.write(path, block)
    _say(f"{path}: {len(data.records)} records, {len(block)} bytes; it holds secrets, readable by you alone")
    return DONE


def _boards(devices: Path) -> list[BoardArrived]:
    """Every board that is plugged in; raises `NoBoards` if none is."""
    boards = sorted(links.boards_in(devices.absolute()).values(), key=lambda board: board.path)
    if not boards:
        raise NoBoards(f"No board is plugged in: {devices} names no ST-LINK with a serial port.")
    for board in boards:
        _say(f"board: {slot_name(board)}, probe {board.probe or 'without a serial number'}, at {board.path}")
    return boards


async def _judged(
    typed: Typed,
    work: Recipe | Laboratory,
    found: installation.Found,
    state: Path,
    boards: Sequence[BoardArrived],
    tell: Callable[[str], None],
) -> tuple[list[Outcome], list[tuple[BoardArrived, bytes]]]:
    """Judges every board that may be touched. Returns the outcomes, and each board's factory data if it is to be kept.

    Ctrl-C and SIGTERM stop the programmers in order.
    """
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    devices = typed.devices.absolute()
    usable = [board for board in boards if board.refused is None]
    slots = [board.path for board in usable]
    try:
        async with (
            Batch.opened(
                work,
                found.cli,
                found.loader,
                state,
                locks_beside(devices),
                slots,
                clock_is_right=typed.clock_is_right,
            ) as batch,
            links.watching(devices) as hotplug,
        ):
            outcomes = await batch.judge(usable, hotplug, lambda outcome: tell(_told(outcome)))
            kept = outcomes if typed.keep else []
            return outcomes, [(outcome.arrival, await batch.block(outcome)) for outcome in kept]
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that ended a group of tasks; the other tasks were cancelled for it."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _told(outcome: Outcome) -> str:
    name, seconds = slot_name(outcome.arrival), f"{outcome.seconds:.1f} s"
    if outcome.fault is not None:
        return f"{name}: {outcome.verdict.upper()}, {seconds}: {outcome.fault.code}: {outcome.fault}"
    laboratory_unit = ", a laboratory unit" if outcome.attempt.laboratory else ""
    serial_number = f", serial number {outcome.attempt.serial_number}" if outcome.attempt.serial_number else ""
    return f"{name}: {outcome.verdict}, {seconds}{serial_number}{laboratory_unit}{_key(outcome)}"


def _key(outcome: Outcome) -> str:
    return f", key in {outcome.attempt.key_storage}" if outcome.attempt.key_storage else ""


def _summed_up(outcomes: Sequence[Outcome], boards: Sequence[BoardArrived]) -> int:
    refused = [board for board in boards if board.refused is not None]
    for board in refused:
        _say(f"{slot_name(board)}: NOT TOUCHED: {board.refused}")
    passed = sum(outcome.verdict == "pass" for outcome in outcomes)
    _say(f"{len(boards)} boards: {passed} good, {len(boards) - passed} not")
    return DONE if passed == len(boards) else FAILED


def _keep(planned: Plan, blocks: Sequence[tuple[BoardArrived, bytes]]) -> None:
    """Keeps the blocks, as ST's script does with -k: one for each board, or one if all are the same."""
    source = planned.json or planned.binary
    assert source is not None
    for arrival, block in blocks:
        if block:
            own = planned.identity is IdentityRule.OWN
            path = source.with_name(f"{source.stem}_{Path(arrival.tty).name}.bin") if own else planned.block
            whole_file.write(path, block)
            _say(f"kept: {path}. It holds secrets: delete it after use.")
            if not own:
                return


def _state_folder() -> Path:
    """The folder of this user's ledger, always the same one, so that no identity is given out twice."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "station" / "gen-factory-data"


def _say(*lines: str) -> None:
    try:
        say(*lines)
    except BrokenPipeError:
        # The reader has gone. The work on the boards goes on, and the exit status reports the result.
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())


def _complain(status: int, *lines: str) -> int:
    say(*lines, err=True)
    return status
