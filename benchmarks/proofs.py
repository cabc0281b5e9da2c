# SPDX-License-Identifier: Apache-2.0
"""What the calls of ST's tool prove of a board, and what the station's two plans do: said, and counted in a run's own invocations. Pure."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from station.domain.memory_map import UID_ADDRESS

UID = f"0x{UID_ADDRESS:08X}"
NOT_LOOKED_AT = "not looked at"


@dataclass(frozen=True, slots=True)
class Proof:
    """One question, and its answers."""

    what: str
    st: str
    station: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


SAID = (
    Proof("the probe that the programmer used", NOT_LOOKED_AT, "named in the header of every run"),
    Proof("the board behind it", NOT_LOOKED_AT, "UID in every run, and the same UID on the UART"),
    Proof("a write", "exit status", "exit status, no error anywhere, the programmer's sentences for this file"),
    Proof("an erase", NOT_LOOKED_AT, "the range erased; without an erase, reads before and after the write"),
    Proof("the application's bytes", "compared, all", "check sums of all sectors; of every 50th unit all bytes"),
    Proof("factory data with certificates", NOT_LOOKED_AT, "read back by the external loader, every record compared"),
    Proof("the private key", "one for all boards, in the firmware's image", "made by the board, each its own"),
    Proof(
        "possession of the key",
        NOT_LOOKED_AT,
        "asked twice: when the certificate is delivered, and of an application that answers",
    ),
    Proof("DAC, PAI and declaration", NOT_LOOKED_AT, "checked as a commissioner does, when issued and when read back"),
    Proof("the application boots", NOT_LOOKED_AT, "one that answers names serial number, DAC, vendor and product"),
    Proof("serial number and passcode", "one for all boards of a run", "one for each unit, never twice"),
    Proof("read-out protection", "none", "set, and read, where the recipe asks for it"),
    Proof("what was done", "on the screen", "journalled durably, before and after each step"),
    Proof("a board that says nothing", "waited for, for ever", "fails in time, and holds up no other"),
)


def _verified(argv: Sequence[str], *, fast: bool) -> int:
    words = [*argv, ""]
    return sum(word.lower() == "-v" and (after == "fast") is fast for word, after in itertools.pairwise(words))


COUNTED: Mapping[str, Callable[[Sequence[str]], int]] = {
    "runs of the programmer": lambda _argv: 1,
    "of these, runs that read the UID": lambda argv: UID in argv,
    "files written": lambda argv: argv.count("-d"),
    "of these, compared byte by byte": lambda argv: _verified(argv, fast=False),
    "of these, compared by check sum": lambda argv: _verified(argv, fast=True),
    "reads of a flash, compared by the station": lambda argv: argv.count("-u"),
}


def counted(st: Sequence[Sequence[str]], plans: Mapping[str, Sequence[Sequence[str]]]) -> list[Proof]:
    """From the invocations that the bench saw of one board each, by ST's calls and by each plan that was measured."""

    def of(runs: Sequence[Sequence[str]], count: Callable[[Sequence[str]], int]) -> int:
        return sum(count(argv) for argv in runs)

    return [
        Proof(what, str(of(st, count)), ", ".join(f"{of(runs, count)} by `{plan}`" for plan, runs in plans.items()))
        for what, count in COUNTED.items()
    ]
