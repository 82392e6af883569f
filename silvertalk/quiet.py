"""When nobody says anything for long: whether 복실이 should. Once, and then it waits in patience.

Silence is counted in samples heard, as everything about the person's time is: a stalled radio is not a silence.
"""

from __future__ import annotations


class Quiet:
    """The silence after a reply was heard."""

    def __init__(self, prompt_samples: int) -> None:
        """`prompt_samples`: how long a silence calls for a gentle prompt; 0 for never."""
        self._prompt_samples = prompt_samples
        self._since: int | None = None
        self._may_prompt = False
        self.prompts = 0
        """How many there were in this conversation."""

    def answered(self) -> None:
        """The person has said something and was answered: if they then fall silent they may be asked, once."""
        self._may_prompt = True

    def begin(self, heard_sample: int) -> None:
        """Nobody speaks, from here on."""
        self._since = heard_sample

    def end(self) -> None:
        """Somebody does."""
        self._since = None

    def calls_for_prompt(self, heard_sample: int) -> bool:
        """True once, when the silence has become long."""
        if not self._may_prompt or self._since is None or not self._prompt_samples:
            return False
        if heard_sample - self._since < self._prompt_samples:
            return False
        self._may_prompt = False
        self.prompts += 1
        return True
