"""Kokoro speaks: phrase by phrase, evenly loud, and so that a recogniser understands it."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from gpu_node.engines import Samples
from gpu_node.engines.kokoro import CALLED, DEFAULT_VOICE, MAX_TOKENS, Kokoro, phrases
from gpu_node.errors import UnsupportedLanguage, WeightsMissing
from gpu_node.phrase_audio import PEAK
from gpu_node.weights import Weights
from streaming.messages import Language
from streaming.voices import VOICE_NAMES


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return Weights(models_root=None, cache=tmp_path_factory.mktemp("weights"), offline=True)


@pytest.fixture(scope="module")
def kokoro(weights: Weights) -> Kokoro:
    return Kokoro(weights, threads=2)


@pytest.fixture(scope="module")
def hear(weights: Weights) -> Callable[[Samples, Language], str]:
    """What whisper-base understands of 24 kHz audio."""
    sys.modules.setdefault("av", types.ModuleType("av"))  # faster-whisper imports it and needs it for files alone
    from faster_whisper import WhisperModel

    model = WhisperModel(str(weights.folder("whisper-base")), device="cpu", compute_type="int8", cpu_threads=2)

    def heard(audio: Samples, language: Language) -> str:
        resampled = soxr.resample(audio, 24_000, 16_000).astype(np.float32)
        segments, _ = model.transcribe(resampled, language=language, beam_size=1, temperature=0.0)
        return " ".join(segment.text.strip() for segment in segments)

    return heard


def spoken(kokoro: Kokoro, text: str, language: Language = "ko", speed: float = 0.9, voice: str = "") -> list[Samples]:
    return list(kokoro.synthesize(text, language=language, voice=voice, speed=speed))


def letters(text: str) -> str:
    return re.sub(r"[^\w]", "", text.lower())


@pytest.mark.parametrize("text", ["점심은 맛있게 드셨어요?", "그 친구의 이름을 기억하세요?"])
def test_korean_is_understood(kokoro: Kokoro, hear: Callable[[Samples, Language], str], text: str) -> None:
    heard = letters(hear(np.concatenate(spoken(kokoro, text)), "ko"))
    same = sum(syllable in heard for syllable in letters(text))
    assert same / len(letters(text)) >= 0.7, heard


def test_english_is_understood(kokoro: Kokoro, hear: Callable[[Samples, Language], str]) -> None:
    text = "My grandmother used to bake bread every Sunday."
    heard = hear(np.concatenate(spoken(kokoro, text, "en")), "en").lower()
    assert sum(word in heard for word in letters(text.replace(" ", "_")).split("_")) >= 7, heard


def test_each_phrase_comes_by_itself_at_one_loudness(kokoro: Kokoro) -> None:
    audio = spoken(kokoro, "점심은 드셨어요? 저는 산책을 다녀왔어요.")
    assert len(audio) == 2
    for phrase in audio:
        assert phrase.dtype == np.float32
        assert np.max(np.abs(phrase)) == pytest.approx(PEAK, rel=0.01)
        assert phrase[0] == phrase[-1] == 0.0


def test_nothing_is_computed_before_it_is_asked_for_nor_after_it_is_closed(kokoro: Kokoro) -> None:
    speech = kokoro.synthesize("점심은 드셨어요? 저는 산책을 다녀왔어요.", language="ko", voice="", speed=1.0)
    assert len(next(speech)) > 0
    speech.close()
    assert list(speech) == []


def test_slower_is_longer(kokoro: Kokoro) -> None:
    quick, slow = (len(np.concatenate(spoken(kokoro, "오늘 날씨가 좋네요.", speed=speed))) for speed in (1.1, 0.8))
    assert slow > quick * 1.2


def test_text_without_a_word_is_silence(kokoro: Kokoro) -> None:
    assert spoken(kokoro, "…!") == []
    assert spoken(kokoro, "") == []


def test_each_name_that_a_person_may_choose_is_a_voice_of_its_own(
    kokoro: Kokoro, hear: Callable[[Samples, Language], str]
) -> None:
    assert set(CALLED) == set(VOICE_NAMES) and set(CALLED.values()) <= set(kokoro.voices)
    text = "점심은 맛있게 드셨어요?"
    sounds = {name: np.concatenate(spoken(kokoro, text, voice=name)) for name in VOICE_NAMES}
    for name, sound in sounds.items():
        own = np.concatenate(spoken(kokoro, text, voice=CALLED[name]))
        assert np.array_equal(sound, own), "by that name or by the model's own"
        heard = letters(hear(sound, "ko"))
        assert sum(syllable in heard for syllable in letters(text)) / len(letters(text)) >= 0.7, f"{name}: {heard}"
    assert len({len(sound) for sound in sounds.values()}) == len(VOICE_NAMES)
    pitches = {name: pitch(sound) for name, sound in sounds.items()}
    assert pitches["soft_male"] < 160 < min(pitches["warm_female"], pitches["bright_female"]), pitches


def pitch(sound: Samples, rate: int = 24_000) -> float:
    """The median over voiced frames of 40 ms, in Hz, by autocorrelation."""
    frames = sound[: len(sound) // 960 * 960].reshape(-1, 960)
    found = []
    for frame in frames[np.sqrt(np.mean(np.square(frames), axis=1)) > 0.05]:
        course = np.correlate(frame, frame, "full")[len(frame) - 1 :]
        longest, shortest = rate // 70, rate // 400
        lag = shortest + int(np.argmax(course[shortest:longest]))
        if course[lag] > 0.5 * course[0]:
            found.append(rate / lag)
    return float(np.median(found))


def test_an_unknown_voice_is_the_default_one(kokoro: Kokoro) -> None:
    assert kokoro.phonemes("네", language="ko") == kokoro.phonemes("네", language="ko")
    default, unknown = (
        spoken(kokoro, "네, 알겠어요.", voice=DEFAULT_VOICE),
        spoken(kokoro, "네, 알겠어요.", voice="xyz"),
    )
    assert [len(phrase) for phrase in default] == [len(phrase) for phrase in unknown]


def test_other_languages_are_refused(kokoro: Kokoro) -> None:
    with pytest.raises(UnsupportedLanguage):
        spoken(kokoro, "Bonjour", "fr")  # type: ignore[arg-type]


def test_english_inside_korean_and_the_reverse_keep_their_own_sounds(kokoro: Kokoro) -> None:
    assert "zˈum" in kokoro.phonemes("Zoom으로 만나요", language="ko")
    assert "annjɔŋ" in kokoro.phonemes("She said 안녕 to me.", language="en")


def test_a_missing_model_is_said_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("models")
    (root / "kokoro").mkdir()
    (root / "kokoro" / "kokoro.onnx").write_bytes(b"not a model")
    (root / "kokoro" / "voices.npz").write_bytes(b"not voices")
    (root / "kokoro" / "vocab.json").write_text('{"vocab": {"a": 1}}')
    with pytest.raises(WeightsMissing, match=r"voices\.npz holds no voices"):
        Kokoro(Weights(models_root=root, cache=root / "cache", offline=True))


PHONEMES = st.text(st.sampled_from("abɔ ɕ.,?!…"), max_size=400)


@given(PHONEMES)
def test_phrases_lose_no_sound_and_are_never_too_long(phonemes: str) -> None:
    cut = list(phrases(phonemes))
    kept = re.compile(r"[^abɔɕ]")
    assert kept.sub("", "".join(phrase.phonemes for phrase in cut)) == kept.sub("", phonemes)
    assert all(0 < len(phrase.phonemes) <= MAX_TOKENS for phrase in cut)


def test_short_openings_stay_with_what_follows() -> None:
    assert [phrase.phonemes for phrase in phrases("ne, algɛjo.")] == ["ne, algɛjo"]
    assert [phrase.end for phrase in phrases("annjɔŋhasejo. ʨɔnɯn")] == [".", ","]
