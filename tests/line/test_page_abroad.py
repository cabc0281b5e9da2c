# SPDX-License-Identifier: Apache-2.0
"""The page of a real line at every address of the PC: refused without people, signed in to, and each act with name and address."""

import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from station.adapters.system.people_file import PeopleFile
from station.config.line import load
from station.domain.people import Role
from tests.builders.line import LOG, Line, LineFailed, station_command
from tests.builders.page_certificate import written
from tests.line.standing_line import Standing

pytestmark = pytest.mark.line

WITHIN = 300.0
PIN, CANARY = "739154", "860427"
ABROAD = """listen = "0.0.0.0:0"
hosts = ["line1.example"]
[web.tls]
certificate = "page.pem"
key = "page-key.pem"
"""


class Browser:
    """Another PC's."""

    def __init__(self, url: str, certificate: Path) -> None:
        self._port = urlsplit(url).port
        self._tls = ssl.create_default_context(cafile=certificate)

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, str, Mapping[str, str]]:
        """The status, the body and the headers of an answer."""
        with closing(HTTPSConnection("127.0.0.1", self._port, timeout=WITHIN, context=self._tls)) as connection:
            sent = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method, path, body, {"Host": "line1.example", **sent})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.headers.items())


def test_another_pc_signs_in_and_changes_nothing_without_a_token(tmp_path: Path) -> None:
    with Line.standing(tmp_path / "line", boards=1) as line:
        standing, config = Standing(line), line.folder / "line.toml"
        line.processes["daemon"].terminate()
        line.processes["daemon"].wait()
        text = config.read_text()
        assert 'listen = "127.0.0.1:0"' in text
        config.write_text(text.replace('listen = "127.0.0.1:0"', ABROAD, 1))
        certificate, _ = written(line.folder)
        for command in (("config", "check"), ("run",)):
            refused = station_command(*command, "--config", config)
            assert refused.returncode != 0
            told = "other PCs reach 0.0.0.0:0, and nobody could sign in there"
            assert told in " ".join((refused.stdout + refused.stderr).split()), command
        people = PeopleFile(load(config).people_file)
        people.add("Anna", Role.ENGINEER, PIN)
        url = json.loads((line.folder / "pki" / "ready.json").read_text())["url"]
        line.start("daemon", "station", "run", "--config", str(config), STATION__PKI__URL=url)
        line.wait_for("daemon", lambda: answers(line))
        page = line.status().page
        assert page is not None
        assert page.certificate_days == 90
        browser = Browser(page.url or "", certificate)
        assert browser.ask("GET", "/")[0] == 303
        assert browser.ask("GET", "/metrics")[0] == 401
        assert browser.ask("GET", "/", Host="line2.example")[0] == 421
        form = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin"}
        assert browser.ask("POST", "/sign-in", urlencode({"pin": CANARY}), **form)[0] == 403
        standing.until(lambda: browser.ask("POST", "/sign-in", urlencode({"pin": PIN}), **form)[0] == 303)
        status, _, headers = browser.ask("POST", "/sign-in", urlencode({"pin": PIN}), **form)
        assert status == 303
        cookie = headers["Set-Cookie"].partition(";")[0]
        for path in ("/", "/metrics", "/numbers", "/units", "/api/v1/board"):
            assert browser.ask("GET", path, Cookie=cookie)[0] == 200, path
        asked = json.dumps({"reason": "bent pin"})
        hold = "/api/v1/slots/1/hold"
        as_json = {"Content_Type": "application/json", "Sec_Fetch_Site": "same-origin"}
        assert browser.ask("POST", hold, asked, Cookie=cookie, **as_json)[0] == 401
        assert standing.slot(1).held is None
        _, answer, _ = browser.ask("POST", "/api/v1/sessions", json.dumps({"pin": PIN}), **as_json)
        token = json.loads(answer)["token"]
        assert browser.ask("POST", hold, asked, Authorization=f"Bearer {token}", **as_json)[0] == 200
        held = standing.slot(1).held
        assert held is not None
        assert (held.who, held.reason) == ("Anna at 127.0.0.1", "bent pin")
        assert "Anna at 127.0.0.1" in standing.station("slots", "history")
    written_down = (line.folder / LOG).read_text()
    assert '"web.signed_in"' in written_down
    for secret in (PIN, CANARY, token, cookie.partition("=")[2]):
        assert secret not in written_down


def answers(line: Line) -> bool:
    try:
        page = line.status().page
    except LineFailed:
        return False
    return page is not None and page.url is not None
