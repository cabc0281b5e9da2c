# SPDX-License-Identifier: Apache-2.0
"""The operator's page in a real browser, against 64 scripted slots: how soon it shows what it should, and what that costs."""

import asyncio
import gzip
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.finished_line import page_of
from benchmarks.listeners import listening
from benchmarks.recording import RunUnusable
from benchmarks.scripted import REAL, SLOTS, Scripted, scripted
from station.web import assets
from tests.builders.line import Line, LineFailed
from tests.web import chromium
from tests.web.chromium import GREEN, Browser, Tab
from tests.web.page_weight import parts

ROUNDS = 7
STRESS = 120.0  # events a second
STRESSED_FOR, WATCHED_FOR = 10.0, 10.0
SETTLED_AFTER = 2.0  # what opening costs is over
DEATHS = 3

# Told to each page before its own scripts: when it is live and drawn, when an event is drawn, and when no colour is left.
PROBE = """(() => {
  const seen = window.seen = { live: null, frames: [], gone: null };
  const drawn = (then) => requestAnimationFrame(() => {
    const after = new MessageChannel();
    after.port1.onmessage = then;
    after.port2.postMessage(null);
  });
  const tiles = (state) => document.querySelectorAll(`.tile${state}`).length;
  const wait = () => {
    if (document.body?.dataset.line === 'open' && tiles('') === SLOTS && !tiles('[data-state=unknown]')) drawn(() => { seen.live = performance.now(); });
    else requestAnimationFrame(wait);
  };
  requestAnimationFrame(wait);
  seen.watch = () => {
    if (document.body.dataset.line === 'unknown' && tiles('[data-state=unknown]') === SLOTS) drawn(() => { seen.gone = performance.timeOrigin + performance.now(); });
    else requestAnimationFrame(seen.watch);
  };
  const listen = EventSource.prototype.addEventListener;
  EventSource.prototype.addEventListener = function (name, heard, ...others) {
    return listen.call(this, name, name !== 'slot' ? heard : (event) => {
      heard(event);
      const made = Number(/"attempt":([0-9]+)/.exec(event.data)?.[1]) / 1000;
      if (made > 1e12) drawn(() => seen.frames.push(performance.timeOrigin + performance.now() - made));
    }, ...others);
  };
})();""".replace("SLOTS", str(SLOTS))


@dataclass(frozen=True, slots=True)
class Page:
    """Times in seconds, one for each round; CPU in shares of a core; sizes in bytes, raw and compressed."""

    first_paint: tuple[float, ...]
    live: tuple[float, ...]
    to_frame: tuple[float, ...]
    gone: Mapping[str, tuple[float, ...]]
    chromium: float
    hub_quiet: float
    """The whole daemon with five pages, above the one without, while nothing happens."""
    hub_busy: float
    """The same of the scripted line, at the pace of real boards."""
    sizes: Mapping[str, tuple[int, int]]


def page(folder: Path) -> Page:
    """Measures the page. Raises `RunUnusable`."""
    if shutil.which("chromium") is None:
        raise RunUnusable("there is no chromium: `tools/chromium` installs it")
    quiet = _quiet(folder)
    with chromium.started() as address:
        return asyncio.run(_measured(address, quiet))


async def _measured(address: str, quiet: float) -> Page:
    async with chromium.connected(address) as browser:
        with scripted() as line:
            opened = [await _opened(browser, line) for _ in range(ROUNDS)]
            to_frame = await _to_frame(browser, line)
            share = await _chromium_share(browser, line)
        busy = await _busy()
        gone = {
            "SIGKILL": tuple([await _gone(browser, signal.SIGKILL) for _ in range(DEATHS)]),
            "SIGSTOP": tuple([await _gone(browser, signal.SIGSTOP) for _ in range(DEATHS)]),
            "scripts that hang": tuple([await _covered(browser) for _ in range(DEATHS)]),
        }
    first_paint, live = zip(*opened, strict=True)
    return Page(first_paint, live, to_frame, gone, share, quiet, busy, sizes())


async def _tab(browser: Browser, line: Scripted) -> Tab:
    """The page, live, in a new window."""
    tab = await browser.tab()
    await tab.call("Page.addScriptToEvaluateOnNewDocument", source=PROBE)
    await tab.open(line.url)
    await tab.until("window.seen?.live")
    return tab


async def _number(tab: Tab, expression: str) -> float:
    value = await tab.value(expression)
    if not isinstance(value, int | float):
        raise RunUnusable(f"the page has no number for {expression}: {value}")
    return float(value)


async def _opened(browser: Browser, line: Scripted) -> tuple[float, float]:
    """First paint and all tiles live, in seconds from the navigation, with an empty cache."""
    tab = await _tab(browser, line)
    paint = await _number(tab, "performance.getEntriesByName('first-contentful-paint')[0].startTime")
    live = await _number(tab, "seen.live")
    await tab.call("Page.close")
    return paint / 1000, live / 1000


async def _to_frame(browser: Browser, line: Scripted) -> tuple[float, ...]:
    """From the change on the line to the frame that shows it; the look every 125 ms is part of it."""
    tab = await _tab(browser, line)
    await line.live(STRESS, STRESSED_FOR)
    await tab.value(chromium_drawn())
    found = await tab.value("seen.frames")
    await tab.call("Page.close")
    if not isinstance(found, list) or not found:
        raise RunUnusable("the page has shown no event")
    return tuple(milliseconds / 1000 for milliseconds in found)


def chromium_drawn() -> str:
    return "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))"


async def _chromium_share(browser: Browser, line: Scripted) -> float:
    """All processes of the browser, without a GPU, while 64 slots change as real boards do."""
    tab = await _tab(browser, line)
    await line.live(REAL, SETTLED_AFTER)
    before, began = _browsers(), time.monotonic()
    await line.live(REAL, WATCHED_FOR)
    after, seconds = _browsers(), time.monotonic() - began
    await tab.call("Page.close")
    return sum(used - before.get(pid, 0.0) for pid, used in after.items()) / seconds


def _browsers() -> dict[int, float]:
    """CPU seconds of every process that the browser consists of."""
    parents, names = {}, {}
    for place in processes.PROC.glob("[0-9]*/stat"):
        try:
            head, fields = place.read_text().rsplit(")", 1)
        except OSError:  # it has ended meanwhile
            continue
        pid = int(place.parent.name)
        parents[pid], names[pid] = int(fields.split()[1]), head.partition("(")[2]
    found = {}
    for pid, name in names.items():
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and re.match("chrom", name):
            try:
                found[pid] = processes.cpu_seconds(pid)
            except OSError:
                continue
    return found


def _quiet(folder: Path) -> float:
    try:
        with Line.standing(folder / "page", SLOTS) as line:
            pid = line.processes["daemon"].pid
            return _spent_beside(pid, page_of(line), lambda: time.sleep(WATCHED_FOR))
    except LineFailed as exc:
        raise RunUnusable(str(exc)) from exc


def _spent_beside(pid: int, url: str, during: Callable[[], object]) -> float:
    alone = _spent(pid, during)
    with listening(url):
        during()  # what opening costs is over
        return _spent(pid, during) - alone


def _spent(pid: int, during: Callable[[], object]) -> float:
    used, began = processes.cpu_seconds(pid), time.perf_counter()
    during()
    return (processes.cpu_seconds(pid) - used) / (time.perf_counter() - began)


async def _busy() -> float:
    def live() -> None:
        asyncio.run(line.live(REAL, WATCHED_FOR))

    with scripted() as line:
        return await asyncio.to_thread(_spent_beside, line.process.pid, line.url, live)


async def _gone(browser: Browser, number: signal.Signals) -> float:
    """From the daemon's end, or its standstill, to a page without a colour."""
    with scripted() as line:
        tab = await _tab(browser, line)
        await tab.value("seen.watch(), 0")
        at = time.time()
        line.process.send_signal(number)
        await tab.until("window.seen?.gone")
        gone = await _number(tab, "seen.gone") / 1000 - at
        await tab.call("Page.close")
    return gone


async def _covered(browser: Browser) -> float:
    """From the moment at which the page's scripts hang to the first frame without green, as the browser takes them."""
    with scripted() as line:
        tab = await _tab(browser, line)
        judge = await browser.tab()
        await tab.call("Page.startScreencast", format="png", everyNthFrame=1)
        at = time.time()
        await tab.begin("Runtime.evaluate", expression="for (;;);")
        while True:
            frame = await tab.event("Page.screencastFrame")
            await tab.begin("Page.screencastFrameAck", sessionId=frame["sessionId"])
            metadata = frame["metadata"]
            assert isinstance(metadata, dict)
            if await _number(judge, f"{GREEN}('{frame['data']}')") == 0:
                break
        await tab.call("Runtime.terminateExecution")
        await tab.call("Page.close")
        await judge.call("Page.close")
    return float(metadata["timestamp"]) - at


def sizes() -> dict[str, tuple[int, int]]:
    """Of the page's own scripts, its style, and its largest language."""
    found = parts(assets.load("en").files)
    return {name: (len(content), len(gzip.compress(content))) for name, content in found.items()}
