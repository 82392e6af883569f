"""Words become stable when two passes agree, and are never taken back."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_node.engines import Hypothesis, Word
from gpu_node.transcript import (
    LONGEST_BUFFER_SAMPLES,
    LONGEST_GAP_SAMPLES,
    Caption,
    FinalTranscript,
    IncrementalTranscript,
)
from streaming.audio import MICROPHONE_RATE
from streaming.errors import AudioError

WORD_SECONDS = 0.5
SENTENCE = "어제는 손주랑 바닷가에 갔는데 바람이 참 시원하고 좋았어요"


def tone(samples: int) -> bytes:
    return (3000 * np.sin(np.arange(samples) / 9)).astype("<i2").tobytes()


def heard(
    text: str,
    *,
    start_seconds: float = 0.0,
    probability: float = 0.9,
    avg_logprob: float = -0.3,
    segment_ends_seconds: tuple[float, ...] = (),
) -> Hypothesis:
    """A pass in which the n-th word of `text` takes the n-th half second."""
    words = tuple(
        Word(word, start_seconds + index * WORD_SECONDS, start_seconds + index * WORD_SECONDS + 0.4, probability)
        for index, word in enumerate(text.split())
    )
    return Hypothesis(words, "ko", avg_logprob, 0.0, 1.0, segment_ends_seconds)


class Speaker:
    """A transcript and somebody who goes on talking: `hears` adds half a second and gives the pass's caption."""

    def __init__(self, *, first_sample: int = 0, trim_seconds: float = 15.0) -> None:
        self.transcript = IncrementalTranscript("ko", trim_seconds=trim_seconds)
        self.sample = first_sample

    def speaks(self, seconds: float) -> None:
        self.transcript.add(self.sample, tone(int(seconds * MICROPHONE_RATE)))
        self.sample += int(seconds * MICROPHONE_RATE)

    def hears(self, text: str, *, seconds: float = 4.0, probability: float = 0.9, avg_logprob: float = -0.3) -> Caption:
        self.speaks(seconds)
        hypothesis = heard(text, probability=probability, avg_logprob=avg_logprob)
        return self.transcript.partial(self.transcript.request(), hypothesis)

    def ends(self, text: str, *, avg_logprob: float = -0.3) -> FinalTranscript:
        return self.transcript.final(self.transcript.request(), heard(text, avg_logprob=avg_logprob))


def shown(caption: Caption) -> tuple[str, str]:
    return caption.stable, caption.tentative


# --- audio -----------------------------------------------------------------------------------------------------------


def test_the_buffer_is_the_audio_that_was_added() -> None:
    transcript = IncrementalTranscript("ko")
    transcript.add(1000, tone(1600))
    transcript.add(2600, tone(1600))
    request = transcript.request()
    assert transcript.end_sample == request.upto_sample == 4200
    assert request.audio.dtype == np.float32
    assert len(request.audio) == 3200 and request.seconds == 0.2
    assert request.audio[:1600].tolist() == (np.frombuffer(tone(1600), "<i2") / 32768).tolist()


def test_unheard_audio_is_what_no_request_has_covered() -> None:
    transcript = IncrementalTranscript("ko")
    transcript.add(500_000, tone(1600))
    assert transcript.unheard_samples == 1600
    transcript.request()
    assert transcript.unheard_samples == 0
    transcript.add(501_600, tone(320))
    assert transcript.unheard_samples == 320


def test_what_comes_twice_is_heard_once() -> None:
    transcript = IncrementalTranscript("ko")
    pcm = tone(4800)
    for first, last in ((0, 3200), (0, 3200), (1600, 4800), (320, 640)):
        transcript.add(first, pcm[first * 2 : last * 2])
    assert transcript.end_sample == 4800
    assert (transcript.request().audio * 32768).astype("<i2").tobytes() == pcm


def test_a_gap_is_a_quiet_pause_of_bounded_length() -> None:
    transcript = IncrementalTranscript("ko")
    transcript.add(0, tone(1600))
    transcript.add(1600 + 3200, tone(1600))
    transcript.add(1_000_000, tone(1600))
    request = transcript.request()
    assert request.upto_sample == 1_001_600
    assert len(request.audio) == 3 * 1600 + 3200 + LONGEST_GAP_SAMPLES
    assert 0 < np.abs(request.audio[1600:4800]).max() < 0.001


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(AudioError):
        IncrementalTranscript("ko").add(0, b"\0\0\0")


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 1000)), max_size=12))
def test_the_end_never_goes_back_and_audio_is_never_longer_than_time(batches: list[tuple[int, int]]) -> None:
    transcript = IncrementalTranscript("ko")
    end = 0
    for first, samples in batches:
        transcript.add(first, tone(samples))
        assert transcript.end_sample >= end
        end = transcript.end_sample
    assert len(transcript.request().audio) <= end


# --- agreement -------------------------------------------------------------------------------------------------------


def test_a_word_is_stable_when_two_passes_agree() -> None:
    speaker = Speaker()
    assert shown(speaker.hears("어제는 손녀")) == ("", "어제는 손녀")
    assert shown(speaker.hears("어제는 손주랑 바다")) == ("어제는", "손주랑 바다")
    assert shown(speaker.hears("어제는 손주랑 바닷가에 갔는데")) == ("어제는 손주랑", "바닷가에 갔는데")


def test_marks_and_case_do_not_matter_to_agreement() -> None:
    speaker = Speaker()
    speaker.hears("Kbs 뉴스를, 봤어요")
    assert shown(speaker.hears("KBS 뉴스를 봤어요. 그런데")) == ("KBS 뉴스를 봤어요.", "그런데")


def test_a_mark_at_the_end_of_what_was_heard_waits() -> None:
    speaker = Speaker()
    speaker.hears("바람이 좋았어요.")
    assert speaker.hears("바람이 좋았어요.").stable == "바람이 좋았어요"
    assert speaker.hears("바람이 좋았어요, 그래서").stable == "바람이 좋았어요,"


def test_a_word_that_may_not_be_whole_waits() -> None:
    speaker = Speaker()
    speaker.hears("어제는 손주", seconds=1.0)
    transcript = speaker.transcript
    assert shown(transcript.partial(transcript.request(), heard("어제는 손주"))) == ("어제는", "손주")


def test_a_word_the_model_is_unsure_of_waits_for_the_final_pass() -> None:
    speaker = Speaker()
    speaker.hears(SENTENCE, probability=0.4)
    assert shown(speaker.hears(SENTENCE, probability=0.4)) == ("", SENTENCE)
    assert speaker.ends(SENTENCE).text == SENTENCE


def test_an_invented_pass_changes_nothing() -> None:
    speaker = Speaker()
    speaker.hears("어제는 손주랑")
    speaker.hears("소금 소금 소금 소금 소금 소금 소금")
    assert shown(speaker.hears("어제는 손주랑 바닷가에")) == ("어제는 손주랑", "바닷가에")
    assert shown(speaker.hears("엉뚱한 말이네", avg_logprob=-1.5)) == ("어제는 손주랑", "바닷가에")


def test_a_pass_that_was_overtaken_changes_nothing() -> None:
    speaker = Speaker()
    speaker.speaks(4)
    late = speaker.transcript.request()
    caption = speaker.hears("어제는 손주랑")
    assert speaker.transcript.partial(late, heard("그제는 손자가")) == caption


# --- later passes that differ from what is stable --------------------------------------------------------------------


def stable_on(text: str) -> Speaker:
    speaker = Speaker()
    speaker.hears(text)
    assert speaker.hears(text).stable == text
    return speaker


@pytest.mark.parametrize(
    ("stable", "final_pass", "expected"),
    [
        ("어제는 손주랑", "어제는 손주랑 바닷가에 갔어요.", "어제는 손주랑 바닷가에 갔어요."),
        ("어제는 송주랑", "어제는 손주랑 바닷가에 갔어요.", "어제는 송주랑 바닷가에 갔어요."),
        ("어제는 손주랑", "어제 는 손주랑 바닷가에", "어제는 손주랑 바닷가에"),
        ("계속 할", "계속할 수 있어요", "계속 할 수 있어요"),
        ("계속할", "계속 할 수 있어요", "계속할 수 있어요"),
        ("우리 친구", "우리 친구들이 왔어요", "우리 친구들이 왔어요"),
        ("아니 아니", "아니 아니 그게 아니고", "아니 아니 그게 아니고"),
        ("바람이 좋았어요", "바람이 좋았어요.", "바람이 좋았어요."),
        ("바람이 좋았어요", "바람이", "바람이 좋았어요"),
    ],
)
def test_the_final_text_begins_with_what_is_stable(stable: str, final_pass: str, expected: str) -> None:
    assert stable_on(stable).ends(final_pass).text == expected


def test_the_person_goes_on_after_a_final_pass() -> None:
    speaker = stable_on("어제는 손주랑")
    first = speaker.ends("어제는 손주랑 바다까지")
    assert first.text == "어제는 손주랑 바다까지"
    speaker.sample += 3 * MICROPHONE_RATE
    speaker.hears("어제는 손주랑 바닷가에 갔는데 바람이")
    second = speaker.ends("어제는 손주랑 바닷가에 갔는데 바람이 시원했어요.")
    assert second.text == "어제는 손주랑 바닷가에 갔는데 바람이 시원했어요."
    assert second.upto_sample == speaker.sample > first.upto_sample


def test_the_final_pass_may_be_a_caption_first() -> None:
    """One pass serves both: `partial` may cut the buffer that the same request came from."""
    speaker = Speaker(trim_seconds=3.0)
    speaker.hears(SENTENCE, seconds=5.0)
    request, hypothesis = speaker.transcript.request(), heard(SENTENCE)
    caption = speaker.transcript.partial(request, hypothesis)
    assert caption.stable == SENTENCE
    assert len(speaker.transcript.request().audio) < len(request.audio)
    assert speaker.transcript.final(request, hypothesis).text == SENTENCE


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_noise_is_named_and_has_no_text() -> None:
    speaker = Speaker()
    speaker.speaks(4)
    final = speaker.ends("시청해주셔서 감사합니다")
    assert (final.text, final.rejected) == ("", "stock_phrase")


def test_nothing_heard_at_all() -> None:
    final = Speaker().ends("")
    assert (final.text, final.rejected, final.upto_sample) == ("", "silence", 0)


def test_an_invented_final_pass_takes_nothing_back() -> None:
    speaker = stable_on("어제는 손주랑")
    speaker.hears("어제는 손주랑 바닷가에")
    final = speaker.ends("소금 소금 소금 소금 소금 소금 소금")
    assert (final.text, final.rejected) == ("어제는 손주랑 바닷가에", "")


# --- long utterances -------------------------------------------------------------------------------------------------


def passes(text: str, *, trim_seconds: float = 15.0, garble: random.Random | None = None) -> list[Caption]:
    """Speak `text`, two words a second, with a perfect engine (or one that mishears at random) after every word."""
    spoken = text.split()
    speaker = Speaker(trim_seconds=trim_seconds)
    captions = []
    for count in range(1, len(spoken) + 1):
        speaker.speaks(WORD_SECONDS)
        request = speaker.transcript.request()
        first = request.start / MICROPHONE_RATE / WORD_SECONDS
        audible = [(index, word) for index, word in enumerate(spoken[:count]) if index + 0.3 > first]
        words = tuple(
            Word(
                word if garble is None or garble.random() > 0.2 else garble.choice(spoken),
                (index - first) * WORD_SECONDS,
                (index - first) * WORD_SECONDS + 0.4,
                0.9,
            )
            for index, word in audible
        )
        captions.append(speaker.transcript.partial(request, Hypothesis(words, "ko", -0.3, 0.0, 1.0)))
        assert len(request.audio) <= LONGEST_BUFFER_SAMPLES
    final = speaker.transcript.final(request, Hypothesis(words, "ko", -0.3, 0.0, 1.0))
    return [*captions, Caption(final.text, "", final.upto_sample)]


STORY = " ".join(chr(0xAC00 + 71 * n) + chr(0xD7A3 - 53 * n) for n in range(150))
"""75 seconds of words that are all different."""


def test_minutes_of_speech_roll_on() -> None:
    captions = passes(STORY)
    assert captions[-1].stable == STORY
    for caption in captions[2:]:
        assert len(caption.tentative.split()) <= 2


def test_the_buffer_is_cut_at_the_end_of_a_sentence() -> None:
    speaker = Speaker(trim_seconds=3.0)
    text = "하나 둘 셋 넷. 다섯 여섯 일곱 여덟"
    speaker.hears(text)
    speaker.hears(text)
    fourth_ends, fifth_starts = 3 * WORD_SECONDS + 0.4, 4 * WORD_SECONDS
    assert speaker.transcript.request().start == int((fourth_ends + fifth_starts) / 2 * MICROPHONE_RATE)


def test_noise_does_not_fill_the_memory() -> None:
    speaker = Speaker()
    for _ in range(40):
        speaker.hears("소금 소금 소금 소금 소금 소금", seconds=2.0)
    assert len(speaker.transcript.request().audio) == LONGEST_BUFFER_SAMPLES
    speaker.speaks(4)
    request = speaker.transcript.request()
    caption = speaker.transcript.partial(request, heard("어제는 손주랑", start_seconds=request.seconds - 3))
    assert shown(caption) == ("", "어제는 손주랑")


def test_what_nobody_agrees_on_becomes_stable_with_age() -> None:
    speaker = Speaker()
    speaker.hears(SENTENCE, probability=0.2)
    caption = speaker.hears(SENTENCE, seconds=20.0, probability=0.2)
    assert caption.stable == SENTENCE


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), trim_seconds=st.floats(3.0, 15.0))
def test_stable_text_only_grows_whatever_is_heard(seed: int, trim_seconds: float) -> None:
    captions = passes(STORY[: 3 * 60 - 1], trim_seconds=trim_seconds, garble=random.Random(seed))
    for earlier, later in zip(captions, captions[1:], strict=False):
        assert later.stable.startswith(earlier.stable)
        assert later.upto_sample >= earlier.upto_sample


anything = st.builds(
    heard,
    st.text(alphabet="가나 다.라!", max_size=40),
    start_seconds=st.floats(0, 3),
    probability=st.floats(0, 1),
    avg_logprob=st.floats(-1.5, 0),
    segment_ends_seconds=st.lists(st.floats(0, 6), max_size=2).map(tuple),
)


@settings(deadline=None)
@given(st.lists(st.tuples(anything, st.floats(0.1, 6), st.booleans()), max_size=12))
def test_no_hypothesis_takes_stable_text_back(story: list[tuple[Hypothesis, float, bool]]) -> None:
    speaker = Speaker(trim_seconds=5.0)
    stable = ""
    for hypothesis, seconds, pause in story:
        speaker.speaks(seconds)
        request = speaker.transcript.request()
        if pause:
            final = speaker.transcript.final(request, hypothesis)
            assert final.text.startswith(stable)
            assert bool(final.text) != bool(final.rejected)
        caption = speaker.transcript.partial(request, hypothesis)
        assert caption.stable.startswith(stable)
        stable = caption.stable
