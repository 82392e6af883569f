"""One conversation as a client has it: what it sends, what it receives, its virtual loudspeaker, and its coming back.

A conversation outlives its connections. One task receives over the connection there is and, when that is lost, opens
the next; each connection has a task that sends and one that watches whether it lives. What goes up waits in `Uplink`;
what came down is told from what comes again by its number, and by the player where it is audio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from silvertalk.coming_back import come_back, may_come_back, new_waits
from silvertalk.dialling import Dialler
from silvertalk.downlink import ConnectionLost, Downlink, Received
from silvertalk.line import Line
from silvertalk.login import Disconnected
from silvertalk.playback import VirtualPlayer
from silvertalk.uplink import SAMPLES_PER_MESSAGE, Pressed, Uplink
from streaming.audio import BYTES_PER_SAMPLE
from streaming.protocol import (
    MAX_PATIENCE,
    MIN_PATIENCE,
    Bye,
    Cancel,
    ClientMessage,
    Commit,
    FloorMoved,
    Flush,
    Flushed,
    Patience,
    Playback,
    ReceivedSamples,
    Reconnect,
    Resume,
    SpokenAudio,
    Text,
)

ACKNOWLEDGE_SECONDS = 0.2
BYE_SECONDS = 2.0
"""How long a good-bye waits for what was said before it to be sent."""
SERVICE_RESTART = 1012
"""How a gateway that is being shut down closes: another one answers at once."""
MAX_RECEIVED = 1024
"""Items waiting for the reader of the iterator (some 40 s of reply audio). When it is full the client stops reading its
socket, TCP's window fills, and the gateway sees a slow client, which is what we are then."""


class TalkClient:
    """Made by `talk`. Iterating yields everything the server says, once; one task at a time may iterate.

    When a connection is lost the iterator yields `ConnectionLost`, and `Ready` once there is another. With `resumed`
    true what was missed follows. With `resumed` false (`Resync` comes before it) another session has begun: its turns
    are numbered anew, and what was still to be played of the old one is dropped, as are its recordings.
    """

    def __init__(self, dialler: Dialler, line: Line, *, resume: bool) -> None:
        self.ready = line.ready
        self._dialler = dialler
        self._resume = resume
        self._line = line
        self._connected = True
        self._uplink = Uplink(line.ready.microphone_sample)
        self._downlink = Downlink(line.ready)
        self._to_send = asyncio.Event()
        self._room = asyncio.Event()
        self._waits = new_waits()
        self._draining = False
        self._clock = asyncio.get_running_loop().time
        self._received: asyncio.Queue[Received | None] = asyncio.Queue(MAX_RECEIVED)
        self._audio_came = asyncio.Event()
        self._silent = asyncio.Event()
        self._silent.set()
        self._flushes = 0
        self._patience: float | None = None
        self._leaving = False
        self._end: Disconnected | None = None
        self._conversing = asyncio.create_task(self._converse(), name=f"client {line.ready.session}")
        self._acknowledging = asyncio.create_task(self._acknowledge(), name=f"client playback {line.ready.session}")

    @property
    def session(self) -> str:
        return self.ready.session

    @property
    def epoch(self) -> int:
        """Of the last event that will not be told again; `last_event` is its number."""
        return self._downlink.position[0]

    @property
    def last_event(self) -> int:
        return self._downlink.position[1]

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as one can know."""
        return self._connected

    @property
    def player(self) -> VirtualPlayer:
        return self._downlink.player

    @property
    def recorded(self) -> dict[int, bytearray]:
        """Per turn, the audio received of its last reply: PCM16 mono at `ready.output_rate`."""
        return self._downlink.recorded

    # --- what a person does ------------------------------------------------------------------------------------------

    async def send_audio(self, pcm: bytes) -> None:
        """Microphone audio: PCM16 mono 16 kHz, sent as soon as may be.

        While the connection is lost the last ten seconds are kept, and nothing waits. Raises Disconnected once the
        conversation is over.
        """
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ValueError(f"{len(pcm)} bytes are not whole 16-bit samples")
        size = SAMPLES_PER_MESSAGE * BYTES_PER_SAMPLE
        for part in (pcm[start : start + size] for start in range(0, len(pcm), size)):
            while self.connected and not self._uplink.room_for(len(part) // BYTES_PER_SAMPLE):
                self._room.clear()  # Ten seconds wait to be sent: no microphone is so far ahead of a living connection.
                await self._room.wait()
            self._check_not_over()
            self._uplink.speak(part)
            self._to_send.set()

    async def commit(self) -> None:
        """The utterance ends here (push-to-talk)."""
        self._press(Commit())

    async def say_text(self, text: str) -> None:
        """Type in place of speaking. While the connection is lost it is kept, as `commit` and `cancel` are."""
        self._press(Text(text=text))

    async def cancel(self) -> None:
        """Stop the reply."""
        self._press(Cancel())

    async def wait_for_me(self, factor: float) -> None:
        """How long the server shall wait before it takes an utterance to be over: 1 as learned, 2 twice as long.

        Raises ValueError where the protocol has no such patience.
        """
        if not MIN_PATIENCE <= factor <= MAX_PATIENCE:
            raise ValueError(f"patience {factor} is not from {MIN_PATIENCE} to {MAX_PATIENCE}")
        self._patience = factor
        await self._tell(Patience(factor=factor))

    async def bye(self) -> None:
        """End the conversation for good; a connection that is gone already is no error, and is not sought again."""
        self._leaving = True
        if not self.connected:
            self._conversing.cancel("good-bye while away")
            return
        self._to_send.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(BYE_SECONDS):
                while self.connected and not self._uplink.empty:
                    self._room.clear()
                    await self._room.wait()
        await self._tell(Bye())

    @property
    def microphone_sample(self) -> int:
        """The number in the session of the next sample to be captured."""
        return self._uplink.next_number

    @property
    def captured_samples(self) -> int:
        """How many samples were ever given to `send_audio`."""
        return self._uplink.captured_samples

    def captured_at(self, sample: int) -> int:
        """Which of all the samples ever given to `send_audio` it is that the session counts as `sample`.

        The same number, unless audio was lost in an absence of more than ten seconds, or another session has begun.
        """
        return self._uplink.captured_at(sample)

    # --- what comes back ---------------------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Received]:
        return self

    async def __anext__(self) -> Received:
        """The next item; ends after `bye`.

        Raises Disconnected where the connection is lost for good, Refused where the server will not have us back,
        ProtocolError where it cannot be understood.
        """
        item = await self._received.get()
        if item is not None:
            return item
        self._received.put_nowait(None)  # Room there is: one was just taken, and nobody else adds any more.
        await asyncio.wait([self._conversing])
        if not self._conversing.cancelled():
            self._conversing.result()
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
        """End the client's tasks and its connection; `talk` calls it."""
        tasks = {self._conversing, self._acknowledging}
        for task in tasks:
            task.cancel("the conversation is over")
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # Looked at, so that asyncio does not report what the iterator has told already.
        await self._line.close()

    # --- one connection after another --------------------------------------------------------------------------------

    async def _converse(self) -> None:
        end: Disconnected | None = None
        try:
            while True:
                end = await self._use(self._line)
                if self._leaving:
                    return
                if not self._resume or not may_come_back(end):
                    raise end
                await self._come_back(end)
        finally:
            self._end = end or Disconnected(1006, "")
            # Whoever iterates has to hear of the end; where the queue is full this waits for them (or for `stop`).
            await self._received.put(None)

    async def _use(self, line: Line) -> Disconnected:
        """Talk over this connection until it is lost; returns how it was."""
        async with _owned(self._send(line), "client send"), _owned(line.watch(), "client watch"):
            self._connected = True
            try:
                lost = await self._receive(line)
            finally:
                self._connected = False
                self._room.set()
        return lost

    async def _come_back(self, lost: Disconnected) -> None:
        """Open the next connection; raises why it is given up."""
        to_play = self.seconds_to_play
        marker = ConnectionLost(
            close_code=lost.close_code, reason=lost.reason, playing=self.player.playing, seconds_to_play=to_play
        )
        await self._received.put(Received(marker, self._clock()))
        self._line = line = await come_back(
            lambda: self._dialler.dial_again(self._where),
            lost,
            waits=self._waits,
            seconds=self.ready.resume_seconds,
            at_once=self._draining or lost.close_code == SERVICE_RESTART,
        )
        self._draining = False
        self.ready = line.ready
        if line.ready.resumed:
            if line.ready.microphone_sample > self._uplink.received_samples:
                self._waits.reset()  # The last connection carried something: it was short, but of use.
            self._uplink.go_on(line.ready.microphone_sample)
        else:
            self._uplink.begin_again(line.ready.microphone_sample)
            self._downlink.begin_again(line.ready)
            self._hush()
        now = self._clock()
        if line.resync is not None:
            await self._received.put(Received(line.resync, now))
        await self._received.put(Received(line.ready, now))

    def _where(self) -> Resume:
        """The position to come back to."""
        self.player.advance(self._clock())
        return Resume(
            session=self.session,
            epoch=self.epoch,
            last_event=self.last_event,
            microphone_sample=self._uplink.next_number,
            received_samples=self._uplink.received_samples,
            playhead=self.player.last_playhead,
        )

    # --- over one connection -----------------------------------------------------------------------------------------

    async def _receive(self, line: Line) -> Disconnected:
        """Take everything that comes, until nothing can."""
        self._downlink.connect()
        if self._patience is not None:
            await self._tell(Patience(factor=self._patience))
        if (playhead := self.player.last_playhead) is not None:
            # The player went on while the session was sought, and may have run dry.
            await self._tell(Playback(turn=playhead.turn, samples=playhead.samples))
        while True:
            try:
                message = await line.receive()
            except Disconnected as lost:
                return lost
            received = self._downlink.take(message, self._clock())
            if received is not None:
                await self._act_on(received)
                await self._received.put(received)

    async def _act_on(self, received: Received) -> None:
        match received.event:
            case ReceivedSamples(samples=samples):
                self._uplink.acknowledge(samples)
            case Reconnect():
                self._draining = True
            case SpokenAudio():
                self._silent.clear()
                self._audio_came.set()
            case Flush(turn=turn):
                self._hush()
                await self._tell(Flushed(turn=turn, samples=self.player.playhead(turn)))
            case FloorMoved():
                return  # Told to everybody who comes back: it says nothing of whether the connection is of use.
            case event:
                self._uplink.take_in(event)
        self._waits.reset()

    async def _send(self, line: Line) -> None:
        with suppress(Disconnected):
            while True:
                await self._to_send.wait()
                self._to_send.clear()
                while (said := self._uplink.take()) is not None:
                    await line.send(said)
                    self._room.set()
                self._room.set()

    async def _acknowledge(self) -> None:
        """While something plays, say every 200 ms how much of it was played, and at once when it has run dry."""
        while True:
            await self._audio_came.wait()
            self._audio_came.clear()
            while (turn := self.player.playing) is not None:
                flushes = self._flushes
                await asyncio.sleep(min(ACKNOWLEDGE_SECONDS, self.player.seconds_left))
                self.player.advance(self._clock())
                if flushes == self._flushes:  # Else `flushed` has told the playhead already.
                    await self._tell(Playback(turn=turn, samples=self.player.playhead(turn)))
            self._silent.set()

    def _hush(self) -> None:
        """Something that was to be played is not played any more."""
        self._flushes += 1
        if self.player.playing is None:
            self._silent.set()

    def _press(self, message: Pressed) -> None:
        self._check_not_over()
        self._uplink.say(message)
        self._to_send.set()

    def _check_not_over(self) -> None:
        if self._end is not None:
            raise Disconnected(self._end.close_code, self._end.reason)

    async def _tell(self, message: ClientMessage) -> None:
        """What is worth something now or never: while the connection is lost it is dropped."""
        if self._connected:
            with suppress(Disconnected):
                await self._line.send(message)


@asynccontextmanager
async def _owned(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """A task that lives as long as the block, or shorter."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel("the connection is over")
        await asyncio.wait([task])
