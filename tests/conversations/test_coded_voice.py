"""The coded voice is speech to Silero, and says its words to whoever hears it through any of the ways sound goes."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.audio import Floats, float_to_pcm16, pcm16_to_float, resample
from streaming.segmenter import Segmenter, SpeechPaused, SpeechStarted
from streaming.vad import SileroMemory, SileroModel, VoiceActivity, find_silero
from tests.conversations.coded_voice import hear, murmur, speak, words_of
from tests.conversations.engines import CodedStt, CodedTts, Pace, finality_of
from tests.streaming.voice import hiss

SAID = "어제는 오랜만에 손주랑 바닷가에 갔는데 바람이 시원했어요"


def read(audio: Floats) -> str:
    return " ".join("".join(syllable.letter for syllable in word) for word in words_of(hear(audio)))


def silence(seconds: float) -> Floats:
    return np.zeros(int(seconds * 16_000), dtype=np.float32)


@pytest.mark.parametrize("text", [SAID, "네", "네네 네", "가가가 나나", "Yes I was there in 1953", "119 불러 줘"])
def test_what_is_said_is_read(text: str) -> None:
    assert read(np.concatenate([silence(0.3), speak(text), silence(0.3)])) == text


def test_marks_take_no_time() -> None:
    assert read(speak("그러셨군요, 참 좋은 날이었겠어요.")) == "그러셨군요 참 좋은 날이었겠어요"


def test_a_growing_sound_only_adds_to_what_is_read() -> None:
    sound = speak(SAID)
    so_far = [read(sound[:end]) for end in range(0, len(sound), 3000)]
    for earlier, later in zip(so_far, so_far[1:], strict=False):
        assert later.startswith(earlier)
    assert len(set(so_far)) > 15


def test_a_beginning_that_was_cut_away_is_not_read() -> None:
    assert read(speak(SAID)[3200 + 2400 :]) == SAID[2:]


@pytest.mark.parametrize("db", [0, -12, -20])
def test_it_is_read_after_a_change_of_rate_and_quieter(db: float) -> None:
    there = resample(float_to_pcm16(speak(SAID)), 16_000, 24_000)
    back = pcm16_to_float(resample(there, 24_000, 16_000)) * np.float32(10 ** (db / 20))
    assert read(back) == SAID


def test_it_is_read_in_noise() -> None:
    assert read(speak(SAID) + pcm16_to_float(hiss(8000, dbfs=-33))[: len(speak(SAID))]) == SAID


def test_the_louder_of_two_is_read() -> None:
    echo, person = speak(SAID, pitch_hz=110) * np.float32(0.25), speak("잠깐만요")
    echo[16_000 : 16_000 + len(person)] += person
    assert "잠깐만요" in read(echo) and read(echo).startswith("어제는")


def test_how_it_sounds_is_heard_with_it() -> None:
    assert finality_of(speak(SAID, finality=0.2)) == pytest.approx(0.2, abs=0.04)
    assert finality_of(speak(SAID, finality=0.9)) == pytest.approx(0.9, abs=0.04)
    assert finality_of(murmur(1000)) == 0.5


def test_a_mumble_is_doubted() -> None:
    [*_, clear] = CodedStt(Pace()).transcribe(speak(SAID), language="ko", final=True)
    [*_, mumbled] = CodedStt(Pace()).transcribe(speak(SAID, mumbled=True), language="ko", final=True)
    assert clear is not None and mumbled is not None
    assert clear.text == mumbled.text == SAID
    assert mumbled.avg_logprob < -0.8 < clear.avg_logprob


@pytest.mark.parametrize(
    "sound", [murmur(1500), pcm16_to_float(hiss(1500)), silence(1)], ids=["murmur", "hiss", "none"]
)
def test_what_has_no_words_has_no_words(sound: Floats) -> None:
    assert not hear(sound)


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.3])
def test_the_puppy_speaks_it_at_any_pace(speed: float) -> None:
    sound = np.concatenate(list(CodedTts(Pace()).synthesize(SAID, language="ko", voice="", speed=speed)))
    assert read(sound) == SAID


@pytest.mark.parametrize("sound", [speak(SAID), speak("네"), murmur(2000)], ids=["sentence", "네", "murmur"])
def test_silero_takes_it_for_speech_without_a_pause(sound: Floats) -> None:
    events = _segments(np.concatenate([silence(1), sound, silence(1)]))
    assert [type(event) for event in events] == [SpeechStarted, SpeechPaused]
    started, paused = events
    assert isinstance(started, SpeechStarted) and abs(started.onset_sample - 16_000) < 1600
    assert isinstance(paused, SpeechPaused) and abs(paused.speech_end_sample - 16_000 - len(sound)) < 2400


def test_silero_does_not_take_hiss_for_speech() -> None:
    assert not _segments(np.concatenate([silence(1), pcm16_to_float(hiss(2000)), silence(1)]))


def _segments(sound: Floats) -> list[object]:
    model, memory = SileroModel(find_silero()), SileroMemory()
    voice, segmenter = VoiceActivity(), Segmenter()
    for window in voice.feed(float_to_pcm16(sound)):
        [probability] = model.score([(memory, window)])
        voice.scored(window, probability)
    return list(segmenter.feed(voice.reports()))
