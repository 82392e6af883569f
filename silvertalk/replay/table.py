"""A report for a terminal of 80 columns or more: turn by turn while they are few, what went wrong however many, and the
summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from silvertalk.replay.report import FileRow, Report, Spread, Summary, TurnRow

FEW_TURNS = 24
MANY_FAILURES = 20
LONGEST_TEXT = 120
FILE_COLUMNS = 23
FEWER_FILE_COLUMNS = 14
"""How wide a file's name may be: what the figures beside it leave of 80 columns."""

SPREAD_NAMES = {
    "first_partial_ms": "first caption after speech began",
    "final_ms": "final transcript after speech ended",
    "wait_ms": "endpoint wait (as the server says)",
    "endpoint_ms": "endpoint after speech ended (as felt)",
    "reply_latency_ms": "reply latency",
    "beyond_wait_ms": "of which beyond the wait",
}


def show(report: Report, console: Console) -> None:
    """Print the whole report."""
    console.print(render(report))


def render(report: Report) -> RenderableType:
    parts: list[RenderableType] = []
    if len(report.turns) <= FEW_TURNS:
        parts.append(_turns(report.turns))
        parts.append(_ends(report.turns))
    failures = [file for file in report.files if file.error or (file.has_speech and not file.answered)]
    if failures:
        parts.append(_failures(failures))
    parts += [_spreads(report.summary), _counts(report.summary)]
    return Group(*parts)


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _turns(rows: Sequence[TurnRow]) -> Table:
    table = _table("Turns")
    _add_whose(table, FILE_COLUMNS)
    table.add_column("heard\n  reply", ratio=1, overflow="fold")
    for name in ("caption", "final", "wait", "reply"):
        table.add_column(f"{name}\nms", justify="right", no_wrap=True)
    table.add_column("audio\ns", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            _name(row.file),
            "-" if row.turn is None else f"{row.client}:{row.turn}",
            Group(
                Text(_shortened(row.transcript or row.rejected or "-")),
                Padding(_answer(row), (0, 0, 0, 2)),
            ),
            *(_ms(value) for value in (row.first_partial_ms, row.final_ms, row.wait_ms, row.reply_latency_ms)),
            f"{row.reply_audio_seconds:.1f}",
        )
    return table


def _answer(row: TurnRow) -> Text:
    return Text(row.error, style="red") if row.error else Text(_shortened(row.reply_text or row.outcome or "-"))


def _add_whose(table: Table, columns: int) -> None:
    table.add_column("file", max_width=columns, overflow="fold")
    table.add_column("turn", justify="right", no_wrap=True)


def _ends(rows: Sequence[TurnRow]) -> Table:
    """Why each turn was taken to be over when it was, and what that did to its reply."""
    table = _table("Their ends")
    _add_whose(table, FEWER_FILE_COLUMNS)
    table.add_column("wait\nms", justify="right", no_wrap=True)
    table.add_column("because", no_wrap=True)
    table.add_column("words\nend", no_wrap=True)
    table.add_column("sounds\nended", justify="right", no_wrap=True)
    table.add_column("reply\nready", no_wrap=True)
    for name in ("dropped", "beyond\nms", "merges"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        if row.turn is None:
            continue
        table.add_row(
            _name(row.file),
            f"{row.client}:{row.turn}",
            _ms(row.wait_ms),
            row.because or row.end_reason or "-",
            row.ending or "-",
            _number(row.end_probability, 2),
            row.speculation or "-",
            str(row.speculations_missed),
            _ms(row.beyond_wait_ms),
            str(row.merges),
        )
    return table


def _failures(files: Sequence[FileRow]) -> Table:
    table = _table("Not answered, or with an error")
    table.add_column("file", overflow="fold")
    table.add_column("client", justify="right")
    table.add_column("why", overflow="fold")
    for file in files[:MANY_FAILURES]:
        why = file.error or ("no speech was noticed" if not file.turns else "no reply was heard")
        table.add_row(_name(file.file), str(file.client), Text(why, style="red"))
    if len(files) > MANY_FAILURES:
        table.caption = f"and {len(files) - MANY_FAILURES} more"
    return table


def _spreads(summary: Summary) -> Table:
    table = _table("Milliseconds")
    table.add_column("")
    for name in ("p50", "p90", "max", "count"):
        table.add_column(name, justify="right")
    for key, name in SPREAD_NAMES.items():
        _add_spread(table, name, summary.spreads[key])
    _add_spread(table, "this machine's microphones, late by", summary.microphone_late_ms)
    if summary.connections_lost:
        _add_spread(table, "ready after a connection was lost", summary.lost_to_ready_ms)
        _add_spread(table, "next sample of a reply under way", summary.lost_to_next_sample_ms)
        _add_spread(table, "of which heard as silence", summary.silence_ms)
    return table


def _add_spread(table: Table, name: str, spread: Spread) -> None:
    table.add_row(name, _ms(spread.p50), _ms(spread.p90), _ms(spread.max), str(spread.count))


def _counts(summary: Summary) -> Table:
    table = _table("Summary")
    table.show_header = False
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("", style="dim")
    percent = _percent(summary.answered_percent)
    table.add_row("files with speech answered aloud", f"{summary.answered} of {summary.files_with_speech}", percent)
    if summary.files_without_speech:
        said = f"{summary.answered_without_speech} of {summary.files_without_speech}"
        table.add_row("files without speech answered", said, "none should be")
    clients = f"{summary.clients} client{'s' if summary.clients != 1 else ''}"
    table.add_row("turns", str(summary.turns), f"{clients}, {summary.wall_seconds:.0f} s")
    if summary.cer_mean is not None:
        baseline = _number(summary.baseline_cer_mean)
        note = f"the manifest's own: {baseline}, ours over the same {_number(summary.cer_mean_where_baseline)}"
        table.add_row("mean character error rate", _number(summary.cer_mean), f"{summary.cer_files} files; {note}")
        if summary.gone_above_one:
            table.add_row("files gone above an error rate of 1", str(summary.gone_above_one), "")
    table.add_row("captions per file", _number(summary.partials_per_file, 1), "")
    two = _percent(summary.long_clips_with_two_partials_percent)
    table.add_row("files over 3 s with two captions or more", two, f"{summary.long_clips} files")
    table.add_row("stable captions retracted", str(summary.stable_retractions), "by a later caption")
    table.add_row("stable captions contradicted", str(summary.final_retractions), "by the final transcript")
    table.add_row("turns cut off in the midst of speech", str(summary.cut_turns), "")
    table.add_row("turns with errors", str(summary.errors), f"{summary.problems} with trouble told on the way")
    if summary.connections_lost:
        resumed = f"{summary.connections_resumed} of {summary.connections_lost}"
        table.add_row("lost connections resumed", resumed, "")
    _count_turn_taking(table, summary)
    written = ", ".join(f"{source} {count}" for source, count in summary.sources.items())
    table.add_row("replies written by", written or "-", "")
    return table


def _count_turn_taking(table: Table, summary: Summary) -> None:
    waits = ", ".join(f"{because} {count}" for because, count in summary.waits_because.items())
    table.add_row("waits chosen by", waits or "-", "")
    hits = f"{summary.speculation_hits} of {summary.speculations}"
    table.add_row("replies made beforehand, and used", hits, f"{summary.speculations_missed} dropped, as they went on")
    table.add_row("replies taken back, as they went on", str(summary.merges), "one turn, answered anew")
    if summary.fillers:
        table.add_row("turns with a filler before the reply", str(summary.fillers), "")
    if summary.ducks:
        ducks = ", ".join(f"{because} {count}" for because, count in summary.ducks.items())
        table.add_row("replies softened for", ducks, "")
    if summary.distress:
        table.add_row("calls for help", ", ".join(f"{kind} {n}" for kind, n in summary.distress.items()), "")


def _name(file: str) -> str:
    """What tells files apart in a narrow column; the JSON has their paths."""
    return escape(Path(file).stem)


def _shortened(text: str) -> str:
    """A minute of speech has its beginning and its end in the table; the JSON has all of it."""
    half = LONGEST_TEXT // 2
    return text if len(text) <= LONGEST_TEXT else f"{text[:half]} … {text[-half:]}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"
