# SPDX-License-Identifier: Apache-2.0
"""The line's configuration: its file and environment to one frozen model, every mistake reported at once with its place.

Unknown keys are errors. The one home of environment variables: `STATION__SECTION__KEY` overrides a setting.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator

from station.config.audit import AuditSection
from station.config.environment import at_their_variables, misnamed, overridden
from station.config.file_path import FilePath
from station.config.mes import MESSection
from station.config.problems import ConfigurationInvalid, problems_of
from station.config.sections import (
    AndonSection,
    BoardSection,
    HotplugSection,
    LabelSection,
    LogSection,
    PKISection,
    PolicySection,
    ProgrammerSection,
    RetentionSection,
    SamplesSection,
    SecretsSection,
    SlotSection,
    StationSection,
)
from station.config.shared import SharedSection
from station.config.table import Table
from station.config.toml_file import read_toml
from station.config.web_section import WebSection

LOCKS = Path("/run/lock")
SOCKET = "station.sock"  # in the state folder
_OF_OTHER_SYSTEMS = re.compile(r"COM\d+|\d+-\d+(\.\d+)*")  # Windows' names, and the kernel's


def _at_least_one(slots: tuple[SlotSection, ...]) -> tuple[SlotSection, ...]:
    if not slots:
        raise ValueError("there is no [[slot]], expected one for each place: `station slots learn` writes them")
    return slots


class Config(Table):
    """The whole configuration of one line."""

    recipe: FilePath
    """What a unit is; it stands above the first table."""
    station: StationSection
    programmer: ProgrammerSection
    pki: PKISection | None = None
    """Needed where the line's own PKI certifies the boards."""
    hotplug: HotplugSection = HotplugSection()
    board: BoardSection = BoardSection()
    policy: PolicySection = PolicySection()
    samples: SamplesSection = SamplesSection()
    log: LogSection = LogSection()
    retention: RetentionSection = RetentionSection()
    web: WebSection = WebSection()
    andon: AndonSection | None = None
    """Needed where a lamp shows the line's state."""
    mes: MESSection = MESSection()
    secrets: SecretsSection = SecretsSection()
    label: LabelSection = LabelSection()
    audit: AuditSection = AuditSection()
    shared: SharedSection | None = None
    """Needed where several stations share one ledger."""
    slot: Annotated[tuple[SlotSection, ...], AfterValidator(_at_least_one)] = Field(default=(), validate_default=True)

    @model_validator(mode="after")
    def _slots_differ(self) -> "Config":
        mistakes = []
        for what in ("name", "path", "place"):
            values = [getattr(slot, what) for slot in self.slot]
            for twice in sorted({value for value in values if value is not None and values.count(value) > 1}):
                places = " and ".join(f"slot[{at}]" for at, value in enumerate(values, 1) if value == twice)
                mistakes.append(f"two slots have the {what} {twice}, {places}: each slot needs its own")
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    @model_validator(mode="after")
    def _ports_are_of_the_source(self) -> "Config":
        for at, slot in enumerate(self.slot, 1):
            if self.hotplug.source != "poll" and _OF_OTHER_SYSTEMS.fullmatch(slot.path):
                raise ValueError(
                    f'slot[{at}].path: found "{slot.path}", expected the name of a USB port, as `station ports` and '
                    "/dev/serial/by-path show it"
                )
        return self

    @model_validator(mode="after")
    def _log_is_a_file_of_its_own(self) -> "Config":
        if self.log.file is not None and self.log.file in {self.station.state, self.recipe, self.ledger}:
            raise ValueError(
                f"log.file: found {self.log.file}, which another setting names, expected a file for the log"
            )
        return self

    @model_validator(mode="after")
    def _witness_is_outside(self) -> "Config":
        witness, state = self.station.witness, self.station.state
        of_a_bench = not self.hotplug.is_of_this_machine  # it is forgotten as a whole
        if witness is not None and witness.is_relative_to(state) and not of_a_bench:
            raise ValueError(
                "[station] witness is inside state: the record of a ledger must outlive the ledger's folder"
            )
        return self

    @property
    def ledger(self) -> Path:
        return self.station.state / "ledger.sqlite"

    @property
    def control_socket(self) -> Path:
        return self.station.state / SOCKET

    @property
    def people_file(self) -> Path:
        """The file of `station people`."""
        return self.station.state / "people.json"

    @property
    def locks(self) -> Path:
        return self.station.locks or locks_beside(self.hotplug.links)

    @property
    def transcripts(self) -> Path:
        return self.station.state / "transcripts"


def locks_beside(devices: Path) -> Path:
    """The folder of the locks for boards below these links; a virtual bench's folder counts as a machine of its own."""
    if not devices.is_relative_to("/dev"):
        return devices.parent / "locks"
    # Chosen by what every account sees alike, not by this account's rights, so that all accounts choose the same
    # folder.
    everybodys = 0o1002  # sticky, and all may write
    try:
        shared = LOCKS.stat().st_mode & everybodys == everybodys
    except OSError:
        shared = False
    return (LOCKS if shared else Path(gettempdir())) / "matter-station"


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a TOML file, overridden by the environment; raises `ConfigurationInvalid`."""
    return validated(path, overridden(read_toml(path), environment), environment)


def validated(path: Path, values: Mapping[str, object], environment: Mapping[str, str]) -> Config:
    """The configuration of a file's tables; raises `ConfigurationInvalid`, also for a variable that nearly names a setting."""
    problems = list(misnamed(environment, Config))
    try:
        loaded = Config.model_validate(values, context={"folder": path.parent.resolve()})
    except ValidationError as exc:
        problems += at_their_variables(path, problems_of(path, exc, Config), environment)
        raise ConfigurationInvalid(problems) from exc
    if problems:
        raise ConfigurationInvalid(problems)
    return loaded


def hotplug_of(path: Path, values: Mapping[str, object], environment: Mapping[str, str]) -> HotplugSection:
    """The source of a file whose other settings may be missing or wrong; raises `ConfigurationInvalid`."""
    try:
        alone = _Hotplug.model_validate(
            {"hotplug": values.get("hotplug", {})}, context={"folder": path.parent.resolve()}
        )
    except ValidationError as exc:
        raise ConfigurationInvalid(at_their_variables(path, problems_of(path, exc, Config), environment)) from exc
    return alone.hotplug


def control_socket_of(path: Path, values: Mapping[str, object]) -> Path | None:
    """Where the daemon of such a file listens; None where the file does not say that."""
    station = values.get("station")
    state = station.get("state") if isinstance(station, Mapping) else None
    return path.parent.resolve() / state / SOCKET if isinstance(state, str) and state else None


class _Hotplug(Table):
    hotplug: HotplugSection
