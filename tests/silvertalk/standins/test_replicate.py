"""The Replicate of this machine says what Replicate says; asked by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from silvertalk.standins.replicate import NSFW, UNPAID, Plan, ReplicateStandIn
from silvertalk.standins.serving import served

MODEL = "/v1/models/black-forest-labs/flux-schnell/predictions"
FILM = "/v1/models/luma/ray-flash-2-720p/predictions"


class Bench:
    """The stand-in, a client of it, and somebody who is told by webhooks."""

    def __init__(self, standin: ReplicateStandIn, client: httpx.AsyncClient) -> None:
        self.standin, self.client = standin, client
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[int] = []
        self.hook = ""
        self.app = Starlette(routes=[Route("/hook", self._hear, methods=["POST"])])

    async def _hear(self, request: Request) -> Response:
        self.heard.append((request.headers["webhook-id"], json.loads(await request.body())))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    async def create(self, path: str = MODEL, *, headers: dict[str, str] | None = None, **given: Any) -> httpx.Response:
        body = {
            "input": {"prompt": "a", **given},
            "webhook": self.hook,
            "webhook_events_filter": ["start", "completed"],
        }
        return await self.client.post(path, json=body, headers=headers)

    @property
    def statuses(self) -> list[str]:
        return [body["status"] for _, body in self.heard]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with ReplicateStandIn() as standin, served(standin.app) as address, served(standin.delivery) as files:
        standin.address, standin.delivery_address = address, files
        bearer = {"Authorization": f"Bearer {standin.token}"}
        async with httpx.AsyncClient(base_url=address, headers=bearer, trust_env=False, timeout=30) as client:
            opened = Bench(standin, client)
            async with served(opened.app) as hooks:
                opened.hook = f"{hooks}/hook"
                yield opened


async def test_a_prediction_from_its_beginning_to_its_end(bench: Bench) -> None:
    created = await bench.create()
    assert created.status_code == 201
    assert created.json()["status"] == "starting"
    await bench.standin.settled()
    told = (await bench.client.get(f"/v1/predictions/{created.json()['id']}")).json()
    assert (told["status"], told["error"], told["data_removed"]) == ("succeeded", None, False)
    assert {"id", "model", "version", "input", "logs", "output", "metrics", "urls", "created_at"} <= told.keys()
    assert bench.statuses == ["processing", "succeeded"]
    assert bench.heard[-1][1] == told
    async with httpx.AsyncClient(trust_env=False) as anybody:
        file = await anybody.get(told["output"][0])
    assert (file.status_code, file.headers["content-type"]) == (200, "image/webp")


async def test_who_waits_is_answered_when_it_is_done(bench: Bench) -> None:
    assert (await bench.create(headers={"Prefer": "wait"})).json()["status"] == "succeeded"
    bench.standin.plan(Plan(held=True))
    assert (await bench.create(headers={"Prefer": "wait=1"})).json()["status"] == "starting"
    assert (await bench.create(headers={"Prefer": "respond-async"})).status_code == 202


async def test_who_is_nobody(bench: Bench) -> None:
    answer = await bench.client.post(MODEL, json={}, headers={"Authorization": "Token x"})
    assert (answer.status_code, answer.json()["title"]) == (401, "Unauthenticated")


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("/v1/models/nobody/nothing/predictions", {}, 404),
        ("/v1/predictions", {}, 422),
        (MODEL, {"num_outputs": 5}, 422),
        (MODEL, {"aspect_ratio": "2:1"}, 422),
        (MODEL, {"prompt": 5}, 422),
        (FILM, {"start_image": "file:///etc/passwd"}, 422),
        (FILM, {"duration": 7}, 422),
    ],
)
async def test_what_it_does_not_take(bench: Bench, path: str, given: dict[str, Any], status: int) -> None:
    answer = await bench.create(path, **given)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert not bench.standin.predictions


async def test_a_webhook_is_https_but_on_this_machine(bench: Bench) -> None:
    bench.hook = "http://talk.example.org/hook"
    assert (await bench.create()).status_code == 422


async def test_what_costs_and_what_comes_too_often(bench: Bench) -> None:
    bench.standin.fail_next(UNPAID)
    assert (await bench.create()).status_code == 402
    async with ReplicateStandIn(creates_per_minute=2) as slow, served(slow.app) as address:
        bearer = {"Authorization": f"Bearer {slow.token}"}
        async with httpx.AsyncClient(base_url=address, headers=bearer, trust_env=False) as client:
            answers = [await client.post(MODEL, json={"input": {"prompt": "a"}}) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [201, 201, 429]
            assert answers[2].json()["detail"].startswith("Request was throttled. Your rate limit resets in ~")
            slow.turn(61)
            assert (await client.post(MODEL, json={"input": {"prompt": "a"}})).status_code == 201


@pytest.mark.parametrize(
    ("plan", "statuses"),
    [
        (NSFW, ["processing", "failed"]),
        (Plan(ends="canceled"), ["processing", "canceled"]),
        (Plan(ends="aborted"), ["aborted"]),
        (Plan(telling="lost"), []),
        (Plan(telling="twice"), ["processing"] * 2 + ["succeeded"] * 2),
        (Plan(telling="unordered"), ["succeeded", "processing"]),
        (Plan(telling="completed alone"), ["succeeded"]),
    ],
)
async def test_every_way_to_end_and_to_tell(bench: Bench, plan: Plan, statuses: list[str]) -> None:
    bench.standin.plan(plan)
    await bench.create()
    await bench.standin.settled()
    assert bench.statuses == statuses


async def test_a_webhook_comes_again_until_it_is_taken(bench: Bench) -> None:
    bench.answers = [500, 503]
    bench.standin.plan(Plan(telling="completed alone"))
    await bench.create()
    await bench.standin.settled()
    assert len(bench.heard) == 3
    assert len({name for name, _ in bench.heard}) == 1


async def test_a_deadline_and_an_hour(bench: Bench) -> None:
    bench.standin.plan(Plan(held=True), Plan(held=True), Plan())
    waiting, running, done = [(await bench.create(headers={"Cancel-After": "2m"})).json()["id"] for _ in range(3)]
    await bench.standin.go_on(running, started=True)
    await bench.standin.predictions[done].ended.wait()
    bench.standin.turn(120)
    states = {name: one.status for name, one in bench.standin.predictions.items()}
    assert states == {waiting: "aborted", running: "canceled", done: "succeeded"}
    bench.standin.turn(3600)
    told = (await bench.client.get(f"/v1/predictions/{done}")).json()
    assert (told["output"], told["data_removed"], told["input"], told["logs"]) == (None, True, {}, "")


async def test_a_film_begins_with_a_picture_that_can_be_fetched(bench: Bench) -> None:
    made = (await bench.create(headers={"Prefer": "wait"})).json()["output"][0]
    good = await bench.create(FILM, start_image=made, headers={"Prefer": "wait"})
    assert isinstance(good.json()["output"], str), "a film is one address"
    bad = await bench.create(FILM, start_image=f"{made}x", headers={"Prefer": "wait"})
    assert (bad.json()["status"], bad.json()["output"]) == ("failed", None)


async def test_its_secret(bench: Bench) -> None:
    assert (await bench.client.get("/v1/webhooks/default/secret")).json() == {"key": bench.standin.secret}
    assert bench.standin.secret.startswith("whsec_")


async def test_many_at_once(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.create() for _ in range(10)))
    await bench.standin.settled()
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(bench.statuses) == ["processing"] * 10 + ["succeeded"] * 10
