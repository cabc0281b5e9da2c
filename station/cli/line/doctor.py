# SPDX-License-Identifier: Apache-2.0
"""`station doctor`: whether this machine can run the line, each check with a sentence and a remedy."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED
from station.cli.places import ConfigOption, config_path
from station.doctor import doctor as checks
from station.doctor.finding import State, worst

EXIT = {State.GOOD: DONE, State.BAD: FAILED, State.UNKNOWN: ENVIRONMENT}


def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check configuration, PC, programmer, USB, PKI and ledger; no board and no running line is disturbed.

    Exit code 0 where nothing is wrong, 1 where something is, 3 where nothing is wrong as far as it could be seen, and a
    check could not be made.
    """
    found = asyncio.run(checks.examined(config_path(config)))
    if as_json:
        say_json({"state": worst(found).value, "findings": [asdict(each) for each in found]}, indent=1)
    else:
        for each in found:
            remedy = f" Remedy: {each.remedy}" if each.remedy else ""
            say(f"{each.state.value:<8} {each.check}: {each.text}{remedy}")
    raise typer.Exit(EXIT[worst(found)])
