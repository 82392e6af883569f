"""The `silvertalk` command."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from silvertalk import __version__
from silvertalk.errors import ConfigurationError
from silvertalk.settings import Settings

app = typer.Typer(
    name="silvertalk",
    help="SilverTalk: a voice companion for older people. 어르신과 이야기 나누는 강아지 복실이.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)


def _settings() -> Settings:
    try:
        return Settings.read()
    except ConfigurationError as error:
        console.print(f"[bold red]silvertalk:[/] {error}")
        raise typer.Exit(2) from None


def _run(main: object, settings: Settings) -> None:
    from silvertalk.logs import configure

    configure(level=settings.log_level, json=settings.deployment_mode == "cloud")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(main)  # type: ignore[arg-type]
        except* ConfigurationError as errors:
            for error in errors.exceptions:
                console.print(f"[bold red]silvertalk:[/] {error}")
            raise typer.Exit(2) from None


@app.command()
def up() -> None:
    """Start everything on this machine: Valkey, gateway and one node. Ctrl-C stops them."""
    from silvertalk import supervisor

    settings = _settings()
    address = f"http://{settings.host}:{settings.port}"

    def announce() -> None:
        console.print(f"\n  [bold green]SilverTalk is ready:[/] {address}")
        console.print(f"  Speak to it:  silvertalk replay some.wav --url {address}\n  Ctrl-C stops it.\n")

    console.print(f"Starting SilverTalk in {settings.deployment_mode} mode (the models warm up for some seconds) …")
    _run(supervisor.up(settings, announce), settings)


@app.command()
def gateway() -> None:
    """Run a gateway; the bus and the nodes are elsewhere."""
    from silvertalk.serving import serve

    settings = _settings()
    _run(serve(settings), settings)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


__all__ = ["Annotated", "app"]
