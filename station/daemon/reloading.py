# SPDX-License-Identifier: Apache-2.0
"""Reads the line's files again while the line runs, applies the settings that may change under it, and logs the others by name."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import structlog
from pydantic import BaseModel

from station.config.line import Config
from station.config.problems import ConfigurationInvalid, Problem
from station.domain.policy import Suspicion
from station.faults import Fault
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()

Reread = Callable[[], Awaitable[tuple[Config, Recipe | Laboratory]]]

# Read anew at each attempt, each verdict, each line of the log and each removal of transcripts. What the line opened
# with (folders, slots, programmer, PKI, the source of arrivals, recipe and images) stays as it is until a restart.
APPLIED = (
    "log.level",
    "board.",
    "policy.",
    "retention.",
    "samples.",
    "programmer.",
    "label.",
    "mes.when_down",
    "mes.stop_line_at",
    "mes.keep_days",
)
NEEDS_RESTART = ("programmer.cli", "programmer.external_loader")

LEVELS = ("debug", "info", "warning", "error")


class Settings:
    """The configuration in force: the one that the line opened with, and the settings that were applied since."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def suspicion(self) -> Suspicion:
        policy = self.config.policy
        return Suspicion(policy.boards_in_a_slot, policy.slots, policy.within_boards)

    def apply(self, names: list[str], new: Config) -> None:
        """Takes these settings, `section.key`, from the new configuration."""
        for name in names:
            section, key = name.split(".")
            changed = getattr(self.config, section).model_copy(update={key: getattr(getattr(new, section), key)})
            self.config = self.config.model_copy(update={section: changed})


class Reloading:
    """`reread` reads and checks the files as `station config check` does; `applied` is told once settings have changed."""

    def __init__(
        self, settings: Settings, recipe: Recipe | Laboratory, reread: Reread, applied: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._recipe = recipe
        self._reread = reread
        self._applied = applied

    async def once(self) -> None:
        """Reads the files. A mistake in one of them changes nothing, and each is logged with its file and place."""
        try:
            config, recipe = await self._reread()
        except ConfigurationInvalid as exc:
            for problem in exc.problems:
                self._refuse(problem)
            return
        except (Fault, OSError) as exc:
            self._refuse(Problem("", "", str(exc)))
            return
        names = list(changed(self._settings.config, config))
        if recipe != self._recipe and "recipe" not in names:
            names.append("recipe")  # the same file with another content, or another image or anchor
        apply = [name for name in names if is_applied(name)]
        waiting = [name for name in names if name not in apply]
        quieter = LEVELS.index(config.log.level) > LEVELS.index(self._settings.config.log.level)
        self._settings.apply(apply, config)
        if quieter:  # the log still takes this line
            _tell(apply, waiting)
        self._applied()
        if not quieter:
            _tell(apply, waiting)

    def _refuse(self, problem: Problem) -> None:
        file = str(problem.file) if isinstance(problem.file, Path) else problem.file or None
        log.error("config.refused", file=file, place=problem.place or None, reason=problem.text)


def _tell(applied: list[str], needs_restart: list[str]) -> None:
    write = log.warning if needs_restart else log.info
    write("config.reloaded", applied=applied, needs_restart=needs_restart)


def is_applied(name: str) -> bool:
    """Whether this setting may change while the line runs."""
    return name.startswith(APPLIED) and name not in NEEDS_RESTART


def changed(old: Config, new: Config) -> Iterator[str]:
    """The names of the settings that differ: `section.key`, and the section alone where it came or went."""
    for name in Config.model_fields:
        before, now = getattr(old, name), getattr(new, name)
        if isinstance(before, BaseModel) and isinstance(now, BaseModel):
            for key in type(now).model_fields:
                if getattr(before, key) != getattr(now, key):
                    yield f"{name}.{key}"
        elif before != now:
            yield name
