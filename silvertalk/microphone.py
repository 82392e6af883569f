"""The hearing side of a session: microphone audio in, what the person does with their voice out.

Audio goes two ways from here: to the VAD service, whose scores come back a little later on the event loop and become
speech events and endpoints; and, while the person speaks, to the turn in batches. What is never sent is silence: after
a pause is confirmed nothing leaves until the person goes on, and the node sees the gap in the sample numbers.

How long a pause may last is decided on evidence (`streaming.endpointing`): how the voice faded is heard here, and what
a node makes of the sound and of the words comes back in through `on_sound` and `on_words`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from silvertalk.habits import Habits
from silvertalk.listening import VadService
from silvertalk.settings import Settings
from streaming.audio import MICROPHONE_RATE, AudioTail, ms_to_samples, samples_to_ms
from streaming.endpointing import EndpointDecision, Endpointing, Wait
from streaming.fading import HEARD_SAMPLES, faded
from streaming.messages import AudioBatch, Language
from streaming.segmenter import Segmenter, SegmenterEvent, SegmenterSettings, SpeechPaused, SpeechResumed, SpeechStarted
from streaming.vad import WINDOW_SAMPLES, ScoredWindow

MAX_BATCH_SAMPLES = MICROPHONE_RATE
"""One entry on the bus; a stalled radio that delivers seconds at once is cut into several."""
FIRST_BATCHES = 10
"""How many short batches open a stretch of speech: while the first caption is being waited for."""
NEAR_MS = 1500
"""The endpoint is near when it is no further away: long enough for a reply to be made meanwhile. Where a longer wait
was chosen the person is likely to go on, and a reply would be made in vain."""
UNHEARD_SAMPLES = 3 * WINDOW_SAMPLES
"""Waiting for the VAD, which usually has heard all but the window that is being filled."""
TAIL_SECONDS = 15
"""Audio kept for pre-roll and for speech that the VAD has not scored yet: more than its queue holds."""


class Speaker(Protocol):
    """Who is told what the person does. Every call comes on the event loop, in the order of the audio."""

    def speech_started(self, start_sample: int, onset_sample: int) -> None:
        """`start_sample` includes the pre-roll, `onset_sample` does not."""
        ...

    def speech_paused(self, speech_end_sample: int) -> None: ...

    def speech_resumed(self, start_sample: int, onset_sample: int) -> None: ...

    def wait_chosen(self, speech_end_sample: int, wait: Wait) -> None:
        """How long the pause may last; again whenever evidence changes it."""
        ...

    def endpoint_nears(self, speech_end_sample: int) -> None:
        """Once a pause: unless the person goes on, the utterance ends soon."""
        ...

    def utterance_ended(self, decision: EndpointDecision) -> None: ...

    def speech_audio(self, batch: AudioBatch) -> None: ...

    def heard_to(self, sample: int) -> None:
        """Everything up to `sample` was heard, and what it means was told."""
        ...


class Microphone:
    """One session's microphone. `feed` takes any whole number of samples, already checked against its rate."""

    def __init__(
        self,
        vad: VadService,
        settings: Settings,
        speaker: Speaker,
        *,
        language: Language,
        habits: Habits,
        push_to_talk: bool,
        first_sample: int = 0,
        utterance_sample: int | None = None,
    ) -> None:
        """`first_sample`: number of the next sample. `utterance_sample`: where the utterance began that is open, heard
        up to `first_sample` by another gateway; whether the person goes on or has ended is not known yet."""
        self._speaker = speaker
        self._stream = vad.open(self._on_windows, first_sample)
        self._segmenter = Segmenter(SegmenterSettings(preroll_ms=settings.pre_roll_ms), first_sample)
        self._endpointing = Endpointing(
            language=language,
            pauses=habits.profile.pauses,
            fixed_wait_ms=settings.endpoint_wait_ms or None,
        )
        self._speech_end = first_sample
        """Where the person fell silent last."""
        self._near_told = False
        self._wait_told: Wait | None = None
        self._push_to_talk = push_to_talk
        self._limit_samples = settings.max_utterance_seconds * MICROPHONE_RATE
        self._started_at = utterance_sample
        """First sample of the utterance that is open, None between utterances."""
        self._committed_to = first_sample
        """What was received up to a commit belongs to it, also where the VAD scores it only later."""
        self._tail = AudioTail(TAIL_SECONDS * MICROPHONE_RATE, first_sample)
        self._first_batch = settings.audio_batch_first_ms * MICROPHONE_RATE // 1000
        self._batch = settings.audio_batch_ms * MICROPHONE_RATE // 1000
        self._sent_to: int | None = None
        """One past the last sample sent of the present stretch of speech; None while nothing is being sent."""
        self._sent_before = first_sample
        self._batches = 0
        if utterance_sample is not None:
            self._segmenter.resume_paused()
            self._endpointing.on_pause(first_sample)

    @property
    def received_samples(self) -> int:
        return self._tail.end_sample

    @property
    def certainty(self) -> float:
        """How sure the VAD is that the utterance is a voice: mean probability of its voiced windows."""
        return self._segmenter.certainty

    @property
    def voiced_ms(self) -> float:
        """Of the utterance that is open, or was the last."""
        return samples_to_ms(self._segmenter.voiced_samples)

    def sound(self, first_sample: int, end_sample: int) -> bytes:
        """What was received of this, as far as it is still held."""
        begin = min(max(first_sample, self._tail.first_sample), end_sample)
        return self._tail.read(begin, end_sample)

    def feed(self, pcm: bytes) -> None:
        self._tail.append(pcm)
        self._send_due()
        self._stream.feed(pcm)

    def close(self) -> None:
        self._stream.close()

    def commit(self) -> bool:
        """The person says that they have finished: the utterance ends here. False when nothing was said."""
        started = self._segmenter.commit()
        if started is not None:
            self._on_voice(started)
        if self._segmenter.state == "silent":
            return False
        heard = self._segmenter.heard_sample
        if self._segmenter.state == "paused" and self._tail.end_sample - heard >= UNHEARD_SAMPLES:
            # Nobody has scored what was said last: whoever says that they have spoken is believed.
            self._endpointing.on_resume()
            self._speaker.speech_resumed(heard, heard)
            self._start_sending(heard)
        self._send_to(self._tail.end_sample)
        self._stop_sending()
        self._committed_to = self._tail.end_sample
        self._end(self._endpointing.commit(self._segmenter.heard_sample))
        return True

    def on_sound(self, upto_sample: int, probability: float) -> None:
        """How much the sound up to there was like the end of what somebody has to say, 0 to 1."""
        if self._endpointing.on_sound(upto_sample, probability):
            self._reconsider()

    def on_words(self, upto_sample: int, text: str) -> None:
        """All that was understood of the utterance up to there."""
        if self._endpointing.on_words(upto_sample, text):
            self._reconsider()

    def _reconsider(self) -> None:
        """Evidence has come for the pause under way."""
        self._tell_wait()
        self._decide()

    def _tell_wait(self) -> None:
        wait = self._endpointing.waiting
        if wait is not None and wait != self._wait_told and not self._push_to_talk:
            self._wait_told = wait
            self._speaker.wait_chosen(self._speech_end, wait)

    def _decide(self) -> None:
        if self._push_to_talk:
            return
        heard = self._segmenter.heard_sample
        decision = self._endpointing.decide(heard)
        if decision is not None:
            self._end(decision)
            return
        due = self._endpointing.due_sample()
        if due is not None and not self._near_told and due - heard <= ms_to_samples(NEAR_MS):
            self._near_told = True
            self._speaker.endpoint_nears(self._speech_end)

    def _end(self, decision: EndpointDecision) -> None:
        self._started_at = None
        self._segmenter.end_utterance()
        self._speaker.utterance_ended(decision)

    # --- what the VAD makes of it ------------------------------------------------------------------------------------

    def _on_windows(self, windows: Sequence[ScoredWindow]) -> None:
        fresh = [window for window in windows if window.first_sample >= self._committed_to]
        for event in self._segmenter.feed(fresh):
            self._on_voice(event)
        self._decide()
        heard = self._segmenter.heard_sample
        if self._is_too_long(heard):
            self._send_to(heard)
            self._stop_sending()
            self._end(self._endpointing.limit(heard))
        self._speaker.heard_to(heard)

    def _is_too_long(self, heard_sample: int) -> bool:
        """Nobody speaks for so long without a pause; in a pause the endpoint is near anyway."""
        speaking = self._started_at is not None and self._segmenter.state == "speaking"
        return speaking and heard_sample - (self._started_at or 0) >= self._limit_samples

    def _on_voice(self, event: SegmenterEvent) -> None:
        match event:
            case SpeechStarted():
                self._started_at = event.start_sample
                self._speaker.speech_started(event.start_sample, event.onset_sample)
                self._start_sending(event.start_sample)
            case SpeechPaused():
                self._send_to(event.paused_sample)
                self._stop_sending()
                self._speech_end, self._near_told, self._wait_told = event.speech_end_sample, False, None
                self._endpointing.on_pause(event.speech_end_sample, self._faded(event))
                self._speaker.speech_paused(event.speech_end_sample)
                self._tell_wait()
            case SpeechResumed():
                self._endpointing.on_resume()
                self._speaker.speech_resumed(event.start_sample, event.onset_sample)
                self._start_sending(event.start_sample)

    def _faded(self, pause: SpeechPaused) -> float | None:
        """How the voice faded, of as much of the utterance as is held."""
        end = pause.speech_end_sample
        begins = max(self._tail.first_sample, end - HEARD_SAMPLES, self._started_at or 0)
        return faded(self._tail.read(begins, end), self._tail.read(end, pause.paused_sample))

    # --- what is sent ------------------------------------------------------------------------------------------------

    def _start_sending(self, sample: int) -> None:
        """From `sample` on, less what was sent already: while a window is scored the microphone goes on."""
        self._sent_to = max(sample, self._sent_before, self._tail.first_sample)
        self._batches = 0
        self._send_to(self._tail.end_sample)

    def _stop_sending(self) -> None:
        if self._sent_to is not None:
            self._sent_before = self._sent_to
        self._sent_to = None

    def _send_due(self) -> None:
        """What has come since the last batch, if it makes a batch."""
        if self._sent_to is None:
            return
        wanted = self._first_batch if self._batches < FIRST_BATCHES else self._batch
        if self._tail.end_sample - self._sent_to >= wanted:
            self._send_to(self._tail.end_sample)

    def _send_to(self, sample: int) -> None:
        while self._sent_to is not None and self._sent_to < sample:
            end = min(sample, self._sent_to + MAX_BATCH_SAMPLES)
            batch = AudioBatch(first_sample=self._sent_to, pcm=self._tail.read(self._sent_to, end))
            self._sent_to = end
            self._batches += 1
            self._speaker.speech_audio(batch)
