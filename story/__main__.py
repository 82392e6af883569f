"""`make story`, or `python -m story [--out FOLDER] [--url ADDRESS]`: tells the story and looks at what came of it."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from story.checking import Check, check, frames
from story.product import NotUp, product
from story.telling import Plot, StoryFailed, Told, tell_story

WAKING = "복실이가 일어나고 있어요"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m story", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("var/story"), help="where the film is put")
    parser.add_argument("--url", default="", help="a product that runs already; otherwise one is started")
    parser.add_argument("--own-voice", action="store_true", help="the person's own recordings are heard in the film")
    options = parser.parse_args()
    console = Console()
    if not options.url:
        shutil.rmtree(options.out / "data", ignore_errors=True)  # of an earlier story
    (options.out / "data").mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        told = asyncio.run(_tell(options, console))
    except (StoryFailed, NotUp) as error:
        console.print(f"[red]{error}[/]")
        return 1
    _show_talk(console, told)
    console.print("Listening to the film …")
    checks = check(told)
    _show(console, checks)
    stills = frames(told, options.out)
    console.print(f"\n  {told.film} ({told.film.stat().st_size / 1e6:.1f} MB), {len(stills)} stills beside it")
    console.print(f"  {time.monotonic() - began:.0f} s in all; made in the stages {', '.join(told.stages)}")
    return 0 if all(one.good for one in checks) else 1


async def _tell(options: argparse.Namespace, console: Console) -> Told:
    out: Path = options.out
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(WAKING, total=1.0)

        lines = _Lines(console)

        def tell(what: str, share: float) -> None:
            progress.update(bar, description=what, completed=share)
            if not console.is_terminal:  # a file or a pipe is shown the bar when it is over
                lines.tell(what)

        async with AsyncExitStack() as stack:
            url = options.url
            if not url:
                tell(WAKING, 0.0)
                url = await stack.enter_async_context(product(out / "data"))
            return await tell_story(url, out, tell, Plot(own_voice=options.own_voice))


class _Lines:
    """One line for each stage, with the seconds since the beginning, written at once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._last = ""

    def tell(self, what: str) -> None:
        if what != self._last:
            self._last = what
            self._console.print(f"{time.monotonic() - self._began:5.0f} s  {what}", markup=False, highlight=False)
            self._console.file.flush()


def _show_talk(console: Console, told: Told) -> None:
    for heard in told.turns:
        if heard.understood:
            console.print(f"  [bold]할머니[/] {heard.understood}")
        console.print(f"  [green]복실이[/] {heard.answered}")
    for fact in told.memories:
        console.print(f"  [cyan]기억[/]   {fact}")
    console.print(f"  [magenta]영상[/]   {told.video['title']}")
    for sentence in told.narration:
        console.print(f"         {sentence}")


def _show(console: Console, checks: list[Check]) -> None:
    table = Table("", "what", "found", title="The story, looked at")
    for one in checks:
        table.add_row("[green]ok[/]" if one.good else "[red]NO[/]", one.what, one.found)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
