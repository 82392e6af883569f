"""The README's first picture of the page, taken of a true talk: `python -m story.pictures`.

The whole product with its offline engines, a real browser, the story's first photo, and its first two voices as the
microphone. Wants a Chromium.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path

from story.product import product
from story.script import PHOTOS, TURNS
from streaming.audio import MICROPHONE_RATE, read_wav, write_wav
from tests.browser import Page, chromium, page

PICTURE = Path(__file__).resolve().parents[1] / "web_demo" / "screenshot_photo.png"
SIZE = 1280, 900
OPENING_SECONDS, REPLY_SECONDS = 14, 22
"""Of quiet before the first voice and the second: 복실이 speaks, and a machine without a GPU takes its time."""
WAIT_SECONDS = 120.0
HEARD_CHARACTERS = 8
"""So much of the second is written when the picture is taken."""


async def main() -> None:
    first, second = (read_wav(turn.path) for turn in TURNS[:2])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        microphone = folder / "microphone.wav"
        write_wav(microphone, _quiet(OPENING_SECONDS) + first + _quiet(REPLY_SECONDS) + second + _quiet(WAIT_SECONDS))
        (folder / "data").mkdir()
        async with product(folder / "data") as address, chromium(microphone=microphone) as tools:
            async with page(tools, width=SIZE[0], height=SIZE[1]) as tab:
                await tab.go(f"{address}/demo")
                await _talk(tab, PHOTOS[0].path)
                picture = await tab.call("Page.captureScreenshot")
    PICTURE.write_bytes(base64.b64decode(picture["data"]))
    print(PICTURE)


async def _talk(tab: Page, photo: Path) -> None:
    """About the photo, until the second thing that is said is being written down."""
    root = (await tab.call("DOM.getDocument"))["root"]["nodeId"]
    found = await tab.call("DOM.querySelector", nodeId=root, selector="#files")
    await tab.call("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[str(photo)])
    await tab.until("document.querySelector('#photos img')?.naturalWidth > 0", WAIT_SECONDS)
    await tab.press("#photos button")
    await tab.until_told("turn.committed", WAIT_SECONDS, turn=2)
    await tab.until_told("transcript.partial", WAIT_SECONDS, turn=3)
    written = "[...document.querySelectorAll('.person')].at(-1).textContent.trim().length"
    await tab.until(f"{written} > {HEARD_CHARACTERS}", WAIT_SECONDS)


def _quiet(seconds: float) -> bytes:
    return bytes(2 * int(seconds * MICROPHONE_RATE))


if __name__ == "__main__":
    asyncio.run(main())
