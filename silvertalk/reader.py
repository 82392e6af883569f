"""What comes over one socket, made into calls of the session and the microphone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from silvertalk import metrics
from silvertalk.microphone import Microphone
from silvertalk.session import Session
from streaming.audio import MICROPHONE_RATE
from streaming.budget import Bucket
from streaming.errors import ProtocolError
from streaming.protocol import (
    Bye,
    Cancel,
    ClientMessage,
    Commit,
    Event,
    Flushed,
    Hello,
    Patience,
    Playback,
    ReceivedSamples,
    Text,
    check_audio,
    decode_client,
    fault,
)

AUDIO_SPEED = 1.25
AUDIO_BURST_SECONDS = 12.0
"""Microphones' clocks drift (2 s are plenty), and what a client kept of 10 s without a line it sends at once, over the
same connection where only the radio stalled and over a new one where that was lost. Beyond this it is no microphone."""
MESSAGES_PER_SECOND = 200
MESSAGES_BURST = 1000
"""Four times what a microphone of 20 ms frames and its player send; tiny messages cost as much as large ones."""
TURNS_PER_SECOND = 1.0
TURNS_BURST = 10
"""Turns begun by hand, typed or pushed: each is a reply that costs the nodes and a row that all have to wait for."""
FAULTS_PER_SECOND = 0.5
FAULT_BURST = 20
RECEIVED_EVERY_SAMPLES = MICROPHONE_RATE
"""`received_samples` is told once a second, so that the client may forget older audio."""


async def receive(socket: WebSocket) -> str | bytes:
    """The next message; raises WebSocketDisconnect when there will be none."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    data: bytes | None = message.get("bytes")
    text: str = message.get("text") or ""
    return text if data is None else data


class Reader:
    """Turns what comes over one socket into calls of the session and the microphone."""

    def __init__(
        self,
        socket: WebSocket,
        session: Session,
        microphone: Microphone,
        *,
        tell: Callable[[Event], None],
        tell_fault: Callable[[ProtocolError], None],
    ) -> None:
        self._socket = socket
        self._session = session
        self._microphone = microphone
        self._tell = tell
        self._tell_fault = tell_fault
        self._audio = Bucket(AUDIO_SPEED * MICROPHONE_RATE, AUDIO_BURST_SECONDS * MICROPHONE_RATE)
        self._messages = Bucket(MESSAGES_PER_SECOND, MESSAGES_BURST)
        self._turns = Bucket(TURNS_PER_SECOND, TURNS_BURST)
        self._faults = Bucket(FAULTS_PER_SECOND, FAULT_BURST)
        self._told_received = 0

    async def run(self) -> bool:
        """Until the client leaves: True where it said good-bye, False where it is just gone. Raises ProtocolError for a
        fault that ends the connection."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                message = await receive(self._socket)
            except WebSocketDisconnect:
                return False
            if not self._messages.take(1, loop.time()):
                raise fault("audio_too_fast", f"more than {MESSAGES_PER_SECOND} messages a second")
            try:
                if isinstance(message, bytes):
                    self._hear(message, loop.time())
                elif self._obey(decode_client(message), loop.time()):
                    return True
            except ProtocolError as error:
                if error.close_code is not None:
                    raise
                if not self._faults.take(1, loop.time()):
                    raise fault("too_many_faults", error.code) from None
                metrics.FAULTS.labels(error.code).inc()
                self._tell_fault(error)

    def _hear(self, data: bytes, now: float) -> None:
        pcm = check_audio(data)
        samples = len(pcm) // 2
        if not self._audio.take(samples, now):
            raise fault("audio_too_fast", f"more than {AUDIO_SPEED} times real time")
        self._session.heard_from()
        self._microphone.feed(pcm)
        metrics.MICROPHONE_SECONDS.inc(samples / MICROPHONE_RATE)
        received = self._microphone.received_samples
        if received - self._told_received >= RECEIVED_EVERY_SAMPLES:
            self._told_received = received
            self._tell(ReceivedSamples(samples=received))

    def _obey(self, message: ClientMessage, now: float) -> bool:
        """Act on a control message; True when the client says good-bye."""
        if isinstance(message, Text | Commit) and not self._turns.take(1, now):
            raise fault(
                "too_many_turns", f"more than {TURNS_BURST} turns begun by hand, and {TURNS_PER_SECOND:g} a second"
            )
        match message:
            case Playback():
                self._session.heard_from(acknowledging=True)
                self._session.played(message.turn, message.samples, flushed=False)
            case Flushed():
                self._session.heard_from()
                self._session.played(message.turn, message.samples, flushed=True)
            case Commit():
                if not self._microphone.commit():
                    raise fault("wrong_order", "commit, and nothing was said")
            case Text():
                self._session.typed(message.text, self._microphone.received_samples)
            case Cancel():
                self._session.cancel()
            case Patience():
                self._session.be_patient(message.factor)
            case Bye():
                return True
            case Hello():
                raise fault("wrong_order", "a second hello")
        return False
