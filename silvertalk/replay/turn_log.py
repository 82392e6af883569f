"""What the server said of each turn, gathered from its events as they come. Pure: times come with the events."""

from __future__ import annotations

from dataclasses import dataclass, field

from silvertalk.client import Received
from streaming.messages import FILLER
from streaming.protocol import (
    Distress,
    Duck,
    EndpointWait,
    FinalTranscript,
    FloorMoved,
    Flush,
    PartialTranscript,
    Problem,
    ReplyEnded,
    Speculation,
    SpeechBegan,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
)
from streaming.text import normalized

PROMPT = "prompt"
"""The `source` of what is said after a long silence, without anybody having spoken."""
FOR_US = ("speech", "finished")
"""What ends the softness of a reply where the voice that was the cause goes on to be a turn."""


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
    because: str = ""
    ending: str = ""
    end_probability: float | None = None
    speculation: str = ""
    """`hit` or `none`, as of the turn's last end."""
    speculations: int = 0
    speculations_missed: int = 0
    merges: int = 0
    """How often the person went on after a reply to the turn had begun. What is said of a reply is said of the last."""
    ducks: list[str] = field(default_factory=list)
    """What each lowering of the voice was for; empty where that was never told."""
    distress: str = ""
    ended_at: float | None = None
    sentences: dict[int, str] = field(default_factory=dict)
    """By their numbers, so that a sentence told twice counts once."""
    fillers: set[int] = field(default_factory=set)
    """The sentences that are no words, but a sound made while there are none."""
    source: str = ""
    first_filler_at: float | None = None
    first_audio_at: float | None = None
    audio_samples: int = 0
    outcome: str = ""
    """Why the reply ended; empty while it has not."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    committed_at: float | None = None
    heard: str = ""
    problems: list[str] = field(default_factory=list)
    _flushed: bool = False

    @property
    def unasked(self) -> bool:
        """The server spoke of its own accord, since it had been quiet for long: that answers nobody."""
        return self.source == PROMPT and self.began_sample is None

    @property
    def reply_text(self) -> str:
        return " ".join(self.sentences[number].strip() for number in sorted(self.sentences))

    def flush(self) -> None:
        """The reply is played no further. If the person goes on with the same turn, it was taken back."""
        self._flushed = True

    def go_on(self) -> bool:
        """The person speaks in this turn. Whether that takes its reply back; then only what follows is of the reply."""
        if not self._flushed:
            return False
        self._flushed = False
        self.merges += 1
        self._forget_reply()
        return True

    def end(self, event: TurnEnded, at: float) -> None:
        """The utterance is over. If it was over before, the answer to its last end is the one that counts."""
        self.end_sample, self.wait_ms, self.end_reason, self.ended_at = (
            event.end_sample,
            event.wait_ms,
            event.reason,
            at,
        )
        self.because, self.ending, self.end_probability = event.because, event.ending, event.end_probability
        self.speculation = event.speculation
        self._forget_reply()

    def _forget_reply(self) -> None:
        self.sentences.clear()
        self.source = self.outcome = ""
        self.first_audio_at = self.first_filler_at = None
        self.audio_samples = 0


class TurnLog:
    """All turns of one recording, in the order in which they were first heard of.

    `after`: the last turn of the recording before, whose late events (`turn.committed`) are none of this one's.
    """

    def __init__(self, after: int = 0) -> None:
        self._after = after
        self.turns: dict[int, TurnHeard] = {}
        self.problems: list[str] = []
        """What went wrong that the server did not lay to a turn."""
        self.changed_at: float | None = None

    def take(self, received: Received) -> None:
        """Note one event; those of no turn change nothing."""
        event, at = received.event, received.at
        number: int | None = getattr(event, "turn", None)
        if number is not None and (number <= self._after or isinstance(event, FloorMoved)):
            return  # the floor says nothing of a turn that its own events do not
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
            case SpeechBegan() | PartialTranscript() | FinalTranscript() | EndpointWait() | TurnEnded():
                self._take_speech(turn, event, at)
            case Flush():
                turn.flush()
            case Duck():
                self._take_duck(turn, event)
            case Speculation(state=state):
                turn.speculations += state == "started"
                turn.speculations_missed += state == "missed"
            case Distress(kind=kind):
                turn.distress = kind
            case SpokenText() | SpokenAudio():
                _take_reply(turn, event, at)
            case ReplyEnded():
                turn.outcome, turn.timings_ms = event.reason, event.timings_ms
                turn.source = event.source or turn.source
            case TurnCommitted():
                turn.committed_at, turn.heard = at, event.heard

    def _take_speech(
        self,
        turn: TurnHeard,
        event: SpeechBegan | PartialTranscript | FinalTranscript | EndpointWait | TurnEnded,
        at: float,
    ) -> None:
        if turn.go_on():
            self._forget_after(turn)
        match event:
            case SpeechBegan(sample=sample):
                turn.began_sample = sample if turn.began_sample is None else turn.began_sample
            case PartialTranscript():
                _take_partial(turn, event, at)
            case FinalTranscript():
                _take_final(turn, event, at)
            case TurnEnded():
                turn.end(event, at)

    def _take_duck(self, turn: TurnHeard, event: Duck) -> None:
        """The last that is told of one counts: what seemed an echo may have been words."""
        if event.ducked:
            turn.ducks.append("")
            return
        if turn.ducks:
            turn.ducks[-1] = event.because
        if event.because not in FOR_US:
            self._forget_after(turn)

    def _forget_after(self, turn: TurnHeard) -> None:
        """What was heard over this turn's reply was nothing said to it, or belongs to this very turn."""
        for number in [
            number for number, later in self.turns.items() if number > turn.number and later.ended_at is None
        ]:
            del self.turns[number]

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


def _take_reply(turn: TurnHeard, event: SpokenText | SpokenAudio, at: float) -> None:
    match event:
        case SpokenText(source=source) if source == FILLER:
            turn.fillers.add(event.sentence)
        case SpokenText():
            turn.sentences[event.sentence] = event.text
            turn.source = event.source
        case SpokenAudio() if event.sentence in turn.fillers:
            turn.first_filler_at = at if turn.first_filler_at is None else turn.first_filler_at
        case SpokenAudio():
            turn.first_audio_at = at if turn.first_audio_at is None else turn.first_audio_at
            turn.audio_samples += event.samples


def _letters(text: str) -> str:
    return normalized(text).replace(" ", "")
