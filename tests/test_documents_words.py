# SPDX-License-Identifier: Apache-2.0
"""The run book and the README name no command, option, setting, event, fault, file, place or exit code that is not there."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, USAGE
from station.config.line import LOCKS
from tests.builders.documented_commands import commands, mentioned, refusal, typed
from tests.builders.documented_words import (
    wrong_exit_codes,
    wrong_files,
    wrong_names,
    wrong_places,
    wrong_settings,
    wrong_targets,
    wrong_words,
)

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "docs" / "operating.md", ROOT / "README.md", ROOT / "docs" / "shared-ledger.md")
BOOK, README, SHARED = (path.read_text(encoding="utf-8") for path in DOCUMENTS)

# Words of other programs, of the system, and of JSON, and two that only an answer has.
FOREIGN = frozenset(
    {
        *("STM32_Programmer_CLI", "copytruncate", "cp", "create", "jq", "postrotate"),
        *("by-id", "by-path", "dialout", "matter-station", "plugdev", "root"),
        *("maxage", "maxsize", "rotate"),
        *("Date", "null"),
        *("key_sha256", "live_serial_number", "schema", "waiting"),
        "N",
        *("pg_dump", "station_reader", "station_writer"),  # of the centre's database
    }
)
FOREIGN_PLACES = frozenset(
    {
        *("/home", "/run/udev/control", "/dev/serial/by-id", "/dev/serial/by-path/", f"{LOCKS}/matter-station"),
        "/etc/logrotate.d/matter-station",
        *("/etc/pgbackrest.conf", "/etc/postgresql/15/main/conf.d/station.conf", "/etc/postgresql/15/main/pg_hba.conf"),
        # The folder of the line that is set up by hand; a test runs those commands.
        *("/tmp/bench/station.out", "/tmp/bench/dev/serial/by-path/", "/tmp/bench/boards/", "/tmp/bench/ledger.sqlite"),
    }
)
FOREIGN_NAMES = frozenset({"ready.json"})  # files that look like the name of an event
CHECKS: dict[str, Callable[[str], Iterator[str]]] = {
    "exit codes": wrong_exit_codes,
    "files": partial(wrong_files, folder=ROOT / "docs"),
    "names": partial(wrong_names, foreign=FOREIGN_NAMES),
    "places": partial(wrong_places, foreign=FOREIGN_PLACES),
    "settings": wrong_settings,
    "targets": wrong_targets,
    "words": partial(wrong_words, foreign=FOREIGN),
}


@pytest.mark.parametrize("line", [*typed(BOOK), *typed(README), *typed(SHARED)])
def test_a_command_that_is_to_be_typed_parses(line: str) -> None:
    """The command's own parser takes it, with every argument that it needs."""
    assert refusal(line, whole=True) is None


@pytest.mark.parametrize("line", sorted({*mentioned(BOOK), *mentioned(README), *mentioned(SHARED)}))
def test_a_command_that_is_mentioned_parses(line: str) -> None:
    """The command's own parser takes it; prose may leave arguments out."""
    assert refusal(line, whole=False) is None


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_nothing_that_is_not_there(path: Path, check: str) -> None:
    checks = CHECKS | {"files": partial(wrong_files, folder=path.parent)}
    assert list(checks[check](path.read_text(encoding="utf-8"))) == []


def test_no_foreign_word_is_left_over() -> None:
    """A word on the list of exceptions that no document has any more could hide a mistake."""
    assert [word for word in sorted(FOREIGN | FOREIGN_PLACES) if f"`{word}`" not in BOOK + README + SHARED] == []


def test_the_readme_has_every_exit_code() -> None:
    told = "Exit codes: 0 done, 1 the work failed,\n2 wrong usage or configuration, 3 something outside the station is missing."
    assert told in README
    assert (DONE, FAILED, USAGE, ENVIRONMENT) == (0, 1, 2, 3)


def test_the_documents_commands_are_found() -> None:
    """The readers of documents do not overlook them."""
    assert "station units list --since 10:00 --slot 4 --verdict fail --fault board.silent" in typed(BOOK)
    assert "station install --prefix / --dry-run" in typed(BOOK)
    assert "virtual-bench plug --dir /tmp/bench 1" in typed(README)
    assert {"station slots hold", "station onboarding decode", "station csr check"} <= set(mentioned(README))
    assert "station ledger check [--full]" in mentioned(README)
    assert len(commands()) > len(mentioned(README)) > 30


@pytest.mark.parametrize(
    "line",
    [
        "station units list --sinse 10:00",
        "station units list --verdict good",
        "station units list --step await_cheese",
        "station units list --limit many",
        "station units lost",
        "station unit list",
        "station units show",
        "station ledger backup --config line.toml",
        "station ledger … --ledgers FILE",
        "station --jason",
        "virtual-bench plug --dir /tmp/bench one",
    ],
)
def test_a_planted_command_is_refused(line: str) -> None:
    assert typed(f"```\n{line}   # why\n```\n") == [line]
    assert refusal(line, whole=True) is not None


@pytest.mark.parametrize(
    ("check", "planted"),
    [
        ("exit codes", "It ends with exit code 7."),
        ("files", "See `docs/operation.md`."),
        ("files", "See [log.md](logs.md)."),
        ("files", "Run `systemctl enable matter-line.service`."),
        ("files", "See [log.md](log.md#questions)."),
        ("names", "The log has `attempt.ended`."),
        ("names", "The fault is `board.mute`."),
        ("places", "It is in `/var/lib/station-of-matter`."),
        ("settings", "In `[hotplugs]`."),
        ("settings", "In `[hotplug] sauce`."),
        ("settings", 'Set `sauce = "links"`.'),
        ("settings", "```\n[lock]\nreadout = 1\n```\n"),
        ("targets", "Run `make demonstration`."),
        ("targets", "```\nmake demonstration  # eight boards\n```\n"),
        ("words", "At most `port_free_for` seconds."),
        ("words", "Give `--new-keys`."),
    ],
)
def test_a_planted_word_is_found(check: str, planted: str) -> None:
    assert len(list(CHECKS[check](planted))) == 1
