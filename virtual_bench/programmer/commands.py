# SPDX-License-Identifier: Apache-2.0
"""The commands of STM32_Programmer_CLI, as values. Pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Connect:
    """`-c`: which probe, and how."""

    port: str
    probe: str | None = None
    index: int = 0
    mode: str = "NORMAL"


@dataclass(frozen=True, slots=True)
class Loader:
    path: str


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    address: int
    verify: str = ""  # "full", "fast" or not at all
    erase: bool = True  # false in a run with `--skipErase`


@dataclass(frozen=True, slots=True)
class Erase:
    """`-e`: erases some sectors of the memory within reach, or all of them."""

    sectors: tuple[int, ...] = ()  # empty: all


@dataclass(frozen=True, slots=True)
class Read:
    address: int
    size: int
    path: str


@dataclass(frozen=True, slots=True)
class Show:
    """`-r32`, `-r16`, `-r8`: prints memory in units of 4, 2 or 1 bytes."""

    address: int
    size: int
    width: int


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    pass


@dataclass(frozen=True, slots=True)
class SetOptions:
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Reset:
    hard: bool


@dataclass(frozen=True, slots=True)
class Run:
    """`-run`, `-s`, `-g`: starts the core; in RAM without a reset."""

    address: int = 0x08000000


@dataclass(frozen=True, slots=True)
class Halt:
    pass


@dataclass(frozen=True, slots=True)
class StartFUS:
    pass


@dataclass(frozen=True, slots=True)
class ShowFUSState:
    pass


@dataclass(frozen=True, slots=True)
class ShowFUSOperator:
    """`-fusopgetversion`: prints the operator's version."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """`-fwupgrade`: installs an image on the coprocessor; deletes the old one first, unless told that there is none."""

    path: str
    address: int
    first_install: bool = False
    start_stack: bool = True
    verify: str = ""


@dataclass(frozen=True, slots=True)
class DeleteStack:
    pass


@dataclass(frozen=True, slots=True)
class StartStack:
    pass


FUSAction = StartFUS | ShowFUSState | ShowFUSOperator | Upgrade | DeleteStack | StartStack
Action = Loader | Write | Erase | Read | Show | DisplayOptions | SetOptions | Reset | Run | Halt | FUSAction


@dataclass(slots=True)
class CommandLine:
    """All commands of one run."""

    connect: Connect | None = None
    actions: list[Action] = field(default_factory=list)
    listing: str | None = None  # "" lists everything
    version: bool = False
    quiet: bool = False
    log: str | None = None
