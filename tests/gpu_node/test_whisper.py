"""The real model on real voices and real noise; on speech that Kokoro makes where there are no recordings."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpu_node.engines import Hypothesis, Samples
from gpu_node.engines.whisper import WhisperEngine, join_words, read_segments
from gpu_node.errors import EngineError, WeightsMissing
from gpu_node.invention_guards import refuse
from gpu_node.transcript import IncrementalTranscript
from gpu_node.weights import Weights
from streaming.audio import FRAME_BYTES, FRAME_SAMPLES, MICROPHONE_RATE, pcm16_to_float, read_wav
from streaming.messages import Language
from streaming.text import character_error_rate
from tests.recordings import recordings

SPOKEN: dict[Language, str] = {
    "ko": "오늘은 날씨가 좋아서 산책을 다녀왔어요.",
    "en": "The weather was fine, so I went for a walk today.",
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return Weights(models_root=None, cache=tmp_path_factory.mktemp("weights"), offline=True)


@pytest.fixture(scope="module")
def engine(weights: Weights) -> WhisperEngine:
    engine = WhisperEngine(weights.folder("whisper-base"), threads=2)
    engine.warm_up()
    return engine


@pytest.fixture(scope="module")
def voices(weights: Weights) -> dict[Language, list[tuple[bytes, str]]]:
    """A few utterances a language, as PCM, with what is said in them."""
    found: dict[Language, list[tuple[bytes, str]]] = {}
    for language in SPOKEN:
        clips = [clip for clip in recordings(language) if 3 < clip.seconds < 12 and clip.asr_cer is not None]
        found[language] = [(read_wav(clip.path), clip.transcript) for clip in clips if (clip.asr_cer or 0) < 0.1][:2]
    if not all(found.values()):
        from gpu_node.engines.kokoro import Kokoro
        from streaming.audio import float_to_pcm16, resample

        kokoro = Kokoro(weights, threads=2)
        for language, text in SPOKEN.items():
            speech = np.concatenate(list(kokoro.synthesize(text, language=language, voice="", speed=1.0)))
            found[language] = [(resample(float_to_pcm16(speech), kokoro.sample_rate, MICROPHONE_RATE), text)]
    return found


def listen(engine: WhisperEngine, audio: Samples, language: Language = "ko", *, final: bool = True) -> Hypothesis:
    *steps, last = engine.transcribe(audio, language=language, final=final)
    assert steps == [None] * len(steps)
    assert last is not None
    return last


# --- speech ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ko", "en"])
def test_it_understands_speech_while_it_is_spoken(
    engine: WhisperEngine, voices: dict[Language, list[tuple[bytes, str]]], language: Language
) -> None:
    """A pass every 1.5 s of audio: captions that only grow, and a final text that says what was said."""
    rates = []
    for pcm, said in voices[language]:
        transcript = IncrementalTranscript(language)
        stable, shown = "", 0
        for first in range(0, len(pcm) // 2, FRAME_SAMPLES):
            transcript.add(first, pcm[first * 2 : first * 2 + FRAME_BYTES])
            if transcript.unheard_samples >= 1.5 * MICROPHONE_RATE:
                request = transcript.request()
                caption = transcript.partial(request, listen(engine, request.audio, language, final=False))
                assert caption.stable.startswith(stable)
                stable = caption.stable
                shown += bool(caption.stable or caption.tentative)
        request = transcript.request()
        final = transcript.final(request, listen(engine, request.audio, language))
        assert final.rejected == "" and final.text.startswith(stable)
        assert shown >= 1
        rates.append(character_error_rate(said, final.text))
    assert sum(rates) / len(rates) < 0.25


def test_words_lie_in_the_audio_in_order(
    engine: WhisperEngine, voices: dict[Language, list[tuple[bytes, str]]]
) -> None:
    audio = pcm16_to_float(voices["ko"][0][0])
    heard = listen(engine, audio)
    assert heard.text.split() == [word.text for word in heard.words]
    edges = [edge for word in heard.words for edge in (word.start_seconds, word.end_seconds)]
    assert edges == sorted(edges)
    assert edges[0] >= 0 and edges[-1] <= len(audio) / MICROPHONE_RATE
    assert all(0 < word.probability <= 1 for word in heard.words)
    assert heard.segment_ends_seconds


def test_more_than_one_window_is_heard_whole(
    engine: WhisperEngine, voices: dict[Language, list[tuple[bytes, str]]]
) -> None:
    """Past 30 s the model sees several windows; no word at their seam is lost, and times go on."""
    spoken = voices["en"]
    pcm, said = b"", ""
    for more_pcm, more in itertools.cycle(spoken):
        pcm, said = pcm + more_pcm + bytes(MICROPHONE_RATE), f"{said} {more}"
        if len(pcm) > 34 * 2 * MICROPHONE_RATE:
            break
    heard = listen(engine, pcm16_to_float(pcm), "en")
    assert character_error_rate(said, heard.text) < 0.25
    assert heard.words[-1].end_seconds > len(pcm) / 2 / MICROPHONE_RATE - 4


def test_a_pass_can_be_given_up_between_its_steps(
    engine: WhisperEngine, voices: dict[Language, list[tuple[bytes, str]]]
) -> None:
    """Encoding, decoding and aligning are steps of their own: more urgent work may go between them."""
    audio = pcm16_to_float(voices["ko"][0][0])
    assert len(list(engine.transcribe(audio, language="ko", final=False))) == 3
    steps = engine.transcribe(audio, language="ko", final=True)
    assert next(steps) is None
    steps.close()  # type: ignore[attr-defined]
    assert list(steps) == []


# --- nothing to hear -------------------------------------------------------------------------------------------------


def test_silence_hum_and_noise_are_refused(engine: WhisperEngine) -> None:
    random = np.random.default_rng(7)
    seconds = 3
    time = np.arange(seconds * MICROPHONE_RATE) / MICROPHONE_RATE
    noises = {
        "digital silence": np.zeros_like(time),
        "hum": 0.02 * np.sin(2 * np.pi * 60 * time),
        "hiss": 0.01 * random.standard_normal(time.size),
    }
    for name, noise in noises.items():
        heard = listen(engine, noise.astype(np.float32))
        assert refuse(heard, language="ko", seconds=seconds), f"{name} became {heard.text!r}"


@pytest.mark.skipif(not recordings("noise"), reason="no recordings of noise on this machine")
@pytest.mark.parametrize("name", ["coffee-shop", "applause", "clock_tick_1", "dog_bark", "baby_cry", "tv_far"])
def test_real_noises_are_refused(engine: WhisperEngine, name: str) -> None:
    clip = next(clip for clip in recordings("noise") if name in clip.path.name)
    audio = pcm16_to_float(read_wav(clip.path))[: 6 * MICROPHONE_RATE]
    heard = listen(engine, audio)
    assert refuse(heard, language="ko", seconds=len(audio) / MICROPHONE_RATE), heard.text


@pytest.mark.parametrize("samples", [0, 1, 1599, 1600, 4000])
def test_next_to_nothing_is_no_error(engine: WhisperEngine, samples: int) -> None:
    heard = listen(engine, np.zeros(samples, np.float32))
    assert refuse(heard, language="ko", seconds=samples / MICROPHONE_RATE)


# --- tokens ----------------------------------------------------------------------------------------------------------

BEGIN = 50_364


def stamp(seconds: float) -> int:
    return BEGIN + round(seconds / 0.02)


def test_tokens_are_read_as_segments() -> None:
    tokens = [stamp(0), 1, 2, stamp(2.4), stamp(2.4), 3, stamp(5)]
    segments = read_segments(tokens, BEGIN, keep_open_end=True)
    assert (segments.text_tokens, segments.ends_seconds, segments.resume_seconds) == ([1, 2, 3], [2.4, 5.0], 0)


def test_a_model_that_stopped_short_goes_on_where_it_stopped() -> None:
    tokens = [stamp(0), 1, 2, stamp(2.4), stamp(2.4)]
    assert read_segments(tokens, BEGIN, keep_open_end=True).resume_seconds == 2.4


@pytest.mark.parametrize(("keep", "text", "resume"), [(True, [1, 2, 3, 4], 0), (False, [1, 2], 2.4)])
def test_text_without_an_end_belongs_to_the_next_window(keep: bool, text: list[int], resume: float) -> None:
    tokens = [stamp(0), 1, 2, stamp(2.4), stamp(2.4), 3, 4]
    segments = read_segments(tokens, BEGIN, keep_open_end=keep)
    assert (segments.text_tokens, segments.resume_seconds) == (text, resume)


def test_pieces_become_whitespace_units() -> None:
    pieces = [
        {"word": " 것입니", "start": 0.0, "end": 0.4, "probability": 0.9},
        {"word": "다", "start": 0.4, "end": 0.6, "probability": 0.5},
        {"word": ".", "start": 0.6, "end": 3.0, "probability": 0.2},
        {"word": " 그\ufffd", "start": 3.0, "end": 9.0, "probability": 0.8},
        {"word": " \ufffd", "start": 9.0, "end": 9.0, "probability": 0.1},
    ]
    words = join_words(pieces, 10.0, 5.0)
    assert [word.text for word in words] == ["것입니다.", "그"]
    assert (words[0].start_seconds, words[0].end_seconds, words[0].probability) == (10.0, 10.6, 0.5)
    assert words[1].end_seconds == 15.0


# --- loading ---------------------------------------------------------------------------------------------------------


def test_an_incomplete_folder_never_asks_the_hub(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsMissing, match="tokenizer.json"):
        WhisperEngine(tmp_path)


def test_a_compute_type_that_does_not_exist(weights: Weights) -> None:
    with pytest.raises(EngineError, match="int3"):
        WhisperEngine(weights.folder("whisper-base"), compute_type="int3")


def test_it_runs_without_pyav_and_leaves_no_trace_of_it(weights: Weights) -> None:
    """In a fresh interpreter: the stand-in for PyAV is gone after the import, and hearing works."""
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from gpu_node.engines.whisper import WhisperEngine\n"
        "engine = WhisperEngine(Path(sys.argv[1]), threads=1)\n"
        "assert 'av' not in sys.modules or sys.modules['av'].__file__\n"
        "print(list(engine.transcribe(np.zeros(8000, np.float32), language='ko', final=False))[-1].language)\n"
    )
    folder = str(weights.folder("whisper-base"))
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "ko"
