"""A gateway that makes pictures, a Replicate to practise with on other ports, and people who ask."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from silvertalk.app import Parts
from silvertalk.generations import Generations
from silvertalk.job_kinds import WorkParts
from silvertalk.jobs import Jobs
from silvertalk.keys import signing_secret
from silvertalk.media.folder import DOOR, FolderStore
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from silvertalk.standins.replicate import ReplicateStandIn
from silvertalk.standins.serving import served
from silvertalk.tokens import AccessTokens
from tests.ports import free_port
from tests.product import gateway, settings

TOKEN = "r8_practice"
PROMPT = "바닷가에서 손을 흔드는 강아지"


@dataclass(frozen=True)
class Asker:
    """Somebody with a client of their own."""

    user: str
    client: httpx.AsyncClient

    async def ask(self, method: str, path: str, status: int, **request: Any) -> Any:
        """The JSON of the answer, which has this status."""
        answer = await self.client.request(method, path, **request)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def image(self, status: int = 202, *, wait: int = 0, **body: Any) -> Any:
        return await self.ask("POST", f"/generate/image?wait={wait}", status, json={"prompt": PROMPT, **body})

    async def status(self, generation: str, status: int = 200, *, wait: int = 0) -> Any:
        return await self.ask("GET", f"/generate/status/{generation}?wait={wait}", status)


class Stage:
    """The gateway at `url` and the Replicate it asks."""

    def __init__(self, url: str, parts: Parts, replicate: ReplicateStandIn, stack: AsyncExitStack) -> None:
        self.url = url
        self.parts = parts
        self.replicate = replicate
        self.settings = parts.settings
        self._stack = stack
        self._tokens = AccessTokens(signing_secret(parts.settings))

    @property
    def generations(self) -> Generations:
        """The gateway's own."""
        api: Any = self.parts.app.router.default
        found: Generations = api.state.services.generations
        return found

    @property
    def media(self) -> FolderStore:
        api: Any = self.parts.app.router.default
        found: FolderStore = api.state.services.media
        return found

    def worker_parts(self) -> WorkParts:
        """What a worker beside this gateway has."""
        bus, database = self.parts.bus, self.parts.database
        return WorkParts(
            settings=self.settings,
            bus=bus,
            database=database,
            media=self.media,
            jobs=Jobs(database),
            notices=Notices(bus, database),
            revocations=Revocations(bus, database),
        )

    async def someone(self, user: str = "") -> Asker:
        user = user or str(uuid.uuid4())
        bearer = {"Authorization": f"Bearer {self._tokens.issue(user, 'guest').access_token}"}
        client = httpx.AsyncClient(base_url=self.url, headers=bearer, trust_env=False, timeout=90)
        return Asker(user, await self._stack.enter_async_context(client))

    async def objects(self, user: str) -> list[str]:
        return sorted(await self.media.some_below(f"u/{user}/"))

    def key_in(self, link: str) -> str:
        """Of a link of ours."""
        return urlsplit(link).path.removeprefix(f"{DOOR}/")

    def the_prediction(self) -> str:
        """Replicate's id of the newest."""
        return list(self.replicate.predictions)[-1]

    async def all_brought_in(self) -> None:
        """Replicate has told everything, and what the gateway does about it is done."""
        await self.replicate.settled()
        await self.generations.__aexit__(None, None, None)

    async def lose_patience(self, user: str, generation: str) -> None:
        """As if the time were over in which a webhook is believed in."""
        found = await self.generations.records.of(user, generation)
        assert found is not None
        await self.generations.records.wait_no_more(found)


@asynccontextmanager
async def stage(bus_url: str, folder: Path, **changes: object) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        replicate = await stack.enter_async_context(ReplicateStandIn(token=TOKEN))
        replicate.address = await stack.enter_async_context(served(replicate.app))
        replicate.delivery_address = await stack.enter_async_context(served(replicate.delivery))
        server = await stack.enter_async_context(gateway(chosen(bus_url, folder, replicate.address, **changes)))
        yield Stage(server.url, server.parts, replicate, stack)


def chosen(bus_url: str, folder: Path, replicate: str, **changes: object) -> Settings:
    port = free_port()
    given: dict[str, object] = {
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "replicate_url": replicate,
        "replicate_api_token": TOKEN,
    }
    return settings(bus_url, folder, **{**given, **changes})
