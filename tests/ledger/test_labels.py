# SPDX-License-Identifier: Apache-2.0
"""Label data: given to whom it is recorded for, encrypted to a print house, and nowhere else."""

import asyncio
import base64
import csv
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyrage
import pytest

from station.adapters.labels import age_file
from station.adapters.ledger import Ledger, label_reader, secrets_deeds
from station.adapters.ledger.reader import LedgerReader
from station.config.line import SOCKET
from station.config.sections import LabelSection
from station.daemon import control
from station.daemon.control import CommandRefused, SubjectUnknown
from station.daemon.forgetting import Forgetting
from station.daemon.label_desk import LabelDesk
from station.domain.identity import OnboardingSecrets
from station.domain.target import UID
from station.faults.line import ClockContradicted, LedgerUnavailable
from station.label import qr_picture
from station.label.drawn import Form
from station.label.layout import Field, Layout, Size
from station.label.plan import LabelPlan
from station.matter.onboarding import codes
from tests.builders.bench import LOT, RECIPE, Secrets, begun, onboarding, passed, recognised, target
from tests.builders.commands import station
from tests.builders.small_line import small_line
from tests.ledger.test_lots import ANNA, lot

T = TypeVar("T")

UID_1 = str(target(1).uid)


def _same(value: T) -> T:
    return value


@pytest.fixture
async def units(ledger: Ledger) -> Ledger:
    """A ledger with three passed units and one that has not passed."""
    for board in (1, 2, 3):
        await passed(await begun(ledger, Secrets((board,))), board=board, dac_serial_number=f"0{board}")
    await recognised(await begun(ledger, Secrets((4,))), board=4)
    return ledger


@pytest.fixture
def desk(units: Ledger, path: Path) -> LabelDesk:
    return LabelDesk(units, path, RECIPE)


async def test_the_codes_are_those_of_the_unit_and_who_asked_is_recorded(desk: LabelDesk, path: Path) -> None:
    """Whether or not its passcode is in flash: the ledger has it."""
    without = LabelDesk(desk._ledger, path, replace(RECIPE, passcode_in_flash=False))  # noqa: SLF001  the same ledger
    for each in (desk, without):
        data = await each.label(UID_1, who="anna", reason="reprint")
        (payload,) = codes.parse_qr_code(data.qr_code)
        assert payload.passcode == onboarding(1).passcode
        assert payload.discriminator == onboarding(1).discriminator
        assert (payload.vendor_id, payload.product_id) == (RECIPE.vendor_id, RECIPE.product_id)
        assert codes.parse_manual_code(data.manual_code).passcode == onboarding(1).passcode
        assert data.manual_code not in repr(data)
    assert [(each.who, each.deed, each.uid, each.reason) for each in secrets_deeds.history(path)] == [
        ("anna", "show", UID_1, "reprint")
    ] * 2
    story = LedgerReader(path).unit(UID_1)
    assert story is not None
    assert [each.who for each in story.secrets] == ["anna", "anna"]


async def test_some_units_get_no_label(desk: LabelDesk, units: Ledger, path: Path) -> None:
    """One that has not passed, one of another recipe, a forgotten one, and one that is none. Nothing is recorded."""
    await units.forget(target(2).uid, who="anna", reason="sold")
    other = LabelDesk(units, path, replace(RECIPE, name="another"))
    for asked, uid, told in (
        (desk, str(target(4).uid), "only a passed one"),
        (other, UID_1, "was made by recipe"),
        (desk, str(target(2).uid), "was forgotten"),
    ):
        with pytest.raises(CommandRefused, match=told):
            await asked.label(uid, who="anna", reason="")
    for uid in (str(target(9).uid), "nonsense"):
        with pytest.raises(SubjectUnknown):
            await desk.label(uid, who="anna", reason="")
    with pytest.raises(CommandRefused, match="one line"):
        await desk.label(UID_1, who="anna", reason="two\nlines")
    assert [each.deed for each in secrets_deeds.history(path)] == ["forget"]


async def test_an_export_is_its_recipients_alone(desk: LabelDesk, units: Ledger, path: Path) -> None:
    """Passed units that are remembered, and a record with their count and the key's fingerprint."""
    await units.forget(target(2).uid, who="anna", reason="sold")
    owner = pyrage.x25519.Identity.generate()
    done = await desk.export(LOT.name, f"# print house\n{owner.to_public()}\n", who="anna", reason="")
    sealed = done.file.read_bytes()
    table = list(csv.DictReader(io.StringIO(pyrage.decrypt(sealed, [owner]).decode())))
    assert [row["serial_number"] for row in table] == ["SN000001", "SN000003"]
    for row, board in zip(table, (1, 3), strict=True):
        assert codes.parse_qr_code(row["qr_code"])[0].passcode == onboarding(board).passcode
        assert row["qr_code"].encode() not in sealed
    assert done.file.stat().st_mode & 0o777 == 0o600
    deed = list(secrets_deeds.history(path))[-1]
    assert (deed.deed, deed.lot, deed.units, deed.recipient) == ("export", LOT.name, 2, done.recipient)
    assert [file.name for file in path.parent.iterdir() if b"MT:" in file.read_bytes()] == []


async def test_an_export_is_encrypted_unit_by_unit(
    desk: LabelDesk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lot may have a hundred thousand. What fails in the middle is told, and leaves nothing behind."""
    owner, times = pyrage.x25519.Identity.generate(), 1000
    every = list(label_reader.of_lot(path, desk._ledger.vault, LOT.name, RECIPE.name))  # noqa: SLF001  the same ledger

    def many(*_of: object) -> Iterator[tuple[UID, str, OnboardingSecrets]]:
        for _ in range(times):
            yield from every

    monkeypatch.setattr(label_reader, "of_lot", many)
    written: list[int] = []

    def write(_: object, content: bytes) -> int:
        written.append(len(content))
        return len(content)

    monkeypatch.setattr(age_file._Through, "write", write)  # noqa: SLF001  what pyrage writes
    assert (await desk.export(LOT.name, str(owner.to_public()), who="anna", reason="")).units == times * len(every)
    assert sum(written) > 200_000
    assert max(written) < 100_000
    monkeypatch.undo()

    def failing(*_: object) -> Iterator[tuple[UID, str, OnboardingSecrets]]:
        yield from every
        raise LedgerUnavailable("the disk is gone")

    monkeypatch.setattr(label_reader, "of_lot", failing)
    before = set(path.parent.iterdir())
    with pytest.raises(LedgerUnavailable, match="the disk is gone"):
        await desk.export(LOT.name, str(owner.to_public()), who="anna", reason="")
    assert set(path.parent.iterdir()) == before


async def test_the_work_orders_number_is_in_label_and_export(ledger: Ledger, path: Path) -> None:
    """Of the unit's own lot; a unit of the recipe's lot has none."""
    await passed(await begun(ledger, Secrets((1,))), board=1, dac_serial_number="01")
    await ledger.open_lot(lot(planned=3, size=3), ANNA)
    await passed(await begun(ledger, Secrets((2,))), board=2, dac_serial_number="02")
    layout = Layout.of(Size(50, 25, 203), (Field.SERIAL_NUMBER, Field.WORK_ORDER), "Lamp", "SN001000")
    recipe = replace(RECIPE, label=LabelPlan.of(layout, None, required=False, reprints=2))
    desk = LabelDesk(ledger, path, recipe)
    owner = pyrage.x25519.Identity.generate()
    for board, name, order in ((1, LOT.name, None), (2, "W1", "WO-W1")):
        uid = str(target(board).uid)
        assert (await desk.label(uid, who="anna", reason="")).work_order == order
        assert (b"W/O WO-W1" in await desk.drawn(uid, Form.ZPL, who="anna", reason="")) == (order is not None)
        done = await desk.export(name, str(owner.to_public()), who="anna", reason="")
        text = pyrage.decrypt(done.file.read_bytes(), [owner]).decode()
        assert [row["work_order"] for row in csv.DictReader(io.StringIO(text))] == [order or ""]


@pytest.mark.parametrize("key", ["", "age1nonsense", "two\nlines", "AGE-SECRET-KEY-1QQQ", "ssh-rsa AAAA"])
async def test_a_key_that_is_none_is_refused_and_never_shown(desk: LabelDesk, path: Path, key: str) -> None:
    with pytest.raises(CommandRefused, match="recipient's key") as raised:
        await desk.export(LOT.name, key, who="anna", reason="")
    assert not key or key not in str(raised.value)
    assert list(secrets_deeds.history(path)) == []


async def test_units_are_forgotten_some_days_after_their_last_pass(units: Ledger, path: Path) -> None:
    """Not those that have not passed, and none while the clock is contradicted."""
    later = datetime.now(UTC) + timedelta(days=8)

    def contradicted() -> None:
        raise ClockContradicted("later", "now", "then")

    for settings, check, now, expected in (
        (LabelSection(), lambda: None, later, 0),
        (LabelSection(forget="after-days", days=7), contradicted, later, 0),
        (LabelSection(forget="after-days", days=7), lambda: None, later - timedelta(days=2), 0),
        (LabelSection(forget="after-days", days=7), lambda: None, later, 3),
        (LabelSection(forget="after-days", days=7), lambda: None, later, 0),
    ):
        round_ = Forgetting(units, path, partial(_same, settings), check, partial(_same, now))
        assert await round_.once() == expected
    assert {(each.who, each.deed) for each in secrets_deeds.history(path)} == {("station", "forget")}
    assert await units.identity(target(4).uid) is not None


async def test_a_whole_label_is_drawn_by_the_recipe(desk: LabelDesk, path: Path) -> None:
    """Each look is recorded; without `[label]` there is the QR code's picture alone."""
    layout = Layout.of(Size(50, 25, 203), tuple(Field), "Lamp", "SN001000")
    plan = LabelPlan.of(layout, None, required=False, reprints=2)
    with_label = LabelDesk(desk._ledger, path, replace(RECIPE, label=plan))  # noqa: SLF001  the same ledger
    assert (await with_label.drawn(UID_1, Form.PDF, who="anna", reason="")).startswith(b"%PDF")
    assert b"SN000001" in await with_label.drawn(UID_1, Form.ZPL, who="anna", reason="")
    assert b"SN000001" in await with_label.drawn(UID_1, Form.SVG, who="anna", reason="")
    assert (await desk.drawn(UID_1, Form.SVG, who="anna", reason="")).startswith(b"<svg")
    with pytest.raises(CommandRefused, match="no \\[label\\]"):
        await desk.drawn(UID_1, Form.ZPL, who="anna", reason="")
    assert [each.deed for each in secrets_deeds.history(path)] == ["show"] * 4


def test_the_picture_is_of_the_code() -> None:
    made = qr_picture.svg("MT:Y.K9042C00KA0648G00")
    assert made.startswith(b"<svg")
    assert b"MT:" not in made


@dataclass
class Asked:
    questions: list[Mapping[str, object]] = field(default_factory=list)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """A daemon at the control socket, which answers the commands; and their questions."""
    seen, ready, ends = Asked(), threading.Event(), list[Callable[[], object]]()

    async def answer(question: Mapping[str, object]) -> control.Answer:
        seen.questions.append({key: value for key, value in question.items() if key != "who"})
        sealed = tmp_path / "labels.age"
        sealed.write_bytes(b"sealed")
        data = {
            "uid": UID_1,
            "serial_number": "SN000001",
            "qr_code": "MT:Y.K9042C00KA0648G00",
            "manual_code": "34970112332",
        }
        if "form" in question:
            return {"uid": UID_1, "content": base64.b64encode(f"a {question['form']}".encode()).decode()}
        return {**data, "forgotten": True, "file": str(sealed), "units": 2, "recipient": "aa" * 32}

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with control.serving(tmp_path / SOCKET, dict.fromkeys(("label", "labels", "forget"), answer)):
            ends.append(lambda: loop.call_soon_threadsafe(stop.set))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    yield seen
    ends[0]()
    thread.join()


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ((), "34970112332"),
        (("--qr",), "MT:Y.K9042C00KA0648G00\n"),
        (("--manual",), "34970112332\n"),
    ],
)
def test_the_command_shows_what_was_asked_for(
    asked: Asked, tmp_path: Path, option: tuple[str, ...], shown: str
) -> None:
    config = tmp_path / "line.toml"
    config.write_text(small_line("1"))
    output = station("units", "label", UID_1, *option, "--config", config).stdout
    assert shown in output
    assert asked.questions == [{"command": "label", "uid": UID_1, "reason": ""}]


@pytest.mark.parametrize("form", ["svg", "pdf", "zpl"])
def test_the_command_writes_the_whole_label(asked: Asked, tmp_path: Path, form: str) -> None:
    config = tmp_path / "line.toml"
    config.write_text(small_line("1"))
    assert station("units", "label", UID_1, f"--{form}", "--config", config).stdout_bytes == f"a {form}".encode()
    assert asked.questions == [{"command": "label", "uid": UID_1, "form": form, "reason": ""}]


def test_the_other_commands_ask_the_daemon(asked: Asked, tmp_path: Path) -> None:
    config, key, to = tmp_path / "line.toml", tmp_path / "key", tmp_path / "out.age"
    config.write_text(small_line("1"))
    key.write_text("age1…")
    told = station("units", "labels", "--lot", "L", "--to", to, "--recipient", key, "--config", config).stdout
    assert f"{to}: 2 units, for the key with SHA-256 {'aa' * 32}" in told
    assert to.read_bytes() == b"sealed"
    assert station("units", "labels", "--lot", "L", "--to", to, "--recipient", key, "--config", config).exit_code == 2
    assert f"{UID_1} is forgotten" in station("units", "forget", UID_1, "--reason", "r", "--config", config).stdout
    assert json.loads(station("units", "label", UID_1, "--json", "--config", config).stdout)["label"]["uid"] == UID_1
