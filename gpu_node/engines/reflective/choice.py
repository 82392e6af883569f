"""Choosing words: the same conversation always gets the same reply, and no reply is given twice. Pure.

There is no random state. Options are ordered by a hash of what was said, so that different words get different
answers and two nodes that answer the same turn say the same; what the assistant said before is passed over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from string import Formatter

from gpu_node.engines import ReplyRequest
from gpu_node.engines.reflective.particles import Noun
from streaming.messages import Utterance

MANY = 4
"""Attempts after which the particular is used up, and the general has its turn."""
_ATTEMPTS = 24


class Chooser:
    """Choices for one attempt at a reply. `said`: the assistant's lines so far, oldest first."""

    def __init__(self, transcript: str, history: Sequence[Utterance], attempt: int = 0) -> None:
        self.said = tuple(line.text for line in history if line.role == "assistant")
        self.attempt = attempt
        self._seed = f"{len(history)}|{attempt}|{' '.join(transcript.split())}"

    def pick(self, options: Sequence[str], **slots: str) -> str:
        """One of `options` with its slots filled: not said yet where there is one such, else said longest ago."""
        usable = [option for option in options if _slots(option) <= slots.keys()]
        filled = {name: Noun(value) for name, value in slots.items()}
        texts = {option: option.format(**filled) for option in usable}
        ordered = sorted(usable, key=self._order)
        if self.attempt:
            return texts[ordered[0]]
        return texts[min(ordered, key=lambda option: self._last_said(option, texts[option]))]

    def chance(self, name: str, one_in: int) -> bool:
        """True for about one conversation state in `one_in`, always the same for the same one."""
        return int(self._order(name)[:8], 16) % one_in == 0

    def _order(self, option: str) -> str:
        return hashlib.blake2b(f"{self._seed}|{option}".encode(), digest_size=8).hexdigest()

    def _last_said(self, option: str, text: str) -> int:
        """0 if never said, else the number of the last line that said it; its frame with another noun counts too."""
        frame = _frame(option)
        lines = [number for number, line in enumerate(self.said, 1) if text in line or frame in line]
        return lines[-1] if lines else 0


def unsaid(request: ReplyRequest, compose: Callable[[Chooser], str]) -> str:
    """The first of the replies that `compose` makes which was not given before in this conversation."""
    answer = ""
    for attempt in range(_ATTEMPTS):
        chooser = Chooser(request.transcript, request.context.history, attempt)
        answer = compose(chooser)
        if answer not in chooser.said:
            break
    return answer


def fixed(answers: tuple[str, ...], request: ReplyRequest) -> str:
    """The first answer not given yet in this conversation; the last one from then on."""
    said = {line.text for line in request.context.history if line.role == "assistant"}
    return next((answer for answer in answers if answer not in said), answers[-1])


def _slots(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def _frame(template: str) -> str:
    """The longest stretch of `template` without slots: what a listener would recognise."""
    return max(re.split(r"\{[^}]*\}", template), key=len).strip()
