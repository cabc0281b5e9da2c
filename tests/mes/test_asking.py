# SPDX-License-Identifier: Apache-2.0
"""The question before a board, from the procedure to a real HTTP server and back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from station.adapters.ledger import Ledger
from station.adapters.outbox.http import Post
from station.adapters.outbox.route import HTTPRoute
from station.adapters.outbox.tls_files import TLSFiles
from station.domain.attempt import Phase, RouteChecked, UnitIdentified
from station.domain.policy import CONSEQUENCES, Act, act_of
from station.faults.line import MESUnavailable
from station.faults.slot import NotRouted
from station.mes import cfx as cfx_messages
from station.mes import route
from station.mes.route import AnswerUnusable, Question
from station.procedure.identity import check_routed
from tests.builders.bench import Secrets, begun, passed, rows, target


@dataclass
class Server:
    """A server of the MES that answers as it is told."""

    answer: Callable[[], web.Response] = lambda: web.json_response({"allowed": True, "reason": "next step"})
    asked: list[dict[str, object]] = field(default_factory=list)
    mute: bool = False
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        if self.mute:
            await asyncio.sleep(3600)
        return self.answer()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    app = web.Application()
    app.router.add_post("/route", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/route?key=hidden"
    try:
        yield found
    finally:
        await runner.cleanup()


async def work_order() -> str:
    return "LOT-1"


@asynccontextmanager
async def asking(
    server: Server, *, waits: bool = False, cfx: bool = False, within: float = 20.0
) -> AsyncIterator[HTTPRoute]:
    async with Post.opened(TLSFiles(None, None, None).newest) as post:
        yield HTTPRoute(
            post,
            server.url,
            station="line-1",
            work_order=work_order,
            product="lighting",
            waits=lambda: waits,
            cfx=cfx,
            within=within,
        )


BOARD = target(7).uid


async def test_the_question_has_what_the_mes_needs(server: Server) -> None:
    async with asking(server) as asked:
        assert await asked.check(BOARD, None) == RouteChecked(checked=True, reason="next step")
        await asked.check(BOARD, "SN000001")
    plain = {"station": "line-1", "work_order": "LOT-1", "product": "lighting", "uid": str(BOARD)}
    assert server.asked == [plain, plain | {"serial_number": "SN000001"}]


async def test_a_board_that_belongs_elsewhere_is_void(server: Server, ledger: Ledger, secrets: Secrets) -> None:
    """Asked after the UID and before an identity is reserved; the slot stays in service, and the board is set aside."""
    server.answer = lambda: web.json_response({"allowed": False, "reason": "not tested yet"})
    journal = await begun(ledger, secrets)
    async with asking(server) as asked:
        with pytest.raises(NotRouted) as raised:
            async with journal.step(Phase.RECOGNISE):
                await journal.record(UnitIdentified.of(target(7)))
                await check_routed(BOARD, asked, journal)
    assert raised.value.evidence == {"uid": str(BOARD), "reason": "not tested yet"}
    assert CONSEQUENCES[NotRouted].armed
    assert act_of(NotRouted) is Act.ASIDE
    assert await ledger.identity(BOARD) is None
    assert asked.up


async def test_a_board_with_an_identity_is_asked_about_by_its_serial_number(
    server: Server, ledger: Ledger, secrets: Secrets
) -> None:
    identity = await passed(await begun(ledger, secrets), 7)
    journal = await begun(ledger, secrets)
    async with asking(server) as asked, journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(7)))
        await check_routed(BOARD, asked, journal)
    assert server.asked[0]["serial_number"] == identity.serial_number


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500),
        web.Response(status=404),
        web.Response(status=307, headers={"Location": "/elsewhere"}),
        web.Response(text="yes"),
        web.Response(text="[]"),
        web.Response(text='{"allowed": "true"}'),
        web.Response(text='{"allowed": 1}'),
        web.Response(text="[" * 100_000),
        web.Response(body=b"\xff\xfe"),
    ],
    ids=range(9),
)
async def test_what_is_neither_yes_nor_no_is_no_answer(
    server: Server, ledger: Ledger, path: object, secrets: Secrets, answer: web.Response
) -> None:
    """The board goes on, and the journal says that nobody checked it."""
    server.answer = lambda: answer
    journal = await begun(ledger, secrets)
    async with asking(server) as asked, journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(7)))
        await check_routed(BOARD, asked, journal)
        assert not asked.up
        await asked.check_up()  # the line does not wait, so it is not asked again
    assert len(server.asked) == 1
    [(body,)] = rows(path, "SELECT body FROM event WHERE type = 'RouteChecked'")  # type: ignore[arg-type]
    assert json.loads(str(body))["checked"] is False


async def test_a_line_that_waits_is_paused_and_mends_itself(server: Server) -> None:
    """A mute MES pauses the line; its check repeats the question, and passes once that is answered."""
    server.mute = True
    async with asking(server, waits=True, within=0.2) as asked:
        with pytest.raises(MESUnavailable) as raised:
            await asked.check(BOARD, None)
        assert "hidden" not in str(raised.value.evidence)
        with pytest.raises(MESUnavailable):
            await asked.check_up()
        server.mute = False
        server.answer = lambda: web.json_response({"allowed": False})
        async with asyncio.timeout(60):
            while True:
                try:
                    await asked.check_up()
                except MESUnavailable:  # a slow machine
                    continue
                break
        assert asked.up
    assert all(question == server.asked[0] for question in server.asked)
    assert CONSEQUENCES[MESUnavailable].mends_itself


async def test_cfx_asks_for_a_validation_of_the_route(server: Server) -> None:
    body = {"Result": {"Result": "Success", "ResultCode": 0, "Message": ""}}

    def answered(result: str) -> Callable[[], web.Response]:
        primary = {"UniqueIdentifier": str(BOARD), "Result": result, "FailureCode": 0, "Message": "wrong step"}
        said = {"MessageName": cfx_messages.VALIDATE_RESPONSE, "MessageBody": {**body, "PrimaryResult": primary}}
        return lambda: web.json_response(said)

    async with asking(server, cfx=True) as asked:
        server.answer = answered("Passed")
        await asked.check(BOARD, None)
        server.answer = answered("Failed")
        with pytest.raises(NotRouted, match="wrong step"):
            await asked.check(BOARD, None)
    question = server.asked[0]
    assert question["MessageName"] == "CFX.InformationSystem.UnitValidation.ValidateUnitsRequest"
    assert question["RequestID"]
    asked_for = question["MessageBody"]
    assert isinstance(asked_for, dict)
    assert asked_for["Validations"] == ["UnitRouteValidation"]
    assert asked_for["PrimaryIdentifier"] == str(BOARD)


@pytest.mark.parametrize("text", [b"{}", b'{"MessageName": "x"}', b'{"MessageBody": {}}', b"nonsense"])
def test_other_cfx_is_no_answer(text: bytes) -> None:
    with pytest.raises(AnswerUnusable):
        route.cfx_verdict(text)


def test_a_question_is_json_whatever_the_names() -> None:
    question = Question("\u202e", '"', "\\", "00" * 12, None)
    assert json.loads(question.plain())["work_order"] == '"'
