# SPDX-License-Identifier: Apache-2.0
"""Scanned labels: bound to the board whose verifier their passcode makes, and to no other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, label_prints
from station.config.sections import LabelSection
from station.daemon.control import CommandRefused, SubjectUnknown
from station.daemon.forgetting import Forgetting
from station.daemon.label_scan import LabelScanning, LabelSwapped
from station.daemon.slot_labels import SlotLabels
from station.domain.labelling import LabelDeed, LabelEvent
from station.domain.target import UID
from station.label.layout import Field, Layout, Size
from station.label.plan import LabelPlan
from station.matter.onboarding import codes
from station.matter.onboarding.codes import OnboardingPayload
from station.matter.onboarding.passcode import Discriminator, Passcode
from tests.builders.bench import RECIPE, Secrets, begun, onboarding, passed, target
from tests.label.true_secrets import TrueSecrets

UID_1, UID_2 = target(1).uid, target(2).uid
LAYOUT = Layout.of(Size(50, 25, 203), tuple(Field), "Lamp", "SN001000")
PRINTED = replace(RECIPE, label=LabelPlan.of(LAYOUT, "file:/x", required=True, reprints=2))


def label(number: int, *, passcode: int | None = None, product: int = RECIPE.product_id) -> str:
    """The QR code of the unit with these secrets."""
    secret = onboarding(number)
    made = Passcode(secret.passcode.value if passcode is None else passcode)
    return codes.qr_code(OnboardingPayload(RECIPE.vendor_id, product, secret.discriminator, made))


@dataclass
class Desk:
    scanning: LabelScanning
    ledger: Ledger
    path: Path
    slots: dict[str, UID | None]

    def events(self) -> list[tuple[str, str, str | None, str | None]]:
        return [
            (each.type, each.uid, each.slot, each.other)
            for each in label_prints.history(self.path)
            if each.type != "LabelPrintStarted"
        ]


async def printed(ledger: Ledger, uid: UID, copy: int = 1) -> None:
    await ledger.record_label(LabelDeed(datetime.now(UTC), uid, LabelEvent.PRINT_STARTED, copy, "anna"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Two passed units in the slots 1 and 2, each with a printed label; slot 3 is empty."""
    path = tmp_path / "ledger.sqlite"
    async with Ledger.open(path, station="line-1") as ledger:
        for board in (1, 2):
            await passed(await begun(ledger, TrueSecrets((board,))), board=board, dac_serial_number=f"0{board}")
            await printed(ledger, target(board).uid)
        slots: dict[str, UID | None] = {"1": UID_1, "2": UID_2, "3": None}
        yield Desk(LabelScanning(ledger, path, PRINTED, lambda: slots), ledger, path, slots)


async def test_a_label_is_bound_where_its_board_is(desk: Desk) -> None:
    """The first scan tells where; the second, with the slot, binds. A further one changes nothing."""
    found = await desk.scanning.scan(label(1), None, who="anna")
    assert (found.uid, found.serial_number, found.slot, found.bound) == (str(UID_1), "SN000001", "1", False)
    for _ in range(2):
        assert (await desk.scanning.scan(f" {label(1)}\n", "1", who="anna")).bound
    assert (await desk.scanning.scan(label(1), None, who="anna")).bound
    assert desk.events() == [("LabelBound", str(UID_1), "1", None)]
    assert (await desk.ledger.label_state(UID_1)).bound == 1


async def test_the_page_shows_how_far_the_label_of_each_unit_is(desk: Desk) -> None:
    """Due until its print begins, printed until its scan; none for a unit that is forgotten or has no identity."""
    labels = SlotLabels(desk.path, PRINTED.label, desk.slots.values)
    assert labels.of(None) == ("none", None)
    assert labels.of(UID_1) == ("due", None)  # it has passed since the last look
    await labels.once()
    assert labels.of(UID_1) == ("printed", "SN000001")
    await desk.scanning.scan(label(1), "1", who="anna")
    await labels.once()
    assert (labels.of(UID_1), labels.of(UID_2)) == (("bound", "SN000001"), ("printed", "SN000002"))
    await printed(desk.ledger, UID_1, 2)  # which voids the bound one
    await passed(await begun(desk.ledger, TrueSecrets((3,))), board=3, dac_serial_number="03")
    desk.slots |= {"3": target(3).uid, "4": target(4).uid}
    await labels.once()
    assert labels.of(UID_1) == ("printed", "SN000001")
    assert labels.of(target(3).uid) == ("due", "SN000003")
    assert labels.of(target(4).uid) == ("none", None)
    await desk.ledger.forget(target(3).uid, who="anna", reason="test")
    desk.slots["4"] = None
    await labels.once()
    assert labels.of(target(3).uid) == ("none", None)
    assert SlotLabels(desk.path, None, list).of(UID_1) == ("none", None)


async def test_a_label_of_another_printer_waits_for_its_scan_at_once(desk: Desk) -> None:
    plan = LabelPlan.of(LAYOUT, None, required=True, reprints=2)
    await passed(await begun(desk.ledger, TrueSecrets((3,))), board=3, dac_serial_number="03")
    labels = SlotLabels(desk.path, plan, lambda: [target(3).uid])
    await labels.once()
    assert labels.of(target(3).uid) == ("printed", "SN000003")
    only_drawn = SlotLabels(desk.path, replace(plan, required=False), lambda: [target(3).uid])
    await only_drawn.once()
    assert only_drawn.of(target(3).uid) == ("none", None)


async def test_a_swapped_pair_is_caught_at_the_first_scan(desk: Desk) -> None:
    """With both serial numbers, and on record."""
    with pytest.raises(LabelSwapped, match="board in slot 1 is unit SN000001, and the label is of unit SN000002"):
        await desk.scanning.scan(label(2), "1", who="anna")
    assert desk.events() == [("LabelMismatched", str(UID_1), "1", "SN000002")]
    assert (await desk.ledger.label_state(UID_1)).bound is None


@pytest.mark.parametrize(
    "wrong",
    [
        label(1, passcode=20202020),
        label(9),
        label(1, product=0x8005),
        codes.qr_code(OnboardingPayload(0xFFF1, 0x8004, Discriminator(0), onboarding(1).passcode)),
    ],
    ids=["passcode", "unit", "product", "discriminator"],
)
async def test_a_label_of_no_unit_is_as_wrong(desk: Desk, wrong: str) -> None:
    with pytest.raises(LabelSwapped, match="of no unit that this station has made"):
        await desk.scanning.scan(wrong, "1", who="anna")
    with pytest.raises(SubjectUnknown):
        await desk.scanning.scan(wrong, None, who="anna")
    assert desk.events() == [("LabelMismatched", str(UID_1), "1", None)]


async def test_the_verifier_decides_and_not_the_passcode_in_the_ledger(desk: Desk) -> None:
    """A unit whose ledger entry has the label's passcode, and whose board was read back with another verifier, is not bound."""
    await passed(await begun(desk.ledger, Secrets((3,))), board=3, dac_serial_number="03")
    await printed(desk.ledger, target(3).uid)
    desk.slots["3"] = target(3).uid
    with pytest.raises(LabelSwapped):
        await desk.scanning.scan(label(3), "3", who="anna")


async def test_a_further_print_voids_the_binding(desk: Desk) -> None:
    await desk.scanning.scan(label(1), "1", who="anna")
    await printed(desk.ledger, UID_1, copy=2)
    assert not (await desk.scanning.scan(label(1), None, who="anna")).bound
    await desk.scanning.scan(label(1), "1", who="anna")
    assert (await desk.ledger.label_state(UID_1)).bound == 2


async def test_what_cannot_be_bound_is_told(desk: Desk) -> None:
    """No text of the scan is repeated: it may be a passcode."""
    await desk.ledger.forget(UID_2, who="anna", reason="sold")
    await passed(await begun(desk.ledger, TrueSecrets((4,))), board=4, dac_serial_number="04")
    desk.slots["4"] = target(4).uid
    for text, slot, told in (
        (label(1), "9", "there is no slot '9'"),
        (label(1), "3", "no unit in slot 3"),
        (label(2), "2", "was forgotten"),
        (label(4), "4", "no label of unit SN000003 was printed"),
        ("34970112332", "1", "no QR code of a unit's label"),
        (f"{label(1)}*{label(2).removeprefix('MT:')}", "1", "of several units"),
    ):
        with pytest.raises(CommandRefused, match=told) as raised:
            await desk.scanning.scan(text, slot, who="anna")
        assert text not in str(raised.value)
    assert desk.events() == []


async def test_labels_that_others_print_are_bound_without_a_print(desk: Desk) -> None:
    """A print house prints what was exported: then there is no print of ours."""
    await passed(await begun(desk.ledger, TrueSecrets((4,))), board=4, dac_serial_number="04")
    desk.slots["4"] = target(4).uid
    scanning = LabelScanning(desk.ledger, desk.path, RECIPE, lambda: desk.slots)
    assert (await scanning.scan(label(4), "4", who="anna")).bound
    assert (await desk.ledger.label_state(target(4).uid)).bound == 0


async def test_a_unit_may_be_forgotten_once_its_label_is_bound(desk: Desk) -> None:
    """Not while a further print waits for its scan; the label of another unit still works."""
    await desk.scanning.scan(label(1), "1", who="anna")
    await desk.scanning.scan(label(2), "2", who="anna")
    await printed(desk.ledger, UID_2, copy=2)
    round_ = Forgetting(desk.ledger, desk.path, lambda: LabelSection(forget="after-bound"), lambda: None)
    assert [await round_.once(), await round_.once()] == [1, 0]
    with pytest.raises(CommandRefused, match="was forgotten"):
        await desk.scanning.scan(label(1), "1", who="anna")
    assert (await desk.scanning.scan(label(2), "2", who="anna")).bound
    assert await round_.once() == 1
