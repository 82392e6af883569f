"""What a node is asked for a turn: a reply from its LLM, one made before the utterance has ended, or fixed words.

Some things are answered without an LLM, from what was understood and what was said before: a call for help, a request
to repeat or to speak differently, words that were hardly understood. Such an answer never depends on a service
being up, and is the same every time.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from silvertalk import metrics
from silvertalk.distress import Distress, distress_in
from silvertalk.habits import Habits
from silvertalk.history import History
from silvertalk.house_phrases import (
    clarification,
    distress_answer,
    faster_ack,
    louder_ack,
    nothing_to_repeat,
    repeat_preface,
    silence_prompt,
    slower_ack,
    softer_ack,
)
from silvertalk.repair import Request, repair_in
from silvertalk.spoken_consent import consent_in
from silvertalk.spoken_requests import asks_for_own_words
from silvertalk.turn import HELP, Turn
from streaming.budget import Bucket
from streaming.messages import Language, ReplyContext

CLARIFY = "clarification"


class Asking:
    """Asks for the replies of one conversation."""

    def __init__(
        self,
        history: History,
        habits: Habits,
        *,
        language: Language,
        speculations_per_minute: int,
        clarify_below: float,
        clock: Callable[[], float],
    ) -> None:
        """`clarify_below`: words of a lower mean log-probability are asked about; `clock`: seconds."""
        self._history = history
        self._habits = habits
        self._language: Language = language
        self._clarify_below = clarify_below
        # Half of them at once (one at least), the other half over a minute: in no minute are there more.
        at_once = max(1, speculations_per_minute / 2) if speculations_per_minute else 0
        self._speculations = Bucket(speculations_per_minute / 120, at_once)
        self._clock = clock
        self._clarified = False
        """The last answer asked for it to be said once more."""
        self._clarifications = 0
        self._may_fill = True
        self.tools: Callable[[], tuple[str, ...]] = tuple
        """Names of the tools that an LLM may ask for now."""

    # --- a reply of the LLM's ----------------------------------------------------------------------------------------

    def ask(self, turn: Turn, end_sample: int) -> None:
        """The utterance ended there: answer it."""
        turn.ask(end_sample, self._context(turn), may_fill=self._may_fill)

    def speculate(self, turn: Turn, end_sample: int) -> bool:
        """The utterance may have ended there: have the reply made; False where that was done too often lately."""
        if not self._speculations.take(1, self._clock()):
            metrics.SPECULATIONS.labels("declined").inc()
            return False
        turn.ask(end_sample, self._context(turn), speculative=True, may_fill=self._may_fill)
        return True

    def again(self, turn: Turn) -> None:
        """Another node has the turn: it goes on where the client's part of the reply ends."""
        turn.ask_again(self._context(turn))

    def ended(self, turn: Turn) -> None:
        """The reply is over, one way or another."""
        if turn.reply.has_begun:
            self._may_fill = not turn.reply.filled

    def _context(self, turn: Turn | None) -> ReplyContext:
        context = self._history.context_before(turn)
        return msgspec.structs.replace(
            context, speech_rate=self._habits.speech_rate, loudness=self._habits.loudness, tools=self.tools()
        )

    @property
    def context_now(self) -> ReplyContext:
        """For a node that prepares itself."""
        return self._context(None)

    # --- fixed answers -----------------------------------------------------------------------------------------------

    def consider(self, turn: Turn, text: str, *, confidence: float = 0.0, voice: bool = False) -> Distress | None:
        """Whether what was understood is answered without an LLM: then `turn.say` has the answer.

        Returns the distress that the words tell of. `confidence`: mean log-probability of the words; `voice`: the VAD
        is sure that somebody spoke.
        """
        distress = self.notice_distress(turn, text)
        request = None if asks_for_own_words(text, self._language) else repair_in(text, self._language)
        if distress is not None:
            turn.say = (distress_answer(distress.kind, self._language), HELP)
        elif request is not None:
            # Who asks for it, and goes on, has asked once: what was done already is only said again.
            turn.say = turn.say_before if turn.say_before[1] == request else self._obey(request)
        elif self._is_unclear(text, confidence, voice):
            self._clarified = True
            self._clarifications += 1
            turn.say = (clarification(self._language, self._clarifications), CLARIFY)
            return None
        self._clarified = False
        return distress

    def notice_distress(self, turn: Turn, text: str) -> Distress | None:
        """The distress that the words tell of, if any; the turn is marked with it."""
        distress = distress_in(text, self._language, by_ear=not self._is_plain(turn, text))
        if distress is not None:
            turn.distress = distress.kind
        return distress

    def _is_plain(self, turn: Turn, text: str) -> bool:
        """Whether the words cannot be others that were misheard: who types was not heard at all, and a plain yes or no
        to what 복실이 has just asked leave for is what was to be expected. A call for help in so many words goes before
        either."""
        if turn.opened.text:
            return True
        return consent_in(text, self._language) is not None and self._history.wish_before(turn) is not None

    def say_instead(self, turn: Turn) -> None:
        """Have `turn.say` said; what comes of the reply that was asked for is stale."""
        turn.cancel_reply("fixed")
        turn.ask(turn.end_sample, self._context(turn))

    def prompt(self, turn: Turn, number: int) -> None:
        """Nobody has said anything for long: 복실이 does."""
        self.say_unasked(turn, silence_prompt(self._language, number), "prompt")

    def say_unasked(self, turn: Turn, words: str, said_as: str) -> None:
        """복실이 says this of its own accord."""
        turn.say = (words, said_as)
        turn.ask(turn.opened.first_sample, self._context(turn))

    def _is_unclear(self, text: str, confidence: float, voice: bool) -> bool:
        """Never twice in a row: who was asked once and is still not understood is answered as well as can be."""
        if self._clarified:
            return False
        return confidence < self._clarify_below if text else voice

    def _obey(self, request: Request) -> tuple[str, str]:
        """What is said to a request about the speech itself, and what that is called."""
        language, habits = self._language, self._habits
        last = self._history.last_reply
        match request:
            case "repeat":
                preface = repeat_preface(language) if last else nothing_to_repeat(language)
            case "slower":
                preface = slower_ack(language, at_limit=not habits.slower())
            case "faster":
                preface = faster_ack(language, at_limit=not habits.faster())
            case "louder":
                preface = louder_ack(language, at_limit=not habits.louder())
            case "softer":
                preface = softer_ack(language, at_limit=not habits.softer())
        return f"{preface} {last}".strip(), request
