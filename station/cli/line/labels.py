# SPDX-License-Identifier: Apache-2.0
"""`station labels`: prints a unit's label again, and binds a label to the board in a slot by its scan."""

import sys
from typing import Annotated

import typer

from station.cli.consoles import say, say_json
from station.cli.ledger.stopped import uid_of
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.daemon import control
from station.domain.labelling import PrintReason

PRINTED_WITHIN = 60.0  # seconds: labels of other units may be printed before

app = typer.Typer(help="Print a unit's label, and bind it to its board by a scan.", no_args_is_help=True)


@app.command()
def status(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON object.")] = False,
) -> None:
    """Show how the printer is, and how many units wait for their label."""
    answer = control.ask(configuration.load(config_path(config)).control_socket, "label_status")
    if as_json:
        say_json({"labels": dict(answer)})
        return
    if answer["printer"] is None:
        say("the recipe names no printer")
        return
    say(f"{answer['printer']}: {answer['reason'] or 'ready'}", f"{answer['waiting']} waiting")
    unproven = answer["unproven"]
    assert isinstance(unproven, list)
    for each in unproven:
        say(
            f"{each['uid']}: copy {each['copy']} counts, and the printer has not confirmed it: scan it, or print another"
        )


@app.command("print")
def print_label(
    unit: Annotated[str, typer.Argument(metavar="UID", help="24 hexadecimal digits.")],
    reason: Annotated[PrintReason, typer.Option("--reason", help="Why; `first` for the first print.")],
    config: ConfigOption = None,
) -> None:
    """Print a unit's label. A further print has a number and voids the one before; the ledger has each with its reason."""
    question = {"uid": str(uid_of(unit)), "reason": reason.value, "engineer": True}
    socket = configuration.load(config_path(config)).control_socket
    answer = control.ask_patiently(socket, "label_print", PRINTED_WITHIN, question)
    if answer["unproven"] is None:
        say(f"printed: copy {answer['copy']}")
    else:
        say(f"copy {answer['copy']} counts as printed, but the printer does not confirm it: {answer['unproven']}")


@app.command()
def scan(
    slot: Annotated[
        str | None, typer.Option("--slot", help="The slot of the board that gets the label: binds it.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Read one scanned QR code from standard input, and say whose label it is and where its board is.

    With --slot the label is bound to the board there if its passcode makes that board's verifier. The code is no argument of
    the command, since every account of this PC could read it there.
    """
    text = sys.stdin.readline().strip() if sys.stdin is not None else ""
    socket = configuration.load(config_path(config)).control_socket
    answer = control.ask_patiently(socket, "label_scan", PRINTED_WITHIN, {"text": text, "slot": slot or ""})
    place = f"in slot {answer['slot']}" if answer["slot"] else "in no slot"
    say(f"{answer['serial_number']}  uid {answer['uid']}  {place}: {'bound' if answer['bound'] else 'not bound'}")
