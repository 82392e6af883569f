"""`/generate` from a client's side: over a real gateway, with a Replicate that answers over real sockets."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from silvertalk import generation_requests
from silvertalk.media.mp4 import is_mp4
from silvertalk.standins.replicate import (
    BROKEN,
    NSFW,
    UNAVAILABLE,
    UNHEARD,
    UNPAID,
    Failure,
    Plan,
    throttled,
)
from tests.silvertalk.generating import PROMPT, Stage, stage
from tests.silvertalk.media.pictures import picture, saved
from tests.valkey import Valkey

JPEG = saved(picture(size=(1200, 900)), "JPEG")


@pytest.fixture
async def here(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(valkey.url, tmp_path / "var") as opened:
        yield opened


async def opened(here: Stage, link: str) -> Image.Image:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(link)
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content))


# --- pictures --------------------------------------------------------------------------------------------------------


async def test_a_picture_is_begun_at_once_and_followed(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(held=True))
    begun = await me.image()
    assert (begun["success"], begun["status"], begun["image_url"]) == (True, "starting", None)
    assert begun["prompt"] == PROMPT
    assert (await me.status(begun["id"]))["status"] == "starting"
    prediction = here.the_prediction()
    await here.replicate.go_on(prediction, started=True)
    assert (await me.status(begun["id"]))["status"] == "processing"
    await here.replicate.go_on(prediction)
    done = await me.status(begun["id"], wait=30)
    assert (done["status"], done["error"], done["kind"]) == ("succeeded", None, "image")
    (link,) = done["output"]
    image = await opened(here, link)
    assert image.format == "JPEG"
    assert here.key_in(link) == f"u/{me.user}/generated/{begun['id']}/0.jpg"
    assert "GET /v1/predictions" not in " ".join(here.replicate.asked), "nobody polled"


async def test_an_old_client_waits_and_gets_what_it_got(here: Stage) -> None:
    me = await here.someone()
    answer = await me.image(200, wait=60, num_outputs=2, aspect_ratio="16:9")
    assert answer["success"] is True
    assert answer["image_url"] == answer["image_urls"][0]
    images = [await opened(here, link) for link in answer["image_urls"]]
    assert len(images) == 2
    assert all(image.width > image.height for image in images)


async def test_progress_is_told_as_events(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(held=True))
    told: list[dict[str, Any]] = []
    async with me.client.stream("GET", "/v1/me/events") as events:
        lines = events.aiter_lines()
        await anext(lines)
        begun = await me.image()
        await here.replicate.go_on(here.the_prediction())
        async for line in lines:
            if line.startswith("data: {"):
                told.append(json.loads(line.removeprefix("data: ")))
                if told[-1]["status"] == "succeeded":
                    break
    assert [one["status"] for one in told] == ["processing", "succeeded"]
    assert {one["generation_id"] for one in told} == {begun["id"]}


@pytest.mark.parametrize("shape", ["list", "object", "objects"])
async def test_however_a_model_says_what_it_made(here: Stage, shape: Any) -> None:
    here.replicate.plan(Plan(shape=shape))
    answer = await (await here.someone()).image(200, wait=60)
    assert len(answer["image_urls"]) == 1


# --- films -----------------------------------------------------------------------------------------------------------


async def test_a_film_of_a_picture_that_is_sent_along(here: Stage, tmp_path: Path) -> None:
    me = await here.someone()
    answer = await me.ask(
        "POST",
        "/generate/video/upload?wait=60",
        200,
        files={"file": ("me.jpg", JPEG, "image/jpeg")},
        data={"prompt": "천천히", "aspect_ratio": "9:16", "loop": "true"},
    )
    assert answer["success"] is True
    async with httpx.AsyncClient(trust_env=False) as client:
        film = await client.get(answer["video_url"])
    assert film.headers["content-type"] == "video/mp4"
    (tmp_path / "film.mp4").write_bytes(film.content)
    assert is_mp4(tmp_path / "film.mp4")
    given = here.replicate.predictions[here.the_prediction()].input
    assert given["start_image"].startswith(here.url), "a link of ours, which Replicate has fetched"
    assert (given["aspect_ratio"], given["loop"], given["duration"]) == ("9:16", True, 5)
    source = await opened(here, answer["source_image_url"])
    assert source.size == (1024, 1024)


async def test_a_film_of_a_picture_made_before(here: Stage) -> None:
    me = await here.someone()
    made = await me.image(200, wait=60)
    answer = await me.ask("POST", "/generate/video?wait=60", 200, json={"image_url": made["image_url"]})
    assert answer["video_url"]
    status = await me.status(answer["id"])
    assert status["output"].partition("?")[0] == answer["video_url"].partition("?")[0]


async def test_a_film_of_a_preprocessed_picture(here: Stage) -> None:
    me = await here.someone()
    prepared = await me.ask(
        "POST", "/generate/preprocess", 200, files={"file": ("a.png", saved(picture("RGBA"), "PNG"))}
    )
    answer = await me.ask("POST", "/generate/video?wait=60", 200, json={"image_url": prepared["data_uri"]})
    assert answer["video_url"]


async def test_both_one_after_the_other(here: Stage) -> None:
    me = await here.someone()
    answer = await me.ask(
        "POST", "/generate/full?wait=60", 200, json={"image_prompt": "감나무", "video_prompt": "바람이 분다"}
    )
    assert answer["image_url"]
    assert answer["video_url"]
    first, second = here.replicate.predictions.values()
    assert (first.input["prompt"], second.input["prompt"]) == ("감나무", "바람이 분다")
    # A webhook of the first step that comes late says nothing about the second.
    late = here.replicate.webhook(first.id, status="failed", output=None)
    assert (await late.send()).status_code == 200
    assert (await me.status(answer["id"]))["status"] == "succeeded"


ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1/a.jpg",
    "http://[::1]/a.jpg",
    "http://2130706433/a.jpg",
    "http://0x7f.1/a.jpg",
    "https://evil.example/u/x/a.jpg",
    "file:///etc/passwd",
    "ftp://127.0.0.1/a.jpg",
    "gopher://127.0.0.1/",
    "//evil.example/media/a.jpg",
    "/media/../etc/passwd",
    "data:text/html;base64,AAAA",
    "data:image/svg+xml;base64,AAAA",
    "javascript:alert(1)",
    "http://[",
    " ",
]


async def test_no_address_of_elsewhere_is_ever_asked(here: Stage) -> None:
    """A sink on the loopback sees no connection, and Replicate is not shown the address."""
    me = await here.someone()
    seen: list[object] = []
    sink = await asyncio.start_server(lambda reader, writer: seen.append(writer), "127.0.0.1", 0)
    async with sink:
        port = sink.sockets[0].getsockname()[1]
        own = f"http://127.0.0.1:{port}/media/u/{me.user}/photos/a.jpg"
        spoofed = f"{here.url}@127.0.0.1:{port}/media/u/{me.user}/a.jpg"
        for url in (*ELSEWHERE, own, spoofed, f"http://localhost:{port}/", f"{here.url}.evil.example/media/"):
            answer = await me.client.post("/generate/video", json={"image_url": url})
            assert answer.status_code == 422, url
    assert seen == []
    assert not here.replicate.predictions


async def test_what_is_another_persons_cannot_be_made_a_film_of(here: Stage) -> None:
    me, other = await here.someone(), await here.someone()
    made = await me.image(200, wait=60)
    await other.ask("POST", "/generate/video", 422, json={"image_url": made["image_url"]})
    up = made["image_url"].replace(f"/u/{me.user}/", f"/u/{other.user}/../{me.user}/")
    await other.ask("POST", "/generate/video", 422, json={"image_url": up})
    await other.ask("POST", "/generate/video", 404, json={"image_url": made["image_url"].replace(me.user, other.user)})
    await other.status(made["id"], 404)
    await other.ask("POST", f"/generate/cancel/{made['id']}", 404)
    assert len(here.replicate.predictions) == 1


# --- preprocessing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
async def test_a_picture_as_models_take_it(here: Stage, kind: str) -> None:
    me = await here.someone()
    sent = saved(picture(size=(640, 320)), kind)
    answer = await me.ask("POST", "/generate/preprocess", 200, files={"file": ("a", sent)})
    head, _, data = answer["data_uri"].partition(",")
    assert head == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (1024, 1024))
    # The middle of it: its left half is blue above, as the picture's left half is; the rest is red.
    assert image.getpixel((100, 100))[2] > 150  # type: ignore[index]
    assert image.getpixel((900, 100))[0] > 150  # type: ignore[index]
    assert answer["original_size_kb"] == round(len(sent) / 1024, 1)


async def test_what_is_behind_glass_is_white(here: Stage) -> None:
    me = await here.someone()
    clear = saved(Image.new("RGBA", (100, 100), (0, 0, 0, 0)), "PNG")
    answer = await me.ask("POST", "/generate/preprocess", 200, files={"file": ("a", clear)})
    image = Image.open(io.BytesIO(base64.b64decode(answer["data_uri"].partition(",")[2])))
    assert min(image.getpixel((500, 500))) > 250  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [b"", b"<html>", JPEG[:400], saved(picture(size=(63, 200)), "PNG"), saved(picture(size=(200, 63)), "PNG")],
    ids=["nothing", "html", "half", "narrow", "flat"],
)
async def test_what_is_no_picture_is_refused(here: Stage, sent: bytes) -> None:
    me = await here.someone()
    answer = await me.ask("POST", "/generate/preprocess", 422, files={"file": ("a", sent)})
    assert answer["code"] == "picture_refused"
    answer = await me.ask("POST", "/generate/video/upload", 422, files={"file": ("a", sent)})
    assert answer["code"] == "picture_refused"
    assert await here.objects(me.user) == []


@pytest.mark.parametrize("form", [{"data": {"prompt": "a"}}, {"files": [("file", JPEG), ("file", JPEG)]}])
async def test_a_form_without_its_one_picture(here: Stage, form: Any) -> None:
    me = await here.someone()
    await me.ask("POST", "/generate/preprocess", 422, **form)


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "status", "error"),
    [
        (NSFW, "failed", "not_allowed"),
        (Plan(ends="failed"), "failed", "model_failed"),
        (Plan(ends="canceled"), "canceled", None),
        (Plan(ends="aborted"), "aborted", None),
        (Plan(output=["https://evil.example/a.png"]), "failed", "output_host"),
        (Plan(output=["https://replicate.delivery.evil.example/a.png"]), "failed", "output_host"),
        (Plan(output=["http://replicate.delivery/a.png"]), "failed", "output_host"),
        (Plan(output=["https://replicate.delivery@evil.example/a.png"]), "failed", "output_host"),
        (Plan(output=["https://replicate.delivery:8443/a.png"]), "failed", "output_host"),
        (Plan(output=[]), "failed", "output_gone"),
        (Plan(files=(b"<html><script>",)), "failed", "output_broken"),
        (Plan(files=(JPEG[:300],)), "failed", "output_broken"),
        (Plan(files=(b"",)), "failed", "output_broken"),
    ],
)
async def test_what_comes_to_nothing_says_why(here: Stage, plan: Plan, status: str, error: str | None) -> None:
    me = await here.someone()
    here.replicate.plan(plan)
    answer = await me.image(200, wait=60)
    assert (answer["success"], answer["status"], answer["error"]) == (False, status, error)
    assert answer["image_url"] is None
    assert await here.objects(me.user) == []


@pytest.mark.parametrize(
    ("failures", "status", "code"),
    [
        ((UNPAID,), 503, "replicate_refused"),
        ((BROKEN,), 503, "replicate_away"),
        ((UNAVAILABLE,), 503, "replicate_away"),
        ((throttled(30),), 503, "replicate_away"),
        ((throttled(1), throttled(1)), 503, "replicate_away"),
        ((Failure(401, {"title": "Unauthenticated"}),), 503, "replicate_refused"),
        ((Failure(404, {"detail": "not found"}),), 503, "replicate_refused"),
        ((Failure(422, {"title": "Input validation failed"}),), 503, "replicate_refused"),
    ],
)
async def test_what_replicate_refuses_is_told_and_costs_nothing(
    here: Stage, failures: tuple[Failure, ...], status: int, code: str
) -> None:
    me = await here.someone()
    here.replicate.fail_next(*failures)
    answer = await me.client.post("/generate/image", json={"prompt": PROMPT, "num_outputs": 4})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if failures[0].status == 429:
        assert int(answer.headers["retry-after"]) == (30 if len(failures) == 1 else 1)
    for _ in range(20):  # nothing was counted: all of a day's pictures can still be made
        here.replicate.plan(Plan(held=True))
        await me.image()
    assert (await me.image(429))["code"] == "quota_reached"


async def test_a_short_throttle_is_waited_for(here: Stage) -> None:
    here.replicate.fail_next(throttled(1))
    assert (await (await here.someone()).image(200, wait=60))["success"] is True


async def test_an_answer_that_got_lost_is_no_second_prediction(here: Stage) -> None:
    """Replicate has begun it and its answer does not come: its webhook says whose it is."""
    me = await here.someone()
    here.replicate.fail_next(UNHEARD)
    here.replicate.plan(Plan(held=True))
    begun = await me.image()
    assert begun["status"] == "starting"
    await here.replicate.go_on(here.the_prediction())
    assert (await me.status(begun["id"], wait=30))["status"] == "succeeded"
    assert len(here.replicate.predictions) == 1


async def test_what_was_never_heard_of_fails_when_its_time_is_over(here: Stage) -> None:
    me = await here.someone()
    here.replicate.fail_next(UNHEARD)
    here.replicate.plan(Plan(telling="lost"))
    begun = await me.image()
    await here.lose_patience(me.user, begun["id"])
    assert (await me.status(begun["id"]))["error"] == "replicate_away"


# --- webhooks that come otherwise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("telling", ["twice", "unordered", "completed alone"])
async def test_webhooks_twice_late_and_in_another_order(here: Stage, telling: Any) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(telling=telling))
    done = await me.image(200, wait=60)
    await here.replicate.settled()
    assert (await me.status(done["id"]))["status"] == "succeeded"
    assert len(await here.objects(me.user)) == 1
    assert len(here.replicate.fetched) == 1, "brought in once"


async def test_a_lost_webhook_is_made_up_for_by_one_question(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(telling="lost"))
    begun = await me.image()
    await here.replicate.settled()
    assert (await me.status(begun["id"]))["status"] == "starting"
    await here.lose_patience(me.user, begun["id"])
    answers = await asyncio.gather(*(me.status(begun["id"]) for _ in range(10)))
    assert "succeeded" in {answer["status"] for answer in answers}
    assert [asked for asked in here.replicate.asked if asked.startswith("GET")] == [
        f"GET /v1/predictions/{here.the_prediction()}"
    ]


async def test_the_gateway_that_began_it_looks_by_itself(here: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks how far it is; who waits is told."""
    monkeypatch.setattr(generation_requests, "LATE_SECONDS", 1 - generation_requests.IMAGE_SECONDS)
    here.replicate.plan(Plan(telling="lost"))
    assert (await (await here.someone()).image(200, wait=60))["success"] is True


async def test_after_an_hour_it_is_gone(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(telling="lost"))
    begun = await me.image()
    await here.replicate.settled()
    here.replicate.turn(3601)
    await here.lose_patience(me.user, begun["id"])
    assert (await me.status(begun["id"]))["error"] == "output_gone"


async def test_what_runs_beyond_its_time_is_ended_there(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(held=True), Plan(held=True, telling="lost"))
    begun = await me.image()
    here.replicate.turn(121)
    ended = await me.status(begun["id"], wait=30)
    assert ended["status"] == "aborted", "Replicate itself has a deadline"
    begun = await me.image()
    await here.lose_patience(me.user, begun["id"])
    assert (await me.status(begun["id"]))["error"] == "too_long"
    assert here.replicate.predictions[here.the_prediction()].status == "canceled"


async def test_replicate_is_away_when_it_is_looked_at(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(telling="lost"))
    begun = await me.image()
    await here.replicate.settled()
    for _ in range(2):
        await here.lose_patience(me.user, begun["id"])
        here.replicate.fail_next(UNAVAILABLE)
        assert (await me.status(begun["id"]))["status"] == "starting"
    await here.lose_patience(me.user, begun["id"])
    here.replicate.fail_next(UNAVAILABLE)
    assert (await me.status(begun["id"]))["error"] == "replicate_away"


# --- ending ----------------------------------------------------------------------------------------------------------


async def test_what_is_canceled_stays_so(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(held=True))
    begun = await me.image()
    ended = await me.ask("POST", f"/generate/cancel/{begun['id']}", 200)
    assert ended["status"] == "canceled"
    prediction = here.the_prediction()
    assert here.replicate.predictions[prediction].status == "canceled"
    late = here.replicate.webhook(prediction, status="succeeded", output=["https://replicate.delivery/xezq/a/out.png"])
    assert (await late.send()).status_code == 200
    assert (await me.status(begun["id"]))["status"] == "canceled"
    assert (await me.ask("POST", f"/generate/cancel/{begun['id']}", 200))["status"] == "canceled"


async def test_a_source_goes_with_what_is_canceled(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(held=True))
    begun = await me.ask("POST", "/generate/video/upload", 202, files={"file": ("a.jpg", JPEG)})
    assert len(await here.objects(me.user)) == 1
    await me.ask("POST", f"/generate/cancel/{begun['id']}", 200)
    assert await here.objects(me.user) == []


# --- asking twice, asking too often ----------------------------------------------------------------------------------


async def test_asked_twice_it_is_made_once(here: Stage) -> None:
    me = await here.someone()
    headers = {"Idempotency-Key": "a-key-of-mine-1"}
    here.replicate.plan(Plan(held=True))
    first, second = [
        await me.ask("POST", "/generate/image", 202, json={"prompt": PROMPT}, headers=headers) for _ in range(2)
    ]
    assert first == second
    assert len(here.replicate.predictions) == 1


async def test_a_day_has_so_many_pictures_and_films(valkey: Valkey, tmp_path: Path) -> None:
    limits = {"images_per_day": 3, "films_per_day": 1, "generations_per_day": 6}
    async with stage(valkey.url, tmp_path / "var", **limits) as here:
        me, other, third = [await here.someone() for _ in range(3)]
        here.replicate.plan(*[Plan(held=True)] * 9)
        await me.image(num_outputs=2)
        refused = await me.client.post("/generate/image", json={"prompt": PROMPT, "num_outputs": 2})
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_reached")
        assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
        await me.image()
        await me.image(429)
        await me.ask("POST", "/generate/video/upload", 202, files={"file": ("a.jpg", JPEG)})
        await me.ask("POST", "/generate/video/upload", 429, files={"file": ("a.jpg", JPEG)})
        await me.ask("POST", "/generate/full", 429, json={"image_prompt": "a"})
        await other.image(num_outputs=2)
        assert (await third.image(429))["code"] == "quota_reached", "all together have had theirs"
        assert len(here.replicate.predictions) == 4


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": ""},
        {"prompt": " \n\t "},
        {"prompt": "가" * 2001},
        {"prompt": 1},
        {"aspect_ratio": "2:1"},
        {"num_outputs": 0},
        {"num_outputs": 5},
        {"webhook": "https://evil.example"},
        {"model": "evil/model"},
    ],
)
async def test_what_cannot_be_asked(here: Stage, body: dict[str, Any]) -> None:
    await (await here.someone()).image(422, **body)
    assert not here.replicate.predictions


async def test_a_prompt_is_a_line_of_text(here: Stage) -> None:
    await (await here.someone()).image(prompt="  바다\x00와\n\n 강아지\ud800 ".encode("utf-8", "replace").decode())
    assert here.replicate.predictions[here.the_prediction()].input["prompt"] == "바다와 강아지?"


# --- who may ---------------------------------------------------------------------------------------------------------


async def test_a_server_without_a_token_says_so(valkey: Valkey, tmp_path: Path) -> None:
    async with stage(valkey.url, tmp_path / "var", replicate_api_token="") as here:
        me = await here.someone()
        answer = await me.image(503)
        assert (answer["code"], answer["retryable"]) == ("generate_not_configured", False)
        assert answer["message"]
        await me.ask("POST", "/generate/video", 503, json={"image_url": "https://a.example/"})
        await me.ask("POST", "/generate/video/upload", 503, files={"file": ("a.jpg", JPEG)})
        await me.ask("POST", "/generate/full", 503, json={"image_prompt": "a"})
        await me.ask("POST", "/generate/preprocess", 200, files={"file": ("a.jpg", JPEG)})
        async with httpx.AsyncClient(base_url=here.url, trust_env=False) as nobody:
            assert (await nobody.post("/generate/webhooks/replicate")).status_code == 503


async def test_only_who_agreed_is_shown_to_others(valkey: Valkey, tmp_path: Path) -> None:
    async with stage(valkey.url, tmp_path / "var", outside_services="ask") as here:
        await here.parts.database.wait_ready()
        me = await here.someone()
        assert (await me.image(403))["code"] == "consent_missing"
        assert not here.replicate.predictions
        await me.ask("PATCH", "/users/me", 200, json={"consents": {"outside_services": True}})
        await me.image()
        await me.ask("PATCH", "/users/me", 200, json={"consents": {"outside_services": False}})
        await me.image(403)
