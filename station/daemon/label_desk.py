# SPDX-License-Identifier: Apache-2.0
"""Label data and its end: shown, exported and forgotten, each recorded durably before anything leaves the station.

The daemon's commands use this, and commands of a PC on which no daemon runs.
"""

import asyncio
import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from station.adapters.labels.age_file import Recipient, RecipientUnfit
from station.adapters.ledger import Ledger, label_reader
from station.daemon.control import CommandRefused, SubjectUnknown
from station.domain.identity import Identity
from station.domain.intervention import DecisionRefused
from station.domain.label_data import LabelData
from station.domain.secrets_deed import Act, SecretsDeed
from station.domain.target import UID
from station.faults.slot import UnitForgotten
from station.label import qr_picture
from station.label.drawn import Form, drawn
from station.label.extras import LibraryMissing
from station.matter.onboarding.codes import OnboardingPayload
from station.recipe import unit_builder
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

COLUMNS = (
    "serial_number",
    "uid",
    "vendor_id",
    "product_id",
    "discriminator",
    "qr_code",
    "manual_code",
    "work_order",  # empty for units of a recipe's lot
)


@dataclass(frozen=True, slots=True)
class Exported:
    """A file for a print house, which only it can read."""

    file: Path
    units: int
    recipient: str


class LabelDesk:
    """Answers people who may see label data: whoever has passed the check before is not checked again here."""

    def __init__(self, ledger: Ledger, path: Path, recipe: Recipe | Laboratory) -> None:
        self._ledger = ledger
        self._path = path
        self._recipe = recipe

    async def label(self, uid: str, *, who: str, reason: str) -> LabelData:
        """The unit's label data; raises `CommandRefused` or `SubjectUnknown`."""
        recipe, found = self._product(), await self._identity(uid)
        try:
            made_by, order = await self._ledger.made_by(found.uid), await self._ledger.work_order_of(found.uid)
            data = unit_builder.label_data(recipe, found, made_by, order)
            await self._ledger.record_secrets_deed(SecretsDeed(datetime.now(UTC), who, reason, Act.SHOW, uid=found.uid))
        except DecisionRefused as exc:
            raise CommandRefused(str(exc)) from exc
        return data

    async def drawn(self, uid: str, form: Form, *, who: str, reason: str) -> bytes:
        """The unit's whole label, as on its first print; raises `CommandRefused` or `SubjectUnknown`.

        A recipe without `[label]` has no layout: then SVG shows the QR code alone.
        """
        plan = self._product().label
        if plan is None and form is not Form.SVG:
            raise CommandRefused("the recipe has no [label], which says how large a label is and what it shows")
        data = await self.label(uid, who=who, reason=reason)
        try:
            if plan is None:
                return await asyncio.to_thread(qr_picture.svg, data.qr_code)
            return await asyncio.to_thread(drawn, plan.layout.drawing(data, 1), form)
        except LibraryMissing as exc:
            raise CommandRefused(str(exc)) from exc

    async def forget(self, uid: str, *, who: str, reason: str) -> bool:
        """Shreds the unit's secrets; False if they were gone already. Raises `CommandRefused`."""
        try:
            return await self._ledger.forget(parsed(uid), who=who, reason=reason)
        except DecisionRefused as exc:
            raise CommandRefused(str(exc)) from exc

    async def export(self, lot: str, public_key: str, *, who: str, reason: str) -> Exported:
        """Writes the label data of a lot's passed units beside the ledger, encrypted; raises `CommandRefused`."""
        recipe = self._product()
        try:
            recipient = Recipient(public_key)
        except RecipientUnfit as exc:
            raise CommandRefused(f"the recipient's key: {exc}") from exc
        except LibraryMissing as exc:
            raise CommandRefused(str(exc)) from exc
        now = datetime.now(UTC)
        file = self._path.with_name(f"labels-{now:%Y%m%dT%H%M%S%fZ}.age")
        unfinished = file.with_suffix(".age.new")  # it has its name once the deed is recorded
        try:
            units = await asyncio.to_thread(self._write, unfinished, recipe, lot, recipient)
            if not units:
                raise SubjectUnknown(
                    f"lot {lot} has no passed unit of recipe {recipe.name} whose passcode is remembered"
                )
            deed = SecretsDeed(now, who, reason, Act.EXPORT, units, lot=lot, recipient=recipient.fingerprint)
            try:
                await self._ledger.record_secrets_deed(deed)
            except DecisionRefused as exc:
                raise CommandRefused(str(exc)) from exc
            await asyncio.to_thread(unfinished.rename, file)
        finally:
            await asyncio.to_thread(unfinished.unlink, missing_ok=True)
        return Exported(file, units, recipient.fingerprint)

    def _write(self, file: Path, recipe: Recipe, lot: str, recipient: Recipient) -> int:
        """Encrypts the lot's label data, a unit at a time; returns how many units have any."""
        units = 0

        def counted() -> Iterator[LabelData]:
            nonlocal units
            for label in self._labels_of(recipe, lot):
                units += 1
                yield label

        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            recipient.encrypt(_as_csv(counted()), opened)
        return units

    def _labels_of(self, recipe: Recipe, lot: str) -> Iterator[LabelData]:
        order = label_reader.work_order(self._path, lot)
        for uid, serial_number, secrets in label_reader.of_lot(self._path, self._ledger.vault, lot, recipe.name):
            payload = OnboardingPayload(recipe.vendor_id, recipe.product_id, secrets.discriminator, secrets.passcode)
            yield LabelData.of(uid, serial_number, payload, order)

    def _product(self) -> Recipe:
        if isinstance(self._recipe, Laboratory) or self._recipe.given is not None:
            raise CommandRefused("the line's recipe is the laboratory's, whose units get no label")
        return self._recipe

    async def _identity(self, text: str) -> Identity:
        uid = parsed(text)
        try:
            found = await self._ledger.identity(uid)
        except UnitForgotten as exc:
            raise CommandRefused(f"the passcode of {uid} was forgotten: no label can be made any more") from exc
        if found is None:
            raise SubjectUnknown(f"no unit has UID {uid}")
        return found


def parsed(uid: str) -> UID:
    try:
        return UID.parse(uid)
    except ValueError as exc:
        raise SubjectUnknown(str(exc)) from exc


def _as_csv(labels: Iterator[LabelData]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    for row in chain([COLUMNS], ([getattr(label, name) for name in COLUMNS] for label in labels)):
        writer.writerow(row)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
