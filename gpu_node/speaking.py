"""The speaking side of a turn: one reply, from the utterance to the last sample of speech.

Two tasks work at once: one takes the LLM's tokens and cuts them into sentences, the other speaks each sentence while
the next is being written. A third lets a filler be heard where both take too long. What comes of it, and in which
order, is `gpu_node.outgoing`'s to see to.

A speculative reply is written to its end and its first sentence is spoken, behind everything that others really wait
for; then the mouth stands still. Its later sentences, its apology and its end come after it was confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from gpu_node.engines import LanguageModel, ReplyRequest, Samples, TextToSpeech
from gpu_node.errors import LlmError, NodeError
from gpu_node.fixed_answer import sentences_to_say
from gpu_node.outgoing import Outgoing
from gpu_node.persona import may_bark
from gpu_node.sentences import Sentence, SentenceCutter, is_whole
from gpu_node.spoken_beforehand import Spoken
from gpu_node.threads import EngineQueue, EngineWork, Priority
from gpu_node.tool_calls import ToolCalls
from streaming.messages import APOLOGY, FILLER, Message, StartReply, ToolAnswered

MAX_REPLY_SECONDS = 90.0
"""A reply is two or three short sentences; an LLM that will not stop is stopped here."""
MAX_SENTENCES_WAITING = 8
"""Written and not yet spoken: beyond it the LLM waits, which costs nothing, since speech is the slower of the two."""


class Mouth:
    """Makes the reply that `start` asks for, with one LLM and one voice."""

    def __init__(
        self,
        start: StartReply,
        llm: LanguageModel,
        tts: TextToSpeech,
        queue: EngineQueue,
        *,
        rate: int,
        ahead_seconds: float,
        send: Callable[[Message], None],
        apology: Spoken | None = None,
        filler: Spoken | None = None,
        filler_seconds: float = 0.0,
    ) -> None:
        """`rate`: of the audio sent, Hz; `ahead_seconds`: how far speech may be ahead of its own playing; `send`:
        downstream; `apology`: said where there is nothing else to say; `filler`: where nothing could be said for
        `filler_seconds` after the endpoint."""
        self._start = start
        self._llm = llm
        self._tts = tts
        self._queue = queue
        self._out = Outgoing(start, rate=rate, ahead_seconds=ahead_seconds, send=send)
        self._tools = ToolCalls(start.attempt, send)
        self._work: EngineWork[Samples] | None = None
        self._apology = apology
        self._filler = filler
        self._filler_seconds = filler_seconds

    @property
    def is_confirmed(self) -> bool:
        """The utterance has ended; the reply is wanted."""
        return self._out.is_confirmed

    def confirm(self) -> None:
        """The utterance has ended where a speculative reply supposed."""
        if self._out.is_confirmed:
            return
        self._out.confirm()
        if self._work is not None:
            self._work.hurry(Priority.FIRST_CLAUSE)

    async def until_confirmed(self) -> None:
        await self._out.until_confirmed()

    def tool_answered(self, message: ToolAnswered) -> None:
        """The gateway has carried out what the LLM asked for."""
        self._tools.answered(message)

    async def reply(self, transcript: str) -> None:
        """Answer `transcript`, or say what is to be said. Cancelling the task that runs this stops the LLM's connection
        and the engine's next step."""
        written: asyncio.Queue[Sentence | None] = asyncio.Queue(MAX_SENTENCES_WAITING)
        failure: NodeError | None = None
        writing = asyncio.create_task(self._write(transcript, written), name=f"write:{self._start.attempt}")
        filling = asyncio.create_task(self._fill(), name=f"fill:{self._start.attempt}")
        try:
            while (sentence := await written.get()) is not None:
                if self._out.seconds_sent > MAX_REPLY_SECONDS:
                    break
                await self._say(sentence)
            else:
                await writing
        except NodeError as error:
            failure = error
        finally:
            for task in (writing, filling):
                task.cancel()
            await asyncio.wait((writing, filling))
            for task in (writing, filling):
                if not task.cancelled():
                    task.exception()  # seen: it was raised above, or something graver was
        detail = f"{failure.code}: {failure}" if failure is not None else ""
        if self._out.said_anything or (self._start.released and failure is None):
            # A reply that broke after whole sentences were spoken is a shorter reply, not a failed one.
            await self._out.until_confirmed()
            self._out.finish("completed", detail)
        else:
            await self.fail(detail or "an empty reply")

    async def fail(self, detail: str, *, always_apologise: bool = False) -> None:
        """There is no reply, or no more of it: say sorry where nothing was said yet, and that it is over.

        Touches no engine."""
        await self._out.until_confirmed()
        said_part = self._out.said_anything or bool(self._start.released)
        if self._apology is not None and (always_apologise or not said_part):
            await self._out.say_beforehand(self._apology, APOLOGY)
        self._out.finish("failed", detail)

    async def hear_nothing(self) -> None:
        """There were no words to answer."""
        await self._out.until_confirmed()
        self._out.finish("nothing_heard")

    def cancelled(self) -> None:
        """The task that made the reply was cancelled: say so, and what it had cost by then."""
        self._out.finish("cancelled")

    # --- words -------------------------------------------------------------------------------------------------------

    async def _write(self, transcript: str, written: asyncio.Queue[Sentence | None]) -> None:
        """What is to be said, sentence by sentence. Always ends the queue."""
        try:
            if self._start.say:
                await self._recite(written)
            else:
                await self._compose(transcript, written)
        finally:
            if not (task := asyncio.current_task()) or not task.cancelling():
                await written.put(None)

    async def _recite(self, written: asyncio.Queue[Sentence | None]) -> None:
        start = self._start
        self._out.source = start.say_as
        for sentence in sentences_to_say(start.say, start.released, start.context.language):
            self._out.mark("first_sentence")
            await written.put(sentence)

    async def _compose(self, transcript: str, written: asyncio.Queue[Sentence | None]) -> None:
        """Tokens to sentences. An LlmError after a whole sentence loses only what would have followed."""
        context = self._start.context
        request = ReplyRequest(
            transcript=transcript, context=context, released=self._start.released, call_tool=self._tools.call
        )
        cutter = SentenceCutter(context.language, barks=may_bark(context))
        try:
            async with aclosing(self._llm.stream(request)) as tokens:
                async for token in tokens:
                    self._out.mark("first_token")
                    self._out.source = token.source
                    self._out.tokens += 1
                    for sentence in cutter.feed(token.text):
                        self._out.mark("first_sentence")
                        await written.put(sentence)
            for sentence in cutter.finish():
                self._out.mark("first_sentence")
                await written.put(sentence)
        except LlmError:
            for sentence in cutter.finish():
                if is_whole(sentence.text, context.language):  # half a one would sound as if it were meant so
                    await written.put(sentence)
            raise

    # --- sound -------------------------------------------------------------------------------------------------------

    async def _say(self, sentence: Sentence) -> None:
        out, context = self._out, self._start.context
        if out.said_anything:
            await out.until_confirmed()
        await out.keep_pace()
        out.announce(sentence.text, out.source)
        steps = self._tts.synthesize(
            sentence.text, language=context.language, voice=context.voice, speed=context.speech_rate
        )
        sound = out.sound(self._tts.sample_rate)
        async with self._queue.run(steps, self._priority) as work:
            self._work = work
            try:
                async for samples in work:
                    await out.send(sound.add(samples))
            finally:
                self._work = None
        await out.send(sound.finish())

    @property
    def _priority(self) -> Priority:
        if not self._out.is_confirmed:
            return Priority.SPECULATIVE_CLAUSE
        return Priority.LATER_CLAUSE if self._out.said_anything else Priority.FIRST_CLAUSE

    async def _fill(self) -> None:
        """A filler, where there is no sound yet when somebody has waited long enough.

        What the voice is at work on already will be heard soon: it gets as much longer as the filler would take, so
        that in no case it is heard much later for the sake of a filler than it had to be."""
        out, filler = self._out, self._filler
        if filler is None:
            return
        await out.until_waited(self._filler_seconds)
        if out.is_at_the_voice:
            await asyncio.sleep(filler.seconds)
        if not out.has_sound:
            out.fill(filler, FILLER)
