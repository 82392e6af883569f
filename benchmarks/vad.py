"""How well and how cheaply speech is heard: `python -m benchmarks.vad` (`--quick`: no noise mixed in; `--no-cpu`).

Speech: every recording stands in a quiet room (2 s before and after), as it is, turned down by 10 and 20 dB, and mixed
with recorded noise at 10 and 5 dB. The measure is Silero itself, ungated, on the clean recording. Noise: every
recording of noise on its own; nobody speaks in most of them, so a turn opened is a fault. The recordings are those of
`tests/recordings.py`; mixes are made here and kept nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from silvertalk.listening import VadService
from streaming.audio import FRAME_BYTES, Floats, float_to_pcm16, ms_to_samples, pcm16_to_float, read_wav, samples_to_ms
from streaming.endpointing import Endpointing
from streaming.segmenter import Segmenter, SegmenterSettings, SpeechPaused, SpeechResumed, SpeechStarted
from streaming.vad import (
    WINDOW_SAMPLES,
    GateSettings,
    ScoredWindow,
    SileroMemory,
    SileroModel,
    VoiceActivity,
    Window,
    find_silero,
)
from tests.recordings import recordings

WAIT_MS = 700
ROOM_SECONDS = 2
ROOM_DBFS = -75
NOISES = ("coffee-shop", "city", "rain", "dishes", "crowd_cheering", "wind", "snoring")
UNGATED = GateSettings(mode=0, open_frames=0)

SETTINGS = {
    "default": SegmenterSettings(),
    "evidence 3": SegmenterSettings(onset_evidence=3),
    "evidence 8": SegmenterSettings(onset_evidence=8),
    "enter 0.4": SegmenterSettings(enter=0.4),
    "enter 0.6": SegmenterSettings(enter=0.6),
    "leave 0.2": SegmenterSettings(leave=0.2),
    "leave 0.4": SegmenterSettings(leave=0.4),
    "pause 6": SegmenterSettings(pause_windows=6),
}


@dataclass
class Heard:
    """What became of one recording."""

    starts: list[SpeechStarted]
    spans: list[tuple[int, int]]
    """Samples that would have been sent."""
    end: int | None
    """Last sample of speech in the last utterance."""
    pauses: int
    resumed: int


def score_all(model: SileroModel, sounds: list[bytes], gate: GateSettings | None = None) -> list[list[ScoredWindow]]:
    """The windows of each sound; all sounds side by side, as a gateway's microphones are."""
    voices = [VoiceActivity(0, gate) for _ in sounds]
    memories = [SileroMemory() for _ in sounds]
    wanted = [voice.feed(sound) for voice, sound in zip(voices, sounds, strict=True)]
    for turn in range(max(map(len, wanted), default=0)):
        lanes = [lane for lane in range(len(sounds)) if turn < len(wanted[lane])]
        for some in (lanes[at : at + 24] for at in range(0, len(lanes), 24)):
            answers = model.score([(memories[lane], wanted[lane][turn]) for lane in some])
            for lane, answer in zip(some, answers, strict=True):
                voices[lane].scored(wanted[lane][turn], answer)
    return [voice.reports() for voice in voices]


def listen(windows: Iterable[ScoredWindow], settings: SegmenterSettings) -> Heard:
    """The segmenter and the endpointing, as a session runs them."""
    segmenter, endpointing = Segmenter(settings), Endpointing(fixed_wait_ms=WAIT_MS)
    heard = Heard([], [], None, 0, 0)
    for window in windows:
        for event in segmenter.feed([window]):
            if isinstance(event, SpeechStarted):
                heard.starts.append(event)
                heard.spans.append((event.start_sample, event.start_sample))
            elif isinstance(event, SpeechPaused):
                heard.pauses += 1
                heard.end = event.speech_end_sample
                heard.spans[-1] = (heard.spans[-1][0], event.paused_sample)
                endpointing.on_pause(event.speech_end_sample)
            elif isinstance(event, SpeechResumed):
                heard.resumed += 1
                heard.spans.append((event.start_sample, event.start_sample))
                endpointing.on_resume()
        if endpointing.decide(segmenter.heard_sample):
            segmenter.end_utterance()
    return heard


# --- speech ----------------------------------------------------------------------------------------------------------


class Corpus:
    """The speech of the recordings and where it stands in them."""

    def __init__(self, model: SileroModel) -> None:
        self.recordings = [r for kind in ("ko", "en") for r in recordings(kind) if r.seconds < 60]
        self.floats = [pcm16_to_float(read_wav(r.path)) for r in self.recordings]
        rng = np.random.default_rng(0)
        self._room = ms_to_samples(1000 * ROOM_SECONDS)
        self._noise_floor = rng.standard_normal(16_000 * 80).astype(np.float32) * np.float32(10 ** (ROOM_DBFS / 20))
        self._offsets = rng.integers(0, 100_000, len(self.floats))
        scored = score_all(model, [self._in_room(sound, 1.0) for sound in self.floats], UNGATED)
        self.voiced = [np.array([w.probability >= 0.5 for w in windows]) for windows in scored]
        self.held = [np.array([w.probability >= 0.35 for w in windows]) for windows in scored]

    def _in_room(self, sound: Floats, gain: float, noise: Floats | None = None) -> bytes:
        whole = np.pad(sound * np.float32(gain), self._room)
        return float_to_pcm16(whole + (self._noise_floor[: len(whole)] if noise is None else noise[: len(whole)]))

    def quieter(self, db: float) -> list[bytes]:
        return [self._in_room(sound, 10 ** (-db / 20)) for sound in self.floats]

    def with_noise(self, noise: Floats, snr_db: float) -> list[bytes]:
        """`snr_db`: of the voiced windows over the whole noise, by RMS."""
        mixed = []
        for sound, voiced, offset in zip(self.floats, self.voiced, self._offsets, strict=True):
            whole = np.pad(sound, self._room)
            speech = whole[: len(voiced) * WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)[voiced]
            gain = _rms(speech) / _rms(noise) * 10 ** (-snr_db / 20)
            mixed.append(self._in_room(sound, 1.0, np.resize(np.roll(noise, -offset), len(whole)) * np.float32(gain)))
        return mixed

    def report(self, name: str, scored: list[list[ScoredWindow]], settings: SegmenterSettings) -> str:
        missed = lost_onsets = pauses = resumed = extra = 0
        latency: list[float] = []
        end: list[float] = []
        covered = total = 0
        for windows, voiced, held in zip(scored, self.voiced, self.held, strict=True):
            heard = listen(windows, settings)
            first, last = int(np.argmax(voiced)), len(held) - int(np.argmax(held[::-1]))
            inside = np.zeros(len(voiced) * WINDOW_SAMPLES, dtype=bool)
            for start, stop in heard.spans:
                inside[start:stop] = True
            by_window = inside.reshape(-1, WINDOW_SAMPLES).all(axis=1)
            covered, total = covered + int((by_window & voiced).sum()), total + int(voiced.sum())
            pauses, resumed = pauses + heard.pauses, resumed + heard.resumed
            extra += max(len(heard.starts) - 1, 0)
            if not heard.starts:
                missed += 1
                continue
            lost_onsets += heard.starts[0].start_sample > first * WINDOW_SAMPLES + ms_to_samples(50)
            latency.append(samples_to_ms(heard.starts[0].confirmed_sample - first * WINDOW_SAMPLES))
            if heard.end is not None:
                end.append(samples_to_ms(heard.end - last * WINDOW_SAMPLES))
        low, middle, high = np.percentile(end, [5, 50, 95])
        return (
            f"  {name:28s} missed {missed:2d}  onset lost {lost_onsets:2d}  latency {np.median(latency):4.0f} /"
            f"{np.percentile(latency, 95):5.0f} ms  end {low:5.0f} {middle:4.0f} {high:5.0f} ms"
            f"  speech sent {100 * covered / total:6.2f} %  pauses {pauses:4d} ({resumed} resumed)  splits {extra}"
        )


def _rms(samples: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) or 1.0


def speech(model: SileroModel, quick: bool) -> None:
    corpus = Corpus(model)
    scored = {
        "clean": score_all(model, corpus.quieter(0)),
        "clean, without a gate": score_all(model, corpus.quieter(0), UNGATED),
        "10 dB down": score_all(model, corpus.quieter(10)),
        "20 dB down": score_all(model, corpus.quieter(20)),
    }
    for name in () if quick else NOISES:
        recording = next(r for r in recordings("noise") if name in r.path.name)
        noise = pcm16_to_float(read_wav(recording.path))
        for snr_db in (10, 5):
            scored[f"{name} {snr_db} dB"] = score_all(model, corpus.with_noise(noise, snr_db))
    print(
        f"\nSpeech: {len(corpus.floats)} recordings. Latency: median / 95 %. End: 5, 50, 95 %, against ungated Silero."
    )
    for label, settings in SETTINGS.items():
        print(label)
        for name, windows in scored.items():
            print(corpus.report(name, windows, settings))


# --- noise -----------------------------------------------------------------------------------------------------------


def noise_alone(model: SileroModel) -> None:
    """Each recording eight times, since where its windows fall and what came before it change the model's mind."""
    rng = np.random.default_rng(0)
    print("\nNoise: gate open, and the share of eight tries that opened a turn with " + ", ".join(SETTINGS))
    expected = dict.fromkeys(SETTINGS, 0.0)
    for recording in recordings("noise"):
        noise = pcm16_to_float(read_wav(recording.path))
        sounds = []
        for attempt in range(8):
            before = ms_to_samples((0, 500, 1000, 2000)[attempt % 4]) + 61 * attempt
            whole = np.pad(noise, (before, ms_to_samples(1000)))
            hiss = 10 ** (ROOM_DBFS / 20) if attempt < 4 else 0
            sounds.append(float_to_pcm16(whole + hiss * rng.standard_normal(len(whole))))
        scored = score_all(model, sounds)
        gate = np.mean([w.gate_open for w in scored[0][: len(noise) // WINDOW_SAMPLES]])
        opened = [np.mean([bool(listen(w, settings).starts) for w in scored]) for settings in SETTINGS.values()]
        expected = {label: expected[label] + float(share) for label, share in zip(SETTINGS, opened, strict=True)}
        shares = "  ".join(f"{share:.2f}" for share in opened) if any(opened) else ""
        print(f"  {recording.path.name:40s} {100 * gate:4.0f} %   {shares}")
    print(f"  {'sum':40s}          " + "  ".join(f"{share:.2f}" for share in expected.values()))


# --- cost ------------------------------------------------------------------------------------------------------------


def model_cost(model: SileroModel) -> None:
    print("\nThe model: CPU per window")
    for size in (1, 4, 16, 64):
        window = Window(0, bytes(2 * (64 + WINDOW_SAMPLES)), restart=False, counts=True)
        batch = [(SileroMemory(), window) for _ in range(size)]
        rounds = 2000 // size
        best = min(_cpu(partial(_score, model, batch, rounds)) for _ in range(3))
        print(f"  batch {size:3d}: {1e6 * best / rounds / size:4.0f} us")


def _score(model: SileroModel, batch: list[tuple[SileroMemory, Window]], rounds: int) -> None:
    for _ in range(rounds):
        model.score(batch)


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


async def microphones(model: SileroModel, sound: bytes | None, count: int, seconds: int) -> float:
    """CPU seconds of `count` microphones in real time; `sound` None measures the clock that drives them alone."""
    frames = [sound[at : at + FRAME_BYTES] for at in range(0, len(sound) - FRAME_BYTES, FRAME_BYTES)] if sound else []
    start = time.process_time()
    async with VadService(model) as vad:
        began = asyncio.get_running_loop().time()

        async def microphone(number: int) -> None:
            segmenter = Segmenter()

            def on_windows(windows: list[ScoredWindow]) -> None:
                segmenter.feed(windows)

            stream = vad.open(on_windows)
            for tick in range(50 * seconds):
                due = began + (tick + number / count) / 50
                await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0))
                if frames:
                    stream.feed(frames[(tick + 7 * number) % len(frames)])

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(microphone(number), name=f"microphone-{number}")
    return time.process_time() - start


def microphone_cost(model: SileroModel, seconds: int = 5) -> None:
    print("\nMicrophones in real time, through VadService and Segmenter: CPU of each, and how many fill a core")
    sounds = {
        r.path.stem: read_wav(r.path) for r in recordings("noise") if "hum60" in r.path.name or "dishes" in r.path.name
    }
    for name, sound in {"digital silence": bytes(FRAME_BYTES * 100), **sounds}.items():
        for count in (1, 16, 64, 128):
            clock = asyncio.run(microphones(model, None, count, seconds))
            cpu = max(asyncio.run(microphones(model, sound, count, seconds)) - clock, 1e-6) / count / seconds
            print(f"  {name:34s} {count:4d} microphones: {1000 * cpu:6.2f} ms/s each, {1 / cpu:6.0f} a core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no noise mixed into speech")
    parser.add_argument("--no-cpu", action="store_true")
    arguments = parser.parse_args()
    model = SileroModel(find_silero())
    if recordings("ko"):
        speech(model, arguments.quick)
        noise_alone(model)
    else:
        print("no recordings here: set SILVERTALK_RECORDINGS to a folder with a manifest.jsonl")
    if not arguments.no_cpu:
        model_cost(model)
        microphone_cost(model)


if __name__ == "__main__":
    main()
