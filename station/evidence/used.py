# SPDX-License-Identifier: Apache-2.0
"""Which recipes, images, probes and stations a bundle's attempts have had, compared with what it says in front. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from station.evidence import rows
from station.evidence.rows import Row

_RUNS = ("station", "station_version", "station_commit")


@dataclass(slots=True)
class Used:
    """What the attempts so far have had."""

    recipes: set[tuple[object, ...]] = field(default_factory=set)
    images: set[tuple[object, ...]] = field(default_factory=set)
    probes: set[object] = field(default_factory=set)
    stations: set[tuple[object, ...]] = field(default_factory=set)

    def take(self, attempt: Row) -> None:
        """Raises `NotABundle`."""
        self.recipes.add((rows.text(attempt, "recipe"), rows.text(attempt, "recipe_sha256")))
        self.images |= {(name, str(sha256)) for name, sha256 in rows.mapping(attempt, "images").items()}
        self.probes.add(rows.text(attempt, "probe"))
        self.stations.add(tuple(rows.text_or_none(attempt, name) for name in _RUNS))

    def differences(self, head: Row) -> Iterator[str]:
        """A sentence for each list in front that is not that of the attempts; raises `NotABundle`."""
        tools = rows.mapping(head, "tools")
        recipes, images = (
            {(rows.text(each, "name"), rows.text(each, "sha256")) for each in rows.objects(head, name)}
            for name in ("recipes", "images")
        )
        stations = {tuple(each.get(name) for name in _RUNS) for each in rows.objects(tools, "stations")}
        probes = {str(each) for each in rows.values(tools, "probes")}
        for what, told, used in (
            ("recipes", recipes, self.recipes),
            ("images", images, self.images),
            ("stations", stations, self.stations),
            ("probes", probes, self.probes),
        ):
            if told != used:
                yield f"its {what} are not those of the attempts"
