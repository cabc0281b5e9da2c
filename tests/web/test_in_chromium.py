# SPDX-License-Identifier: Apache-2.0
"""The operator's page in a real browser: what it shows, and that it never looks green when nobody vouches for it."""

import base64
import json
import signal

import pytest

from station.faults import LineFault
from station.web.catalogue import ENTRIES
from station.web.models import NO_STOCK, Stock
from tests.builders.fault_catalogue import catalogue
from tests.web.chromium import Browser, Tab
from tests.web.fake_door import OPEN, paused, pulled, running, slot
from tests.web.played import ALL_UNKNOWN, DRAWN, LIVE, LOST, MISFITS, SHOTS, WORDS, green, played, shown, speak

pytestmark = pytest.mark.line


@pytest.mark.parametrize("slots", [8, 16, 64])
async def test_every_state_fits_in_every_language_theme_and_size(tab: Tab, slots: int) -> None:
    with played(f"--slots={slots}") as line:
        await shown(tab, line.url)
        for language in ("en", "de", "zh"):
            await speak(tab, language)
            for theme in ("dark", "light"):
                await tab.value(f"document.documentElement.dataset.theme = '{theme}'")
                for width, height in ((1920, 1080), (1280, 800)):
                    await tab.size(width, height)
                    await tab.value(DRAWN)
                    assert await tab.value(MISFITS) == [], (language, theme, width)
                    if width == 1920 or (language, theme) == ("de", "light"):
                        await tab.save(SHOTS / f"{slots}-{language}-{theme}-{width}.png")


async def test_a_line_that_is_not_open_says_so_before_all_else(tab: Tab) -> None:
    with played("--slots=16") as line:
        await shown(tab, line.url)
        for language in ("en", "de", "zh"):
            await speak(tab, language)
            for name, state in (
                ("paused", paused("pki.unavailable")),
                ("paused-for-engineer", paused("lot.exhausted")),
                ("draining", OPEN.model_copy(update={"state": "draining"})),
            ):
                said = "document.getElementById('line-say').textContent"
                before = await tab.value(said)
                line.tell(state)
                await tab.until(f"document.body.dataset.line === '{state.state}' && {said} !== {json.dumps(before)}")
                for width, height in ((1920, 1080), (1280, 800)):
                    await tab.size(width, height)
                    await tab.value(DRAWN)
                    assert await tab.value(MISFITS) == [], (language, name, width)
                await tab.save(SHOTS / f"16-{name}-{language}.png")
            line.tell(OPEN)
            await tab.until(LIVE)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_station_that_ends_takes_every_colour_with_it(tab: Tab, how: signal.Signals) -> None:
    """And it brings them back when it is up again."""
    with played("--slots=8") as line:
        await shown(tab, line.url)
        assert await green(tab) > 0.05
        await tab.value("document.querySelectorAll('.tile')[1].click()")
        assert await tab.value("document.querySelector('dialog').open")
        line.end(how)
        await tab.until(f"{LOST} && {ALL_UNKNOWN}")
        assert not await tab.value("document.querySelector('dialog').open")
        await tab.value(DRAWN)
        assert await green(tab) == 0
        assert await tab.value(MISFITS) == []
        await tab.save(SHOTS / f"8-not-connected-{how.name}.png")
        line.start()
        await tab.until(f"{LIVE} && !({ALL_UNKNOWN})")


async def test_a_station_that_stands_still_is_not_connected(tab: Tab) -> None:
    """Its sockets stay open; only the beats are missing."""
    with played("--slots=8") as line:
        await shown(tab, line.url)
        line.process.send_signal(signal.SIGSTOP)
        try:
            await tab.until(f"{LOST} && {ALL_UNKNOWN}")
            await tab.value(DRAWN)
            assert await green(tab) == 0
        finally:
            line.process.send_signal(signal.SIGCONT)
        await tab.until(f"{LIVE} && !({ALL_UNKNOWN})")


async def test_a_page_whose_scripts_hang_is_covered(tab: Tab) -> None:
    """The browser's compositor draws the veil, although the line is alive and its beats arrive. It covers an open sheet, too."""
    with played("--slots=8") as line:
        await shown(tab, line.url)
        await tab.value("document.querySelectorAll('.tile')[1].click()")
        await tab.value(DRAWN)
        assert await green(tab) > 0
        await tab.call("Page.startScreencast", format="png", everyNthFrame=1)
        await tab.begin("Runtime.evaluate", expression="for (;;);")
        covered = ""
        while not covered:
            frame = await tab.event("Page.screencastFrame")
            await tab.begin("Page.screencastFrameAck", sessionId=frame["sessionId"])
            picture = str(frame["data"])
            if await green(tab, picture) == 0:
                covered = picture
        SHOTS.mkdir(parents=True, exist_ok=True)
        (SHOTS / "8-scripts-hang.png").write_bytes(base64.b64decode(covered))
        await tab.call("Runtime.terminateExecution")
        await tab.call("Page.stopScreencast")
        await tab.until(LIVE)


async def test_without_scripts_nothing_is_green(tab: Tab) -> None:
    with played("--slots=8") as line:
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(line.url)
        await tab.event("Page.loadEventFired")
        assert await green(tab) == 0
        await tab.save(SHOTS / "without-scripts.png")


async def test_a_new_station_brings_its_own_page(tab: Tab) -> None:
    with played("--slots=8") as line:
        await shown(tab, line.url)
        version = "document.querySelector('meta[name=page-version]').content"
        before = await tab.value(version)
        line.end(signal.SIGTERM)
        line.start("--language=zh")
        await tab.until(f"{LIVE} && {version} !== {json.dumps(before)}")
        assert await tab.value("document.documentElement.lang") == "zh"


async def test_a_page_that_has_the_right_version_is_not_loaded_again(tab: Tab) -> None:
    with played("--slots=8") as line:
        await shown(tab, line.url)
        await tab.value("window.here = true")
        line.end(signal.SIGKILL)
        await tab.until(LOST)
        line.start()
        await tab.until(LIVE)
        assert await tab.value("window.here")


async def test_what_happens_on_the_line_happens_on_the_page(tab: Tab) -> None:
    with played("--slots=8", "--idle") as line:
        await shown(tab, line.url)
        assert set(await tab.value(WORDS) or []) == {"EMPTY"}  # type: ignore[call-overload]  # a list of texts
        line.tell(running("3"))
        await tab.until(f"{WORDS}[2] === 'RUNNING'")
        dashes = "document.querySelectorAll('.tile')[2].querySelector('.fill').getAttribute('stroke-dasharray')"
        assert len(str(await tab.value(dashes)).split()) == 2 * 8  # of each step's arc, what is drawn and what is not
        line.tell(slot("3", "fail", "readback.verifier", attempt=41))
        await tab.until(f"{WORDS}[2] === 'FAIL'")
        await tab.until("document.getElementById('last').textContent.startsWith('3 fail')")
        assert await tab.value("document.getElementById('last').textContent.endsWith('→ Put it into the reject bin')")
        assert await tab.value("document.querySelector('#hands [data-state=fail]').textContent") == "1"
        label = str(await tab.value("document.querySelectorAll('.tile')[2].getAttribute('aria-label')"))
        assert label.startswith("Slot 3: FAIL. The board would refuse the label's passcode")
        line.tell(pulled("3", "fail", "readback.verifier"))
        await tab.until(f"{WORDS}[2] === 'EMPTY'")
        assert await tab.value("document.querySelectorAll('.say')[2].textContent") == (
            "Taken out: fail. Put it into the reject bin"
        )
        line.tell(slot("3", "out of service", "probe.wedged", service="out", attempt=41))
        await tab.until(f"{WORDS}[2] === 'OUT'")
        assert await tab.value("document.querySelectorAll('.say')[2].textContent") == (
            "Board: another slot. Call the technician"
        )
        assert await tab.value("document.querySelectorAll('.taken')[2].dataset.verdict") == "void"
        line.tell(slot("3", "waiting", service="trial"))
        await tab.until("document.querySelectorAll('.tag')[2].textContent === 'trial'")


async def test_what_is_left_without_the_centre_is_in_the_footer(tab: Tab) -> None:
    with played("--slots=8") as line:
        await shown(tab, line.url)
        assert await tab.value("document.getElementById('shared').hidden")
        line.tell(Stock(away=True, left=1200))
        await tab.until("!document.getElementById('shared').hidden")
        assert await tab.value("document.getElementById('shared').textContent") == "Centre away, 1,200 units left"
        line.tell(Stock(away=False, left=40))
        await tab.until("document.getElementById('shared').textContent === '40 units left'")
        line.tell(NO_STOCK)
        await tab.until("document.getElementById('shared').hidden")


async def test_messages_that_the_mes_does_not_get_are_in_the_footer(tab: Tab) -> None:
    with played("--slots=8") as line:
        await shown(tab, line.url)
        assert await tab.value("document.getElementById('mes').hidden")
        line.tell_late(12)
        await tab.until("!document.getElementById('mes').hidden")
        assert await tab.value("document.getElementById('mes').textContent") == "MES 12"
        line.tell_late(0)
        await tab.until("document.getElementById('mes').hidden")


@pytest.mark.parametrize(
    "bug",
    [
        "const real = JSON.parse; JSON.parse = (text) => { if (window.broken) throw Error('on purpose'); return real(text); };",
        "const real = Element.prototype.replaceWith; Element.prototype.replaceWith = function (...all) { if (window.broken) throw Error('on purpose'); real.apply(this, all); };",
    ],
    ids=["takes", "draws"],
)
async def test_a_page_that_cannot_show_an_event_vouches_for_nothing(browser: Browser, bug: str) -> None:
    """Its beats go on, and would leave a green tile green for ever; it begins anew, and shows the event once it can."""
    tab = await browser.tab()
    await tab.before(bug)
    with played("--slots=8", "--idle") as line:
        await shown(tab, line.url)
        line.tell(slot("3", "pass", attempt=40))
        await tab.until(f"{WORDS}[2] === 'PASS'")
        await tab.value("window.broken = true")
        line.tell(slot("3", "fail", "board.silent", attempt=41))
        await tab.until(f"{ALL_UNKNOWN} || getComputedStyle(document.getElementById('veil')).opacity === '1'")
        assert await green(tab) == 0
        await tab.value("window.broken = false")
        await tab.until(f"{LIVE} && {WORDS}[2] === 'FAIL'")


async def test_a_text_from_outside_is_never_markup(tab: Tab) -> None:
    evil = "<img src=x onerror=document.title='owned'>"
    with played("--slots=8", "--idle") as line:
        await shown(tab, line.url)
        line.tell(slot(evil, "fail", "board.silent", attempt=1))
        await tab.until("document.querySelectorAll('.tile').length === 9")
        assert await tab.value("document.querySelectorAll('.tile img, footer img').length") == 0
        assert await tab.value("[...document.querySelectorAll('.number')].at(-1).textContent") == evil


async def test_fingers_in_gloves_hit_every_button(tab: Tab) -> None:
    with played("--slots=8") as line:
        await shown(tab, line.url)
        smallest = "Math.min(...[...document.querySelectorAll('button:not([hidden])')].flatMap((button) => [button.offsetWidth, button.offsetHeight]))"
        for width, height in ((1920, 1080), (1280, 800)):
            await tab.size(width, height)
            least = await tab.value(smallest)
            assert isinstance(least, int)
            assert least >= 71
        await tab.value("document.getElementById('sound').click()")
        assert await tab.value("document.getElementById('sound').getAttribute('aria-pressed')") == "true"


async def test_every_sentence_fits_on_a_tile_of_eight_slots(tab: Tab) -> None:
    cut = """(async () => {
      const tile = document.querySelector('.tile[data-state=fail]'), why = tile.querySelector('.why'), found = [], codes = CODES;
      for (const language of ['en', 'de', 'zh']) {
        const words = await (await fetch(`/assets/strings/${language}.json`)).json();
        for (const [code, english] of Object.entries(codes)) {
          const sentence = words.fault[code] ?? english;
          why.textContent = sentence;
          why.classList.toggle('long', sentence.length > 80);
          if (why.scrollHeight > why.clientHeight + 1) found.push(`${language} ${code}`);
        }
      }
      return found;
    })()"""
    with played("--slots=8") as line:
        await shown(tab, line.url)
        codes = {  # a line's fault is on its banner
            fault.code: ENTRIES[fault.code].sentence for fault in catalogue() if not issubclass(fault, LineFault)
        }
        assert await tab.value(cut.replace("CODES", json.dumps(codes))) == []


PURE = {
    "a slot is unknown without a living connection": (
        "b.face({slot: '1', state: 'pass', at: 0, taken: null}, board, false, 0).state",
        "unknown",
    ),
    "a state that the page does not know is unknown": (
        "b.face({slot: '1', state: 'levitating', at: 0, taken: null}, board, true, 0).state",
        "unknown",
    ),
    "a board that was pulled is remembered for twenty seconds": (
        "[0, 18999, 19001].map((now) => b.face({state: 'empty', at: 0, taken: {verdict: 'fail', seconds: 1}}, board, true, now).taken)",
        ["fail", "fail", None],
    ),
    "for so long its tile says what becomes of it": (
        "[0, 19001].map((now) => b.face({state: 'empty', at: 0, taken: {verdict: 'fail', act: 'reject', seconds: 1}}, board, true, now).act)",
        ["reject", "plug"],
    ),
    "a slot out of service tells the verdict on the board in it": (
        "['out of service', 'fail'].map((state) => b.face({state, verdict: 'fail', at: 0, taken: null}, board, true, 0).inside)",
        ["fail", None],
    ),
    "an empty slot of an open line wants a board": (
        "['empty', 'waiting'].map((state) => b.face({state, at: 0, taken: null}, board, true, 0).act)",
        ["plug", "wait"],
    ),
    "nobody plugs in a board while the line is paused": (
        "['wait', 'engineer'].map((act) => b.face({state: 'empty', at: 0, taken: null}, {line: {state: 'paused', act}}, true, 0).act)",
        ["wait", "engineer"],
    ),
    "an idle slot of a line that ends wants nothing": (
        "['empty', 'waiting'].map((state) => b.face({state, at: 0, taken: null}, {line: {state: 'draining'}}, true, 0).act)",
        ["", ""],
    ),
    "a step is never drawn full before the line says so": (
        "b.progress({procedure: null, step: 'x', step_seconds: 99, at: 0}, plans, 0).arcs[0].filled",
        0.97,
    ),
    "what is left is the rest of the plan": (
        "b.progress({procedure: null, step: 'x', step_seconds: 1, at: 0}, plans, 1000).left",
        6,
    ),
    "a step that takes long is slow": (
        "[6.9, 7.1].map((spent) => b.progress({procedure: null, step: 'x', step_seconds: spent, at: 0}, {provision: [{step: 'x', seconds: 2}]}, 0).slow)",
        [False, True],
    ),
    "a step outside the plan has no time": (
        "b.progress({procedure: 'redeliver', step: 'x', step_seconds: 1, at: 0}, plans, 0)",
        {"arcs": [], "left": None, "slow": False},
    ),
    "eight, sixteen and sixty-four slots on a wide screen": (
        "[8, 16, 64].map((n) => b.grid({slots: new Map([...Array(n).keys()].map((k) => [k, {}]))}, 1900, 900).columns)",
        [4, 4, 8],
    ),
    "places are those of the configuration": (
        "b.grid({slots: new Map([[1, {place: [1, 5]}], [2, {place: [2, 1]}]])}, 1900, 900)",
        {"columns": 5, "placed": True},
    ),
    "an event before the board is nothing to add to": ("b.after(null, 'slot', {slot: '1'}, 0)", None),
    "a pause that is told again has lasted since the first time": (
        "b.after({line: {state: 'paused', fault: 'x', at: 5}}, 'line', {state: 'paused', fault: 'x'}, 9).line.at",
        5,
    ),
    "only a new fail or a slot that goes out is worth a sound": (
        "[['running', 'fail'], ['fail', 'fail'], ['pass', 'out'], ['unknown', 'fail'], ['running', 'void']].map(([x, y]) => b.alarm({state: x}, {state: y}))",
        ["fail", None, "out", None, None],
    ),
    "a sheet has the steps that are over, the one that runs, and those to come": (
        "b.stages({procedure: null, steps: {x: 1.5}, step: 'y', step_seconds: 2, at: 0}, {provision: ['x', 'y', 'z'].map((step) => ({step}))}, 500)",
        [
            {"step": "x", "seconds": 1.5, "when": "over"},
            {"step": "y", "seconds": 2.5, "when": "now"},
            {"step": "z", "seconds": None, "when": "later"},
        ],
    ),
    "a sheet has a step once, also between its end and the next one's beginning": (
        "b.stages({procedure: null, steps: {x: 1.5, y: 2}, step: 'y', step_seconds: 2, at: 0}, {provision: ['x', 'y'].map((step) => ({step}))}, 500).map(({step}) => step)",
        ["x", "y"],
    ),
    "evidence is the reason without its sentence": (
        "[['Bad.', 'Bad. (place 0x10, was (7))'], ['Bad.', 'Bad.'], ['Bad.', 'Worse.'], [null, null]].map(([sentence, reason]) => b.evidence({sentence, reason}))",
        ["place 0x10, was (7)", None, "Worse.", None],
    ),
    "a scanned UID is that of a board in a slot, not of one that was there": (
        "['AB12 ', '', 'cd'].map((uid) => b.slotOf({slots: new Map([['1', {slot: '1', uid: null}], ['2', {slot: '2', uid: 'ab12'}]])}, uid)?.slot ?? null)",
        ["2", None, None],
    ),
    "a scanner is six keys at least, each within 60 milliseconds, and Enter": (
        "[[60, '123456'], [61, '123456'], [5, '12345'], [5, 'MT:-A+7']].map(([step, text]) => scan([...text, 'Enter'].map((key, at) => [key, at * step])))",
        ["123456", None, None, "MT:-A+7"],
    ),
    "what was typed by hand before is no part of a scan": (
        "scan([['9', 0], ['9', 300], ...[...'ABCDEF'].flatMap((key, at) => [['Shift', 600 + at * 20], [key, 605 + at * 20]]), ['Enter', 720]])",
        "ABCDEF",
    ),
    "minutes": ("[0, 61000, 3600000, -5].map(b.minutes)", ["0:00", "1:01", "60:00", "0:00"]),
}


async def test_the_pure_part_of_the_page(tab: Tab) -> None:
    setting = """const board = {line: {state: 'open'}}, plans = {provision: [{step: 'x', seconds: 4}, {step: 'y', seconds: 4}]};
      const { Scanner } = await import('/assets/scanner.js'), scan = (keys) => { const scanner = new Scanner(); return keys.map(([key, at]) => scanner.key(key, at)).at(-1); };"""
    with played("--slots=8") as line:
        await shown(tab, line.url)
        for fact, (expression, expected) in PURE.items():
            found = await tab.value(
                f"(async () => {{ const b = await import('/assets/board.js'); {setting} return {expression}; }})()"
            )
            assert found == expected, fact
