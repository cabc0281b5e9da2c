# SPDX-License-Identifier: Apache-2.0
"""Holds the words of documents against the code: settings, events, faults, options, files, links, exit codes."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from station.adapters.ledger.events import TYPES
from station.cli import exit_codes
from station.cli.ledger.units import COLUMNS
from station.domain.attempt import STATION_STOPPED
from tests.builders.documented_commands import CODE, FENCE, commands, options
from tests.builders.fault_catalogue import catalogue
from tests.builders.log_words import events, kinds, of_faults
from tests.builders.settings import FILES, schema, tables

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"].keys()
LINK = re.compile(r"\]\(([^)\s]+)\)")
DOTTED = re.compile(r"[a-z_]+\.[a-z_]+")
FILE_ENDINGS = {"bin", "jsonl", "key", "md", "pem", "py", "sqlite", "stldr", "toml"}
OF_THE_TREE = re.compile(r"(?:config|docs|firmware_images|station|tests|tools|virtual_bench)/[\w./-]*")


@cache
def settings() -> Mapping[str, frozenset[str]]:
    """The keys of each table of the files that people write; those above the first table under the empty name."""
    found: dict[str, set[str]] = {}
    for _, model in FILES.values():
        for name, table in tables(model):
            found.setdefault(name, set()).update(field.alias or key for key, field in table.model_fields.items())
    return {name: frozenset(keys) for name, keys in found.items()}


@cache
def values() -> frozenset[str]:
    """The words that settings may have as values."""

    def below(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (
                str(each) for each in [*node.get("enum", []), *[node[key] for key in ("const",) if key in node]]
            )
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from below(each)

    return frozenset(word for _, model in FILES.values() for word in below(json.loads(schema(model))))


def wrong_settings(document: str) -> Iterator[str]:
    """Tables and settings that no file has: in a fenced table, in `[table]`, `[table] key` and `key = value`."""
    for _, block in FENCE.findall(document):
        if re.match(r"\[+[a-z_]+\]+\n", block):
            for table, content in tomllib.loads(block).items():
                yield from _unknown(table, content)
    for code in _codes(document):
        if code.strip("[]") in EXTRAS:
            continue
        if found := re.fullmatch(r"\[+([a-z_]+)\]+(?: ([a-z_]+))?", code):
            yield from _unknown(found[1], {found[2]: None} if found[2] else {})
        elif re.fullmatch(r'[a-z_]+ = (?:".*"|true|false|[\d.]+)', code):
            (key,) = tomllib.loads(code)
            if not any(key in keys for keys in settings().values()):
                yield f"{code}: no such setting"


def _unknown(table: str, content: Mapping[str, object]) -> Iterator[str]:
    if table not in settings():
        yield f"[{table}]: no such table"
    else:
        yield from (f"[{table}] {key}: no such setting" for key in content if key not in settings()[table])


def wrong_names(document: str, foreign: frozenset[str] = frozenset()) -> Iterator[str]:
    """Names with a dot that are neither an event, nor a fault, nor a file; `foreign` ones are files that look like events."""
    known = {*events(), *foreign, STATION_STOPPED, *(fault.code for fault in catalogue())}
    for code in _codes(document):
        if DOTTED.fullmatch(code) and code.rpartition(".")[2] not in FILE_ENDINGS and code not in known:
            yield f"{code}: neither an event nor a fault"


def wrong_words(document: str, foreign: frozenset[str]) -> Iterator[str]:
    """Words in code's letters, and options, that the code does not have; `foreign` words belong to other programs."""
    of_settings = {name for table, keys in settings().items() for name in (*table.split("."), *keys)}
    of_commands = {word for name in commands() for word in name.split()}
    known = {*of_settings, *of_commands, *COLUMNS, *kinds(), *of_faults(), *TYPES, *values(), *EXTRAS, *foreign}
    for code in _codes(document):
        if re.fullmatch(r"[A-Za-z][\w-]*", code) and code not in known:
            yield f"{code}: no such word"
        elif code.startswith("--") and code.split()[0] not in options():
            yield f"{code}: no command has this option"


def wrong_files(document: str, folder: Path) -> Iterator[str]:
    """Files of the tree and systemd units that are not there, and links to a missing file or heading."""
    for code in _codes(document):
        for path in OF_THE_TREE.findall(code) if OF_THE_TREE.match(code) else []:
            if not (ROOT / path).exists():
                yield f"{path}: no such file"
        for unit in re.findall(r"[\w-]+\.(?:service|timer)\b", code):
            if not (ROOT / "config" / "deploy" / unit).exists():
                yield f"{unit}: no such unit in config/deploy"
    for target in LINK.findall(document):
        path, _, heading = target.partition("#")
        if "://" in target:
            continue
        if not (folder / path).exists():
            yield f"{target}: no such file"
        elif heading and heading not in _headings((folder / path).read_text(encoding="utf-8") if path else document):
            yield f"{target}: no such heading"


def wrong_places(document: str, foreign: frozenset[str]) -> Iterator[str]:
    """Absolute paths that neither the code nor the shipped configuration names; `foreign` ones are the system's."""
    sources = [*(ROOT / "station").rglob("*.py"), *(path for path in (ROOT / "config").rglob("*") if path.is_file())]
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in sources)
    for code in _codes(document):
        if re.fullmatch(r"/[\w/.-]+", code) and code not in text and code not in foreign:
            yield f"{code}: not in the code"


def wrong_exit_codes(document: str) -> Iterator[str]:
    """Numbers of exit codes that no command ends with."""
    codes = {str(value) for value in vars(exit_codes).values() if isinstance(value, int)}
    for number in re.findall(r"\bexit(?: code)? (\d+)", document, re.IGNORECASE):
        if number not in codes:
            yield f"exit code {number}: no command ends with it"


def wrong_targets(document: str) -> Iterator[str]:
    """Targets of make that the Makefile does not have."""
    there = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    in_blocks = [line for _, block in FENCE.findall(document) for line in block.splitlines()]
    for text in [*in_blocks, *_codes(document)]:
        if (found := re.match(r"make ([\w-]+)", text)) and found[1] not in there:
            yield f"make {found[1]}: no such target"


def _codes(document: str) -> list[str]:
    """The words in code's letters, outside of blocks."""
    found: list[str] = CODE.findall(FENCE.sub("", document))
    return found


def _headings(document: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
