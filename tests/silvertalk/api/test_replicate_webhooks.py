"""`/generate/webhooks/replicate` is open to the world: nothing has an effect but what Replicate itself says, once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from silvertalk.services.replicate_webhooks import ASK_AGAIN_SECONDS
from silvertalk.standins.replicate import UNAVAILABLE, Plan
from silvertalk.standins.replicate_webhooks import SentWebhook, forgeries, new_secret, signed, signed_raw
from tests.silvertalk.generating import Asker, Stage, stage
from tests.valkey import Valkey


@pytest.fixture
async def here(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(valkey.url, tmp_path / "var") as opened:
        yield opened


async def held(here: Stage) -> tuple[Asker, str]:
    """Somebody and a generation of theirs that Replicate has not begun."""
    me = await here.someone()
    here.replicate.plan(Plan(held=True))
    return me, (await me.image())["id"]


def of_success(here: Stage) -> SentWebhook:
    """What Replicate will say once it is done; that it is not, is only known to it."""
    output = [f"{here.replicate.delivery_address}/xezq/{here.the_prediction()}/out-0.png"]
    return here.replicate.webhook(here.the_prediction(), status="succeeded", output=output)


async def test_no_forgery_has_an_effect(here: Stage) -> None:
    me, generation = await held(here)
    true = of_success(here)
    before = await here.generations.records.of(me.user, generation)
    answers = Counter[int]()
    forged = list(forgeries(here.replicate.secret, true))
    assert len(forged) >= 200
    assert len({(one.headers, one.body) for _, one in forged}) == len(forged), "each is another"
    taken = []
    for what, forgery in forged:
        try:
            status = (await forgery.send()).status_code
        except httpx.HTTPError:  # the server itself does not take the header
            status = 0
        answers[status] += 1
        if status not in (0, 400, 401):
            taken.append(f"{what}: {status}")
    assert taken == []
    assert await here.generations.records.of(me.user, generation) == before
    assert await here.objects(me.user) == []
    assert here.replicate.fetched == type(here.replicate.fetched)()
    assert answers[401] > 200
    # And the true one, which all of them were made of, still has its effect.
    assert (await true.send()).status_code == 200
    assert (await me.status(generation, wait=30))["error"] == "output_gone"


async def test_one_of_another_account_has_no_effect(here: Stage) -> None:
    me, generation = await held(here)
    prediction = here.replicate.predictions[here.the_prediction()]
    body = here.replicate.told(prediction) | {"status": "failed"}
    assert (await signed(new_secret(), prediction.webhook, body).send()).status_code == 401
    assert (await me.status(generation))["status"] == "starting"


async def test_what_is_signed_and_none_of_ours_is_ignored(here: Stage) -> None:
    """Others may use the same account: its webhooks bear the same signature."""
    me, generation = await held(here)
    prediction = here.replicate.predictions[here.the_prediction()]
    ended = here.replicate.told(prediction) | {"status": "failed"}
    bare = prediction.webhook.partition("?")[0]
    token = prediction.webhook.partition("=")[2]
    strange = [
        signed(here.replicate.secret, prediction.webhook, ended | {"id": "b" * 26}),
        signed(here.replicate.secret, bare, ended),
        signed(here.replicate.secret, f"{bare}?generation=", ended),
        signed(here.replicate.secret, f"{bare}?generation={generation}", ended),
        signed(here.replicate.secret, f"{bare}?generation={token[:-4]}AAAA", ended),
        signed(here.replicate.secret, f"{bare}?generation={'A' * 80}", ended),
        signed(here.replicate.secret, prediction.webhook, ended | {"id": 5}),
        signed(here.replicate.secret, prediction.webhook, ended | {"id": "../" * 5}),
        signed(here.replicate.secret, prediction.webhook, ended | {"status": "done"}),
        signed(here.replicate.secret, prediction.webhook, ended | {"status": ["failed"]}),
        signed(here.replicate.secret, prediction.webhook, {}),
    ]
    for webhook in strange:
        assert (await webhook.send()).status_code == 200
    assert (await me.status(generation))["status"] == "starting"


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"5", b"", b"{", b"\xff\xfe", b"[" * 30_000, b'"' + b"a" * 60_000 + b'"']
)
async def test_what_is_signed_and_no_prediction_is_ignored(here: Stage, body: bytes) -> None:
    me, generation = await held(here)
    prediction = here.replicate.predictions[here.the_prediction()]
    assert (await signed_raw(here.replicate.secret, prediction.webhook, body).send()).status_code == 200
    assert (await me.status(generation))["status"] == "starting"


async def test_one_webhook_has_one_effect(here: Stage) -> None:
    me, generation = await held(here)
    here.replicate.plan(Plan(telling="lost"))
    other = await me.image()
    await here.replicate.predictions[here.the_prediction()].ended.wait()
    webhook = here.replicate.webhook(here.the_prediction())
    answers = await asyncio.gather(*(webhook.send() for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await me.status(other["id"], wait=30))["status"] == "succeeded"
    assert len(here.replicate.fetched) == 1
    assert (await me.status(generation))["status"] == "starting"


async def test_several_signatures_while_a_secret_changes(here: Stage) -> None:
    me, generation = await held(here)
    webhook = here.replicate.webhook(here.the_prediction(), status="failed")
    other = signed(new_secret(), webhook.url, json.loads(webhook.body)).header("webhook-signature")
    both = webhook.with_headers(webhook_signature=f"{other} {webhook.header('webhook-signature')}")
    assert (await both.send()).status_code == 200
    assert (await me.status(generation))["status"] == "failed"


async def test_a_secret_that_was_changed_is_asked_for_again_but_not_by_everybody(here: Stage) -> None:
    await held(here)
    asked = [f"GET {path}" for path in ("/v1/webhooks/default/secret",)]
    forged = of_success(here).with_headers(webhook_signature="v1," + "A" * 43 + "=")
    for _ in range(20):
        assert (await forged.send()).status_code == 401
    assert [one for one in here.replicate.asked if one in asked] == asked, "once, whatever is sent"


async def test_a_secret_that_cannot_be_told_is_not_asked_for_by_everybody_either(here: Stage) -> None:
    await held(here)
    assert (await signed(here.replicate.secret, of_success(here).url, {}).send()).status_code == 200  # it is known now
    api: Any = here.parts.app.router.default
    api.state.services.webhook_keys._asked_at -= 2 * ASK_AGAIN_SECONDS  # a while later
    here.replicate.fail_next(*[UNAVAILABLE] * 20)
    forged = of_success(here).with_headers(webhook_signature="v1," + "A" * 43 + "=")
    before = len(here.replicate.asked)
    for _ in range(20):
        assert (await forged.send()).status_code in (401, 503)
    assert len(here.replicate.asked) == before + 1


async def test_a_secret_of_the_settings_is_never_asked_for(valkey: Valkey, tmp_path: Path) -> None:
    secret = new_secret()
    async with stage(valkey.url, tmp_path / "var", replicate_webhook_secret=secret) as here:
        here.replicate.secret = secret
        assert (await (await here.someone()).image(200, wait=60))["success"] is True
        forged = of_success(here).with_headers(webhook_signature="v1," + "A" * 43 + "=")
        assert (await forged.send()).status_code == 401
        assert "GET /v1/webhooks/default/secret" not in here.replicate.asked


async def test_a_webhook_that_could_not_be_checked_comes_again(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(held=True))
    begun = await me.image()
    here.replicate.fail_next(UNAVAILABLE)
    await here.replicate.go_on(here.the_prediction())
    assert (await me.status(begun["id"], wait=30))["status"] == "succeeded"


async def test_a_webhook_tells_nothing_about_anybody(here: Stage) -> None:
    """What Replicate is given as an address names neither the person nor the generation, and is another each time."""
    me, generation = await held(here)
    first = here.replicate.predictions[here.the_prediction()].webhook
    await me.image()
    for webhook in (first, here.replicate.predictions[here.the_prediction()].webhook):
        query = urlsplit(webhook).query
        assert me.user not in query
        assert generation not in query
        assert len(query) < 120


async def test_a_page_of_another_site_and_a_long_body_are_refused(here: Stage) -> None:
    await held(here)
    true = of_success(here)
    foreign = replace(true, headers=(*true.headers, ("origin", "https://evil.example")))
    assert (await foreign.send()).status_code == 403
    assert (await replace(true, body=b" " * 70_000).send()).status_code == 413


async def test_the_file_of_a_true_webhook_is_fetched_from_our_hosts_alone(here: Stage) -> None:
    me, generation = await held(here)
    seen: list[Any] = []
    sink = await asyncio.start_server(lambda reader, writer: seen.append(writer), "0.0.0.0", 0)
    async with sink:
        port = sink.sockets[0].getsockname()[1]
        urls = [f"http://0.0.0.0:{port}/a.png", f"https://127.0.0.1:{port}/a.png", f"http://127.1:{port}/"]
        webhook = here.replicate.webhook(here.the_prediction(), status="succeeded", output=urls)
        assert (await webhook.send()).status_code == 200
        assert (await me.status(generation, wait=30))["error"] == "output_host"
    assert seen == []
