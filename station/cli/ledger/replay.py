# SPDX-License-Identifier: Apache-2.0
"""`station replay`: plays an attempt's recording back against this version, and says where it would go another way."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from station.adapters.system import recordings
from station.adapters.system.recordings import RecordingUnreadable
from station.adapters.system.transcripts import RECORDING, place_of
from station.cli.consoles import say, say_json, styled, wide_console
from station.cli.exit_codes import FAILED, USAGE
from station.cli.ledger.questions import JsonOption
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.recipe.files import line_recipe
from station.recipe.recipe import Recipe
from station.replay import cases
from station.replay.entries import EntryInvalid
from station.replay.recipes import HasSecrets
from station.replay.recording import Entry, Recording
from station.replay.replay import Replay

NOTHING = "-"


def replay(
    attempt: Annotated[int, typer.Argument(min=1, help="The attempt's number, as `units show` has it.")],
    folder: Annotated[
        Path | None,
        typer.Option("--recordings", help="The folder of the recordings (default: the line's transcripts)."),
    ] = None,
    as_test: Annotated[
        Path | None,
        typer.Option("--as-test", help="Write a test for pytest, and its recording beside it.", show_default=False),
    ] = None,
    wanted: Annotated[
        str | None,
        typer.Option("--wanted", help="The test's wanted end: pass, or a fault's code (default: today's)."),
    ] = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Play one attempt's recording back against this version: the same programmer's text, board's bytes and PKI's answers.

    Exits 0 if the attempt goes the same way, 1 if it goes another or asks what the recording does not answer, 2 if there is
    no such recording. The recipe is the configuration's.
    """
    settings = configuration.load(config_path(config))
    path = (folder or settings.transcripts) / place_of(attempt, RECORDING)
    try:
        entries = recordings.read(path)
        if (of := entries[0].get("attempt")) != attempt:
            raise _unusable(f"{path}: it is the recording of attempt {of}")
        recipe = line_recipe.load(settings)
        if not isinstance(recipe, Recipe):
            raise _unusable('attempts of procedure = "reconfigure" are not recorded')
        replayed = cases.played(entries, recipe)
        recording = Recording.of(entries)
        if as_test is not None:
            _write_test(as_test, entries, recipe, wanted or _end(replayed))
    except FileNotFoundError:
        raise _unusable(f"{path}: there is no such file. Recordings are removed with the transcripts.") from None
    except (RecordingUnreadable, HasSecrets) as exc:
        raise _unusable(str(exc)) from exc
    except EntryInvalid as exc:
        raise _unusable(f"{path}: this version cannot replay it: {exc}") from exc
    changed = recording.head.get("release") != recipe.release
    if json_wanted:
        say_json(_document(replayed, recipe_changed=changed))
    else:
        _show(replayed, recording, recipe_changed=changed)
    if not replayed.same:
        raise typer.Exit(FAILED)


def _unusable(text: str) -> typer.Exit:
    say(text, err=True)
    return typer.Exit(USAGE)


def _end(replayed: Replay) -> str:
    if replayed.verdict is None:
        raise _unusable(
            "the recording does not answer what this version asks: say with --wanted how the attempt is to end"
        )
    return cases.named(replayed.verdict)


def _write_test(test: Path, entries: Sequence[Entry], recipe: Recipe, wanted: str) -> None:
    if not (test.name.startswith("test_") and test.suffix == ".py"):
        raise _unusable(f"{test}: pytest does not find it. Name it test_….py.")
    if test.exists() and not cases.is_ours(test):
        raise _unusable(f"{test}: it is there already, and is another test")
    try:
        recording = cases.write(test, entries, recipe, wanted)
    except OSError as exc:
        raise _unusable(f"{test} cannot be written: {exc.strerror}") from exc
    say(f"{test} and {recording.name} are written: the attempt is to end as {wanted}", err=True)


def _document(replayed: Replay, *, recipe_changed: bool) -> dict[str, object]:
    return {
        "attempt": replayed.attempt,
        "same": replayed.same,
        "end": None if replayed.verdict is None else cases.named(replayed.verdict),
        "recipe_changed": recipe_changed,
        "steps": [{"recorded": step.recorded, "today": step.today, "same": step.same} for step in replayed.steps],
        "asked_otherwise": list(replayed.asked_otherwise),
    }


def _show(replayed: Replay, recording: Recording, *, recipe_changed: bool) -> None:
    console = wide_console()
    made = recording.head
    say(f"attempt {replayed.attempt} of station {made.get('station_version')} (commit {made.get('station_commit')})")
    if recipe_changed:
        say("the recipe or a file that it names has changed since")
    table = Table("recorded", "today", box=None)
    for step in replayed.steps:
        if step.same:
            table.add_row(styled(step.recorded or NOTHING), styled("same"))
        else:
            table.add_row(styled(step.recorded or NOTHING), styled((step.today or NOTHING, "red")))
    console.print(table)
    for otherwise in replayed.asked_otherwise:
        console.print(styled((otherwise, "yellow")), soft_wrap=True)
    way = "the attempt goes the same way" if replayed.same else "the attempt would go another way"
    console.print(styled((way, "green" if replayed.same else "red")))
