# SPDX-License-Identifier: Apache-2.0
"""Scans of labels at the page in a real browser: what the tiles say, and a wrong label that nobody overlooks."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.web.chromium import Tab
from tests.web.fake_door import OPEN, labelled, mixed, slot
from tests.web.played import DRAWN, LIVE, MISFITS, PATIENT, SHOTS, WORDS, Played, played, shown, speak
from tests.web.scripted_line import OPERATOR
from tests.web.test_axe_in_chromium import THEMES, findings
from tests.web.test_sheet_in_chromium import SHEET, TITLE, tap, tap_pin, tap_tile, typed

pytestmark = pytest.mark.line

SERIALS = {2: "SN000002", 3: "SN000003"}
WRONG = "!document.getElementById('wrong').hidden"
SAID = "document.querySelector('dialog .sentence')?.textContent"
STUCK = "[...document.querySelectorAll('.tile')].map((tile) => tile.classList.contains('stick')).indexOf(true) + 1"
TOO_WIDE = """[...document.querySelectorAll('#wrong *')].filter((each) => { const at = each.getBoundingClientRect();
  return at.left < 0 || at.top < 0 || at.right > innerWidth + 1 || at.bottom > innerHeight + 1; }).map((each) => each.textContent)"""


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with played("--slots=8", folder=tmp_path_factory.mktemp("line")) as line:
        yield line


@pytest.fixture
async def page(tab: Tab, line: Played) -> AsyncIterator[Tab]:
    """Two units in the slots 2 and 3 have passed, and their labels are printed. No scanned text is left anywhere."""
    waiting = [labelled(slot(str(at), "pass", uid=f"{at:024}"), "printed", serial) for at, serial in SERIALS.items()]
    line.tell(*mixed(8), *waiting, OPEN)
    await tab.before(PATIENT)
    await shown(tab, line.url)
    await tab.until(f"{WORDS}[1] === 'LABEL' && {WORDS}[2] === 'LABEL'")
    yield tab
    stored = await tab.value("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert stored == '[{},{},""]'
    assert not [url for url in tab.asked() if "MT" in url or OPERATOR in url]
    assert "MT:" not in str(await tab.value("document.documentElement.outerHTML"))


async def scan(tab: Tab, text: str) -> None:
    """A scan, and the PIN for the shift where the page asks for one."""
    await typed(tab, text, 10)
    await tab.until(f"{TITLE} === 'Scan labels'")
    await tap_pin(tab, OPERATOR)
    await tab.until(f"{TITLE} !== 'Scan labels'")


async def say(tab: Tab, at: int) -> str:
    return str(await tab.value(f"document.querySelectorAll('.say')[{at - 1}].textContent"))


async def test_a_scanned_label_is_stuck_where_its_board_is(page: Tab) -> None:
    """The tile says so; a tap on it binds the label, and from then on no PIN is asked for. A slot's own code does the same."""
    assert await say(page, 2) == "Stick label SN000002 here"
    await scan(page, "MT:SN000002")
    await page.until(f"{STUCK} === 2")
    assert await page.value(f"{WORDS}[1]") == "STICK HERE"
    label = await page.value("document.querySelectorAll('.tile')[1].getAttribute('aria-label')")
    assert " ".join(str(label).split()) == "Slot 2: PASS. Stick label SN000002 here"
    await page.save(SHOTS / "8-label-stick-en.png")
    await tap_tile(page, 2)
    await page.until(f"{WORDS}[1] === 'PASS' && {STUCK} === 0")
    assert await say(page, 2) == "Label bound. Take it to the next place"
    await typed(page, "MT:SN000003", 10)
    await page.until(f"{STUCK} === 3")
    await typed(page, "slot 3", 10)
    await page.until(f"{WORDS}[2] === 'PASS'")
    assert await page.value(SHEET) is None


async def test_a_label_that_nobody_sticks_is_forgotten(page: Tab) -> None:
    await scan(page, "MT:SN000002")
    await page.until(f"{STUCK} === 2")
    await page.value("window.late[45000]()")
    await page.until(f"{STUCK} === 0 && {WORDS}[1] === 'LABEL'")
    await tap_tile(page, 2)
    await page.until(f"{TITLE} === 'Slot 2 PASS'")


async def test_a_label_that_is_scanned_at_its_boards_sheet_is_bound_at_once(page: Tab) -> None:
    """Not at the sheet of a slot whose board has not passed: there the label is looked up."""
    await tap_tile(page, 2)
    await scan(page, "MT:SN000002")
    await page.until(f"{WORDS}[1] === 'PASS' && {SHEET} === null")
    await tap_tile(page, 4)
    await page.until(f"{TITLE} === 'Slot 4 FAIL'")
    await typed(page, "MT:SN000003", 10)
    await page.until(f"{STUCK} === 3 && {SHEET} === null")


async def test_another_units_label_is_a_fail_across_the_page_until_somebody_has_seen_it(
    page: Tab, line: Played
) -> None:
    """With both serial numbers. No event, scan, or lost connection takes it away, and nothing behind it can be reached."""
    page.refused = {409}
    await tap_tile(page, 3)
    await scan(page, "MT:SN000002")
    await page.until(WRONG)
    shown_text = str(await page.value("document.getElementById('wrong').innerText"))
    for said in ("Wrong label", "Slot 3", "SN000003", "SN000002"):
        assert said in shown_text
    assert await page.value("document.elementFromPoint(5, 5).id") == "wrong"
    assert await page.value("document.querySelector('main').inert")
    await page.save(SHOTS / "8-label-wrong-en.png")
    for theme in THEMES:
        await page.value(f"document.documentElement.dataset.theme = '{theme}'")
        assert await findings(page) == [], theme
    await typed(page, "MT:SN000003", 10)
    await typed(page, "S N 4 5", 10)
    line.tell(slot("1", "fail", "board.silent", attempt=50))
    await page.until("document.querySelector('.tile').dataset.state === 'fail'")
    await page.press("Escape")
    await page.value("document.dispatchEvent(new Event('visibilitychange'))")  # the stream is opened anew
    await page.until(LIVE)
    assert await page.value(WRONG)
    await tap(page, "#seen")
    await page.until(f"!({WRONG})")
    assert not await page.value("document.querySelector('main').inert")
    assert await page.value(f"{WORDS}[2]") == "LABEL"
    await typed(page, "MT:SN000002", 10)  # the shift's token is still there: sought, and stuck at the wrong board
    await page.until(f"{STUCK} === 2")
    await tap_tile(page, 3)
    await page.until(WRONG)


async def test_a_label_of_no_unit_is_told(page: Tab) -> None:
    """Without a slot as a note, at a board as a wrong label; with a keyboard in another language, too."""
    page.refused = {409}
    await scan(page, "MT:SN999999")
    await page.until(f"{SAID} === 'No unit of this station has this label.'")
    await page.press("Escape")
    await typed(page, "MTÖSN000002", 10)
    await page.until(f"{SAID} === 'No unit of this station has this label.'")
    await page.press("Escape")
    await tap_tile(page, 2)
    await typed(page, "MT:SN999999", 10)
    await page.until(WRONG)
    assert "of no unit here" in str(await page.value("document.getElementById('wrong').innerText"))


async def test_a_token_that_the_station_knows_no_longer_is_asked_for_again(page: Tab) -> None:
    page.refused = {401}
    await scan(page, "MT:SN000002")
    await page.until(f"{STUCK} === 2")
    await page.value(
        "(() => { const real = fetch; window.fetch = (path, asked) => { window.fetch = real; return real(path, { ...asked, headers: { ...asked.headers, Authorization: 'Bearer none' } }); }; })()"
    )
    await typed(page, "MT:SN000003", 10)
    await page.until(f"{TITLE} === 'Scan labels'")
    await tap_pin(page, OPERATOR)
    await page.until(f"{STUCK} === 3")


@pytest.mark.parametrize("slots", [8, 16, 64])
async def test_labels_fit_in_every_language_and_size(
    tab: Tab, slots: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the longest serial numbers that are usual, each state beside the other."""
    page = tab
    page.refused = {409}
    with played(f"--slots={slots}", folder=tmp_path_factory.mktemp("line")) as line:
        stages = ("printed", "due", "bound", "printed")
        units = [
            labelled(slot(str(at), "pass", uid=f"{at:024}"), stages[at % 4], f"LIGHT-2026-{at:06}")
            for at in range(1, slots + 1)
        ]
        line.tell(*units)
        await tab.before(PATIENT)
        await shown(tab, line.url)
        await page.until(f"{WORDS}[2] === 'LABEL'")
        await scan(page, "MT:LIGHT-2026-000004")
        for language in ("en", "de", "zh"):
            await page.size(1920, 1080)
            await speak(page, language)
            await typed(page, "MT:LIGHT-2026-000004", 10)
            await page.until(f"{STUCK} === 4")
            for width, height in ((1920, 1080), (1280, 800)):
                await page.size(width, height)
                await page.value(DRAWN)
                assert await page.value(MISFITS) == [], (language, width)
                if language == "de":
                    await page.save(SHOTS / f"{slots}-labels-de-{width}.png")
            await tap_tile(page, 3)
            await page.until(WRONG)
            for width, height in ((1920, 1080), (1280, 800)):
                await page.size(width, height)
                await page.value(DRAWN)
                assert await page.value(TOO_WIDE) == [], (language, width)
                if language == "de":
                    await page.save(SHOTS / f"{slots}-label-wrong-de-{width}.png")
            await tap(page, "#seen")
        await page.value("localStorage.clear()")
