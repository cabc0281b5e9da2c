# SPDX-License-Identifier: Apache-2.0
"""`station spake2p`: makes the verifier with which a unit checks a passcode. The passcode comes from a file."""

from typing import Annotated

import typer

from station.cli.consoles import say
from station.cli.judge import verdicts
from station.cli.judge.inputs import JSONOption, PasscodeOption, number, read_passcode
from station.matter.onboarding import spake2p

app = typer.Typer(help="Make SPAKE2+ verifiers.", no_args_is_help=True)


def salt_bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as exc:
        raise typer.BadParameter("hexadecimal digits are expected, two a byte") from exc


@app.callback()
def group() -> None:
    """Make SPAKE2+ verifiers."""


@app.command()
def verifier(
    passcode_file: PasscodeOption,
    salt: Annotated[bytes, typer.Option("--salt", parser=salt_bytes, metavar="HEX", help="16 to 32 bytes.")],
    iterations: Annotated[int, typer.Option("--iterations", parser=number, metavar="N", help="1000 to 100000.")],
    json_wanted: JSONOption = False,
) -> None:
    """Print the verifier, 97 bytes in hexadecimal: w0, then the point L.

    With salt and verifier anybody can try all passcodes: keep them as secret as the passcode.
    """
    passcode = read_passcode(passcode_file)
    try:
        made = spake2p.verifier(passcode, salt, iterations)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    if json_wanted:
        verdicts.conclude(
            None, "made within Matter's limits", json_wanted=True, shown={"spake2p": {"verifier": made.hex()}}
        )
    say(made.hex())
