# SPDX-License-Identifier: Apache-2.0
"""The sheet of a slot in a real browser: what it says, what a PIN may do there, and what a scanner finds."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.web.chromium import Tab
from tests.web.fake_door import OPEN, mixed, paused, slot
from tests.web.played import DRAWN, LIVE, MISFITS, PATIENT, SHOTS, Played, played, shown, speak
from tests.web.scripted_line import ENGINEER, OPERATOR

pytestmark = pytest.mark.line

SHEET = "document.querySelector('dialog[open]')"
TITLE = "document.querySelector('dialog h2')?.textContent"
TOLD = "document.querySelector('.refused')?.textContent"
ENTER = "document.querySelector('.keys button:last-child')"
# Keys as a keyboard sends them, each so many milliseconds after the one before, however fast this machine is.
TYPED = """(keys, apart) => keys.forEach((key, at) => {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
  Object.defineProperty(event, 'timeStamp', { value: (window.typedAt = (window.typedAt ?? performance.now() + 1000) + apart) });
  if (document.activeElement.dispatchEvent(event) && key === 'Enter') document.activeElement.click();
})"""


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A line of eight with people and a ledger, for all tests here."""
    with played("--slots=8", folder=tmp_path_factory.mktemp("line")) as line:
        yield line


@pytest.fixture
async def page(tab: Tab, line: Played) -> AsyncIterator[Tab]:
    """The page of that line as it was in the beginning."""
    line.tell(*mixed(8), OPEN)
    await tab.before(PATIENT)
    await shown(tab, line.url)
    await tab.until("document.querySelectorAll('.tile')[6].dataset.state === 'void'")
    yield tab
    stored = await tab.value("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert stored == '[{},{},""]'  # neither PIN nor token is kept
    assert not [url for url in tab.asked() if OPERATOR in url or ENGINEER in url]


async def tap(tab: Tab, selector: str) -> None:
    """A finger on the middle of what is there."""
    place = await tab.value(
        f"(() => {{ const at = document.querySelector({json.dumps(selector)}).getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2]; }})()"
    )
    assert isinstance(place, list)
    await tap_at(tab, *place)


async def tap_at(tab: Tab, x: float, y: float) -> None:
    for kind in ("mousePressed", "mouseReleased"):
        await tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    await tab.value(DRAWN)


async def tap_tile(tab: Tab, name: int) -> None:
    await tap(tab, f"#slots > li:nth-child({name}) .tile")


async def tap_act(tab: Tab) -> None:
    """The button beside the one that closes the sheet."""
    await tap(tab, "dialog .row > :nth-child(2)")


async def tap_pin(tab: Tab, pin: str) -> None:
    for digit in pin:
        await tap(tab, f"dialog .keys button:nth-child({digit if digit != '0' else 11})")
    await tap(tab, "dialog .keys button:last-child")


async def typed(tab: Tab, text: str, apart: int, *, enter: bool = True) -> None:
    await tab.value(f"({TYPED})({json.dumps([*text, *(['Enter'] if enter else [])])}, {apart})")


async def test_a_tap_opens_the_sheet_of_a_slot_and_much_closes_it(page: Tab) -> None:
    """It has the sentence, the act, the evidence and the steps. The focus stays in it, and goes back to the tile."""
    focus = "document.activeElement"
    await tap_tile(page, 4)
    assert await page.value(TITLE) == "Slot 4 FAIL"
    text = str(await page.value(f"{SHEET}.innerText"))
    for said in (
        "The board does not answer on its serial port.",
        "Put it into the reject bin",
        "Who acts\nYou",
        "Evidence\nquestion make_csr, within 10.0",
        "Fault\nboard.silent",
        "writes factory data\n1.5 s",
    ):
        assert said in text
    await page.save(SHOTS / "8-sheet-en-light.png")
    for _ in range(5):
        await page.press("Tab")
        assert await page.value(f"{focus} === document.body || {SHEET}.contains({focus})")
    await page.press("Escape")
    assert await page.value(SHEET) is None
    assert await page.value(f"{focus} === document.querySelectorAll('.tile')[3]")  # from which Enter opens it again
    await page.press("Enter")
    await page.until(f"{TITLE} === 'Slot 4 FAIL'")
    await tap(page, "dialog .row > :first-child")
    assert await page.value(SHEET) is None
    await tap_tile(page, 4)
    await tap_at(page, 200, 200)  # beside it, where a tile is
    assert await page.value(SHEET) is None
    await tap_tile(page, 4)
    await page.value("window.late[45000]()")
    assert await page.value(SHEET) is None


async def test_an_open_sheet_follows_its_slot(page: Tab, line: Played) -> None:
    await tap_tile(page, 1)
    assert await page.value(TITLE) == "Slot 1 RUNNING"
    assert await page.value("document.querySelectorAll('dialog .later').length") == 7
    line.tell(slot("1", "pass", attempt=40))
    await page.until(f"{TITLE} === 'Slot 1 PASS'")
    line.tell(paused("pki.unavailable"))
    await page.until("document.body.dataset.line === 'paused'")
    assert await page.value(TITLE) == "Slot 1 PASS"


async def test_the_sheet_of_a_slot_out_of_service_has_the_verdict_that_its_tile_hides(page: Tab, line: Played) -> None:
    out = slot("1", "out of service", "slot.held", service="out", attempt=40)
    line.tell(out.model_copy(update={"verdict": "fail"}))
    await page.until("document.querySelector('.tile').dataset.state === 'out'")
    await tap_tile(page, 1)
    verdict = "[...document.querySelectorAll('dialog dt')].find((each) => each.textContent === 'Verdict')?.nextSibling.textContent"
    assert await page.value(verdict) == "fail"
    line.tell(out)
    await page.until(f"!({verdict})")
    line.tell(slot("1", "fail", "flash.mismatch", attempt=40))
    await page.until(f"{TITLE} === 'Slot 1 FAIL'")
    assert not await page.value(verdict)  # the title has it


async def test_a_pin_takes_a_slot_out_of_service_and_an_engineers_releases_it(page: Tab) -> None:
    page.refused = {403}
    await tap_tile(page, 4)
    await tap_act(page)
    await tap(page, "dialog .reasons button:nth-child(2)")
    await tap_pin(page, OPERATOR)
    await page.until("document.querySelectorAll('.tile')[3].dataset.state === 'out'")
    await page.until(f"{SHEET} === null")
    await tap_tile(page, 4)
    held = str(await page.value(f"{SHEET}.innerText"))
    assert "Held by\nBen at 127.0.0.1" in held
    assert "· cable" in held
    await page.save(SHOTS / "8-sheet-held-en-light.png")
    await tap_act(page)
    await tap_pin(page, OPERATOR)
    await page.until(f"{TOLD} === 'This needs an engineer\\'s PIN.'")
    await typed(page, ENGINEER, 200)  # by hand, at a keyboard
    await page.until("document.querySelectorAll('.tile')[3].querySelector('.tag').textContent === 'trial'")
    await page.until(f"{SHEET} === null")


async def test_a_wrong_pin_shows_how_long_it_has_to_wait(page: Tab) -> None:
    """The right one helps only after that."""
    page.refused = {403, 429}
    await tap_tile(page, 2)
    await tap_act(page)
    await page.value(
        "window.now = performance.now(); performance.now = () => window.now"
    )  # the page's clock stands still
    await tap_pin(page, "111111")
    await page.until(f"{TOLD}.startsWith('Wrong PIN. Again in ')")
    await page.save(SHOTS / "8-sheet-wrong-pin-en-light.png")
    await typed(page, OPERATOR, 200)
    assert await page.value(f"{ENTER}.disabled")
    await page.value("delete performance.now")
    while await page.value(f"{SHEET} !== null"):
        await page.until(f"!{ENTER}.disabled")
        await tap(page, "dialog .keys button:last-child")
        await page.until(
            f"{SHEET} === null || {TOLD}.startsWith('Not yet.')"
        )  # where the station's own clock is behind
        if await page.value(f"{SHEET} !== null"):
            await typed(page, OPERATOR, 200, enter=False)
    await page.until("document.querySelectorAll('.tile')[1].dataset.state === 'out'")


async def test_a_paused_line_is_released_from_its_banner(page: Tab, line: Played) -> None:
    line.tell(paused("lot.exhausted"))
    await page.until("document.body.dataset.line === 'paused'")
    await tap(page, "#release")
    assert await page.value(TITLE) == "Line paused"
    await tap_act(page)
    await tap_pin(page, ENGINEER)
    await page.until(f"{LIVE} && {SHEET} === null")


async def test_every_sheet_fits_in_every_language_theme_and_size(page: Tab, line: Played) -> None:
    """And gloves hit each of its buttons."""
    smallest = "Math.min(...[...document.querySelectorAll('dialog :is(button, a)')].flatMap((each) => [each.offsetWidth, each.offsetHeight]))"
    line.tell(paused("lot.exhausted"))
    await page.until("document.body.dataset.line === 'paused'")
    for language in ("en", "de", "zh"):
        await page.size(1920, 1080)
        await speak(page, language)
        for name, opens in (("running", 1), ("fail", 4), ("void", 7), ("line", None)):
            for pin in (False, True):
                await page.size(1920, 1080)
                await (tap(page, "#release") if opens is None else tap_tile(page, opens))
                if pin:
                    await tap_act(page)
                    await tap(page, "dialog .keys button:nth-child(3)")
                for theme in ("dark", "light"):
                    await page.value(f"document.documentElement.dataset.theme = '{theme}'")
                    for width, height in ((1920, 1080), (1280, 800)):
                        await page.size(width, height)
                        await page.value(DRAWN)
                        assert await page.value(MISFITS) == [], (language, name, theme, width)
                        least = await page.value(smallest)
                        assert isinstance(least, int)
                        assert least >= 71, (language, name)
                    if (theme == "dark") == (language == "en"):
                        await page.save(SHOTS / f"8-sheet-{name}{'-pin' * pin}-{language}-{theme}.png")
                await page.press("Escape")
    await page.value("localStorage.clear()")


async def test_a_scanned_unit_opens_the_sheet_of_its_slot(page: Tab, line: Played) -> None:
    """By its UID, or by the serial number that the ledger knows it by."""
    uid = await page.value("fetch('/api/v1/units/SN000001').then((answer) => answer.json()).then(({uid}) => uid)")
    line.tell(slot("3", "pass", attempt=1, uid=str(uid)))
    await page.until("document.querySelectorAll('.tile')[2].dataset.state === 'pass'")
    await page.value("document.querySelectorAll('.tile')[2].style.animationDuration = '1000s'")
    for text in (str(uid).upper(), "SN000001"):
        await typed(page, text, 10)
        await page.until(f"{TITLE} === 'Slot 3 PASS'")
        assert await page.value("document.querySelectorAll('.tile')[2].classList.contains('found')")
        await page.save(SHOTS / "8-scanned-en-light.png")
        await page.press("Escape")


async def test_a_scanned_unit_that_is_in_no_slot_leads_to_its_story(page: Tab) -> None:
    await page.value("document.querySelectorAll('.tile')[3].focus()")
    await typed(page, "SN000002", 10)  # its Enter opens no sheet of the tile that has the focus
    await page.until(f"{TITLE} === 'Scanned'")
    await page.save(SHOTS / "8-scanned-elsewhere-en-light.png")
    await tap_act(page)
    await page.until("document.title.includes('SN000002') || location.pathname.startsWith('/units/')")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SN999999", "The ledger knows no such unit."),
        ("<img src=x>/../", "The ledger knows no such unit."),
    ],
)
async def test_a_scanned_text_that_names_no_unit_is_told(page: Tab, text: str, told: str) -> None:
    page.refused = {404}
    await typed(page, text, 10)
    await page.until(f"document.querySelector('dialog .sentence')?.textContent === {json.dumps(told)}")
    assert text not in str(await page.value("document.body.innerText"))


async def test_a_label_is_no_pin(page: Tab, line: Played) -> None:
    """A scanner that reads digits while somebody is asked for a PIN neither types nor enters one; a hand does."""
    await tap_tile(page, 2)
    await tap_act(page)
    await typed(page, "12345678", 10)
    assert await page.value("document.querySelector('.pin').textContent") == ""
    assert await page.value(TOLD) == ""
    await typed(page, OPERATOR, 61, enter=False)
    assert await page.value("document.querySelector('.pin').textContent") == "●" * len(OPERATOR)
    await typed(page, "", 61)
    await page.until("document.querySelectorAll('.tile')[1].dataset.state === 'out'")


async def test_a_hidden_page_closes_its_stream(tab: Tab, line: Played) -> None:
    """A browser grants six to one address. Once it is seen again, it opens another, and is live after a beat."""
    hide = "Object.defineProperty(document, 'hidden', { value: HIDDEN, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))"
    await tab.before(PATIENT)
    await tab.before(
        "window.streams = []; const Real = EventSource; window.EventSource = class extends Real { constructor(url) { super(url); streams.push(this); } };"
    )
    await shown(tab, line.url)
    assert await tab.value("streams.at(-1).readyState") == 1
    before = await tab.value("streams.length")
    await tab.value(hide.replace("HIDDEN", "true"))
    assert await tab.value("streams.every((each) => each.readyState === 2)")
    assert await tab.value("document.body.dataset.line") == "unknown"
    await tab.value(hide.replace("HIDDEN", "false"))
    await tab.until(LIVE)
    assert await tab.value(f"streams.length > {before} && streams.at(-1).readyState") == 1
