# SPDX-License-Identifier: Apache-2.0
"""`station dcl`: fetches and verifies what the CSA's ledger says, for `station trust update` on a machine without a network."""

from pathlib import Path
from typing import Annotated

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import DONE, FAILED
from station.cli.judge.inputs import JSONOption, unusable
from station.cli.trust.sources import CAOption, FilesArgument, NodeOption, ProductsOption, read
from station.config import shipped
from station.matter.certificates.dcl_trust import Verified, verified
from station.recipe.files import trust_folder

app = typer.Typer(help="Read the CSA's ledger (DCL).", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Read the CSA's ledger (DCL)."""


@app.command()
def fetch(
    files: FilesArgument = None,
    node: NodeOption = None,
    ca: CAOption = None,
    products: ProductsOption = None,
    store: Annotated[Path, typer.Option("--store", help="The trust store, which is only read.")] = shipped.TRUST,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Keep the answers in this folder, which must be new.", show_default=False),
    ] = None,
    json_wanted: JSONOption = False,
) -> None:
    """Fetch roots, declaration signers, revocations and models from a node, or read its answers from files, and verify them.

    Changes no trust store. Exits 1 if something cannot be used, which is named.
    """
    trusted = trust_folder.load(store)
    answers, kept = read(files or [], node, ca, products or [], trusted)
    found = verified(answers, trusted)
    if to is not None:
        try:
            to.mkdir(parents=True)
            for name, content in kept.items():
                (to / name).write_bytes(content)
        except OSError as exc:
            raise unusable(to, "", f"cannot be written: {exc.strerror}. Give a folder that does not exist.") from exc
    if json_wanted:
        say_json(_as_json(found))
    else:
        say(*_lines(found))
    raise typer.Exit(FAILED if found.left_out else DONE)


def _as_json(found: Verified) -> dict[str, object]:
    return {
        "roots": sorted(key_id.hex().upper() for key_id in found.paas),
        "cd_signers": sorted(key_id.hex().upper() for key_id in found.signers),
        "revoked": {each.issuer_key_id.hex().upper(): len(each.serial_numbers) for each in found.revoked},
        "models": [
            {
                "vendor_id": f"0x{each.vendor_id:04X}",
                "product_id": f"0x{each.product_id:04X}",
                "device_type": f"0x{each.device_type:04X}",
                "product_name": each.product_name,
            }
            for each in found.models
        ],
        "left_out": list(found.left_out),
    }


def _lines(found: Verified) -> list[str]:
    revoked = sum(len(each.serial_numbers) for each in found.revoked)
    counted = f"{len(found.paas)} roots, {len(found.signers)} signers of declarations"
    return [
        f"{counted}, {revoked} revoked certificates of {len(found.revoked)} authorities",
        *(
            f"model 0x{each.vendor_id:04X}/0x{each.product_id:04X}: {each.product_name}, "
            f"device type 0x{each.device_type:04X}"
            for each in found.models
        ),
        *(f"left out: {reason}" for reason in found.left_out),
    ]
