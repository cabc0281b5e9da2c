# SPDX-License-Identifier: Apache-2.0
"""Answers of a DCL node for the commands: from files, or over HTTPS."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from station.adapters.pki.dcl import Node, NodeUnusable
from station.cli.consoles import say
from station.cli.exit_codes import ENVIRONMENT
from station.cli.judge.inputs import number, read_file, unusable
from station.matter.certificates.dcl_answers import AnswerInvalid, Answers, Identifier
from station.matter.certificates.trust import TrustStore

MAIN_NET = "https://on.dcl.csa-iot.org"

FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(help="Answers of a node: JSON, revocation lists, or folders of both.", show_default=False),
]
NodeOption = Annotated[
    str | None, typer.Option("--node", metavar="URL", help=f"Ask this node, such as {MAIN_NET}.", show_default=False)
]
CAOption = Annotated[
    Path | None,
    typer.Option("--ca", help="Authorities of the node's certificate (default: the machine's).", show_default=False),
]
ProductsOption = Annotated[
    list[str] | None,
    typer.Option("--product", metavar="VID/PID", help="Ask for this model, too; repeatable.", show_default=False),
]


def read(
    files: Sequence[Path], node: str | None, ca: Path | None, products: Sequence[str], store: TrustStore
) -> tuple[Answers, dict[str, bytes]]:
    """The answers, and each as it was; ends the command for files or a node that cannot be used."""
    if bool(files) is (node is not None):
        raise typer.BadParameter("give files, or --node URL", param_hint="FILES")
    if node is None:
        return _of_files(files)
    try:
        return asyncio.run(_of_node(node, ca, [_product(text) for text in products], store))
    except NodeUnusable as exc:
        say(exc, err=True)
        raise typer.Exit(ENVIRONMENT) from exc


def _of_files(files: Sequence[Path]) -> tuple[Answers, dict[str, bytes]]:
    answers, kept = Answers(), dict[str, bytes]()
    for path in [each for given in files for each in (sorted(given.iterdir()) if given.is_dir() else [given])]:
        content = read_file(path)
        kept[f"{len(kept)}-{path.name}" if path.name in kept else path.name] = content
        try:
            answers.add(str(path), content)
        except AnswerInvalid as exc:
            raise unusable(path, "", str(exc).removeprefix(f"{path}: ")) from exc
    return answers, kept


async def _of_node(
    url: str, ca: Path | None, products: Sequence[tuple[int, int]], store: TrustStore
) -> tuple[Answers, dict[str, bytes]]:
    signers = store.cd_signers.values()
    authorities = {Identifier(each.issuer.raw, each.extensions.authority_key_id or b"") for each in signers}
    async with Node.opened(url, ca) as node:
        await node.ask_for_trust(sorted(authorities, key=lambda each: each.key_id))
        for product in products:
            await node.ask_for_model(*product)
        return node.answers, node.kept


def _product(text: str) -> tuple[int, int]:
    vendor_id, _, product_id = text.partition("/")
    try:
        return number(vendor_id), number(product_id)
    except ValueError as exc:
        raise typer.BadParameter(f"{text} is not like 0xFFF1/0x8004", param_hint="--product") from exc
