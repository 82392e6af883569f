"""What is heard in a memory video, sentence by sentence: the person's own recording, or a narrator at a node.

One file for each sentence, in the job's own folder. A sentence that nobody can speak is shown without a sound.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from pathlib import Path

from silvertalk.errors import MediaTooLarge
from silvertalk.film import Spoken
from silvertalk.job_kinds import JobPostponed, WorkParts
from silvertalk.own_voice import NoVoice, prepare
from silvertalk.story import Sentence, Story
from streaming.errors import ErrandError
from streaming.logs import logger
from streaming.messages import ErrandOpened

log = logger("video")

RATE = 24_000
SPEED = 0.9
"""Older listeners follow it better."""
SPEAK_SECONDS = 120.0
"""A long sentence on a small machine that talks with somebody meanwhile."""
NO_NODE_SECONDS = 20.0
"""No node answered: so much later it is tried again, as long as the job has time."""
MAX_RECORDING_BYTES = 16 * 1024 * 1024


class Voices:
    """Speaks the sentences of one story."""

    def __init__(self, parts: WorkParts, story: Story, recordings: dict[int, str], narrator: str, folder: Path) -> None:
        """`recordings`: keys by turns; `narrator`: see `silvertalk.videos.NARRATORS`."""
        self._parts = parts
        self._story = story
        self._recordings = recordings
        self._narrator = narrator
        self._folder = folder
        self._mute = False

    async def spoken(self) -> AsyncIterator[Spoken]:
        """Each sentence with its sound, in order. Raises JobPostponed while no node answers, MediaAway,
        BusUnavailable."""
        for number, sentence in enumerate(self._story.sentences):
            path = self._folder / f"sentence-{number:03}.wav"
            own = sentence.own_voice and await self._own(sentence, path)
            sound = path if own or await self._narrated(sentence, path) else None
            text = sentence.shown if own or not sentence.own_voice else f"“{sentence.text}”"
            yield Spoken(text, sound, own)

    async def _own(self, sentence: Sentence, path: Path) -> bool:
        """False where the recording is gone, or has no voice on it."""
        recording = path.with_suffix(".flac")
        try:
            data = await self._parts.media.read(self._recordings[sentence.turns[0]], MAX_RECORDING_BYTES)
            await asyncio.to_thread(recording.write_bytes, data)
            await asyncio.to_thread(prepare, recording, path)
        except (KeyError, MediaTooLarge, NoVoice) as error:
            log.info("recording_left_out", reason=type(error).__name__)
            return False
        finally:
            recording.unlink(missing_ok=True)
        return True

    async def _narrated(self, sentence: Sentence, path: Path) -> bool:
        if self._mute:
            return False
        wanted = ErrandOpened(
            errand="",
            kind="speak",
            language=self._story.language,
            text=sentence.text,
            voice=self._narrator,
            speed=SPEED,
            rate=RATE,
        )
        try:
            result = await self._parts.bus.errands.ask(wanted, within=SPEAK_SECONDS)
        except ErrandError as error:
            if error.reason == "deadline":
                raise JobPostponed(NO_NODE_SECONDS) from error
            log.warning("sentence_not_spoken", reason=error.reason)
            self._mute = error.reason == "unable"
            return False
        if len(result.data) < RATE // 10:
            return False
        await asyncio.to_thread(_write, path, result.data)
        return True


def _write(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
