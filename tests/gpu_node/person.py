"""A turn as its gateway holds it, for tests of nodes on a real bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streaming.bus import Bus, OpenTurn, names
from streaming.messages import (
    AudioBatch,
    Claimed,
    ReplyAudio,
    ReplyContext,
    ReplyDone,
    ReplyText,
    SpeechPaused,
    SpeechResumed,
    StartReply,
    TurnOpened,
    UpMessage,
)
from tests.streaming.bus.parts import Receiver, a_session, until
from tests.streaming.voice import vowels
from tests.valkey import Valkey

LEASE_MS = 2_000
"""As `product.node` has it."""
SECOND = 16_000


class Person:
    """Somebody in a turn: what is sent up for them, and what came down."""

    def __init__(self, turn: OpenTurn, heard: Receiver) -> None:
        self.turn = turn
        self._heard = heard
        self._spoken_samples = 0

    def send(self, *messages: UpMessage) -> None:
        for message in messages:
            self.turn.up.append_soon(message)

    def ask(self, attempt: int = 1, **changes: Any) -> None:
        self.send(
            StartReply(
                **{
                    "attempt": attempt,
                    "reply": 1,
                    "end_sample": self._spoken_samples or SECOND,
                    "context": ReplyContext(),
                    **changes,
                }
            )
        )

    def speak(self, seconds: float) -> int:
        """Say something, and fall silent. Returns the sample of the pause."""
        first, end = self._spoken_samples, self._spoken_samples + int(seconds * SECOND)
        if first:
            self.send(SpeechResumed(sample=first))
        pcm = vowels(end * 1000 // SECOND)
        # A tenth of a second at a time: several deliveries, as a microphone makes them.
        for at in range(first, end, SECOND // 10):
            upto = min(at + SECOND // 10, end)
            self.send(AudioBatch(first_sample=at, pcm=pcm[2 * at : 2 * upto]))
        self.send(SpeechPaused(sample=end))
        self._spoken_samples = end
        return end

    async def gets(self, kind: type[Any], fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first message of this kind that fits."""
        await until(lambda: self.all(kind, fits))
        return self.all(kind, fits)[0]

    def all(self, kind: type[Any], fits: Callable[[Any], bool] = lambda _: True) -> list[Any]:
        return [message for message in self._heard.messages if isinstance(message, kind) and fits(message)]

    def texts(self, attempt: int = 1) -> list[str]:
        return [text.text for text in self.all(ReplyText, lambda text: text.attempt == attempt)]

    def sources(self, attempt: int = 1) -> list[str]:
        return [text.source for text in self.all(ReplyText, lambda text: text.attempt == attempt)]

    def samples(self, attempt: int = 1) -> int:
        return sum(len(audio.pcm) // 2 for audio in self.all(ReplyAudio, lambda audio: audio.attempt == attempt))

    async def done(self, attempt: int = 1) -> ReplyDone:
        found: ReplyDone = await self.gets(ReplyDone, lambda done: done.attempt == attempt)
        return found

    def is_well_numbered(self, attempt: int = 1) -> bool:
        """Each sentence before its audio, both counted from 0 and without a gap."""
        sentence, sample = -1, 0
        for message in self._heard.messages:
            if isinstance(message, ReplyText) and message.attempt == attempt:
                sentence += 1
                if message.sentence != sentence:
                    return False
            elif isinstance(message, ReplyAudio) and message.attempt == attempt:
                if (message.sentence, message.first_sample) != (sentence, sample):
                    return False
                sample += len(message.pcm) // 2
        return sample > 0


async def person(gateway: Bus, text: str | None = "안녕하세요", turn: int = 1) -> Person:
    session, heard = a_session(), Receiver()
    opened = TurnOpened(session=session, turn=turn, language="ko", reply_rate=24_000, text=text)
    return Person(await gateway.turns(session).open(opened, epoch=1, deliver=heard.deliver), heard)


async def somebody_else_is_served(gateway: Bus) -> None:
    """Another turn from its claim to its end: whatever the node was going to do meanwhile, it has done."""
    other = await person(gateway)
    await other.gets(Claimed)
    other.ask()
    assert (await other.done()).reason == "completed"
    await other.turn.close("done")


def deaths(valkey: Valkey, somebody: Person, count: int, *, waited_ms: int = 0) -> None:
    """So many nodes have died with the turn, and nobody has taken it for so long after."""
    offer_ids: list[Any] = [somebody.turn.offer_id]
    idle = LEASE_MS + 100 + waited_ms
    valkey.client.xclaim(names.OFFERS, names.NODES, "dead.0", 0, offer_ids, idle=idle, retrycount=count, justid=True)
