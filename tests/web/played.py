# SPDX-License-Identifier: Apache-2.0
"""A page with a line that a test changes, in a process of its own, and what tests ask of such a page."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from station.web.models import Line, Slot, Stock
from tests.web.chromium import GREEN, Tab

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "screenshots"
LIVE = "document.body?.dataset.line === 'open'"
LOST = "document.body?.dataset.line === 'unknown'"
ALL_UNKNOWN = "[...document.querySelectorAll('.tile')].every((tile) => tile.dataset.state === 'unknown')"
WORDS = "[...document.querySelectorAll('.word')].map((word) => word.textContent)"
DRAWN = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))"

# For tests that ask much of a slow machine: the page does not wait for beats, and its sheet stays open until `late[45000]()`.
PATIENT = """window.late = {}; const real = window.setTimeout;
window.setTimeout = (act, after) => { late[after] = act; return [3000, 45000].includes(after) ? 0 : real(act, after); };"""

# Whatever does not fit: text that leaves its tile, number and shape or word that touch, and a page larger than the screen.
MISFITS = """(() => {
  const found = [], box = (element) => element.getBoundingClientRect();
  const seen = (element) => element && element.textContent !== '' && getComputedStyle(element).display !== 'none' && getComputedStyle(element).visibility !== 'hidden';
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  for (const tile of document.querySelectorAll('.tile')) {
    const all = box(tile), [number, word, shape] = ['.number', '.word', '.shape'].map((kind) => tile.querySelector(kind));
    for (const part of tile.querySelectorAll('.number, .word, .why, .say, .tag, .shape')) {
      const at = box(part);
      if ((part === shape || seen(part)) && (at.left < all.left || at.right > all.right + 1 || at.top < all.top - 1 || at.bottom > all.bottom + 1)) found.push([part.className.baseVal ?? part.className, tile.textContent]);
    }
    const text = (element) => { const range = document.createRange(); range.selectNodeContents(element); return range.getBoundingClientRect(); };
    const mark = tile.querySelector('.taken');
    if (tile.dataset.state === 'out' && getComputedStyle(mark).display !== 'none' && !(apart(box(mark), box(shape)) && apart(box(mark), text(number)))) found.push(['mark on number or shape', tile.textContent]);
    if (!apart(text(number), box(shape))) found.push(['number on shape', tile.textContent]);
    if (seen(word) && text(word).top < box(number).top) found.push(['word above number', tile.textContent]);
    if (seen(word) && text(word).width > all.width) found.push(['word too wide', tile.textContent]);
    const say = tile.querySelector('.say');
    if (seen(say) && say.scrollHeight > say.clientHeight + 1) found.push(['act cut off', say.textContent]);
  }
  const [line, lot, tools] = ['line', 'lot', 'tools'].map((name) => box(document.getElementById(name)));
  if (lot.width && line.right > lot.left + 1 || (lot.width ? lot.right : line.right) > tools.left + 1) found.push(['header', innerWidth]);
  const heading = document.querySelector('h1');
  if (heading.scrollWidth > heading.parentElement.clientWidth + 1) found.push(['heading', heading.textContent]);
  for (const button of document.querySelectorAll('button:not(.tile), dialog :is(a, h2, p, dd, li)')) {
    if (button.scrollWidth > button.clientWidth + 1) found.push(['text too wide', button.textContent]);
  }
  const sheet = document.querySelector('dialog[open]');
  if (sheet && (sheet.scrollHeight > sheet.clientHeight || box(sheet).top < 0 || box(sheet).bottom > innerHeight)) found.push(['sheet too high', sheet.textContent]);
  if (document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight) found.push(['page', innerWidth]);
  return found;
})()"""


class Played:
    """A page with a line that a test changes, in a process of its own."""

    def __init__(self, *options: str, folder: Path | None = None) -> None:
        """With a folder the line has people, a ledger and the engineer's pages, too."""
        self._options = [*options, *([f"--folder={folder}"] if folder else [])]
        self._environment = os.environ | ({"XDG_STATE_HOME": str(folder / "machine")} if folder else {})
        self._listen = "127.0.0.1:0"
        self.url = ""
        self.start()

    def start(self, *others: str) -> None:
        """Starts the process; again at the same port after its end, perhaps with other options."""
        command = [sys.executable, "-m", "tests.web.scripted_line", f"--listen={self._listen}", *self._options, *others]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("http"):
                self.url = line.strip()
                break
        self._listen = self.url.partition("://")[2].rstrip("/")

    def tell(self, *changes: Slot | Line | Stock) -> None:
        self._write(*(each.model_dump_json() for each in changes))

    def tell_late(self, messages: int) -> None:
        """So many messages do not reach the MES."""
        self._write(json.dumps({"mes": messages}))

    def _write(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.writelines(f"{line}\n" for line in lines)
        self.process.stdin.flush()

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.communicate()

    def close(self) -> None:
        self.end(signal.SIGKILL)


@contextmanager
def played(*options: str, folder: Path | None = None) -> Iterator[Played]:
    line = Played(*options, folder=folder)
    try:
        yield line
    finally:
        line.close()


async def shown(tab: Tab, url: str) -> None:
    """Opens the page and waits until it is live and its tiles are drawn."""
    await tab.open(url)
    await tab.until(f"{LIVE} && document.querySelector('.tile') !== null")
    await tab.value(DRAWN)


async def green(tab: Tab, picture: str | None = None) -> float:
    """How much of a picture, or of what the tab shows, is the green of a pass."""
    blank = await tab._browser.tab()  # noqa: SLF001  a page whose policy lets it read a picture
    share = await blank.value(f"{GREEN}({json.dumps(picture or await tab.picture())})")
    assert isinstance(share, int | float)
    return share


async def speak(tab: Tab, language: str) -> None:
    while await tab.value("document.documentElement.lang") != language:
        before = await tab.value("document.documentElement.lang")
        await tab.value("document.getElementById('language').click()")
        await tab.until(f"document.documentElement.lang !== {json.dumps(before)}")
