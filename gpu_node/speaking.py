"""The speaking side of a turn: one reply, from the utterance to the last sample of speech.

Two tasks work at once: one takes the LLM's tokens and cuts them into sentences, the other speaks each sentence while
the next is being written. What leaves here is `ReplyText` before the sentence's `ReplyAudio`, and one `ReplyDone` at
the end, all with the attempt and reply number of the `StartReply` that asked for them. A sentence's text waits for its
first sound, so that a voice that breaks leaves no words behind that were never said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from gpu_node.apology import Apology
from gpu_node.engines import LanguageModel, ReplyRequest, Samples, TextToSpeech
from gpu_node.errors import LlmError, NodeError
from gpu_node.sentences import Sentence, SentenceCutter
from gpu_node.threads import EngineQueue, Priority
from streaming.audio import ResampleStream, float_to_pcm16
from streaming.messages import APOLOGY, Message, ReplyAudio, ReplyDone, ReplyText, StartReply

MAX_REPLY_SECONDS = 90.0
"""A reply is two or three short sentences; an LLM that will not stop is stopped here."""
MAX_SENTENCES_WAITING = 8
"""Written and not yet spoken: beyond it the LLM waits, which costs nothing, since speech is the slower of the two."""
PIECE_SECONDS = 0.2
"""Audio crosses the bus in pieces of this length, so that a barge-in leaves little behind and no entry is large."""


@dataclass(slots=True)
class _Progress:
    """How far the reply has come."""

    began: float
    sentences: int = 0
    samples: int = 0
    first_audio: float | None = None
    source: str = ""
    unsaid: ReplyText | None = None
    """The text of the sentence whose first sound is still to come."""
    timings_ms: dict[str, float] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        self.timings_ms.setdefault(name, (time.monotonic() - self.began) * 1000)


class Mouth:
    """Makes one reply, with one LLM and one voice."""

    def __init__(
        self,
        llm: LanguageModel,
        tts: TextToSpeech,
        queue: EngineQueue,
        *,
        rate: int,
        ahead_seconds: float,
        send: Callable[[Message], None],
        apology: Apology | None = None,
    ) -> None:
        """`rate`: of the audio sent, Hz; `ahead_seconds`: how far speech may be ahead of its own playing; `send`:
        downstream; `apology`: said where there is nothing else to say."""
        self._llm = llm
        self._tts = tts
        self._queue = queue
        self._rate = rate
        self._ahead_seconds = ahead_seconds
        self._send = send
        self._apology = apology
        self._progress = _Progress(began=time.monotonic())

    async def reply(self, start: StartReply, transcript: str) -> None:
        """Answer `transcript`. Cancelling the task that runs this stops the LLM's connection and the engine's next
        step."""
        progress = self._progress = _Progress(began=time.monotonic())
        request = ReplyRequest(transcript=transcript, context=start.context, released=start.released)
        written: asyncio.Queue[Sentence | None] = asyncio.Queue(MAX_SENTENCES_WAITING)
        failure: NodeError | None = None
        writing = asyncio.create_task(self._write(request, written), name=f"write:{start.attempt}")
        try:
            while (sentence := await written.get()) is not None:
                if progress.samples > MAX_REPLY_SECONDS * self._rate:
                    break
                await self._say(sentence, start)
            else:
                await writing
        except NodeError as error:
            failure = error
        finally:
            writing.cancel()
            await asyncio.wait([writing])
            if not writing.cancelled():
                writing.exception()  # seen: it was raised above, or something graver was
        detail = f"{failure.code}: {failure}" if failure is not None else ""
        if progress.samples or (start.released and failure is None):
            # A reply that broke after whole sentences were spoken is a shorter reply, not a failed one.
            self._finish(start, "completed", detail)
        else:
            await self.fail(start, detail or "an empty reply")

    async def fail(self, start: StartReply, detail: str) -> None:
        """There is no reply, or no more of it: say sorry where nothing was said yet, and that it is over.

        Touches no engine."""
        if not self._progress.samples and not start.released:
            await self.apologise(start)
        self._finish(start, "failed", detail)

    async def apologise(self, start: StartReply) -> None:
        """Say what was spoken beforehand."""
        if self._apology is None:
            return
        self._progress.source = APOLOGY
        for text, chunks in self._apology.sentences:
            self._announce(text, start)
            pieces = _Pieces(self._apology.rate, self._rate)
            for samples in chunks:
                for piece in pieces.add(samples):
                    await self._send_audio(piece, start)
            for piece in pieces.finish():
                await self._send_audio(piece, start)

    def _finish(self, start: StartReply, reason: Literal["completed", "failed"], detail: str) -> None:
        progress = self._progress
        progress.timings_ms["done"] = (time.monotonic() - progress.began) * 1000
        self._send(
            ReplyDone(
                attempt=start.attempt,
                reply=start.reply,
                reason=reason,
                source=progress.source,
                detail=detail,
                timings_ms=progress.timings_ms,
            )
        )

    async def _write(self, request: ReplyRequest, written: asyncio.Queue[Sentence | None]) -> None:
        """Tokens to sentences. Always ends the queue; an LlmError after a whole sentence loses only what would have
        followed."""
        progress = self._progress
        cutter = SentenceCutter(request.context.language)
        try:
            async with aclosing(self._llm.stream(request)) as tokens:
                async for token in tokens:
                    progress.mark("first_token")
                    progress.source = token.source
                    for sentence in cutter.feed(token.text):
                        progress.mark("first_sentence")
                        await written.put(sentence)
            for sentence in cutter.finish():
                progress.mark("first_sentence")
                await written.put(sentence)
        except LlmError:
            for sentence in cutter.finish():
                await written.put(sentence)
            raise
        finally:
            if not (task := asyncio.current_task()) or not task.cancelling():
                await written.put(None)

    async def _say(self, sentence: Sentence, start: StartReply) -> None:
        await self._keep_pace()
        priority = Priority.LATER_CLAUSE if self._progress.sentences else Priority.FIRST_CLAUSE
        self._announce(sentence.text, start)
        context = start.context
        steps = self._tts.synthesize(
            sentence.text, language=context.language, voice=context.voice, speed=context.speech_rate
        )
        pieces = _Pieces(self._tts.sample_rate, self._rate)
        async with self._queue.run(steps, priority) as work:
            async for samples in work:
                for piece in pieces.add(samples):
                    await self._send_audio(piece, start)
        for piece in pieces.finish():
            await self._send_audio(piece, start)

    def _announce(self, text: str, start: StartReply) -> None:
        """The sound that follows is that of `text`. Where none follows, nothing is told of it."""
        progress = self._progress
        progress.unsaid = ReplyText(
            attempt=start.attempt, reply=start.reply, sentence=progress.sentences, text=text, source=progress.source
        )

    async def _send_audio(self, pcm: bytes, start: StartReply) -> None:
        await self._keep_pace()
        progress = self._progress
        progress.mark("first_audio")
        if progress.first_audio is None:
            progress.first_audio = time.monotonic()
        if progress.unsaid is not None:
            self._send(progress.unsaid)
            progress.unsaid = None
            progress.sentences += 1
        self._send(
            ReplyAudio(
                attempt=start.attempt,
                reply=start.reply,
                sentence=progress.sentences - 1,
                first_sample=progress.samples,
                pcm=pcm,
            )
        )
        progress.samples += len(pcm) // 2

    async def _keep_pace(self) -> None:
        """Do not speak far ahead of the listener: an engine that is free serves somebody else, a barge-in wastes less,
        and a long sentence made at once does not look to the gateway like a client that takes nothing."""
        progress = self._progress
        if progress.first_audio is None:
            return
        ahead = progress.samples / self._rate - (time.monotonic() - progress.first_audio)
        if ahead > self._ahead_seconds:
            await asyncio.sleep(ahead - self._ahead_seconds)


class _Pieces:
    """An engine's chunks as PCM16 at the session's rate, cut into equal pieces."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        self._resample = ResampleStream(rate_in, rate_out) if rate_in != rate_out else None
        self._size = 2 * int(PIECE_SECONDS * rate_out)
        self._rest = b""

    def add(self, samples: Samples) -> list[bytes]:
        pcm = float_to_pcm16(samples)
        return self._cut(self._resample.feed(pcm) if self._resample else pcm)

    def finish(self) -> list[bytes]:
        pieces = self._cut(self._resample.flush()) if self._resample else []
        if self._rest:
            pieces.append(self._rest)
            self._rest = b""
        return pieces

    def _cut(self, pcm: bytes) -> list[bytes]:
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % self._size
        self._rest = pcm[whole:]
        return [pcm[at : at + self._size] for at in range(0, whole, self._size)]
