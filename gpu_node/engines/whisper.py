"""Whisper through CTranslate2: audio in short windows, one encoder step, one decoder step.

faster-whisper's own `transcribe` pads every clip to 30 s, which costs a short utterance four times the encoder work it
needs, and cannot be stopped between its encoder and its decoder. Its building blocks have neither fault, so they are
driven directly here: the features are padded by a few seconds only, and every encoder or decoder call is a step.

What keeps the short padding sound (measured on Korean talks and English readings, whisper-base int8): at least 5 s of
it, timestamp tokens left on (without them clips fall into loops), a bound on the new tokens, and for a final pass a
second look with the full 30 s when the first reads like a loop or an improbable text. Nothing said before is given to
the decoder as a prompt: one mistake would be carried on.

Source of the windowing rules: Radford et al. 2022 (arXiv 2212.04356), section 4.5, as in faster_whisper/transcribe.py.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gpu_node.engines import Hypothesis, Samples, Word
from gpu_node.errors import EngineError, UnsupportedLanguage, WeightsMissing
from gpu_node.invention_guards import compression_ratio
from streaming.audio import MICROPHONE_RATE, ms_to_samples
from streaming.messages import Language

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

FRAMES_PER_SECOND = 100
WINDOW_FRAMES = 3000
"""The 30 s Whisper was trained on; no call sees more."""

SECONDS_PER_TIMESTAMP = 0.02

PAD_SECONDS = 5.0
"""Less makes loops: the character error rate of 50 Korean clips is .146 at 3 s, .124 at 5 s, .126 at the full 30 s."""

LOOP_COMPRESSION_RATIO = 2.0
IMPROBABLE_LOGPROB = -1.0
TOKENS_PER_SECOND = 8
"""Twice what the densest of 110 recordings takes. A loop runs into this bound, not into the model's 224 tokens."""
SILENT_NO_SPEECH_PROB = 0.6

SHORTEST_REST_SECONDS = 1.0
"""When the model closes its last segment this long before the audio ends, the rest is heard as a window of its own."""

SHORTEST_AUDIO_SAMPLES = ms_to_samples(100)
"""Below this there is no whole syllable, and the spectrogram's reflected edges would be most of what is heard."""

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decoding:
    """One decoder call: its tokens and what tells a hearing from an invention."""

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float

    @property
    def silent(self) -> bool:
        """The model itself thinks that nobody spoke, and its text is improbable too."""
        return self.no_speech_prob > SILENT_NO_SPEECH_PROB and self.avg_logprob < IMPROBABLE_LOGPROB

    @property
    def doubtful(self) -> bool:
        looping = self.compression_ratio > LOOP_COMPRESSION_RATIO
        return not self.silent and (looping or self.avg_logprob < IMPROBABLE_LOGPROB)

    @property
    def credibility(self) -> tuple[bool, float]:
        """Sorts hearings of the same audio: a loop is worse than any improbable text."""
        return self.compression_ratio <= LOOP_COMPRESSION_RATIO, self.avg_logprob


@dataclass(slots=True)
class Hearing:
    """What the windows of one pass have given so far."""

    words: list[Word] = field(default_factory=list)
    segment_ends: list[float] = field(default_factory=list)
    decodings: list[Decoding] = field(default_factory=list)

    def hypothesis(self, language: Language) -> Hypothesis:
        # The silence in one window says nothing of the words in another.
        heard = [decoding for decoding in self.decodings if not decoding.silent] or self.decodings
        weights = [len(decoding.tokens) + 1 for decoding in heard]
        logprobs = [decoding.avg_logprob for decoding in heard]
        return Hypothesis(
            words=tuple(self.words),
            language=language,
            avg_logprob=float(np.average(logprobs, weights=weights)) if heard else 0.0,
            no_speech_prob=min((decoding.no_speech_prob for decoding in heard), default=1.0),
            compression_ratio=max((decoding.compression_ratio for decoding in heard), default=0.0),
            segment_ends_seconds=tuple(self.segment_ends),
        )


class WhisperEngine:
    """`SpeechToText` over a folder with a CTranslate2 Whisper model (config.json, model.bin, tokenizer.json)."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 2,
        beam: int = 1,
        final_beam: int = 5,
        pad_seconds: float = PAD_SECONDS,
    ) -> None:
        """Load the model. `threads` are the CPU threads of one call. Raises WeightsMissing, EngineError."""
        self.name = folder.name
        self._model = _load(folder, device=device, compute_type=compute_type, threads=threads)
        self._beam = beam
        self._final_beam = final_beam
        self._pad_frames = int(pad_seconds * FRAMES_PER_SECOND)
        self._tokenizers: dict[Language, Any] = {}

    def warm_up(self) -> None:
        """Hear four seconds of faint noise, in both modes."""
        noise = np.random.default_rng(0).normal(0.0, 0.01, 4 * MICROPHONE_RATE).astype(np.float32)
        for final in (False, True):
            for _ in self.transcribe(noise, language="ko", final=final):
                pass

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        """Hear mono 16 kHz `audio` of any length. Raises UnsupportedLanguage, EngineError."""
        tokenizer = self._tokenizer(language)
        hearing = Hearing()
        first_frame, end_frame = 0, len(audio) * FRAMES_PER_SECOND // MICROPHONE_RATE
        try:
            if len(audio) >= SHORTEST_AUDIO_SAMPLES:
                features = self._model.feature_extractor(audio)
                while first_frame < end_frame:
                    window = features[:, first_frame : min(end_frame, first_frame + WINDOW_FRAMES)]
                    last = first_frame + window.shape[-1] >= end_frame
                    frames = yield from self._hear_window(window, tokenizer, hearing, first_frame, last, final)
                    first_frame += frames
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"{self.name}: {error}") from error
        yield hearing.hypothesis(language)

    def _hear_window(
        self, window: Features, tokenizer: Any, hearing: Hearing, first_frame: int, last: bool, final: bool
    ) -> Generator[None, None, int]:
        """Add what `window` says to `hearing`; returns how many of its frames are done with."""
        frames = int(window.shape[-1])
        encoded = self._encode(window, frames + self._pad_frames)
        yield
        decoding = self._decode(encoded, tokenizer, frames, self._final_beam if final else self._beam)
        if final and decoding.doubtful:
            yield
            whole = encoded
            if frames + self._pad_frames < WINDOW_FRAMES:
                whole = self._encode(window, WINDOW_FRAMES)
                yield
            # Greedily: where it loops, beams only find the loop's most probable form, at their price.
            again = self._decode(whole, tokenizer, frames, 1)
            if again.credibility > decoding.credibility:
                encoded, decoding = whole, again
        hearing.decodings.append(decoding)
        if decoding.silent:
            return frames
        segments = read_segments(decoding.tokens, tokenizer.timestamp_begin, keep_open_end=last)
        yield
        aligned = self._model.find_alignment(tokenizer, [segments.text_tokens], encoded, frames)
        offset = first_frame / FRAMES_PER_SECOND
        hearing.words += join_words(aligned[0] if aligned else [], offset, frames / FRAMES_PER_SECOND)
        hearing.segment_ends += [offset + end for end in segments.ends_seconds]
        rest_frames = frames - int(segments.resume_seconds * FRAMES_PER_SECOND) if segments.resume_seconds else 0
        if last and rest_frames < SHORTEST_REST_SECONDS * FRAMES_PER_SECOND:
            return frames
        return frames - rest_frames

    def _encode(self, window: Features, frames: int) -> Any:
        """One encoder pass over `window`, filled up to `frames` with the mean of a log-mel spectrogram, 0."""
        missing = min(frames, WINDOW_FRAMES) - window.shape[-1]
        return self._model.encode(np.pad(window, ((0, 0), (0, max(0, missing)))))

    def _decode(self, encoded: Any, tokenizer: Any, frames: int, beam: int) -> Decoding:
        new_tokens = min(int(TOKENS_PER_SECOND * frames / FRAMES_PER_SECOND) + 12, self._model.max_length // 2)
        result = self._model.model.generate(
            encoded,
            [tokenizer.sot_sequence],
            beam_size=beam,
            # CTranslate2 gives new tokens half of `max_length` and keeps the other half for a prompt.
            max_length=2 * new_tokens,
            return_scores=True,
            return_no_speech_prob=True,
            max_initial_timestamp_index=int(1.0 / SECONDS_PER_TIMESTAMP),
        )[0]
        tokens = tuple(result.sequences_ids[0])
        return Decoding(
            tokens=tokens,
            # The score is a mean over the tokens; the end token's probability belongs to the sum, not to their number.
            avg_logprob=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech_prob=result.no_speech_prob,
            compression_ratio=compression_ratio(tokenizer.decode(list(tokens))),
        )

    def _tokenizer(self, language: Language) -> Any:
        if language not in self._tokenizers:
            from faster_whisper.tokenizer import Tokenizer

            multilingual = self._model.model.is_multilingual
            if not multilingual and language != "en":
                raise UnsupportedLanguage(f"{self.name} knows English only, not {language}")
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


@dataclass(frozen=True, slots=True)
class Segments:
    """A decoder's tokens, read. Times are seconds from the start of the window."""

    text_tokens: list[int]
    ends_seconds: list[float]
    resume_seconds: float
    """Where the model stopped short of the window's end and would go on; 0 when it read the window to its end."""


def read_segments(tokens: Sequence[int], timestamp_begin: int, *, keep_open_end: bool) -> Segments:
    """Split `<|0.00|> text <|2.40|><|2.40|> text <|5.00|>` into text and times.

    Text after the last closed pair of timestamps has no end of its own: unless `keep_open_end`, it is left to the next
    window, which hears it whole.
    """
    text: list[int] = []
    ends: list[float] = []
    closed_text = 0
    resume = 0.0
    for position, token in enumerate(tokens):
        if token < timestamp_begin:
            text.append(token)
            continue
        seconds = (token - timestamp_begin) * SECONDS_PER_TIMESTAMP
        if position and tokens[position - 1] >= timestamp_begin:
            resume = (tokens[position - 1] - timestamp_begin) * SECONDS_PER_TIMESTAMP
        elif len(text) > closed_text:
            ends.append(seconds)
            closed_text = len(text)
    ends_in_pair = len(tokens) > 1 and tokens[-1] >= timestamp_begin and tokens[-2] >= timestamp_begin
    if len(text) > closed_text and resume and not keep_open_end:
        return Segments(text[:closed_text], ends, resume)
    return Segments(text, ends, resume if ends_in_pair else 0.0)


def join_words(pieces: Sequence[dict[str, Any]], offset_seconds: float, length_seconds: float) -> list[Word]:
    """Aligned pieces (a punctuation mark is a piece of its own) to whitespace units.

    A byte-level vocabulary can stop in the middle of a syllable; what is left of it, U+FFFD, is dropped.
    """
    words: list[Word] = []
    for piece in pieces:
        text = piece["word"].replace("\ufffd", "")
        if not text.strip():
            continue
        start, end = (offset_seconds + min(float(piece[edge]), length_seconds) for edge in ("start", "end"))
        word = Word(text.strip(), start, end, float(piece["probability"]))
        if words and not text.startswith(" "):
            before = words.pop()
            spoken = any(character.isalnum() for character in word.text)
            word = Word(
                before.text + word.text,
                before.start_seconds,
                # A mark is given whatever silence follows the word; the word ended before it.
                word.end_seconds if spoken else before.end_seconds,
                min(before.probability, word.probability) if spoken else before.probability,
            )
        words.append(word)
    return words


def _load(folder: Path, *, device: str, compute_type: str, threads: int) -> WhisperModel:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        # Without its tokenizer.json faster-whisper would ask the hub for one.
        if not (folder / name).is_file():
            raise WeightsMissing(f"{folder} holds no {name}")
    model_class = _whisper_model_class()
    try:
        return model_class(
            str(folder), device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True
        )
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"{folder.name} on {device} as {compute_type}: {error}") from error


def _whisper_model_class() -> Any:
    """faster-whisper imports PyAV (104 MB with FFmpeg) only to read audio files, which is never asked of it here.

    Where PyAV is absent an empty module stands in for it during the import and no longer, so that nobody else takes it
    for the real one.
    """
    stand_in = "av" not in sys.modules and importlib.util.find_spec("av") is None
    if stand_in:
        sys.modules["av"] = types.ModuleType("av")
    try:
        from faster_whisper import WhisperModel
    finally:
        if stand_in:
            del sys.modules["av"]
    return WhisperModel
