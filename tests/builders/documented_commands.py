# SPDX-License-Identifier: Apache-2.0
"""Holds the command lines of documents against the parsers of the commands."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

import development_pki.__main__
import station.cli
import virtual_bench.cli
from tests.builders.commands import station as run

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile(r"[A-Z]+(?:-or-[a-z-]+|\.[a-z]+)?|…|(?:[\w-]*line|your-line)\.toml|/mnt/backup")

Program = TyperCommand | TyperGroup


@cache
def programs() -> Mapping[str, TyperGroup]:
    """The programs that have commands, by name."""
    apps = {"station": station.cli.app, "virtual-bench": virtual_bench.cli.app}
    found = {name: get_command(app) for name, app in (apps | {"development-pki": development_pki.__main__.app}).items()}
    return {name: group for name, group in found.items() if isinstance(group, TyperGroup)}


@cache
def commands() -> Mapping[str, Program]:
    """Every program, group and command by its full name, as `station units list`."""

    def below(name: str, command: object) -> Iterator[tuple[str, Program]]:
        if isinstance(command, TyperCommand | TyperGroup):
            yield name, command
        if isinstance(command, TyperGroup):
            for word, inner in command.commands.items():
                yield from below(f"{name} {word}", inner)

    return {full: found for name, group in programs().items() for full, found in below(name, group)}


@cache
def options() -> frozenset[str]:
    """Every option of every command, those of gen-factory-data among them."""
    spelled = {option for command in commands().values() for parameter in command.params for option in parameter.opts}
    return frozenset(spelled.union(re.findall(r"--[\w-]+", run("gen-factory-data", "--help").stdout), {"--help"}))


def typed(document: str) -> list[str]:
    """The command lines in a document's fenced blocks."""
    lines = [
        re.split(r" #| && | 2?>", line)[0].strip(" &")
        for _, block in FENCE.findall(document)
        for line in block.splitlines()
    ]
    shape = re.compile(rf"(?:\S*/bin/)?((?:{'|'.join(programs())}) [a-z-][^│]*)")
    return [re.split(r"\s{2,}", found[1])[0] for line in lines if (found := shape.fullmatch(line))]


def mentioned(document: str) -> list[str]:
    """The command lines in a document's prose, and in the first cells of its tables.

    A cell may leave out the words that the command before has: `station slots list`, `hold`.
    """
    found = []
    for line in FENCE.sub("", document).splitlines():
        in_table = line.startswith("| `")
        before: list[str] = []
        for code in CODE.findall(line.split(" | ")[0] if in_table else line):
            words = code.split()
            if words[0] in programs() and len(words) > 1:
                before = words
                found.append(code)
            elif in_table and before:
                before = [*_left_out(before, words), *words]
                found.append(" ".join(before))
    return found


def _left_out(before: Sequence[str], words: Sequence[str]) -> Sequence[str]:
    """The program, and the group of the command before unless these words begin with a group or a command themselves."""
    program, group, *_ = before
    inside_group = isinstance(commands().get(f"{program} {group}"), TyperGroup)
    return [program, group] if inside_group and f"{program} {words[0]}" not in commands() else [program]


def refusal(line: str, *, whole: bool) -> str | None:
    """Why the command's parser refuses the line; with `whole` a missing argument counts, too."""
    name, *words = [word.strip("[]") for word in shlex.split(line)]
    context: typer.Context | None = None
    while isinstance(command := commands()[name], TyperGroup):
        if not words or words[0].startswith("-") or words[0] == "…":
            return _unknown_to_all(name, words)
        if f"{name} {words[0]}" not in commands():
            return f"{line}: no such command: {words[0]}"
        context = typer.Context(command, parent=context, info_name=command.name)
        name, words = f"{name} {words[0]}", words[1:]
    try:
        command.make_context(name, _with_values(words), parent=context)
    except TyperException as exc:
        excused = type(exc).__name__ == "MissingParameter" and not whole
        return None if excused else f"{line}: {exc.format_message()}"
    return None


def _unknown_to_all(group: str, words: Sequence[str]) -> str | None:
    """For `station ledger … --ledger FILE`: the options that neither the group nor a command of it has."""
    known = {"--help"} | {
        option
        for name, command in commands().items()
        if f"{name} ".startswith(f"{group} ")
        for parameter in command.params
        for option in parameter.opts
    }
    missing = [word for word in words if word.startswith("--") and word not in known]
    return f"{group}: no command has {', '.join(missing)}" if missing else None


def _with_values(words: Sequence[str]) -> list[str]:
    """The words with a value in each placeholder's place, and without --help, which would print the help.

    A placeholder of one letter stands for a number, each other for text; a file that is there will do for text.
    """
    values = [_value(word) if PLACEHOLDER.fullmatch(word) else word for word in words]
    return [value for value in values if value != "--help"]


def _value(placeholder: str) -> str:
    return "1" if len(placeholder) == 1 and placeholder.isupper() else str(Path(__file__))
