"""The gate and the model."""

import hashlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.errors import AudioError
from streaming.vad import (
    CONTEXT_SAMPLES,
    MODEL_FILE,
    MODEL_SHA256,
    WINDOW_SAMPLES,
    GateSettings,
    ScoredWindow,
    SileroMemory,
    SileroModel,
    VoiceActivity,
    Window,
    find_silero,
)
from tests.streaming.voice import hiss, silence, vowels

ALWAYS_OPEN = GateSettings(open_frames=0)


@cache
def model() -> SileroModel:
    return SileroModel(find_silero())


def hear(pcm: bytes, gate: GateSettings | None = None) -> list[ScoredWindow]:
    voice, memory = VoiceActivity(0, gate), SileroMemory()
    for window in voice.feed(pcm):
        voice.scored(window, model().score([(memory, window)])[0])
    return voice.reports()


def test_the_model_comes_from_the_configured_folder_or_the_wheel(tmp_path: Path) -> None:
    wheel = find_silero()
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == MODEL_SHA256
    assert find_silero(tmp_path) == wheel
    (tmp_path / MODEL_FILE).write_bytes(b"my own")
    assert find_silero(tmp_path) == tmp_path / MODEL_FILE


def test_finding_the_model_does_not_import_the_wheel() -> None:
    script = "import sys, streaming.vad; streaming.vad.find_silero(); print({'silero_vad', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "set()\n"


def test_a_voice_is_heard_and_silence_and_hiss_are_not() -> None:
    voiced = hear(silence(500) + vowels(2000) + silence(500))
    speaking = [window for window in voiced if 8_000 + WINDOW_SAMPLES <= window.first_sample < 39_000]
    assert sum(window.probability > 0.5 for window in speaking) > 0.9 * len(speaking)
    assert max(window.probability for window in voiced if window.end_sample <= 8_000) < 0.3
    assert max(window.probability for window in voiced if window.first_sample > 42_000) < 0.3
    assert max(window.probability for window in hear(hiss(2000))) < 0.3
    assert not any(window.gate_open for window in hear(silence(2000)))


def test_a_batch_scores_each_microphone_as_if_it_were_alone() -> None:
    sounds = [vowels(1500, seed=1), hiss(1500), vowels(1500, seed=2, pitch_hz=210), vowels(1500, seed=3, peak=0.05)]
    alone = [hear(sound, ALWAYS_OPEN) for sound in sounds]
    voices = [VoiceActivity(0, ALWAYS_OPEN) for _ in sounds]
    memories = [SileroMemory() for _ in sounds]
    windows = [voice.feed(sound) for voice, sound in zip(voices, sounds, strict=True)]
    for batch in zip(*windows, strict=True):
        answers = model().score(list(zip(memories, batch, strict=True)))
        for voice, window, answer in zip(voices, batch, answers, strict=True):
            voice.scored(window, answer)
    together = [voice.reports() for voice in voices]
    assert [[w.first_sample for w in lane] for lane in together] == [[w.first_sample for w in lane] for lane in alone]
    for ours, theirs in zip(together, alone, strict=True):
        assert [w.probability for w in ours] == pytest.approx([w.probability for w in theirs], abs=1e-4)


@settings(deadline=None, max_examples=50)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=30), first=st.sampled_from([0, 123_456]))
def test_the_windows_do_not_depend_on_the_cuts(cuts: list[int], first: int) -> None:
    pcm = silence(300) + hiss(150) + silence(500) + vowels(300)
    whole, pieces = VoiceActivity(first), VoiceActivity(first)
    edges = [0, *sorted(cuts), len(pcm) // 2]
    expected = whole.feed(pcm)
    got = [w for a, b in zip(edges, edges[1:], strict=False) for w in pieces.feed(pcm[2 * a : 2 * b])]
    assert got == expected
    for voice, windows in ((whole, expected), (pieces, got)):
        for window in windows:
            voice.scored(window, 0.25)
    reports = whole.reports()
    assert pieces.reports() == reports
    assert [w.first_sample for w in reports] == list(range(first, first + len(pcm) // 2 - 511, WINDOW_SAMPLES))


def test_when_the_gate_opens_the_model_hears_what_came_before() -> None:
    before = silence(992)
    voice = VoiceActivity()
    assert voice.feed(before) == []
    windows = voice.feed(vowels(200))
    history = [window for window in windows if not window.counts]
    assert len(history) == GateSettings().history_windows
    assert [window.restart for window in windows] == [True] + [False] * (len(windows) - 1)
    assert [w.first_sample for w in windows] == list(
        range(windows[0].first_sample, windows[-1].first_sample + 1, WINDOW_SAMPLES)
    )
    sound = before + vowels(200)
    for window in windows:
        assert window.pcm == sound[2 * (window.first_sample - CONTEXT_SAMPLES) : 2 * window.first_sample + 1024]


def test_a_gate_that_opens_again_soon_goes_on_where_the_model_stopped() -> None:
    voice = VoiceActivity()
    first = voice.feed(vowels(400) + silence(640))
    again = voice.feed(vowels(400))
    assert first[0].first_sample == 0
    assert not any(window.restart for window in again)
    assert again[0].first_sample == first[-1].first_sample + WINDOW_SAMPLES
    assert not again[0].counts


def test_answers_are_reported_in_order_and_the_unanswered_hold_the_rest_back() -> None:
    voice = VoiceActivity(0, ALWAYS_OPEN)
    first, second, third = voice.feed(bytes(2 * 3 * WINDOW_SAMPLES))
    voice.scored(second, 0.9)
    assert voice.reports() == []
    voice.scored(first, 0.1)
    assert [w.probability for w in voice.reports()] == [0.1, 0.9]
    voice.scored(third, None)
    assert [w.probability for w in voice.reports()] == [0.9], "a window nobody scored is as the one before"


def test_half_a_sample_is_refused_and_changes_nothing() -> None:
    voice, untouched = VoiceActivity(), VoiceActivity()
    with pytest.raises(AudioError):
        voice.feed(bytes(641))
    pcm = vowels(200)
    assert voice.feed(pcm) == untouched.feed(pcm)


def test_a_restarted_memory_is_an_empty_one() -> None:
    windows = VoiceActivity(0, ALWAYS_OPEN).feed(vowels(500))
    memory = SileroMemory()
    for window in windows:
        model().score([(memory, window)])
    again = Window(0, windows[5].pcm, restart=True, counts=True)
    assert model().score([(memory, again)]) == model().score([(SileroMemory(), again)])
