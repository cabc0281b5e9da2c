# SPDX-License-Identifier: Apache-2.0
"""The story of a campaign: which board meets which fault, hand or switch of the PKI, and what befalls the line. Pure."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from virtual_bench.faults.catalogue import CATALOGUE
from virtual_bench.faults.phases import Phase

PHASES = frozenset(Phase) - {Phase.COPROCESSOR, Phase.LOCK}
"""Of the recipe, which upgrades no coprocessor and locks nothing."""
DEADLY = frozenset({"write_protected", "factory_data_erased", "secure_storage_written"})
"""Faults that outlive their cause: whoever finds such a board puts it away."""
OF_RAM = frozenset({"ram_torn", "start_ignored"})  # the plan `flash` loads no firmware into RAM, and never meets them
OF_SCRIBBLED = frozenset({"refusal_unnoticed"})  # of a board that is new to the ledger and not blank, as none is here
OF_TWO_BOARDS = frozenset({"other_probe", "duplicate_serial", "duplicate_uid", "no_serial", "other_uart"})
"""Faults that befall a neighbour, too, which this campaign's people would not understand."""
ITS_KILL = {"what": "hang", "deaf_to": "all"}
"""The station interrupts a programmer that hangs, and kills only one that does not hear that."""
SWITCHES = (
    "pending", "busy", "too_many", "status_500", "reset", "wrong_key", "wrong_product", "wrong_vendor", "wrong_pai", "expired",
    "repeated_serial", "garbage", "empty", "two_certificates", "drop_after_issue", "fin_after_issue", "truncated",
    "status_500_after_issue", "with_pai", "der", "unsorted",
)  # fmt: skip
PRINTER_MODES = {
    "printer without media": "media-out",
    "printer open": "head-open",
    "printer paused": "paused",
    "printer mute": "mute",
    "printer busy": "busy",
}
"""Disasters of the label printer that last for a while, and the mode that each is."""
CENTRE_LOST = {
    "centre refuses": "refuse",
    "centre in a hole": "hole",
    "centre deaf": "deaf",
    "commits lost": "commit",
}
"""Disasters of one station's way to the centre, and the network's mode."""
DISASTERS = (
    "daemon killed", "daemon stands still", "daemon restarted", "log reader gone", "pki killed", "pki stands still",
    "programmer killed", "programmer stands still", "ledger locked", "disk full", "clocks apart", "clock stepped", "receiver down",
    "receiver drops", "half a label", *PRINTER_MODES,
)  # fmt: skip
OF_THE_CENTRE = ("database killed", "database stands still", *CENTRE_LOST)
HANDS = ("pulled", "bounced", "moved", "swapped", "moved after its verdict")
"""What people do to boards at moments of no phase, or once they have not passed."""
OVER = ("moved over", "swapped over", "moved over after its verdict")
"""The same from station to station."""
AFTER = "after its verdict"
RARE = frozenset({"failed_but_done", "wedge_on_kill", "moved after its verdict"})
"""What happens only about every second time that it is planned: these come twice as often."""
_WILD = {"hand", "disaster"}
FAULTY, SWITCHED = 0.5, 0.25  # shares of the boards
# The same for each kind, so that each comes twenty times in two thousand boards; of what people do, some finds no place.
EACH_HANDLED, EACH_STRUCK = 0.015, 0.011


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What befalls one board, by its number: a fault of the bench at a phase, a switch of the PKI, a hand, or a disaster of the line."""

    board: int
    kind: str
    what: str
    at: str = ""

    def armed(self) -> list[dict[str, object]]:
        """The faults that the bench must have so that this one happens."""
        fault: dict[str, object] = {"board": self.board, "at": self.at, "what": self.what}
        return [fault, fault | ITS_KILL] if self.what == "wedge_on_kill" else [fault]

    def __str__(self) -> str:
        return f"board {self.board}: {self.what}{f' at {self.at}' if self.kind == 'fault' else ''}"


def story(seed: int, boards: int, *, calm: bool = False, stations: int = 1, mixed: bool = False) -> list[Disturbance]:
    """The same for the same seed and number of boards. `calm`: the line's daemon dies once, and nobody pulls a board.

    `mixed`: boards are made by both plans, and meet the faults of both.
    """
    several = stations > 1
    left_out = OF_TWO_BOARDS | OF_SCRIBBLED | (frozenset() if mixed else OF_RAM)
    faults = sorted(name for name in CATALOGUE if name not in left_out and _phases(name))
    struck = DISASTERS + OF_THE_CENTRE * several
    dealt = HANDS + OVER * several
    faults, hands = ([*names, *RARE.intersection(names)] for names in (faults, dealt))
    told = list(_story(random.Random(seed), boards, faults, hands, struck))
    if not calm:
        return told
    killed = Disturbance(max(1, boards // 2), "disaster", "daemon killed")
    return [*(each for each in told if each.kind not in _WILD), killed]


def _story(
    chance: random.Random, boards: int, faults: Sequence[str], dealt: Sequence[str], struck: Sequence[str]
) -> Iterator[Disturbance]:
    waiting = _in_turn(chance, faults)
    switches, hands, disasters = (_in_turn(chance, names) for names in (SWITCHES, dealt, struck))
    for board in range(1, boards + 1):
        hand = next(hands) if chance.random() < EACH_HANDLED * len(dealt) else ""
        waits = hand.endswith(AFTER)  # for a verdict that is no pass
        if chance.random() < FAULTY or waits:
            name = next(waiting)
            yield Disturbance(board, "fault", name, chance.choice(_phases(name)))
        if chance.random() < SWITCHED:
            yield Disturbance(board, "switch", next(switches))
        if hand:
            yield Disturbance(board, "hand", hand, AFTER if waits else "")
        if chance.random() < EACH_STRUCK * len(struck) or board == boards // 2:
            yield Disturbance(board, "disaster", next(disasters))


def _in_turn(chance: random.Random, names: Sequence[str]) -> Iterator[str]:
    """All names in an order by chance, again and again, so that each comes as often as the others."""
    while True:
        yield from chance.sample(names, len(names))


def _phases(name: str) -> list[str]:
    return sorted(phase.value for phase in PHASES.intersection(CATALOGUE[name].phases))


def table(planned: Sequence[Disturbance], fired: Counter[str]) -> Iterator[str]:
    """How often each knob was planned, and how often it fired."""
    for name, times in sorted(Counter(each.what for each in planned).items()):
        yield f"{name:26} {times:4} planned {fired[name]:4} fired"
