"""A file becomes a clip: 16 kHz mono samples and what is known of it (language, transcript, ends of speech)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from silvertalk.replay.speech_ends import Detector, Pcm, Span, speech_spans
from streaming.audio import read_wav
from streaming.errors import AudioError
from streaming.messages import Language
from streaming.protocol import MICROPHONE_RATE

LanguageChoice = Literal["ko", "en", "auto"]
LANGUAGES: tuple[Language, ...] = ("ko", "en")


class ClipError(Exception):
    """A file that cannot be replayed; the sentence says which and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording, ready to be spoken."""

    name: str
    """As the manifest calls it, else as it was given."""
    pcm: Pcm
    language: Language
    reference: str | None
    baseline_cer: float | None
    has_speech: bool
    speech: tuple[Span, ...]

    @property
    def seconds(self) -> float:
        return len(self.pcm) / MICROPHONE_RATE


class ManifestRow(msgspec.Struct, frozen=True):
    """What we read of a manifest's line; a manifest may say much more."""

    file: str
    kind: str = "speech"
    lang: str | None = None
    transcript: str | None = None
    internal_or_edge_silences_s: tuple[tuple[float, float], ...] = ()
    asr_check: dict[str, Any] | None = None


Manifest = Mapping[Path, ManifestRow]


def read_manifest(path: Path) -> Manifest:
    """JSON lines, one a file; `file` is relative to the manifest's own folder. Raises ClipError."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ClipError(f"the manifest {path} cannot be read: {error.strerror or error}") from error
    rows = {}
    decoder = msgspec.json.Decoder(ManifestRow)
    for number, line in enumerate(lines, start=1):
        try:
            row = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ClipError(f"line {number} of the manifest {path} is wrong: {error}") from error
        rows[(path.parent / row.file).resolve()] = row
    return rows


def load_clip(
    path: Path, *, language: LanguageChoice = "auto", manifest: Manifest | None = None, detector: Detector | None = None
) -> Clip:
    """Read one file (any rate and number of channels); raises ClipError."""
    row = (manifest or {}).get(path.resolve())
    pcm = read_pcm(path)
    silences: Sequence[tuple[float, float]] = row.internal_or_edge_silences_s if row else ()
    spans = speech_spans(pcm, silences, detector=detector)
    if row is not None and row.kind == "noise":
        spans = ()
    elif row is not None and not spans:
        # The manifest vouches for speech that the detector missed: a single short digit, say.
        spans = speech_spans(pcm, silences) or (Span(0, len(pcm)),)
    return Clip(
        name=row.file if row else str(path),
        pcm=pcm,
        language=_language(path, row, language),
        reference=(row.transcript or None) if row else None,
        baseline_cer=(row.asr_check or {}).get("cer") if row else None,
        has_speech=bool(spans),
        speech=spans,
    )


def read_pcm(path: Path) -> Pcm:
    """The file's sound as 16 kHz mono PCM16; raises ClipError."""
    try:
        return np.frombuffer(read_wav(path), dtype="<i2").astype(np.int16)
    except AudioError as error:
        raise ClipError(f"no sound can be read from {error}") from error


def _language(path: Path, row: ManifestRow | None, choice: LanguageChoice) -> Language:
    """What was chosen, else what the manifest says, else the nearest folder called `ko` or `en`, else Korean."""
    for name in (choice, row.lang if row else None, *reversed(path.resolve().parent.parts)):
        for known in LANGUAGES:
            if name == known:
                return known
    return "ko"
