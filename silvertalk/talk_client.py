"""One conversation as a client has it: what it sends, what it receives, and its virtual loudspeaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from silvertalk.login import ClientError
from silvertalk.playback import VirtualPlayer
from streaming.errors import ProtocolError
from streaming.protocol import (
    MAX_AUDIO_MESSAGE_BYTES,
    Bye,
    Cancel,
    ClientMessage,
    Commit,
    Flush,
    Flushed,
    Playback,
    Ready,
    ServerEvent,
    SpokenAudio,
    Text,
    decode_audio,
    decode_event,
    encode_client,
)

ACKNOWLEDGE_SECONDS = 0.2
MAX_RECEIVED = 1024
"""Items waiting for the reader of the iterator (some 40 s of reply audio). When it is full the client stops reading its
socket, TCP's window fills, and the gateway sees a slow client, which is what we are then."""
MAX_RECORDED_BYTES = 64 * 1024 * 1024
"""Reply audio kept in `recorded`; beyond it the oldest turn's audio is dropped."""


class Disconnected(ClientError):
    """The connection ended without our leave. `close_code` 1006: not even a close frame came."""

    code = "disconnected"

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(f"the server closed the connection ({close_code}{': ' + reason if reason else ''})")
        self.close_code = close_code


class Received(NamedTuple):
    """One event, when it arrived (seconds on the event loop's clock) and, with `reply.audio`, its PCM16."""

    event: ServerEvent
    at: float
    pcm: bytes = b""


class TalkClient:
    """One conversation over one socket. Iterate it for what the server says; `talk` makes it.

    It keeps what coming back after a lost connection takes: the session, its epoch, the last event's number, how much
    of the microphone was sent and, in `player`, the playhead.
    """

    def __init__(self, socket: ClientConnection, ready: Ready) -> None:
        self.ready = ready
        self.session = ready.session
        self.epoch = ready.epoch
        self.last_event = ready.event
        self.microphone_sample = ready.microphone_sample
        self.player = VirtualPlayer(ready.output_rate)
        self.recorded: dict[int, bytearray] = {}
        """Per turn, all reply audio received: PCM16 mono at `ready.output_rate`."""
        self._socket = socket
        self._clock = asyncio.get_running_loop().time
        self._received: asyncio.Queue[Received | None] = asyncio.Queue(MAX_RECEIVED)
        self._audio_came = asyncio.Event()
        self._silent = asyncio.Event()
        self._silent.set()
        self._flushes = 0
        self._leaving = False
        self._reading = asyncio.create_task(self._read(), name=f"client read {ready.session}")
        self._acknowledging = asyncio.create_task(self._acknowledge(), name=f"client playback {ready.session}")

    # --- what a person does ---

    async def send_audio(self, pcm: bytes) -> None:
        """Microphone audio: PCM16 mono 16 kHz, cut into messages of the protocol's size; raises Disconnected."""
        if len(pcm) % 2:
            raise ValueError(f"{len(pcm)} bytes are not whole 16-bit samples")
        for start in range(0, len(pcm), MAX_AUDIO_MESSAGE_BYTES):
            part = pcm[start : start + MAX_AUDIO_MESSAGE_BYTES]
            try:
                await self._socket.send(part)
            except ConnectionClosed as closed:
                raise disconnected(closed) from closed
            self.microphone_sample += len(part) // 2

    async def commit(self) -> None:
        """The utterance ends here (push-to-talk)."""
        await self._say(Commit())

    async def say_text(self, text: str) -> None:
        """Type in place of speaking."""
        await self._say(Text(text=text))

    async def cancel(self) -> None:
        """Stop the reply."""
        await self._say(Cancel())

    async def bye(self) -> None:
        """End the conversation for good; a connection that is gone already is no error."""
        self._leaving = True
        try:
            await self._say(Bye())
        except Disconnected:
            pass

    # --- what comes back ---

    def __aiter__(self) -> AsyncIterator[Received]:
        return self

    async def __anext__(self) -> Received:
        """The next item; ends after `bye`, raises Disconnected or ProtocolError where the server ended it."""
        item = await self._received.get()
        if item is not None:
            return item
        self._received.put_nowait(None)  # Room there is: one was just taken, and nobody else adds any more.
        await asyncio.wait([self._reading])
        self._reading.result()
        raise StopAsyncIteration

    async def played_out(self) -> None:
        """Wait until the virtual loudspeaker has nothing left to play."""
        await self._silent.wait()

    @property
    def seconds_to_play(self) -> float:
        """How long the virtual loudspeaker is still busy with what it has; 0 when it is silent."""
        self.player.advance(self._clock())
        return self.player.seconds_left

    async def stop(self) -> None:
        """End the client's two tasks; `talk` calls it."""
        tasks = {self._reading, self._acknowledging}
        for task in tasks:
            task.cancel("the conversation is over")
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # Looked at, so that asyncio does not report what the iterator has told already.

    # --- the two tasks ---

    async def _read(self) -> None:
        announced: SpokenAudio | None = None
        try:
            while True:
                message = await self._socket.recv()
                now = self._clock()
                if isinstance(message, bytes):
                    if announced is None:
                        raise ProtocolError("bad_audio", "audio that no reply.audio announced")
                    await self._received.put(Received(announced, now, self._take_audio(announced, message, now)))
                    announced = None
                    continue
                event = decode_event(message)
                self.epoch, self.last_event = event.epoch, event.event
                if isinstance(event, SpokenAudio):
                    announced = event
                    continue
                if isinstance(event, Flush):
                    await self._flush(event.turn, now)
                await self._received.put(Received(event, now))
        except ConnectionClosed as closed:
            if not self._leaving:
                raise disconnected(closed) from closed
        finally:
            # Whoever iterates has to hear of the end; where the queue is full this waits for them (or for `stop`).
            await self._received.put(None)

    def _take_audio(self, announced: SpokenAudio, message: bytes, now: float) -> bytes:
        header, pcm = decode_audio(message)
        if (header.turn, header.sequence, header.first_sample, len(pcm) // 2) != (
            announced.turn,
            announced.sequence,
            announced.first_sample,
            announced.samples,
        ):
            raise ProtocolError("bad_audio", f"{header} with {len(pcm)} bytes is not what was announced: {announced}")
        self.player.add(header.turn, header.first_sample, len(pcm) // 2, now)
        self._silent.clear()
        self._audio_came.set()
        self.recorded.setdefault(header.turn, bytearray()).extend(pcm)
        while len(self.recorded) > 1 and sum(map(len, self.recorded.values())) > MAX_RECORDED_BYTES:
            del self.recorded[next(iter(self.recorded))]
        return pcm

    async def _flush(self, turn: int, now: float) -> None:
        self.player.flush(now)
        self._flushes += 1
        self._silent.set()
        await self._say(Flushed(turn=turn, samples=self.player.playhead(turn)))

    async def _acknowledge(self) -> None:
        """While something plays, say every 200 ms how much of it was played, and at once when it has run dry."""
        try:
            while True:
                await self._audio_came.wait()
                self._audio_came.clear()
                while (turn := self.player.playing) is not None:
                    flushes = self._flushes
                    await asyncio.sleep(min(ACKNOWLEDGE_SECONDS, self.player.seconds_left))
                    self.player.advance(self._clock())
                    if flushes == self._flushes:  # Else `flushed` has told the playhead already.
                        await self._say(Playback(turn=turn, samples=self.player.playhead(turn)))
                self._silent.set()
        except Disconnected:
            return  # The reading task tells of it.

    async def _say(self, message: ClientMessage) -> None:
        try:
            await self._socket.send(encode_client(message))
        except ConnectionClosed as closed:
            raise disconnected(closed) from closed


def disconnected(closed: ConnectionClosed) -> Disconnected:
    """Our error for websockets'."""
    return Disconnected(closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else Disconnected(1006, "")
