# SPDX-License-Identifier: Apache-2.0
"""The whole line with the real OpenBao server as its PKI: what it buys, counted by the server's own list."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.builders.station_demo import SHORT_DEADLINES
from tests.commissioning import openbao_line
from tests.commissioning.openbao import OpenBao
from tests.commissioning.openbao_line import Gate, bought
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(1800)]

BOARDS = 8
SLOTS = range(1, BOARDS + 1)


@dataclass(slots=True)
class Room:
    """A line, and its PKI."""

    standing: Standing
    gate: Gate
    sold: int = 0
    """Certificates that the tests before have bought."""

    @property
    def bao(self) -> OpenBao:
        return self.gate.bao

    def check_all_pass(self) -> None:
        for slot in SLOTS:
            assert self.standing.wait(slot, lambda slot: slot.state in {"pass", "fail"}).state == "pass"

    def check_accounts(self, boards: int) -> None:
        """So many boards more have cost one certificate each, and there are no others."""
        self.sold += boards
        assert Counter(bought(self.bao).values()) == {1: self.sold}
        assert json.loads(self.standing.station("pki", "orphans", "--json"))["orphans"] == []

    def clear(self) -> None:
        self.standing.bench("unplug", "--all")
        for slot in SLOTS:
            self.standing.wait(slot, lambda slot: slot.probe is None)

    def kill_and_start(self) -> None:
        daemon = self.standing.line.processes["daemon"]
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        self.gate.open()
        self.standing.line.start_daemon()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One line for all: each test plugs new boards in, and takes them out."""
    settings = {"STATION__PKI__KIND": "openbao", "STATION__PKI__CHECK_EVERY": "0.2"}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**SHORT_DEADLINES, **settings}.items():
            environment.setenv(name, value)
        with openbao_line.standing(tmp_path_factory.mktemp("line"), BOARDS) as (line, gate, url):
            environment.setenv("STATION__PKI__URL", url)  # for commands; the daemon has it from the line
            yield Room(Standing(line), gate)


def test_eight_boards_pass_through_every_refusal_of_the_server(room: Room) -> None:
    """Sealed, over its quota and with an expired login it issues nothing, and each board costs one certificate."""
    room.bao.seal()
    room.standing.bench("plug", "--all", "--new")
    room.standing.until(lambda: room.standing.line.status().line.fault == "pki.unavailable")
    room.bao.unseal()
    room.bao.revoke_logins()
    with room.bao.quota(2):
        room.check_all_pass()
    room.check_accounts(BOARDS)
    room.clear()


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_killed_station_buys_nothing_twice(room: Room, place: str) -> None:
    """Killed with all requests at the server, before it had them and after it had answered them, three times each."""
    for _ in range(3):
        getattr(room.gate, place).clear()
        room.gate.waiting.clear()
        room.standing.bench("plug", "--all", "--new")
        room.standing.until(lambda: room.gate.waiting[place] == BOARDS)
        before = bought(room.bao)
        room.kill_and_start()
        room.check_all_pass()
        after = bought(room.bao)
        if place == "after":
            assert after == before
        room.clear()
    room.check_accounts(3 * BOARDS)
