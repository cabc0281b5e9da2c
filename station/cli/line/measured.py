# SPDX-License-Identifier: Apache-2.0
"""The report of `station measure`, for people and for programs."""

from collections.abc import Mapping

from rich.table import Column, Table

from station.cli.consoles import say, wide_console
from station.cli.ledger.questions import counted
from station.domain.target import Target
from station.faults import Fault
from station.measure.figures import Figure, Report


def show(report: Report, slot: str, target: Target, rounds: int) -> None:
    """Prints the table, and what it comes to."""
    right = [Column(name, justify="right") for name in ("bytes", "median s", "spread", "kB/s", "model s", "ratio")]
    table = Table("slot " + slot, *right)
    for figure in report.figures:
        table.add_row(*_row(figure))
    wide_console().print(table)
    versions = f"STM32CubeProgrammer {target.programmer_version}, probe firmware {target.probe_firmware}"
    apart = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in report.differences.items())
    cycles = ", one of ".join(
        f"`{plan}` takes {by_figures:.2f} s ({by_profile:.2f} s by that profile)"
        for plan, (by_figures, by_profile) in report.cycles.items()
    )
    say(
        f"{counted(rounds, 'round')}, {versions}; spread is least to most, model is that of {report.nearest}",
        f"nearest profile: {report.nearest} (apart by {apart}); by these figures a cycle of {cycles}, of which "
        f"{report.of_model:.2f} s are not measured here (key, request, PKI, certificates)",
    )


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.quantity.words,
        "" if figure.size is None else str(figure.size),
        f"{figure.median:.3f}",
        f"{figure.least:.3f} … {figure.most:.3f}",
        "" if figure.rate is None else f"{figure.rate / 1000:.1f}",
        f"{figure.model:.3f}",
        f"{figure.ratio:.2f}",
    )


def members(
    report: Report, slot: str, probe: str, target: Target, rounds: int, fault: Fault | None, ram_fault: Fault | None
) -> Mapping[str, object]:
    """The members of the JSON document; seconds and bytes."""
    return {
        "slot": slot,
        "uid": str(target.uid),
        "probe": probe,
        "probe_firmware": target.probe_firmware,
        "programmer": target.programmer_version,
        "rounds": rounds,
        "figures": [
            {
                "name": each.quantity.name,
                "what": each.quantity.words,
                "bytes": each.size,
                "seconds": each.median,
                "least": each.least,
                "most": each.most,
                "model": each.model,
                "ratio": each.ratio,
            }
            for each in report.figures
        ],
        "nearest": report.nearest,
        "differences": dict(report.differences),
        "cycles": {
            plan.value: {"seconds": by_figures, "by_model": by_profile}
            for plan, (by_figures, by_profile) in report.cycles.items()
        },
        "not_measured": report.of_model,
        "fault": _told(fault),
        "ram_fault": _told(ram_fault),
    }


def _told(fault: Fault | None) -> Mapping[str, str] | None:
    return None if fault is None else {"code": fault.code, "text": str(fault)}
