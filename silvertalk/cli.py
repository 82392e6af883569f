"""The `silvertalk` command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import typer
import uvloop
from rich.console import Console
from rich.markup import escape

from silvertalk import __version__
from silvertalk.announcing import Announcer
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
    refusals: list[BaseException] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(main)  # type: ignore[arg-type]
        except* (ConfigurationError, BusError) as errors:  # BusError: a Redis that must not be used
            refusals.extend(_leaves(errors))
    for error in refusals:
        console.print(f"[bold red]silvertalk:[/] {escape(str(error))}", soft_wrap=True)
    if refusals:  # not raised up there: what `except*` raises is a group, which typer does not know
        raise typer.Exit(2)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """What was raised, however many task groups it came through."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _address_of(settings: Settings) -> str:
    """Where a browser on this machine finds the gateway: a page may use the microphone on the loopback address only."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


@app.command()
def up() -> None:
    """Start everything on this machine: Valkey, gateway, one worker and one node. Ctrl-C stops them."""
    from silvertalk import supervisor

    settings = supervisor.with_port(_settings())
    _run(supervisor.up(settings, Announcer(console, _address_of(settings))), settings)


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
