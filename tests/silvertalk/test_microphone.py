"""From microphone audio to what the person does with their voice, through the real VAD."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from silvertalk.habits import Habits
from silvertalk.listening import VadService
from silvertalk.microphone import MAX_BATCH_SAMPLES, Microphone
from silvertalk.settings import Settings
from streaming.audio import float_to_pcm16, pcm16_to_float
from streaming.endpointing import EndpointDecision, Wait
from streaming.messages import AudioBatch
from streaming.vad import SileroModel, find_silero
from tests.product import settings
from tests.streaming.voice import hiss, silence, vowels

FRAME_BYTES = 640


class Listener:
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.batches: list[AudioBatch] = []
        self.ends: list[EndpointDecision] = []
        self.waits: list[Wait] = []
        self.near: list[int] = []
        self.last_heard = 0

    def speech_started(self, start_sample: int, onset_sample: int) -> None:
        self.heard.append(("started", start_sample))

    def speech_paused(self, speech_end_sample: int) -> None:
        self.heard.append(("paused", speech_end_sample))

    def speech_resumed(self, start_sample: int, onset_sample: int) -> None:
        self.heard.append(("resumed", start_sample))

    def utterance_ended(self, decision: EndpointDecision) -> None:
        self.heard.append(("ended", decision.end_sample))
        self.ends.append(decision)

    def speech_audio(self, batch: AudioBatch) -> None:
        self.batches.append(batch)

    def wait_chosen(self, speech_end_sample: int, wait: Wait) -> None:
        self.waits.append(wait)

    def endpoint_nears(self, speech_end_sample: int) -> None:
        self.near.append(speech_end_sample)

    def heard_to(self, sample: int) -> None:
        self.last_heard = sample

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.heard]

    def sent_samples(self) -> int:
        return sum(len(batch.pcm) // 2 for batch in self.batches)


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return SileroModel(find_silero())


@pytest.fixture
async def vad(model: SileroModel) -> AsyncIterator[VadService]:
    async with VadService(model) as service:
        yield service


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return settings("unix:///nowhere", tmp_path, endpoint_wait_ms=600, pre_roll_ms=300)


async def speak(microphone: Microphone, pcm: bytes, frame_bytes: int = FRAME_BYTES) -> None:
    """Feed it, and let the VAD answer each second of it, as it would in real time."""
    for start in range(0, len(pcm), frame_bytes):
        microphone.feed(pcm[start : start + frame_bytes])
        if start // 32_000 != (start + frame_bytes) // 32_000:
            await scored(microphone)
    await scored(microphone)


async def scored(microphone: Microphone) -> None:
    """Until the VAD has scored every whole window."""
    async with asyncio.timeout(30):
        while microphone.received_samples - microphone._segmenter.heard_sample >= 512:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def test_an_utterance_from_its_preroll_to_its_endpoint(vad: VadService, chosen: Settings) -> None:
    listener = Listener()
    microphone = Microphone(vad, chosen, listener, language="ko", habits=Habits(), push_to_talk=False)
    said = silence(1000) + vowels(1500) + silence(1500)
    await speak(microphone, said)
    microphone.close()
    assert listener.kinds()[0] == "started" and listener.kinds()[-1] == "ended"
    assert listener.kinds().count("started") == listener.kinds().count("ended") == 1
    start = listener.heard[0][1]
    assert 16_000 - 6_400 <= start <= 16_000, "at most the pre-roll before the voice"
    [end] = listener.ends
    assert end.reason == "silence" and 600 <= end.wait_ms <= 640
    assert abs(end.end_sample - 40_000) < 3_200


async def test_what_is_sent_is_what_was_said_once_and_never_the_silence(vad: VadService, chosen: Settings) -> None:
    listener = Listener()
    microphone = Microphone(vad, chosen, listener, language="ko", habits=Habits(), push_to_talk=False)
    said = silence(1000) + vowels(1200) + silence(400) + vowels(1200, seed=2) + silence(2000)
    await speak(microphone, said)
    microphone.close()
    position = 0
    for batch in listener.batches:
        assert batch.first_sample >= position, "nothing is sent twice"
        assert len(batch.pcm) // 2 <= MAX_BATCH_SAMPLES
        assert batch.pcm == said[2 * batch.first_sample : 2 * batch.first_sample + len(batch.pcm)]
        position = batch.first_sample + len(batch.pcm) // 2
    assert position < 16_000 * 4.4, "of the silence at the end only what a pause takes to confirm"
    loud = np.frombuffer(said, "<i2")[16_000:60_800].astype(float)
    sent = np.zeros(len(said) // 2, bool)
    for batch in listener.batches:
        sent[batch.first_sample : batch.first_sample + len(batch.pcm) // 2] = True
    energy = loud**2
    assert energy[sent[16_000:60_800]].sum() > 0.99 * energy.sum()


async def test_nothing_of_a_quiet_or_noisy_room_is_sent(vad: VadService, chosen: Settings) -> None:
    listener = Listener()
    microphone = Microphone(vad, chosen, listener, language="ko", habits=Habits(), push_to_talk=False)
    await speak(microphone, silence(3000) + hiss(3000))
    microphone.close()
    assert not listener.heard and not listener.batches


async def test_the_button_ends_an_utterance_and_silence_does_not(vad: VadService, chosen: Settings) -> None:
    listener = Listener()
    microphone = Microphone(vad, chosen, listener, language="ko", habits=Habits(), push_to_talk=True)
    assert not microphone.commit(), "nothing was said"
    await speak(microphone, vowels(1000) + silence(2000) + vowels(600, seed=3))
    assert not listener.ends
    assert microphone.commit()
    assert [end.reason for end in listener.ends] == ["commit"]
    await speak(microphone, silence(1000))
    microphone.close()
    assert len(listener.ends) == 1 and listener.kinds().count("started") == 1


async def test_what_was_received_before_the_button_opens_nothing_after_it(vad: VadService, chosen: Settings) -> None:
    """The VAD may be behind: what it scores after the commit was said before it."""
    listener = Listener()
    microphone = Microphone(vad, chosen, listener, language="ko", habits=Habits(), push_to_talk=True)
    await speak(microphone, vowels(1000))
    rest = vowels(1500, seed=3)
    for start in range(0, len(rest), FRAME_BYTES):
        microphone.feed(rest[start : start + FRAME_BYTES])
    assert microphone.commit()
    sent = listener.sent_samples()
    async with asyncio.timeout(30):
        while any(stream.waiting for stream in list(vad._ready)):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    await speak(microphone, silence(1000))
    microphone.close()
    assert listener.kinds().count("started") == 1
    assert listener.sent_samples() == sent
    assert listener.batches[-1].first_sample + len(listener.batches[-1].pcm) // 2 == 40_000


@pytest.mark.parametrize("push_to_talk", [False, True])
async def test_nobody_speaks_for_ever(vad: VadService, tmp_path: Path, push_to_talk: bool) -> None:
    listener = Listener()
    limited = settings("unix:///nowhere", tmp_path, max_utterance_seconds=5, endpoint_wait_ms=3000)
    microphone = Microphone(vad, limited, listener, language="ko", habits=Habits(), push_to_talk=push_to_talk)
    said = vowels(7000)
    await speak(microphone, said)
    microphone.close()
    assert listener.ends[0].reason == "limit"
    assert 5.0 <= listener.ends[0].end_sample / 16_000 <= 5.6
    assert listener.kinds().count("started") == 2, "it rolls on"
    position = listener.batches[0].first_sample
    for batch in listener.batches:
        assert batch.first_sample == position, "and loses nothing"
        position += len(batch.pcm) // 2


async def test_how_the_voice_died_away_is_evidence_from_the_first(vad: VadService, tmp_path: Path) -> None:
    """Of what this microphone heard: nothing before the utterance, nothing after the pause, and no single word."""
    waits: dict[float, list[Wait]] = {}
    for ends_db in (0, -12):
        fading = pcm16_to_float(vowels(2400)).copy()
        fading[-9600:] *= 10 ** (ends_db / 20)
        listener = Listener()
        free = settings("unix:///nowhere", tmp_path, endpoint_wait_ms=0)
        microphone = Microphone(vad, free, listener, language="ko", habits=Habits(), push_to_talk=False)
        await speak(microphone, silence(1000) + float_to_pcm16(fading) + silence(4000))
        microphone.close()
        assert all(wait.because == "fading" and wait.faded is not None for wait in listener.waits)
        assert listener.ends[-1].wait == listener.waits[-1]
        waits[ends_db] = listener.waits
    assert waits[-12][-1].wait_ms < waits[0][-1].wait_ms
    listener = Listener()
    microphone = Microphone(vad, free, listener, language="ko", habits=Habits(), push_to_talk=False)
    await speak(microphone, silence(1000) + vowels(500) + silence(4000))
    microphone.close()
    assert [wait.because for wait in listener.waits] == ["pauses"]


async def test_the_first_batches_are_short(vad: VadService, chosen: Settings) -> None:
    listener = Listener()
    microphone = Microphone(vad, chosen, listener, language="ko", habits=Habits(), push_to_talk=False)
    await speak(microphone, vowels(3000))
    microphone.close()
    lengths = [len(batch.pcm) // 2 for batch in listener.batches]
    assert all(length <= 1_280 for length in lengths[2:9])
    assert max(lengths[10:]) >= 3_200
