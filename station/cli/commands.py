# SPDX-License-Identifier: Apache-2.0
"""The commands by name, and the group that imports a command's module when that command is asked for: start-up time."""

from collections import UserDict
from collections.abc import Iterator
from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

# Where each command is: its module in this package, and its function there; a group of commands is its module's `app`.
PLACES = {
    "demo": "demo.command:demo",
    "doctor": "line.doctor:doctor",
    "drain": "line.drain:drain",
    "install": "line.install:install",
    "measure": "line.measure:measure",
    "numbers": "ledger.figures:show_numbers",
    "replay": "ledger.replay:replay",
    "ports": "line.ports:ports",
    "run": "line.run:run",
    "status": "line.status:status",
    "watch": "watch.command:watch",
    "gen-factory-data": "gen_factory_data:command",
    "config": "line.config:app",
    "slots": "line.slots:app",
    "people": "line.people:app",
    "factory-data": "judge.factory_data:app",
    "units": "ledger.units:app",
    "lots": "ledger.lots:app",
    "samples": "ledger.samples:app",
    "labels": "line.labels:app",
    "evidence": "ledger.evidence:app",
    "ledger": "ledger.file:app",
    "leases": "ledger.leases:app",
    "audit": "ledger.audit:app",
    "secrets": "ledger.secrets:app",
    "pki": "ledger.pki:app",
    "outbox": "ledger.outbox:app",
    "trust": "trust.update:app",
    "dcl": "trust.dcl:app",
    "central": "central.app:app",
    "attestation": "judge.attestation:app",
    "certificate": "judge.certificate:app",
    "csr": "judge.csr:app",
    "cd": "judge.cd:app",
    "board": "judge.board:app",
    "onboarding": "judge.onboarding:app",
    "spake2p": "judge.spake2p:app",
}
# gen-factory-data parses ST's spellings itself.
_OPTIONS_OF_ITS_OWN = {"ignore_unknown_options": True, "allow_extra_args": True}

Command = TyperCommand | TyperGroup


def imported(name: str) -> object:
    """The command's function or group, after the import of its module. Raises KeyError if no command has this name."""
    module, _, attribute = PLACES[name].partition(":")
    found: object = getattr(import_module(f"station.cli.{module}"), attribute)
    return found


class _Imported(UserDict[str, Command]):
    """All commands in the order of the help; each is imported at the first look at it."""

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)

    def __contains__(self, name: object) -> bool:
        return name in PLACES

    def __missing__(self, name: str) -> Command:
        alone = typer.Typer()
        found = imported(name)
        assert callable(found)
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name)
        elif name == "gen-factory-data":
            alone.command(name, add_help_option=False, context_settings=_OPTIONS_OF_ITS_OWN)(found)
        else:
            alone.command(name)(found)
        command = get_group(alone).commands[name]
        assert isinstance(command, Command)
        self.data[name] = command
        return command


class Commands(TyperGroup):
    """The station's commands."""

    def __init__(self, **attributes: object) -> None:
        attributes["commands"] = _Imported()  # in place of those that were registered before the start: none
        super().__init__(**attributes)  # type: ignore[arg-type]  # typer passes its own arguments
