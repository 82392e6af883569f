"""What a call for help is, in any language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["emergency", "despair"]

Form = Literal["plea", "state", "feeling", "event"]
"""How words call for help, which decides what makes them a mere memory.

plea: something is asked for now (`살려줘`). state: something is so now (`숨을 못 쉬겠어`). feeling: a state that is as
often a figure of speech (`가슴이 아파`). event: something has just happened, so that its own verb is past (`쓰러졌어`).
"""


@dataclass(frozen=True, slots=True)
class Call:
    """Words that call for help where `pattern` is found, unless `unless` is found in the same sentence.

    `alone`: nothing but other words of appeal may stand beside it (`도와줘`, and not `사진 찾는 것 좀 도와줘`).
    `needed`: one of these is wherever `pattern` is found; none where nobody can say.
    """

    kind: Kind
    form: Form
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None
    alone: bool = False
    needed: frozenset[str] = frozenset()

    def is_in(self, said: str) -> bool:
        """Whether the words are somewhere in what was said, in the spelling that `pattern` is for."""
        if self.needed and not any(row in said for row in self.needed):
            return False
        return bool(self.pattern.search(said))
