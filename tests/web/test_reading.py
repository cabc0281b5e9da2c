# SPDX-License-Identifier: Apache-2.0
"""A page that other PCs reach is read by whoever has signed in or sends a token, and changed by no cookie."""

import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import structlog
from structlog.testing import capture_logs

from station.domain.people import Role
from station.web.reading import MOST, local
from station.web.routes import ROUTES
from station.web.sign_in import WORDS
from tests.web.abroad import CANARY, FORM, HOURS, PIN, Abroad, cookie_of, served
from tests.web.fake_door import slot

READ = ("/", "/api/v1/board", "/api/v1/line", "/api/v1/slots", "/api/v1/openapi.json", "/readyz", "/api/v1/stream")


@pytest.fixture
async def abroad(tmp_path: Path) -> AsyncIterator[Abroad]:
    async with served(tmp_path) as abroad:
        yield abroad


async def test_nothing_of_the_line_is_read_without_a_session(abroad: Abroad) -> None:
    """A page leads to the one for signing in, and back; a program gets 401. Only that the loop turns is told to everybody."""
    for path in (*READ, "/numbers", "/none", "/metrics"):
        for cookie in (None, "", "x" * 43, "\udcff"):
            async with await abroad.ask(path, cookie=cookie) as answer:
                text = await answer.text()
                of_a_program = path.startswith(("/api/", "/readyz", "/metrics"))
                assert answer.status == (401 if of_a_program else 303), path
                assert "running" not in text
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                if of_a_program:
                    assert answer.headers["WWW-Authenticate"] == "Bearer"
                    assert answer.content_type == "application/problem+json"
    async with await abroad.ask("/numbers?lot=a&slot=1") as answer:
        assert answer.headers["Location"] == "/sign-in?next=%2Fnumbers%3Flot%3Da%26slot%3D1"
    async with await abroad.ask("/") as answer:
        assert answer.headers["Location"] == "/sign-in"
    async with await abroad.ask("/healthz") as answer:
        assert answer.status == 200


async def test_signed_in_a_browser_reads(abroad: Abroad) -> None:
    """Its cookie is for this host over TLS, out of reach of scripts and of other sites, and for a shift."""
    async with await abroad.send("/sign-in", {"pin": PIN, "next": "/numbers?lot=a"}) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/numbers?lot=a")
        assert answer.headers["Cache-Control"] == "no-store"
        morsel = cookie_of(answer)
    assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Strict")
    assert (morsel["path"], morsel["domain"], morsel["max-age"]) == ("/", "", str(int(HOURS * 3600)))
    for path in READ:
        async with await abroad.ask(path, cookie=morsel.value) as answer:
            assert answer.status == 200, path
    async with await abroad.ask("/sign-in", cookie=morsel.value) as answer:
        text = await answer.text()
        assert "Anna is signed in here until" in text
        assert 'action="/sign-out"' in text


async def test_a_cookie_alone_changes_nothing(abroad: Abroad) -> None:
    """Neither by itself nor as a token, on any route; with a token the same request is obeyed."""
    cookie = await abroad.sign_in()
    changes = [
        (route.method, route.path.replace("{slot}", "1")) for route in ROUTES if route.role or route.method != "GET"
    ]
    assert len(changes) >= 4
    bodies = [("POST", path) for _, path in changes] + [("PUT", "/"), ("DELETE", "/api/v1/slots/1"), ("POST", "/none")]
    for method, path in bodies:
        if path == "/api/v1/sessions":
            continue
        for headers in ({}, {"Authorization": f"Bearer {cookie}"}, {"Authorization": f"Cookie {cookie}"}):
            async with await abroad.ask(path, method, cookie, **headers) as answer:
                assert answer.status == 401, (method, path, headers)
    assert abroad.acts.done == []
    async with abroad.browser.post(f"{abroad.url}/api/v1/sessions", json={"pin": PIN}) as answer:
        token = (await answer.json())["token"]
    async with await abroad.ask("/api/v1/slots/1/hold", "POST", Authorization=f"Bearer {token}") as answer:
        assert answer.status == 200
    assert len(abroad.acts.done) == 1


async def test_a_changed_cookie_is_none(abroad: Abroad) -> None:
    cookie = await abroad.sign_in()
    for at in range(len(cookie)):
        other = "A" if cookie[at] != "A" else "B"
        for mutated in (cookie[:at] + other + cookie[at + 1 :], cookie[:at]):
            assert abroad.reading._tokens.holder(mutated) is None  # noqa: SLF001  each over TLS would take long
    for mutated in (cookie[:-1], cookie + "A", cookie.swapcase(), f'"{cookie[1:]}"', cookie[::-1]):
        async with await abroad.ask("/api/v1/line", cookie=mutated) as answer:
            assert answer.status == 401
    async with await abroad.ask("/api/v1/line", Cookie=f"station={cookie}; host-station={cookie}") as answer:
        assert answer.status == 401


async def test_nobody_chooses_the_cookie_of_somebody_else(abroad: Abroad) -> None:
    """Signing in gives a new cookie, whatever the browser had; what it had is over (session fixation)."""
    planted = "A" * 43
    first = await abroad.sign_in(cookie=planted)
    assert first != planted
    second = await abroad.sign_in(cookie=first)
    assert second != first
    for cookie, status in ((planted, 401), (first, 401), (second, 200)):
        async with await abroad.ask("/api/v1/line", cookie=cookie) as answer:
            assert answer.status == status


async def test_signed_out_the_cookie_is_over(abroad: Abroad) -> None:
    cookie, other = await abroad.sign_in(), await abroad.sign_in()
    async with await abroad.send("/sign-out", {}, cookie=cookie) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")
        assert cookie_of(answer)["max-age"] == "0"
    async with await abroad.ask("/api/v1/line", cookie=cookie) as answer:
        assert answer.status == 401
    async with await abroad.ask("/api/v1/line", cookie=other) as answer:
        assert answer.status == 200


async def test_after_a_shift_the_session_ends_and_its_stream(abroad: Abroad) -> None:
    """A page that was opened in time gets no beat more."""
    cookie = await abroad.sign_in()
    abroad.clock.now += HOURS * 3600 - 1
    async with await abroad.ask("/api/v1/stream", cookie=cookie) as stream:
        await stream.content.readuntil(b"event: beat\ndata: {}\n\n")
        abroad.clock.now += 1
        async with await abroad.ask("/api/v1/line", cookie=cookie) as answer:
            assert answer.status == 401
        abroad.door.put(slot("2", "pass", attempt=40))
        assert b"event: slot" not in await stream.content.read()
    async with await abroad.ask("/api/v1/stream", cookie=cookie) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("again", [False, True])
async def test_somebody_who_was_removed_reads_no_more(abroad: Abroad, *, again: bool) -> None:
    """Not even in a stream that is open, and not if somebody of the same name comes."""
    cookie, program = await abroad.sign_in(), abroad.people.add_token("MES", Role.READER)
    async with (
        await abroad.ask("/api/v1/stream", cookie=cookie) as stream,
        await abroad.ask("/api/v1/stream", Authorization=f"Bearer {program}") as other,
    ):
        for each in (stream, other):
            await each.content.readuntil(b"event: beat\ndata: {}\n\n")
        for name in ("Anna", "MES"):
            abroad.people.remove(name)
        if again:
            path = abroad.people.path
            abroad.people.add("Anna", Role.ENGINEER, PIN)
            content = json.loads(path.read_text())
            content["people"][0]["since"] = "2020-01-01T00:00:00Z"  # times have seconds only
            path.write_text(json.dumps(content))
        for each in (stream, other):
            await each.content.read()
    async with await abroad.ask("/api/v1/line", cookie=cookie) as answer:
        assert answer.status == 401
    async with await abroad.ask("/api/v1/line", Authorization=f"Bearer {program}") as answer:
        assert answer.status == 401


async def test_a_file_of_people_that_others_can_read_lets_nobody_in(abroad: Abroad) -> None:
    cookie, program = await abroad.sign_in(), abroad.people.add_token("MES", Role.READER)
    abroad.people.path.chmod(0o644)
    async with await abroad.ask("/api/v1/line", cookie=cookie) as answer:
        assert answer.status == 503
    async with await abroad.ask("/api/v1/line", Authorization=f"Bearer {program}") as answer:
        assert answer.status == 503
        assert str(abroad.people.path) not in await answer.text()
    async with await abroad.send("/sign-in", {"pin": PIN}) as answer:
        assert answer.status == 503
        assert str(abroad.people.path) not in await answer.text()
    abroad.clock.now += 1
    async with abroad.browser.post(f"{abroad.url}/api/v1/sessions", json={"pin": CANARY}) as answer:
        assert answer.status == 503
        assert str(abroad.people.path) not in await answer.text()


async def test_a_program_reads_by_its_token_and_a_reader_changes_nothing(abroad: Abroad) -> None:
    token = abroad.people.add_token("MES", Role.READER)
    bearer = {"Authorization": f"Bearer {token}"}
    for path in READ:
        async with await abroad.ask(path, **bearer) as answer:
            assert answer.status == 200, path
    async with await abroad.ask("/api/v1/slots/1/hold", "POST", **bearer) as answer:
        assert answer.status == 403
        assert (await answer.json())["detail"] == "MES is a reader, and this is for an operator"
    for wrong in (token[:-1], token + "A", ""):
        async with await abroad.ask("/api/v1/line", Authorization=f"Bearer {wrong}") as answer:
            assert answer.status == 401


async def test_a_pin_buys_a_token_that_reads_as_long_as_it_is_good(abroad: Abroad) -> None:
    async with abroad.browser.post(f"{abroad.url}/api/v1/sessions", json={"pin": PIN}) as answer:
        bearer = {"Authorization": f"Bearer {(await answer.json())['token']}"}
    async with await abroad.ask("/api/v1/stream", **bearer) as stream:
        await stream.content.readuntil(b"event: beat\ndata: {}\n\n")
        abroad.clock.now += 120
        await stream.content.read()
    async with await abroad.ask("/api/v1/line", **bearer) as answer:
        assert answer.status == 401


async def test_wrong_pins_delay_their_address_at_both_doors(abroad: Abroad) -> None:
    """Each twice as long, up to a minute; no other address waits."""
    delays = []
    for _ in range(8):
        async with await abroad.send("/sign-in", {"pin": CANARY}) as answer:
            assert answer.status == 403
            assert "Nobody has this PIN." in await answer.text()
            assert "Set-Cookie" not in answer.headers
        async with await abroad.send("/sign-in", {"pin": PIN}) as answer:
            assert answer.status == 429
            left = int(answer.headers["Retry-After"]) - 1
            assert f"{left + 1} s more" in await answer.text()
        async with abroad.browser.post(f"{abroad.url}/api/v1/sessions", json={"pin": PIN}) as answer:
            assert answer.status == 429
        delays.append(left)
        abroad.clock.now += left
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    abroad.reading.pins.sessions.begin_try("10.0.0.9")
    await abroad.sign_in()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),  # as browsers send it under no-referrer
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({}, 303),  # a program
    ],
)
async def test_no_other_site_signs_anybody_in_or_out(abroad: Abroad, headers: dict[str, str], status: int) -> None:
    cookie = await abroad.sign_in()
    async with await abroad.send("/sign-in", {"pin": PIN}, headers) as answer:
        assert answer.status == status
        assert ("Set-Cookie" in answer.headers) is (status == 303)
    async with await abroad.send("/sign-out", {}, headers, cookie) as answer:
        assert answer.status == status
    async with await abroad.ask("/api/v1/line", cookie=cookie) as answer:
        assert answer.status == (401 if status == 303 else 200)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
async def test_only_a_form_signs_in(abroad: Abroad, kind: str) -> None:
    headers = {**FORM, "Content-Type": kind}
    async with abroad.browser.post(f"{abroad.url}/sign-in", data=f"pin={PIN}", headers=headers) as answer:
        assert answer.status == 403
    async with await abroad.send("/sign-in", {"pin": "1" * 70_000}) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("line1.example", 200),
        ("LINE1.example:8470", 200),
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("line2.example", 421),
        ("line1.example.evil.example", 421),
        ("192.168.1.4", 421),
    ],
)
async def test_it_goes_by_its_own_names_alone(abroad: Abroad, host: str, status: int) -> None:
    """Also where somebody signs in."""
    async with await abroad.ask("/sign-in", Host=host) as answer:
        assert answer.status == status
    async with await abroad.send("/sign-in", {"pin": PIN}, {**FORM, "Host": host}) as answer:
        assert answer.status == (303 if status == 200 else 421)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "evil",
        "",
        "/a\r\nSet-Cookie: a=b",
        "/" + "a" * 600,
        "/ü",
    ],
)
async def test_signing_in_leads_to_no_other_site(abroad: Abroad, path: str) -> None:
    assert local(path) == "/"
    async with await abroad.send("/sign-in", {"pin": PIN, "next": path}) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    async with await abroad.ask(f"/sign-in?{urlencode({'next': path})}") as answer:
        assert '<input type="hidden" name="next" value="/">' in await answer.text()


@pytest.mark.parametrize("language", ["en", "de", "zh"])
async def test_the_page_for_signing_in_speaks_three_languages(abroad: Abroad, language: str) -> None:
    """It needs no script, and has no style but the one it names."""
    query = urlencode({"lang": language, "next": '/units/"><script>'})
    async with await abroad.ask(f"/sign-in?{query}") as answer:
        text = await answer.text()
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in text
    assert all(WORDS[language][word] in text for word in ("title", "why", "pin", "go"))
    assert "<script" not in text
    assert "style=" not in text
    async with await abroad.ask(re.findall(r'href="(/assets/[^"]+css)"', text)[0]) as answer:
        assert answer.status == 200
    assert {each: set(words) for each, words in WORDS.items()} == {
        each: set(WORDS["en"]) for each in ("en", "de", "zh")
    }
    held = {name: set(re.findall(r"{\w+}", text)) for name, text in WORDS["en"].items()}
    assert {name: set(re.findall(r"{\w+}", text)) for name, text in WORDS[language].items()} == held


async def test_no_pin_is_told_anywhere(abroad: Abroad, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in an answer nor in the log, which tells of who came, from where, and of wrong PINs."""
    structlog.reset_defaults()
    told = ""
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        for pin in (CANARY, PIN):
            async with await abroad.send("/sign-in", {"pin": pin}) as answer:
                told += await answer.text() + str(answer.headers)
            abroad.clock.now += 100
            async with abroad.browser.post(f"{abroad.url}/api/v1/sessions", json={"pin": pin}) as answer:
                told += await answer.text() + str(answer.headers)
            abroad.clock.now += 100
        cookie = await abroad.sign_in()
        async with await abroad.send("/sign-out", {}, cookie=cookie) as answer:
            told += await answer.text()
    events = [(each["event"], each.get("who"), each["address"]) for each in logs]
    assert events == [
        ("web.pin_wrong", None, "127.0.0.1"),
        ("web.pin_wrong", None, "127.0.0.1"),
        ("web.signed_in", "Anna", "127.0.0.1"),
        ("web.session_opened", "Anna", "127.0.0.1"),
        ("web.signed_in", "Anna", "127.0.0.1"),
        ("web.signed_out", "Anna", "127.0.0.1"),
    ]
    told += json.dumps(logs) + caplog.text
    assert CANARY not in told
    assert PIN not in told
    assert cookie not in told


async def test_cookies_have_a_bound(abroad: Abroad) -> None:
    """The browser that signed in first has to do so again."""
    first = await abroad.sign_in()
    [anna] = abroad.people.people()
    for _ in range(MOST):
        abroad.reading.admit(anna)
    async with await abroad.ask("/api/v1/line", cookie=first) as answer:
        assert answer.status == 401
