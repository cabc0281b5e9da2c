# SPDX-License-Identifier: Apache-2.0
"""`station slots`: shows slots, takes them out of service and releases them, tells who did so and why, and learns a line's places."""

from typing import Annotated

import typer

from station.cli.consoles import say, say_json, wide_console
from station.cli.ledger.interventions import show_history
from station.cli.line.learn import learn
from station.cli.line.reason import ReasonOption, say_unless_recorded
from station.cli.line.status import slot_table
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.daemon import control
from station.line.status import LineStatus, Status

app = typer.Typer(
    help="Show slots, take one out of service, release it again; who did so, and why; learn a line's places.",
    no_args_is_help=True,
)
app.command("learn")(learn)

SlotName = Annotated[str, typer.Argument(metavar="SLOT", help="The slot's name, as the configuration gives it.")]


@app.command("list")
def show(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON object, with times in UTC.")] = False,
) -> None:
    """Show every slot, with the reason if it is out of service, and who holds it since when and why."""
    status = Status.model_validate(_ask(config, "status"))
    if as_json:
        say_json({"slots": [slot.model_dump(mode="json") for slot in status.slots]})
        return
    wide_console().print(slot_table(status))


@app.command()
def hold(slot: SlotName, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Take a slot out of service: an attempt under way is finished, the next board waits."""
    answer = _ask(config, "hold", slot=slot, reason=reason)
    say(f"slot {slot} is out of service")
    say_unless_recorded(answer)


@app.command()
def release(
    slot: Annotated[str | None, typer.Argument(metavar="[SLOT]", help="The slot's name.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every slot that is out of service, and the line if it is paused.")
    ] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Put a slot on trial: the next board decides whether it is in service again."""
    if everything == (slot is not None):
        raise typer.BadParameter("name one slot, or give --all")
    answer = _ask(config, "release", reason=reason, **({} if slot is None else {"slot": slot}))
    released = answer["released"]
    names = ", ".join(map(str, released)) if isinstance(released, list) else ""
    line = LineStatus.model_validate(answer["line"])
    told = f"on trial: {names}" if names else "no slot was out of service"
    say(f"{told}; the line is {line.state}" + (f" by {line.fault}: {line.reason}" if line.fault else ""))
    say_unless_recorded(answer)


app.command("history")(show_history)


def _ask(config: ConfigOption, command: str, **arguments: object) -> dict[str, object]:
    return control.ask(configuration.load(config_path(config)).control_socket, command, **arguments)
