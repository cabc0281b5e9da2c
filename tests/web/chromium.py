# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium without a screen, driven over its own protocol: a browser, and tabs that a test looks at."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest

WITHIN = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)

Message = Mapping[str, object]

STOPPED = ("ERR_CONNECTION_", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE_CHUNKED")  # a test has stopped the line
NAVIGATED = ("Inspected target navigated", "Cannot find context", "Execution context was destroyed")


class PageLeft(Exception):
    """The page was left, for another one or for itself anew, before it answered."""


# How much of a picture is the green of a pass, as the browser itself decodes the picture.
GREEN = """(async (picture) => {
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + picture)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  const { data } = canvas.getImageData(0, 0, image.width, image.height);
  let green = 0;
  for (let at = 0; at < data.length; at += 4) green += data[at + 1] > 1.5 * data[at] && data[at + 1] > 1.3 * data[at + 2] && data[at + 1] > 100;
  return 4 * green / data.length;
})"""


@contextmanager
def started() -> Iterator[str]:
    """A browser for many tests; gives the address of its protocol."""
    program = shutil.which("chromium")
    if program is None:
        # `make test` installs it, and in CI a skipped test has failed (tests/conftest.py).
        pytest.skip("there is no chromium: `tools/chromium` installs it")
    # The profile is in use until every one of its processes has ended.
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield _address(process, Path(profile, "DevToolsActivePort"))
            finally:
                process.kill()


def _address(process: subprocess.Popen[bytes], file: Path) -> str:
    """What the browser writes once it listens: its port, and the path of its protocol."""
    deadline = time.monotonic() + WITHIN
    while not file.exists() or len(lines := file.read_text().split()) < 2:
        assert process.poll() is None, "chromium has ended"
        assert time.monotonic() < deadline, "chromium did not start"
        time.sleep(0.02)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"


class Tab:
    """A page in a window of its own, with its own storage."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session
        self.refused: set[int] = set()
        """Statuses of HTTP that the test asks for on purpose."""

    async def call(self, method: str, **parameters: object) -> dict[str, object]:
        """Asks the browser about this tab, and waits for its answer."""
        return await self._browser.call(method, self._session, **parameters)

    async def begin(self, method: str, **parameters: object) -> int:
        """Asks without waiting for the answer; gives the question's number."""
        return await self._browser.send(method, self._session, **parameters)

    async def event(self, method: str) -> dict[str, object]:
        """The next event of this name."""
        return await self._browser.event(method, self._session)

    async def prepare(self) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.size(1920, 1080)

    async def size(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def press(self, *keys: str) -> None:
        """Presses keys of a real keyboard, one after another."""
        for key in keys:
            code = {"Enter": 13, "Tab": 9, "Escape": 27}[key]
            text = {"text": "\r"} if key == "Enter" else {}
            for kind in ("keyDown", "keyUp"):
                await self.call(
                    "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
                )

    async def before(self, script: str) -> None:
        """Runs a script before those of every page that is opened from now on."""
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def value(self, expression: str) -> object:
        """What a JavaScript expression, or its promise, comes to."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        result = answer["result"]
        assert "exceptionDetails" not in answer, answer
        assert isinstance(result, dict)
        return result.get("value")

    async def until(self, expression: str) -> None:
        """Waits until the expression is true."""
        deadline = time.monotonic() + WITHIN
        while not await self._is_true(expression):
            assert time.monotonic() < deadline, expression
            await asyncio.sleep(0.02)

    async def _is_true(self, expression: str) -> bool:
        try:
            return bool(await self.value(expression))
        except PageLeft:
            return False

    async def picture(self) -> str:
        """What the tab shows, as PNG in base64."""
        return str((await self.call("Page.captureScreenshot", format="png"))["data"])

    async def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(await self.picture()))

    def complaints(self) -> list[str]:
        """What went wrong in the page so far: its exceptions, its console, and the browser's own log, such as a breach of the policy."""
        told = self._browser.events[self._session]
        found = [json.dumps(each) for each in told["Runtime.exceptionThrown"]]
        for each in [*told["Runtime.consoleAPICalled"], *told["Log.entryAdded"]]:
            text = json.dumps(each)
            expected = (*STOPPED, *(f"responded with a status of {status} " for status in self.refused))
            if not any(error in text for error in expected):
                found.append(text)
        return found

    def asked(self) -> list[str]:
        """Every address that the page has asked for."""
        urls = []
        for each in self._browser.events[self._session]["Network.requestWillBeSent"]:
            request = each["request"]
            assert isinstance(request, dict)
            urls.append(str(request["url"]))
        return urls


class Browser:
    """One connection to a running Chromium."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, dict[str, object]] = {}
        self.events: dict[str, dict[str, list[Message]]] = defaultdict(lambda: defaultdict(list))
        self._read: dict[tuple[str, str], int] = defaultdict(int)

    async def send(self, method: str, session: str | None = None, **parameters: object) -> int:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        return self._number

    async def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, object]:
        number = await self.send(method, session, **parameters)
        async with asyncio.timeout(WITHIN):
            while number not in self._answers:
                await self._receive()
        answer = self._answers.pop(number)
        if any(text in str(answer.get("error")) for text in NAVIGATED):
            raise PageLeft
        assert "error" not in answer, (method, answer)
        result = answer["result"]
        assert isinstance(result, dict)
        return result

    async def event(self, method: str, session: str) -> dict[str, object]:
        told = self.events[session][method]
        read = self._read[session, method]
        async with asyncio.timeout(WITHIN):
            while len(told) <= read:
                await self._receive()
        self._read[session, method] += 1
        return dict(told[read])

    async def _receive(self) -> None:
        message = await self._socket.receive_json()
        if "id" in message:
            self._answers[message["id"]] = message
        else:
            self.events[message.get("sessionId", "")][message["method"]].append(message["params"])

    async def tab(self) -> Tab:
        """A new window, with an empty storage."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = (await self.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = Tab(self, str(session))
        await tab.prepare()
        return tab


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        yield Browser(socket)
