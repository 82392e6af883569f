"""Both media stores on real sockets: what a test asks of one it asks of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import httpx
from starlette.applications import Starlette

from silvertalk.media.door import media_routes
from silvertalk.media.store import MediaStore, Upload, open_media
from silvertalk.settings import Settings
from silvertalk.standins.s3 import S3StandIn
from silvertalk.standins.serving import served

Kind = Literal["folder", "s3"]
KINDS: tuple[Kind, ...] = ("folder", "s3")


@dataclass(frozen=True)
class Served:
    """A store, and a client that reaches it as a phone does."""

    kind: Kind
    store: MediaStore
    client: httpx.AsyncClient
    folder: Path
    standin: S3StandIn
    origin: str
    """A page of this origin may use the store."""

    async def get(self, link: str, **headers: str) -> httpx.Response:
        return await self.client.get(link, headers=headers)

    async def post(self, upload: Upload, data: bytes, **changes: str) -> httpx.Response:
        """The form with its fields, some of them changed; one changed to "" is left out."""
        fields = {name: value for name, value in {**upload.fields, **changes}.items() if value}
        return await self.client.post(upload.url, data=fields, files={"file": ("a.jpg", data, "image/jpeg")})


@asynccontextmanager
async def serving_store(kind: Kind, folder: Path) -> AsyncIterator[Served]:
    """An empty store of this kind."""
    standin = S3StandIn(page=3)  # a listing of more than three goes on in pages
    async with AsyncExitStack() as stack:
        chosen = Settings(data_dir=folder)
        if kind == "s3":
            url = await stack.enter_async_context(served(standin.app))
            chosen = s3_settings(folder, url, standin)
        store = await stack.enter_async_context(open_media(chosen))
        origin = "https://talk.example.org"
        if kind == "folder":
            url = await stack.enter_async_context(served(Starlette(routes=media_routes(store, frozenset({origin})))))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, timeout=30))
        yield Served(kind, store, client, folder, standin, origin)


def s3_settings(folder: Path, endpoint: str, standin: S3StandIn, **changes: object) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": folder,
            "s3_bucket": standin.bucket,
            "s3_endpoint": endpoint,
            "s3_region": standin.keys.region,
            "s3_access_key_id": standin.keys.access_key,
            "s3_secret_access_key": standin.keys.secret_key,
            **changes,
        }
    )


def absolute(client: httpx.AsyncClient, link: str) -> str:
    return urljoin(str(client.base_url), link)
