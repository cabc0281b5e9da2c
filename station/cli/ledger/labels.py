# SPDX-License-Identifier: Apache-2.0
"""`station units label`, `labels` and `forget`: label data for those who may see it, and its end.

Asks the daemon; without one the command opens the ledger itself, which no daemon can have meanwhile.
"""

import asyncio
import base64
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from station.adapters.ledger import Ledger
from station.cli.accounts import account_name, check_account
from station.cli.consoles import say, say_bytes, say_json
from station.cli.ledger.stopped import uid_of
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.config.line import Config
from station.daemon import control
from station.daemon.label_desk import LabelDesk
from station.label.drawn import Form

EXPORTED_WITHIN = 1800.0  # seconds for the label data of a large lot

UnitArgument = Annotated[str, typer.Argument(metavar="UID", help="24 hexadecimal digits.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, in one line. The ledger keeps it with the account's name.")
]
Answer = Mapping[str, object]


def show_label(
    unit: UnitArgument,
    qr: Annotated[bool, typer.Option("--qr", help="Only the text of the QR code.")] = False,
    manual: Annotated[bool, typer.Option("--manual", help="Only the digits of the manual pairing code.")] = False,
    svg: Annotated[
        bool, typer.Option("--svg", help="The label as a picture; the QR code alone if the recipe has no [label].")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="The label as a PDF page of its size.")] = False,
    zpl: Annotated[bool, typer.Option("--zpl", help="The label in the language of Zebra's printers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as one JSON object.")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Show what a passed unit's label says: QR code and manual pairing code. Whoever has them can take the unit.

    The ledger first records who asked and when. A unit whose passcode was forgotten has no label any more.
    """
    if sum((qr, manual, svg, pdf, zpl, as_json)) > 1:
        raise typer.BadParameter("give one of --qr, --manual, --svg, --pdf, --zpl and --json")
    uid = str(uid_of(unit))
    if form := next((form for form, wanted in ((Form.SVG, svg), (Form.PDF, pdf), (Form.ZPL, zpl)) if wanted), None):
        say_bytes(_drawn(config, uid, form, reason))
        return
    answer = _answered(
        config,
        "label",
        {"uid": uid, "reason": reason},
        lambda desk: _as_answer(desk, uid, reason),
    )
    if as_json:
        say_json({"label": dict(answer)})
    elif qr or manual:
        say(answer["qr_code" if qr else "manual_code"])
    else:
        say(f"{answer['serial_number']}  uid {uid}")
        say(f"QR code      {answer['qr_code']}")
        say(f"manual code  {answer['manual_code']}")
        if answer.get("work_order") is not None:
            say(f"work order   {answer['work_order']}")


def forget(unit: UnitArgument, reason: ReasonOption, config: ConfigOption = None) -> None:
    """Shred a unit's passcode and verifier: no key brings them back, and no label can be made any more.

    Serial number, discriminator and certificates stay, and no other unit gets the same pair. A unit that is plugged in again
    is void as unit.forgotten.
    """
    uid = str(uid_of(unit))

    async def shred(desk: LabelDesk) -> Answer:
        return {"forgotten": await desk.forget(uid, who=account_name(), reason=reason)}

    answer = _answered(config, "forget", {"uid": uid, "reason": reason}, shred)
    say(f"{uid} is forgotten" if answer["forgotten"] else f"{uid} was forgotten before")


def export_labels(
    lot: Annotated[str, typer.Option("--lot", help="The lot whose passed units are exported.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A new file.")],
    recipient: Annotated[
        Path,
        typer.Option(
            "--recipient", metavar="KEY", help="File with the print house's public key: age1…, or an SSH key."
        ),
    ],
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Write the label data of a lot for a print house, encrypted to its public key; `age --decrypt` reads it.

    The content is a CSV file, which is never on this disk. The ledger records the lot, the number of units and the key's
    fingerprint: compare that with the print house.
    """
    if to.exists():
        raise typer.BadParameter(f"{to} already exists: an export overwrites nothing")
    try:
        key = recipient.read_text(encoding="ascii", errors="replace")
    except OSError as exc:
        raise typer.BadParameter(f"{recipient}: {exc.strerror}") from exc

    async def written(desk: LabelDesk) -> Answer:
        done = await desk.export(lot, key, who=account_name(), reason=reason)
        return {"file": str(done.file), "units": done.units, "recipient": done.recipient}

    answer = _answered(config, "labels", {"lot": lot, "recipient": key, "reason": reason}, written)
    shutil.move(str(answer["file"]), to)
    say(f"{to}: {answer['units']} units, for the key with SHA-256 {answer['recipient']}")


def _answered(
    config: Path | None, command: str, question: Mapping[str, object], without: Callable[[LabelDesk], Awaitable[Answer]]
) -> Answer:
    loaded = configuration.load(config_path(config))
    try:
        return control.ask_patiently(loaded.control_socket, command, EXPORTED_WITHIN, question)
    except control.DaemonMute:
        raise
    except control.DaemonAbsent:
        if not loaded.ledger.exists():
            raise
        check_account(loaded.ledger)
        return asyncio.run(_done(loaded, without))


async def _done(config: Config, act: Callable[[LabelDesk], Awaitable[Answer]]) -> Answer:
    from station.recipe.files import (
        line_recipe,
    )  # with the certificates' rules, which the daemon's answer does not need

    section = config.station
    recipe = line_recipe.load(config)
    opening = Ledger.open(
        config.ledger, station=section.name, register=section.witness, key=config.secrets.key, only=True
    )
    async with opening as ledger:
        return await act(LabelDesk(ledger, config.ledger, recipe))


async def _as_answer(desk: LabelDesk, uid: str, reason: str) -> Answer:
    return asdict(await desk.label(uid, who=account_name(), reason=reason))


def _drawn(config: Path | None, uid: str, form: Form, reason: str) -> bytes:
    async def draw(desk: LabelDesk) -> Answer:
        content = await desk.drawn(uid, form, who=account_name(), reason=reason)
        return {"content": base64.b64encode(content).decode()}

    answer = _answered(config, "label", {"uid": uid, "form": form.value, "reason": reason}, draw)
    return base64.b64decode(str(answer["content"]))
