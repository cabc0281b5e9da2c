# SPDX-License-Identifier: Apache-2.0
"""Long trials of the line and its PKI, for `make pki-table`: many boards, kills at every moment, long pauses, a new certificate."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from development_pki.directory import load_credential
from development_pki.tls import station_template
from station.domain.issuance import OrphanKind
from station.line.status import SlotStatus
from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES, SHORT_DEADLINES
from tests.line import pki_line
from tests.line.pki_behaviours import ALWAYS
from tests.line.pki_bench import saved
from tests.line.pki_line import Switches
from tests.line.standing_line import Standing
from tests.line.test_recovery import KILLED, Log, awaited, ended

pytestmark = [pytest.mark.line, pytest.mark.timeout(3600)]

PAUSE = 20.0
TIMES = 3

Opened = Callable[[int, Mapping[str, str]], AbstractContextManager[Standing]]


@pytest.fixture
def opened(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    @contextmanager
    def of(boards: int, deadlines: Mapping[str, str]) -> Iterator[Standing]:
        for name, value in deadlines.items():
            monkeypatch.setenv(name, value)
        with Line.standing(tmp_path / "line", boards, time_scale=0.02) as line:
            yield Standing(line)

    return of


def passed(standing: Standing, *slots: int) -> None:
    for number in slots:
        assert standing.wait(number, lambda slot: slot.state in {"pass", "fail"}, within=1800).state == "pass"


def test_first_answers_that_are_lost_leave_one_orphan_for_each_of_sixty_four_boards(opened: Opened) -> None:
    """Of 128 certificates 64 are live and 64 are orphans, by key and serial number."""
    boards = 64
    with opened(boards, {**PATIENT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2"}) as standing:
        folder = standing.line.folder
        for number in range(1, boards + 1):
            Switches(folder).set({"drop_after_issue": 1})
            standing.bench("plug", str(number))
            passed(standing, number)
        assert sorted(pki_line.bought(folder).values()) == [2] * boards
        assert pki_line.reconciled(standing.line) == {OrphanKind.SURPLUS: boards}
        assert len(pki_line.certified(folder)) == boards
        pki_line.check_accounts(folder)


def test_a_station_that_is_killed_at_every_moment_buys_one_certificate_too_many_at_most(opened: Opened) -> None:
    """Every certificate is a unit's or is listed, and no board is lost."""
    slots = (1, 2, 3)
    with opened(len(slots), SHORT_DEADLINES) as standing:
        folder = standing.line.folder
        for moment in KILLED * TIMES:
            log = Log(folder)
            standing.bench("plug", *map(str, slots), "--new")
            awaited(standing, log, moment)
            ended(standing, signal.SIGKILL)
            standing.line.start_daemon()
            passed(standing, *slots)
            standing.bench("unplug", "--all")
            for number in slots:
                standing.wait(number, lambda slot: slot.probe is None)
        assert set(pki_line.bought(folder).values()) <= {1, 2}
        assert pki_line.reconciled(standing.line).keys() <= {OrphanKind.SURPLUS}
        pki_line.check_accounts(folder)


def test_the_station_asks_nobody_before_the_time_that_a_pki_has_named(opened: Opened) -> None:
    """202 holds one board, and others pass meanwhile; 503 holds the line. Both hold over kills, by the PKI's own times."""
    # so that the attempt ends at once, and the next one has to know
    with opened(2, {**SHORT_DEADLINES, "STATION__PKI__ANSWER_WITHIN": "10"}) as standing:
        switches = Switches(standing.line.folder)
        switches.set({"pending": {"times": 1, "seconds": PAUSE}})
        standing.bench("plug", "1")
        standing.wait(1, lambda slot: slot.state == "pending")
        standing.bench("plug", "2")
        passed(standing, 2)
        _killed_and_started(standing)
        passed(standing, 1)
        standing.bench("unplug", "--all")
        for number in (1, 2):
            standing.wait(number, lambda slot: slot.probe is None)

        switches.set({"busy": {"times": 1, "seconds": PAUSE}})
        standing.bench("plug", "1", "--new")
        standing.until(lambda: standing.line.status().line.fault == "pki.unavailable")
        _killed_and_started(standing)
        standing.bench("plug", "2", "--new")
        passed(standing, 1, 2)

        pending, *others, after = _times(standing)[:3]
        assert others
        assert after - pending >= PAUSE
        busy, after = _times(standing)[3:5]
        assert after - busy >= PAUSE
        assert set(pki_line.bought(standing.line.folder).values()) == {1}


def _times(standing: Standing) -> list[float]:
    return [float(str(request["time"])) for request in pki_line.requests(standing.line.folder)]


def _killed_and_started(standing: Standing) -> None:
    ended(standing, signal.SIGKILL)
    standing.line.start_daemon()


def test_a_new_certificate_of_the_station_costs_none_of_a_hundred_enrolments(opened: Opened) -> None:
    """It is taken up while requests are under way, and the server sees both."""
    slots, boards = range(1, 9), 104
    with opened(len(slots), SHORT_DEADLINES) as standing:
        pki = standing.line.folder / "pki"
        ca = load_credential(pki, "tls/ca")
        Switches(standing.line.folder).set({"late": {"times": ALWAYS, "seconds": 1}})  # so that requests overlap
        for number in slots:
            standing.bench("plug", str(number), "--new")
        come = len(slots)
        while len(pki_line.certified(standing.line.folder)) < boards:
            if come == 7 * len(slots):
                saved(pki, "station", ca.subordinate(station_template()))
            for number in slots:
                slot = standing.wait(number, lambda slot: slot.state in {"pass", "fail"})
                assert slot.state == "pass"
                if come < boards:
                    _next(standing, number)
                    come += 1
        seen = [request["station_sha256"] for request in pki_line.requests(standing.line.folder)]
        assert len(seen) == boards
        assert len(set(seen)) == 2
        assert set(pki_line.bought(standing.line.folder).values()) == {1}
        assert pki_line.orphans(standing.line.folder) == ()


def _next(standing: Standing, number: int) -> SlotStatus:
    standing.bench("unplug", str(number))
    standing.wait(number, lambda slot: slot.probe is None)
    standing.bench("plug", str(number), "--new")
    return standing.slot(number)
