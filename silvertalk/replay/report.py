"""What a replay found: rows, files and their summary, as they stand in the JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from silvertalk.replay.losses import LossRow

LONG_CLIP_SECONDS = 3.0
"""From here on a clip is long enough to show captions on the way."""


@dataclass(slots=True)
class TurnRow:
    """One turn. Times are null where the thing did not happen; a file that opened no turn has one row of nulls."""

    file: str
    client: int
    turn: int | None = None
    transcript: str | None = None
    first_partial_ms: float | None = None
    """From the first speech sample sent to the first caption."""
    final_ms: float | None = None
    """From the last speech sample sent to the final transcript."""
    wait_ms: float | None = None
    """From the last speech sample to the endpoint, as the server reports it."""
    reply_latency_ms: float | None = None
    """From the last speech sample sent to the first reply audio received."""
    reply_audio_seconds: float = 0.0
    reply_text: str | None = None
    error: str | None = None
    beyond_wait_ms: float | None = None
    """`reply_latency_ms - wait_ms`: what a faster system could still save without cutting anybody off earlier."""
    endpoint_ms: float | None = None
    """From the last speech sample sent to `turn.ended` received: the wait as it was felt."""
    partials: int = 0
    stable_retractions: int = 0
    final_retractions: int = 0
    cut: bool = False
    """The turn was ended in the midst of speech."""
    source: str | None = None
    language: str | None = None
    rejected: str | None = None
    end_reason: str | None = None
    outcome: str | None = None
    committed: bool = False
    heard: str | None = None
    speech_start_s: float | None = None
    speech_end_s: float | None = None
    speech_end_at: float | None = None
    """When the last speech sample was sent, in seconds since the replay began."""
    reply_audio: str | None = None
    """Where the reply was saved."""
    problems: list[str] = field(default_factory=list)
    """What the server told of trouble; it is an `error` where the turn was not answered in the end."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    because: str | None = None
    """What chose the wait: `pauses`, `words`, `sound`, `both`, `fixed`."""
    ending: str | None = None
    """How the words ended, where that is known."""
    end_probability: float | None = None
    """What the acoustic model made of the sound, where there is one."""
    speculation: str | None = None
    """`hit`: the reply was being made when the turn ended; `none`."""
    speculations: int = 0
    speculations_missed: int = 0
    """Replies made before the turn had ended, and those of them that were dropped since the person went on."""
    merges: int = 0
    """How often the person went on after a reply had begun. The row's reply, and its latency, are the last one's."""
    filler_ms: float | None = None
    """From the last speech sample sent to the first sound of a filler; the reply's latency is that of its words."""
    ducks: list[str] = field(default_factory=list)
    """What each lowering of the voice was for."""
    distress: str | None = None


@dataclass(slots=True)
class FileRow:
    """One file: its turns' transcripts joined, against the reference where there is one."""

    file: str
    transcript: str
    reference: str | None
    cer: float | None
    baseline_cer: float | None
    """What the manifest says another recogniser made of it."""
    client: int
    seconds: float
    language: str
    has_speech: bool
    turns: int
    partials: int
    aloud: bool
    """Some reply was heard."""
    answered: bool
    """Aloud, and the last words that were understood too."""
    error: str | None = None


@dataclass(slots=True)
class Spread:
    """How a figure is distributed; all null where nothing was measured."""

    p50: float | None
    p90: float | None
    max: float | None
    count: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread:
        known = [value for value in values if value is not None]
        if not known:
            return cls(None, None, None, 0)
        p50, p90 = np.percentile(known, (50, 90))
        return cls(round(float(p50), 1), round(float(p90), 1), round(max(known), 1), len(known))


MEASURED = ("first_partial_ms", "final_ms", "wait_ms", "reply_latency_ms", "beyond_wait_ms", "endpoint_ms")


@dataclass(slots=True)
class Summary:
    """The whole run."""

    url: str
    clients: int
    files: int
    files_with_speech: int
    answered: int
    answered_percent: float | None
    files_without_speech: int
    answered_without_speech: int
    turns: int
    cut_turns: int
    errors: int
    problems: int
    """Turns of which the server told some trouble, answered in the end or not."""
    cer_mean: float | None
    cer_files: int
    baseline_cer_mean: float | None
    """Over the files that have both figures; `cer_mean_where_baseline` is ours over the same."""
    cer_mean_where_baseline: float | None
    gone_above_one: int
    """Files with a CER above 1 that were not above it in the baseline."""
    partials_per_file: float | None
    long_clips: int
    long_clips_with_two_partials_percent: float | None
    stable_retractions: int
    final_retractions: int
    sources: dict[str, int]
    spreads: dict[str, Spread]
    microphone_late_ms: Spread
    connections_lost: int
    connections_resumed: int
    """Lost ones after which the session went on."""
    lost_to_ready_ms: Spread
    lost_to_next_sample_ms: Spread
    """Where a reply was under way, until the next of its audio came."""
    silence_ms: Spread
    """How much of that was heard as silence."""
    audio_seconds: float
    wall_seconds: float
    waits_because: dict[str, int]
    """How many turns' waits were chosen by what."""
    speculations: int
    speculation_hits: int
    speculations_missed: int
    merges: int
    fillers: int
    """Turns with one."""
    ducks: dict[str, int]
    """How often the voice was lowered, by what it was for (`unknown` where that was never told)."""
    distress: dict[str, int]


@dataclass(slots=True)
class Report:
    """Everything. `ok`: every file with speech was answered and nothing went wrong."""

    turns: list[TurnRow]
    files: list[FileRow]
    summary: Summary
    losses: list[LossRow] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.summary.errors == 0 and self.summary.answered == self.summary.files_with_speech

    @property
    def refusal(self) -> str:
        """Why nothing was measured, where no client could say a word; else empty."""
        reasons = dict.fromkeys(file.error for file in self.files)
        return "" if self.summary.turns or None in reasons else "; ".join(map(str, reasons))

    def as_json(self) -> bytes:
        """UTF-8, indented. The spreads stand in the summary by their own names."""
        summary: dict[str, Any] = asdict(self.summary)
        summary |= summary.pop("spreads")
        whole = {"turns": self.turns, "files": self.files, "losses": self.losses, "summary": summary}
        return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.as_json())


def summarise(
    turns: Sequence[TurnRow],
    files: Sequence[FileRow],
    *,
    url: str,
    clients: int,
    losses: Sequence[LossRow],
    lateness_ms: Sequence[float],
    wall_seconds: float,
) -> Summary:
    """The figures of a run."""
    spoken = [file for file in files if file.has_speech]
    silent = [file for file in files if not file.has_speech]
    answered = sum(file.answered for file in spoken)
    both = [(file.cer, file.baseline_cer) for file in files if file.cer is not None and file.baseline_cer is not None]
    long_clips = [file for file in spoken if file.seconds > LONG_CLIP_SECONDS]
    return Summary(
        url=url,
        clients=clients,
        files=len(files),
        files_with_speech=len(spoken),
        answered=answered,
        answered_percent=_percent(answered, len(spoken)),
        files_without_speech=len(silent),
        answered_without_speech=sum(file.aloud for file in silent),
        turns=sum(row.turn is not None for row in turns),
        cut_turns=sum(row.cut for row in turns),
        errors=sum(row.error is not None for row in turns),
        problems=sum(bool(row.problems) for row in turns),
        cer_mean=_mean([file.cer for file in files if file.cer is not None]),
        cer_files=sum(file.cer is not None for file in files),
        baseline_cer_mean=_mean([baseline for _, baseline in both]),
        cer_mean_where_baseline=_mean([cer for cer, _ in both]),
        gone_above_one=sum(cer > 1 >= baseline for cer, baseline in both),
        partials_per_file=_mean([file.partials for file in spoken]),
        long_clips=len(long_clips),
        long_clips_with_two_partials_percent=_percent(sum(file.partials >= 2 for file in long_clips), len(long_clips)),
        stable_retractions=sum(row.stable_retractions for row in turns),
        final_retractions=sum(row.final_retractions for row in turns),
        sources=dict(Counter(row.source for row in turns if row.source)),
        spreads={name: Spread.of(getattr(row, name) for row in turns) for name in MEASURED},
        microphone_late_ms=Spread.of(lateness_ms),
        connections_lost=len(losses),
        connections_resumed=sum(loss.resumed for loss in losses),
        lost_to_ready_ms=Spread.of(loss.ready_ms for loss in losses),
        lost_to_next_sample_ms=Spread.of(loss.next_sample_ms for loss in losses),
        silence_ms=Spread.of(loss.silence_ms for loss in losses),
        audio_seconds=round(sum(file.seconds for file in files), 1),
        wall_seconds=round(wall_seconds, 1),
        waits_because=dict(Counter(row.because for row in turns if row.because)),
        speculations=sum(row.speculations for row in turns),
        speculation_hits=sum(row.speculation == "hit" for row in turns),
        speculations_missed=sum(row.speculations_missed for row in turns),
        merges=sum(row.merges for row in turns),
        fillers=sum(row.filler_ms is not None for row in turns),
        ducks=dict(Counter(because or "unknown" for row in turns for because in row.ducks)),
        distress=dict(Counter(row.distress for row in turns if row.distress)),
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
