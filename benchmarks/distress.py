"""Are calls for help heard as such, and is nothing else: `python -m benchmarks.distress`.

Every sentence of `benchmarks.distress_sentences` is spoken (Korean by Kokoro's voices, English by Kokoro and Piper, at
several speeds, slow ones among them), written down by Whisper as a node's final pass does it, guards included, and
judged by `silvertalk.distress`. So is every recording of `tests/recordings.py`, each noise in both languages; none of
those may be taken for distress. A row is right where the kind is right, or where nothing was found and nothing was to
be.

Kokoro speaks Korean with an accent that Whisper often cannot follow: what it wrote is counted as understood where no
more than `UNDERSTOOD_CER` of it is wrong, and the table gives both, all and understood. Words can only find words.

Transcripts are kept in `--cache-folder`, by what was spoken and how: a second run takes seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soxr

from benchmarks.distress_sentences import SENTENCES, Row
from gpu_node.engines import Samples, TextToSpeech
from gpu_node.engines.kokoro import Kokoro
from gpu_node.engines.piper import Piper
from gpu_node.engines.whisper import WhisperEngine
from gpu_node.transcript import IncrementalTranscript
from gpu_node.weights import Weights
from silvertalk.distress import distress_in
from streaming.audio import MICROPHONE_RATE, Pcm, read_wav
from streaming.messages import Language
from streaming.text import character_error_rate
from tests.recordings import Kind, recordings

VOICES: dict[Language, tuple[str, ...]] = {
    "ko": ("jf_nezumi", "jf_alpha", "jf_gongitsune", "jf_tebukuro", "jm_kumo"),
    "en": ("piper", "jf_nezumi", "jm_kumo"),
}
SPEEDS = (1.0, 0.75, 0.9, 1.1)
"""0.75 of the voice's own pace: about the slowest that still is speech and not a chant."""
CLEAR: dict[Language, tuple[str, float]] = {"ko": ("jf_nezumi", 0.9), "en": ("piper", 0.9)}
"""The voice that is understood best, at the pace for older listeners: who calls for help speaks so once as well."""
RENDERINGS: dict[Row, int] = {"emergency": 2, "despair": 2, "calm": 1}
"""How often each sentence is spoken, each time by another voice at another speed."""
UNDERSTOOD_CER = 0.15
"""A sentence of seven syllables with one of them wrong."""
HALVES = ("tuned", "held out")
EDGE_SECONDS = 0.3
"""Of quiet before and after the words, as a microphone's pre-roll and endpoint leave it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence as one voice said it and Whisper heard it. `half`: which half of the sentences it belongs to."""

    row: Row
    language: Language
    half: str
    text: str
    voice: str
    speed: float
    heard: str

    @property
    def understood(self) -> bool:
        return character_error_rate(self.text, self.heard) <= UNDERSTOOD_CER

    @property
    def right(self) -> bool:
        return self.found == self.row

    @property
    def found(self) -> Row:
        distress = distress_in(self.heard, self.language)
        return distress.kind if distress else "calm"


class Ear:
    """Whisper as a node's final pass runs it; transcripts are kept in `folder`."""

    def __init__(self, weights: Weights, folder: Path, threads: int) -> None:
        self._weights = weights
        self._threads = threads
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def _engine(self) -> WhisperEngine:
        engine = WhisperEngine(self._weights.folder("whisper-base"), threads=self._threads)
        engine.warm_up()
        return engine

    def kept(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"

    def heard(self, name: str, language: Language) -> str | None:
        """What was made of the audio called `name` before; None if it was not heard yet."""
        path = self.kept(f"{language} {name}")
        return str(json.loads(path.read_text(encoding="utf-8"))["heard"]) if path.is_file() else None

    def hear(self, name: str, pcm: Pcm, language: Language) -> str:
        transcript = IncrementalTranscript(language)
        transcript.add(0, pcm)
        request = transcript.request()
        hypotheses = [h for h in self._engine.transcribe(request.audio, language=language, final=True) if h]
        text = transcript.final(request, hypotheses[-1]).text
        kept = json.dumps({"name": name, "heard": text}, ensure_ascii=False)
        self.kept(f"{language} {name}").write_text(kept, encoding="utf-8")
        return text


class Mouth:
    """The voices; each model is loaded when a sentence of its is not in the cache."""

    def __init__(self, weights: Weights, threads: int) -> None:
        self._weights = weights
        self._threads = threads

    @cached_property
    def _kokoro(self) -> TextToSpeech:
        return Kokoro(self._weights, threads=self._threads)

    @cached_property
    def _piper(self) -> TextToSpeech:
        return Piper(self._weights, threads=self._threads)

    def say(self, text: str, language: Language, voice: str, speed: float) -> Pcm:
        """PCM16 at the microphone's rate, with a moment of quiet around it."""
        engine = self._piper if voice == "piper" else self._kokoro
        said: Samples = np.concatenate(list(engine.synthesize(text, language=language, voice=voice, speed=speed)))
        samples = soxr.resample(said, engine.sample_rate, MICROPHONE_RATE)
        quiet = np.zeros(round(EDGE_SECONDS * MICROPHONE_RATE), dtype=samples.dtype)
        framed = np.clip(np.concatenate([quiet, samples, quiet]), -1.0, 1.0)
        pcm: bytes = (framed * 32767).astype("<i2").tobytes()
        return pcm


def manners(language: Language, row: Row, index: int) -> Iterator[tuple[str, float]]:
    """The voices and speeds in which the sentence of this index is spoken. Both halves get every one of them."""
    voices = VOICES[language]
    for rendering in range(RENDERINGS[row]):
        turn = index // 2 + 2 * rendering
        yield voices[turn % len(voices)], SPEEDS[(turn + rendering) % len(SPEEDS)]
    if row != "calm":
        yield CLEAR[language]


def spoken(mouth: Mouth, ear: Ear) -> Iterator[Spoken]:
    """Every sentence in every manner that its row asks for."""
    for language, rows in SENTENCES.items():
        for row, texts in rows.items():
            for index, text in enumerate(texts):
                for voice, speed in dict.fromkeys(manners(language, row, index)):
                    name = f"{voice} {speed} {text}"
                    heard = ear.heard(name, language)
                    if heard is None:
                        heard = ear.hear(name, mouth.say(text, language, voice, speed), language)
                    yield Spoken(row, language, HALVES[index % 2], text, voice, speed, heard)


def recorded(ear: Ear) -> Iterator[tuple[str, Language, str]]:
    """Each recording: its name, the language it was heard as, its words."""
    heard_as: dict[Kind, tuple[Language, ...]] = {"ko": ("ko",), "en": ("en",), "noise": ("ko", "en")}
    for kind, languages in heard_as.items():
        for recording in recordings(kind):
            for language in languages:
                name = f"{kind}/{recording.path.name}"
                heard = ear.heard(name, language)
                if heard is None:
                    heard = ear.hear(name, read_wav(recording.path), language)
                yield name, language, heard


def table_row(name: str, some: Sequence[Spoken]) -> None:
    """How many were right, of all and of those that Whisper understood, and what all were taken for."""
    if not some:
        return
    clear = [s for s in some if s.understood]
    kinds: tuple[Row, ...] = ("emergency", "despair", "calm")
    counts = " ".join(f"{sum(s.found == kind for s in some):4d}" for kind in kinds)
    share, clear_share = (sum(s.right for s in group) / max(len(group), 1) for group in (some, clear))
    print(f"{name:26s} {len(some):4d} {share:7.1%}  {len(clear):10d} {clear_share:7.1%}   {counts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "silvertalk-weights")
    parser.add_argument("--cache-folder", type=Path, default=Path(tempfile.gettempdir()) / "silvertalk-distress")
    parser.add_argument("--show", choices=HALVES, nargs="*", default=[], help="the halves whose faults are printed")
    options = parser.parse_args()

    weights = Weights(models_root=None, cache=options.cache, offline=True)
    ear, mouth = Ear(weights, options.cache_folder, options.threads), Mouth(weights, options.threads)
    results = list(spoken(mouth, ear))
    print(f"{'spoken':26s} {'n':>4s} {'right':>7s}  {'understood':>10s} {'right':>7s}   as emergency, despair, calm")
    for language, rows in SENTENCES.items():
        for row in rows:
            for half in HALVES:
                some = [s for s in results if (s.language, s.row, s.half) == (language, row, half)]
                table_row(f"{language} {row}, {half}", some)
    for voice in sorted({s.voice for s in results if s.language == "ko"}):
        table_row(
            f"ko calls, {voice}", [s for s in results if (s.language, s.voice) == ("ko", voice) and s.row != "calm"]
        )
    for s in results:
        if s.half in options.show and not s.right:
            print(f"  {s.row} as {s.found}: {s.text} | {s.heard} ({s.voice} {s.speed})")

    clips = list(recorded(ear))
    fired = [(name, heard) for name, language, heard in clips if distress_in(heard, language)]
    print(f"{'recordings, none of them distress':34s} {len(clips):4d} {len(fired)} taken for distress")
    for name, heard in fired:
        print(f"  {name}: {heard}")


if __name__ == "__main__":
    main()
