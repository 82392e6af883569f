"""The page without the product: its files from a server that has nothing else, and a tab that has loaded them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from silvertalk.page import Page
from silvertalk.serving import Server
from tests import browser


async def without_kakao(request: Request) -> Response:
    """The first thing that the page asks of a server: here one is a guest."""
    return JSONResponse({"available": False})


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The address of a server that has the page's files alone."""
    app = Starlette(routes=[Route("/demo{name:path}", Page()), Route("/auth/kakao", without_kakao)])
    server = Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(), name="page")
    try:
        async with asyncio.timeout(10):
            while not server.started:
                if serving.done():
                    serving.result()
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait([serving])


@asynccontextmanager
async def loaded() -> AsyncIterator[browser.Page]:
    """A tab with the page, in which its modules can be imported; it must have nothing to complain of at the end."""
    async with served() as url, browser.chromium() as tools, browser.page(tools) as tab:
        await tab.go(f"{url}/demo")
        yield tab
        assert not tab.complaints
