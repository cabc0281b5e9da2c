# SPDX-License-Identifier: Apache-2.0
"""`station trust`: brings a trust store up to date, and trusts nothing that nobody has accepted."""

from pathlib import Path
from typing import Annotated

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import DONE, FAILED
from station.cli.judge.inputs import JSONOption
from station.cli.trust.sources import CAOption, FilesArgument, NodeOption, ProductsOption, read
from station.matter.certificates.dcl_trust import verified
from station.recipe.files import trust_folder
from station.recipe.files.trust_update import update_of

app = typer.Typer(help="Look after a trust store.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look after a trust store."""


@app.command()
def update(
    store: Annotated[Path, typer.Argument(help="The trust store, as a recipe names it.", show_default=False)],
    files: FilesArgument = None,
    node: NodeOption = None,
    ca: CAOption = None,
    products: ProductsOption = None,
    accept: Annotated[
        str | None,
        typer.Option(
            "--accept", metavar="DIGEST", help="Write the changes that were shown under it.", show_default=False
        ),
    ] = None,
    json_wanted: JSONOption = False,
) -> None:
    """Compare a trust store with the answers of a DCL node, and list what would change.

    Writes nothing without --accept and the digest that the list ends with; another change has another digest. Exits 1 while changes are
    not accepted.
    """
    trusted = trust_folder.load(store)
    answers, _ = read(files or [], node, ca, products or [], trusted)
    found = verified(answers, trusted)
    wanted = update_of(store, found)
    written = not wanted.changes or accept == wanted.digest
    if written:
        wanted.write()
    sentences = [sentence for change in wanted.changes for sentence in change.sentences]
    if json_wanted:
        digest = wanted.digest if wanted.changes else None
        say_json({"changes": sentences, "left_out": list(found.left_out), "digest": digest, "written": written})
    else:
        say(
            *(f"left out: {reason}" for reason in found.left_out),
            *sentences,
            _conclusion(wanted.digest, sentences, accept),
        )
    raise typer.Exit(DONE if written else FAILED)


def _conclusion(digest: str, sentences: list[str], accepted: str | None) -> str:
    if not sentences:
        return "nothing has changed"
    if accepted == digest:
        return "written; a running line takes up the revocations at once, and the rest at its next start"
    other = f"these are not the changes of {accepted}; " if accepted else ""
    return f"{other}nothing was written: give --accept {digest} to trust this"
