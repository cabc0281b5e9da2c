# SPDX-License-Identifier: Apache-2.0
"""The API over HTTP, with a line that is made up, a real ledger and a real file of people."""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from typer.testing import CliRunner

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.cli import app
from station.daemon.page_acts import PageActs
from station.daemon.unit_commands import UnitCommands
from station.domain.attempt import Voided
from station.domain.intervention import Decision
from station.domain.people import Role
from station.domain.policy import Suspicion
from station.domain.samples import Expected, SampleChecked
from station.line.line import Line
from station.mes.message import Message
from station.web import api, routes
from station.web.acts import FORMS, ActRefused, LabelWrong, LotChange
from station.web.api import Api
from station.web.counted import Counted
from station.web.guard import guarded
from station.web.hub import Hub
from station.web.pins import PINs
from station.web.questions import NewLot, NewSample
from tests.builders.bench import Secrets, begun, passed, target
from tests.builders.people import people_file
from tests.web.fake_door import FakeDoor, running, slot

PIN, OTHER = "739154", "280461"
SLOTS = {"1": "running", "slot 2/ä": "empty"}


@dataclass
class Acts:
    """Writes down what was done."""

    done: list[tuple[str, str | None, str, str]] = field(default_factory=list)
    refusal: str | None = None
    wrong: LabelWrong | None = None

    async def hold(self, slot: str, *, who: str, reason: str) -> Mapping[str, object]:
        return self._did("hold", slot, who, reason, {"held": slot, "recorded": True})

    async def release(self, slot: str | None, *, who: str, reason: str) -> Mapping[str, object]:
        line = {"state": "open", "fault": None, "reason": None}
        return self._did("release", slot, who, reason, {"released": [], "line": line, "recorded": True})

    async def label(self, uid: str, form: str, *, who: str) -> bytes:
        return str(self._did(f"label.{form}", uid, who, "", {"content": f"a {form}"})["content"]).encode()

    async def print_label(self, uid: str, reason: str, *, who: str, engineer: bool) -> Mapping[str, object]:
        return self._did(f"print {engineer}", uid, who, reason, {"uid": uid, "copy": 2, "unproven": None})

    async def scan(self, text: str, slot: str | None, *, who: str) -> Mapping[str, object]:
        if self.wrong is not None:
            raise self.wrong
        told = {"uid": "0" * 24, "serial_number": "SN000001", "slot": slot, "bound": slot is not None}
        return self._did("scan", slot, who, text, told)

    async def release_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        return self._did("release_unit", uid, who, reason, {"released": uid})

    async def scrap_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        return self._did("scrap_unit", uid, who, reason, {"scrapped": uid, "certificate": None})

    async def add_sample(self, sample: NewSample, *, who: str) -> Mapping[str, object]:
        return self._did("sample", sample.uid, who, sample.reason, {"sample": sample.uid})

    async def open_lot(self, lot: NewLot, *, who: str) -> Mapping[str, object]:
        return self._did("open_lot", lot.name, who, lot.reason, {"lot": lot.name, "state": "open"})

    async def change_lot(self, lot: str, change: LotChange, *, who: str, reason: str) -> Mapping[str, object]:
        return self._did(change, lot, who, reason, {"lot": lot, "state": change})

    def _did(
        self, what: str, slot: str | None, who: str, reason: str, answer: Mapping[str, object]
    ) -> Mapping[str, object]:
        if self.refusal:
            raise ActRefused(self.refusal)
        self.done.append((what, slot, who, reason))
        return answer


@dataclass
class Desk:
    """A client of the API, and what stands behind it."""

    client: TestClient[web.Request, web.Application]
    acts: Acts
    people: PeopleFile
    ledger: Ledger
    ledger_path: Path

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, object]]:
        async with self.client.get(api.PREFIX + path, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else {}

    async def post(self, path: str, body: object = None, token: str | None = None) -> tuple[int, dict[str, object]]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with self.client.post(api.PREFIX + path, json=body, headers=headers) as answer:
            content: dict[str, object] = await answer.json(content_type=None)
            return answer.status, content

    async def token(self, pin: str) -> str:
        status, answer = await self.post("/sessions", {"pin": pin})
        assert status == 200, answer
        return str(answer["token"])


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    monkeypatch.setattr("station.web.counted.FRESH_FOR", -1.0)
    path, recipe = tmp_path / "state" / "ledger.sqlite", tmp_path / "recipe.toml"
    path.parent.mkdir()
    recipe.write_text('[within]\nconfirm = 30\n[lot]\nname = "LOT-1"\nserial_number = "SN{:06d}"\nsize = 500\n')
    people = people_file(tmp_path / "people.json", ("Anna", Role.ENGINEER, PIN), ("Ben", Role.OPERATOR, OTHER))
    acts, door = Acts(), FakeDoor([running("1"), slot("slot 2/ä")])
    async with Ledger.open(path, station="line-1") as ledger:
        hub = Hub(door, "1")
        server = web.Application(middlewares=[guarded])
        pins = PINs(people, clock=lambda: 1000.0)
        routes.of(Api(door, lambda: hub, LedgerReader(path), pins, acts, Counted(path, recipe)))(server)
        async with TestClient(TestServer(server)) as client:
            yield Desk(client, acts, people, ledger, path)


async def test_line_and_slots_are_told(desk: Desk) -> None:
    """A slot is named as the configuration names it."""
    status, board = await desk.get("/board")
    assert (status, board["station"]) == (200, "line-1")
    _, slots = await desk.get("/slots")
    assert [(each["slot"], each["state"]) for each in slots["slots"]] == list(SLOTS.items())  # type: ignore[attr-defined]
    assert (await desk.get("/slots/slot%202%2F%C3%A4"))[1]["state"] == "empty"
    assert (await desk.get("/slots/3"))[0] == 404
    assert (await desk.get("/line"))[1]["state"] == "open"


async def test_units_attempts_and_events_come_page_by_page(desk: Desk) -> None:
    """Each once, in their order; the last page has no next one. No answer has a passcode or a verifier."""
    secrets = Secrets()
    for board in (1, 2, 3):
        await passed(await begun(desk.ledger, secrets, slot=str(board)), board, f"0{board}")
    void = await begun(desk.ledger, secrets, slot="1")
    await void.finish(Voided("tty.lost", {}))
    seen: dict[str, list[dict[str, object]]] = {}
    text = ""
    for name in ("units", "attempts", "events"):
        after: object = 0
        while after is not None:
            status, page = await desk.get(f"/{name}?after={after}&limit=2")
            assert status == 200
            entries = page[name]
            assert isinstance(entries, list)
            assert len(entries) <= 2
            seen.setdefault(name, []).extend(entries)
            text += json.dumps(page)
            after = page["next"]
    assert [unit["serial_number"] for unit in seen["units"]] == ["SN000001", "SN000002", "SN000003"]
    assert [(each["slot"], each["verdict"]) for each in seen["attempts"]] == [
        ("1", "pass"),
        ("2", "pass"),
        ("3", "pass"),
        ("1", "void"),
    ]
    numbers = [event["number"] for event in seen["events"]]
    assert numbers == sorted(set(numbers), key=lambda number: int(str(number)))
    assert {str(event["attempt"]) for event in seen["events"]} == {"1", "2", "3", "4"}
    status, story = await desk.get("/units/SN000002")
    assert (status, story["uid"]) == (200, seen["units"][1]["uid"])
    assert (await desk.get("/units/SN000009"))[0] == 404
    text += json.dumps(story)
    assert "canary" not in text
    assert "2020202" not in text


async def test_messages_that_the_mes_has_not_confirmed_come_page_by_page(desk: Desk) -> None:
    """Delivered ones are none of them, and no answer has a message's body."""
    messages = [Message("webhook", f"board {board}", "attempt.finished.v1", '{"id": "x"}') for board in (1, 2, 3)]
    await desk.ledger.outbox.put(messages, datetime.now(UTC))
    await desk.ledger.outbox.died(1, "HTTP 400", datetime.now(UTC))
    await desk.ledger.outbox.delivered(2, datetime.now(UTC))
    _, first = await desk.get("/outbox?limit=1")
    assert first["next"] == 1
    _, second = await desk.get("/outbox?after=1")
    assert isinstance(first["messages"], list)
    assert isinstance(second["messages"], list)
    told = [(each["number"], each["key"], each["dead_at"] is None) for each in first["messages"] + second["messages"]]
    assert told == [(1, "board 1", False), (3, "board 3", True)]
    assert "body" not in first["messages"][0]


async def test_attempts_are_selected_by_every_condition(desk: Desk) -> None:
    """So "why did slot 1 fail since then" is one question."""
    secrets = Secrets()
    await passed(await begun(desk.ledger, secrets, slot="1"), 1)
    await (await begun(desk.ledger, secrets, slot="1")).finish(Voided("tty.lost", {}))
    await (await begun(desk.ledger, secrets, slot="2")).finish(Voided("tty.lost", {}))
    now = datetime.now(UTC)
    begin, end = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (now - timedelta(hours=1), now + timedelta(hours=1)))

    async def numbers(query: str) -> list[object]:
        status, page = await desk.get(f"/attempts?{query}")
        assert status == 200, page
        attempts = page["attempts"]
        assert isinstance(attempts, list)
        return [each["number"] for each in attempts]

    assert await numbers(f"slot=1&fault=tty.lost&since={begin}&until={end}") == [2]
    assert await numbers("verdict=void") == [2, 3]
    assert await numbers("step=confirm") == [1]
    assert await numbers(f"until={begin}") == []
    assert await numbers("lot=LOT-1&verdict=pass") == [1]


async def test_attempts_come_as_lines_and_as_a_table(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, however many pieces they are read in, unless somebody asks for fewer. No spreadsheet takes a name for a formula."""
    monkeypatch.setattr("station.web.attempt_stream.AT_ONCE", 2)
    for slot_name in ("1", "=2", "1", "1", "1"):
        await (await begun(desk.ledger, Secrets(), slot=slot_name)).finish(Voided("tty.lost", {}))

    async def text(query: str) -> str:
        async with desk.client.get(f"{api.PREFIX}/attempts?{query}") as answer:
            assert answer.status == 200
            return await answer.text()

    lines = [json.loads(line) for line in (await text("format=jsonl")).splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines == (await desk.get("/attempts"))[1]["attempts"]
    assert len((await text("format=jsonl&slot=1&limit=3")).splitlines()) == 3
    assert await text("format=jsonl&after=5") == ""
    rows = list(csv.DictReader(io.StringIO(await text("format=csv&after=1"))))
    assert [(row["number"], row["slot"]) for row in rows] == [("2", "'=2"), ("3", "1"), ("4", "1"), ("5", "1")]
    assert list(rows[0]) == list(lines[0])
    assert (await desk.get("/attempts?format=xml"))[0] == 400


async def test_events_are_selected_too(desk: Desk) -> None:
    for slot_name in ("1", "2"):
        await (await begun(desk.ledger, Secrets(), slot=slot_name)).finish(Voided("tty.lost", {}))
    for query, wanted in (("slot=2", [("2", 2)]), ("type=Voided", [("1", 1), ("2", 2)]), ("attempt=1", [("1", 1)])):
        status, page = await desk.get(f"/events?{query}")
        events = page["events"]
        assert isinstance(events, list)
        assert (status, [(each["slot"], each["attempt"]) for each in events if each["type"] == "Voided"]) == (
            200,
            wanted,
        )
    assert (await desk.get("/events?type=Passed"))[1] == {"events": [], "next": None}


async def test_the_numbers_are_those_of_the_command(desk: Desk) -> None:
    await passed(await begun(desk.ledger, Secrets(), slot="1"), 1)
    await (await begun(desk.ledger, Secrets(), slot="2")).finish(Voided("tty.lost", {}))
    told = CliRunner().invoke(app, ["numbers", "--ledger", str(desk.ledger_path), "--json"])
    status, found = await desk.get("/numbers")
    assert status == 200
    limits = found["steps"]["confirm"]  # type: ignore[index]
    assert limits["limit"] == 30
    command = json.loads(told.output)
    assert command.pop("schema") == 1
    command["steps"]["confirm"]["limit"] = 30.0  # the command has no recipe here
    command["steps"]["confirm"]["histogram"], command["steps"]["confirm"]["bin_width"] = (
        limits["histogram"],
        limits["bin_width"],
    )
    assert found == command
    assert (await desk.get("/numbers?slot=2"))[1]["void"] == 1
    assert (await desk.get("/numbers?since=2026-11-26"))[0] == 400


async def test_the_lots_add_up(desk: Desk) -> None:
    """The recipe's, of which the plan is known, and others."""
    await passed(await begun(desk.ledger, Secrets(), slot="1"), 1)
    status, lot = await desk.get("/lots/LOT-1")
    wanted = {"name": "LOT-1", "planned": 500, "identities": 1, "passed": 1, "burned": 0, "failed": 0, "left": 499}
    assert status == 200
    assert {name: lot[name] for name in wanted} == wanted
    assert (await desk.get("/lots"))[1] == {"lots": [lot]}
    assert (await desk.get("/lots/LOT-2"))[0] == 404


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/line?x=1", "x is not known here"),
        ("/units?limit=0", "limit"),
        ("/units?limit=1001", "limit"),
        ("/units?after=-1", "after"),
        ("/units?after=9223372036854775808", "after"),
        ("/units?after=1&after=2", "more than once: after"),
        ("/attempts?since=yesterday", "since"),
        ("/attempts?since=2026-11-26T10:00:00", "since"),
        ("/attempts?verdict=good", "verdict"),
        ("/attempts?step=", "step"),
        ("/attempts?sl0t=4", "there are: after, limit, since"),
    ],
)
async def test_a_mistake_in_the_query_is_told(desk: Desk, path: str, told: str) -> None:
    """As RFC 9457 has it."""
    status, answer = await desk.get(path)
    assert (status, answer["status"], answer["title"]) == (400, 400, "Bad Request")
    assert told in str(answer["detail"])


async def test_an_answer_that_has_not_changed_is_not_sent_again(desk: Desk) -> None:
    async with desk.client.get(f"{api.PREFIX}/line") as first:
        etag = first.headers["ETag"]
    async with desk.client.get(f"{api.PREFIX}/line", headers={"If-None-Match": f'"x", {etag}'}) as again:
        assert (again.status, await again.text()) == (304, "")
    assert (await desk.get("/line", **{"If-None-Match": '"other"'}))[0] == 200


async def test_only_people_change_something(desk: Desk) -> None:
    """An operator holds, an engineer releases; the act has name, address and reason."""
    for token in (None, "", "x", "x y"):
        assert (await desk.post("/slots/1/hold", {}, token))[0] == 401
    ben, anna = await desk.token(OTHER), await desk.token(PIN)
    assert (await desk.post("/slots/1/hold", {"reason": "bent pin"}, ben))[0] == 200
    assert (await desk.post("/slots/1/release", {}, ben))[0] == 403
    assert (await desk.post("/slots/1/release", {}, anna))[0] == 200
    assert (await desk.post("/line/release", None, anna))[0] == 200
    assert (await desk.post("/slots/9/hold", {}, anna))[0] == 404
    assert desk.acts.done == [
        ("hold", "1", "Ben at 127.0.0.1", "bent pin"),
        ("release", "1", "Anna at 127.0.0.1", ""),
        ("release", None, "Anna at 127.0.0.1", ""),
    ]
    program = desk.people.add_token("MES", Role.OPERATOR)
    assert (await desk.post("/slots/1/hold", {}, program))[0] == 200
    desk.people.remove("MES")
    assert (await desk.post("/slots/1/hold", {}, program))[0] == 401
    desk.acts.refusal = "the reason must be one line"
    status, answer = await desk.post("/slots/1/hold", {"reason": "a\nb"}, anna)
    assert (status, answer["detail"]) == (409, "the reason must be one line")


async def test_an_engineer_makes_a_board_a_sample(desk: Desk) -> None:
    ben, anna = await desk.token(OTHER), await desk.token(PIN)
    uid = "00" * 12
    assert (await desk.post("/samples", {"uid": uid, "reason": "golden"}, ben))[0] == 403
    assert (await desk.post("/samples", {"uid": "x", "reason": "golden"}, anna))[0] == 400
    assert (await desk.post("/samples", {"uid": uid, "reason": "golden"}, anna)) == (200, {"sample": uid})
    assert (await desk.post("/samples", {"uid": uid, "fault": "board.silent", "reason": "dead"}, anna))[0] == 200
    assert desk.acts.done == [("sample", uid, "Anna at 127.0.0.1", why) for why in ("golden", "dead")]


@pytest.mark.parametrize(("act", "told"), [("release", {}), ("scrap", {"certificate": None})])
async def test_an_engineer_decides_about_units_with_a_reason(desk: Desk, act: str, told: dict[str, object]) -> None:
    """An operator may not; the daemon's command journals name and reason, and what it refuses is told."""
    ben, anna = await desk.token(OTHER), await desk.token(PIN)
    path, uid = f"/units/{'0' * 24}/{act}", "0" * 24
    assert (await desk.post(path, {"reason": "cracked"}))[0] == 401
    assert (await desk.post(path, {"reason": "cracked"}, ben))[0] == 403
    assert (await desk.post(path, {}, anna))[0] == 400
    assert desk.acts.done == []
    done = "released" if act == "release" else "scrapped"
    assert await desk.post(path, {"reason": "cracked"}, anna) == (200, {done: uid, **told})
    assert desk.acts.done == [(f"{act}_unit", uid, "Anna at 127.0.0.1", "cracked")]
    desk.acts.refusal = "it is scrapped already"
    status, answer = await desk.post(path, {"reason": "cracked"}, anna)
    assert (status, answer["detail"]) == (409, "it is scrapped already")


async def test_the_daemons_own_commands_release_and_scrap(desk: Desk, tmp_path: Path) -> None:
    """With the name of the API's caller in the ledger; a unit that cannot be released or scrapped is a refusal."""
    await passed(await begun(desk.ledger, Secrets(), slot="1"), 1, "01")
    uid = str(target(1).uid)
    acts = PageActs(UnitCommands(desk.ledger, Line(Suspicion())).by_name)
    with pytest.raises(ActRefused, match="quarantine"):
        await acts.release_unit(uid, who="Anna at PC", reason="good again")
    with pytest.raises(ActRefused):
        await acts.scrap_unit("nonsense", who="Anna at PC", reason="cracked")
    assert await acts.scrap_unit(uid, who="Anna at PC", reason="cracked") == {"scrapped": uid, "certificate": None}
    status, story = await desk.get(f"/units/{uid}")
    assert status == 200
    assert "Anna at PC" in json.dumps(story)


async def test_samples_are_listed(desk: Desk) -> None:
    """With who made them samples and why, and how each ended last."""
    assert await desk.get("/samples") == (200, {"samples": []})
    await passed(await begun(desk.ledger, Secrets(), slot="1"), 1, "01")
    await desk.ledger.samples.add(target(1).uid, Expected("pass"), Decision("Anna", "golden"))
    await desk.ledger.samples.add(target(2).uid, Expected("fail", "board.silent"), Decision("Anna", "dead"))
    await desk.ledger.samples.record(SampleChecked(1, "pass", None, good=True), target(1).uid)
    status, answer = await desk.get("/samples")
    assert status == 200
    found = answer["samples"]
    assert isinstance(found, list)
    assert [(each["uid"], each["verdict"], each["fault"], each["reason"], each["good"]) for each in found] == [
        (str(target(1).uid), "pass", None, "golden", True),
        (str(target(2).uid), "fail", "board.silent", "dead", None),
    ]
    assert (await desk.get("/samples?limit=3"))[0] == 400


async def test_an_engineer_opens_pauses_and_closes_lots(desk: Desk) -> None:
    """An operator may not; each needs a reason, and a new lot its whole plan."""
    ben, anna = await desk.token(OTHER), await desk.token(PIN)
    new = {"name": "W1", "work_order": "4711", "planned": 3, "pattern": "W{:04d}", "first": 1, "size": 4}
    assert (await desk.post("/lots", new | {"reason": "ordered"}, ben))[0] == 403
    assert (await desk.post("/lots", new, anna))[0] == 400
    assert (await desk.post("/lots", new | {"reason": "ordered", "planned": 0}, anna))[0] == 400
    assert (await desk.post("/lots", new | {"reason": "ordered"}, anna)) == (200, {"lot": "W1", "state": "open"})
    for act in ("pause", "open", "close"):
        assert (await desk.post(f"/lots/W1/{act}", {}, anna))[0] == 400
        assert (await desk.post(f"/lots/W1/{act}", {"reason": "why"}, ben))[0] == 403
        assert (await desk.post(f"/lots/W1/{act}", {"reason": "why"}, anna))[0] == 200
    assert desk.acts.done == [
        ("open_lot", "W1", "Anna at 127.0.0.1", "ordered"),
        *((act, "W1", "Anna at 127.0.0.1", "why") for act in ("pause", "resume", "close")),
    ]
    desk.acts.refusal = "lot W1 is closed already"
    assert (await desk.post("/lots/W1/close", {"reason": "why"}, anna))[0] == 409


async def test_wrong_pins_delay_their_address_and_are_repeated_nowhere(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even the right one is looked at before the time has come."""
    async with desk.client.post(f"{api.PREFIX}/sessions", json={"pin": "739155"}) as first:
        assert first.status == 403
        assert int(first.headers["Retry-After"]) in {1, 2}  # the page counts them down
        answer = await first.text()
    async with desk.client.post(f"{api.PREFIX}/sessions", json={"pin": PIN}) as again:
        assert again.status == 429
        assert int(again.headers["Retry-After"]) in {1, 2}
        told = await again.text()
    assert not [text for text in (answer, told, caplog.text) if "739155" in text or PIN in text]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{", "not JSON"),
        ("[" * 20000, "not JSON"),
        ("7", "valid dictionary"),
        ('{"pin": 739154}', "pin"),
        ('{"pin": "739154", "x": 1}', "x is not known here; there are: pin"),
        ("", "pin"),
    ],
)
async def test_a_mistake_in_the_body_is_told(desk: Desk, body: str, told: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with desk.client.post(f"{api.PREFIX}/sessions", data=body, headers=headers) as answer:
        content = await answer.json(content_type=None)
        assert answer.status == 400
    assert told in content["detail"]
    assert PIN not in str(content)


async def test_a_form_of_another_site_is_no_body(desk: Desk) -> None:
    """A browser sends forms without asking, and JSON not."""
    async with desk.client.post(f"{api.PREFIX}/sessions", data={"pin": PIN}) as answer:
        assert answer.status == 400


async def test_a_damaged_file_of_people_lets_nobody_in_and_is_told(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text("{")
    status, answer = await desk.post("/sessions", {"pin": PIN})
    assert status == 503
    assert "people.json" in str(answer["detail"])


async def test_the_description_has_every_route(desk: Desk) -> None:
    """And every reference in it leads somewhere."""
    status, described = await desk.get("/openapi.json")
    assert status == 200
    paths = described["paths"]
    assert isinstance(paths, dict)
    assert len(paths) == 28
    components = described["components"]
    assert isinstance(components, dict)
    references = {part.split('"')[0] for part in json.dumps(described).split('"#/components/schemas/')[1:]}
    assert references <= set(components["schemas"])


@pytest.mark.parametrize(("form", "kind"), FORMS.items())
async def test_a_label_is_an_engineers_alone(desk: Desk, form: str, kind: str) -> None:
    """Nothing may keep the answer; the daemon's command has recorded it."""
    path = f"{api.PREFIX}/units/{'0' * 24}/label.{form}"
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {await desk.token(OTHER)}"}, 403)):
        async with desk.client.get(path, headers=headers) as answer:
            assert answer.status == status
    assert desk.acts.done == []
    async with desk.client.get(path, headers={"Authorization": f"Bearer {await desk.token(PIN)}"}) as answer:
        assert (answer.status, answer.content_type) == (200, kind)
        assert answer.headers["Cache-Control"] == "no-store"
        assert await answer.read() == f"a {form}".encode()
    assert desk.acts.done == [(f"label.{form}", "0" * 24, "Anna at 127.0.0.1", "")]
    desk.acts.refusal = "it was forgotten"
    async with desk.client.get(path, headers={"Authorization": f"Bearer {await desk.token(PIN)}"}) as answer:
        assert answer.status == 409


async def test_people_print_labels_again_and_scan_them(desk: Desk) -> None:
    """An operator's limit does not hold for an engineer; what the daemon refuses is told."""
    unit, scan = f"{api.PREFIX}/units/{'0' * 24}/labels", f"{api.PREFIX}/labels/scan"
    for pin, role in ((OTHER, False), (PIN, True)):
        headers = {"Authorization": f"Bearer {await desk.token(pin)}"}
        async with desk.client.post(unit, json={"reason": "jam"}, headers=headers) as answer:
            assert (answer.status, (await answer.json())["copy"]) == (200, 2)
        assert desk.acts.done[-1][0] == f"print {role}"
        async with desk.client.post(unit, json={"reason": "fun"}, headers=headers) as answer:
            assert answer.status == 400
        async with desk.client.post(scan, json={"text": "MT:", "slot": "1"}, headers=headers) as answer:
            assert (answer.status, (await answer.json())["bound"]) == (200, True)
    async with desk.client.post(scan, json={"text": "MT:"}) as answer:
        assert answer.status == 401
    desk.acts.refusal = "wrong label"
    headers = {"Authorization": f"Bearer {await desk.token(OTHER)}"}
    async with desk.client.post(scan, json={"text": "MT:", "slot": "1"}, headers=headers) as answer:
        assert (answer.status, (await answer.json())["detail"]) == (409, "wrong label")


async def test_a_pin_for_the_shift_is_good_for_scans_alone(desk: Desk) -> None:
    """As long as its owner is among the people."""
    scan = ("/labels/scan", {"text": "MT:", "slot": "1"})
    status, session = await desk.post("/sessions", {"pin": OTHER, "shift": True})
    assert (status, session["seconds"]) == (200, 28800)
    token = str(session["token"])
    assert (await desk.post(*scan, token))[0] == 200
    assert desk.acts.done[-1][2] == "Ben at 127.0.0.1"
    assert (await desk.post("/slots/1/hold", {}, token))[0] == 401
    assert (await desk.post(*scan, await desk.token(OTHER)))[0] == 200
    desk.people.remove("Ben")
    assert (await desk.post(*scan, token))[0] == 401


async def test_a_wrong_label_is_told_with_both_serial_numbers_and_never_with_its_text(desk: Desk) -> None:
    token, text = await desk.token(OTHER), "MT:Y.K90-Q000KA0648G00"
    for other in ("SN000002", None):
        desk.acts.wrong = LabelWrong("wrong label", "1", "SN000001", other)
        status, told = await desk.post("/labels/scan", {"text": text, "slot": "1"}, token)
        assert (status, told["slot"], told["board"], told["other"]) == (409, "1", "SN000001", other)
    for bad in ({"text": text, "slot": ""}, {"text": text * 100}, {"text": [text]}):
        status, told = await desk.post("/labels/scan", bad, token)
        assert status == 400
        assert text not in str(told)
