"""A turn becomes a row: what was heard of it, held against where speech really began and ended. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from silvertalk.replay.clips import Clip
from silvertalk.replay.report import FileRow, TurnRow
from silvertalk.replay.speech_ends import Span
from silvertalk.replay.turn_log import TurnHeard, TurnLog
from streaming.protocol import MICROPHONE_RATE
from streaming.text import character_error_rate

CUT_MARGIN_SAMPLES = MICROPHONE_RATE // 20
"""A decision less than 50 ms into the next words came too early by less than one can place a word's beginning."""


class Timeline(NamedTuple):
    """Where a clip stands among all that a client's microphone captured."""

    first_sample: int
    """Which of the captured samples is the clip's first."""
    captured_at: Callable[[int], int]
    """Which of them the session counts as this sample: what was lost in an absence is counted by nobody but us."""
    sent_at: Callable[[int], float | None]
    """When one of them was sent, on the event loop's clock."""

    def in_clip(self, sample: int) -> int:
        """A sample of the session as one of the clip."""
        return self.captured_at(sample) - self.first_sample

    def when(self, sample: int) -> float | None:
        """When a sample of the clip was sent."""
        return self.sent_at(self.first_sample + sample)


def true_bounds(spans: Sequence[Span], since: int, decision: int, believed: Span) -> tuple[Span, bool]:
    """Where a turn's speech began and ended, in samples of the clip, and whether it was cut off.

    `since`: where the turn before it was decided (0 for the first); `decision`: where this one was; `believed`: the
    server's own idea, which counts where nobody spoke. The true end is the last end of speech before the decision. A
    decision in the midst of speech cut somebody off; there is no true end then, and the server's own counts again.
    """
    begun = [span for span in spans if span.end > since and span.start < decision]
    if not begun:
        return believed, False
    start = max(begun[0].start, since)
    if begun[-1].start + CUT_MARGIN_SAMPLES < decision < begun[-1].end:
        return Span(min(start, believed.end), believed.end), True
    ends = [span.end for span in begun if span.end <= decision]
    return Span(start, ends[-1]) if ends else believed, False


def turn_rows(clip: Clip, client: int, log: TurnLog, timeline: Timeline, rate: int) -> list[TurnRow]:
    """One row a turn of this clip; one of nulls if there was none. `rate`: of the reply's audio."""
    turns = [turn for turn in log.turns.values() if not turn.unasked]
    if not turns:
        return [TurnRow(file=clip.name, client=client, error="; ".join(log.problems) or None)]
    rows = []
    since = 0
    for turn in turns:
        row = _row(clip, client, turn, rate)
        if turn.end_sample is not None:
            decision = timeline.in_clip(turn.end_sample + (turn.wait_ms or 0) * MICROPHONE_RATE // 1000)
            began = turn.end_sample if turn.began_sample is None else turn.began_sample
            believed = Span(timeline.in_clip(began), timeline.in_clip(turn.end_sample))
            (start, end), row.cut = true_bounds(clip.speech, since, decision, believed)
            row.speech_start_s, row.speech_end_s = start / MICROPHONE_RATE, end / MICROPHONE_RATE
            _time(row, turn, timeline.when(start), timeline.when(end - 1))
            since = decision
        rows.append(row)
    rows[-1].error = "; ".join(filter(None, (rows[-1].error, *log.problems))) or None
    return rows


def file_row(clip: Clip, client: int, rows: Sequence[TurnRow]) -> FileRow:
    """What became of the whole file."""
    transcript = " ".join(row.transcript for row in rows if row.transcript)
    understood = [row for row in rows if row.transcript]
    aloud = [row for row in rows if row.reply_audio_seconds]
    return FileRow(
        file=clip.name,
        transcript=transcript,
        reference=clip.reference,
        cer=None if clip.reference is None else character_error_rate(clip.reference, transcript),
        baseline_cer=clip.baseline_cer,
        client=client,
        seconds=clip.seconds,
        language=clip.language,
        has_speech=clip.has_speech,
        turns=sum(row.turn is not None for row in rows),
        partials=sum(row.partials for row in rows),
        aloud=bool(aloud),
        answered=bool(aloud) and (not understood or understood[-1] in aloud),
        error="; ".join(dict.fromkeys(row.error for row in rows if row.error)) or None,
    )


def _row(clip: Clip, client: int, turn: TurnHeard, rate: int) -> TurnRow:
    answered = turn.outcome != "failed" and turn.audio_samples > 0
    return TurnRow(
        file=clip.name,
        client=client,
        turn=turn.number,
        transcript=turn.final,
        wait_ms=turn.wait_ms,
        reply_audio_seconds=turn.audio_samples / rate,
        reply_text=turn.reply_text or None,
        error=None if answered else "; ".join(turn.problems) or ("failed" if turn.outcome == "failed" else None),
        problems=turn.problems,
        source=turn.source or None,
        language=turn.language or None,
        partials=turn.partials,
        stable_retractions=turn.stable_retractions,
        final_retractions=turn.final_retractions,
        rejected=turn.rejected or None,
        end_reason=turn.end_reason or None,
        because=turn.because or None,
        ending=turn.ending or None,
        end_probability=turn.end_probability,
        speculation=turn.speculation or None,
        speculations=turn.speculations,
        speculations_missed=turn.speculations_missed,
        merges=turn.merges,
        ducks=turn.ducks,
        distress=turn.distress or None,
        outcome=turn.outcome or None,
        committed=turn.committed_at is not None,
        heard=turn.heard or None,
        timings_ms=turn.timings_ms,
    )


def _time(row: TurnRow, turn: TurnHeard, start_sent: float | None, end_sent: float | None) -> None:
    row.first_partial_ms = _between(start_sent, turn.first_partial_at)
    row.final_ms = _between(end_sent, turn.final_at)
    row.endpoint_ms = _between(end_sent, turn.ended_at)
    row.reply_latency_ms = _between(end_sent, turn.first_audio_at)
    row.filler_ms = _between(end_sent, turn.first_filler_at)
    if row.reply_latency_ms is not None and row.wait_ms is not None:
        row.beyond_wait_ms = row.reply_latency_ms - row.wait_ms
    row.speech_end_at = end_sent


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round((end - start) * 1000, 1)
