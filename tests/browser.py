"""A real browser for journeys: Chromium without a window, driven over its DevTools protocol.

Its microphone is a WAV, its loudspeaker a device that takes samples in real time and makes no sound. Everything the
page sends and receives, logs, and asks of the network is kept, so that a test needs no hooks inside the page.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)")

START_SECONDS = 60.0
WAIT_SECONDS = 30.0
LOOK_SECONDS = 0.05
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class PageError(AssertionError):
    """A script in the page threw."""


class DevTools:
    """One connection to the browser: commands with answers, and events to whoever listens."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        """By session."""

    async def call(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(WAIT_SECONDS):
            return await answer

    async def read(self) -> None:
        """Until the browser is gone."""
        try:
            async for message in self._socket:
                self._take(json.loads(message))
        except ConnectionClosed:
            pass
        finally:
            for answer in self._answers.values():
                answer.cancel("the browser is gone")

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            answer = self._answers.pop(message["id"])
            if answer.done():
                return
            if "error" in message:
                answer.set_exception(PageError(str(message["error"])))
            else:
                answer.set_result(message["result"])
        elif (listener := self.listeners.get(message.get("sessionId", ""))) is not None:
            listener(message["method"], message["params"])


@dataclass
class Page:
    """A tab, and what it did."""

    tools: DevTools
    session: str
    said: list[dict[str, Any]] = field(default_factory=list)
    """JSON messages sent over WebSockets, in order."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """JSON messages received, in order."""
    pieces: list[tuple[int, int, int]] = field(default_factory=list)
    """Reply audio received: turn, first sample, number of samples."""
    microphone_bytes: int = 0
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings on the console, exceptions, violations of the page's policy."""

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self.tools.call(method, self.session, **parameters)

    async def go(self, url: str) -> None:
        """Load a page and wait until its modules have run."""
        await self.call("Page.navigate", url=url)
        await self.until(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")

    async def run(self, script: str) -> Any:
        """The value of an expression, awaited if it is a promise; raises PageError where it throws."""
        done = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise PageError(json.dumps(done["exceptionDetails"].get("exception", done["exceptionDetails"])))
        return done["result"].get("value")

    async def until(self, script: str, seconds: float = WAIT_SECONDS) -> Any:
        """Wait until an expression is true; its value."""
        return await self._until(lambda: self.run(script), script, seconds)

    async def until_told(self, kind: str, seconds: float = WAIT_SECONDS, **fields: object) -> dict[str, Any]:
        """Wait for an event from the server with these fields."""
        return await self._until_in(self.told, kind, fields, seconds)

    async def until_said(self, kind: str, seconds: float = WAIT_SECONDS, **fields: object) -> dict[str, Any]:
        """Wait for a message from the page with these fields."""
        return await self._until_in(self.said, kind, fields, seconds)

    async def press(self, selector: str) -> None:
        """Click with the mouse, in the middle of the first element that matches."""
        place = await self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    async def key(self, key: str, code: int, text: str = "") -> None:
        """Press a key, as a person at a keyboard does."""
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    async def text(self, selector: str) -> str:
        return str(await self.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"))

    async def _until_in(
        self, where: list[dict[str, Any]], kind: str, fields: dict[str, object], seconds: float
    ) -> dict[str, Any]:
        async def find() -> dict[str, Any] | None:
            wanted = {"type": kind, **fields}
            return next((one for one in where if wanted.items() <= one.items()), None)

        found = await self._until(find, f"{kind} {fields}", seconds)
        assert isinstance(found, dict)
        return found

    async def _until(self, look: Callable[[], Awaitable[Any]], what: str, seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if found := await look():
                        return found
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            seen = [one["type"] for one in self.told if one["type"] != "received_samples"]
            raise AssertionError(f"never came: {what}; told {seen}; complaints {self.complaints}") from None

    def take(self, method: str, event: dict[str, Any]) -> None:
        """What the browser reports of this tab."""
        match method:
            case "Network.webSocketFrameSent":
                self._sent(event["response"])
            case "Network.webSocketFrameReceived":
                self._received(event["response"])
            case "Network.requestWillBeSent":
                self.requests.append(event["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(event["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(event["exceptionDetails"], ensure_ascii=False))
            case "Runtime.consoleAPICalled" if event["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(event["args"], ensure_ascii=False))
            case "Log.entryAdded" if event["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{event['entry']['text']} {event['entry'].get('url', '')}")

    def _sent(self, frame: dict[str, Any]) -> None:
        if frame["opcode"] == 1:
            self.said.append(json.loads(frame["payloadData"]))
        elif frame["opcode"] == 2:
            self.microphone_bytes += len(base64.b64decode(frame["payloadData"]))

    def _received(self, frame: dict[str, Any]) -> None:
        if frame["opcode"] == 1:
            self.told.append(json.loads(frame["payloadData"]))
        elif frame["opcode"] == 2:
            body = base64.b64decode(frame["payloadData"])
            turn, _, first = struct.unpack_from("<IIQ", body)
            self.pieces.append((turn, first, (len(body) - 16) // 2))


@asynccontextmanager
async def chromium(*, microphone: Path | None = None, allowed: bool = True) -> AsyncIterator[DevTools]:
    """A browser of its own, with a profile of its own. `microphone`: a WAV that is heard once, then silence; without
    one the device has no microphone. `allowed`: whether the person lets the page use it."""
    assert CHROMIUM is not None
    arguments = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--no-first-run",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-default-browser-check",
        "--mute-audio",
        "--autoplay-policy=no-user-gesture-required",
        "--remote-debugging-port=0",
    ]
    if microphone is not None:
        arguments += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    arguments.append("--use-fake-ui-for-media-stream" if allowed else "--deny-permission-prompts")
    with tempfile.TemporaryDirectory(prefix="st-browser", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            f"--user-data-dir={profile}",
            "about:blank",
            env={**os.environ, "HOME": profile, "DBUS_SESSION_BUS_ADDRESS": "disabled:"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # its many processes are one group, and end together
        )
        try:
            async with connect(await _address(process), max_size=MAX_MESSAGE_BYTES, compression=None) as socket:
                tools = DevTools(socket)
                reading = asyncio.create_task(tools.read(), name="devtools")
                try:
                    yield tools
                finally:
                    reading.cancel()
                    await asyncio.wait([reading])
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Where it says that it listens."""
    assert process.stderr is not None
    seen = []
    async with asyncio.timeout(START_SECONDS):
        async for raw in process.stderr:
            line = raw.decode(errors="replace")
            seen.append(line)
            if line.startswith("DevTools listening on "):
                return line.split()[-1]
    raise AssertionError(f"Chromium ended: {''.join(seen)}")


@asynccontextmanager
async def page(tools: DevTools, *, width: int = 1280, height: int = 860) -> AsyncIterator[Page]:
    """A tab of this size, in CSS pixels."""
    target = (await tools.call("Target.createTarget", url="about:blank"))["targetId"]
    session = (await tools.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    tab = Page(tools, session)
    tools.listeners[session] = tab.take
    for domain in ("Page", "Runtime", "Network", "Log"):
        await tab.call(f"{domain}.enable")
    await tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    try:
        yield tab
    finally:
        del tools.listeners[session]
        await tools.call("Target.closeTarget", targetId=target)
