# SPDX-License-Identifier: Apache-2.0
"""Two stations at one hub, each with its slot, and one centre: a unit goes from one to the other, and stays one unit."""

import urllib.request
from collections.abc import Iterator

import pytest

from tests.builders.commands import bench, station
from tests.builders.network import Mode
from tests.builders.postgresql import MISSING, programs
from tests.builders.two_lines import Factory, factory

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """Both stations, whose release somebody has approved."""
    if programs() is None:
        pytest.skip(MISSING)
    with factory(tmp_path_factory.mktemp("two") / "line") as standing:
        standing.approve()
        yield standing


def test_a_unit_that_one_station_passed_is_reconfirmed_by_the_other(two: Factory) -> None:
    """With the same serial number and certificate, and nothing is bought or written anew."""
    first, second = two.first, two.second
    slot = first.judged(new=True)
    assert slot.verdict == "pass"
    first.told()
    bought = two.line.issued
    two.line.moved(1, 2)
    assert second.judged().verdict == "pass"
    assert second.procedures(slot.uid) == ["reconfirm pass"]
    assert two.line.issued == bought
    here, there = first.story(slot.uid), second.story(slot.uid)
    assert here.unit is not None
    assert there.unit is not None
    assert here.unit.serial_number == there.unit.serial_number
    assert [each.dac for each in here.certificates] == [each.dac for each in there.certificates]


def test_a_unit_that_a_killed_station_left_is_finished_by_the_other_with_its_certificate(two: Factory) -> None:
    first, second = two.first, two.second
    bench("plug", "1", "--new", "--dir", two.line.folder)
    slot = first.until(lambda status: status.slots[0].step == "flash_operational").slots[0]
    first.kill()
    bench("unplug", "1", "--dir", two.line.folder)
    first.start()
    first.told()
    bought = two.line.issued
    two.line.moved(1, 2)
    assert second.judged().verdict == "pass"
    assert two.line.issued == bought
    (certificate,) = second.story(slot.uid).certificates
    assert certificate.dac in {each.dac for each in first.story(slot.uid).certificates}
    second.told()
    assert (slot.uid, 4) in two.asked("SELECT encode(uid, 'hex'), rank FROM unit")


def test_a_station_without_its_centre_makes_new_units_and_leaves_others_alone(two: Factory) -> None:
    first, second = two.first, two.second
    others = second.judged(new=True)
    assert others.verdict == "pass"
    second.told()
    two.ways[0].become(Mode.REFUSE)
    try:
        first.until_shared(lambda shared: shared.state == "away")
        assert first.judged(new=True).verdict == "pass"
        two.line.moved(2, 1)
        assert first.judged().fault == "unit.elsewhere"
    finally:
        two.ways[0].become(Mode.OK)
    first.told()
    assert first.judged().verdict == "pass"
    assert first.procedures(others.uid)[-1] == "reconfirm pass"


def test_the_centre_has_each_unit_once_and_nothing_odd(two: Factory) -> None:
    for each in (two.first, two.second):
        each.told()
    assert two.asked("SELECT kind, detail FROM anomaly") == []
    assert two.asked("SELECT count(*) FROM identity GROUP BY uid HAVING count(*) > 1") == []


def test_the_status_has_centre_stock_and_release_on_lines_of_their_own(two: Factory) -> None:
    lines = station("status", "--config", two.first.config).stdout.splitlines()
    (centre,) = (at for at, line in enumerate(lines) if line.startswith("centre up"))
    assert " items left of " in lines[centre + 1]
    assert lines[centre + 2] == f"release {two.first.until_shared(lambda _: True).release}"


def test_the_page_of_one_station_shows_both(two: Factory) -> None:
    page = two.first.status().page
    assert page is not None
    with urllib.request.urlopen(f"{page.url}central", timeout=60) as answer:  # noqa: S310  of ours
        shown = answer.read().decode()
    assert "line-1" in shown
    assert "line-2" in shown
    assert "does not answer" not in shown


def test_a_station_alone_imports_nothing_of_the_shared_ledger(two: Factory) -> None:
    alone = two.line.alone
    alone.start()
    assert alone.status().shared is None
    alone.stop()
    modules = (alone.state / "modules").read_text().splitlines()
    rooms = (
        "psycopg",
        "station.adapters.centre",
        "station.replication",
        "station.daemon.shared",
        "station.doctor.shared",
    )
    assert "station.daemon.parts" in modules
    assert [module for module in modules if f"{module}.".startswith(tuple(f"{room}." for room in rooms))] == []
