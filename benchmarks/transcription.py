"""How well and how cheaply speech becomes words while it is spoken: `python -m benchmarks.transcription`.

Every recording is spoken in real time to one `IncrementalTranscript`, on a clock that counts samples: a caption pass
starts when the last one has finished and `--interval` of new audio has come, and is taken to last `--pass-base` seconds
and `--pass-slope` more for each second of audio that it hears, so that a run can be repeated on a busy machine. At the
end comes the final pass. CPU and wall times are those of this machine, while it ran; on a busy one only ratios hold.

`manifest` is what faster-whisper (base, int8, greedy, 30 s padding) made of the whole recording at once. Noise is heard
as the language of the session, with no VAD before it: in the product most of it never comes this far.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median, quantiles

from gpu_node.engines import Hypothesis, Samples
from gpu_node.engines.whisper import WhisperEngine
from gpu_node.transcript import TRIM_SECONDS, FinalTranscript, IncrementalTranscript
from gpu_node.weights import Weights
from streaming.audio import FRAME_BYTES, FRAME_SAMPLES, MICROPHONE_RATE, read_wav
from streaming.messages import Language
from streaming.text import character_error_rate
from tests.recordings import Recording, recordings

SHORTEST_SECONDS = 1.0


@dataclass
class Cost:
    """What some passes took on this machine."""

    cpu_seconds: list[float] = field(default_factory=list)
    wall_seconds: list[float] = field(default_factory=list)
    longest_step_seconds: float = 0.0


@dataclass(frozen=True)
class Utterance:
    """One recording, heard."""

    recording: Recording
    final: FinalTranscript
    caption_seconds: tuple[float, ...]
    """When each caption that had words was due, from the start of the recording."""
    stable_share: float

    @property
    def cer(self) -> float:
        return character_error_rate(self.recording.transcript, self.final.text)


class Bench:
    def __init__(self, engine: WhisperEngine, options: argparse.Namespace) -> None:
        self._engine = engine
        self._options = options
        self.captions = Cost()
        self.finals = Cost()

    def utterance(self, recording: Recording, language: Language) -> Utterance:
        """Speak one recording. Raises AssertionError if stable text was taken back."""
        transcript = IncrementalTranscript(language, trim_seconds=self._options.trim)
        pcm = read_wav(recording.path)
        free_at, stable, shown = 0.0, "", []
        for first in range(0, len(pcm) // 2, FRAME_SAMPLES):
            transcript.add(first, pcm[2 * first : 2 * first + FRAME_BYTES])
            now = transcript.end_sample / MICROPHONE_RATE
            if now < free_at or transcript.unheard_samples < self._options.interval * MICROPHONE_RATE:
                continue
            request = transcript.request()
            free_at = now + self._options.pass_base + self._options.pass_slope * request.seconds
            caption = transcript.partial(request, self._pass(request.audio, language, final=False))
            assert caption.stable.startswith(stable), f"{recording.path.name}: {stable!r} became {caption.stable!r}"
            stable = caption.stable
            if caption.stable or caption.tentative:
                shown.append(free_at)
        request = transcript.request()
        final = transcript.final(request, self._pass(request.audio, language, final=True))
        assert final.text.startswith(stable), f"{recording.path.name}: {stable!r} became {final.text!r}"
        return Utterance(recording, final, tuple(shown), len(stable) / max(len(final.text), 1))

    def _pass(self, audio: Samples, language: Language, *, final: bool) -> Hypothesis:
        cost = self.finals if final else self.captions
        cpu, wall = time.process_time(), time.perf_counter()
        heard: Hypothesis | None = None
        for step in self._timed(self._engine.transcribe(audio, language=language, final=final), cost):
            heard = step
        cost.cpu_seconds.append(time.process_time() - cpu)
        cost.wall_seconds.append(time.perf_counter() - wall)
        assert heard is not None, "a pass ends with a hypothesis"
        return heard

    @staticmethod
    def _timed(steps: Iterator[Hypothesis | None], cost: Cost) -> Iterator[Hypothesis | None]:
        while True:
            began = time.perf_counter()
            try:
                step = next(steps)
            except StopIteration:
                return
            cost.longest_step_seconds = max(cost.longest_step_seconds, time.perf_counter() - began)
            yield step


def speech(bench: Bench, language: Language, limit: int | None) -> None:
    clips = [clip for clip in recordings(language) if clip.seconds > SHORTEST_SECONDS and clip.asr_cer is not None]
    heard = [bench.utterance(clip, language) for clip in clips[:limit]]
    if not heard:
        print(f"{language}: no recordings here")
        return
    expected = fmean(clip.recording.asr_cer or 0.0 for clip in heard)
    worse = [u.recording.path.name for u in heard if u.cer > 1 and (u.recording.asr_cer or 0.0) <= 1]
    long = [u for u in heard if u.recording.seconds > 3]
    audio_seconds = sum(u.recording.seconds for u in heard)
    print(f"{language}: {len(heard)} recordings, {audio_seconds:.0f} s")
    print(f"  mean CER             {fmean(u.cer for u in heard):.4f}   manifest {expected:.4f}")
    print(f"  above 1.0            {len(worse)}  {' '.join(worse)}")
    print(f"  refused              {[(u.recording.path.name, u.final.rejected) for u in heard if u.final.rejected]}")
    print(f"  captions             {fmean(len(u.caption_seconds) for u in heard):.1f} a recording", end="; ")
    print(f"two or more in {fmean(len(u.caption_seconds) >= 2 for u in long):.0%} of {len(long)} over 3 s", end="; ")
    print(f"first after {median(u.caption_seconds[0] for u in long if u.caption_seconds):.2f} s")
    print(f"  stable before final  {fmean(u.stable_share for u in heard):.0%} of the text")
    for name, cost in (("caption passes", bench.captions), ("final passes", bench.finals)):
        if cost.wall_seconds:
            print(f"  {name:20} {_summary(cost, audio_seconds)}")


def _summary(cost: Cost, audio_seconds: float) -> str:
    edges = quantiles(cost.wall_seconds, n=20) if len(cost.wall_seconds) > 1 else cost.wall_seconds * 19
    return (
        f"CPU {sum(cost.cpu_seconds) / audio_seconds:.3f} s per second of audio; "
        f"wall p50 {edges[9]:.2f} s, p95 {edges[18]:.2f} s; longest step {cost.longest_step_seconds:.2f} s"
    )


def noise(bench: Bench, language: Language, limit: int | None) -> None:
    heard = [bench.utterance(clip, language) for clip in recordings("noise")[:limit]]
    answered = sum(not u.final.rejected for u in heard)
    captioned = sum(bool(u.caption_seconds) for u in heard)
    print(f"noise as {language}, no VAD: {answered} of {len(heard)} would be answered, {captioned} showed a caption")
    for u in heard:
        verdict = u.final.rejected or f"ANSWERED {u.final.text[:60]!r}"
        print(f"  {u.recording.path.name:40} {verdict}{'   (captions)' if u.caption_seconds else ''}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", nargs="*", default=["ko", "en"], choices=["ko", "en"])
    parser.add_argument("--model", type=Path, help="a folder with another CTranslate2 Whisper")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--final-beam", type=int, default=5)
    parser.add_argument(
        "--interval", type=float, default=0.7, help="seconds of new audio that a caption pass waits for"
    )
    parser.add_argument("--pass-base", type=float, default=0.1)
    parser.add_argument("--pass-slope", type=float, default=0.04)
    parser.add_argument("--trim", type=float, default=TRIM_SECONDS)
    parser.add_argument("--limit", type=int, help="only so many recordings of each kind")
    parser.add_argument("--no-noise", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "silvertalk")
    options = parser.parse_args(arguments)
    weights = Weights(models_root=None, cache=options.cache, offline=True)
    engine = WhisperEngine(
        options.model or weights.folder("whisper-base"),
        device=options.device,
        compute_type=options.compute_type,
        threads=options.threads,
        final_beam=options.final_beam,
    )
    engine.warm_up()
    for language in options.languages:
        speech(Bench(engine, options), language, options.limit)
    if not options.no_noise:
        noise(Bench(engine, options), "ko", options.limit)


if __name__ == "__main__":
    main()
