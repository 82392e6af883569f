"""Turns made of recordings: clips of one speaker joined with pauses whose length is known. For `benchmarks.turns`.

A turn is two or three clips of a speaker in any order, the last of them one whose transcript ends as a sentence does:
only there has anybody finished. The pauses between are of 0.3 to 2.5 s; people differ in them, so every speaker gets a
middle of their own (spread evenly over the speakers) and pauses around it. They are cut to the measure of the voice
detector: the clips' own silence at either end goes, so that between the last voiced window of one and the first of the
next lies the pause that is claimed. It is filled with room tone, since digital silence is something that no microphone
hears. Pauses inside the clips, which nobody made up, stay what they are.

Speakers fall into two halves by lot, one to tune on and one to report. Mixes are made here and kept nowhere.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.vad import ROOM_DBFS, UNGATED, score_all
from streaming.audio import MICROPHONE_RATE, Floats, float_to_pcm16, ms_to_samples, pcm16_to_float, read_wav
from streaming.messages import Language
from streaming.segmenter import SegmenterSettings
from streaming.vad import ScoredWindow, SileroModel
from tests.recordings import folder

Half = Literal["tuning", "report"]

TURNS_A_SPEAKER = 4
MOST_CLIPS = 3
SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS = 300, 2500
MIDDLES_MS = (400, 2000)
"""The middles of the speakers' pauses."""
SPREAD = 0.45
"""Standard deviation of ln(pause) around a speaker's middle."""
BEFORE_MS, AFTER_MS = 1000, 12_000
EDGE_MS = 100
"""Kept of a clip on either side of its speech, within the pause: the end of a breath, a release."""
FADE_MS = 20
NOISES = ("coffee-shop", "rain", "city")
NOISE_DB = 12
"""Speech above noise, in the noisy copies."""

FINAL = re.compile(r"(?<!데)(?<!거든)(다|요|죠|까|네|래|[.?!])\s*♪?$")
"""How the transcript of somebody who has finished ends: deliberately not the product's own table of endings. Without
-데요 and -거든요, from which stories go on as often as they end."""


@dataclass(frozen=True)
class Clip:
    """The speech of one recording, from its first voiced window to its last, `EDGE_MS` more where there is as much."""

    name: str
    speaker: str
    transcript: str
    sound: Floats
    lead: int
    """Samples before the first voiced one."""
    tail: int

    @property
    def final(self) -> bool:
        return FINAL.search(self.transcript) is not None


@dataclass(frozen=True)
class Join:
    """A pause that was made: silence from `start` on, after the clip `after`."""

    start: int
    end: int
    after_final: bool


@dataclass(frozen=True)
class JoinedTurn:
    """What is said to the microphone. `end_sample`: where the speech ends, if the person has finished there."""

    name: str
    speaker: str
    half: Half
    language: Language
    pcm: bytes
    joins: tuple[Join, ...]
    end_sample: int
    finished: bool


def joined_turns(model: SileroModel, language: Language = "ko", *, noisy: bool = False) -> list[JoinedTurn]:
    """The turns of all speakers with two recordings or more; always the same ones. Empty where there are none."""
    rng, noise_rng = np.random.default_rng(4), np.random.default_rng(5)
    by_speaker: dict[str, list[Clip]] = {}
    for clip in _clips(model, language):
        by_speaker.setdefault(clip.speaker, []).append(clip)
    speakers = sorted(name for name, clips in by_speaker.items() if len(clips) > 1)
    rng.shuffle(speakers)
    middles = np.linspace(*MIDDLES_MS, num=(len(speakers) + 1) // 2).repeat(2)
    noises = [pcm16_to_float(read_wav(path)) for path in _noise_paths()] if noisy else []
    turns: list[JoinedTurn] = []
    for number in range(TURNS_A_SPEAKER):
        for index, speaker in enumerate(speakers):
            half: Half = "tuning" if index % 2 else "report"
            turn = _turn(rng, by_speaker[speaker], middles[index], f"{speaker} {number}", half, language)
            if noises:
                turn = _in_noise(turn, noises[len(turns) % len(noises)], noise_rng)
            turns.append(turn)
    return turns


def _turn(
    rng: np.random.Generator, clips: list[Clip], middle_ms: float, name: str, half: Half, language: Language
) -> JoinedTurn:
    order = [clips[at] for at in rng.permutation(len(clips))][: int(rng.integers(2, MOST_CLIPS + 1))]
    finals = [clip for clip in clips if clip.final]
    if finals:
        last = finals[int(rng.integers(len(finals)))]
        order = [clip for clip in order if clip is not last][: MOST_CLIPS - 1] + [last]
    sound = [np.zeros(ms_to_samples(BEFORE_MS), dtype=np.float32)]
    joins = []
    for clip, following in zip(order, [*order[1:], None], strict=True):
        sound.append(clip.sound)
        spoken = sum(map(len, sound)) - clip.tail
        if following is not None:
            pause = ms_to_samples(_pause_ms(rng, middle_ms))
            joins.append(Join(spoken, spoken + pause, clip.final))
            sound.append(np.zeros(max(pause - clip.tail - following.lead, 0), dtype=np.float32))
    sound.append(np.zeros(ms_to_samples(AFTER_MS), dtype=np.float32))
    whole = np.concatenate(sound)
    whole += np.float32(10 ** (ROOM_DBFS / 20)) * rng.standard_normal(len(whole)).astype(np.float32)
    return JoinedTurn(
        name, order[0].speaker, half, language, float_to_pcm16(whole), tuple(joins), spoken, order[-1].final
    )


def _pause_ms(rng: np.random.Generator, middle_ms: float) -> float:
    while True:
        pause = float(middle_ms * np.exp(SPREAD * rng.standard_normal()))
        if SHORTEST_PAUSE_MS <= pause <= LONGEST_PAUSE_MS:
            return pause


def _in_noise(turn: JoinedTurn, noise: Floats, rng: np.random.Generator) -> JoinedTurn:
    speech = pcm16_to_float(turn.pcm)
    hum = np.resize(np.roll(noise, int(rng.integers(len(noise)))), len(speech))
    voiced = np.abs(speech) > 0.01
    gain = np.sqrt(np.mean(speech[voiced] ** 2) / np.mean(hum**2)) * 10 ** (-NOISE_DB / 20)
    mixed = float_to_pcm16(speech + np.float32(gain) * hum)
    return JoinedTurn(
        turn.name, turn.speaker, turn.half, turn.language, mixed, turn.joins, turn.end_sample, turn.finished
    )


def _noise_paths() -> list[Path]:
    return [path for name in NOISES for path in sorted((folder() / "noise").glob(f"*{name}*.wav"))]


def _clips(model: SileroModel, language: Language) -> list[Clip]:
    """Every recording of a known speaker of under 20 s, trimmed."""
    rows = []
    manifest = folder() / "manifest.jsonl"
    if manifest.is_file():
        rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    wanted = [row for row in rows if row["file"].startswith(f"{language}/") and _speaks(row)]
    room = ms_to_samples(1000)
    sounds = [np.pad(pcm16_to_float(read_wav(folder() / row["file"])), room) for row in wanted]
    scored = score_all(model, [float_to_pcm16(sound) for sound in sounds], UNGATED)
    return [_trimmed(row, sound, windows) for row, sound, windows in zip(wanted, sounds, scored, strict=True)]


def _speaks(row: dict[str, Any]) -> bool:
    return bool(row.get("speaker") and row.get("transcript")) and (row.get("seconds") or 99) < 20


def _trimmed(row: dict[str, Any], sound: Floats, windows: list[ScoredWindow]) -> Clip:
    settings = SegmenterSettings()
    first = next(window.first_sample for window in windows if window.probability >= settings.enter)
    last = next(window.end_sample for window in reversed(windows) if window.probability >= settings.leave)
    edge, room = ms_to_samples(EDGE_MS), MICROPHONE_RATE
    start, end = max(first - edge, min(room, first)), min(last + edge, max(len(sound) - room, last))
    cut = sound[start:end].copy()
    ramp = np.linspace(0, 1, min(ms_to_samples(FADE_MS), len(cut) // 2), dtype=np.float32)
    cut[: len(ramp)] *= ramp
    cut[-len(ramp) :] *= ramp[::-1]
    return Clip(row["file"], row["speaker"], row["transcript"], cut, first - start, end - last)
