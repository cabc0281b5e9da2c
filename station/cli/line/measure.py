# SPDX-License-Identifier: Apache-2.0
"""`station measure`: times of one real board, against the model. The board is overwritten, and must be no unit."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from station.adapters.hotplug import sources
from station.adapters.programmer import probe_lock
from station.adapters.programmer.configured import installation_of
from station.adapters.system import logs
from station.adapters.system.secret_files import SecretFiles
from station.cli.consoles import say, say_json
from station.cli.exit_codes import FAILED, INTERRUPTED
from station.cli.line.measured import members, show
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.config import plain_files, shipped
from station.config.line import Config
from station.config.sections import SlotSection
from station.config.sentences import nearest
from station.daemon.control import CommandRefused
from station.domain.memory_map import AGENT_IN_RAM, APPLICATION
from station.domain.product import Flashable, KeyStorage, Plan, Verify
from station.domain.target import UID, Target
from station.faults import Fault
from station.interfaces import BoardArrived
from station.measure.admission import check_board, check_content
from station.measure.figures import Times, report
from station.measure.rounds import Firmware, Subject
from station.recipe.files import line_recipe
from station.recipe.recipe import Recipe

ROUNDS = 3
READ_BACK_UP_TO = 0x10000  # bytes: the station verifies smaller images in full, whatever the recipe says

Result = TypeVar("Result")


def measure(
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="The slot with the one board, by its name.")],
    config: ConfigOption = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="Measure as often.")] = ROUNDS,
    ram_image: Annotated[
        Path | None,
        typer.Option(
            "--ram-image", help="The agent that is linked to RAM (default: the shipped one).", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Overwrite the board without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Measure one board, probe and PC against the model of docs/performance.md. OVERWRITES THE BOARD: never use a production unit.

    The recipe's images and throw-away factory data are written to the board several times, with their erases; firmware is
    booted, and also loaded into RAM. The line's daemon must not run (`station drain`). A board that the ledger knows as a
    unit is refused, as is one with a key that a station has made, or with a certificate. Exit code 0 where everything was measured, 1 where
    something was refused or failed.
    """
    path = config_path(config)
    line = configuration.load(path)
    place = _slot(line, slot)
    recipe = _recipe(line, path)
    firmware = _firmware(recipe, ram_image)
    with ExitStack() as stack:
        stack.enter_context(logs.configured("warning", None, aloud=False))
        stack.enter_context(probe_lock.claimed(line.locks, [place.path]))
        board = _board(line, path, place)
        probe_lock.check_free(line.locks, board.probe)
        installation = installation_of(line, stack.enter_context(SecretFiles.opened(line.station.name)))

        def subject() -> Subject:
            return Subject(installation, board, line.board, firmware, lambda text: say(text, err=True))

        target = _until_signal(_admitted(subject(), line.ledger))
        if not line.ledger.is_file():
            say(f"there is no ledger at {line.ledger} yet, so no unit is known here", err=True)
        _agreed(place, board, target, yes=yes)
        done = _until_signal(_measured(subject(), target.uid, rounds, line.ledger))
    full = recipe.verify is Verify.FULL or firmware.sizes.application <= READ_BACK_UP_TO
    found = report(done.rounds, firmware.sizes, verified_in_full=full)
    if as_json:
        say_json(members(found, slot, board.probe, target, len(done.rounds), done.fault, done.ram_fault), indent=1)
    else:
        show(found, slot, target, len(done.rounds))
    if done.fault or done.ram_fault:
        raise typer.Exit(FAILED)


def _slot(line: Config, name: str) -> SlotSection:
    for slot in line.slot:
        if slot.name == name:
            return slot
    names = [slot.name for slot in line.slot]
    hint = f"did you mean {near!r}?" if (near := nearest(name, names)) else f"there are {', '.join(names)}"
    raise typer.BadParameter(f"there is no slot {name!r}; {hint}")


def _recipe(line: Config, path: Path) -> Recipe:
    recipe = line_recipe.load(line, path)
    if not isinstance(recipe, Recipe) or recipe.own_pki is None:
        raise CommandRefused(
            f"{line.recipe}: measure with a recipe whose provisioning firmware is the station's own agent; a laboratory's "
            "has none, and a partner's does not answer the station"
        )
    return recipe


def _firmware(recipe: Recipe, ram_image: Path | None) -> Firmware:
    """The recipe's images. Of the agent, which it has for flash or for RAM, the other one is the shipped one."""
    shipped_agent = f"provisioning-{recipe.key_storage or KeyStorage.FLASH}"
    of_recipe, in_ram = recipe.provisioning_image, recipe.plan is Plan.RAM
    in_flash = _shipped(shipped_agent, APPLICATION.address) if in_ram else of_recipe
    if ram_image is not None:
        agent = _image(ram_image, AGENT_IN_RAM.address)
    else:
        agent = of_recipe if in_ram else _shipped(f"{shipped_agent}-ram", AGENT_IN_RAM.address)
    return Firmware(in_flash, recipe.operational_image, agent)


def _shipped(name: str, address: int) -> Flashable:
    return _image(shipped.FOLDER / "firmware_images" / f"{name}.bin", address)


def _image(path: Path, address: int) -> Flashable:
    try:
        return Flashable(path.stem, plain_files.read(path), address)
    except OSError as exc:
        raise typer.BadParameter(f"{path} cannot be read: {exc.strerror}") from exc


def _board(line: Config, path: Path, slot: SlotSection) -> BoardArrived:
    """The board in this slot; raises `CommandRefused` if there is none, and the fault of a board that must not be used."""
    sources.check(line.hotplug, path)
    board = sources.boards_now(line.hotplug).get(slot.path)
    if board is None:
        raise CommandRefused(f"no board is in slot {slot.name}, at {slot.path}: plug one in; `station ports` shows all")
    if board.refused is not None:
        raise board.refused
    return board


def _agreed(slot: SlotSection, board: BoardArrived, target: Target, *, yes: bool) -> None:
    """Returns if a person, or the command line, agrees that the board is overwritten."""
    say(
        f"slot {slot.name}: board {target.uid}, probe {board.probe}",
        "Its flash is OVERWRITTEN: application, factory data and whatever is on it now are lost. Never do this to a "
        "production unit, also not to one of another line.",
        err=True,
    )
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here: --yes agrees that the board is overwritten")
    typer.confirm("Overwrite it?", abort=True, err=True)


@dataclass(slots=True)
class _Done:
    """The rounds that are whole, and the faults that ended the others."""

    rounds: list[Times]
    fault: Fault | None = None
    ram_fault: Fault | None = None


async def _admitted(subject: Subject, ledger: Path) -> Target:
    """The board in the slot; raises `CommandRefused` if it may be somebody's unit."""
    target = await subject.identify()
    check_board(target, ledger)
    check_content(target, await subject.factory_data())
    return target


async def _measured(subject: Subject, uid: UID, rounds: int, ledger: Path) -> _Done:
    """Raises the fault of the first round; that of a later one spoils none before.

    The board is looked at once more: it may be another one than before somebody agreed.
    """
    await _admitted(subject, ledger)
    done = _Done([])
    for number in range(1, rounds + 1):
        try:
            done.rounds.append(await subject.round(f"round {number} of {rounds}", uid))
        except Fault as fault:
            if not done.rounds:
                raise
            say(f"ended after {number - 1} of {rounds} rounds: {fault}", err=True)
            done.fault = fault
            break
    done.ram_fault = subject.ram_fault
    return done


def _until_signal(work: Coroutine[object, object, Result]) -> Result:
    """Does the work. Ctrl-C and SIGTERM end the programmer in order, and then the command."""

    async def cancellable() -> Result:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        say("Interrupted. The programmer has ended; what it was writing to the board may be incomplete.", err=True)
        raise typer.Exit(INTERRUPTED) from None
