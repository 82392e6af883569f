"""The scripted caller: one person with a microphone, a loudspeaker and a room, who does the steps of a case.

The microphone is the clock. Each frame of 20 ms mixes what the person says, the room's other voice and what the
loudspeaker gives back; a step begins at the frame where its moment has come, and where it began and ended is known to
the sample.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np

from silvertalk.client import TalkClient
from silvertalk.playback import VirtualPlayer
from streaming.audio import FRAME_SAMPLES, MICROPHONE_RATE, Floats, float_to_pcm16, pcm16_to_float
from streaming.protocol import Event, Flush, ReplyEnded, TurnCommitted
from tests.caller import Caller
from tests.conversations.case import Case, Deed, Step
from tests.conversations.coded_voice import STRANGERS, murmur, speak
from tests.conversations.happenings import Happening, Played, Playing
from tests.conversations.loudspeaker import Loudspeaker
from tests.conversations.patterns import Pattern, pattern
from tests.streaming.voice import hiss

OTHERS_PITCH_HZ = 180.0
CATCH_UP_SECONDS = 0.1
"""What a machine that stood still owes the microphone: more is never captured, since a burst of speech is none."""
STEP_SECONDS = 30.0
"""Whatever a step waits for has come by then, or never does."""


class Voice(Protocol):
    """Who speaks the person's part."""

    def __call__(self, text: str, *, finality: float, mumbled: bool) -> Floats: ...


def coded(text: str, *, finality: float, mumbled: bool) -> Floats:
    return speak(text, finality=finality, mumbled=mumbled)


class Person(Caller):
    """`happenings`: everything so far, with the microphone's position; `places`: where the steps began and ended."""

    def __init__(self, client: TalkClient, patience_seconds: float) -> None:
        super().__init__(client, patience_seconds)
        self.happenings: list[Happening] = []
        self.places: dict[str, int] = {}
        self.captured = 0
        self._sounds: list[tuple[int, Floats]] = []
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._echo: Loudspeaker | None = None
        self._playing: dict[int, bool] = {}

    # --- the script --------------------------------------------------------------------------------------------------

    async def live(self, case: Case, befall: Callable[[Deed], Awaitable[None]], voice: Voice = coded) -> None:
        """Do the steps, then listen until as many turns are committed as are expected, and `linger` seconds on.

        Raises TimeoutError where something that is waited for does not come.
        """
        self._furnish(case)
        for number, step in enumerate(case.do, start=1):
            await self._moment(step)
            begins = self.captured
            names = {str(number), step.name} - {""}
            self.places |= {f"{name}.start": begins for name in names}
            lasts = await self._do(step, befall, voice)
            self.places |= {f"{name}.end": begins + lasts for name in names}
            if not step.meanwhile:
                await self._until_captured(begins + lasts)
        await self.until(lambda: len(self.all(TurnCommitted)) >= len(case.expect.turns))
        await self._until_captured(self.captured + int(case.linger * MICROPHONE_RATE))

    def _furnish(self, case: Case) -> None:
        if case.echo is not None:
            self._echo = Loudspeaker(self.client.ready.output_rate, case.echo)
        if case.background is not None:
            level = 10 ** (case.background.db / 20)
            others = speak(case.background.say, pitch_hz=OTHERS_PITCH_HZ, vowels_of=STRANGERS) * np.float32(level)
            self._sounds.append((int(case.background.start * MICROPHONE_RATE), others))

    async def _moment(self, step: Step) -> None:
        since = self.captured
        if step.when:
            wanted = pattern(step.when)
            async with asyncio.timeout(STEP_SECONDS), self._news:
                while (found := self._first(wanted)) is None:
                    await self._news.wait()
            since = found.sample
            if isinstance(found.event, Playing):
                await self._until_played(found.event, step.after)
                return
        await self._until_captured(since + int(step.after * MICROPHONE_RATE))

    def _first(self, wanted: Pattern) -> Happening | None:
        return next((each for each in self.happenings if wanted.matches(each.event, each.sample, self.places)), None)

    async def _do(self, step: Step, befall: Callable[[Deed], Awaitable[None]], voice: Voice) -> int:
        """How many samples it lasts, from now on."""
        match step.deed:
            case "say":
                return self._utter(_utterance(step, voice))
            case "cough":
                return self._utter(murmur(int(step.cough * 1000)))
            case "noise":
                return self._utter(pcm16_to_float(hiss(int(step.noise * 1000))))
            case "type":
                await self.client.say_text(step.type)
            case "press" if step.press == "cancel":
                await self.client.cancel()
            case "press":
                await self.client.commit()
            case "patience":
                await self.client.wait_for_me(step.patience)
            case "befalls":
                assert step.befalls is not None
                await befall(step.befalls)
        return 0

    def _utter(self, sound: Floats) -> int:
        self._sounds.append((self.captured, sound))
        return len(sound)

    async def _until_captured(self, sample: int) -> None:
        await self._until(lambda: self.captured >= sample)

    async def _until_played(self, began: Playing, seconds: float) -> None:
        """So much of the reply was heard, or it is over.

        A player runs on where a busy machine stops the microphone, and dry where it stops the node.
        """
        player = self.client.player
        wanted = began.position + int(seconds * self.client.ready.output_rate)
        await self._until(lambda: player.playhead(began.turn) >= wanted or not self._playing[began.turn])

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Looked at with every frame."""
        if not condition():
            moment: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((condition, moment))
            await moment

    # --- microphone and loudspeaker ----------------------------------------------------------------------------------

    async def _microphone(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._note_playing(self.client.player, loop.time())
            await self.client.send_audio(float_to_pcm16(self._frame()))
            self.captured += FRAME_SAMPLES
            for condition, moment in self._waiting:
                if not moment.done() and condition():
                    moment.set_result(None)
            self._waiting = [each for each in self._waiting if not each[1].done()]
            due = max(due + FRAME_SAMPLES / MICROPHONE_RATE, loop.time() - CATCH_UP_SECONDS)
            await asyncio.sleep(due - loop.time())

    def _frame(self) -> Floats:
        frame = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        for start, sound in self._sounds:
            piece = sound[max(0, self.captured - start) : max(0, self.captured + FRAME_SAMPLES - start)]
            offset = max(0, start - self.captured)
            frame[offset : offset + len(piece)] += piece[: FRAME_SAMPLES - offset]
        self._sounds = [each for each in self._sounds if each[0] + len(each[1]) > self.captured]
        if self._echo is not None:
            frame += self._echo.give_back()
        return frame

    async def _note_playing(self, player: VirtualPlayer, now: float) -> None:
        player.advance(now)
        turn = player.playing
        for known, playing in list(self._playing.items()):
            if playing and known != turn and self._is_over(known):
                self._playing[known] = False
                await self._happened(Played(turn=known, samples=player.playhead(known)))
        if turn is not None and not self._playing.get(turn) and player.playhead(turn):
            self._playing[turn] = True
            await self._happened(Playing(turn=turn, position=player.playhead(turn)))
        if self._echo is not None:
            self._echo.play(player)

    def _is_over(self, turn: int) -> bool:
        """No more comes of what is being played; otherwise it has run dry."""
        return any(self.find(kind, turn=turn) for kind in (ReplyEnded, Flush, TurnCommitted))

    async def _happened(self, event: Event) -> None:
        async with self._news:
            self.happenings.append(Happening(self.captured, event))
            self._news.notify_all()

    async def _listen(self) -> None:
        async for received in self.client:
            async with self._news:
                self.events.append(received)
                self.happenings.append(Happening(self.captured, received.event))
                if self._echo is not None:
                    self._echo.take(received.event, received.pcm)
                self._news.notify_all()


def _utterance(step: Step, voice: Voice) -> Floats:
    level = np.float32(10 ** (step.db / 20))
    parts = []
    for place, phrase in enumerate(step.phrases()):
        parts.append(np.zeros(int(phrase.pause_seconds * MICROPHONE_RATE), dtype=np.float32))
        parts.append(level * voice(phrase.text, finality=step.finality(place), mumbled=step.mumbled))
    return np.concatenate(parts)
