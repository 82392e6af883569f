"""What leaves the mouth: numbered sentences, each before its sound, then one `ReplyDone`; and not faster than it plays.

All of it carries the attempt and reply number of the `StartReply` that asked for it. A sentence's text waits for its
first sound, so that a voice that breaks leaves no words behind that were never said.

A reply that was asked for before the utterance had ended stands still at certain points until that is confirmed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from gpu_node.engines import Samples
from gpu_node.loudness import louder
from gpu_node.spoken_beforehand import Spoken
from streaming.audio import ResampleStream, float_to_pcm16
from streaming.messages import Message, ReplyAudio, ReplyDone, ReplyText, StartReply

PIECE_SECONDS = 0.2
"""Audio crosses the bus in pieces of this length, so that a barge-in leaves little behind and no entry is large."""


class Outgoing:
    """One reply on its way down."""

    def __init__(self, start: StartReply, *, rate: int, ahead_seconds: float, send: Callable[[Message], None]) -> None:
        """`rate`: of the audio sent, Hz; `ahead_seconds`: how far speech may be ahead of its own playing."""
        self._start = start
        self._rate = rate
        self._ahead_seconds = ahead_seconds
        self._send = send
        self._began = time.monotonic()
        self._playing_since: float | None = None
        self._sentences = 0
        self._samples = 0
        self._unsaid: tuple[str, str] | None = None
        self._confirmed = asyncio.Event()
        self._timings_ms: dict[str, float] = {}
        self.source = ""
        self.tokens = 0
        """What the LLM wrote, counted in the pieces that it came in."""
        self.said_anything = False
        """Something of the reply itself was sent: its own words, not a filler nor an apology."""
        if not start.speculative:
            self._confirmed.set()

    # --- confirming --------------------------------------------------------------------------------------------------

    @property
    def is_confirmed(self) -> bool:
        return self._confirmed.is_set()

    def confirm(self) -> None:
        """The utterance has ended: the reply is wanted, and what was made of it begins to play now."""
        self._confirmed.set()
        self.mark("confirmed")
        if self._playing_since is not None:
            self._playing_since = time.monotonic()

    async def until_confirmed(self) -> None:
        await self._confirmed.wait()

    async def until_waited(self, seconds: float) -> None:
        """Until the person has waited so long since the endpoint."""
        await self.until_confirmed()
        waited = (time.monotonic() - self._began) - self._timings_ms.get("confirmed", 0.0) / 1000
        await asyncio.sleep(max(0.0, seconds - waited))

    # --- text and sound ----------------------------------------------------------------------------------------------

    def mark(self, name: str) -> None:
        """Note when this happened first, counted from the `StartReply`."""
        self._timings_ms.setdefault(name, (time.monotonic() - self._began) * 1000)

    @property
    def seconds_sent(self) -> float:
        return self._samples / self._rate

    @property
    def has_sound(self) -> bool:
        return self._samples > 0

    @property
    def is_at_the_voice(self) -> bool:
        """A sentence was announced, and its first sound is still to come."""
        return self._unsaid is not None

    def sound(self, rate: int) -> Sound:
        """A sentence's sound, which comes at `rate` Hz."""
        return Sound(rate, self._rate, self._start.context.loudness)

    def announce(self, text: str, source: str) -> None:
        """The sound that follows is that of `text`. Where none follows, nothing is told of it."""
        self._unsaid = (text, source)

    async def send(self, pieces: list[bytes]) -> None:
        """Sound of the sentence that was announced last."""
        for piece in pieces:
            await self.keep_pace()
            self.mark("first_audio")
            self.said_anything = True
            self._put(piece)

    async def keep_pace(self) -> None:
        """Do not speak far ahead of the listener: an engine that is free serves somebody else, a barge-in wastes less,
        and a long sentence made at once does not look to the gateway like a client that takes nothing."""
        if self._playing_since is None:
            return
        if self.seconds_sent > self._ahead_seconds:
            await self.until_confirmed()
        ahead = self.seconds_sent - (time.monotonic() - self._playing_since)
        if ahead > self._ahead_seconds:
            await asyncio.sleep(ahead - self._ahead_seconds)

    async def say_beforehand(self, spoken: Spoken, source: str) -> None:
        """Something that was spoken beforehand in place of the reply."""
        self.source = source
        for text, chunks in spoken.sentences:
            self.announce(text, source)
            for piece in self._whole(chunks, spoken.rate):
                await self.keep_pace()
                self._put(piece)

    def fill(self, spoken: Spoken, source: str) -> None:
        """Something short that was spoken beforehand, at once and before the reply, which goes on after it."""
        self.mark("filler")
        waiting, self._unsaid = self._unsaid, None
        for text, chunks in spoken.sentences:
            self.announce(text, source)
            for piece in self._whole(chunks, spoken.rate):
                self._put(piece)
        self._unsaid = waiting

    def _whole(self, chunks: tuple[Samples, ...], rate: int) -> list[bytes]:
        sound = self.sound(rate)
        return [piece for samples in chunks for piece in sound.add(samples)] + sound.finish()

    def _put(self, pcm: bytes) -> None:
        attempt, reply = self._start.attempt, self._start.reply
        now = time.monotonic()
        if self._playing_since is None or now - self._playing_since > self.seconds_sent:
            self._playing_since = now - self.seconds_sent  # the player ran dry, and plays on from here
        if self._unsaid is not None:
            (text, source), self._unsaid = self._unsaid, None
            self._send(ReplyText(attempt=attempt, reply=reply, sentence=self._sentences, text=text, source=source))
            self._sentences += 1
        self._send(
            ReplyAudio(
                attempt=attempt,
                reply=reply,
                sentence=self._sentences - 1,
                first_sample=self._samples,
                pcm=pcm,
            )
        )
        self._samples += len(pcm) // 2

    # --- the end -----------------------------------------------------------------------------------------------------

    def finish(self, reason: Literal["completed", "cancelled", "nothing_heard", "failed"], detail: str = "") -> None:
        """Nothing follows."""
        self.mark("done")
        self._send(
            ReplyDone(
                attempt=self._start.attempt,
                reply=self._start.reply,
                reason=reason,
                source=self.source,
                detail=detail,
                tokens=self.tokens,
                timings_ms=self._timings_ms,
            )
        )


class Sound:
    """An engine's chunks as PCM16 at the session's rate, as loud as the person wants it, cut into equal pieces."""

    def __init__(self, rate_in: int, rate_out: int, gain: float) -> None:
        self._resample = ResampleStream(rate_in, rate_out) if rate_in != rate_out else None
        self._size = 2 * int(PIECE_SECONDS * rate_out)
        self._gain = gain
        self._rest = b""

    def add(self, samples: Samples) -> list[bytes]:
        pcm = float_to_pcm16(louder(samples, self._gain))
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
