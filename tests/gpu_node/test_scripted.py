"""The scripted engines: deterministic, at the stated pace, and giving real audio and real times."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gpu_node.engines import Hypothesis, ReplyRequest, Samples, Word
from gpu_node.engines.scripted import STT_RATE, WORDS, ScriptedLlm, ScriptedStt, ScriptedTts
from streaming.messages import ReplyContext, Utterance


async def reply(engine: ScriptedLlm, request: ReplyRequest) -> str:
    return "".join([token.text async for token in engine.stream(request)])


def heard(engine: ScriptedStt, seconds: float) -> tuple[Hypothesis, int]:
    """What the pass said, and how many steps it could have been given up after."""
    audio = np.zeros(int(seconds * STT_RATE), np.float32)
    *steps, last = engine.transcribe(audio, language="ko", final=True)
    assert last is not None and not any(steps)
    return last, len(steps)


async def test_replies_follow_the_conversation() -> None:
    engine = ScriptedLlm(["하나.", "둘.", "셋."], first_token_ms=0, tokens_per_second=10_000)
    said = Utterance(role="assistant", text="…")
    for exchanges, expected in ((0, "하나."), (1, "둘."), (2, "셋."), (3, "하나.")):
        assert await reply(engine, ReplyRequest("네", ReplyContext(history=(said,) * exchanges))) == expected


async def test_a_reply_begun_elsewhere_is_gone_on_with() -> None:
    engine = ScriptedLlm(["첫 문장이에요. 둘째 문장이에요."], first_token_ms=0, tokens_per_second=10_000)
    assert await reply(engine, ReplyRequest("네", ReplyContext(), released="첫 문장이에요.")) == "둘째 문장이에요."


_ABORTING = """
import numpy as np
from gpu_node.engines.scripted import ScriptedStt
ear = ScriptedStt(pass_ms=0, abort_seconds=2)
print(len(list(ear.transcribe(np.zeros(31_000, np.float32), language="ko", final=True))), flush=True)
list(ear.transcribe(np.zeros(32_000, np.float32), language="ko", final=False))
print("still here", flush=True)
"""


def test_it_takes_its_process_down_where_it_was_told_to() -> None:
    ended = subprocess.run([sys.executable, "-c", _ABORTING], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGABRT, "1\n")


async def test_the_pace_is_kept_at_least() -> None:
    engine = ScriptedLlm(["하나 둘 셋 넷 다섯"], first_token_ms=60, tokens_per_second=50)
    began = time.monotonic()
    times = [time.monotonic() - began async for _ in engine.stream(ReplyRequest("네", ReplyContext()))]
    assert all(at >= 0.06 + place * 0.02 - 0.005 for place, at in enumerate(times))


def test_words_grow_with_the_audio_and_never_change() -> None:
    engine = ScriptedStt(pass_ms=0, words_per_second=2)
    hypotheses = [heard(engine, seconds)[0] for seconds in (0.0, 0.4, 1.0, 2.2, 5.0)]
    assert [len(hypothesis.words) for hypothesis in hypotheses] == [0, 0, 2, 4, 10]
    longest = hypotheses[-1]
    assert all(longest.words[: len(hypothesis.words)] == hypothesis.words for hypothesis in hypotheses)
    assert longest.words[0].text == WORDS["ko"][0] and longest.words[-1].end_seconds == 5.0
    assert hypotheses[0].no_speech_prob == 1.0


def test_a_pass_is_made_of_steps() -> None:
    began = time.monotonic()
    _, steps = heard(ScriptedStt(pass_ms=120), 1.0)
    assert steps == 2 and time.monotonic() - began >= 0.12


def test_what_is_heard_can_be_given() -> None:
    def loudness(audio: Samples, language: str) -> list[Word]:
        return [Word(f"{language}{len(audio)}", 0.0, 1.0, 1.0)]

    assert heard(ScriptedStt(pass_ms=0, text_of_audio=loudness), 1.0)[0].text == "ko16000"


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_speech_is_a_tone_as_long_as_its_text(speed: float) -> None:
    engine = ScriptedTts(rtf=0, chunk_ms=70, ms_per_character=50)
    text = "안녕하세요, 어르신!"
    chunks = list(engine.synthesize(text, language="ko", voice="", speed=speed))
    audio = np.concatenate(chunks)
    assert len(audio) == engine.samples_of(text, speed=speed) == int(8 * 0.05 * 24_000 / speed)
    assert len(chunks) == -(-len(audio) // int(0.07 * 24_000))
    assert audio.dtype == np.float32 and 0.29 < np.abs(audio).max() <= 0.3
    spectrum = np.abs(np.fft.rfft(audio))
    assert abs(np.argmax(spectrum) * 24_000 / len(audio) - 220) < 24_000 / len(audio)


def test_speaking_takes_its_time() -> None:
    began = time.monotonic()
    list(ScriptedTts(rtf=0.5, ms_per_character=20).synthesize("열 글자쯤 되는 말", language="ko", voice="", speed=1.0))
    assert time.monotonic() - began >= 7 * 0.02 * 0.5


@pytest.mark.parametrize("bad", [lambda: ScriptedLlm(tokens_per_second=0), lambda: ScriptedTts(chunk_ms=0)])
def test_a_pace_that_never_ends_is_refused(bad: type) -> None:
    with pytest.raises(ValueError):
        bad()
