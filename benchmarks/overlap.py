"""Who is that, speaking while 복실이 speaks: `python -m benchmarks.overlap` (`--only echo nods …`, `--verbose`).

Every case is a scene of a few seconds at a microphone: a reply is played, and with it comes its own echo from a small
loudspeaker in a small room, a nod, a noise, or somebody who breaks in. The scene goes through the product's own gate,
detector and segmenter; captions and final passes are Whisper's, at the times that a node would make them (on a clock
that counts samples, a pass taken to last `--pass-base` seconds and `--pass-slope` more for each second heard); and
`silvertalk.overlap` judges each as a gateway does: until somebody speaks, or until the candidate has fallen silent.

Voices are Kokoro's; with the recordings of `tests/recordings.py` real people break in too, and real noises are heard.
Half of the cases of each row (every other one, from the first) were looked at while the
rules were made, the other half were not.
What the engines made is kept in `--cache`, so that a second run takes seconds. Mixes are made here and kept nowhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np
import soxr

from benchmarks import overlap_sentences as sentences
from benchmarks.vad import score_all
from gpu_node.engines import Hypothesis, Samples, Word
from gpu_node.engines.kokoro import Kokoro
from gpu_node.engines.whisper import WhisperEngine
from gpu_node.transcript import IncrementalTranscript, PassRequest
from gpu_node.weights import Weights
from silvertalk.echo_ear import EchoEar
from silvertalk.overlap import Verdict, judge
from streaming.audio import MICROPHONE_RATE, float_to_pcm16, pcm16_to_float, read_wav, samples_to_ms
from streaming.echo_witness import EchoWitness, Played
from streaming.messages import Language
from streaming.segmenter import Segmenter, SpeechPaused, SpeechResumed, SpeechStarted
from streaming.vad import ScoredWindow, SileroModel, find_silero
from tests.recordings import recordings

SPEECH_DBFS = -20.0
FLOOR_DBFS = -68.0
LEAD, TAIL = 0.6, 1.2
"""Seconds of quiet room before the reply begins, and after the last sound."""
ECHO_DB = (-12.0, -16.0, -20.0, -25.0)
"""The echo, against a person who speaks at the microphone."""
BREAKS_IN_AT = 1.1
"""Seconds from the reply's start."""
VOICES = ("jf_alpha", "jm_kumo", "jf_gongitsune")
OPENINGS = (0.8, 1.2, 1.6, 2.0, 2.5, 3.0)
LONGEST_BREAKING_OFF, LONGEST_GOING_ON = 1.2, 10.0
"""Seconds of a recording that are heard of somebody who breaks in."""
AROUND_SECONDS = 3.0
"""Audible, of the reply, are the sentences that sounded from so long before the candidate's onset until now."""
NO_TURN = "no turn"
INTERVAL = 0.7


@dataclass(frozen=True)
class Reply:
    """A reply as it is played: its audio, and its sentences, each with the seconds at which it begins and ends."""

    audio: Samples
    sentences: tuple[tuple[float, float, str], ...]

    def played(self, first: float, last: float) -> str:
        """What a gateway takes for audible: the sentences of which something sounds within these seconds."""
        return " ".join(text for begins, ends, text in self.sentences if begins < last and ends > first)


@dataclass(frozen=True)
class Case:
    """One scene. `speech`: somebody wants the floor in it; `onset`: where the person begins, in seconds."""

    row: str
    name: str
    language: Language
    reply: Reply
    scene: Samples
    onset: float = LEAD
    question_open: bool = False
    speech: bool = False


@dataclass
class Outcome:
    """What became of a case: the verdict that stood, and how long after the onset it was given."""

    verdict: str = NO_TURN
    seconds: float = 0.0
    settled: bool = False
    heard: list[str] = field(default_factory=list)


# --- engines ---------------------------------------------------------------------------------------------------------


class Studio:
    """The voice and the ear, each asked once for the same thing."""

    def __init__(self, cache: Path, weights: Path) -> None:
        self._cache = cache
        self._weights = Weights(models_root=None, cache=weights, offline=True)
        self._kokoro: Kokoro | None = None
        self._whisper: WhisperEngine | None = None
        cache.mkdir(parents=True, exist_ok=True)

    def say(self, text: str, language: Language, voice: str, speed: float = 0.95) -> Samples:
        """`text` at 16 kHz and SPEECH_DBFS."""
        path = self._path("voice", text, language, voice, str(speed)).with_suffix(".npy")
        if not path.is_file():
            self._kokoro = self._kokoro or Kokoro(self._weights)
            audio = np.concatenate(list(self._kokoro.synthesize(text, language=language, voice=voice, speed=speed)))
            np.save(path, soxr.resample(audio, self._kokoro.sample_rate, MICROPHONE_RATE).astype(np.float32))
        return at_level(np.load(path), SPEECH_DBFS)

    def hear(self, audio: Samples, language: Language, *, final: bool) -> Hypothesis:
        digest = hashlib.sha256(audio.tobytes()).hexdigest()
        path = self._path("ear", digest, language, str(final)).with_suffix(".json")
        if not path.is_file():
            if self._whisper is None:
                self._whisper = WhisperEngine(self._weights.folder("whisper-base"), threads=1)
            *_, heard = self._whisper.transcribe(audio, language=language, final=final)
            assert heard is not None, "a pass ends with a hypothesis"
            path.write_text(json.dumps(asdict(heard), ensure_ascii=False), encoding="utf-8")
        row = json.loads(path.read_text(encoding="utf-8"))
        words = tuple(Word(**word) for word in row.pop("words"))
        return Hypothesis(words=words, **{**row, "segment_ends_seconds": tuple(row["segment_ends_seconds"])})

    def _path(self, *key: str) -> Path:
        return self._cache / hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]

    def reply(self, text: str, language: Language) -> Reply:
        """Spoken in 복실이's voice, sentence by sentence."""
        audio: list[Samples] = []
        parts: list[tuple[float, float, str]] = []
        for sentence in re.findall(r"\S[^.?!]*[.?!]", text):
            audio.append(self.say(sentence, language, "jf_nezumi"))
            began = parts[-1][1] if parts else 0.0
            parts.append((began, began + len(audio[-1]) / MICROPHONE_RATE, sentence))
        return Reply(np.concatenate(audio), tuple(parts))


# --- sound -----------------------------------------------------------------------------------------------------------


def at_level(audio: Samples, dbfs: float) -> Samples:
    loud = audio[np.abs(audio) > 0.01 * np.abs(audio).max()]
    gain = 10 ** (dbfs / 20) / float(np.sqrt(np.mean(loud**2)))
    return np.asarray(audio * gain, np.float32)


def echo(audio: Samples, db: float, seed: int) -> Samples:
    """`audio` as it comes back: a loudspeaker the size of a coin (300 to 3400 Hz), 60 ms late, in a room of 0.25 s."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(audio)
    hertz = np.fft.rfftfreq(len(audio), 1 / MICROPHONE_RATE)
    small = np.fft.irfft(spectrum / (1 + (300 / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / 3400) ** 4), len(audio))
    late = np.arange(int(0.25 * MICROPHONE_RATE)) / MICROPHONE_RATE
    room = 0.05 * rng.standard_normal(len(late)) * np.exp(-late / 0.036)
    room[0] = 1.0
    for first in rng.uniform(0.003, 0.03, 4):
        room[int(first * MICROPHONE_RATE)] += rng.uniform(0.2, 0.5)
    heard = at_level(np.convolve(small, room).astype(np.float32), SPEECH_DBFS + db)
    return np.concatenate([np.zeros(int(0.06 * MICROPHONE_RATE), np.float32), heard])


def scene(seed: int, *parts: tuple[float, Samples]) -> Samples:
    """`parts`, each from its second on, in a quiet room."""
    length = max(int(at * MICROPHONE_RATE) + len(audio) for at, audio in parts) + int(TAIL * MICROPHONE_RATE)
    room = np.random.default_rng(seed).standard_normal(length).astype(np.float32) * np.float32(10 ** (FLOOR_DBFS / 20))
    for at, audio in parts:
        first = int(at * MICROPHONE_RATE)
        room[first : first + len(audio)] += audio
    return np.asarray(np.clip(room, -1.0, 1.0), np.float32)


def opening(audio: Samples, seconds: float) -> Samples:
    """The first `seconds` of what is said, from its first sound on; faded out, not chopped."""
    loud = np.flatnonzero(np.abs(audio) > 0.05 * np.abs(audio).max())
    cut = audio[max(0, loud[0] - 1600) :][: int(seconds * MICROPHONE_RATE)].copy()
    cut[-800:] *= np.linspace(1, 0, min(800, len(cut)), dtype=np.float32)
    return cut


# --- cases -----------------------------------------------------------------------------------------------------------


def echoes(studio: Studio, language: Language) -> Iterator[Case]:
    texts = sentences.REPLIES if language == "ko" else sentences.REPLIES_EN
    for number, text in enumerate(texts):
        reply = studio.reply(text, language)
        for db in (ECHO_DB[number % 4], ECHO_DB[(number + 1) % 4]) if language == "en" else (ECHO_DB[number % 4],):
            heard = scene(number, (LEAD, echo(reply.audio, db, number)))
            yield Case(f"echo, {language}", f"{db:g} dB {text}", language, reply, heard)


def nods(studio: Studio, language: Language) -> Iterator[Case]:
    """Each in two or three voices; every other one over an echo."""
    texts = sentences.NODS if language == "ko" else sentences.NODS_EN
    voices = VOICES[:2] if language == "ko" else (*VOICES, "jf_nezumi")
    number = 0
    for voice in voices:
        for text in texts:
            number += 1
            reply = a_reply(studio, language, number)
            said = studio.say(text, language, voice, 0.9 + 0.1 * (number % 3))
            parts = [(LEAD + BREAKS_IN_AT, said)]
            if number % 4 >= 2:
                parts.append((LEAD, echo(reply.audio, -25.0, number)))
            heard = scene(number, *parts)
            yield Case(f"nod, {language}", f"{voice} {text}", language, reply, heard, LEAD + BREAKS_IN_AT)


def answers(studio: Studio) -> Iterator[Case]:
    """The same nods, where a question is open and nothing is played any more."""
    for case in nods(studio, "ko"):
        if any(
            word in case.name for word in ("네", "응", "예", "그래", "맞아", "그럼", "그렇", "하모", "그라제", "기여")
        ):
            said = studio.say(case.name.split(" ", 1)[1], "ko", case.name.split(" ", 1)[0], 0.95)
            yield Case(
                "nod that answers", case.name, "ko", case.reply, scene(1, (LEAD, said)), question_open=True, speech=True
            )


def noises(studio: Studio) -> Iterator[Case]:
    """Five seconds of each noise at a time, as recorded and 10 dB louder, while a reply is played; the same where a
    question of it is open, and the louder beside the reply's echo."""
    number = 0
    for recording in recordings("noise"):
        audio = pcm16_to_float(read_wav(recording.path))
        row = "television" if "tv" in recording.path.name else "noise"
        for first in range(0, len(audio), 5 * MICROPHONE_RATE):
            piece = audio[first : first + 5 * MICROPHONE_RATE]
            if len(piece) < MICROPHONE_RATE:
                continue
            for gain in (1.0, 3.16):
                number += 1
                reply, sound = a_reply(studio, "ko", number), (LEAD, piece * np.float32(gain))
                name = f"{recording.path.stem} {first // MICROPHONE_RATE} s x{gain:g}"
                alone = Case(row, name, "ko", reply, scene(number, sound))
                yield alone
                yield replace(alone, row=f"{row}, question", question_open=True)
                if gain > 1:
                    both = scene(number, sound, (LEAD, echo(reply.audio, ECHO_DB[number // 2 % 4], number)))
                    yield replace(alone, row=f"{row}, over echo", scene=both)


def made_noises(studio: Studio) -> Iterator[Case]:
    """Coughs as a burst of noise through a throat: two or three of them, falling; without any recordings."""
    for number in range(40):
        rng = np.random.default_rng(number)
        late = np.arange(int(0.35 * MICROPHONE_RATE)) / MICROPHONE_RATE
        throat = np.exp(-late / rng.uniform(0.04, 0.12)) * (1 - np.exp(-late / 0.004))
        parts = []
        for cough in range(1 + number % 3):
            burst = rng.standard_normal(len(late))
            for hertz in rng.uniform((500, 1200, 2300), (900, 1800, 3200)):
                ring = np.exp(-late[:400] * 500) * np.sin(2 * np.pi * hertz * late[:400])
                burst += 3 * np.convolve(burst, ring)[: len(late)] / np.sqrt(len(ring))
            parts.append((LEAD + 0.5 + 0.4 * cough, at_level((burst * throat).astype(np.float32), -18.0)))
        yield Case("cough, made", f"{number}", "ko", a_reply(studio, "ko", number), scene(number, *parts))


def people(studio: Studio) -> Iterator[tuple[str, str, Samples]]:
    """Who breaks in: row, words, sound. Who means it goes on: a recording's first 1.6 to 3 s, or all of it. Those
    that are over after 0.8 or 1.2 s, in the middle of a word, are rows of their own."""
    for number, text in enumerate(sentences.INTERRUPTIONS * 2):
        yield "breaks in, spoken", text, studio.say(text, "ko", VOICES[(number + number // 24) % 3], 1.0)
    for number, recording in enumerate([r for r in recordings("ko") if 3.2 < r.seconds < 60][:48]):
        audio = at_level(pcm16_to_float(read_wav(recording.path)), SPEECH_DBFS)
        shortest = OPENINGS[number % 6]
        for seconds in (shortest,) if shortest > LONGEST_BREAKING_OFF else (shortest, LONGEST_GOING_ON):
            row = "breaks in, recorded" if seconds > LONGEST_BREAKING_OFF else "breaks off, recorded"
            yield row, f"{recording.path.stem} {seconds:g} s", opening(audio, seconds)


def interruptions(studio: Studio) -> Iterator[Case]:
    for number, (row, words, said) in enumerate(people(studio)):
        heard = scene(number, (LEAD + BREAKS_IN_AT, said))
        reply = a_reply(studio, "ko", number)
        yield Case(row, words, "ko", reply, heard, LEAD + BREAKS_IN_AT, speech=True)


def interruptions_over_echo(studio: Studio) -> Iterator[Case]:
    """Every other pair of them, heard beside all of the echo: nobody is turned down in time for the first words."""
    for number, (row, words, said) in enumerate(people(studio)):
        if number % 4 < 2:
            reply, db = a_reply(studio, "ko", number), ECHO_DB[number // 4 % 4]
            heard = scene(number, (LEAD + BREAKS_IN_AT, said), (LEAD, echo(reply.audio, db, number)))
            row = f"{row.split(',')[0]}, over echo"
            yield Case(row, f"{db:g} dB {words}", "ko", reply, heard, LEAD + BREAKS_IN_AT, speech=True)


def english_interruptions(studio: Studio) -> Iterator[Case]:
    for number in range(5 * len(sentences.INTERRUPTIONS_EN)):
        text = sentences.INTERRUPTIONS_EN[number % 8]
        reply = a_reply(studio, "en", number)
        said = studio.say(text, "en", ("jf_nezumi", *VOICES)[(number // 8) % 4], 0.9 + 0.05 * (number // 8))
        parts = [(LEAD + BREAKS_IN_AT, said)]
        if number % 2:
            parts.append((LEAD, echo(reply.audio, ECHO_DB[number // 2 % 4], number)))
        yield Case("breaks in, en", text, "en", reply, scene(number, *parts), LEAD + BREAKS_IN_AT, speech=True)


def a_reply(studio: Studio, language: Language, number: int) -> Reply:
    texts = sentences.REPLIES if language == "ko" else sentences.REPLIES_EN
    return studio.reply(texts[number % len(texts)], language)


PARTS: dict[str, Callable[[Studio], Iterator[Case]]] = {
    "echo": lambda studio: echoes(studio, "ko"),
    "nods": lambda studio: nods(studio, "ko"),
    "answers": answers,
    "noise": noises,
    "coughs": made_noises,
    "alone": interruptions,
    "over-echo": interruptions_over_echo,
    "english-echo": lambda studio: echoes(studio, "en"),
    "english-nods": lambda studio: nods(studio, "en"),
    "english-interruptions": english_interruptions,
}


def heard_played(reply: Reply) -> Played:
    """What a gateway knows of the reply as it is played: its sound, and acknowledgements that come 30 ms late or
    less."""
    played = Played(MICROPHONE_RATE)
    played.add(0, float_to_pcm16(reply.audio))
    late = np.random.default_rng(len(reply.audio)).integers(0, MICROPHONE_RATE * 30 // 1000, len(reply.audio))
    for sample in range(0, len(reply.audio), MICROPHONE_RATE // 5):
        played.is_at(sample, int(LEAD * MICROPHONE_RATE) + sample + int(late[sample]))
    return played


# --- a gateway and a node, on a clock that counts samples -------------------------------------------------------------


class Contest:
    """One scene, listened to until somebody speaks."""

    def __init__(self, case: Case, studio: Studio, options: argparse.Namespace) -> None:
        self._case = case
        self._studio = studio
        self._options = options
        self._pcm = float_to_pcm16(case.scene)
        self._segmenter = Segmenter()
        self._transcript = IncrementalTranscript(case.language)
        self._onset = 0.0
        self._sent_to: int | None = None
        self._pass: tuple[PassRequest, bool, float] | None = None
        self._witness = EchoWitness()
        self._played = heard_played(case.reply)
        self.outcome = Outcome()

    @property
    def received_samples(self) -> int:
        return self._segmenter.heard_sample

    def sound(self, first_sample: int, end_sample: int) -> bytes:
        return self._pcm[2 * max(0, first_sample) : 2 * end_sample]

    def run(self, windows: Sequence[ScoredWindow]) -> Outcome:
        for window in windows:
            for event in self._segmenter.feed([window]):
                self._on_voice(event)
            self._listen(self._segmenter.heard_sample / MICROPHONE_RATE)
            if self._segmenter.state == "speaking":
                self._ear.listen()
            if self.outcome.verdict == Verdict.SPEECH:
                break
        return self.outcome

    def _on_voice(self, event: SpeechStarted | SpeechPaused | SpeechResumed) -> None:
        match event:
            case SpeechStarted():
                self._transcript = IncrementalTranscript(self._case.language)
                self._onset, self._sent_to, self._pass = event.onset_sample / MICROPHONE_RATE, event.start_sample, None
                self._ear = EchoEar(self._witness, self._played, self, event.onset_sample)
            case SpeechPaused():
                self._send(event.paused_sample)
                self._sent_to = None
                self._start_pass(final=True)
            case SpeechResumed():
                self._sent_to = event.start_sample
                self._pass = None

    def _listen(self, now: float) -> None:
        if self._sent_to is not None:
            self._send(self._segmenter.heard_sample)
            if self._pass is None and self._transcript.unheard_samples >= INTERVAL * MICROPHONE_RATE:
                self._start_pass(final=False)
        if self._pass is None or now < self._pass[2]:
            return
        request, final, _ = self._pass
        self._pass = None
        heard = self._studio.hear(request.audio, self._case.language, final=final)
        caption = self._transcript.partial(request, heard)
        text = f"{caption.stable} {caption.tentative}".strip()
        if final:
            text = self._transcript.final(request, heard).text
        self._judge(text, now, settled=final)

    def _judge(self, text: str, now: float, *, settled: bool) -> None:
        case = self._case
        played = case.reply.played(self._onset - AROUND_SECONDS - LEAD, now - LEAD)
        self._ear.listen()
        testimony = self._ear.testimony(samples_to_ms(self._segmenter.voiced_samples))
        verdict = judge(
            text,
            settled=settled,
            played=played,
            question_open=case.question_open,
            language=case.language,
            testimony=testimony if self._options.sound else None,
        )
        self.outcome.heard.append(f"{'=' if settled else '~'}{verdict.value} [{text}] <- [{played}] {testimony}")
        if verdict is Verdict.SPEECH or settled:
            self.outcome.verdict, self.outcome.settled = verdict.value, settled
            self.outcome.seconds = now - case.onset
        if settled:
            self._segmenter.end_utterance()

    def _send(self, to_sample: int) -> None:
        assert self._sent_to is not None
        self._transcript.add(self._sent_to, self._pcm[2 * self._sent_to : 2 * to_sample])
        self._sent_to = max(self._sent_to, to_sample)

    def _start_pass(self, *, final: bool) -> None:
        request = self._transcript.request()
        takes = self._options.pass_base + self._options.pass_slope * request.seconds
        self._pass = (request, final, self._segmenter.heard_sample / MICROPHONE_RATE + takes)


# --- the table -------------------------------------------------------------------------------------------------------


def is_right(case: Case, outcome: Outcome) -> bool:
    return (outcome.verdict == Verdict.SPEECH) is case.speech


def report(row: str, results: Sequence[tuple[Case, Outcome]]) -> None:
    verdicts = Counter(outcome.verdict for _, outcome in results)
    right = [is_right(case, outcome) for case, outcome in results]
    counts = "".join(f"{verdicts[name]:9d}" for name in COLUMNS)
    halves = "".join(f"{np.mean(half):8.1%}" for half in (right, right[::2], right[1::2]) if half)
    spoke = [outcome.seconds for case, outcome in results if case.speech and outcome.verdict == Verdict.SPEECH]
    early = sum(not o.settled for c, o in results if c.speech and o.verdict == Verdict.SPEECH)
    when = f"{median(spoke):8.2f}{early / len(spoke):7.0%}" if spoke else ""
    print(f"{row:32s}{len(results):5d}{counts}{halves}{when}", flush=True)


COLUMNS = (Verdict.SPEECH, Verdict.ECHO, Verdict.BACK_CHANNEL, Verdict.NOISE, NO_TURN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--pass-base", type=float, default=0.1)
    parser.add_argument("--pass-slope", type=float, default=0.04)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "silvertalk-overlap")
    parser.add_argument("--weights", type=Path, default=Path(tempfile.gettempdir()) / "silvertalk-weights")
    parser.add_argument("--words-alone", dest="sound", action="store_false", help="as if the sound said nothing")
    parser.add_argument("--verbose", action="store_true", help="what was heard in the cases that went wrong")
    parser.add_argument("--held-out", action="store_true", help="with --verbose: of the other half too")
    options = parser.parse_args()

    studio, silero = Studio(options.cache, options.weights), SileroModel(find_silero())
    columns = "".join(f"{name:>9s}" for name in ("speech", "echo", "nod", "noise", "no turn"))
    print(f"{'row':32s}{'n':>5s}{columns}{'right':>8s}{'seen':>8s}{'unseen':>8s}{'p50 s':>8s}{'early':>7s}")
    for part in options.only:
        rows: dict[str, list[tuple[Case, Outcome]]] = {}
        for case in PARTS[part](studio):
            (windows,) = score_all(silero, [float_to_pcm16(case.scene)])
            rows.setdefault(case.row, []).append((case, Contest(case, studio, options).run(windows)))
        for row, results in rows.items():
            report(row, results)
            for number, (case, outcome) in enumerate(results if options.verbose else ()):
                if not is_right(case, outcome) and (options.held_out or number % 2 == 0):
                    print(f"    {number} {case.name}: {outcome.verdict} after {outcome.seconds:.2f} s")
                    print("".join(f"        {heard}\n" for heard in outcome.heard), end="")


if __name__ == "__main__":
    main()
