"""One turn on the node: what the gateway says on the up stream, to what the ear and the mouth do about it.

    TurnOpened                    -> an Ear (or, for a typed turn, its text)
    AudioBatch, SpeechPaused, …   -> the Ear, and the PauseListener beside it
    StartReply                    -> the final transcript, then the Mouth
    ConfirmReply                  -> the Mouth may go beyond its first sentence
    ToolAnswered                  -> the Mouth, whose LLM goes on
    CancelReply                   -> the Mouth's task is cancelled
    SpeechResumed                 -> so it is, where the reply was not confirmed
    CloseTurn                     -> the turn is let go

A turn that is given up has neither ear nor reply, since either may be what took its nodes down: it is followed all the
same, and answered with the apology.

The deliveries of the bus are synchronous and only take note; the work is done by named tasks: two that listen and one
that replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpu_node.asked import Asked
from gpu_node.engines import LanguageModel, Looker, SpeechToText, TextToSpeech
from gpu_node.hearing import Ear
from gpu_node.speaking import Mouth
from gpu_node.speculation import Speculations
from gpu_node.spoken_beforehand import SpokenBeforehand
from gpu_node.threads import EngineQueue
from gpu_node.transcript import Caption
from gpu_node.turn_ending import PauseListener, TurnEndModel
from streaming.bus import ClaimedTurn
from streaming.errors import BusError, StreamingError
from streaming.logs import logger
from streaming.messages import (
    AnyMessage,
    AudioBatch,
    CancelReply,
    Claimed,
    CloseTurn,
    ConfirmReply,
    Language,
    Message,
    SpeechPaused,
    SpeechResumed,
    StartReply,
    ToolAnswered,
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
    `turn_end`: None where there is no evidence of the sound. `filler_seconds`: silence after the endpoint that is
    filled; 0: none is. `beforehand`: spoken while the node warms up. `looker`: None where nothing looks at pictures."""

    stt: SpeechToText
    llm: LanguageModel
    tts: dict[Language, TextToSpeech]
    queue: EngineQueue
    partial_samples: int | None
    turn_end: TurnEndModel | None = None
    filler_seconds: float = 0.0
    beforehand: dict[Language, SpokenBeforehand] = field(default_factory=dict)
    looker: Looker | None = None


class TurnPipeline:
    """Runs one claimed turn to its end."""

    def __init__(
        self,
        claimed: ClaimedTurn,
        engines: Engines,
        node: str,
        on_resting: Callable[[], None] = lambda: None,
        *,
        speculations: Speculations,
        given_up: str = "",
    ) -> None:
        """`on_resting` is called whenever `resting` changes. `given_up`: why the turn is only apologised for."""
        self._claimed = claimed
        self._engines = engines
        self._node = node
        self._opened: TurnOpened | None = None
        self._ear: Ear | None = None
        self._pauses: PauseListener | None = None
        self._asked = Asked()
        self._speculations = speculations
        self._closed = False
        self._lost: StreamingError | None = None
        self._changed = asyncio.Event()
        self._replying: asyncio.Task[None] | None = None
        self._mouth: Mouth | None = None
        """Of the reply that is being made, or was the last."""
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
        listening: list[asyncio.Task[None]] = []
        if self._ear is not None:
            listening.append(asyncio.create_task(self._ear.listen(), name=f"listen:{self.name}"))
        if self._pauses is not None:
            listening.append(asyncio.create_task(self._pauses.listen(), name=f"pauses:{self.name}"))
        try:
            await self._follow_commands()
        finally:
            await _stop(*listening, *([self._replying] if self._replying is not None else []))

    # --- what the gateway says ---------------------------------------------------------------------------------------

    def _deliver(self, entries: Sequence[tuple[str, AnyMessage]]) -> None:
        """Called by the bus, in order: take note, and let the tasks act."""
        for _, message in entries:
            match message:
                case TurnOpened():
                    self._opened = message
                    if message.text is None and not self._given_up:
                        self._listen_to(message)
                case AudioBatch() | SpeechPaused() | SpeechResumed():
                    self._hear(message)
                case StartReply() | ConfirmReply() | CancelReply():
                    self._asked.take(message)
                case ToolAnswered():
                    if self._mouth is not None:  # else it was for a reply of another node's
                        self._mouth.tool_answered(message)
                case CloseTurn():
                    self._closed = True
                case _:
                    log.warning("unexpected_message", kind=type(message).__name__)
        self._changed.set()

    def _listen_to(self, opened: TurnOpened) -> None:
        engines = self._engines
        self._ear = Ear(
            engines.stt, engines.queue, opened.language, caption=self._show, partial_samples=engines.partial_samples
        )
        if engines.turn_end is not None:
            self._pauses = PauseListener(engines.turn_end, self._send)

    def _hear(self, message: AudioBatch | SpeechPaused | SpeechResumed) -> None:
        """What the person does, for those that listen. Of a turn that was given up nobody here dares to."""
        listeners = [listener for listener in (self._ear, self._pauses) if listener is not None]
        match message:
            case AudioBatch():
                if listeners:
                    self._rest(False)
                for listener in listeners:
                    listener.add(message.first_sample, message.pcm)
            case SpeechPaused():
                for listener in listeners:
                    listener.paused(message.sample)
            case SpeechResumed():
                self._asked.take(message)
                for listener in listeners:
                    listener.resumed()

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
            wanted = self._asked.reply
            if wanted is None or wanted.attempt != answering:
                await self._cancel_reply()
            if wanted is not None and wanted.attempt > answering:
                answering = wanted.attempt
                self._rest(False)
                self._mouth = self._make_mouth(wanted)
                self._replying = asyncio.create_task(
                    self._reply(wanted, self._mouth), name=f"reply:{self.name}:{answering}"
                )
            if wanted is not None and self._asked.is_confirmed:
                self._confirm_reply()
            await self._next_change_or_rest()

    def _confirm_reply(self) -> None:
        if self._mouth is not None and not self._mouth.is_confirmed:
            self._mouth.confirm()
            self._rest(False)

    async def _cancel_reply(self) -> None:
        replying, self._replying = self._replying, None
        if replying is None:
            return
        await _stop(replying)
        if replying.cancelled() and self._mouth is not None:
            self._mouth.cancelled()

    async def _next_change_or_rest(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._next_change()
        except TimeoutError:
            if self._replying is None or self._replying.done() or not (self._mouth and self._mouth.is_confirmed):
                self._rest(True)

    async def _reply(self, start: StartReply, mouth: Mouth) -> None:
        try:
            if self._given_up:
                await mouth.fail(self._given_up, always_apologise=True)
            else:
                await self._answer(start, mouth)
        except Exception as error:  # the engine's, or our own mistake: another attempt may still be asked for
            log.error("reply_failed", turn=self.name, attempt=start.attempt, exc_info=error)
            await mouth.fail(type(error).__name__)
        self._rest(True)

    async def _answer(self, start: StartReply, mouth: Mouth) -> None:
        transcript = await self._transcript(start)
        if not transcript and not start.say:
            await mouth.hear_nothing()
            return
        if not mouth.is_confirmed and (reason := self._speculations.declined()):
            log.info("speculation_declined", turn=self.name, attempt=start.attempt, reason=reason)
            await mouth.until_confirmed()
        await mouth.reply(transcript)

    async def _transcript(self, start: StartReply) -> str:
        """The words to be answered: those typed, or those heard, which are sent."""
        assert self._opened is not None, "a reply was asked for before the turn was opened"
        if self._opened.text is not None:
            return self._opened.text
        try:
            return await self._final_transcript(start)
        except Exception as error:  # whatever the ear's trouble is, what was given to be said can be said
            if not start.say:
                raise
            log.error("said_without_hearing", turn=self.name, attempt=start.attempt, exc_info=error)
            return ""

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

    def _make_mouth(self, start: StartReply) -> Mouth:
        assert self._opened is not None, "a reply was asked for before the turn was opened"
        engines, language = self._engines, start.context.language
        beforehand = engines.beforehand.get(language)
        # Not in the midst of a reply, and not in a voice that is not the one the person chose.
        may_fill = start.may_fill and not start.released and not start.context.voice and beforehand is not None
        return Mouth(
            start,
            engines.llm,
            engines.tts[language],
            engines.queue,
            rate=self._opened.reply_rate,
            ahead_seconds=SPEECH_AHEAD_SECONDS,
            send=self._send,
            apology=beforehand.apology if beforehand else None,
            filler=beforehand.filler(self._opened.turn) if beforehand and may_fill else None,
            filler_seconds=engines.filler_seconds,
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

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()


async def _stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel them all, then wait; what one raised on its way is logged, since nobody else would see it."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), error=repr(error))
