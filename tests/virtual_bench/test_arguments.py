# SPDX-License-Identifier: Apache-2.0
"""The programmer's argument list, in the spellings of ST's own callers."""

import pytest

from virtual_bench.programmer.arguments import UsageError, parse
from virtual_bench.programmer.commands import (
    Connect,
    DeleteStack,
    DisplayOptions,
    Erase,
    Loader,
    Read,
    Reset,
    SetOptions,
    Show,
    StartFUS,
    StartStack,
    Upgrade,
    Write,
)

SWD = ["-c", "port=SWD"]


def test_one_element_may_hold_an_option_with_its_arguments() -> None:
    """ST's scripts quote them together; a path with blanks stays whole."""
    line = parse(["-c port=swd SN=066 mode=Hotplug", "-el", "my loader.stldr", "-ob nSWboot0=1 nboot1=0x1"])
    assert line.connect == Connect("swd", "066", mode="HOTPLUG")
    assert line.actions == [Loader("my loader.stldr"), SetOptions((("nSWboot0", 1), ("nboot1", 1)))]


def test_what_follows_connect_may_be_one_element() -> None:
    """Zephyr's runner passes the connection as one argument."""
    assert parse(["--connect", "port=SWD freq=4000 reset=HWrst mode=UR"]).connect == Connect("SWD", mode="UR")


def test_options_are_case_insensitive_and_have_long_forms() -> None:
    """Public scripts use all of these spellings."""
    line = parse([*SWD, "-Rst", "--READ", "0x8000000", "16", "f.bin", "-R32", "0x1FFF7590", "12", "-OB", "displ"])
    assert line.actions == [
        Reset(hard=False),
        Read(0x08000000, 16, "f.bin"),
        Show(0x1FFF7590, 12, 4),
        DisplayOptions(),
    ]


def test_verify_belongs_to_the_write_before_it() -> None:
    """Each write has its own verification; other options may come between."""
    line = parse([*SWD, "-w", "a.bin", "0x08000000", "-v", "fast", "-d", "b.bin", "0x90000000", "--quietMode", "-V"])
    assert line.actions == [Write("a.bin", 0x08000000, "fast"), Write("b.bin", 0x90000000, "full")]
    assert line.quiet


@pytest.mark.parametrize("at", [2, 5, 6, 9, 10])
def test_skip_erase_holds_for_every_write_of_the_run(at: int) -> None:
    """Public scripts give it in front of a write, and ST's own give it after `-v`."""
    argv = [*SWD, "-d", "a.bin", "0x08000000", "-v", "-d", "b.bin", "0x90000000", "-V"]
    if at in {5, 9}:  # between a write and its verification
        with pytest.raises(UsageError, match="Wrong verify command use"):
            parse([*argv[:at], "--skipErase", *argv[at:]])
        return
    line = parse([*argv[:at], "--skipErase", *argv[at:]])
    assert line.actions == [
        Write("a.bin", 0x08000000, "full", erase=False),
        Write("b.bin", 0x90000000, "full", erase=False),
    ]
    assert parse([*SWD, "--SKIPERASE", "-d", "a.bin", "0"]).actions == [Write("a.bin", 0, erase=False)]


def test_upgrades_have_their_flags_and_their_own_verify() -> None:
    """Without flags the tool deletes the old stack first, and starts the new one afterwards."""
    line = parse([*SWD, "-startFUS", "-fwupgrade", "s.bin", "0x08094000", "firstinstall=1", "startstack=0", "-V", "-q"])
    assert line.actions == [
        StartFUS(),
        Upgrade("s.bin", 0x08094000, first_install=True, start_stack=False, verify="full"),
    ]
    line = parse([*SWD, "-fwupgrade", "s.bin", "0x8094000", "-FWDelete", "-startwirelessstack"])
    assert line.actions == [Upgrade("s.bin", 0x08094000), DeleteStack(), StartStack()]


@pytest.mark.parametrize(
    ("words", "sectors"),
    [(["all"], ()), (["3"], (3,)), (["3", "7"], (3, 7)), (["[3", "5]"], (3, 4, 5)), (["[3 5]"], (3, 4, 5))],
)
def test_an_erase_names_sectors_or_a_range(words: list[str], sectors: tuple[int, ...]) -> None:
    """`all` is neither sectors nor a range."""
    assert parse([*SWD, "-e", *words]).actions == [Erase(sectors)]


@pytest.mark.parametrize(
    "argv", [[*SWD, "-v"], [*SWD, "-d", "a.bin", "0x08000000", "-rst", "-v"], [*SWD, "-d", "a.bin", "0", "-v", "-v"]]
)
def test_verify_without_a_write_before_it_is_refused(argv: list[str]) -> None:
    """The error has the real tool's text."""
    with pytest.raises(UsageError, match="must be performed just after write command"):
        parse(argv)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["-rst"], "connection must be established"),
        ([*SWD, "-d", "a.bin"], "address of a.bin"),
        ([*SWD, "-d", "a.bin", "here"], "address of a.bin"),
        ([*SWD, "-fly"], "-fly is not an option"),
        (["-c", "port=USB1"], "only port=SWD"),
        ([*SWD, "-r", "0x8000000"], "is missing"),
        ([*SWD, "-fwupgrade", "s.bin"], "address of s.bin"),
        ([*SWD, "-fwupgrade", "s.bin", "0x08094000", "firstinstall=2"], "Wrong argument of -fwupgrade"),
        ([*SWD, "-fwupgrade", "s.bin", "0x08094000", "faster=1"], "Wrong argument of -fwupgrade"),
        ([*SWD, "-e"], "all, sectors"),
        ([*SWD, "-e", "[1]"], "all, sectors"),
        ([*SWD, "-ob"], "displ, or option bytes"),
        (["-l", "everything"], "Wrong argument of -l"),
    ],
)
def test_what_makes_no_sense_is_refused(argv: list[str], complaint: str) -> None:
    """The error names the argument."""
    with pytest.raises(UsageError, match=complaint):
        parse(argv)
