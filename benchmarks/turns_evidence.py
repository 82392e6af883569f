"""What is known at each pause of a turn: the product's own ears on it, up to the endpoint. For `benchmarks.turns`.

The microphone's side is the gate, Silero and the segmenter, window by window. At every pause the node's side hears what
a node would have by then (the utterance so far, long silences shortened, up to where the pause was confirmed): Smart
Turn scores it, and Whisper's final pass goes through the turn's `IncrementalTranscript`, as the node's ear does it with
captions turned off; where the person goes on within 300 ms it is dropped, as there. A wrong endpoint does not change
what is known at the next pause: the product takes its reply back, and it is one turn. So a turn is heard once, and any
number of rules are tried on it.

What the models said is kept in a folder, by the sound they heard; the sound itself is not.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks.turns_corpus import BEFORE_MS, JoinedTurn
from benchmarks.vad import score_all
from gpu_node.engines import Hypothesis, Samples
from gpu_node.engines.smart_turn import SmartTurn
from gpu_node.engines.whisper import WhisperEngine
from gpu_node.transcript import IncrementalTranscript
from streaming.audio import ms_to_samples, samples_to_ms
from streaming.fading import HEARD_SAMPLES, faded
from streaming.messages import Language
from streaming.segmenter import Segmenter, SegmenterSettings, SpeechPaused, SpeechResumed, SpeechStarted
from streaming.vad import SileroModel

Kind = Literal["join", "inside", "end", "elsewhere"]
"""A pause that was made; one that a clip had; the end of the turn, where the person has finished; where nobody had."""

DROPPED_WITHIN_SAMPLES = ms_to_samples(300)
"""A final pass takes longer than this on anything but a GPU, and who goes on meanwhile ends it."""

END_SLACK_SAMPLES = ms_to_samples(200)
"""Where the segmenter hears the end of speech may differ by a few windows from where it is."""

VERSION = 2
"""Of what is kept: raise it when the way to hear changes."""


@dataclass(frozen=True)
class Evidence:
    """What the models made of the turn up to a pause, and how long they took on the machine that ran them."""

    sound: float
    sound_ms: float
    text: str | None = None
    """None where the pass was dropped."""
    words_ms: float = 0.0


@dataclass(frozen=True)
class PauseHeard:
    """One pause. `onset_sample`: the next voiced window; `resumed_sample`: where the segmenter knew of it."""

    speech_end_sample: int
    paused_sample: int
    onset_sample: int | None
    resumed_sample: int | None
    evidence: Evidence
    kind: Kind = "inside"
    after_final: bool = False
    faded: float | None = None
    """Heard anew each time: it takes no model."""

    @property
    def silence_ms(self) -> float:
        if self.onset_sample is None:
            return float("inf")
        return samples_to_ms(self.onset_sample - self.speech_end_sample)


class Ears:
    """The models. `cache`: where what they said is kept."""

    def __init__(self, silero: SileroModel, whisper: WhisperEngine, smart_turn: SmartTurn, cache: Path) -> None:
        self._silero = silero
        self._whisper = whisper
        self._smart_turn = smart_turn
        self._cache = cache
        cache.mkdir(parents=True, exist_ok=True)

    def pauses(self, turn: JoinedTurn) -> list[PauseHeard]:
        """All pauses of the turn, the last of them its end."""
        # The noise of a mix is an argument of its sound, and so are the positions of its joins.
        names = f"{VERSION} {self._whisper.name} {self._smart_turn.name} {turn.joins} {turn.end_sample} {turn.finished}"
        path = self._cache / f"{hashlib.sha256(names.encode() + turn.pcm).hexdigest()[:24]}.json"
        if path.is_file():
            rows = json.loads(path.read_text(encoding="utf-8"))
            heard = [PauseHeard(**{**row, "evidence": Evidence(**row["evidence"])}) for row in rows]
        else:
            heard = self._hear(turn)
            path.write_text(json.dumps([asdict(pause) for pause in heard], ensure_ascii=False), encoding="utf-8")
        return [_placed(turn, pause) for pause in heard]

    def _hear(self, turn: JoinedTurn) -> list[PauseHeard]:
        transcript = IncrementalTranscript(turn.language)
        segmenter = Segmenter()
        heard: list[PauseHeard] = []
        paused: SpeechPaused | None = None
        sent_from = 0
        (windows,) = score_all(self._silero, [turn.pcm])
        for window in windows:
            for event in segmenter.feed([window]):
                match event:
                    case SpeechStarted():
                        sent_from = event.start_sample
                    case SpeechPaused():
                        transcript.add(sent_from, turn.pcm[2 * sent_from : 2 * event.paused_sample])
                        paused = event
                    case SpeechResumed():
                        assert paused is not None, "nobody resumes who has not paused"
                        dropped = window.end_sample - paused.paused_sample < DROPPED_WITHIN_SAMPLES
                        evidence = self._evidence(transcript, turn.language, words=not dropped)
                        heard.append(_pause(paused, evidence, event.onset_sample, window.end_sample))
                        sent_from = event.start_sample
        if paused is not None and segmenter.state == "paused":
            heard.append(_pause(paused, self._evidence(transcript, turn.language), None, None))
        return heard

    def _evidence(self, transcript: IncrementalTranscript, language: Language, *, words: bool = True) -> Evidence:
        request = transcript.request()
        began = time.perf_counter()
        sound = self._smart_turn.score(request.audio)
        scored = time.perf_counter()
        if not words:
            return Evidence(sound, 1000 * (scored - began))
        caption = transcript.partial(request, self._final_pass(request.audio, language))
        text = f"{caption.stable} {caption.tentative}".strip()
        return Evidence(sound, 1000 * (scored - began), text, 1000 * (time.perf_counter() - scored))

    def _final_pass(self, audio: Samples, language: Language) -> Hypothesis:
        *_, heard = self._whisper.transcribe(audio, language=language, final=True)
        assert heard is not None, "a pass ends with a hypothesis"
        return heard


def _pause(paused: SpeechPaused, evidence: Evidence, onset: int | None, resumed: int | None) -> PauseHeard:
    return PauseHeard(paused.speech_end_sample, paused.paused_sample, onset, resumed, evidence)


def _placed(turn: JoinedTurn, pause: PauseHeard) -> PauseHeard:
    """The pause, and where in the turn it is. After the end only noise goes on."""
    end, onset = pause.speech_end_sample, pause.onset_sample
    join = next((join for join in turn.joins if onset is not None and end < join.end and onset > join.start), None)
    kind: Kind = "join" if join else "inside"
    if onset is None or end > turn.end_sample - END_SLACK_SAMPLES:
        kind = "end" if turn.finished else "elsewhere"
    began = max(ms_to_samples(BEFORE_MS - SegmenterSettings().preroll_ms), end - HEARD_SAMPLES)
    fading = faded(turn.pcm[2 * began : 2 * end], turn.pcm[2 * end : 2 * pause.paused_sample])
    return replace(pause, kind=kind, after_final=join is not None and join.after_final, faded=fading)
