# SPDX-License-Identifier: Apache-2.0
"""The shared ledger's centre, before a board depends on it: reached, of this version, and ready to give for this line.

Nothing is changed there. Only imported where the configuration has `[shared]`.
"""

from collections.abc import AsyncIterator, Iterator

from station.adapters.centre.connection import Connection
from station.adapters.centre.examined import Examined, examine, reads
from station.adapters.centre.trouble import CentreBroken, CentreUnreachable
from station.adapters.ledger import shared_reader
from station.adapters.ledger.fleet_key import FleetKey
from station.adapters.ledger.fleet_key_file import fleet_key
from station.adapters.ledger.key_file import KeyUnusable
from station.config import conninfo
from station.config.line import Config
from station.config.shared import SharedSection
from station.doctor.finding import Finding, advice, bad, good, unknown
from station.domain.shared import Refusal
from station.faults import Fault
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

CENTRE, ROLE, FLEET, LOT, CLOCK, READER = (
    "centre",
    "centre's role",
    "fleet key",
    "centre's lot",
    "centre's clock",
    "centre's reader",
)
CLOSE = 60.0  # seconds


async def findings(
    config: Config, shared: SharedSection, recipe: Recipe | Laboratory | None, *, runs: bool
) -> AsyncIterator[Finding]:
    """Every check of `[shared]`; no text has a secret, nor more of a connection string than its role."""
    fleet: FleetKey | None = None
    try:
        fleet = fleet_key(shared.fleet_key)
    except KeyUnusable as exc:
        yield _no_fleet_key(shared, exc, runs=runs)
    if not conninfo.server_is_proven(shared.dsn):
        yield advice(
            CENTRE,
            "Nothing proves who answers as the centre.",
            "Set sslmode=verify-full and sslrootcert in [shared] dsn.",
        )
    try:
        found = await _looked(config, shared, recipe)
    except (CentreUnreachable, ValueError) as exc:
        remedy = (
            "Check [shared] dsn, the network, and whether PostgreSQL runs there; a line goes on with what it holds."
        )
        yield bad(CENTRE, f"The centre cannot be reached: {exc}.", remedy)
        return
    except CentreBroken as exc:
        remedy = "Run `station central init` there, and give the role its rights with `station central stations add`."
        yield bad(CENTRE, f"The database is no centre for this role: {exc}.", remedy)
        return
    for finding in judged(found, config.station.name, fleet):
        yield finding
    if recipe is not None:
        yield _of_lot(found, recipe)
    if shared.reader is not None:
        yield await _of_reader(config, shared.reader)


async def _looked(config: Config, shared: SharedSection, recipe: Recipe | Laboratory | None) -> Examined:
    lot, release = _making(config, recipe), "" if recipe is None else recipe.release
    async with Connection(shared.dsn, config.station.name, deadline=shared.deadline) as connection:
        return await examine(connection, lot, release)


def _making(config: Config, recipe: Recipe | Laboratory | None) -> str | None:
    if recipe is None or recipe.new_secrets is None:
        return None
    if not config.ledger.exists():
        return recipe.lot_name
    try:
        with shared_reader.reading(config.ledger, recipe) as reader:
            return reader.lot()
    except Fault:  # the ledger's own checks tell it
        return recipe.lot_name


def _no_fleet_key(shared: SharedSection, why: KeyUnusable, *, runs: bool) -> Finding:
    if shared.fleet_key is None and runs:
        text = f"{why}. The daemon that runs has the key: systemd hands it over to the service alone."
        return unknown(FLEET, text, "`systemctl cat matter-station.service` shows LoadCredential.")
    return bad(FLEET, f"{why}.", "Without the fleet's key the line does not open: get it from where its copy is kept.")


def judged(found: Examined, name: str, fleet: FleetKey | None) -> Iterator[Finding]:
    """What the look at the centre says of the station of this name, and of its fleet key."""
    yield good(CENTRE, f"The centre answers; its tables are of version {found.revision}.")
    if not found.is_of_this_version:
        text = f"The centre's tables are of version {found.revision}, which this station does not know."
        yield bad(
            CENTRE, text, "Run `station central upgrade` with the newest version, and install that on every station."
        )
    if found.station is None:
        text = f"No station logs in as {found.role}."
        yield bad(ROLE, text, f"station central stations add {name} --role {found.role}")
    elif found.station != name:
        text = f"The role {found.role} is that of the station {found.station}, and this one is {name}."
        yield bad(ROLE, text, "Give each station a role of its own in [shared] dsn.")
    else:
        yield good(ROLE, f"The centre knows {found.role} as the station {name}.")
    if found.frozen is not None:
        text = f"The centre gives nothing: {found.frozen}."
        yield bad(CENTRE, text, "Examined how far to skip, and run `station central accept-restore --skip N`.")
    if abs(found.ahead) > CLOSE:
        text = f"This computer's clock differs from the centre's by {abs(found.ahead):.0f} s."
        yield advice(CLOCK, text, "Set the clock; moments in reports of all stations would contradict one another.")
    if fleet is not None:
        yield _of_fleet(found, fleet)


def _of_fleet(found: Examined, fleet: FleetKey) -> Finding:
    if found.fleet_check not in {None, fleet.check}:
        text = f"The fleet's key has the check value {found.fleet_check}, and this station's has {fleet.check}."
        return bad(FLEET, text, "Copy the fleet's key from another station, or from where its copy is kept.")
    return good(FLEET, f"The fleet key has the check value {fleet.check}.")


def _of_lot(found: Examined, recipe: Recipe | Laboratory) -> Finding:
    release = recipe.release
    match found.lot:
        case None:
            return good(LOT, f"Nothing keeps the centre from giving for the release {release[:12]}….")
        case Refusal.LOT_UNKNOWN:
            return bad(LOT, "The centre does not know the lot.", "station central lots add")
        case _:
            text = f"Nobody has approved the release {release} for the lot."
            return bad(LOT, text, f"station central approve {release}")


async def _of_reader(config: Config, reader: str) -> Finding:
    try:
        async with Connection(reader, config.station.name) as connection:
            return good(READER, f"The role {await reads(connection)} may ask about all stations.")
    except (CentreUnreachable, CentreBroken, ValueError) as exc:
        remedy = "Check [shared] reader: its role must be a member of station_reader."
        return bad(READER, f"Questions about all stations have no answer: {exc}.", remedy)
