"""A session of the fake gateway: scripted turns, and the journal from which a client that was away is told the rest."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from streaming import protocol
from streaming.protocol import AudioHeader, Event

RATE = 16_000
OUTPUT_RATE = 24_000
LOUD = 0.02
ONSET_FRAMES = 3
PARTIAL_EVERY_FRAMES = 10
CHUNK_SAMPLES = 2400
NOT_JOURNALED = (
    protocol.Duck,
    protocol.EndpointWait,
    protocol.FloorMoved,
    protocol.PartialTranscript,
    protocol.ReceivedSamples,
    protocol.Reconnect,
    protocol.Speculation,
)


@dataclass(frozen=True)
class Script:
    """How one turn goes."""

    transcript: str = "오늘은 날씨가 참 좋네요"
    partials: tuple[tuple[str, str], ...] = (("", "오늘은"), ("오늘은", "날씨가"))
    reply: tuple[str, ...] = ("정말 그래요.", "산책하셨어요?")
    delay_seconds: float = 0.02
    between_seconds: float = 0.0
    """Between one piece of reply audio and the next."""
    tone_seconds: float = 0.3
    rejected: str = ""
    commits: bool = True
    merged: str = ""
    """Whoever speaks into the reply goes on with the turn, and these are the words of both halves; without them they
    interrupt it."""
    then: Literal["answer", "ignore", "fail", "hang_up"] = "answer"
    hang_up_code: int = 1011


@dataclass
class Replied:
    """What was sent of a turn's replies, all of them: what the next piece is counted from."""

    number: int = 0
    sentences: int = 0
    pieces: int = 0
    samples: int = 0
    begins_at: int = 0
    """Where the present reply begins among the samples."""


@dataclass
class FakeSession:
    """Lives on without its socket. `journal` holds what would be told again, with the samples of reply audio."""

    id: str
    hello: protocol.Hello
    scripts: list[Script]
    wait_ms: int
    resume_seconds: int
    heard: list[protocol.ClientMessage]
    patience: float = 1.0
    websocket: WebSocket | None = None
    epoch: int = 1
    events: int = 0
    journal: list[tuple[Event, bytes]] = field(default_factory=list)
    microphone: bytearray = field(default_factory=bytearray)
    turn: int = 0

    def __post_init__(self) -> None:
        self._heard_bytes = 0
        self._speaking = False
        self._replies: dict[int, Replied] = {}
        self._loud_frames = self._quiet_frames = self._spoken_frames = 0
        self._partials_sent = 0
        self._end_sample = 0
        self._playhead: dict[int, int] = {}
        self._silenced: set[int] = set()
        self._playback_news = asyncio.Event()
        self._replying: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()

    @property
    def received_samples(self) -> int:
        return len(self.microphone) // 2

    @property
    def script(self) -> Script:
        return self.scripts[min(self.turn, len(self.scripts)) - 1]

    # --- telling -----------------------------------------------------------------------------------------------------

    async def tell(self, event: Event, pcm: bytes = b"") -> None:
        async with self._sending:
            self.events += 1
            numbered = msgspec.structs.replace(event, epoch=self.epoch, event=self.events)
            if not isinstance(event, NOT_JOURNALED):
                self.journal.append((numbered, pcm))
            await self._send(numbered, pcm)

    async def _send(self, event: Event, pcm: bytes = b"") -> None:
        if self.websocket is None:
            return
        try:
            await self.websocket.send_text(protocol.encode_event(event).decode())
            if isinstance(event, protocol.SpokenAudio):
                header = AudioHeader(event.turn, event.sequence, event.first_sample)
                await self.websocket.send_bytes(header.pack() + pcm)
        except (WebSocketDisconnect, RuntimeError):
            self.websocket = None  # What it was not told stands in the journal.

    async def open(self, websocket: WebSocket, *, resync: str = "") -> None:
        """A new session; `resync`: why it is one."""
        async with self._sending:
            self.websocket = websocket
            if resync:
                self.events += 1
                await self._send(protocol.Resync(reason=resync, epoch=self.epoch, event=self.events))
            self.events += 1
            await self._send(self._ready(self.epoch, self.events, resumed=False))

    async def reopen(self, websocket: WebSocket, resume: protocol.Resume, *, take_over: bool) -> None:
        """Tell a client that comes back what it has missed; `take_over` as another gateway, of the next epoch.

        That one knows of the microphone only what the client was told to have been received.
        """
        async with self._sending:
            self.websocket = websocket
            if take_over:
                self.epoch, self.events = self.epoch + 1, 0
                # What of it was judged stays judged: whatever told of it is in the journal.
                del self.microphone[2 * resume.received_samples :]
            if resume.playhead is not None:
                self._note_playhead(resume.playhead.turn, resume.playhead.samples)
            await self._send(self._ready(resume.epoch, resume.last_event, resumed=True))
            self.events += 1
            await self._send(
                protocol.FloorMoved(state="open", turn=self.turn, epoch=self.epoch, event=self.events)
            )  # With the newest number, and before the older ones: nobody may take it for a position.
            for event, pcm in self.journal:
                if self._is_to_be_told(event, (resume.epoch, resume.last_event)):
                    await self._send(event, pcm)

    def knows(self, resume: protocol.Resume) -> bool:
        """Whether the client claims nothing that nobody told."""
        return (resume.epoch, resume.last_event) <= (self.epoch, self.events)

    def _is_to_be_told(self, event: Event, position: tuple[int, int]) -> bool:
        if isinstance(event, protocol.SpokenAudio):
            played = self._playhead.get(event.turn, 0)
            return event.turn not in self._silenced and event.first_sample + event.samples > played
        return (event.epoch, event.event) > position

    def _ready(self, epoch: int, event: int, *, resumed: bool) -> protocol.Ready:
        return protocol.Ready(
            session=self.id,
            language=self.hello.language,
            input_rate=RATE,
            output_rate=OUTPUT_RATE,
            microphone_sample=self.received_samples,
            resumed=resumed,
            resume_seconds=self.resume_seconds,
            patience=self.patience,
            epoch=epoch,
            event=event,
        )

    # --- hearing -----------------------------------------------------------------------------------------------------

    async def listen(self, websocket: WebSocket) -> bool:
        """Read this socket for as long as it is the session's; True after a good-bye."""
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect" or self.websocket is not websocket:
                return False
            if message.get("bytes") is not None:
                await self._hear(message["bytes"])
            elif await self._obey(protocol.decode_client(message["text"])):
                return True

    async def end(self) -> None:
        if self._replying is not None:
            self._replying.cancel()
            await asyncio.wait([self._replying])

    async def _obey(self, message: protocol.ClientMessage) -> bool:
        self.heard.append(message)
        match message:
            case protocol.Bye():
                return True
            case protocol.Playback() | protocol.Flushed():
                self._note_playhead(message.turn, message.samples)
            case protocol.Commit() if self._speaking:
                await self._end_utterance("commit", 0)
            case protocol.Commit():
                await self.tell(
                    protocol.Problem(code="wrong_order", retryable=False, message_ko="", message_en="nothing was said")
                )
            case protocol.Text():
                self.turn += 1
                await self.tell(
                    protocol.TurnEnded(turn=self.turn, end_sample=self.received_samples, wait_ms=0, reason="typed")
                )
                self._replying = asyncio.create_task(self._reply(self.script, self.turn), name="fake reply")
            case protocol.Cancel():
                await self._interrupt("cancelled")
        return False

    def _note_playhead(self, turn: int, samples: int) -> None:
        self._playhead[turn] = max(samples, self._playhead.get(turn, 0))
        self._playback_news.set()

    async def _hear(self, pcm: bytes) -> None:
        told = self.received_samples // RATE
        self.microphone += pcm
        while len(self.microphone) - self._heard_bytes >= 640:
            frame = self.microphone[self._heard_bytes : self._heard_bytes + 640]
            self._heard_bytes += 640
            level = math.sqrt(float(np.mean((np.frombuffer(frame, "<i2").astype(np.float64) / 32768) ** 2)))
            await self._judge(level > LOUD, self._heard_bytes // 2)
        if self.received_samples // RATE > told:
            await self.tell(protocol.ReceivedSamples(samples=self.received_samples))

    async def _judge(self, loud: bool, sample: int) -> None:
        self._loud_frames = self._loud_frames + 1 if loud else 0
        self._quiet_frames = 0 if loud else self._quiet_frames + 1
        if loud:
            self._end_sample = sample
        if not self._speaking and self._loud_frames == ONSET_FRAMES:
            merging = bool(self.turn and self.script.merged) and await self._take_back()
            if not merging:
                await self._interrupt("interrupted")
            self._speaking, self._spoken_frames, self._partials_sent = True, 0, 0
            if not merging:
                self.turn += 1
                await self.tell(protocol.SpeechBegan(turn=self.turn, sample=sample - ONSET_FRAMES * 320))
        if not self._speaking:
            return
        self._spoken_frames += 1
        if self._spoken_frames % PARTIAL_EVERY_FRAMES == 0 and self._partials_sent < len(self.script.partials):
            stable, tentative = self.script.partials[self._partials_sent]
            self._partials_sent += 1
            await self.tell(
                protocol.PartialTranscript(turn=self.turn, stable=stable, tentative=tentative, upto_sample=sample)
            )
        if self._quiet_frames * 20 >= self.wait_ms and not self.hello.push_to_talk:
            await self._end_utterance("silence", self._quiet_frames * 20)

    # --- answering ---------------------------------------------------------------------------------------------------

    async def _end_utterance(self, reason: str, wait_ms: int) -> None:
        self._speaking = False
        turn, script = self.turn, self.script
        await self.tell(protocol.TurnEnded(turn=turn, end_sample=self._end_sample, wait_ms=wait_ms, reason=reason))
        if script.then == "ignore":
            return
        if script.then == "hang_up" and self.websocket is not None:
            await self.websocket.close(script.hang_up_code, "scripted")
            return
        self._replying = asyncio.create_task(self._reply(script, turn), name="fake reply")

    async def _reply(self, script: Script, turn: int) -> None:
        """The answer to a turn, from its final transcript to its commit."""
        replied = self._replied(turn)
        replied.number, replied.begins_at = replied.number + 1, replied.samples
        text = "" if script.rejected else script.transcript if replied.number == 1 else script.merged
        await self.tell(
            protocol.FinalTranscript(
                turn=turn, text=text, language=self.hello.language, rejected=script.rejected, confidence=-0.2
            )
        )
        if script.rejected or script.then == "fail":
            if script.then == "fail":
                await self.tell(
                    protocol.Problem(
                        code="no_node", retryable=True, message_ko="잠시만요", message_en="nobody", turn=turn
                    )
                )
            await self._done(turn, "failed" if script.then == "fail" else "nothing_heard", 0)
            return
        await asyncio.sleep(script.delay_seconds)
        for words in script.reply:
            await self._say(turn, words, replied, script)
        await self._done(turn, "completed", replied.samples - replied.begins_at)
        while self._playhead.get(turn, 0) < replied.samples:
            self._playback_news.clear()
            await self._playback_news.wait()
        if script.commits:
            await self.tell(protocol.TurnCommitted(turn=turn, outcome="completed", heard=" ".join(script.reply)))

    def _replied(self, turn: int) -> Replied:
        return self._replies.setdefault(turn, Replied())

    async def _say(self, turn: int, words: str, replied: Replied, script: Script) -> None:
        """A sentence and its sound; what is counted in a turn goes on through all of its replies."""
        reply, sentence = replied.number, replied.sentences
        replied.sentences += 1
        await self.tell(protocol.SpokenText(turn=turn, reply=reply, sentence=sentence, text=words, source="scripted"))
        for pcm in tone(script.tone_seconds):
            await asyncio.sleep(script.between_seconds)
            announced = protocol.SpokenAudio(
                turn=turn, reply=reply, sentence=sentence, sequence=replied.pieces, first_sample=replied.samples,
                samples=len(pcm) // 2,
            )  # fmt: skip
            replied.samples, replied.pieces = replied.samples + announced.samples, replied.pieces + 1
            await self.tell(announced, pcm)

    async def _take_back(self) -> bool:
        """The person goes on with the turn that is being answered; False where none is."""
        if self._replying is None or self._replying.done():
            return False
        await self.end()
        await self.tell(protocol.Flush(turn=self.turn, upto_sample=self._replied(self.turn).samples))
        return True

    async def _interrupt(self, reason: Literal["interrupted", "cancelled"]) -> None:
        replying, self._replying = self._replying, None
        if replying is None or replying.done():
            return
        replying.cancel()
        await asyncio.wait([replying])
        self._silenced.add(self.turn)
        await self.tell(protocol.Flush(turn=self.turn, upto_sample=self._replied(self.turn).samples))
        await self._done(self.turn, reason, 0)
        await self.tell(protocol.TurnCommitted(turn=self.turn, outcome=reason, heard=""))

    async def _done(self, turn: int, reason: protocol.ReplyReason, samples: int) -> None:
        await self.tell(
            protocol.ReplyEnded(
                turn=turn,
                reply=self._replied(turn).number,
                reason=reason,
                source="scripted",
                audio_samples=samples,
                timings_ms={"stt": 1.0},
            )
        )


def tone(seconds: float) -> list[bytes]:
    """A sentence's sound, in pieces of 100 ms."""
    time = np.arange(round(seconds * OUTPUT_RATE)) / OUTPUT_RATE
    pcm = np.round(6000 * np.sin(2 * np.pi * 440 * time)).astype("<i2").tobytes()
    return [pcm[start : start + 2 * CHUNK_SAMPLES] for start in range(0, len(pcm), 2 * CHUNK_SAMPLES)]
