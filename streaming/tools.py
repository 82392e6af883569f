"""The tools that an LLM may ask for while it writes a reply: their names, and what they take.

Both ends know this table: a node declares to its LLM those that the context names, the gateway carries them out under
the session's identity (`silvertalk.voice_tools`). A tool that only reads may be carried out for a reply that nobody has
heard yet; one that writes never is: it makes 복실이 ask, and the person's spoken yes carries it out. What a tool shows
is shown once its reply is heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tool:
    """`parameters` is a JSON schema of an object, of the plainest kind: services differ in what else they take.
    `writes`: it changes what is the person's, and wants their yes."""

    name: str
    description: str
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    writes: bool = False


MAX_CALLS = 4
"""Tools that one reply may ask for; beyond it the LLM is told to answer."""
MAX_ARGUMENTS_CHARACTERS = 2_000
MAX_RESULT_CHARACTERS = 4_000


def _taking(required: tuple[str, ...] = (), **properties: str) -> dict[str, Any]:
    """A schema of strings, each with what it is."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": "string", "description": meaning} for name, meaning in properties.items()},
    }
    return schema | ({"required": list(required)} if required else {})


_DAY = "a day, YYYY-MM-DD"
_ALL = (
    Tool(
        "find_events",
        "What the person's calendar holds on the days from first_day to last_day (today if left out). Use it before "
        "saying anything of a plan or an appointment; the calendar may be incomplete.",
        _taking(first_day=_DAY, last_day=_DAY, words="only events with this word, such as 병원"),
    ),
    Tool(
        "find_photos",
        "The person's photos by when or where they were taken, or who is on them: at most five, the newest first.",
        _taking(first_day=_DAY, last_day=_DAY, place="a place", person="somebody who is on it"),
    ),
    Tool(
        "show_photo",
        "Show the person another photo: the one with this id, the newest that was taken then, there or with somebody, "
        "or the next one where nothing is given.",
        _taking(photo="id from find_photos", first_day=_DAY, last_day=_DAY, place="a place", person="somebody"),
    ),
    Tool(
        "find_memories",
        "What the person has told before about something.",
        _taking(("words",), words="what it is about, in a few words of theirs"),
    ),
    Tool(
        "add_event",
        "Write an event into the person's calendar. They are asked first, in words that are made for you.",
        _taking(
            ("title", "day"),
            title="what it is, in a few words of theirs",
            day=_DAY,
            time="HH:MM on their clock; left out: all day",
            place="where",
        ),
        writes=True,
    ),
    Tool(
        "add_reminder",
        "Write into the calendar what the person does every day at a time, such as taking a medicine, for the next "
        "thirty days. They are asked first, in words that are made for you.",
        _taking(
            ("what", "time"),
            what="a short title in their words, such as 혈압약 먹기",
            time="HH:MM on their clock",
        ),
        writes=True,
    ),
    Tool(
        "forget_memory",
        "Forget what the person told about something. They are asked first, in words that are made for you.",
        _taking(("words",), words="what it is about, in a few words of theirs"),
        writes=True,
    ),
)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in _ALL}
