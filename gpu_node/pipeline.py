"""One turn on the node: what the gateway says on the up stream, to what the ear and the mouth do about it.

    TurnOpened                    -> an Ear (or, for a typed turn, its text)
    AudioBatch, SpeechPaused, …   -> the Ear
    StartReply                    -> the final transcript, then the Mouth
    CancelReply                   -> the Mouth's task is cancelled
    CloseTurn                     -> the turn is let go

A turn that is given up has neither ear nor reply, since either may be what took its nodes down: it is followed all the
same, and answered with the apology.

The deliveries of the bus are synchronous and only take note; the work is done by three named tasks in one group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpu_node.apology import Apology
from gpu_node.engines import LanguageModel, SpeechToText, TextToSpeech
from gpu_node.hearing import Ear
from gpu_node.speaking import Mouth
from gpu_node.threads import EngineQueue
from gpu_node.transcript import Caption
from streaming.bus import ClaimedTurn
from streaming.errors import BusError, StreamingError
from streaming.logs import logger
from streaming.messages import (
    AnyMessage,
    AudioBatch,
    CancelReply,
    Claimed,
    CloseTurn,
    Language,
    Message,
    ReplyDone,
    SpeechPaused,
    SpeechResumed,
    StartReply,
    TranscriptFinal,
    TranscriptPartial,
    TurnFailed,
    TurnOpened,
)

log = logger("pipeline")

OPENING_SECONDS = 10.0
"""A claimed turn whose first entry does not arrive in this time has no gateway behind it any more."""
SPEECH_AHEAD_SECONDS = 3.0
IDLE_SECONDS = 5.0
"""A turn of which nothing is heard for so long, and for which nothing is made, keeps no slot from others: its gateway
may be gone."""


@dataclass(frozen=True)
class Engines:
    """What a node works with. `partial_samples`: new audio that makes a caption pass worth while; None: no captions.
    `apologies`: spoken while the node warms up."""

    stt: SpeechToText
    llm: LanguageModel
    tts: dict[Language, TextToSpeech]
    queue: EngineQueue
    partial_samples: int | None
    apologies: dict[Language, Apology] = field(default_factory=dict)


class TurnPipeline:
    """Runs one claimed turn to its end."""

    def __init__(
        self,
        claimed: ClaimedTurn,
        engines: Engines,
        node: str,
        on_resting: Callable[[], None] = lambda: None,
        *,
        given_up: str = "",
    ) -> None:
        """`on_resting` is called whenever `resting` changes. `given_up`: why the turn is only apologised for."""
        self._claimed = claimed
        self._engines = engines
        self._node = node
        self._opened: TurnOpened | None = None
        self._ear: Ear | None = None
        self._start: StartReply | None = None
        self._cancelled_attempt = 0
        self._closed = False
        self._lost: StreamingError | None = None
        self._changed = asyncio.Event()
        self._replying: asyncio.Task[None] | None = None
        self._on_resting = on_resting
        self._given_up = given_up
        self.resting = False
        """The reply is made and the person is listening: the turn is held, but wants no engine."""
        self.name = f"{claimed.session[:8]}:{claimed.turn}"

    async def run(self) -> None:
        """Until the gateway closes the turn. Raises Fenced when another node has taken it, StreamGone when it is no
        more."""
        await self._claimed.down.append(
            Claimed(
                node=self._node,
                delivery=self._claimed.delivery,
                stt=self._engines.stt.name,
                tts=",".join(sorted({tts.name for tts in self._engines.tts.values()})),
                llm=self._engines.llm.name,
            )
        )
        self._claimed.follow(self._deliver, self._on_lost)
        async with asyncio.timeout(OPENING_SECONDS):
            while self._opened is None and self._lost is None:
                await self._next_change()
        listening: asyncio.Task[None] | None = None
        if self._ear is not None:
            listening = asyncio.create_task(self._ear.listen(), name=f"listen:{self.name}")
        try:
            await self._follow_commands()
        finally:
            await self._stop_reply()
            if listening is not None:
                await _stop(listening)

    # --- what the gateway says ---------------------------------------------------------------------------------------

    def _deliver(self, entries: Sequence[tuple[str, AnyMessage]]) -> None:
        """Called by the bus, in order: take note, and let the tasks act."""
        for _, message in entries:
            match message:
                case TurnOpened():
                    self._opened = message
                    if message.text is None and not self._given_up:
                        self._ear = self._make_ear(message.language)
                case AudioBatch() if self._ear:
                    self._rest(False)
                    self._ear.add(message.first_sample, message.pcm)
                case SpeechPaused() if self._ear:
                    self._ear.paused(message.sample)
                case SpeechResumed() if self._ear:
                    self._ear.resumed()
                case AudioBatch() | SpeechPaused() | SpeechResumed() if self._given_up:
                    pass  # the person may still be speaking; what they say is what nobody here dares to hear
                case StartReply():
                    self._start = message
                case CancelReply():
                    self._cancelled_attempt = max(self._cancelled_attempt, message.attempt)
                case CloseTurn():
                    self._closed = True
                case _:
                    log.warning("unexpected_message", kind=type(message).__name__)
        self._changed.set()

    def _rest(self, resting: bool) -> None:
        if resting != self.resting:
            self.resting = resting
            self._on_resting()

    def _on_lost(self, error: StreamingError) -> None:
        self._lost = error
        self._changed.set()

    # --- what is done about it ---------------------------------------------------------------------------------------

    async def _follow_commands(self) -> None:
        """Start and stop replies as told, until the turn is closed or lost. An ear that broke is told of when a reply
        is asked for: until then the person is speaking."""
        answering = 0
        while not self._closed:
            if self._lost is not None:
                raise self._lost
            if self._replying is not None and answering <= self._cancelled_attempt:
                await self._stop_reply()
            start = self._start
            if start is not None and start.attempt > max(answering, self._cancelled_attempt):
                await self._stop_reply()
                answering = start.attempt
                self._rest(False)
                self._replying = asyncio.create_task(self._reply(start), name=f"reply:{self.name}:{start.attempt}")
            await self._next_change_or_rest()

    async def _next_change_or_rest(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._next_change()
        except TimeoutError:
            if self._replying is None or self._replying.done():
                self._rest(True)

    async def _reply(self, start: StartReply) -> None:
        mouth = self._make_mouth(start.context.language)
        try:
            if self._given_up:
                await mouth.apologise(start)
                await mouth.fail(start, self._given_up)
            else:
                await self._answer(start, mouth)
        except Exception as error:  # the engine's, or our own mistake: another attempt may still be asked for
            log.error("reply_failed", turn=self.name, attempt=start.attempt, exc_info=error)
            await mouth.fail(start, type(error).__name__)
        self._rest(True)

    async def _answer(self, start: StartReply, mouth: Mouth) -> None:
        assert self._opened is not None, "a reply was asked for before the turn was opened"
        transcript = self._opened.text
        if transcript is None:
            transcript = await self._final_transcript(start)
        if transcript:
            await mouth.reply(start, transcript)
        else:
            self._send(ReplyDone(attempt=start.attempt, reply=start.reply, reason="nothing_heard"))

    async def _final_transcript(self, start: StartReply) -> str:
        assert self._ear is not None, "a spoken turn has an ear"
        heard = await self._ear.final(start.end_sample)
        final = heard.transcript
        self._send(
            TranscriptFinal(
                attempt=start.attempt,
                text=final.text,
                language=final.language,
                upto_sample=final.upto_sample,
                confidence=final.confidence,
                rejected=final.rejected,
                pass_ms=heard.pass_ms,
            )
        )
        return final.text

    async def give_up(self, reason: Literal["engine", "bad_turn"], detail: str) -> None:
        """The turn cannot even be followed here: the gateway hears it and tells the person."""
        await self._claimed.down.append(TurnFailed(reason=reason, detail=detail))

    def _make_ear(self, language: Language) -> Ear:
        return Ear(
            self._engines.stt,
            self._engines.queue,
            language,
            caption=self._show,
            partial_samples=self._engines.partial_samples,
        )

    def _make_mouth(self, language: Language) -> Mouth:
        assert self._opened is not None, "a reply was asked for before the turn was opened"
        return Mouth(
            self._engines.llm,
            self._engines.tts[language],
            self._engines.queue,
            rate=self._opened.reply_rate,
            ahead_seconds=SPEECH_AHEAD_SECONDS,
            send=self._send,
            apology=self._engines.apologies.get(language),
        )

    def _show(self, caption: Caption) -> None:
        self._send(
            TranscriptPartial(stable=caption.stable, tentative=caption.tentative, upto_sample=caption.upto_sample)
        )

    def _send(self, message: Message) -> None:
        """Queue something downstream; a bus that takes no more ends the turn here (another node may have it
        already)."""
        try:
            self._claimed.down.append_soon(message)
        except BusError as error:
            self._on_lost(error)

    async def _stop_reply(self) -> None:
        replying, self._replying = self._replying, None
        if replying is not None:
            await _stop(replying)

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()


async def _stop(task: asyncio.Task[None]) -> None:
    """Cancel and wait; what the task raised on its way is logged, since nobody else would see it."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task_failed", task=task.get_name(), error=repr(error))
