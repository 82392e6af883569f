"""The `silvertalk` command."""

from __future__ import annotations

import asyncio

import typer
import uvloop
from rich.console import Console

from silvertalk import __version__
from silvertalk.doctor import doctor_command
from silvertalk.errors import ConfigurationError
from silvertalk.jobs_command import jobs_app
from silvertalk.replay.command import replay_command
from silvertalk.settings import Settings
from streaming.errors import BusError

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
    from streaming.logs import configure

    configure(level=settings.log_level, json=settings.deployment_mode == "cloud")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(main)  # type: ignore[arg-type]
        except* (ConfigurationError, BusError) as errors:  # BusError: a Redis that must not be used
            for error in errors.exceptions:
                console.print(f"[bold red]silvertalk:[/] {error}")
            raise typer.Exit(2) from None


def _address_of(settings: Settings) -> str:
    """Where a browser on this machine finds the gateway: a page may use the microphone on the loopback address only."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


@app.command()
def up() -> None:
    """Start everything on this machine: Valkey, gateway, one worker and one node. Ctrl-C stops them."""
    from silvertalk import supervisor

    settings = supervisor.with_port(_settings())
    address = _address_of(settings)

    def announce(name: str) -> None:
        if name == "gateway":
            console.print(f"\n  SilverTalk: [bold green]{address}/demo[/]")
            console.print("  복실이가 일어나고 있어요 (the models warm up) …")
        elif name == "node":
            console.print("  [bold]복실이가 듣고 있어요.[/] It listens: open that page, or in a second terminal:")
            console.print(f"      .venv/bin/silvertalk replay some.wav --url {address}\n  Ctrl-C stops it.\n")

    _run(supervisor.up(settings, announce), settings)


@app.command()
def gateway() -> None:
    """Run a gateway; the bus and the nodes are elsewhere."""
    from silvertalk.serving import serve

    settings = _settings()
    _run(serve(settings), settings)


@app.command()
def worker() -> None:
    """Run a worker for background jobs; the bus, the database and the media store are elsewhere."""
    from silvertalk.worker import work

    settings = _settings()
    _run(work(settings), settings)


app.command("replay")(replay_command)
app.command("doctor")(doctor_command)
app.add_typer(jobs_app, name="jobs")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
