# SPDX-License-Identifier: Apache-2.0
"""`station slots`: shows the running daemon's slots, takes them out of service, and releases them; learns a line's places."""

from typing import Annotated

import typer

from station.cli.consoles import say, wide_console
from station.cli.line.learn import learn
from station.cli.line.status import slot_table
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.daemon import control
from station.line.status import LineStatus, Status

app = typer.Typer(
    help="Show slots, take one out of service, release it again; learn a line's places.", no_args_is_help=True
)
app.command("learn")(learn)

SlotName = Annotated[str, typer.Argument(metavar="SLOT", help="The slot's name, as the configuration gives it.")]


@app.command("list")
def show(config: ConfigOption = None) -> None:
    """Show every slot, with the reason if it is out of service."""
    status = Status.model_validate(_ask(config, "status"))
    wide_console().print(slot_table(status))


@app.command()
def hold(slot: SlotName, config: ConfigOption = None) -> None:
    """Take a slot out of service: an attempt under way is finished, the next board waits."""
    _ask(config, "hold", slot=slot)
    say(f"slot {slot} is out of service")


@app.command()
def release(
    slot: Annotated[str | None, typer.Argument(metavar="[SLOT]", help="The slot's name.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every slot that is out of service, and the line if it is paused.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Put a slot on trial: the next board decides whether it is in service again."""
    if everything == (slot is not None):
        raise typer.BadParameter("name one slot, or give --all")
    answer = _ask(config, "release", **({} if slot is None else {"slot": slot}))
    released = answer["released"]
    names = ", ".join(map(str, released)) if isinstance(released, list) else ""
    line = LineStatus.model_validate(answer["line"])
    told = f"on trial: {names}" if names else "no slot was out of service"
    say(f"{told}; the line is {line.state}" + (f" by {line.fault}: {line.reason}" if line.fault else ""))


def _ask(config: ConfigOption, command: str, **arguments: object) -> dict[str, object]:
    return control.ask(configuration.load(config_path(config)).control_socket, command, **arguments)
