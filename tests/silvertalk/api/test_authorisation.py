"""Nobody reads, changes or learns of what is not theirs: every route, asked by everybody it is not for.

The routes are the application's own; one that is not in the table fails.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jose import jwt
from sqlalchemy import select

from silvertalk.belongings import BELONGINGS
from silvertalk.erasing import ask_to_erase
from silvertalk.jobs import Jobs
from silvertalk.keys import derived_key, signing_secret
from silvertalk.revocations import MARK as REVOKED_MARK
from silvertalk.revocations import Revocations
from silvertalk.tokens import AccessTokens
from tests.product import Product, gateway, node, settings
from tests.silvertalk.api.route_table import ROUTES, Made, Rule, filled, path_of, route_table, rules
from tests.silvertalk.furnishing import furnish
from tests.valkey import Valkey

PLENTY = {
    name: 100_000
    for name in (
        "reads_per_minute",
        "changes_per_minute",
        "uploads_per_minute",
        "talks_per_minute",
        "shares_per_minute",
    )
} | {"logins_per_minute": 10_000}
MARK = "canaryowner"
PHOTO = b"\xff\xd8\xff\xe0 not much of a photo"


class Stage:
    """A server with a database, and people before it."""

    def __init__(self, client: httpx.AsyncClient, server: Product) -> None:
        self.client = client
        self.app = server.parts.app
        self.database = server.parts.database
        self.bus = server.parts.bus
        self.secret = signing_secret(server.parts.settings)
        self.tokens = AccessTokens(self.secret)

    def bearer(self, user: str, kind: Any = "guest") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens.issue(user, kind).access_token}"}

    async def owner(self) -> tuple[str, Made]:
        """Somebody new who has everything."""
        user = str(uuid.uuid4())
        made = await furnish(self.database, user, f"{MARK}{user[:8]}")
        return user, made

    async def ask(self, route: str, rule: Rule, made: Made, headers: dict[str, str]) -> httpx.Response:
        """The answer; of an endless one its beginning alone."""
        query = filled(rule.query, made)
        asked: dict[str, Any] = {"headers": headers}
        if rule.files:
            asked["files"] = {"files": ("photo.jpg", PHOTO, "image/jpeg")}
        elif rule.body is not None:
            asked["json"] = filled(rule.body, made)
        url = path_of(route, rule, made) + (f"?{query}" if query else "")
        async with self.client.stream(route.partition(" ")[0], url, **asked) as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                await answer.aread()
            return answer

    async def rows(self, user: str) -> list[str]:
        """All that somebody has, as text."""
        async with self.database.transaction() as connection:
            return [
                f"{belonging.table.name} {tuple(row)!r}"
                for belonging in BELONGINGS
                for row in await connection.execute(select(belonging.table).where(belonging.of(user)))
            ]


@pytest.fixture
async def stage(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Stage]:
    chosen = settings(valkey.url, tmp_path / "var", **PLENTY)
    async with gateway(chosen) as server, node(valkey.url):
        await server.parts.database.wait_ready()
        await server.parts.bus.values.refill({}, 600, REVOKED_MARK, 600)  # it knows that nothing was revoked
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as client:
            yield Stage(client, server)


def test_every_route_is_in_the_table() -> None:
    assert set(route_table()) == set(ROUTES), "say in tests/silvertalk/api/route_table.py who may ask for it, and how"


OUTSIDE = {
    "/": "what runs, for anybody",
    "/livez": "for a load balancer",
    "/readyz": "for a load balancer",
    "/metrics": "for Prometheus; numbers alone",
    "/demo{name:path}": "the page's own files",
    "/v1/talk": "opened by a ticket: test_socket_authorisation.py",
    "/media": "opened by a form's signature, or a link's: tests/silvertalk/media/test_door.py",
}


async def test_what_stands_outside_of_the_api_is_known(stage: Stage) -> None:
    assert {str(getattr(route, "path", route)) for route in stage.app.routes} == set(OUTSIDE)


def told(answer: httpx.Response) -> str:
    return answer.text if answer.is_stream_consumed else ""


async def refused_to_all_who_come_with(stage: Stage, headers: dict[str, str], codes: set[str]) -> None:
    leaks = []
    user, made = await stage.owner()
    before = await stage.rows(user)
    for route, _, rule in rules():
        if rule.public:
            continue
        answer = await stage.ask(route, rule, made, headers)
        code = answer.json().get("code") if answer.status_code == 401 else answer.status_code
        if code not in codes or MARK in told(answer):
            leaks.append(f"{route}: {code}")
        if "bearer" not in answer.headers.get("www-authenticate", "").lower():
            leaks.append(f"{route}: does not say how to come in")
    assert not leaks, "\n".join(leaks)
    assert await stage.rows(user) == before


async def test_a_stranger_is_let_in_nowhere(stage: Stage) -> None:
    await refused_to_all_who_come_with(stage, {}, {"token_missing"})


async def test_what_is_no_token_of_ours_opens_nothing(stage: Stage) -> None:
    mine = stage.bearer(str(uuid.uuid4()))["Authorization"]
    await refused_to_all_who_come_with(stage, {"Authorization": mine[:-4] + "AAAA"}, {"token_refused"})


async def test_a_token_whose_time_is_over_opens_nothing(stage: Stage) -> None:
    then = int(time.time()) - 3600
    issued = stage.tokens.issue(str(uuid.uuid4()), "guest")
    claims = jwt.get_unverified_claims(issued.access_token) | {"iat": then, "nbf": then, "exp": then + 1800}
    old = jwt.encode(claims, derived_key(stage.secret, "access tokens"), algorithm="HS256")
    await refused_to_all_who_come_with(stage, {"Authorization": f"Bearer {old}"}, {"token_expired"})


async def test_a_revoked_token_opens_nothing(stage: Stage) -> None:
    issued = stage.tokens.issue(str(uuid.uuid4()), "guest")
    await Revocations(stage.bus, stage.database).announce(issued.identity.user, issued.identity.login)
    headers = {"Authorization": f"Bearer {issued.access_token}"}
    await refused_to_all_who_come_with(stage, headers, {"token_refused"})


async def test_who_is_deleted_comes_in_nowhere(stage: Stage) -> None:
    user = str(uuid.uuid4())
    headers = stage.bearer(user)
    await ask_to_erase(stage.database, Jobs(stage.database), Revocations(stage.bus, stage.database), user)
    await refused_to_all_who_come_with(stage, headers, {"token_refused", "account_erased"})


@pytest.mark.parametrize("kind", ["guest", "account"])
async def test_another_person_finds_nothing_and_changes_nothing(stage: Stage, kind: str) -> None:
    leaks = []
    for route, _, rule in rules():
        user, made = await stage.owner()
        before = await stage.rows(user)
        answer = await stage.ask(route, rule, made, stage.bearer(str(uuid.uuid4()), kind))
        if rule.owned and answer.status_code != 404:
            leaks.append(f"{route}: {answer.status_code} instead of 404")
        if answer.status_code >= 500 and answer.status_code not in rule.accepts:
            leaks.append(f"{route}: {answer.status_code}")
        if f"{MARK}{user[:8]}" in told(answer) or user in told(answer):
            leaks.append(f"{route}: tells of the owner")
        if await stage.rows(user) != before:
            leaks.append(f"{route}: changes what is the owner's")
    assert not leaks, "\n".join(leaks)


async def test_the_owner_is_let_in_everywhere(stage: Stage) -> None:
    """So that what others are refused is refused for whose it is, not for how it was asked."""
    shut = []
    for route, _, rule in rules():
        user, made = await stage.owner()
        answer = await stage.ask(route, rule, made, stage.bearer(user))
        if not answer.is_success and answer.status_code not in rule.accepts:
            shut.append(f"{route}: {answer.status_code} {told(answer)[:300]}")
    assert not shut, "\n".join(shut)


async def test_a_public_route_asks_for_no_token(stage: Stage) -> None:
    _, made = await stage.owner()
    shut = []
    for route, _, rule in rules():
        if rule.public:
            answer = await stage.ask(route, rule, made, {})
            if not answer.is_success and answer.status_code not in rule.accepts or MARK in told(answer):
                shut.append(f"{route}: {answer.status_code}")
    assert not shut, "\n".join(shut)
