# SPDX-License-Identifier: Apache-2.0
"""The relay's limits: how many certificates a PKI in trouble can sell, and when it is asked again."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.pki.doubt import KEYS_RUNNING
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.waits import LONGEST_WAIT, Limits, seconds_until
from station.domain.credentials import Credentials, csr_key
from station.faults import Fault
from station.faults.line import (
    CredentialsInvalid,
    PKIAnswerInvalid,
    PKIAnswersLost,
    PKIUnavailable,
)
from station.faults.slot import PKIAnswerLost, PKIParked, PKIPending
from station.faults.unit import CSRRejected
from tests.campaign.stepping import STEPS, SteppedClock
from tests.line.relay_bench import (
    LOST,
    NOTHING,
    PINNED,
    PKI,
    PROMPT,
    UID_1,
    URL,
    Journal,
    between,
    board,
    dac_for,
    new_csr,
    relay,
)

HOUR = NotNow("not decided", Outcome.PENDING, after=3600.0)


# --- two unanswered requests a key ------------------------------------------------------------------------------------


async def test_the_budget_holds_over_attempts_and_restarts(journal: Journal, csr: bytes) -> None:
    """A later relay with the same journal does not ask, and says so before the board is flashed."""
    async with relay(journal, *[LOST] * 2) as authority:
        with pytest.raises(PKIAnswerLost):
            await authority.issue_dac(csr, UID_1)
    async with relay(journal) as authority:
        with pytest.raises(PKIAnswerLost):
            await authority.check_askable(UID_1)
        with pytest.raises(PKIAnswerLost):
            await authority.issue_dac(csr, UID_1)
    assert journal.lines.count("asked") == 2


async def test_a_board_joins_its_own_request_although_it_is_the_last(journal: Journal, csr: bytes) -> None:
    """A request under way is not a lost one."""
    async with relay(journal, LOST) as authority:
        pki = PKI(journal)
    journal.boards[csr_key(csr)], journal.unanswered[csr_key(csr)] = UID_1, 1
    pki.open.clear()
    async with between(pki, journal) as authority:
        attempt = asyncio.create_task(authority.issue_dac(csr, UID_1))
        await pki.asked.wait()
        assert journal.unanswered == {csr_key(csr): 2}
        await authority.check_askable(UID_1)
        pki.open.set()
        await attempt


async def test_a_person_lets_a_board_ask_again(journal: Journal, csr: bytes) -> None:
    """The board waits in its slot until then."""
    async with relay(journal, *[LOST] * 2) as authority:
        with pytest.raises(PKIAnswerLost):
            await authority.issue_dac(csr, UID_1)
        waiting = asyncio.create_task(authority.askable(UID_1))
        await asyncio.sleep(0)
        await authority.asked_again()
        await asyncio.sleep(0)
        assert not waiting.done()  # of another board
        journal.unanswered[csr_key(csr)] = 0
        await authority.asked_again()
        await waiting
        await authority.issue_dac(csr, UID_1)


# --- three keys running -----------------------------------------------------------------------------------------------


async def fail(authority: object, csr: bytes, number: int) -> Fault:
    with pytest.raises(Fault) as caught:
        await authority.issue_dac(csr, board(number))  # type: ignore[attr-defined]
    return caught.value


async def test_three_keys_running_stop_all_further_requests(journal: Journal) -> None:
    """Nothing is bought for the fourth board, nor for any other one."""
    async with relay(journal, *[LOST] * 100) as authority:
        for number in range(KEYS_RUNNING):
            await fail(authority, new_csr(), number)
        asked = journal.lines.count("asked")
        for number in range(KEYS_RUNNING, 10):
            assert isinstance(await fail(authority, new_csr(), number), PKIAnswersLost)
    assert journal.lines.count("asked") == asked <= 2 * KEYS_RUNNING


async def test_boards_that_lose_their_answers_at_once_buy_one_certificate_each(journal: Journal) -> None:
    """The third lost answer also stops the second requests of the others."""
    pki = PKI(journal, *[LOST] * 100)
    async with between(pki, journal, Limits(first_pause=1.0, least_pause=1.0)) as authority:
        faults = await asyncio.gather(*[fail(authority, new_csr(), number) for number in range(8)])
    assert journal.lines.count("asked") == 8
    assert {type(fault) for fault in faults} == {PKIAnswersLost}


async def test_healthy_authorities_do_not_reopen_the_line_but_one_boards_answer_does(journal: Journal) -> None:
    """Each check makes one request for a board that was held back, while its budget lasts."""
    csrs = [new_csr() for _ in range(6)]
    async with relay(journal, *[LOST] * 8) as authority:
        for number, csr in enumerate(csrs):
            await fail(authority, csr, number)
        for asked in (5, 6, 7, 8):  # the third board's first request; its second; those of the fourth
            assert journal.lines.count("asked") == asked
            if asked < 8:
                with pytest.raises(PKIAnswersLost):
                    await authority.check()
        for _ in range(2):  # after the answer the line is open, and no board is asked for
            await authority.check()
            assert journal.lines.count("asked") == 9
        held_back = next(csr for csr in csrs if csr_key(csr) in journal.known)
        await authority.issue_dac(held_back, board(csrs.index(held_back)))
        assert journal.lines.count("asked") == 9  # its certificate is there


async def test_without_a_board_to_ask_for_the_line_stays_paused(journal: Journal) -> None:
    """A person who has looked at the PKI releases the line; the next lost answer stops it again."""
    async with relay(journal, *[LOST] * 7) as authority:
        for number in range(KEYS_RUNNING):
            await fail(authority, new_csr(), number)
        with pytest.raises(PKIAnswersLost):
            await authority.check()
        await authority.forgive()
        await authority.check()
        assert isinstance(await fail(authority, new_csr(), 8), PKIAnswersLost)
        assert journal.lines.count("asked") == 7


async def test_a_pki_that_is_busy_for_enrolments_only_is_asked_for_one_board_at_a_time(journal: Journal) -> None:
    """Its healthy authorities do not make the line resume and pause in turn."""
    async with relay(journal, *[NOTHING] * 8) as authority:
        assert isinstance(await fail(authority, new_csr(), 1), PKIUnavailable)
        assert isinstance(await fail(authority, new_csr(), 2), PKIUnavailable)
        assert journal.lines.count("asked") == 6  # of the first board
        for asked in (7, 8):
            with pytest.raises(PKIUnavailable):
                await authority.check()
            assert journal.lines.count("asked") == asked
        await authority.check()
        await authority.issue_dac(new_csr(), board(3))


async def test_a_pki_that_failed_a_board_which_has_its_certificate_now_is_well_again(journal: Journal) -> None:
    """Nothing else can be tried."""
    csr = new_csr()
    async with relay(journal, *[NOTHING] * 6) as authority:
        await fail(authority, csr, 1)
        journal.known[csr_key(csr)] = Credentials(dac_for(csr), PINNED)
        await authority.check()
    assert journal.lines.count("asked") == 6


async def test_an_answer_of_any_kind_ends_the_row(journal: Journal) -> None:
    """A refused request was answered, too."""
    script = [LOST, LOST, LOST, LOST, CSRRejected("400"), LOST, LOST]
    async with relay(journal, *script) as authority:
        for number in range(2):
            assert isinstance(await fail(authority, new_csr(), number), PKIAnswerLost)
        assert isinstance(await fail(authority, new_csr(), 2), CSRRejected)
        assert isinstance(await fail(authority, new_csr(), 3), PKIAnswerLost)
        await authority.issue_dac(new_csr(), board(4))


# --- what came ----------------------------------------------------------------------------------------------------------


async def test_a_refused_dac_is_kept_and_never_live(journal: Journal, csr: bytes) -> None:
    """Nothing more is asked until a person has looked; then the same key gets a new one."""
    good = False

    def check(_: bytes, credentials: Credentials) -> None:
        if not good:
            raise CredentialsInvalid("6.2.2.3", f"not good: {credentials.dac_serial_number}")

    async with between(PKI(journal), journal, check=check) as authority:
        with pytest.raises(CredentialsInvalid):
            await authority.issue_dac(csr, UID_1)
        with pytest.raises(CredentialsInvalid):
            await authority.issue_dac(new_csr(), board(2))
        assert journal.lines == ["submitted", "asked", "refused"]
        good = True
        await authority.forgive()
        credentials = await authority.issue_dac(csr, UID_1)
    assert journal.known == {csr_key(csr): credentials}
    assert [answer.certificates for answer in journal.refused] != [(credentials.dac,)]


async def test_an_unusable_answer_is_kept_with_every_certificate_in_it(journal: Journal, csr: bytes) -> None:
    answer = AnswerUnusable(PKIAnswerInvalid(URL, "2 certificates"), b"content", (dac_for(csr), dac_for(csr)))
    async with relay(journal, answer) as authority:
        with pytest.raises(PKIAnswerInvalid):
            await authority.issue_dac(csr, UID_1)
    assert [(kept.content, kept.certificates) for kept in journal.refused] == [(answer.content, answer.certificates)]


async def test_a_lost_certificate_is_found_in_the_pkis_own_list(journal: Journal, csr: bytes) -> None:
    """A PKI that shows its list sells no second certificate; what else it has for the key is surplus."""
    pki = PKI(journal, LOST, LOST)
    async with between(pki, journal, Limits(first_pause=9.0, least_pause=9.0, answer_within=5.0)) as authority:
        with pytest.raises(PKIUnavailable):
            await authority.issue_dac(csr, UID_1)
        pki.list = [dac_for(csr), dac_for(csr)]
        credentials = await authority.issue_dac(csr, UID_1)
    assert credentials == Credentials(pki.list[0], PINNED)
    assert journal.surplus == [pki.list[1]]
    assert journal.lines.count("asked") == 1


async def test_a_certificate_for_a_foreign_key_in_a_good_answer_is_recorded(journal: Journal, csr: bytes) -> None:
    """The PKI's own authorities, which it may send along, are none that a board could have."""
    foreign = dac_for(new_csr())
    pki = PKI(journal)
    pki.besides = (PINNED, foreign, b"no certificate")
    async with between(pki, journal) as authority:
        credentials = await authority.issue_dac(csr, UID_1)
    assert credentials.key == csr_key(csr)
    assert journal.surplus == [foreign]


async def test_such_a_certificate_is_kept_with_a_refused_answer_too(journal: Journal, csr: bytes) -> None:
    def refuse(_csr: bytes, _credentials: Credentials) -> None:
        raise CredentialsInvalid("6.2.2.3", "not good")

    pki = PKI(journal)
    pki.besides = (dac_for(new_csr()),)
    async with between(pki, journal, check=refuse) as authority:
        with pytest.raises(CredentialsInvalid):
            await authority.issue_dac(csr, UID_1)
    (answer,) = journal.refused
    assert answer.certificates[1:] == pki.besides


async def test_a_lost_certificate_that_is_refused_stops_the_line_as_any_other(journal: Journal, csr: bytes) -> None:
    """A PKI with a wrong profile that loses its answers sells no second one; later the same certificate stands in no way."""
    pki = PKI(journal, LOST)
    pki.list = [dac_for(csr)]
    journal.taken = {Credentials(pki.list[0], PINNED).dac_serial_number}
    async with between(pki, journal) as authority:
        for asking in (csr, new_csr()):
            with pytest.raises(CredentialsInvalid):
                await authority.issue_dac(asking, UID_1)
        assert (journal.surplus, journal.lines.count("asked")) == (pki.list, 1)
        await authority.forgive()
        pki.script = iter([LOST])
        credentials = await authority.issue_dac(csr, UID_1)
    assert credentials.dac not in pki.list
    assert journal.surplus == pki.list


async def test_a_lost_answer_is_looked_for_before_the_key_is_asked_for_again(journal: Journal, csr: bytes) -> None:
    """Within one attempt, too: what the list has costs no second request."""
    pki = PKI(journal, LOST)
    pki.list = [dac_for(csr)]
    async with between(pki, journal) as authority:
        credentials = await authority.issue_dac(csr, UID_1)
    assert credentials == Credentials(pki.list[0], PINNED)
    assert journal.lines == ["submitted", "asked", "issued"]


async def test_a_list_that_fails_after_a_lost_answer_sends_nothing(journal: Journal, csr: bytes) -> None:
    """The PKI may have the certificate all the same."""
    pki = PKI(journal, LOST)
    pki.list_fault = PKIUnavailable(URL, "no leader")
    async with between(pki, journal) as authority:
        with pytest.raises(PKIUnavailable, match="no leader"):
            await authority.issue_dac(csr, UID_1)
        assert journal.lines == ["submitted", "asked"]
        pki.list_fault, pki.list = None, [dac_for(csr)]
        await authority.check()
        assert (await authority.issue_dac(csr, UID_1)).dac == pki.list[0]
    assert journal.lines == ["submitted", "asked", "issued"]


async def test_another_key_of_the_board_is_not_looked_for(journal: Journal, csr: bytes) -> None:
    """An erased board makes a new key, for which nobody has asked."""
    pki = PKI(journal, LOST, LOST)
    with pytest.raises(PKIAnswerLost):
        async with between(pki, journal) as authority:
            await authority.issue_dac(csr, UID_1)
    pki.list = [dac_for(csr)]
    other = new_csr()
    async with between(pki, journal) as authority:
        assert (await authority.issue_dac(other, UID_1)).key == csr_key(other)


# --- times to wait --------------------------------------------------------------------------------------------------------


async def test_a_pending_board_is_not_asked_for_before_its_time(journal: Journal, csr: bytes) -> None:
    """Not even after a restart; other boards are served meanwhile."""
    async with relay(journal, HOUR) as authority:
        with pytest.raises(PKIPending):
            await authority.issue_dac(csr, UID_1)
    async with relay(journal) as authority:
        with pytest.raises(PKIPending):
            await authority.check_askable(UID_1)
        with pytest.raises(PKIPending):
            await authority.issue_dac(csr, UID_1)
        await authority.issue_dac(new_csr(), board(2))
    assert journal.lines == ["submitted", "asked", "pending", "submitted", "asked", "issued"]


async def test_a_pending_board_goes_on_when_its_time_has_come(journal: Journal, csr: bytes) -> None:
    async with relay(journal, HOUR) as authority:
        with pytest.raises(PKIPending):
            await authority.issue_dac(csr, UID_1)
        waiting = asyncio.create_task(authority.askable(UID_1))
        await asyncio.sleep(0)
        assert not waiting.done()
        journal.pending[csr_key(csr)] = datetime.now(UTC) + timedelta(seconds=0.01)
        await authority.asked_again()
        await waiting
        await authority.issue_dac(csr, UID_1)
    assert journal.unanswered == {csr_key(csr): 0}


async def test_an_endpoint_that_asks_for_a_pause_gets_it_after_a_restart_too(journal: Journal, csr: bytes) -> None:
    """Nobody asks it, and its authorities do not reopen the line before."""
    async with relay(journal, NotNow("503", Outcome.NOTHING_ISSUED, after=3600.0)) as authority:
        with pytest.raises(PKIUnavailable):
            await authority.issue_dac(csr, UID_1)
    async with relay(journal) as authority:
        for asking in (authority.check(), authority.issue_dac(new_csr(), board(2))):
            with pytest.raises(PKIUnavailable, match="asked not to be asked for"):
                await asking
        assert journal.lines.count("asked") == 1


async def test_a_person_ends_the_pause_that_an_endpoint_has_asked_for(journal: Journal, csr: bytes) -> None:
    """The PKI may have been repaired long before the pause is over. The end holds after a restart, too."""
    async with relay(journal, NotNow("503", Outcome.NOTHING_ISSUED, after=3600.0)) as authority:
        with pytest.raises(PKIUnavailable):
            await authority.issue_dac(csr, UID_1)
        await authority.forgive()
        await authority.check()
    async with relay(journal) as authority:
        await authority.issue_dac(csr, UID_1)


@pytest.mark.parametrize("after", [0.0, None])
async def test_a_decision_is_not_awaited_in_a_spin(journal: Journal, csr: bytes, after: float | None) -> None:
    """`Retry-After: 0` is not taken at its word."""
    pending = NotNow("not decided", Outcome.PENDING, after=after)
    async with relay(journal, *[pending] * 100, limits=Limits(answer_within=20.0, least_decision=10.0)) as authority:
        asking = asyncio.create_task(authority.issue_dac(csr, UID_1))
        while "pending" not in journal.lines:
            await asyncio.sleep(0)
        assert seconds_until(journal.pending[csr_key(csr)]) > 5
        asking.cancel()


@pytest.mark.parametrize(
    ("times", "after", "expected"), [(1, 0.0, 1.0), (4, None, 8.0), (99, 5.0, 60.0), (1, 1e9, LONGEST_WAIT)]
)
def test_pauses_before_a_question(times: int, after: float | None, expected: float) -> None:
    assert Limits().until_decided(times, after) == expected


def test_a_clock_set_back_holds_nothing_up_for_ever() -> None:
    assert seconds_until(datetime(9999, 1, 1, tzinfo=UTC)) == LONGEST_WAIT


STEPPED = """
import sys
from station.adapters.pki.waits import in_seconds, seconds_until
due = in_seconds(1000.0)
for _ in sys.stdin:
    print(seconds_until(due), flush=True)
"""


@pytest.mark.slow
def test_a_clock_that_is_set_meanwhile_moves_no_wait(tmp_path: Path) -> None:
    """A PKI that was to be asked in a second would be asked four hours later."""
    clock = SteppedClock(tmp_path)
    command = [sys.executable, "-c", STEPPED, "station", "run", "--config"]
    environment = {**os.environ, **clock.built()}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stdout is not None
        for seconds in (0, *STEPS):
            with clock.stepped(seconds):
                waiting.stdin.write("\n")
                waiting.stdin.flush()
                assert 0 < float(waiting.stdout.readline()) <= 1000
        waiting.stdin.close()


# --- parked boards, and the end ---------------------------------------------------------------------------------------------


async def test_a_pause_that_is_asked_for_with_the_authorities_is_kept(journal: Journal, csr: bytes) -> None:
    """Neither the authorities nor a certificate is asked for before that time, after a restart either."""
    pki = PKI(journal)
    pki.not_now = NotNow("429", Outcome.NOTHING_ISSUED, after=3600.0)
    async with between(pki, journal) as authority:
        with pytest.raises(PKIUnavailable, match="429"):
            await authority.check()
    pki.not_now = None
    async with between(pki, journal, Limits(answer_within=5.0)) as authority:
        with pytest.raises(PKIUnavailable, match="not to be asked"):
            await authority.check()
        with pytest.raises(PKIUnavailable, match="not to be asked"):
            await authority.issue_dac(csr, UID_1)
        assert journal.lines == []
        await authority.forgive()
        await authority.check()


async def test_a_line_that_parks_boards_does_not_stand_still_for_a_pause(journal: Journal, csr: bytes) -> None:
    """It begins its work although the PKI has asked not to be asked, and sets boards aside."""
    await journal.record_wait(URL, datetime.now(UTC) + timedelta(hours=1))
    async with between(PKI(journal), journal, Limits(answer_within=5.0), parks=True) as authority:
        await authority.check()
        with pytest.raises(PKIParked):
            await authority.issue_dac(csr, UID_1)


async def test_a_line_that_parks_boards_does_not_resume_after_lost_answers_because_its_pki_is_away(
    journal: Journal,
) -> None:
    """Only the answer to one board's request reopens it, as on any line."""
    pki = PKI(journal, *[LOST] * 6)
    async with between(pki, journal, parks=True) as authority:
        for number in range(3):
            await fail(authority, new_csr(), number)
        pki.away = PKIUnavailable(URL, "refused")
        with pytest.raises(PKIUnavailable):
            await authority.check()
        pki.away = None
        with pytest.raises(PKIAnswersLost):
            await authority.check()


async def test_a_line_that_parks_boards_goes_on_without_its_pki(journal: Journal, csr: bytes) -> None:
    async with between(PKI(journal, *[NOTHING] * 6), journal, parks=True) as authority:
        with pytest.raises(PKIParked):
            await authority.issue_dac(csr, UID_1)
        await authority.issue_dac(csr, UID_1)


async def test_answers_are_awaited_when_the_station_stops(journal: Journal) -> None:
    """Every request that has been sent is recorded with its answer; the others are never sent."""
    pki = PKI(journal)
    pki.open.clear()
    csrs = [new_csr() for _ in range(12)]
    with capture_logs() as logs:
        async with between(pki, journal, Limits(at_once=8)) as authority:
            asking = [asyncio.create_task(authority.issue_dac(each, board(n))) for n, each in enumerate(csrs)]
            while journal.lines.count("asked") < 8:
                await asyncio.sleep(0)
            for task in asking:
                task.cancel()
            asyncio.get_running_loop().call_later(0.05, pki.open.set)
    assert journal.lines.count("asked") == journal.lines.count("issued") == 8
    assert not any(journal.unanswered.values())
    assert [line["requests"] for line in logs if line["event"] == "pki.awaited"] == [8]


async def test_a_stopping_station_asks_no_second_time(journal: Journal, csr: bytes) -> None:
    pki = PKI(journal, LOST)
    pki.open.clear()
    async with between(pki, journal, PROMPT) as authority:
        asking = asyncio.create_task(authority.issue_dac(csr, UID_1))
        await pki.asked.wait()
        asyncio.get_running_loop().call_later(0.05, pki.open.set)
    with pytest.raises(PKIUnavailable):
        await asking
    assert journal.unanswered == {csr_key(csr): 1}
