"""Is the voice understood, and how soon does it speak: `python -m benchmarks.tts_round_trip`.

Each text is spoken, and whisper-base (int8, greedy, padded to 30 s as it comes) writes down what it hears. Texts:
`own` (benchmarks/tts_sentences.py; the Korean pronunciation was tuned on these) and `recorded` (transcripts of the
recordings in `tests/recordings.py`; nothing was ever tuned on them). Both sides are put into spoken form first, so that
`3시` equals `세 시`. Korean is counted in characters without spaces (CER), English in words (WER).

The machine's recogniser is the judge; it is no substitute for a person who listens.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from benchmarks.tts_sentences import ENGLISH, KOREAN
from gpu_node import english_text, korean_text
from gpu_node.engines import Samples, TextToSpeech
from gpu_node.engines.kokoro import DEFAULT_VOICE, Kokoro
from gpu_node.engines.piper import Piper
from gpu_node.weights import Weights
from streaming.messages import Language
from tests.recordings import recordings

CLAUSES = (
    "네, 알겠어요.",
    "오늘 날씨가 참 좋네요.",
    "그 이야기를 조금 더 들려주세요.",
    "할머니가 끓여 주신 된장국이 생각나요.",
    "잘 들리지 않아서 그런데 한 번만 더 말씀해 주시겠어요?",
    "어릴 때 사시던 동네의 시장이 어떤 모습이었는지 천천히 이야기해 주시면 참 좋겠어요.",
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One text as it was said and heard."""

    text: str
    heard: str
    errors: int
    length: int
    first_seconds: float
    wall_seconds: float
    cpu_seconds: float
    audio_seconds: float


def recorded_texts(language: Language, count: int, seed: int) -> list[str]:
    """A sample of the recordings' transcripts (Korean: those of the TEDxKR talks), the same for the same seed."""
    texts = [r.transcript for r in recordings(language) if language != "ko" or r.path.name.startswith("pansori")]
    texts = [text for text in texts if 5 < len(text) < 200]
    return random.Random(seed).sample(texts, min(count, len(texts)))


def units(text: str, language: Language) -> list[str]:
    """What is counted: characters without spaces in Korean, words in English."""
    if language == "ko":
        return list(re.sub(r"[^\w]", "", korean_text.spoken(text).lower()))
    return [re.sub(r"[^\w']", "", word) for word in english_text.spoken(text).lower().split()]


def distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Levenshtein's."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def listener(weights: Weights, threads: int) -> Callable[[Samples, int, Language], str]:
    sys.modules.setdefault("av", types.ModuleType("av"))  # imported by faster-whisper, used for files alone
    from faster_whisper import WhisperModel

    model = WhisperModel(str(weights.folder("whisper-base")), device="cpu", compute_type="int8", cpu_threads=threads)

    def hear(audio: Samples, rate: int, language: Language) -> str:
        resampled = soxr.resample(audio, rate, 16_000).astype(np.float32)
        segments, _ = model.transcribe(
            resampled, language=language, beam_size=1, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(segment.text.strip() for segment in segments)

    return hear


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(engine: TextToSpeech, text: str, language: Language, voice: str, speed: float) -> tuple[Samples, list[float]]:
    """The audio, and seconds: to the first chunk, to the last, of CPU."""
    cpu, began = cpu_seconds(), time.perf_counter()
    chunks, first = [], 0.0
    for chunk in engine.synthesize(text, language=language, voice=voice, speed=speed):
        first = first or time.perf_counter() - began
        chunks.append(chunk)
    return np.concatenate(chunks), [first, time.perf_counter() - began, cpu_seconds() - cpu]


def round_trip(
    engine: TextToSpeech,
    hear: Callable[[Samples, int, Language], str],
    texts: Sequence[str],
    *,
    language: Language,
    voice: str,
    speed: float,
) -> list[Spoken]:
    results = []
    for text in texts:
        audio, (first, wall, cpu) = say(engine, text, language, voice, speed)
        heard = hear(audio, engine.sample_rate, language)
        wanted = units(text, language)
        errors = distance(wanted, units(heard, language))
        results.append(Spoken(text, heard, errors, len(wanted), first, wall, cpu, len(audio) / engine.sample_rate))
    return results


def report(name: str, results: Sequence[Spoken], *, verbose: bool) -> None:
    rates = [spoken.errors / spoken.length for spoken in results]
    audio = sum(spoken.audio_seconds for spoken in results)
    print(
        f"{name:34s} {len(results):4d} {statistics.mean(rates):6.3f} {statistics.median(rates):6.3f}"
        f" {sum(s.errors for s in results) / sum(s.length for s in results):6.3f}"
        f" {sum(rate == 0 for rate in rates) / len(rates):6.0%}"
        f" {sum(s.wall_seconds for s in results) / audio:6.2f} {sum(s.cpu_seconds for s in results) / audio:6.2f}",
        flush=True,
    )
    if verbose:
        for spoken, rate in sorted(zip(results, rates, strict=True), key=lambda pair: -pair[1]):
            print(f"    {rate:4.2f} {spoken.text}\n         {spoken.heard}")


def latency(engine: TextToSpeech, speed: float) -> None:
    print(f"\n{'clause (Korean)':10s} {'audio s':>8s} {'first chunk ms':>15s} {'all ms':>8s} {'RTF':>6s} {'CPU s':>6s}")
    for clause in CLAUSES:
        runs = [say(engine, clause, "ko", DEFAULT_VOICE, speed) for _ in range(4)][1:]
        first, wall, cpu = (min(times[n] for _, times in runs) for n in range(3))
        seconds = len(runs[0][0]) / engine.sample_rate
        syllables = len(units(clause, "ko"))
        figures = f"{seconds:8.2f} {1000 * first:15.0f} {1000 * wall:8.0f} {wall / seconds:6.2f} {cpu:6.2f}"
        print(f"{syllables:3d} syll.  {figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", nargs="+", default=[DEFAULT_VOICE], help="Kokoro's, or `all`")
    parser.add_argument("--count", type=int, default=40, help="recorded transcripts to speak (default 40)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=0.9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("own", "recorded", "english", "latency"), help="one part of the table")
    parser.add_argument("--verbose", action="store_true", help="what was heard, the worst first")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "silvertalk-weights")
    arguments = parser.parse_args()

    weights = Weights(models_root=None, cache=arguments.cache, offline=True)
    kokoro = Kokoro(weights, threads=arguments.threads)
    kokoro.warm_up()
    voices = kokoro.voices if arguments.voices == ["all"] else arguments.voices
    parts = (arguments.only,) if arguments.only else ("own", "recorded", "english", "latency")
    hear = listener(weights, arguments.threads)
    columns = "".join(f" {name:>6s}" for name in ("mean", "median", "pooled", "exact", "RTF", "CPU/s"))
    print(f"{'voice and texts':34s} {'n':>4s}{columns}")

    def measure(engine: TextToSpeech, name: str, texts: Sequence[str], language: Language, voice: str) -> None:
        if texts:
            results = round_trip(engine, hear, texts, language=language, voice=voice, speed=arguments.speed)
            report(name, results, verbose=arguments.verbose)

    for voice in voices:
        if "own" in parts:
            measure(kokoro, f"{voice} ko own (CER)", KOREAN, "ko", voice)
        if "recorded" in parts:
            texts = recorded_texts("ko", arguments.count, arguments.seed)
            measure(kokoro, f"{voice} ko recorded (CER)", texts, "ko", voice)
        if "english" in parts:
            measure(kokoro, f"{voice} en own (WER)", ENGLISH, "en", voice)
    if "english" in parts:
        measure(Piper(weights, threads=arguments.threads), "piper en own (WER)", ENGLISH, "en", "")
    if "latency" in parts:
        latency(kokoro, arguments.speed)


if __name__ == "__main__":
    main()
