# SPDX-License-Identifier: Apache-2.0
"""A PKI whose answers get lost, or which decides later: what the whole line buys, flashes and tells. Counted by the PKI's own list."""

import json
import signal
import ssl
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import Phase, StepStarted
from tests.builders.line import RECIPE, RECIPE_IN_RAM, Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing, issued

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

BOARDS = 8
ALWAYS = -1


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2"}.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", BOARDS, time_scale=0.02) as line:
        yield Standing(line)


def switch(standing: Standing, **faults: int) -> None:
    """Sets the PKI's faults while it runs."""
    folder = standing.line.folder / "pki"
    url = json.loads((folder / "ready.json").read_text())["url"].partition("/.well-known")[0]
    context = ssl.create_default_context(cafile=folder / "tls" / "ca.pem")
    context.load_cert_chain(folder / "tls" / "station.pem", folder / "tls" / "station-key.pem")
    request = urllib.request.Request(f"{url}/fault", json.dumps(faults).encode(), method="POST")  # noqa: S310  https
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:  # noqa: S310  the same
        assert answer.status == 200


def bought(standing: Standing) -> Counter[str]:
    """Certificates by key, from the PKI's own list."""
    return Counter(json.loads(line)["key_sha256"] for line in issued(standing))


def flashed(standing: Standing) -> Counter[str]:
    """How often each board got factory data, by UID, from the journal."""
    reader = LedgerReader(standing.line.folder / "ledger.sqlite")
    counted = Counter[str]()
    for unit in reader.units():
        story = reader.unit(unit.uid)
        assert story is not None
        events = [entry.event for attempt in story.attempts for entry in attempt.journal]
        counted[unit.uid] = sum(isinstance(event, StepStarted) and event.step is Phase.FLASH_DATA for event in events)
    return counted


def orphans(standing: Standing) -> list[dict[str, object]]:
    return list(json.loads(standing.station("pki", "orphans", "--json"))["orphans"])


def reconcile(standing: Standing) -> str:
    return standing.station("pki", "reconcile", str(standing.line.folder / "pki" / "issued.jsonl"))


def check_accounts(standing: Standing) -> None:
    """Every certificate of the PKI's own list is a unit's or an orphan, by its serial number."""
    sold = {json.loads(line)["serial_number"].zfill(2) for line in issued(standing)}
    live = {unit.dac_serial_number for unit in LedgerReader(standing.line.folder / "ledger.sqlite").units()}
    lost = {str(orphan["serial_number"]) for orphan in orphans(standing)}
    assert not live & lost
    assert {int(str(serial), 16) for serial in live | lost} == {int(serial, 16) for serial in sold}


def test_a_pki_that_loses_every_answer_sells_two_certificates_a_key_at_most(standing: Standing) -> None:
    """Each board is flashed once. When the PKI works again, a person allows further requests, and all boards pass where they are."""
    slots = range(1, BOARDS + 1)
    switch(standing, drop_after_issue=ALWAYS)
    standing.bench("plug", "--all")
    standing.until(lambda: standing.line.status().line.fault == "pki.answers_lost")
    # Every check makes the request of one board that was held back, until none may ask any more.
    standing.until(lambda: sorted(bought(standing).values()) == [2] * BOARDS)
    assert standing.line.status().line.fault == "pki.answers_lost"
    assert set(flashed(standing).values()) == {1}

    switch(standing, drop_after_issue=0)
    for slot in slots:
        standing.station("pki", "again", str(standing.slot(slot).uid), "--reason", "the PKI works again")
    standing.station("slots", "release", "--all")
    for slot in slots:
        assert standing.wait(slot, lambda slot: slot.state in {"pass", "fail"}).state == "pass"
    assert set(flashed(standing).values()) == {1}
    assert set(bought(standing).values()) == {3}
    reconcile(standing)
    assert Counter(orphan["kind"] for orphan in orphans(standing)) == {"surplus": 2 * BOARDS}
    check_accounts(standing)


def test_a_board_whose_answers_were_lost_stops_alone(standing: Standing) -> None:
    """It is not asked for, nor flashed, in another slot either, nor after a restart; other boards pass."""
    switch(standing, drop_after_issue=2)
    standing.bench("plug", "1")
    first = standing.wait(1, lambda slot: slot.verdict is not None)
    assert (first.verdict, first.fault, first.service) == ("void", "pki.answer_lost", "in")
    standing.bench("plug", "2")
    assert standing.wait(2, lambda slot: slot.verdict is not None).state == "pass"
    standing.bench("unplug", "1")
    standing.wait(1, lambda slot: slot.probe is None)
    standing.line.processes["daemon"].send_signal(signal.SIGKILL)
    standing.line.processes["daemon"].wait()
    standing.line.start_daemon()
    standing.bench("plug", "1")
    again = standing.wait(1, lambda slot: slot.verdict is not None)
    assert (again.verdict, again.fault) == ("void", "pki.answer_lost")
    assert flashed(standing)[str(first.uid)] == 1
    standing.station("pki", "again", str(first.uid), "--reason", "it was the network")
    assert standing.wait(1, lambda slot: slot.verdict == "pass").uid == first.uid
    assert sorted(bought(standing).values()) == [1, 3]


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE_IN_RAM], ids=["flash", "ram"])
def test_a_pending_board_holds_nobody_up_and_is_finished_later(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slot says that it waits, and the board is finished when the PKI has decided."""
    for name, value in {**SHORT_DEADLINES, "STATION__PKI__ANSWER_WITHIN": "5"}.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 2, time_scale=0.02, recipe=recipe) as line:
        _pend_and_finish(Standing(line))


def _pend_and_finish(standing: Standing) -> None:
    pki = standing.line.processes["pki"]
    port = int(json.loads((standing.line.folder / "pki" / "ready.json").read_text())["url"].split(":")[2].split("/")[0])
    pki.terminate()
    pki.wait()
    standing.line.start_pki(port, "--retry-after", "20", "--fault", "pending=1")
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.state == "pending").fault == "pki.pending"
    assert standing.line.status().line.state == "open"
    standing.bench("plug", "2")
    assert standing.wait(2, lambda slot: slot.verdict is not None).state == "pass"
    assert standing.wait(1, lambda slot: slot.state == "pass").fault is None
    assert set(flashed(standing).values()) == {1}
    assert orphans(standing) == []
    assert set(bought(standing).values()) == {1}
    # While it waited, anything may have happened to its application: it passes with one that this attempt has written.
    passed = [
        each for each in LedgerReader(standing.line.folder / "ledger.sqlite").attempts() if each.verdict == "pass"
    ]
    assert len(passed) == 2
    assert all("flash_operational" in each.steps for each in passed)


def test_first_answers_that_are_lost_leave_one_orphan_a_board(standing: Standing) -> None:
    """Every certificate is a unit's, or an orphan that the PKI's own list names by its serial number."""
    half = BOARDS // 2
    for slots in (range(1, half + 1), range(half + 1, BOARDS + 1)):
        switch(standing, drop_after_issue=1)
        standing.bench("plug", *map(str, slots))
        for slot in slots:
            assert standing.wait(slot, lambda slot: slot.state in {"pass", "fail"}).state == "pass"
    assert sum(bought(standing).values()) == BOARDS + 2
    assert {orphan["kind"] for orphan in orphans(standing)} == {"unknown"}
    assert "2 certificates that no unit has were found" in reconcile(standing)
    check_accounts(standing)


@pytest.mark.parametrize("fault", ["wrong_key", "wrong_product", "expired", "garbage"])
def test_a_refused_certificate_stops_the_line_at_the_first(standing: Standing, fault: str) -> None:
    """When the PKI is repaired and the line released, the board passes with a new one, without being flashed again."""
    switch(standing, **{fault: ALWAYS})
    standing.bench("plug", "1")
    standing.until(lambda: standing.line.status().line.state == "paused")
    standing.bench("plug", "2")
    standing.wait(2, lambda slot: slot.state == "waiting")
    assert len(issued(standing)) == 1
    switch(standing, **{fault: 0})
    standing.station("slots", "release", "--all")
    for slot in (1, 2):
        assert standing.wait(slot, lambda slot: slot.state in {"pass", "fail"}).state == "pass"
    assert set(flashed(standing).values()) == {1}
    refused = [orphan["serial_number"] for orphan in orphans(standing) if orphan["kind"] == "refused"]
    sold = json.loads(issued(standing)[0])["serial_number"]
    assert refused == ([] if fault == "garbage" else [sold.zfill(len(sold) + len(sold) % 2)])


def test_a_stopping_station_loses_no_answer(standing: Standing) -> None:
    """SIGTERM with all requests at the PKI; after the restart every board passes with the certificate that came."""
    standing.bench("plug", "--all")
    standing.until(lambda: len(issued(standing)) > 0)
    daemon = standing.line.processes["daemon"]
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(300) == 0
    assert orphans(standing) == []
    standing.line.start_daemon()
    for slot in range(1, BOARDS + 1):
        assert standing.wait(slot, lambda slot: slot.state in {"pass", "fail"}).state == "pass"
    assert set(bought(standing).values()) == {1}
