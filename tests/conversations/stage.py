"""What stands behind a case: a Valkey, gateway, node and database of its own, real ones, as much of it as it needs.

Mostly one process, which starts in half a second. A gateway or a node that a case kills is a process of its own, and a
connection that is cut runs through a proxy. Each case has its own, so that what a node declines because it is busy
does not depend on which other cases run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gpu_node.engines import ReplyRequest
from silvertalk.database import Database
from silvertalk.models import Turn
from streaming.bus import names
from tests import product
from tests.conversations.case import Case, Deed
from tests.conversations.coded_node import Script
from tests.conversations.engines import CaseLlm
from tests.gateways import SECRET, GatewayProcess
from tests.ports import free_port
from tests.processes import Process, start
from tests.tcp_proxy import tcp_proxy
from tests.valkey import Valkey, running_valkey

GATEWAY = {
    "endpoint_wait_ms": 0,
    "silence_prompt_seconds": 0,
    "database_timeout_seconds": 30,
}
"""The endpoint on evidence; nobody is prompted unless a case is about that. A database that a busy machine keeps
waiting is not away."""


Node = Callable[[str, Script], AbstractAsyncContextManager[CaseLlm]]
"""Given the bus and what a case tells it: a warm node, whose LLM keeps what it was asked."""


@dataclass
class Stage:
    """`url`: where to call. `befall`: have something happen to it. `asked`: what the LLM was asked, in order."""

    url: str
    befall: Callable[[Deed], Awaitable[None]]
    turns: Callable[[str], Awaitable[list[Turn]]]
    asked: list[ReplyRequest] = field(default_factory=list)


@asynccontextmanager
async def stage(case: Case, folder: Path, node: Node) -> AsyncIterator[Stage]:
    """Everything up and warm; nothing is left of it afterwards."""
    with running_valkey() as valkey:
        async with AsyncExitStack() as running:
            if case.deeds & {"hand_over", "kill_gateway"}:
                built = await _of_processes(case, valkey, folder, running, node)
            else:
                built = await _of_one_process(case, valkey, folder, running, node)
            yield built


async def _of_one_process(case: Case, valkey: Valkey, folder: Path, running: AsyncExitStack, node: Node) -> Stage:
    chosen = product.settings(valkey.url, folder, **(GATEWAY | case.gateway))
    served = await running.enter_async_context(product.gateway(chosen))
    proxy = await running.enter_async_context(tcp_proxy(served.url))
    holders: dict[str, Process] = {}
    asked: list[ReplyRequest] = []
    if "kill_node" in case.deeds:
        for name in ("first", "second"):
            holders[name] = await _node_process(case, valkey, running, name)
    else:
        asked = (await running.enter_async_context(node(valkey.url, case.script))).asked

    async def befall(deed: Deed) -> None:
        match deed:
            case "cut":
                proxy.cut()
            case "stall":
                proxy.stall("up")
            case "release":
                proxy.release()
            case _:
                holder, _ = valkey.pending(names.OFFERS, names.NODES)[-1]
                await holders[holder].stop()

    return Stage(proxy.url, befall, served.parts.database.turns, asked)


async def _of_processes(case: Case, valkey: Valkey, folder: Path, running: AsyncExitStack, node: Node) -> Stage:
    """Two gateways behind one address, which leads to the one that lives."""
    settings = {name.upper(): str(value) for name, value in (GATEWAY | case.gateway).items()}
    gateways = [
        GatewayProcess(
            {
                "DATA_DIR": str(folder),
                "PORT": str(free_port()),
                "BUS_URLS": valkey.url,
                "JWT_SECRET": SECRET,
                "ALLOW_GUESTS": "true",
                "LOG_LEVEL": "warning",
                **settings,
            }
        )
        for _ in range(2)
    ]
    for each in gateways:
        running.push_async_callback(each.stop)
        await each.start()
        await each.ready()
    asked = (await running.enter_async_context(node(valkey.url, case.script))).asked
    database = Database(f"sqlite+aiosqlite:///{folder / 'silvertalk.sqlite3'}", timeout_seconds=30)
    await running.enter_async_context(database)
    await database.wait_ready()
    address = await running.enter_async_context(tcp_proxy(gateways[0].url))

    async def befall(deed: Deed) -> None:
        address.lead_to(gateways[1].url)
        if deed == "hand_over":
            gateways[0].terminate()
        else:
            gateways[0].kill()

    return Stage(address.url, befall, database.turns, asked)


async def _node_process(case: Case, valkey: Valkey, running: AsyncExitStack, name: str) -> Process:
    script = msgspec.json.encode(case.script).decode()
    process = await start("tests.conversations.coded_node", valkey.url, name, script)
    running.push_async_callback(process.stop)
    await process.printed("node_warm")
    return process
