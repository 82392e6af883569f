"""A gateway without the system behind it: real HTTP, a real WebSocket, the real protocol, and scripted turns.

What it hears it judges by loudness, what it answers stands in its scripts, one a turn (the last one stays). For tests
of what talks to a gateway; the gateway has tests of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from streaming import protocol
from streaming.protocol import AudioHeader, Event

RATE = 16_000
OUTPUT_RATE = 24_000
LOUD = 0.02
ONSET_FRAMES = 3
PARTIAL_EVERY_FRAMES = 10
CHUNK_SAMPLES = 2400


@dataclass(frozen=True)
class Script:
    """How one turn goes."""

    transcript: str = "오늘은 날씨가 참 좋네요"
    partials: tuple[tuple[str, str], ...] = (("", "오늘은"), ("오늘은", "날씨가"))
    reply: tuple[str, ...] = ("정말 그래요.", "산책하셨어요?")
    delay_seconds: float = 0.02
    tone_seconds: float = 0.3
    rejected: str = ""
    commits: bool = True
    then: Literal["answer", "ignore", "fail", "hang_up"] = "answer"


@dataclass
class FakeGateway:
    """Start it with `serve`; it remembers what it was told."""

    scripts: Sequence[Script] = (Script(),)
    wait_ms: int = 200
    url: str = ""
    heard: list[protocol.ClientMessage] = field(default_factory=list)
    microphone: bytearray = field(default_factory=bytearray)
    guests: list[str] = field(default_factory=list)
    sockets: int = 0
    nodes: int = 1
    _tickets: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeGateway]:
        """Listen on a free port of this machine until left."""
        routes = [
            Route("/auth/guest", self._guest, methods=["POST"]),
            Route("/v1/talk/ticket", self._ticket, methods=["POST"]),
            Route("/readyz", self._readyz),
            WebSocketRoute("/v1/talk", self._talk),
        ]
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off", ws="websockets-sansio")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="fake gateway")
        try:
            yield self
        finally:
            server.should_exit = True
            await asyncio.wait([serving])
            listening.close()

    async def _guest(self, request: Request) -> JSONResponse:
        body = await request.json()
        guest = body.get("guest_id") or f"guest-{len(self.guests)}"
        self.guests.append(guest)
        return JSONResponse({"guest_id": guest, "access_token": f"token-of-{guest}", "expires_in": 1800})

    async def _readyz(self, request: Request) -> JSONResponse:
        parts = {"bus": "up", "database": "up", "nodes": str(self.nodes)}
        return JSONResponse({"ready": bool(self.nodes), "parts": parts}, status_code=200 if self.nodes else 503)

    async def _ticket(self, request: Request) -> JSONResponse:
        if not request.headers.get("authorization", "").startswith("Bearer token-of-"):
            return JSONResponse({"code": "token_missing", "detail": "no token"}, status_code=401)
        ticket = f"ticket-{len(self._tickets)}"
        self._tickets.add(ticket)
        return JSONResponse({"ticket": ticket, "expires_in": 30})

    async def _talk(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.sockets += 1
        hello = protocol.decode_client(await websocket.receive_text())
        if not isinstance(hello, protocol.Hello) or hello.ticket not in self._tickets:
            await websocket.close(4401, "ticket_refused")
            return
        self.heard.append(hello)
        session = _Session(self, websocket, hello)
        with contextlib.suppress(WebSocketDisconnect):
            await session.run()


class _Session:
    def __init__(self, gateway: FakeGateway, websocket: WebSocket, hello: protocol.Hello) -> None:
        self.gateway = gateway
        self.websocket = websocket
        self.hello = hello
        self.events = 0
        self.turn = 0
        self.samples = 0
        self.rest = b""
        self.speaking = False
        self.loud_frames = self.quiet_frames = self.spoken_frames = 0
        self.partials_sent = 0
        self.end_sample = 0
        self.playhead: dict[int, int] = {}
        self.playback_news = asyncio.Event()
        self.replying: asyncio.Task[None] | None = None
        self.sending = asyncio.Lock()

    @property
    def script(self) -> Script:
        scripts = self.gateway.scripts
        return scripts[min(self.turn, len(scripts)) - 1]

    async def tell(self, event: Event, pcm: bytes | None = None) -> None:
        async with self.sending:
            self.events += 1
            numbered = _numbered(event, self.events)
            await self.websocket.send_text(protocol.encode_event(numbered).decode())
            if pcm is not None and isinstance(event, protocol.SpokenAudio):
                header = AudioHeader(event.turn, event.sequence, event.first_sample)
                await self.websocket.send_bytes(header.pack() + pcm)

    async def run(self) -> None:
        ready = protocol.Ready(
            session="s1",
            language=self.hello.language,
            input_rate=RATE,
            output_rate=OUTPUT_RATE,
            microphone_sample=0,
            resumed=False,
            resume_seconds=120,
        )
        await self.tell(ready)
        try:
            while True:
                message = await self.websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message.get("bytes") is not None:
                    await self.hear(message["bytes"])
                elif await self.obey(protocol.decode_client(message["text"])):
                    return
        finally:
            if self.replying is not None:
                self.replying.cancel()
                await asyncio.wait([self.replying])

    async def obey(self, message: protocol.ClientMessage) -> bool:
        self.gateway.heard.append(message)
        match message:
            case protocol.Bye():
                await self.websocket.close(1000)
                return True
            case protocol.Playback() | protocol.Flushed():
                self.playhead[message.turn] = message.samples
                self.playback_news.set()
            case protocol.Commit() if self.speaking:
                await self.end("commit", 0)
            case protocol.Text():
                self.turn += 1
                self.replying = asyncio.create_task(self.reply(self.script, self.turn))
            case protocol.Cancel():
                await self.interrupt("cancelled")
        return False

    async def hear(self, pcm: bytes) -> None:
        self.gateway.microphone += pcm
        self.rest += pcm
        while len(self.rest) >= 640:
            frame, self.rest = self.rest[:640], self.rest[640:]
            self.samples += 320
            level = math.sqrt(float(np.mean((np.frombuffer(frame, "<i2").astype(np.float64) / 32768) ** 2)))
            await self.judge(level > LOUD)

    async def judge(self, loud: bool) -> None:
        self.loud_frames = self.loud_frames + 1 if loud else 0
        self.quiet_frames = 0 if loud else self.quiet_frames + 1
        if loud:
            self.end_sample = self.samples
        if not self.speaking and self.loud_frames == ONSET_FRAMES:
            await self.interrupt("interrupted")
            self.speaking, self.spoken_frames, self.partials_sent = True, 0, 0
            self.turn += 1
            await self.tell(protocol.SpeechBegan(turn=self.turn, sample=self.samples - ONSET_FRAMES * 320))
        if not self.speaking:
            return
        self.spoken_frames += 1
        if self.spoken_frames % PARTIAL_EVERY_FRAMES == 0 and self.partials_sent < len(self.script.partials):
            stable, tentative = self.script.partials[self.partials_sent]
            self.partials_sent += 1
            await self.tell(
                protocol.PartialTranscript(turn=self.turn, stable=stable, tentative=tentative, upto_sample=self.samples)
            )
        if self.quiet_frames * 20 >= self.gateway.wait_ms and not self.hello.push_to_talk:
            await self.end("silence", self.quiet_frames * 20)

    async def end(self, reason: str, wait_ms: int) -> None:
        self.speaking = False
        turn, script = self.turn, self.script
        await self.tell(protocol.TurnEnded(turn=turn, end_sample=self.end_sample, wait_ms=wait_ms, reason=reason))
        if script.then == "ignore":
            return
        if script.then == "hang_up":
            await self.websocket.close(1011, "scripted")
            return
        self.replying = asyncio.create_task(self.reply(script, turn))

    async def reply(self, script: Script, turn: int) -> None:
        """The answer to a turn, from its final transcript to its commit."""
        text = "" if script.rejected else script.transcript
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
            await self.done(turn, "failed" if script.then == "fail" else "nothing_heard", 0)
            return
        await asyncio.sleep(script.delay_seconds)
        first = sequence = 0
        for sentence, words in enumerate(script.reply):
            await self.tell(protocol.SpokenText(turn=turn, reply=1, sentence=sentence, text=words, source="scripted"))
            for pcm in _tone(script.tone_seconds):
                samples = len(pcm) // 2
                await self.tell(
                    protocol.SpokenAudio(
                        turn=turn, reply=1, sentence=sentence, sequence=sequence, first_sample=first, samples=samples
                    ),
                    pcm,
                )
                first, sequence = first + samples, sequence + 1
        await self.done(turn, "completed", first)
        while self.playhead.get(turn, 0) < first:
            self.playback_news.clear()
            await self.playback_news.wait()
        if script.commits:
            await self.tell(protocol.TurnCommitted(turn=turn, outcome="completed", heard=" ".join(script.reply)))

    async def interrupt(self, reason: Literal["interrupted", "cancelled"]) -> None:
        replying, self.replying = self.replying, None
        if replying is None or replying.done():
            return
        replying.cancel()
        await asyncio.wait([replying])
        await self.tell(protocol.Flush(turn=self.turn))
        await self.done(self.turn, reason, 0)
        await self.tell(protocol.TurnCommitted(turn=self.turn, outcome=reason, heard=""))

    async def done(
        self,
        turn: int,
        reason: Literal["completed", "interrupted", "cancelled", "nothing_heard", "failed"],
        samples: int,
    ) -> None:
        await self.tell(
            protocol.ReplyEnded(
                turn=turn, reply=1, reason=reason, source="scripted", audio_samples=samples, timings_ms={"stt": 1.0}
            )
        )


def _numbered(event: Event, number: int) -> Event:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return type(event)(**fields | {"epoch": 1, "event": number})


def _tone(seconds: float) -> list[bytes]:
    time = np.arange(round(seconds * OUTPUT_RATE)) / OUTPUT_RATE
    pcm = np.round(6000 * np.sin(2 * np.pi * 440 * time)).astype("<i2").tobytes()
    return [pcm[start : start + 2 * CHUNK_SAMPLES] for start in range(0, len(pcm), 2 * CHUNK_SAMPLES)]
