"""The command line of `silvertalk replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from silvertalk.replay import PATIENCE_SECONDS

if TYPE_CHECKING:
    from silvertalk.replay.clips import Clip
    from silvertalk.replay.report import Report
    from silvertalk.replay.speaker import Spoken

NOT_ALL_ANSWERED = 1
CANNOT_START = 2
CANNOT_WRITE = 3


def replay_command(
    wavs: Annotated[list[Path], typer.Argument(metavar="WAV...", help="Recordings to speak; any rate and channels.")],
    url: Annotated[str, typer.Option(help="The gateway's address.")] = "http://127.0.0.1:8000",
    clients: Annotated[int, typer.Option(min=1, help="Simultaneous clients; the files are dealt round robin.")] = 1,
    manifest: Annotated[
        Path | None, typer.Option(help="JSON lines with each file's transcript, language and silences.")
    ] = None,
    language: Annotated[
        Literal["ko", "en", "auto"],
        typer.Option(help="auto: by the manifest, else by a folder called ko or en, else Korean."),
    ] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything measured to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the latencies into this PNG, SVG or PDF.")] = None,
    save_audio: Annotated[Path | None, typer.Option(help="Save the replies as WAVs in this folder.")] = None,
    patience: Annotated[
        float, typer.Option(help="Seconds to wait for an answer after a file's end.")
    ] = PATIENCE_SECONDS,
) -> None:
    """Speak recordings to a gateway in real time and measure how they are answered.

    Ends with 0 if every file with speech was answered and nothing went wrong, with 1 if not, with 2 if it cannot begin,
    with 3 if the results cannot be written.
    """
    from silvertalk.replay.clips import ClipError
    from silvertalk.replay.plot import PlotUnavailable, check_plot, draw
    from silvertalk.replay.run import load_clips
    from silvertalk.replay.table import show

    console = Console()
    try:
        if plot is not None:
            check_plot(plot)
        with console.status("finding the ends of speech"):
            clips = load_clips(wavs, manifest, language)
    except (ClipError, PlotUnavailable) as error:
        console.print(Text(str(error), style="red"))
        raise typer.Exit(CANNOT_START) from None
    report = _run(clips, url, clients, save_audio, patience, console)
    if report.refusal:
        console.print(Text(f"Nothing could be said at {url}: {report.refusal}", style="red"), soft_wrap=True)
        raise typer.Exit(CANNOT_START)
    show(report, console)
    try:
        if json_file is not None:
            report.write(json_file)
        if plot is not None:
            draw(report, plot)
    except OSError as error:
        console.print(Text(f"The results cannot be written: {error}", style="red"))
        raise typer.Exit(CANNOT_WRITE) from None
    raise typer.Exit(0 if report.ok else NOT_ALL_ANSWERED)


def _run(
    clips: list[Clip],
    url: str,
    clients: int,
    save_audio: Path | None,
    patience: float,
    console: Console,
) -> Report:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from silvertalk.replay.run import replay

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("speaking", total=max(len(clips), clients), last="")

        def on_clip(spoken: Spoken) -> None:
            progress.update(task, advance=1, last=_in_short(spoken))

        return uvloop.run(
            replay(
                clips,
                url,
                clients=clients,
                save_audio=save_audio,
                patience_seconds=patience,
                on_clip=on_clip,
            )
        )


def _in_short(spoken: Spoken) -> str:
    name = escape(Path(spoken.file.file).name)
    return (
        f"[green]{name}[/green]"
        if spoken.file.answered
        else f"[dim]{name}: {escape(spoken.file.error or 'no reply')}[/dim]"
    )
