"""What `silvertalk up` tells whoever started it: how far its waking is, where its page is once it listens, that it
stops.

The address comes last: a page that is opened before the models are warm can do nothing yet. Programs say how far they
are in systemd's words (`streaming/notify.py`); lines, and no bar, since what the programs log stands between them.
"""

from __future__ import annotations

import re

from rich.console import Console

PARTS = {
    "hearing": "듣는 연습을 해요",
    "speaking": "말하는 연습을 해요",
    "replying": "대답을 준비해요",
    "turn_ends": "말끝을 알아듣는 연습을 해요",
    "phrases": "자주 하는 말을 미리 해 보아요",
}
"""What a node does as it warms up, by the names that it gives it."""
RECORDING = "story/voices/1_busan.wav"
_WARMING = re.compile(r"warming up (\d+)/(\d+): (\w+)")


class Announcer:
    """The product's audience on a terminal."""

    def __init__(self, console: Console, address: str) -> None:
        self._console = console
        self._address = address
        self._awaited = {"gateway", "node"}

    def starting(self) -> None:
        self._say("\n  복실이가 일어나고 있어요. It wakes up, within a minute or so:")

    def ready(self, name: str) -> None:
        if name not in self._awaited:
            return
        self._awaited.discard(name)
        if not self._awaited:
            self._say("\n  [bold]복실이가 듣고 있어요.[/] It listens: open the page below, or in a second terminal:")
            self._say(f"      .venv/bin/silvertalk replay {RECORDING} --url {self._address}")
            self._say("  Ctrl-C stops it.\n")
            self._say(f"  SilverTalk: [bold green]{self._address}/demo[/]\n")

    def status(self, name: str, text: str) -> None:
        if found := _WARMING.fullmatch(text):
            number, count, part = found.groups()
            self._say(f"      {number}/{count} {PARTS.get(part, part)} ({part.replace('_', ' ')})")

    def stopping(self) -> None:
        self._say("\n  멈추고 있어요… It stops, and finishes what it is saying; Ctrl-C again ends it at once.")

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)
