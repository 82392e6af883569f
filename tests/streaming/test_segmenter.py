"""From probabilities to utterances, and from sound to utterances."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.audio import ms_to_samples, read_wav, samples_to_ms
from streaming.segmenter import (
    Segmenter,
    SegmenterEvent,
    SegmenterSettings,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)
from streaming.vad import WINDOW_SAMPLES, ScoredWindow, SileroMemory, SileroModel, VoiceActivity, find_silero
from tests.recordings import recordings
from tests.streaming.voice import hiss, silence, vowels

W = WINDOW_SAMPLES
PREROLL = ms_to_samples(300)
PAUSE = SegmenterSettings().pause_windows


def windows(probabilities: list[float], first_sample: int = 0) -> list[ScoredWindow]:
    return [ScoredWindow(first_sample + W * at, p, True) for at, p in enumerate(probabilities)]


@cache
def model() -> SileroModel:
    return SileroModel(find_silero())


def listen(pcm: bytes, cuts: list[int] | None = None) -> list[SegmenterEvent]:
    """The whole chain, the PCM cut at these samples."""
    voice, memory, segmenter = VoiceActivity(), SileroMemory(), Segmenter()
    events = []
    edges = [0, *sorted(cuts or []), len(pcm) // 2]
    for start, end in zip(edges, edges[1:], strict=False):
        for window in voice.feed(pcm[2 * start : 2 * end]):
            voice.scored(window, model().score([(memory, window)])[0])
        events += segmenter.feed(voice.reports())
    return events


def test_speech_starts_with_its_preroll_pauses_and_goes_on() -> None:
    segmenter = Segmenter()
    events = segmenter.feed(windows([0.0] * 20 + [1.0] * 10 + [0.0] * 12 + [0.9] * 5 + [0.0] * 10))
    assert events == [
        SpeechStarted(start_sample=20 * W - PREROLL, onset_sample=20 * W, confirmed_sample=25 * W),
        SpeechPaused(speech_end_sample=30 * W, paused_sample=33 * W),
        SpeechResumed(start_sample=33 * W, onset_sample=42 * W),
        SpeechPaused(speech_end_sample=47 * W, paused_sample=50 * W),
    ]
    assert segmenter.heard_sample == 57 * W
    assert segmenter.voiced_samples == 15 * W
    assert segmenter.certainty == pytest.approx((10 * 1.0 + 5 * 0.9) / 15)


def test_a_preroll_reaches_back_no_further_than_what_was_taken() -> None:
    far = Segmenter().feed(windows([1.0] * 10 + [0.0] * 30 + [1.0]))
    assert far[-1] == SpeechResumed(start_sample=40 * W - PREROLL, onset_sample=40 * W)
    near = Segmenter().feed(windows([1.0] * 10 + [0.0] * PAUSE + [1.0]))
    assert near[-1] == SpeechResumed(start_sample=13 * W, onset_sample=13 * W)
    assert Segmenter(first_sample=7000).feed(windows([1.0] * 6, 7000))[0] == SpeechStarted(7000, 7000, 7000 + 5 * W)


def test_a_click_opens_nothing_and_doubtful_speech_needs_longer() -> None:
    assert Segmenter().feed(windows(([1.0] * 4 + [0.0] * 16) * 5)) == []
    assert Segmenter().feed(windows([0.49] * 500)) == []
    clear, doubtful = (Segmenter().feed(windows([p] * 20))[0] for p in (1.0, 0.55))
    assert isinstance(clear, SpeechStarted) and isinstance(doubtful, SpeechStarted)
    assert (clear.confirmed_sample, doubtful.confirmed_sample) == (5 * W, 10 * W)


def test_between_the_thresholds_nothing_changes() -> None:
    hovering = Segmenter().feed(windows([1.0] * 10 + [0.4] * 100 + [0.0] * 10 + [0.4] * 100))
    assert [type(event) for event in hovering] == [SpeechStarted, SpeechPaused]
    assert hovering[1] == SpeechPaused(110 * W, 113 * W)


def test_a_short_gap_is_no_pause_and_a_long_utterance_is_never_cut() -> None:
    assert len(Segmenter().feed(windows([1.0] * 10 + ([0.0] * (PAUSE - 1) + [1.0]) * 50))) == 1
    ten_minutes = 10 * 60 * 16_000 // W
    assert len(Segmenter().feed(windows([1.0] * ten_minutes))) == 1


def test_after_the_end_more_speech_needs_an_onset_of_its_own() -> None:
    segmenter = Segmenter()
    segmenter.feed(windows([1.0] * 10 + [0.0] * 22))
    segmenter.end_utterance()
    events = segmenter.feed(windows([0.0] * 2 + [1.0] * 4 + [0.0] * 20 + [1.0] * 5, segmenter.heard_sample))
    onset = (32 + 26) * W
    assert events == [SpeechStarted(onset - PREROLL, onset, onset + 5 * W)]
    assert segmenter.voiced_samples == 5 * W


def test_an_utterance_ended_while_the_person_speaks_is_not_taken_twice() -> None:
    segmenter = Segmenter()
    segmenter.feed(windows([1.0] * 10))
    segmenter.end_utterance()
    assert segmenter.feed(windows([1.0] * 5, 10 * W)) == [SpeechStarted(10 * W, 10 * W, 15 * W)]


def test_a_commit_opens_with_the_little_that_was_said() -> None:
    segmenter = Segmenter()
    assert segmenter.commit() is None
    assert segmenter.feed(windows([0.0] * 20 + [1.0] * 3 + [0.0])) == []
    assert segmenter.commit() == SpeechStarted(20 * W - PREROLL, 20 * W, 24 * W)
    assert segmenter.commit() is None
    assert segmenter.feed(windows([0.0] * 2, 24 * W)) == [SpeechPaused(23 * W, 26 * W)]


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), st.integers(1, 30)), max_size=30),
    st.lists(st.integers(0, 400), max_size=10),
    st.sets(st.integers(0, 400)),
)
def test_whatever_is_heard_the_story_holds(runs: list[tuple[float, int]], cuts: list[int], ends: set[int]) -> None:
    """Started, then paused and resumed by turns; spans of audio in order, never overlapping; cuts change nothing."""
    heard = windows([p for p, count in runs for _ in range(count)])[:400]
    segmenter = Segmenter()
    events: list[SegmenterEvent | None] = []
    for at, window in enumerate(heard):
        events += segmenter.feed([window])
        if at in ends:
            segmenter.end_utterance()
            events.append(None)
    taken, state = 0, "silent"
    for event in events:
        match event:
            case SpeechStarted():
                assert state == "silent"
                assert taken <= event.start_sample <= event.onset_sample < event.confirmed_sample
                state, taken = "speaking", event.confirmed_sample
            case SpeechPaused():
                assert state == "speaking"
                assert event.speech_end_sample == event.paused_sample - PAUSE * W
                state, taken = "paused", event.paused_sample
            case SpeechResumed():
                assert state == "paused"
                assert taken <= event.start_sample <= event.onset_sample
                state, taken = "speaking", event.onset_sample + W
            case None:
                state = "silent"
    if not ends:
        pieces, again = Segmenter(), []
        edges = [0, *sorted(min(cut, len(heard)) for cut in cuts), len(heard)]
        for start, end in zip(edges, edges[1:], strict=False):
            again += pieces.feed(heard[start:end])
        assert again == events


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 50_000), max_size=40))
def test_the_same_sound_cut_anywhere_gives_the_same_events(cuts: list[int]) -> None:
    pcm = silence(400) + vowels(700) + silence(300) + vowels(500, seed=1) + silence(1200)
    whole = listen(pcm)
    assert [type(event) for event in whole] == [SpeechStarted, SpeechPaused, SpeechResumed, SpeechPaused]
    assert listen(pcm, [min(cut, len(pcm) // 2) for cut in cuts]) == whole


def test_a_voice_is_found_where_it_stands() -> None:
    started, paused = listen(silence(1000) + vowels(1500) + silence(1000))
    assert isinstance(started, SpeechStarted) and isinstance(paused, SpeechPaused)
    assert samples_to_ms(started.onset_sample) == pytest.approx(1000, abs=100)
    assert samples_to_ms(started.confirmed_sample) < 1400
    assert samples_to_ms(paused.speech_end_sample) == pytest.approx(2500, abs=150)


def test_hiss_and_its_end_open_nothing() -> None:
    assert listen(silence(500) + hiss(3000) + silence(500)) == []


def test_recorded_speech_is_noticed_and_recorded_noise_is_not() -> None:
    """A sample; `benchmarks/vad.py` is the whole. Babble, cries, sneezes and television are voices and may open."""
    speech = [r for kind in ("ko", "en") for r in recordings(kind) if 1 < r.seconds < 12][::10]
    voiceless = (
        "city",
        "wind",
        "rain",
        "snoring",
        "cheering",
        "applause",
        "tick",
        "dog",
        "bg_noise",
        "dishes",
        "hum60",
    )
    noise = [r for r in recordings("noise") if any(name in r.path.name for name in voiceless)]
    if not speech or not noise:
        pytest.skip("no recordings")
    room = silence(500)
    for recording in speech:
        events = listen(room + read_wav(recording.path) + room)
        assert isinstance(events[0], SpeechStarted) and isinstance(events[-1], SpeechPaused), recording.path.name
    assert [r.path.name for r in noise if listen(room + read_wav(r.path) + room)] == []
