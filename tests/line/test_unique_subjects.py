# SPDX-License-Identifier: Apache-2.0
"""An authority that wants unique subjects, as OpenSSL's does by default, and boards that put their serial number into their requests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from station.adapters.ledger.reader import LedgerReader
from station.domain.issuance import OrphanKind
from station.line.status import SlotStatus
from tests.builders.line import Line, recipe_with
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line import pki_line
from tests.line.pki_behaviours import ALWAYS
from tests.line.pki_line import Switches
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

NAMED = '[attestation]\ncommon_name = "serial-number"'
TAKEN = "There is already a certificate for"

Opened = Callable[[str], AbstractContextManager[Standing]]


@pytest.fixture
def opened(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A line with three slots, whose PKI wants unique subjects, with this behind the recipe."""

    @contextmanager
    def of(more: str) -> Iterator[Standing]:
        for name, value in SHORT_DEADLINES.items():
            monkeypatch.setenv(name, value)
        with Line.standing(tmp_path / "line", 3, time_scale=0.02, recipe=recipe_with(tmp_path, more)) as line:
            Switches(line.folder).set({"unique_subject": ALWAYS})
            yield Standing(line)

    return of


def judged(standing: Standing, number: int) -> SlotStatus:
    return standing.wait(number, lambda slot: slot.state in {"pass", "fail"})


def names(standing: Standing) -> list[str]:
    """The common names of the certificates in the PKI's own list."""
    issued = [x509.load_pem_x509_certificate(str(each["certificate"]).encode()) for each in _issued(standing)]
    return [str(each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value) for each in issued]


def _issued(standing: Standing) -> list[dict[str, object]]:
    return pki_line.issued(standing.line.folder)


def serial_numbers(standing: Standing) -> set[str]:
    return {unit.serial_number for unit in LedgerReader(standing.line.folder / "ledger.sqlite").units()}


def test_the_second_board_is_refused_where_all_requests_have_one_subject(opened: Opened) -> None:
    """The board fails with the authority's words, nothing is bought for it, and the line stays open."""
    with opened("") as standing:
        standing.bench("plug", "1")
        assert judged(standing, 1).state == "pass"
        standing.bench("plug", "2")
        second = judged(standing, 2)
        assert (second.state, second.fault) == ("fail", "pki.csr_rejected")
        assert f"{TAKEN} PID=8004,VID=FFF1" in (second.reason or "")
        assert standing.line.status().line.state == "open"
        assert len(_issued(standing)) == 1
        assert pki_line.orphans(standing.line.folder) == ()


def test_every_board_passes_with_its_serial_number_as_common_name(opened: Opened) -> None:
    """Each certificate has the serial number of its unit's label. A board that comes back is confirmed, and buys none."""
    with opened(NAMED) as standing:
        standing.bench("plug", "--all")
        assert [judged(standing, number).state for number in (1, 2, 3)] == ["pass"] * 3
        assert len(_issued(standing)) == 3
        assert set(names(standing)) == serial_numbers(standing)
        standing.bench("unplug", "1")
        standing.wait(1, lambda slot: slot.probe is None)
        standing.bench("plug", "1")
        assert judged(standing, 1).state == "pass"
        assert len(_issued(standing)) == 3
        pki_line.check_accounts(standing.line.folder)


def test_a_board_asks_again_under_the_same_name(opened: Opened) -> None:
    """After 503 nothing was issued, and the second request is served.

    After a lost answer the authority has a certificate of that name, and refuses the second request; once it has been revoked there,
    the board gets another one, within the two requests that it may make without an answer.
    """
    with opened(NAMED) as standing:
        switches = Switches(standing.line.folder)
        switches.set({"busy": {"times": 1, "form": "none"}})
        standing.bench("plug", "1")
        assert judged(standing, 1).state == "pass"
        assert (len(_issued(standing)), switches.fired("unique_subject")) == (1, 0)

        switches.set({"drop_after_issue": 1})
        standing.bench("plug", "2")
        second = judged(standing, 2)
        assert (second.state, second.fault) == ("fail", "pki.csr_rejected")
        assert f"{TAKEN} PID=8004,VID=FFF1,CN={names(standing)[1]}" in (second.reason or "")
        assert switches.fired("unique_subject") == 1

        switches.set({"unique_subject": 0})
        standing.bench("unplug", "2")
        standing.wait(2, lambda slot: slot.probe is None)
        standing.bench("plug", "2")
        assert judged(standing, 2).state == "pass"
        assert names(standing)[1] == names(standing)[2]
        assert set(names(standing)) == serial_numbers(standing)
        assert pki_line.reconciled(standing.line) == {OrphanKind.SURPLUS: 1}
        pki_line.check_accounts(standing.line.folder)
