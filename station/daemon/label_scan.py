# SPDX-License-Identifier: Apache-2.0
"""The scan that proves a label: the passcode on it must make the verifier that the board in the slot was read back with.

The ledger has that verifier: no unit passes unless what was read back from its board is the same, and the board in the slot
is known by the UID with which it passed there.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from station.adapters.ledger import Ledger, label_prints
from station.daemon.control import CommandRefused, SubjectUnknown
from station.domain.attempt import VERDICTS, Phase
from station.domain.identity import Identity, IdentityState, OnboardingSecrets
from station.domain.intervention import DecisionRefused
from station.domain.labelling import LabelDeed, LabelEvent
from station.domain.target import UID
from station.faults.line import OnboardingCodeInvalid
from station.faults.slot import UnitForgotten
from station.line.slot import Slot
from station.line.states import Judged
from station.matter.onboarding import codes, spake2p
from station.matter.onboarding.codes import OnboardingPayload
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()


class LabelSwapped(CommandRefused):
    """The label is another unit's than the board's in the slot. `other` is None for a label that no unit of the ledger has."""

    def __init__(self, slot: str, board: str, other: str | None) -> None:
        whose = "of no unit that this station has made" if other is None else f"of unit {other}"
        super().__init__(f"wrong label: the board in slot {slot} is unit {board}, and the label is {whose}")
        self.slot = slot
        self.board = board
        self.other = other


@dataclass(frozen=True, slots=True)
class Scanned:
    """Whose label was scanned, and the slot where its board is. `bound` is whether it belongs to that board for good."""

    uid: str
    serial_number: str
    slot: str | None
    bound: bool


class LabelScanning:
    """Compares scanned labels with the boards in the slots."""

    def __init__(
        self, ledger: Ledger, path: Path, recipe: Recipe | Laboratory, passed: Callable[[], Mapping[str, UID | None]]
    ) -> None:
        """`passed` has all slots by name, with the unit that passed there and is still there."""
        self._ledger = ledger
        self._path = path
        self._recipe = recipe
        self._passed = passed

    async def scan(self, text: str, slot: str | None, *, who: str) -> Scanned:
        """Says where the label's board is; with a slot, binds the label to the board there.

        Raises `LabelSwapped`, which is recorded, `CommandRefused` or `SubjectUnknown`.
        """
        payload = self._payload(text)
        try:
            if slot is not None:
                return await self._bind(payload, slot, who)
            return await self._find(payload)
        except DecisionRefused as exc:
            raise CommandRefused(str(exc)) from exc

    def _payload(self, text: str) -> OnboardingPayload:
        try:
            payloads = codes.parse_qr_code(text.strip())
        except OnboardingCodeInvalid as exc:  # without the text, which may hold a passcode
            raise CommandRefused("that is no QR code of a unit's label") from exc
        if len(payloads) != 1:
            raise CommandRefused("the QR code is of several units")
        return payloads[0]

    async def _bind(self, payload: OnboardingPayload, slot: str, who: str) -> Scanned:
        uid = self._board_in(slot)
        try:
            identity = await self._ledger.identity(uid)
        except UnitForgotten as exc:
            raise CommandRefused(f"the passcode of {uid} was forgotten: no label can be compared any more") from exc
        if identity is None or identity.state is not IdentityState.PASSED:
            raise CommandRefused(f"the unit in slot {slot} has not passed")
        state = await self._ledger.label_state(uid)
        if not await self._is_of(payload, identity.secrets):
            await self._refuse_swapped(payload, identity, slot, state.copies, who)
        if not state.copies and isinstance(self._recipe, Recipe) and self._recipe.label and self._recipe.label.printer:
            raise CommandRefused(f"no label of unit {identity.serial_number} was printed by this station")
        if state.bound is None:
            await self._ledger.record_label(
                LabelDeed(datetime.now(UTC), uid, LabelEvent.BOUND, state.copies, who, slot=slot)
            )
            log.info("label.bound", uid=str(uid), slot=slot, copy=state.copies, who=who)
        return Scanned(str(uid), identity.serial_number, slot, bound=True)

    async def _refuse_swapped(
        self, payload: OnboardingPayload, identity: Identity, slot: str, copy: int, who: str
    ) -> None:
        """Records the mismatch and raises `LabelSwapped`."""
        owner = await self._owner(payload)
        other = None if owner is None else owner[1]
        at = datetime.now(UTC)
        await self._ledger.record_label(
            LabelDeed(at, identity.uid, LabelEvent.MISMATCHED, copy, who, slot=slot, other=other)
        )
        log.warning("label.mismatched", uid=str(identity.uid), slot=slot, other=other, who=who)
        raise LabelSwapped(slot, identity.serial_number, other)

    async def _find(self, payload: OnboardingPayload) -> Scanned:
        owner = await self._owner(payload)
        if owner is None:
            raise SubjectUnknown("no unit that this station has made, and remembers, has this label")
        uid, serial_number = owner
        slot = next((name for name, there in self._passed().items() if there == uid), None)
        state = await self._ledger.label_state(uid)
        return Scanned(str(uid), serial_number, slot, bound=state.bound is not None)

    async def _owner(self, payload: OnboardingPayload) -> tuple[UID, str] | None:
        """The unit of this label."""
        found = await asyncio.to_thread(
            lambda: list(label_prints.with_discriminator(self._path, self._ledger.vault, payload.discriminator.value))
        )
        for uid, serial_number, onboarding in found:
            if onboarding.passcode == payload.passcode and await self._is_of(payload, onboarding):
                return uid, serial_number
        return None

    async def _is_of(self, payload: OnboardingPayload, onboarding: OnboardingSecrets) -> bool:
        """Whether the label's passcode makes this verifier, with the salt and the iterations of the board."""
        recipe = self._recipe
        if isinstance(recipe, Recipe) and (payload.vendor_id, payload.product_id) != (
            recipe.vendor_id,
            recipe.product_id,
        ):
            return False
        if payload.discriminator != onboarding.discriminator:
            return False
        made = await asyncio.to_thread(spake2p.verifier, payload.passcode, onboarding.salt, onboarding.iterations)
        return made == onboarding.verifier

    def _board_in(self, name: str) -> UID:
        """The unit that passed in this slot and is still there."""
        slots = self._passed()
        if name not in slots:
            raise SubjectUnknown(f"there is no slot {name[:32]!a}")
        if (uid := slots[name]) is None:
            raise CommandRefused(f"there is no unit in slot {name} that has passed there")
        return uid


def passed_in(slot: Slot) -> UID | None:
    """The unit that has passed in this slot and was not taken out since."""
    match slot.state:
        case Judged(_, outcome) if outcome.verdict == VERDICTS[Phase.PASSED]:
            return outcome.attempt.uid
        case _:
            return None
