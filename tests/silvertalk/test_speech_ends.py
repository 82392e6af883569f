from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.replay.clips import Clip, ClipError, load_clip, read_manifest, read_pcm
from silvertalk.replay.measure import true_bounds
from silvertalk.replay.speech_ends import Pcm, Span, loud_frames, speech_spans
from silvertalk.replay.voice_detector import load_detector
from streaming.audio import write_wav
from tests.recordings import folder, recordings

RATE = 16_000


def voice(seconds: float, amplitude: float = 0.3) -> Pcm:
    """A vowel's harmonics: enough for what judges by energy."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * 140 * harmonic * time) / harmonic for harmonic in range(1, 8))
    return np.asarray(wave * amplitude * 8000, np.int16)


def room(seconds: float, level: float = 8.0, seed: int = 1) -> Pcm:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.int16)


def near(span: Span, start_s: float, end_s: float, tolerance_s: float = 0.015) -> bool:
    return abs(span.start / RATE - start_s) <= tolerance_s and abs(span.end / RATE - end_s) <= tolerance_s


def test_a_voice_between_two_rooms() -> None:
    (span,) = speech_spans(np.concatenate((room(0.5), voice(1.0), room(0.7))))
    assert near(span, 0.5, 1.5)


def test_a_pause_parts_and_a_stop_consonant_does_not() -> None:
    pcm = np.concatenate((voice(0.5), room(0.08), voice(0.5), room(0.9), voice(0.6)))
    first, second = speech_spans(pcm)
    assert near(first, 0.0, 1.08) and near(second, 1.98, 2.58)


def test_a_click_is_no_speech() -> None:
    (span,) = speech_spans(np.concatenate((voice(0.6), room(0.5), voice(0.03), room(0.5))))
    assert near(span, 0.0, 0.6)


@pytest.mark.parametrize("pcm", [np.zeros(0, np.int16), np.zeros(RATE, np.int16), room(1.0, level=3.0)])
def test_nobody_speaks_in_silence(pcm: Pcm) -> None:
    assert speech_spans(pcm) == ()


def test_speech_from_edge_to_edge() -> None:
    assert speech_spans(voice(0.5)) == (Span(0, RATE // 2),)


def test_an_annotated_silence_is_believed_against_what_sounds_in_it() -> None:
    pcm = voice(3.0)
    first, second = speech_spans(pcm, [(1.0, 2.0)])
    assert (first, second) == (Span(0, RATE), Span(2 * RATE, 3 * RATE))


def test_an_end_that_the_detector_heard_late_is_drawn_back_to_the_last_loud_frame() -> None:
    pcm = np.concatenate((voice(0.96), room(1.0)))

    def late(samples: Pcm) -> np.ndarray:
        windows = np.zeros(-(-len(samples) // 512), np.float32)
        windows[:34] = 0.9  # 1.088 s: four windows too many
        return windows

    (span,) = speech_spans(pcm, detector=late)
    assert near(span, 0.0, 0.96)


def test_what_is_loud_and_no_voice_is_not_speech_to_the_detector() -> None:
    noise = room(1.5, level=3000.0)
    detector = load_detector()
    assert detector is not None
    assert speech_spans(noise) != ()
    assert speech_spans(noise, detector=detector) == ()


@given(st.integers(1, 5000), st.integers(0, 2**32 - 1))
def test_spans_lie_in_order_within_the_recording(samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.choice([0.0, 40.0, 6000.0], -(-samples // 400)), 400)[:samples]
    pcm = (rng.normal(0, 1, samples) * envelope / 3).astype(np.int16)
    edges = [edge for span in speech_spans(pcm, [(0.05, 0.1)]) for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= edge <= samples for edge in edges)
    assert len(loud_frames(pcm)) == -(-samples // 160)


# --- against annotations of real speech ------------------------------------------------------------------------------


@pytest.mark.skipif(not recordings("ko"), reason="no recordings here")
def test_ends_agree_with_the_annotated_ones() -> None:
    """The annotator's silences are hidden from the search, which has to find where the last one begins."""
    detector, manifest = load_detector(), read_manifest(folder() / "manifest.jsonl")
    errors = []
    for path, row in list(manifest.items())[:60]:
        silences = row.internal_or_edge_silences_s
        pcm = read_pcm(path)
        if silences and silences[-1][1] > len(pcm) / RATE - 0.1 and silences[-1][0] > 1.0:
            errors.append(speech_spans(pcm, detector=detector)[-1].end / RATE - silences[-1][0])
    assert len(errors) >= 5
    assert sorted(abs(error) for error in errors)[len(errors) // 2] <= 0.02


@pytest.mark.skipif(not recordings("noise"), reason="no recordings here")
def test_nobody_is_said_to_speak_in_annotated_noise() -> None:
    manifest = read_manifest(folder() / "manifest.jsonl")
    clip = load_clip(recordings("noise")[0].path, manifest=manifest, detector=load_detector())
    assert (clip.has_speech, clip.speech, clip.reference) == (False, (), None)


# --- files -----------------------------------------------------------------------------------------------------------


def test_any_rate_and_a_manifest_beside_it(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    write_wav(tmp_path / "en" / "a.wav", np.repeat(voice(1.0), 3).tobytes(), 48_000)
    row = '{"file": "en/a.wav", "lang": "ko", "transcript": "아", "asr_check": {"cer": 0.5}, "seconds": 1.0}'
    (tmp_path / "m.jsonl").write_text(row + "\n", encoding="utf-8")
    with_manifest = load_clip(tmp_path / "en" / "a.wav", manifest=read_manifest(tmp_path / "m.jsonl"))
    alone = load_clip(tmp_path / "en" / "a.wav")
    assert abs(with_manifest.seconds - 1.0) < 0.01
    assert described(with_manifest) == ("en/a.wav", "ko", "아", 0.5, True)
    assert described(alone) == (str(tmp_path / "en" / "a.wav"), "en", None, None, True)
    assert load_clip(tmp_path / "en" / "a.wav", language="ko").language == "ko"


def described(clip: Clip) -> tuple[str, str, str | None, float | None, bool]:
    return clip.name, clip.language, clip.reference, clip.baseline_cer, clip.has_speech


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "m.jsonl").write_text('{"file": "a.wav"}\n{"file": 3}\n')
    with pytest.raises(ClipError, match="text.wav"):
        load_clip(tmp_path / "text.wav")
    with pytest.raises(ClipError, match="absent.wav"):
        load_clip(tmp_path / "absent.wav")
    with pytest.raises(ClipError, match="line 2"):
        read_manifest(tmp_path / "m.jsonl")
    with pytest.raises(ClipError, match="cannot be read"):
        read_manifest(tmp_path / "absent.jsonl")


# --- a turn against the spans ----------------------------------------------------------------------------------------

SPANS = (Span(1000, 20_000), Span(40_000, 60_000))


@pytest.mark.parametrize(
    ("since", "decision", "believed", "bounds", "cut"),
    [
        (0, 32_000, Span(900, 20_500), Span(1000, 20_000), False),
        (32_000, 72_000, Span(39_000, 61_000), Span(40_000, 60_000), False),
        (0, 72_000, Span(900, 60_500), Span(1000, 60_000), False),
        (0, 15_000, Span(900, 4_000), Span(1000, 4_000), True),
        (15_000, 32_000, Span(15_500, 20_000), Span(15_000, 20_000), False),
        (0, 40_100, Span(900, 29_000), Span(1000, 20_000), False),
        (75_000, 99_000, Span(80_000, 88_000), Span(80_000, 88_000), False),
    ],
    ids=["first", "second", "both", "cut off", "after the cut", "barely into the next words", "nobody spoke"],
)
def test_where_a_turns_speech_truly_was(since: int, decision: int, believed: Span, bounds: Span, cut: bool) -> None:
    assert true_bounds(SPANS, since, decision, believed) == (bounds, cut)
