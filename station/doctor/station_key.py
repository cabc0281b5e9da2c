# SPDX-License-Identifier: Apache-2.0
"""The station's key, without which no label can be made and no unit judged again: there, private, and the right one."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from station.adapters.ledger import rotation
from station.adapters.ledger.register import folder_for
from station.adapters.ledger.station_keys import StationKeys
from station.config.line import Config
from station.doctor.finding import Finding, advice, bad, good, unknown
from station.faults import Fault
from station.faults.line import LedgerUnavailable

CHECK = "station's key"
_AS_CREDENTIAL = (
    "if systemd hands it over, only the service sees it: `systemctl cat matter-station.service` shows LoadCredential"
)


def findings(config: Config, *, runs: bool, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Whether the key opens what the ledger has sealed, and nobody else can read it. No text has anything of the key but its id."""
    path = config.ledger
    keys = StationKeys.of(folder_for(path, config.station.witness), path, config.secrets.key, environment)
    try:
        files = keys.files()
    except LedgerUnavailable as fault:
        yield bad(CHECK, f"{fault.reason}.", "Without the key no label can be made, and the line does not open.")
        return
    if not path.exists():
        text = (
            f"{keys} has a key for the first start."
            if files
            else f"There is no key yet: the first start makes one in {keys}."
        )
        yield good(CHECK, text)
        return
    try:
        proof = rotation.prove(path, keys)
    except LedgerUnavailable as fault:
        yield _missing(config, fault, runs=runs)
        return
    except Fault as fault:
        yield bad(CHECK, str(fault), "See docs/operating.md for a damaged ledger.")
        return
    if proof is None:
        yield good(CHECK, "The ledger is of an earlier version: the next start makes a key, and seals the secrets.")
        return
    if keys.handed is None:
        yield from _of_another(path, [file for file, ids in files.items() if proof.key_id in ids])
    yield from _advice(config, proof)
    yield good(CHECK, f"Key {proof.key_id} in {keys} opens what the ledger has sealed: {proof.remembered} units.")


def _missing(config: Config, fault: LedgerUnavailable, *, runs: bool) -> Finding:
    if config.secrets.key is None and runs:
        text = f"{fault.reason}. The daemon that runs has the key; {_AS_CREDENTIAL}."
        return unknown(CHECK, text, "If it does not, put the file back before the daemon ends.")
    hint = "" if config.secrets.key is not None else f"; {_AS_CREDENTIAL}"
    return bad(CHECK, f"{fault.reason}.", f"Put the key's file back from where its copy is kept{hint}.")


def _of_another(path: Path, files: list[Path]) -> Iterator[Finding]:
    """A key that the ledger's account cannot read, as after a copy by root."""
    owner = path.stat().st_uid
    for file in files:
        if file.stat().st_uid != owner:
            text = f"{file} belongs to another account than {path}, and the daemon cannot read it."
            yield bad(CHECK, text, f"chown --reference={path} {file}")


def _advice(config: Config, proof: rotation.Proof) -> Iterator[Finding]:
    if proof.retiring_id is not None:
        yield advice(
            CHECK,
            f"A rotation has not ended: key {proof.retiring_id} is still needed.",
            "Stop the daemon, and give `station secrets rotate` again.",
        )
    if not proof.scrubbed:
        yield advice(
            CHECK,
            "The ledger's file may still hold secrets of an earlier version.",
            "Start the daemon: it writes the file anew.",
        )
    named = config.secrets.key
    if named is not None and named.resolve().is_relative_to(config.station.state.resolve()):
        yield advice(
            CHECK,
            f"{named} is in the ledger's folder: whoever copies that has every passcode.",
            "Move it elsewhere, and set [secrets] key.",
        )
