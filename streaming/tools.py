"""The tools that an LLM may ask for while it writes a reply: their names, and what they take.

Both ends know this table: a node declares to its LLM those that the context names, the gateway carries them out under
the session's identity (`silvertalk.voice_tools`). A tool that only reads may be carried out for a reply that nobody has
heard yet; one that writes never is: it makes 복실이 ask, and the person's spoken yes carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tool:
    """`parameters` is a JSON schema of an object. `writes`: it changes what is the person's, and wants their yes."""

    name: str
    description: str
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    writes: bool = False


MAX_CALLS = 4
"""Tools that one reply may ask for; beyond it the LLM is told to answer."""
MAX_RESULT_CHARACTERS = 4_000

TOOLS: dict[str, Tool] = {}
