"""What the server said of each turn, gathered from its events as they come. Pure: times come with the events."""

from __future__ import annotations

from dataclasses import dataclass, field

from silvertalk.client import Received
from streaming.protocol import (
    FinalTranscript,
    PartialTranscript,
    Problem,
    ReplyEnded,
    SpeechBegan,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
)
from streaming.text import normalized


@dataclass(slots=True)
class TurnHeard:
    """One turn as a client saw it. Samples count from the session's beginning, `_at` is the event loop's clock."""

    number: int
    began_sample: int | None = None
    first_partial_at: float | None = None
    partials: int = 0
    stable: str = ""
    stable_retractions: int = 0
    """How often `stable` was not the last one continued."""
    final_retractions: int = 0
    """How often a final transcript did not begin with what had been called stable, punctuation and spaces aside."""
    final: str | None = None
    final_at: float | None = None
    rejected: str = ""
    language: str = ""
    end_sample: int | None = None
    wait_ms: int | None = None
    end_reason: str = ""
    ended_at: float | None = None
    sentences: dict[tuple[int, int], str] = field(default_factory=dict)
    """By (reply, sentence), so that a sentence told twice counts once."""
    source: str = ""
    first_audio_at: float | None = None
    audio_samples: int = 0
    outcome: str = ""
    """Why the reply ended; empty while it has not."""
    done_at: float | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    committed_at: float | None = None
    heard: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def reply_text(self) -> str:
        return " ".join(self.sentences[key].strip() for key in sorted(self.sentences))


class TurnLog:
    """All turns of one recording, in the order in which they were first heard of.

    `after`: the last turn of the recording before, whose late events (`turn.committed`) are none of this one's.
    """

    def __init__(self, after: int = -1) -> None:
        self._after = after
        self.turns: dict[int, TurnHeard] = {}
        self.problems: list[str] = []
        """What went wrong that the server did not lay to a turn."""
        self.changed_at: float | None = None

    def take(self, received: Received) -> None:
        """Note one event; those of no turn change nothing."""
        event, at = received.event, received.at
        number: int | None = getattr(event, "turn", None)
        if number is not None and number <= self._after:
            return
        if isinstance(event, Problem):
            where = self.problems if number is None else self._turn(number).problems
            where.append(f"{event.code}: {event.message_en}")
            self.changed_at = at
            return
        if number is None:
            return
        self.changed_at = at
        turn = self._turn(number)
        match event:
            case SpeechBegan():
                turn.began_sample = event.sample if turn.began_sample is None else turn.began_sample
            case PartialTranscript():
                _take_partial(turn, event, at)
            case FinalTranscript():
                _take_final(turn, event, at)
            case TurnEnded():
                turn.end_sample, turn.wait_ms, turn.end_reason = event.end_sample, event.wait_ms, event.reason
                turn.ended_at = at
                # A turn that was taken up again is answered anew: the answer to its last end is the one that counts.
                turn.first_audio_at, turn.done_at, turn.outcome = None, None, ""
            case SpokenText():
                turn.sentences[event.reply, event.sentence] = event.text
                turn.source = event.source
            case SpokenAudio():
                turn.first_audio_at = at if turn.first_audio_at is None else turn.first_audio_at
                turn.audio_samples += event.samples
            case ReplyEnded():
                turn.outcome, turn.done_at, turn.timings_ms = event.reason, at, event.timings_ms
                turn.source = event.source or turn.source
            case TurnCommitted():
                turn.committed_at, turn.heard = at, event.heard

    def begin_again(self) -> None:
        """Another session has begun: its turns are numbered anew, and those of the old one are over."""
        self.turns.clear()
        self._after = 0

    @property
    def last_turn(self) -> int:
        """The highest turn number so far."""
        return max(self.turns, default=self._after)

    def _turn(self, number: int) -> TurnHeard:
        return self.turns.setdefault(number, TurnHeard(number))


def _take_partial(turn: TurnHeard, event: PartialTranscript, at: float) -> None:
    if not (event.stable or event.tentative).strip():
        return
    turn.partials += 1
    if turn.first_partial_at is None:
        turn.first_partial_at = at
    if not event.stable.startswith(turn.stable):
        turn.stable_retractions += 1
    turn.stable = event.stable


def _take_final(turn: TurnHeard, event: FinalTranscript, at: float) -> None:
    turn.final, turn.final_at = event.text, at
    turn.rejected, turn.language = event.rejected, event.language
    if not _letters(event.text).startswith(_letters(turn.stable)):
        turn.final_retractions += 1


def _letters(text: str) -> str:
    return normalized(text).replace(" ", "")
