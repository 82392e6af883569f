"""What the routes stand on: one frozen object on `app.state`, and the dependencies that read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from silvertalk.accounts import Accounts
from silvertalk.api.limiting import Limiter
from silvertalk.api.shared_films import SharedFilms
from silvertalk.auth import check_origin, identify
from silvertalk.database import Database
from silvertalk.generation_waiting import GenerationWaits
from silvertalk.generations import Generations
from silvertalk.guests import GuestIds
from silvertalk.jobs import Jobs
from silvertalk.kept_answers import Answers
from silvertalk.keys import signing_secret
from silvertalk.logins import Logins
from silvertalk.media.store import MediaStore
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.services.kakao import Kakao
from silvertalk.services.replicate import Replicate
from silvertalk.services.replicate_webhooks import WebhookKeys
from silvertalk.settings import Settings
from silvertalk.text_talk import TextTalk
from silvertalk.tokens import AccessTokens, Identity
from streaming.bus import Bus


def open_door() -> None:
    """The door of a server that never refuses."""


@dataclass(frozen=True)
class Services:
    """Everything a route may need. Build it with `Services.of`."""

    settings: Settings
    tokens: AccessTokens
    guests: GuestIds
    limiter: Limiter
    answers: Answers
    bus: Bus
    database: Database
    media: MediaStore
    jobs: Jobs
    notices: Notices
    revocations: Revocations
    kakao: Kakao
    logins: Logins
    accounts: Accounts
    replicate: Replicate
    webhook_keys: WebhookKeys
    generations: Generations
    generation_waits: GenerationWaits
    films: SharedFilms
    origins: frozenset[str]
    """Web origins that may ask."""
    door: Callable[[], None]
    """Raises ServerFull or Draining while no new session may begin, so that a client learns it before it connects."""
    talk: TextTalk | None
    """The conversations of this process; None where nobody talks, as in a test of the routes alone."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        bus: Bus,
        database: Database,
        media: MediaStore,
        jobs: Jobs,
        notices: Notices,
        revocations: Revocations | None = None,
        kakao: Kakao | None = None,
        replicate: Replicate | None = None,
        generations: Generations | None = None,
        origins: frozenset[str] | None = None,
        door: Callable[[], None] = open_door,
        talk: TextTalk | None = None,
    ) -> Self:
        """The services of one process. `origins`: where the port was not known from the settings."""
        secret = signing_secret(settings)
        revocations = revocations or Revocations(bus, database)
        logins = Logins(database, revocations, secret)
        tokens = AccessTokens(secret, minutes=settings.access_token_minutes)
        replicate = replicate or Replicate(settings)
        generations = generations or Generations(
            settings, bus=bus, database=database, media=media, jobs=jobs, replicate=replicate
        )
        return cls(
            settings=settings,
            tokens=tokens,
            guests=GuestIds(secret),
            limiter=Limiter(settings, tokens, bus, secret),
            answers=Answers(bus, secret),
            bus=bus,
            database=database,
            media=media,
            jobs=jobs,
            notices=notices,
            revocations=revocations,
            kakao=kakao or Kakao(settings),
            logins=logins,
            accounts=Accounts(database, bus, jobs, logins, revocations),
            replicate=replicate,
            webhook_keys=WebhookKeys(settings, replicate),
            generations=generations,
            generation_waits=GenerationWaits(generations, notices.feeds),
            films=SharedFilms(media),
            origins=settings.origins() if origins is None else origins,
            door=door,
            talk=talk,
        )


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def our_origin(request: Request) -> None:
    """Refuse a page of another site; an app, which has no origin, may ask."""
    check_origin(request.headers.getlist("origin"), services_of(request).origins)


def address_of(request: Request) -> str:
    """The client's address. Behind a proxy it is the server's task to believe the proxy's header or not."""
    return request.client.host if request.client is not None else ""


_bearer = HTTPBearer(auto_error=False, description="Access token")
"""Names the scheme on the OpenAPI page; `identify` reads the header itself, and strictly."""


async def asking(
    request: Request, _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None
) -> Identity:
    """Who is asking, from the bearer token alone, which was not revoked."""
    services = services_of(request)
    identity = identify(services.tokens, request.headers.getlist("authorization"))
    await services.revocations.check(identity)
    return identity


ServicesOf = Annotated[Services, Depends(services_of)]
Asking = Annotated[Identity, Depends(asking)]
