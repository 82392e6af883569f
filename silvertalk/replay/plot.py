"""A report as one picture: every turn's course after the last word, the distributions, latency over the run.

The table gives percentiles; the picture shows what they hide: which step a slow turn was slow in, whether the slow ones
come in a row, and whether one client pays for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from silvertalk.replay.report import Report, TurnRow

INK, FAINT = "#2b2f36", "#d9dce1"
FINAL, ENDPOINT, REPLY = "#3b7dd8", "#e0a030", "#2a9d74"
CLIENTS = ("#2a9d74", "#3b7dd8", "#c8553d", "#8a5fbf", "#e0a030", "#4a4e57", "#d46a9f", "#6aa84f")
NAMED_TURNS = 30
"""Up to so many turns carry their file's name; beyond that only the shape matters."""


ENDINGS = (".png", ".svg", ".pdf")


class PlotUnavailable(Exception):
    """There will be no picture: matplotlib is missing, or the file's ending says no kind of picture."""


def check_plot(path: Path) -> None:
    """Say before a long run that its picture could not be drawn; raises PlotUnavailable."""
    if find_spec("matplotlib") is None:
        raise PlotUnavailable("A plot needs matplotlib: install the `embedded` extra, or matplotlib itself.")
    if path.suffix.lower() not in ENDINGS:
        raise PlotUnavailable(f"{path} is no name for a plot: it should end in {', '.join(ENDINGS)}.")


def draw(report: Report, path: Path) -> None:
    """Write the picture to `path`, PNG, SVG or PDF by its ending; raises PlotUnavailable."""
    check_plot(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sorted(
        (row for row in report.turns if row.reply_latency_ms is not None), key=lambda row: row.reply_latency_ms or 0.0
    )
    figure = Figure(figsize=(13, max(6.5, min(13.0, 2.5 + 0.16 * len(rows)))), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1))
    _courses(figure.add_subplot(grid[:, 0]), rows)
    _distributions(figure.add_subplot(grid[0, 1]), report.turns)
    _over_time(figure.add_subplot(grid[1, 1]), report.turns)
    figure.suptitle(_headline(report), x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)


def _headline(report: Report) -> str:
    summary = report.summary
    latency = summary.spreads["reply_latency_ms"]
    median = "no reply was heard" if latency.p50 is None else f"median reply latency {latency.p50:.0f} ms"
    clients = f"{summary.clients} client{'s' if summary.clients != 1 else ''}"
    return (
        f"{clients}, {summary.turns} turns: {median}, {summary.answered} of {summary.files_with_speech} files answered"
    )


def _courses(axes: Any, rows: Sequence[TurnRow]) -> None:
    """A line a turn, quickest below: the wait, then what lies beyond it, then the reply's sound."""
    _frame(axes, "After the last word, turn by turn", "seconds after the last speech sample was sent")
    for place, row in enumerate(rows):
        reply = (row.reply_latency_ms or 0.0) / 1000
        decided = min(reply, row.endpoint_ms / 1000) if row.endpoint_ms is not None else reply
        axes.plot((0, decided), (place, place), color=FAINT, lw=3.5, solid_capstyle="butt", zorder=1)
        axes.plot((decided, reply), (place, place), color=REPLY, lw=3.5, alpha=0.45, solid_capstyle="butt", zorder=1)
    _dots(axes, [row.final_ms for row in rows], FINAL, "final transcript")
    _dots(axes, [row.endpoint_ms for row in rows], ENDPOINT, "endpoint (turn.ended)")
    _dots(axes, [row.reply_latency_ms for row in rows], REPLY, "first reply audio")
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_ylim(-1, max(len(rows), 1))
    if rows and len(rows) <= NAMED_TURNS:
        axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=7)
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(rows)} turns, the quickest below", color=INK)
    if rows:
        axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none", fontsize=8)


def _dots(axes: Any, values_ms: Sequence[float | None], colour: str, label: str) -> None:
    known = [(value / 1000, place) for place, value in enumerate(values_ms) if value is not None]
    if known:
        axes.scatter(*zip(*known, strict=True), s=16, color=colour, label=label, zorder=3, linewidths=0)


def _distributions(axes: Any, rows: Sequence[TurnRow]) -> None:
    """Share of turns (upwards) that took at most so long: steep is steady, a long foot to the right is a slow tail."""
    _frame(axes, "How many turns took at most so long", "seconds")
    curves = {
        "first caption": ("first_partial_ms", INK),
        "final transcript": ("final_ms", FINAL),
        "endpoint wait": ("wait_ms", ENDPOINT),
        "reply latency": ("reply_latency_ms", REPLY),
    }
    drawn = False
    for label, (name, colour) in curves.items():
        values = np.sort([value / 1000 for row in rows if (value := getattr(row, name)) is not None])
        if not len(values):
            continue
        drawn = True
        share = np.arange(1, len(values) + 1) / len(values) * 100
        axes.step(
            np.concatenate((values[:1], values)),
            np.concatenate(([0.0], share)),
            where="post",
            color=colour,
            lw=1.8,
            label=f"{label}, median {np.median(values):.2f} s",
        )
    axes.set_xlim(left=min(0.0, axes.dataLim.x0) if drawn else 0.0)
    axes.axhline(50, color=FAINT, lw=0.8, zorder=0)
    axes.axhline(90, color=FAINT, lw=0.8, zorder=0)
    axes.set_ylim(0, 102)
    axes.set_yticks((0, 50, 90, 100), ("0 %", "50 %", "90 %", "100 %"))
    if drawn:
        axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none", fontsize=8)


def _over_time(axes: Any, rows: Sequence[TurnRow]) -> None:
    _frame(axes, "Reply latency over the run", "seconds since the run began")
    axes.set_ylabel("reply latency, seconds", color=INK)
    clients = sorted({row.client for row in rows})
    for client in clients:
        points = [
            (row.speech_end_at, row.reply_latency_ms / 1000)
            for row in rows
            if row.client == client and row.speech_end_at is not None and row.reply_latency_ms is not None
        ]
        if points:
            colour = CLIENTS[(client - 1) % len(CLIENTS)]
            axes.plot(
                *zip(*points, strict=True),
                marker="o",
                ms=3.5,
                lw=0.5,
                alpha=0.8,
                color=colour,
                label=f"client {client}",
            )
    unanswered = [row.speech_end_at for row in rows if row.reply_latency_ms is None and row.speech_end_at is not None]
    if unanswered:
        axes.plot(unanswered, [0.0] * len(unanswered), "x", color="#c8553d", ms=5, label="no reply", clip_on=False)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.25)  # Room for the legend above the points.
    if (1 < len(clients) <= len(CLIENTS)) or unanswered:
        axes.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none", fontsize=8, ncols=2)


def _frame(axes: Any, title: str, x_label: str) -> None:
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel(x_label, color=INK)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(axis="x", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)


def _label(row: TurnRow) -> str:
    """The file's name, unless the plot's font (Latin only) would draw boxes in its place."""
    stem = Path(row.file).stem
    return f"{stem if stem.isascii() else 'file'}  {row.client}:{row.turn}"
