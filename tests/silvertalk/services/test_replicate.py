"""The client of Replicate against one that answers over real sockets: what it asks, what it takes for an answer."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.errors import (
    ConfigurationError,
    GenerateNotConfigured,
    ReplicateAway,
    ReplicateRefused,
    WebhookRefused,
)
from silvertalk.services.replicate import OutputRefused, Prediction, Replicate, Unheard, prediction_of
from silvertalk.services.replicate_webhooks import MAX_AGE_SECONDS, Webhook, key_of, signature_of
from silvertalk.settings import Settings
from silvertalk.standins.replicate import (
    BROKEN,
    UNAVAILABLE,
    UNHEARD,
    UNPAID,
    Failure,
    Plan,
    ReplicateStandIn,
    throttled,
)
from silvertalk.standins.serving import served

MODEL = "black-forest-labs/flux-schnell"
VERSION = f"luma/ray:{'0' * 64}"
HOOK = "https://talk.example.org/generate/webhooks/replicate"
ASKED = {"prompt": "a"}


def chosen(url: str, **changes: Any) -> Settings:
    given = {"replicate_url": url, "replicate_api_token": "r8_practice", "public_url": "http://127.0.0.1:1"}
    return Settings(**{**given, **changes})


@pytest.fixture
async def standin() -> AsyncIterator[ReplicateStandIn]:
    async with ReplicateStandIn() as opened, served(opened.app) as address, served(opened.delivery) as files:
        opened.address, opened.delivery_address = address, files
        yield opened


@pytest.fixture
async def replicate(standin: ReplicateStandIn) -> AsyncIterator[Replicate]:
    async with Replicate(chosen(standin.address)) as opened:
        yield opened


async def begin(replicate: Replicate, model: str = MODEL) -> Prediction:
    return await replicate.begin(model, ASKED, HOOK, cancel_after=60)


# --- predictions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [MODEL, VERSION])
async def test_it_is_begun_and_looked_at_and_ended(standin: ReplicateStandIn, replicate: Replicate, model: str) -> None:
    standin.plan(Plan(held=True))
    begun = await begin(replicate, model)
    assert begun.status == "starting"
    asked = standin.predictions[begun.id]
    assert (asked.input, asked.webhook) == (ASKED, HOOK)
    assert asked.events == {"start", "completed"}
    assert asked.deadline is not None
    assert (await replicate.prediction(begun.id)).status == "starting"
    assert (await replicate.cancel(begun.id)).status == "canceled"
    assert (await replicate.cancel(begun.id)).status == "canceled"
    with pytest.raises(ReplicateRefused):
        await replicate.prediction("a" * 26)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (UNPAID, ReplicateRefused),
        (BROKEN, ReplicateAway),
        (UNAVAILABLE, ReplicateAway),
        (UNHEARD, Unheard),
        (throttled(40), ReplicateAway),
        (Failure(429, {}), ReplicateAway),
        (Failure(302, {}, {"location": "http://169.254.169.254/"}), ReplicateRefused),
        (Failure(201, {}), Unheard),
        (Failure(201, {"id": "../x", "status": "starting"}), Unheard),
        (Failure(201, {"id": "a", "status": "new"}), Unheard),
    ],
)
async def test_what_goes_wrong(
    standin: ReplicateStandIn, replicate: Replicate, failure: Failure, error: type[Exception]
) -> None:
    standin.fail_next(failure)
    with pytest.raises(error) as raised:
        await begin(replicate)
    assert len(standin.asked) == 1, "what may have been begun is not asked for again"
    if isinstance(raised.value, ReplicateAway) and raised.value.throttled:
        assert raised.value.retry_after_seconds == (40 if failure.body else 30)


async def test_a_header_says_how_long_to_wait(standin: ReplicateStandIn, replicate: Replicate) -> None:
    standin.fail_next(Failure(429, {"detail": "Request was throttled."}, {"Retry-After": "7"}))
    with pytest.raises(ReplicateAway) as raised:
        await begin(replicate)
    assert raised.value.retry_after_seconds == 7


async def test_a_wrong_token_is_ours_to_mend(standin: ReplicateStandIn) -> None:
    async with Replicate(chosen(standin.address, replicate_api_token="r8_other")) as replicate:
        with pytest.raises(ReplicateRefused):
            await begin(replicate)
    assert not standin.predictions


async def test_nobody_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with Replicate(chosen(f"http://127.0.0.1:{port}")) as replicate:
        with pytest.raises(ReplicateAway):
            await begin(replicate)


async def test_an_answer_that_is_cut_off_is_unheard(standin: ReplicateStandIn) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 1000\r\n\r\n{")
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server, Replicate(chosen(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")) as replicate:
        with pytest.raises(Unheard):
            await begin(replicate)
        with pytest.raises(ReplicateAway):
            await replicate.prediction("a")


async def test_without_a_token_nothing_is_asked() -> None:
    async with Replicate(Settings()) as replicate:
        with pytest.raises(GenerateNotConfigured):
            await begin(replicate)
        with pytest.raises(GenerateNotConfigured):
            await replicate.webhook_secret()


@pytest.mark.parametrize(
    ("output", "outputs"),
    [
        (None, ()),
        ("https://a/1", ("https://a/1",)),
        (["https://a/1", "https://a/2"], ("https://a/1", "https://a/2")),
        ({"url": "https://a/1"}, ("https://a/1",)),
        ([{"url": "https://a/1"}, {"uri": "x"}, None, 5], ("https://a/1",)),
        (["https://a/1"] * 9, ("https://a/1",) * 4),
        ({}, ()),
        ("", ()),
        ("x" * 5000, ()),
    ],
)
def test_what_was_made_is_said_in_three_ways(output: Any, outputs: tuple[str, ...]) -> None:
    found = prediction_of({"id": "a", "status": "succeeded", "output": output})
    assert found is not None
    assert found.outputs == outputs


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "status", "output", "url", "error"]), inner),
)


@given(json_values)
def test_anything_at_all_is_a_prediction_or_none(told: Any) -> None:
    found = prediction_of(told)
    assert found is None or isinstance(found, Prediction)


# --- files -----------------------------------------------------------------------------------------------------------

OURS = ("https://replicate.delivery/a", "https://pbxt.replicate.delivery/a?x=1", "https://replicate.delivery:443/a")
NOT_OURS = (
    "http://replicate.delivery/a",
    "https://replicate.delivery.evil.example/a",
    "https://evilreplicate.delivery/a",
    "https://replicate.delivery@evil.example/a",
    "https://evil.example/replicate.delivery",
    "https://replicate.delivery:8443/a",
    "https://replicate.delivery:x/a",
    "https://replicate.delivery\\@evil.example/a",
    "https://replicate.delivery/a#b",
    "https://replicate.delivery/a b",
    "https://replicate.delivery/\u3042",
    "https://\uff52eplicate.delivery/a",
    "https://127.0.0.1/a",
    "https://[::1]/a",
    "https://169.254.169.254/latest",
    "https://[/a",
    "file:///etc/passwd",
    "ftp://replicate.delivery/a",
    "//replicate.delivery/a",
    "https:replicate.delivery/a",
    "https://.replicate.delivery.",
    "data:text/html,a",
    "",
)


async def test_whose_files_are_fetched() -> None:
    async with Replicate(chosen("https://api.replicate.com", public_url="https://talk.example.org")) as replicate:
        assert [url for url in OURS if not replicate.is_output(url)] == []
        assert [url for url in NOT_OURS if replicate.is_output(url)] == []
        assert not replicate.is_output("http://127.0.0.1:1/a"), "as where it is only pretended"


async def test_a_file_is_fetched_up_to_its_size_and_never_from_elsewhere(
    standin: ReplicateStandIn, replicate: Replicate, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 4000
    standin.plan(Plan(files=(data,)))
    begun = await begin(replicate)
    await standin.predictions[begun.id].ended.wait()
    (url,) = (await replicate.prediction(begun.id)).outputs
    await replicate.fetch(url, tmp_path / "file", len(data))
    assert (tmp_path / "file").read_bytes() == data
    for address, limit, code in (
        (url, len(data) - 1, "output_too_large"),
        (f"{url}x", len(data), "output_gone"),
        ("https://evil.example/a", len(data), "output_host"),
    ):
        with pytest.raises(OutputRefused) as refused:
            await replicate.fetch(address, tmp_path / "other", limit)
        assert refused.value.code == code
    standin.turn(3601)
    with pytest.raises(OutputRefused):
        await replicate.fetch(url, tmp_path / "other", len(data))
    looked_at = await replicate.prediction(begun.id)
    assert (looked_at.outputs, looked_at.data_removed) == ((), True)


async def test_a_redirect_is_not_followed_and_half_a_file_is_none(replicate: Replicate, tmp_path: Path) -> None:
    answers = iter(
        [
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf",
            b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
        ]
    )
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(next(answers))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a"
        for error in (OutputRefused, ReplicateAway, ReplicateAway):
            with pytest.raises(error):
                await replicate.fetch(url, tmp_path / "file", 10_000)
    assert not [one for one in seen if b"authorization" in one.lower()], "the token is shown to Replicate alone"


# --- webhooks --------------------------------------------------------------------------------------------------------

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def test_a_known_answer() -> None:
    """As the page of Standard Webhooks has it: github.com/standard-webhooks, and computed with OpenSSL."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature_of(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert base64.b64encode(signed).decode() == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def webhook(at: float, now: float, signature: str = "") -> Webhook:
    name, timestamp = "msg_1", str(int(at))
    mac = base64.b64encode(signature_of(key_of(SECRET), name, timestamp, b"{}")).decode()
    sent = {"webhook-id": name, "webhook-timestamp": timestamp, "webhook-signature": signature or f"v1,{mac}"}
    return Webhook(lambda header: [sent[header]], b"{}", now)


@pytest.mark.parametrize("seconds", [-MAX_AGE_SECONDS, -1, 0, 1, MAX_AGE_SECONDS])
def test_within_five_minutes(seconds: int) -> None:
    now = int(time.time())
    assert webhook(now + seconds, now).is_signed_with(key_of(SECRET))


@pytest.mark.parametrize("seconds", [-MAX_AGE_SECONDS - 1, MAX_AGE_SECONDS + 1, -(10**8)])
def test_beyond_five_minutes(seconds: int) -> None:
    now = int(time.time())
    with pytest.raises(WebhookRefused):
        webhook(now + seconds, now)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_!", "short"])
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        key_of(secret)


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"REPLICATE_API_TOKEN": "t"}, "needs PUBLIC_URL"),
        ({"REPLICATE_API_TOKEN": "t", "PUBLIC_URL": "http://talk.example.org"}, "with https"),
        ({"REPLICATE_URL": "http://replicate.example"}, "REPLICATE_URL takes https"),
        ({"REPLICATE_URL": "https://api.replicate.com/v1"}, "without a path"),
        ({"REPLICATE_IMAGE_MODEL": "flux"}, "REPLICATE_IMAGE_MODEL takes a model"),
        ({"REPLICATE_VIDEO_MODEL": "a/b/../c"}, "REPLICATE_VIDEO_MODEL takes a model"),
        ({"REPLICATE_OUTPUT_HOSTS": "https://replicate.delivery"}, "REPLICATE_OUTPUT_HOSTS takes names"),
        ({"REPLICATE_OUTPUT_HOSTS": "*"}, "REPLICATE_OUTPUT_HOSTS takes names"),
        ({"REPLICATE_OUTPUT_HOSTS": "a.*.b"}, "REPLICATE_OUTPUT_HOSTS takes names"),
    ],
)
def test_what_cannot_be_set(changes: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said):
        Settings.read()
