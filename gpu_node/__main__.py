"""`python -m gpu_node`: one node, from its settings to its drain."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence

import msgspec
import uvloop

from gpu_node.engines.catalogue import build_engines
from gpu_node.errors import BadSettings, NodeError, WeightsMissing
from gpu_node.explaining import explain
from gpu_node.profiles import PROFILES, profile_name
from gpu_node.settings import NodeSettings
from gpu_node.threads import EngineQueue
from gpu_node.worker import Worker
from streaming import notify
from streaming.bus import Bus
from streaming.errors import BusError
from streaming.logs import configure, logger

log = logger("node")
MISCONFIGURED = 2
"""The exit status, as of a command line that cannot be: it would be no better the next time."""


async def serve(settings: NodeSettings) -> None:
    """Warm up, then claim turns until told to stop."""
    async with (
        EngineQueue("engine") as queue,
        EngineQueue("turn-end") as beside,
        Bus.open(
            settings.bus_urls,
            name=settings.node_name,
            key=settings.bus_key.get_secret_value() if settings.bus_key else None,
            lease_ms=settings.lease_ms,
        ) as bus,
    ):
        engines = build_engines(settings, queue, beside)
        worker = Worker(
            bus,
            engines,
            name=settings.node_name,
            slots=settings.node_slots,
            lease_ms=settings.lease_ms,
            engine_stall_ms=settings.engine_stall_ms,
            drain_seconds=settings.drain_seconds,
            speculations_per_minute=settings.node_speculations_per_minute,
        )
        _on_signals(_end_cold)
        try:
            await worker.warm_up()
            _on_signals(worker.drain)
            notify.ready()
            await worker.run()
        finally:
            await engines.llm.aclose()


def _on_signals(do: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, do)


def _end_cold() -> None:
    """Until a node is warm nothing is in its hands, and a model that is being loaded cannot be told to stop."""
    log.info("node_ended_cold")
    os._exit(0)


def options() -> argparse.ArgumentParser:
    """The command line; everything else is a setting, since a node is started by machines."""
    profiles = "\n".join(f"  {name:5} {profile.about}" for name, profile in PROFILES.items())
    parser = argparse.ArgumentParser(
        prog="python -m gpu_node",
        description="One node of SilverTalk: hears, answers and speaks for the gateways of its bus until SIGTERM.",
        epilog=f"profiles:\n{profiles}\n\nSettings come from the environment and win over a profile's: see the README.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--profile",
        type=profile_name,
        choices=list(PROFILES),
        help="defaults that suit this machine (NODE_PROFILE otherwise)",
    )
    parser.add_argument(
        "--explain", action="store_true", help="print what would run here as JSON, load nothing, and end"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options().parse_args(arguments)
    try:
        settings = NodeSettings.read(chosen.profile)
        if chosen.explain:
            print(msgspec.json.encode(explain(settings, os.environ)).decode())
            return 0
        configure(level=settings.log_level, json=settings.deployment_mode == "cloud")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except (NodeError, BusError) as error:
        print(f"gpu_node: {error}", file=sys.stderr)
        return MISCONFIGURED if isinstance(error, BadSettings | WeightsMissing) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
