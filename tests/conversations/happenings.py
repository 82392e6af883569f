"""Everything that can happen in a conversation, by its name: the events of the wire, and two that the client knows."""

from __future__ import annotations

from typing import NamedTuple, get_args

from silvertalk.client import ConnectionLost
from streaming.protocol import Event, ServerEvent
from tests.conversations.patterns import kind_of


class Playing(Event, frozen=True, tag="client.playing"):
    """A reply of a turn begins to be played; `position`: with this sample of the turn's audio."""

    turn: int
    position: int


class Played(Event, frozen=True, tag="client.played"):
    """All of a reply was played, or what was left of it dropped. A reply that runs dry and goes on is still played."""

    turn: int
    samples: int


class Happening(NamedTuple):
    """`sample`: how much the microphone had captured when the event was here."""

    sample: int
    event: Event

    def __str__(self) -> str:
        fields = {
            name: getattr(self.event, name)
            for name in self.event.__struct_fields__
            if name not in ("epoch", "event", "timings_ms", "message_en", "message_ko", "session")
        }
        return f"{self.sample / 16_000:8.2f} s  {kind_of(self.event)}  " + " ".join(
            f"{name}={value!r}" for name, value in fields.items()
        )


KINDS: dict[str, type[Event]] = {
    str(kind.__struct_config__.tag): kind for kind in (*get_args(ServerEvent), ConnectionLost, Playing, Played)
}
