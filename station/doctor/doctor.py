# SPDX-License-Identifier: Apache-2.0
"""All checks of the doctor, one after another: files, PC, programmer, USB, PKI, MES, ledger and its key."""

import os
from collections.abc import Mapping
from pathlib import Path

from station.adapters.system import fonts, ntp
from station.config import line as line_file
from station.config.problems import ConfigurationInvalid
from station.daemon import control
from station.doctor import configuration, machine, mes, page_files, revocations, services, station_key, usb
from station.doctor.finding import Finding, bad, good, unknown
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe


async def examined(path: Path, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Every finding. A check that needs a configuration which cannot be read is unknown."""
    (found, recipe), synchronised = await _files(path, environment), await ntp.synchronised()
    try:
        config = line_file.load(path, environment)
    except ConfigurationInvalid:
        reason = "Not looked at, since the configuration has mistakes."
        found += machine.findings(None, "station", 1, runs=False, synchronised=synchronised)
        return [*found, *(unknown(name, reason) for name in ("programmer", "probes", "PKI", "MES", "ledger"))]
    runs = _runs(config)
    station, slots = config.station, len(config.slot)
    found += machine.findings(station.state, station.name, slots, runs=runs, synchronised=synchronised)
    if config.web.on and config.web.language == "zh":
        found.append(machine.chinese_font(found=await fonts.chinese()))
    found.append(await services.programmer(config))
    found += usb.findings(config, runs=runs)
    found.append(await services.probes(config, runs=runs))
    found += [finding async for finding in services.pki(config.pki)]
    found += [finding async for finding in mes.findings(config.mes)]
    found += services.ledger(config)
    found += station_key.findings(config, runs=runs)
    found += services.work_order(config)
    found += page_files.findings(config)
    if config.shared is not None:
        from station.doctor import shared  # it and psycopg are for lines that share a ledger

        found += [finding async for finding in shared.findings(config, config.shared, recipe, runs=runs)]
    return found


async def _files(path: Path, environment: Mapping[str, str]) -> tuple[list[Finding], Recipe | Laboratory | None]:
    """What the files have, and their recipe if they have no mistake."""
    try:
        config, recipe = await configuration.checked(path, environment)
    except ConfigurationInvalid as exc:
        remedy = "Mend this place; `station config check` tells all mistakes."
        return [bad("configuration", str(problem), remedy) for problem in exc.problems], None
    images = ", ".join(image.name for image in recipe.images) or "none"
    found = [
        good("configuration", f"{path} has no mistake; it has {len(config.slot)} slots."),
        good("recipe", f"The recipe {recipe.name} is good; its images are {images}."),
        good("loader", f"The external loader is {config.programmer.external_loader}."),
        revocations.revocations(recipe),
    ]
    return found, recipe


def _runs(config: line_file.Config) -> bool:
    try:
        control.ask(config.control_socket, "status")
    except control.DaemonMute:
        return True
    except (control.DaemonAbsent, OSError):
        return False
    except control.CommandRefused:
        return True
    return True
