# SPDX-License-Identifier: Apache-2.0
"""Parses the argument list of STM32_Programmer_CLI into commands, in order. Pure.

Options and keys are case-insensitive, and one element may hold an option with its arguments, separated by blanks.
"""

from collections import deque
from dataclasses import replace
from pathlib import PurePath

from virtual_bench.programmer.commands import (
    Action,
    CommandLine,
    Connect,
    DeleteStack,
    DisplayOptions,
    Erase,
    Halt,
    Loader,
    Read,
    Reset,
    Run,
    SetOptions,
    Show,
    ShowFUSOperator,
    ShowFUSState,
    StartFUS,
    StartStack,
    Upgrade,
    Write,
)


class UsageError(Exception):
    """The tool refuses the argument list; the text is its output."""


PLAIN_ACTIONS: dict[str, Action] = {  # actions without arguments
    "rst": Reset(hard=False),
    "hardrst": Reset(hard=True),
    "halt": Halt(),
    "startfus": StartFUS(),
    "fusgetstate": ShowFUSState(),
    "fusopgetversion": ShowFUSOperator(),
    "fwdelete": DeleteStack(),
    "startwirelessstack": StartStack(),
}
SKIP_ERASE = "--skiperase"
UPGRADE_FLAGS = {"firstinstall", "startstack"}
LISTINGS = {"": "", "uart": "uart", "usb": "usb", "st-link": "st-link", "stlink": "st-link", "shared": ""} | {
    "st-link-only": "st-link-only",
    "stlink-only": "st-link-only",
    "stlink-shared": "st-link",
}


def parse(argv: list[str]) -> CommandLine:
    """Parses an argument list. Raises UsageError, with the tool's own words if they are known."""
    return _Parser(argv).parsed()


class _Parser:
    def __init__(self, argv: list[str]) -> None:
        self._words = deque(_resplit(argv))
        self._line = CommandLine()
        self._verifiable = False  # whether the option before this one was a write
        self._skips_erase = SKIP_ERASE in map(str.lower, self._words)  # for all writes of the run, wherever it stands

    def parsed(self) -> CommandLine:
        while self._words:
            self._option(self._words.popleft())
        if self._line.actions and self._line.connect is None:
            raise UsageError("Error: Wrong command use: a connection must be established first (-c)")
        if self._skips_erase:
            self._line.actions = [
                replace(action, erase=False) if isinstance(action, Write) else action for action in self._line.actions
            ]
        return self._line

    def _option(self, word: str) -> None:
        name = word.lower().lstrip("-") if word.startswith("-") else ""
        verifiable, self._verifiable = self._verifiable, False
        match name:
            case "c" | "connect":
                self._line.connect = _connect(self._arguments())
            case "q" | "quietmode":
                self._line.quiet = True
                self._verifiable = verifiable
            case "vb" | "verbosity":
                self._argument("a level")
                self._verifiable = verifiable
            case "y" | "yes" | "nv" | "noverify" | "noreconnect" | "skiperase":
                pass
            case "log":
                self._line.log = self._optional() or "trace.log"
            case "l" | "list":
                asked = (self._optional() or "").lower()
                if asked not in LISTINGS:
                    raise UsageError(f"Error: Wrong argument of -l: {asked}")
                self._line.listing = LISTINGS[asked]
            case "version":
                self._line.version = True
            case "v" | "verify":
                self._verify(allowed=verifiable)
            case _:
                self._line.actions.append(PLAIN_ACTIONS.get(name) or self._action(name, word))

    def _action(self, name: str, word: str) -> Action:  # noqa: PLR0911  a table, with one row an option
        match name:
            case "el" | "extload":
                return Loader(self._argument("a loader"))
            case "w" | "write" | "d" | "download":
                path, address, *_ = (*self._arguments(), "", "")
                self._verifiable = True
                return Write(path, _number(address, f"address of {PurePath(path).name}"))
            case "e" | "erase":
                return _erase(self._arguments())
            case "r" | "read" | "u" | "upload":
                address, size, path = (self._argument("an address, a size and a file") for _ in range(3))
                return Read(_number(address, "address"), _number(size, "size"), path)
            case "r32" | "r16" | "r8":
                address, size = (self._argument("an address and a size") for _ in range(2))
                return Show(_number(address, "address"), _number(size, "size"), int(name[1:]) // 8)
            case "ob" | "optionbytes":
                return _options(self._arguments())
            case "run" | "s" | "start" | "g" | "go":
                address, *_ = (*self._arguments(), "0x08000000")
                return Run(_number(address, "address"))
            case "fwupgrade":
                self._verifiable = True
                return _upgrade(self._arguments())
            case _:
                raise UsageError(f"Error: Wrong command: {word} is not an option of this programmer")

    def _verify(self, *, allowed: bool) -> None:
        fast = bool(self._words) and self._words[0].lower() == "fast"
        if fast:
            self._words.popleft()
        last = self._line.actions[-1] if allowed else None
        if not isinstance(last, Write | Upgrade):
            raise UsageError("Error: Wrong verify command use: it must be performed just after write command")
        self._line.actions[-1] = replace(last, verify="fast" if fast else "full")

    def _optional(self) -> str | None:
        return self._words.popleft() if self._words and not self._words[0].startswith("-") else None

    def _argument(self, what: str) -> str:
        argument = self._optional()
        if argument is None:
            raise UsageError(f"Error: Wrong number of arguments: {what} is missing")
        return argument

    def _arguments(self) -> list[str]:
        return list(iter(self._optional, None))


def _resplit(argv: list[str]) -> list[str]:
    """Splits elements in which ST's callers join an option and its arguments; a path with blanks stays whole."""
    words: list[str] = []
    for element in argv:
        after_connect = bool(words) and words[-1].lower() in {"-c", "--connect"}
        if element.startswith("-") or (after_connect and "=" in element):
            words += element.split()
        else:
            words.append(element)
    return words


def _connect(pairs: list[str]) -> Connect:
    keys = {key.lower(): value for key, _, value in (pair.partition("=") for pair in pairs)}
    if keys.get("port", "").lower() != "swd":
        raise UsageError("Error: Wrong connect parameter: only port=SWD is here")
    return Connect(
        keys["port"], keys.get("sn"), _number(keys.get("index", "0"), "index"), keys.get("mode", "NORMAL").upper()
    )


def _erase(arguments: list[str]) -> Erase:
    """Parses `all`, or sectors; two numbers in brackets are the first and the last of a range."""
    if [argument.lower() for argument in arguments] == ["all"]:
        return Erase()
    text = " ".join(arguments)
    sectors = [_number(number, "sector") for number in text.strip("[]").split()]
    if not sectors or (text.startswith("[") and len(sectors) != 2):
        raise UsageError("Error: Wrong number of arguments: all, sectors, or [first last]")
    return Erase(tuple(range(sectors[0], sectors[1] + 1)) if text.startswith("[") else tuple(sectors))


def _options(arguments: list[str]) -> DisplayOptions | SetOptions:
    if [argument.lower() for argument in arguments] == ["displ"]:
        return DisplayOptions()
    pairs = [(name, value) for name, _, value in (argument.partition("=") for argument in arguments)]
    if not pairs:
        raise UsageError("Error: Wrong number of arguments: displ, or option bytes with their values")
    return SetOptions(tuple((name, _number(value, name)) for name, value in pairs))


def _upgrade(arguments: list[str]) -> Upgrade:
    path, address, *_ = (*arguments, "", "")
    pairs = [argument.lower().partition("=") for argument in arguments[2:]]
    if wrong := [name for name, _, value in pairs if name not in UPGRADE_FLAGS or value not in {"0", "1"}]:
        raise UsageError(f"Error: Wrong argument of -fwupgrade: {wrong[0]}")
    flags = {name: value == "1" for name, _, value in pairs}
    return Upgrade(
        path,
        _number(address, f"address of {PurePath(path).name}"),
        first_install=flags.get("firstinstall", False),
        start_stack=flags.get("startstack", True),
    )


def _number(text: str, what: str) -> int:
    try:
        return int(text, 0)
    except ValueError as exc:
        raise UsageError(f"Error: Wrong {what}: {text or 'none given'}") from exc
