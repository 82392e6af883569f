"""The gateway's web application: the voice socket, what an operator looks at, and the REST API.

/v1/talk                 the voice socket (`silvertalk.gateway`)
/                        service, version, mode, what is up
/livez  /readyz          is the process alive; can a person be answered
/metrics                 Prometheus
/demo                    the browser's page (`silvertalk.page`)
/media/…                 links and uploads of the folder store (`silvertalk.media.door`)
/auth/… /v1/talk/ticket /v1/me/listening
                         REST (`silvertalk.api`)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from silvertalk import __version__, metrics
from silvertalk.about_person import Acquaintances
from silvertalk.album import Album
from silvertalk.api.rest import rest
from silvertalk.api.services import Services
from silvertalk.committer import Committer
from silvertalk.database import Database
from silvertalk.gateway import Gateway
from silvertalk.generations import Generations
from silvertalk.habits import HabitKeeper
from silvertalk.jobs import WORK_GROUP, WORK_STREAM, Jobs
from silvertalk.listening import VadService
from silvertalk.media.door import media_routes
from silvertalk.media.store import LINK_SECONDS, MediaStore, media_origins, open_media
from silvertalk.notices import Notices
from silvertalk.orphans import Orphans
from silvertalk.page import Page
from silvertalk.remembering import Remembering
from silvertalk.revocations import Revocations
from silvertalk.services.kakao import Kakao
from silvertalk.services.replicate import Replicate
from silvertalk.settings import Settings
from silvertalk.text_talk import TextTalk
from silvertalk.voice_keeping import VoiceKeeper
from silvertalk.voice_tools import Means
from streaming.bus import Bus
from streaming.messages import TurnRecord
from streaming.vad import SileroModel, find_silero


@dataclass(frozen=True)
class Parts:
    """What a running gateway is made of."""

    settings: Settings
    bus: Bus
    database: Database
    committer: Committer
    gateway: Gateway
    notices: Notices
    app: Starlette


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Parts]:
    """Everything the gateway needs, opened; the database and Redis may be away and come later."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(
            Bus.open(
                settings.bus,
                name="gateway",
                key=settings.bus_key.get_secret_value() or None,
                lease_ms=settings.lease_ms,
            )
        )
        database = await stack.enter_async_context(Database.of(settings))
        notices = Notices(bus, database)
        vad = await stack.enter_async_context(VadService(SileroModel(find_silero())))

        async def on_committed(record: TurnRecord) -> None:
            voices.committed(record)
            remembering.committed(record)
            await gateway.on_committed(record)

        media = await stack.enter_async_context(open_media(settings))
        voices = await stack.enter_async_context(VoiceKeeper(database, media))
        jobs = await stack.enter_async_context(Jobs(database, settings.bus[0]))
        remembering = await stack.enter_async_context(Remembering(database, jobs))
        committer = await stack.enter_async_context(
            Committer(
                database,
                on_committed,
                limit=settings.commit_backlog,
                on_refused=lambda record: gateway.on_refused(record),
                on_ended=remembering.ended,
            )
        )
        habits = await stack.enter_async_context(HabitKeeper(database))
        revocations = await stack.enter_async_context(Revocations(bus, database))
        acquaintances = Acquaintances(
            database, default_zone=settings.time_zone, outside_allowed=settings.outside_services_allowed
        )
        album = Album(
            database,
            media,
            jobs,
            operator_answers=settings.outside_services_allowed,
            link_seconds=settings.resume_seconds + LINK_SECONDS,  # told again to whoever comes back that late
        )
        gateway = Gateway(
            settings,
            bus,
            database,
            vad,
            committer,
            habits,
            acquaintances,
            revocations,
            feeds=notices.feeds,
            voices=voices,
            album=album,
            means=Means(database, notices, jobs),
        )
        bus.on_replaced = gateway.on_replaced  # heard from the first session on, before it is announced
        bus.on_moved = gateway.on_moved

        def on_revoked(user: str, login: str) -> None:
            gateway.on_revoked(user, login)
            talk.on_revoked(user, login)
            notices.feeds.end(user, login)

        await stack.enter_async_context(Orphans(bus, database, settings, on_ended=remembering.ended))
        stack.push_async_callback(gateway.close)
        talk = await stack.enter_async_context(TextTalk(gateway, bus, database))
        bus.on_revoked = on_revoked
        replicate = await stack.enter_async_context(Replicate(settings))
        services = Services.of(
            settings,
            bus=bus,
            database=database,
            media=media,
            jobs=jobs,
            notices=notices,
            revocations=revocations,
            kakao=await stack.enter_async_context(Kakao(settings)),
            replicate=replicate,
            generations=await stack.enter_async_context(
                Generations(settings, bus=bus, database=database, media=media, jobs=jobs, replicate=replicate)
            ),
            door=gateway.check_door,
            talk=talk,
        )
        app = _application(settings, bus, database, gateway, services)
        yield Parts(settings, bus, database, committer, gateway, notices, app)


def _application(settings: Settings, bus: Bus, database: Database, gateway: Gateway, services: Services) -> Starlette:
    status = Status(settings, bus, database, services.media)
    application = Starlette(
        routes=[
            WebSocketRoute("/v1/talk", gateway.talk),
            Route("/", status.about),
            Route("/livez", status.alive),
            Route("/readyz", status.ready),
            Route("/metrics", status.metrics),
            Route("/demo{name:path}", Page(media=media_origins(settings))),
            *media_routes(services.media, services.origins),
        ]
    )
    application.router.default = rest(services)  # no Mount: its pattern misses a path with a line end in it
    return application


PARTS_SECONDS = 1.0
"""How long it is believed what is up: anybody may ask, and each answer costs the bus and the media store a question."""


class Status:
    """What an operator, a load balancer or a curious person asks."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        database: Database,
        media: MediaStore,
        *,
        parts_seconds: float = PARTS_SECONDS,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._database = database
        self._media = media
        self._parts_seconds = parts_seconds
        self._asking = asyncio.Lock()
        self._parts: dict[str, str] = {}
        self._parts_until = -math.inf

    async def about(self, request: Request) -> Response:
        return JSONResponse(
            {
                "service": "SilverTalk",
                "version": __version__,
                "mode": self._settings.deployment_mode,
                "parts": await self.parts(),
            }
        )

    async def alive(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(self, request: Request) -> Response:
        """200 while a spoken turn is possible: the bus answers and a warm node listens. What else is away is said."""
        parts = await self.parts()
        possible = parts["bus"] == "up" and parts["nodes"] != "0"
        degraded = [name for name, state in parts.items() if state in ("away", "0")]
        return JSONResponse(
            {"ready": possible, "parts": parts, "degraded": degraded}, status_code=200 if possible else 503
        )

    async def metrics(self, request: Request) -> Response:
        body, content_type = metrics.render()
        return Response(body, media_type=content_type)

    async def parts(self) -> dict[str, str]:
        """What is up, asked by one at a time and at most once in `parts_seconds`."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() >= self._parts_until:
                self._parts = await self._asked()
                self._parts_until = loop.time() + self._parts_seconds
            return self._parts

    async def _asked(self) -> dict[str, str]:
        reached = all((await self._bus.ping()).values())
        nodes = await self._bus.warm_nodes() if reached else 0
        metrics.BUS_UP.set(reached)
        metrics.DATABASE_UP.set(self._database.ready)
        return {
            "bus": "up" if reached else "away",
            "database": "up" if self._database.ready else "away",
            "media": "up" if await self._media.ready() else "away",
            "nodes": str(nodes),
            "workers": str(await self._bus.reading(WORK_STREAM, WORK_GROUP) if reached else 0),
        }
