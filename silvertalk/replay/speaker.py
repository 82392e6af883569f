"""One client with its clips: says one, waits until it is answered and the answer is played, says the next."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from silvertalk.client import ClientError, Guest, TalkClient, log_in_as_guest, talk
from silvertalk.replay.clips import Clip
from silvertalk.replay.losses import LossLog, LossRow
from silvertalk.replay.measure import Timeline, file_row, turn_rows
from silvertalk.replay.microphone import Microphone
from silvertalk.replay.report import FileRow, TurnRow
from silvertalk.replay.turn_log import TurnHeard, TurnLog
from streaming.audio import write_wav
from streaming.errors import ProtocolError
from streaming.protocol import Ready, Resync

UNHEARD_SECONDS = 3.0
"""After this much silence a clip that opened no turn was taken for no speech."""
SETTLE_SECONDS = 0.5
"""Nothing new for so long after the last turn is over: nothing more will come."""
COMMIT_SECONDS = 3.0
"""A turn closes, and is committed, 1.5 s after its reply began at the earliest. Where the database is away `committed`
never comes, and waiting for it longer would measure nothing."""


@dataclass(slots=True)
class Spoken:
    """What a clip came to."""

    file: FileRow
    turns: list[TurnRow]


@dataclass(slots=True)
class Speaker:
    """A client's part of a replay. `patience_seconds`: the longest wait for an answer after a clip has been said."""

    url: str
    number: int
    clips: Sequence[Clip]
    patience_seconds: float
    began: float
    save_audio: Path | None = None
    on_clip: Callable[[Spoken], None] = lambda spoken: None
    spoken: list[Spoken] = field(default_factory=list)
    lateness_ms: list[float] = field(default_factory=list)
    losses: list[LossRow] = field(default_factory=list)

    async def run(self) -> None:
        """Say every clip. What goes wrong stands in the rows; nothing is raised for it."""
        try:
            guest = await log_in_as_guest(self.url)
        except ClientError as error:
            return self._give_up(self.clips, str(error))
        # A conversation has one language: clips of the same one share a socket, in the order given.
        for _, group in itertools.groupby(self.clips, key=lambda clip: clip.language):
            left = list(group)
            while left:
                left = await self._converse(guest, left)

    async def _converse(self, guest: Guest, clips: list[Clip]) -> list[Clip]:
        """One conversation; returns the clips that are left when it was lost for good. At least one is dealt with."""
        done = len(self.spoken)
        try:
            async with talk(self.url, guest, language=clips[0].language, name="silvertalk-replay") as client:
                await _Conversation(client, self).hold(clips)
        except* (ClientError, ProtocolError) as lost:
            said = len(self.spoken) - done
            if said < len(clips):
                self._give_up(clips[said : said + 1], str(_first(lost)))
        return clips[len(self.spoken) - done :]

    def _give_up(self, clips: Sequence[Clip], why: str) -> None:
        for clip in clips:
            self.note(clip, [TurnRow(file=clip.name, client=self.number, error=why)])

    def note(self, clip: Clip, rows: list[TurnRow]) -> None:
        """A clip is done with."""
        for row in rows:
            if row.speech_end_at is not None:
                row.speech_end_at = round(row.speech_end_at - self.began, 3)
        spoken = Spoken(file_row(clip, self.number, rows), rows)
        self.spoken.append(spoken)
        self.on_clip(spoken)


class _Conversation:
    """One conversation's microphone, ears and the clip in hand."""

    def __init__(self, client: TalkClient, speaker: Speaker) -> None:
        self._client = client
        self._speaker = speaker
        self._clock = asyncio.get_running_loop().time
        self._microphone = Microphone(client)
        self._log = TurnLog()
        self._losses = LossLog(speaker.number, speaker.began)
        self._news = asyncio.Event()

    async def hold(self, clips: Sequence[Clip]) -> None:
        """Say all clips; raises (in a group) what ended the connection too soon."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._microphone.run(), name="replay microphone"),
                group.create_task(self._listen(), name="replay ears"),
            ]
            try:
                for clip in clips:
                    await self._say(clip)
            finally:
                self._speaker.lateness_ms.extend(self._microphone.lateness_ms)
                self._speaker.losses.extend(self._losses.rows)
                for task in tasks:
                    task.cancel("all is said")

    async def _listen(self) -> None:
        async for received in self._client:
            self._losses.take(received)
            match received.event:
                case Resync(reason=reason):
                    self._log.problems.append(f"the session was lost: {reason}")
                case Ready(resumed=False):
                    self._log.begin_again()
            self._log.take(received)
            self._news.set()

    async def _say(self, clip: Clip) -> None:
        self._log = log = TurnLog(after=self._log.last_turn)
        first_sample = self._microphone.say(clip.pcm)
        await self._microphone.said()
        try:
            async with asyncio.timeout(self._speaker.patience_seconds):
                await self._until_over(self._clock())
        except TimeoutError:
            log.problems.append(f"not over {self._speaker.patience_seconds:.0f} s after the clip's end")
        rows = turn_rows(
            clip,
            self._speaker.number,
            log,
            Timeline(first_sample, self._client.captured_at, self._microphone.sent_at),
            self._client.ready.output_rate,
        )
        if self._speaker.save_audio is not None:
            self._save(self._speaker.save_audio, clip, rows)
        self._speaker.note(clip, rows)

    async def _until_over(self, said_at: float) -> None:
        """Wait for the last turn's end: whenever there is news, look anew how long is to be waited without any."""
        while (left := self._still_to_wait(said_at)) > 0:
            self._news.clear()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _still_to_wait(self, said_at: float) -> float:
        now = self._clock()
        turns = self._log.turns.values()
        if not turns:
            return said_at + UNHEARD_SECONDS - now
        if not all(turn.outcome for turn in turns):
            return self._speaker.patience_seconds
        if (playing := self._client.seconds_to_play) > 0:
            return playing + SETTLE_SECONDS
        last_news = max(said_at, self._log.changed_at or said_at)
        return last_news + (SETTLE_SECONDS if all(map(_is_closed, turns)) else COMMIT_SECONDS) - now

    def _save(self, folder: Path, clip: Clip, rows: Sequence[TurnRow]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            audio = self._client.recorded.get(row.turn) if row.turn is not None else None
            if audio:
                path = folder / f"{Path(clip.name).stem}_client{row.client}_turn{row.turn}.wav"
                write_wav(path, audio, self._client.ready.output_rate)
                row.reply_audio = str(path)


def _is_closed(turn: TurnHeard) -> bool:
    return turn.committed_at is not None or turn.outcome == "nothing_heard"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
