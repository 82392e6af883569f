"""Kokoro-82M on onnxruntime, driven directly: Korean by our own pronunciation rules, English by misaki's dictionaries.

The model was never taught Korean: `gpu_node.korean_ipa` gives it Korean sounds in the signs it knows, so that it
speaks with a foreign accent by construction. The voices that come inside wheels are Japanese ones.

One `synthesize` call speaks one sentence or clause, phrase by phrase: a phrase is what stands between two pauses, at
most `MAX_TOKENS` long, and one run of the model. That run is the longest single step, and it cannot be stopped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_node import english_text, korean_text
from gpu_node.engines import Samples
from gpu_node.english_pronunciation import load as load_dictionary
from gpu_node.errors import EngineError, UnsupportedLanguage, WeightsMissing
from gpu_node.hangul import pronounce
from gpu_node.korean_ipa import ipa
from gpu_node.phrase_audio import finished
from gpu_node.weights import Weights
from streaming.messages import Language
from streaming.onnx import hush

SAMPLE_RATE = 24_000
MODEL_LIMIT = 510
"""Tokens the model takes at once, its two padding tokens not counted; a voice has one style vector for each length."""
MAX_TOKENS = 90
"""Where we cut instead: about 7 s of speech and 2.5 s of work on two quiet cores, which bounds a step."""
MIN_TOKENS = 12
"""A phrase shorter than this that ends in a comma is joined to the next: the model is unclear on a syllable or two."""

DEFAULT_VOICE = "jf_nezumi"
"""Of the five Japanese voices the one that is best understood (benchmarks/tts_round_trip.py)."""

CALLED = {
    "warm_female": DEFAULT_VOICE,
    "soft_male": "jm_kumo",
    "bright_female": "jf_gongitsune",
}
"""Who speaks under the names of `streaming.voices`: of five Japanese voices the three that are best understood, the
only man's among them (benchmarks/README.md). The original model's files have them as well."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Phonemes to be spoken in one run, and the sign that ends them."""

    phonemes: str
    end: str


class Kokoro:
    """TextToSpeech. Loading takes about a second and 250 MB; one instance belongs to one engine thread.

    Raises WeightsMissing where the model is not to be found or is not Kokoro.
    """

    name = "kokoro"
    sample_rate = SAMPLE_RATE
    languages: frozenset[Language] = frozenset({"ko", "en"})

    def __init__(self, weights: Weights, *, threads: int = 2) -> None:
        folder = weights.folder("kokoro")
        self._vocabulary = _vocabulary(folder)
        self._voices = _voices(folder)
        self._english = load_dictionary(weights.folder("english-dictionary"))
        self._session = _session(folder, threads)
        self._tokens_name = next(i.name for i in self._session.get_inputs() if i.name in ("tokens", "input_ids"))

    @property
    def voices(self) -> tuple[str, ...]:
        return tuple(sorted(self._voices))

    def warm_up(self) -> None:
        """Speak at the lengths that come first in a reply: each new shape costs its first run an allocation."""
        for text in (
            "네, 알겠어요.",
            "그 이야기를 조금 더 들려주세요.",
            "어릴 때 사시던 동네의 시장이 어떤 모습이었는지 궁금해요.",
        ):
            for _ in self.synthesize(text, language="ko", voice=DEFAULT_VOICE, speed=1.0):
                pass
        for _ in self.synthesize("It is good to hear your voice.", language="en", voice=DEFAULT_VOICE, speed=1.0):
            pass

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Generator[Samples]:
        """Yields one phrase after another, each with the pause that follows it, so that sentences may be joined.

        `speed` 1.0 is the voice's own pace, 0.9 suits older listeners; it is applied here and nowhere else. `voice`: a
        name of `streaming.voices`, or of the model's own. One that this engine lacks is replaced by the default one.
        Text without a word yields nothing.
        """
        if language not in self.languages:
            raise UnsupportedLanguage(f"kokoro speaks {sorted(self.languages)}, not {language}")
        style = self._voices.get(CALLED.get(voice, voice))
        if style is None:
            style = self._voices.get(DEFAULT_VOICE, next(iter(self._voices.values())))
        speed = min(max(speed, 0.5), 2.0)
        for phrase in phrases(self.phonemes(text, language=language)):
            yield finished(
                self._run(phrase.phonemes + phrase.end, style, speed), end=phrase.end, rate=SAMPLE_RATE, speed=speed
            )

    def phonemes(self, text: str, *, language: Language) -> str:
        """`text` in the model's phonemes with its pauses. English words in Korean stay English, and the reverse."""
        said = korean_text.spoken(text) if language == "ko" else english_text.spoken(text)
        runs = re.split(r"([가-힣]+(?:[ ,.!?…]+[가-힣]+)*)", said)
        spoken = [ipa(pronounce(run)) if index % 2 else self._english_run(run) for index, run in enumerate(runs)]
        return "".join(spoken).strip()

    def _english_run(self, run: str) -> str:
        """Phonemes of what stands between two Korean stretches; the spaces at its ends are kept."""
        if not re.search("[A-Za-z]", run):
            return run
        lead, tail = run[: len(run) - len(run.lstrip())], run[len(run.rstrip()) :]
        return lead + self._english.phonemes(run) + tail

    def _run(self, phonemes: str, style: npt.NDArray[np.float32], speed: float) -> Samples:
        ids = [self._vocabulary[sign] for sign in phonemes if sign in self._vocabulary][:MODEL_LIMIT]
        feeds = {
            # The model was trained with a padding token at either end.
            self._tokens_name: np.array([[0, *ids, 0]], dtype=np.int64),
            "style": style[min(len(ids), len(style)) - 1].reshape(1, -1),
            "speed": np.array([speed], dtype=np.float32),
        }
        try:
            audio = self._session.run(None, feeds)[0]
        except Exception as error:  # onnxruntime raises classes of its own that share no root but this
            raise EngineError(f"kokoro failed on {len(ids)} tokens: {error}") from error
        return np.asarray(audio, dtype=np.float32).reshape(-1)


# --- text ------------------------------------------------------------------------------------------------------------


def phrases(phonemes: str) -> Iterator[Phrase]:
    """Cut at pauses, then between words where a phrase is longer than `MAX_TOKENS`; very short ones stay together."""
    held = ""
    for body, signs in re.findall(r"([^,.!?…]+)([,.!?…]*)", phonemes):
        held = f"{held} {body.strip()}".strip()
        if not held:
            continue
        end = signs[:1] or ","  # a clause cut off by our own sentence cutter goes on, as a comma does
        if end == "," and len(held) < MIN_TOKENS:
            held += end
            continue
        *first, last = _cut(held)
        for piece in first:
            yield Phrase(piece, "")
        yield Phrase(last, end)
        held = ""
    if held.strip(" ,"):
        yield Phrase(held.rstrip(" ,"), ",")


def _cut(phonemes: str) -> list[str]:
    """Pieces of about equal length, none above `MAX_TOKENS`, cut at spaces where there are any."""
    count = -(-len(phonemes) // MAX_TOKENS)
    pieces = []
    while count > 1:
        target = len(phonemes) // count
        spaces = [place for place, sign in enumerate(phonemes[: MAX_TOKENS + 1]) if sign == " " and place]
        cut = min(spaces, key=lambda place: abs(place - target)) if spaces else target
        pieces.append(phonemes[:cut].rstrip())
        phonemes = phonemes[cut:].lstrip()
        count = max(count - 1, -(-len(phonemes) // MAX_TOKENS))
    return [*pieces, phonemes]


# --- files -----------------------------------------------------------------------------------------------------------


def _session(folder: Path, threads: int) -> Any:
    hush()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would keep a core busy between two phrases, which on a small machine is the gateway's core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = next(iter(sorted(folder.glob("*.onnx"))))
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsMissing(f"{model} cannot be loaded: {error}") from error


def _vocabulary(folder: Path) -> dict[str, int]:
    path = next(path for name in ("vocab.json", "config.json") if (path := folder / name).is_file())
    try:
        vocabulary = json.loads(path.read_text(encoding="utf-8"))["vocab"]
        return {str(sign): int(token) for sign, token in vocabulary.items()}
    except (ValueError, KeyError, AttributeError) as error:
        raise WeightsMissing(f"{path} is not Kokoro's vocabulary: {error!r}") from error


def _voices(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Each voice: style vectors by the number of tokens, float32 [510, 256]."""
    path = next(path for pattern in ("voices*.npz", "voices*.bin") for path in sorted(folder.glob(pattern)))
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name], dtype=np.float32).reshape(-1, 256) for name in archive.files}
    except (ValueError, OSError, AttributeError) as error:
        raise WeightsMissing(f"{path} holds no voices: {error}") from error
