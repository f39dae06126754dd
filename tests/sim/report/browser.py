"""A real Chromium for tests: one page, driven over the DevTools protocol, with an empty profile of its own.

Source: Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/ (domains Page, Runtime,
Input, Emulation, Network).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.servers import program

FLAGS: Final = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-dev-shm-usage",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
START_S_MAX: Final = 30.0
REPLY_S_MAX: Final = 20.0


def chromium() -> str:
    """Path of Chromium, Debian's package of that name."""
    return program("chromium", "chromium")


class Tab:
    """One page: evaluates, points, looks; keeps every request that it made, by address."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._loaded = asyncio.Event()
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Network"):
            await self.call(f"{domain}.enable")
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), REPLY_S_MAX)

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression yields in the page, as JSON."""
        reply = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    async def mouse(self, kind: str, x: float, y: float, *, clicks: int = 0) -> None:
        """``kind``: mouseMoved, mousePressed or mouseReleased, at CSS pixels of the viewport."""
        button = "left" if clicks else "none"
        await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=clicks)

    async def key(self, name: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=name)

    async def looks(self, *, width: int, height: int, scheme: str = "light") -> None:
        """The size of the viewport in CSS pixels, and the preferred colours: light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        await self.call("Emulation.setEmulatedMedia", features=[feature])

    async def picture(self, *, whole: bool = True) -> bytes:
        """A PNG: of the whole page, or of what is in view."""
        reply = await self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(reply["data"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(reply, REPLY_S_MAX)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._replies.pop(told["id"]).set_result(told)
            elif told["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif told["method"] == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])


@contextmanager
def a_browser(profile: Path) -> Iterator[str]:
    """A Chromium with an empty profile, gone at the end; gives the address of its DevTools."""
    process = subprocess.Popen(
        [chromium(), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{_port(profile)}"
    finally:
        process.terminate()
        process.wait(timeout=START_S_MAX)


def _port(profile: Path) -> str:
    """The port that Chromium chose; it writes it into its profile."""
    told, give_up_at = profile / "DevToolsActivePort", time.monotonic() + START_S_MAX
    while not (told.exists() and "\n" in told.read_text()):
        assert time.monotonic() < give_up_at, "chromium did not start"
        time.sleep(0.05)
    return told.read_text().splitlines()[0]


@asynccontextmanager
async def a_tab(browser: str) -> AsyncIterator[Tab]:
    """A new tab of a running Chromium, closed at the end."""
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{browser}/json/new?about:blank") as reply:
            target = await reply.json()
        tab = Tab(await session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0))
        try:
            yield tab
        finally:
            await tab.close()
            async with session.get(f"{browser}/json/close/{target['id']}") as reply:
                await reply.read()
