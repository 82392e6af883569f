"""A Replicate on this machine, to practise with: predictions, webhooks, files, and every way in which they go wrong.

As https://replicate.com/docs/reference/http describes it. `app` is the API, `delivery` the host of what was made, which
is another one there and here. Its models draw colours. A `Plan` says how the next prediction goes; without one it
succeeds at once and is told of. Its clock can be turned (`turn`): after an hour what was made is gone, and deadlines
pass. Webhooks bear the true time.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from silvertalk.standins import replicate_outputs as outputs
from silvertalk.standins.replicate_inputs import FILM_MODELS, wrong_with
from silvertalk.standins.replicate_webhooks import SentWebhook, new_secret, signed

Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
Telling = Literal["told", "lost", "twice", "unordered", "completed alone"]
"""Of webhooks: as it should be; none at all; each twice; the last one first; without the first."""
Shape = Literal["usual", "list", "object", "objects"]
Answer = Callable[[Request], Awaitable[Response]]

KEPT_SECONDS = 3_600
"""Inputs, outputs, logs and files of a prediction are removed after an hour."""
RETRY_SECONDS = (0.1, 0.3, 0.9)
"""A webhook that is not taken comes again a few times; there after longer."""
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)


@dataclass(frozen=True)
class Plan:
    """How a prediction goes. `output`: addresses in the place of what was made; `files`: bytes in its place."""

    ends: Status = "succeeded"
    error: str = "Prediction failed."
    telling: Telling = "told"
    held: bool = False
    """It stays as it is until `go_on`."""
    shape: Shape = "usual"
    output: Any = None
    files: tuple[bytes, ...] = ()


NSFW = Plan(ends="failed", error="NSFW content detected. Try running it again, or try a different prompt.")


@dataclass(frozen=True)
class Failure:
    """What the next request gets instead of its answer. `begun`: it is carried out all the same."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    begun: bool = False


def throttled(seconds: int) -> Failure:
    return Failure(429, {"detail": f"Request was throttled. Your rate limit resets in ~{seconds}s.", "status": 429})


UNPAID = Failure(
    402,
    {
        "title": "Insufficient credit",
        "detail": "You have insufficient credit to run this model. Go to https://replicate.com/account/billing"
        "#billing to purchase credit.",
        "status": 402,
    },
)
BROKEN = Failure(500, {"title": "Internal server error", "detail": "An internal error occurred.", "status": 500})
UNAVAILABLE = Failure(503, {"detail": "Service unavailable."})
UNHEARD = Failure(504, {"detail": "Gateway timeout."}, begun=True)


@dataclass
class Prediction:
    """One that was asked for."""

    id: str
    model: str
    version: str
    input: dict[str, Any]
    webhook: str
    events: frozenset[str]
    plan: Plan
    created_at: float
    deadline: float | None
    status: Status = "starting"
    output: Any = None
    error: str | None = None
    logs: str = ""
    started_at: float | None = None
    completed_at: float | None = None
    removed: bool = False
    go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        return self.status not in ("starting", "processing")


class ReplicateStandIn:
    """`async with` it: it owns the predictions that run. `address` and `delivery_address` say where it is served."""

    def __init__(self, *, token: str = "r8_practice", creates_per_minute: int = 600) -> None:
        self.token = token
        self.secret = new_secret()
        self.address = self.delivery_address = ""
        self.predictions: dict[str, Prediction] = {}
        self.asked: deque[str] = deque(maxlen=10_000)
        self.fetched: deque[str] = deque(maxlen=10_000)
        """Files that were asked of the delivery host."""
        self.sent: deque[SentWebhook] = deque(maxlen=10_000)
        """Webhooks that went out."""
        self._creates_per_minute = creates_per_minute
        self._created: deque[float] = deque(maxlen=creates_per_minute)
        self._plans: deque[Plan] = deque()
        self._failures: deque[Failure] = deque()
        self._files: dict[str, bytes] = {}
        self._turned = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/v1/predictions", self._known(self._create), methods=["POST"]),
                Route("/v1/models/{owner}/{name}/predictions", self._known(self._create), methods=["POST"]),
                Route("/v1/predictions/{id}", self._known(self._get)),
                Route("/v1/predictions/{id}/cancel", self._known(self._cancel), methods=["POST"]),
                Route("/v1/webhooks/default/secret", self._known(self._tell_secret)),
            ]
        )
        self.delivery: ASGIApp = Starlette(routes=[Route("/{path:path}", self._deliver)])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = list(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    # --- what a test does --------------------------------------------------------------------------------------------

    def plan(self, *plans: Plan) -> None:
        """How the next predictions go."""
        self._plans.extend(plans)

    def fail_next(self, *failures: Failure) -> None:
        """What the next requests get, whatever they ask."""
        self._failures.extend(failures)

    def now(self) -> float:
        return time.time() + self._turned

    def turn(self, seconds: float) -> None:
        """The clock goes on: deadlines pass, what is an hour old is removed."""
        self._turned += seconds
        for prediction in self.predictions.values():
            if not prediction.is_over and prediction.deadline is not None and self.now() >= prediction.deadline:
                self._end(prediction, "canceled" if prediction.status == "processing" else "aborted")
                self._run(self._tell(prediction, "completed"))
            self._remove_old(prediction)

    async def go_on(self, name: str, *, started: bool = False) -> None:
        """A held prediction goes on: to its end, or, `started`, to where it is processing."""
        prediction = self.predictions[name]
        if started:
            await self._start(prediction)
            return
        prediction.go.set()
        await prediction.ended.wait()

    def webhook(self, name: str, **changes: Any) -> SentWebhook:
        """What Replicate would send of a prediction now, truly signed; to be sent, or to be forged."""
        prediction = self.predictions[name]
        return signed(self.secret, prediction.webhook, self.told(prediction) | changes)

    async def settled(self) -> None:
        """Everything that runs has come to its end, and was told."""
        while tasks := [task for task in self._tasks if not task.done()]:
            await asyncio.wait(tasks)

    # --- predictions -------------------------------------------------------------------------------------------------

    def _known(self, answer: Answer) -> Answer:
        async def endpoint(request: Request) -> Response:
            self.asked.append(f"{request.method} {request.url.path}")
            sent = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(sent, f"Bearer {self.token}".encode()):
                detail = "You did not pass a valid authentication token"
                return JSONResponse({"title": "Unauthenticated", "detail": detail, "status": 401}, 401)
            if self._failures:
                failure = self._failures.popleft()
                if failure.begun:
                    await answer(request)
                return JSONResponse(failure.body, failure.status, failure.headers)
            return await answer(request)

        return endpoint

    async def _create(self, request: Request) -> Response:
        if (wait := self._over_limit()) > 0:
            failure = throttled(wait)
            return JSONResponse(failure.body, failure.status)
        body = await request.json()
        model = "/".join(request.path_params.values())
        wrong = wrong_with(model, body)
        if wrong is not None:
            return JSONResponse(wrong, wrong["status"])
        self._created.append(self.now())
        prediction = self._new(model, body, request.headers.get("cancel-after", ""))
        self._run(self._predict(prediction))
        prefer = request.headers.get("prefer", "")
        if prefer.startswith("wait"):
            seconds = min(60, max(1, int(prefer.partition("=")[2] or 60)))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await prediction.ended.wait()
        return JSONResponse(self.told(prediction), 202 if prefer == "respond-async" else 201)

    def _over_limit(self) -> int:
        """Seconds until another may be made; 0 where there is room."""
        while self._created and self._created[0] <= self.now() - 60:
            self._created.popleft()
        return 0 if len(self._created) < self._creates_per_minute else int(self._created[0] + 60 - self.now()) + 1

    def _new(self, model: str, body: dict[str, Any], cancel_after: str) -> Prediction:
        name = base64.b32encode(secrets.token_bytes(16)).decode().lower().rstrip("=")
        found = _DURATION.fullmatch(cancel_after) if cancel_after else None
        hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
        life = hours * 3600 + minutes * 60 + seconds
        events = body.get("webhook_events_filter", ["start", "output", "logs", "completed"])
        prediction = Prediction(
            id=name,
            model=model or "luma/ray-flash-2-720p",
            version=body.get("version", "hidden"),
            input=body["input"],
            webhook=body.get("webhook", ""),
            events=frozenset(events),
            plan=self._plans.popleft() if self._plans else Plan(),
            created_at=self.now(),
            deadline=self.now() + life if life else None,
        )
        self.predictions[name] = prediction
        return prediction

    async def _predict(self, prediction: Prediction) -> None:
        plan = prediction.plan
        if plan.held:
            await prediction.go.wait()
        if plan.ends != "aborted" and plan.telling not in ("completed alone", "unordered"):
            await self._start(prediction)
        if prediction.is_over:
            return
        ends, error, made = plan.ends, plan.error if plan.ends == "failed" else None, None
        if ends == "succeeded":
            try:
                made = await self._made(prediction)
            except (httpx.HTTPError, OSError, ValueError) as problem:
                ends, error = "failed", f"Failed to download input: {type(problem).__name__}"
        if prediction.is_over:
            return
        self._end(prediction, ends, output=made, error=error)
        await self._tell(prediction, "completed")
        if plan.telling == "unordered":
            await self._tell(prediction, "start", status="processing", output=None, completed_at=None)

    async def _start(self, prediction: Prediction) -> None:
        if prediction.status == "starting":
            prediction.status, prediction.started_at = "processing", self.now()
            await self._tell(prediction, "start")

    def _end(self, prediction: Prediction, status: Status, *, output: Any = None, error: str | None = None) -> None:
        prediction.status, prediction.output, prediction.error = status, output, error
        prediction.completed_at = self.now()
        prediction.logs += "Using seed: 42\n"
        prediction.ended.set()

    async def _get(self, request: Request) -> Response:
        prediction = self.predictions.get(request.path_params["id"])
        return JSONResponse(self.told(prediction)) if prediction is not None else _nothing_there()

    async def _cancel(self, request: Request) -> Response:
        prediction = self.predictions.get(request.path_params["id"])
        if prediction is None:
            return _nothing_there()
        if not prediction.is_over:
            self._end(prediction, "canceled")
            prediction.go.set()
            self._run(self._tell(prediction, "completed"))
        return JSONResponse(self.told(prediction))

    async def _tell_secret(self, request: Request) -> Response:
        return JSONResponse({"key": self.secret})

    def told(self, prediction: Prediction) -> dict[str, Any]:
        """The body of an answer, and of a webhook."""
        self._remove_old(prediction)
        here = f"{self.address}/v1/predictions/{prediction.id}"
        metrics = {}
        if prediction.completed_at is not None and prediction.started_at is not None:
            metrics["predict_time"] = prediction.completed_at - prediction.started_at
        return {
            "id": prediction.id,
            "model": prediction.model,
            "version": prediction.version,
            "input": {} if prediction.removed else prediction.input,
            "logs": prediction.logs,
            "output": prediction.output,
            "data_removed": prediction.removed,
            "error": prediction.error,
            "status": prediction.status,
            "created_at": _moment(prediction.created_at),
            "started_at": _moment(prediction.started_at),
            "completed_at": _moment(prediction.completed_at),
            "metrics": metrics,
            "urls": {
                "cancel": f"{here}/cancel",
                "get": here,
                "web": f"https://replicate.com/p/{prediction.id}",
            },
        }

    # --- what is made ------------------------------------------------------------------------------------------------

    async def _made(self, prediction: Prediction) -> Any:
        """The output, its files laid out. A picture that is given is fetched from where it lies, as there."""
        plan, given = prediction.plan, prediction.input
        if plan.output is not None:
            return plan.output
        is_film = prediction.model in FILM_MODELS
        shape = str(given.get("aspect_ratio", "1:1"))
        kind = "mp4" if is_film else str(given.get("output_format", "webp"))
        if plan.files:
            files = list(plan.files)
        elif is_film:
            files = [await outputs.film(await _fetched(_start_of(given)), shape)]
        else:
            count = int(given.get("num_outputs", 1))
            drawn = (outputs.picture(str(given["prompt"]), number, shape, kind) for number in range(count))
            files = list(drawn)
        addresses = []
        for number, data in enumerate(files):
            path = f"xezq/{prediction.id}/out-{number}.{kind}"
            self._files[path] = data
            addresses.append(f"{self.delivery_address}/{path}")
        objects: list[Any] = [{"url": address} for address in addresses]
        shapes: dict[Shape, Any] = {
            "usual": addresses[0] if is_film else addresses,
            "list": addresses,
            "object": objects[0],
            "objects": objects,
        }
        return shapes[plan.shape]

    async def _deliver(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.fetched.append(path)
        prediction = self.predictions.get(path.split("/")[1] if "/" in path else "")
        if prediction is not None:
            self._remove_old(prediction)
        data = self._files.get(path)
        if data is None:
            return Response(status_code=404)
        types = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "mp4": "video/mp4"}
        return Response(data, media_type=types.get(path.rpartition(".")[2], "application/octet-stream"))

    def _remove_old(self, prediction: Prediction) -> None:
        if prediction.is_over and self.now() >= (prediction.completed_at or 0) + KEPT_SECONDS:
            prediction.output, prediction.logs, prediction.removed = None, "", True
            for path in [path for path in self._files if path.split("/")[1] == prediction.id]:
                del self._files[path]

    # --- telling -----------------------------------------------------------------------------------------------------

    async def _tell(self, prediction: Prediction, event: str, **changes: Any) -> None:
        telling = prediction.plan.telling
        if not prediction.webhook or event not in prediction.events or telling == "lost":
            return
        webhook = signed(self.secret, prediction.webhook, self.told(prediction) | changes)
        for _ in range(2 if telling == "twice" else 1):
            await self._send(webhook)

    async def _send(self, webhook: SentWebhook) -> None:
        """Until it is taken, a few times, always under the same id."""
        self.sent.append(webhook)
        for seconds in (*RETRY_SECONDS, 0.0):
            with suppress(httpx.HTTPError):
                if (await webhook.send()).status_code < 500:
                    return
            await asyncio.sleep(seconds)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="prediction")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _nothing_there() -> Response:
    return JSONResponse({"detail": "The requested resource could not be found.", "status": 404}, 404)


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _start_of(given: dict[str, Any]) -> str:
    return str(given.get("start_image") or given.get("start_image_url") or "")


async def _fetched(url: str) -> bytes:
    """A picture that is given. Raises httpx.HTTPError, ValueError."""
    if not url:
        return outputs.picture("", 0, "1:1", "png")
    if url.startswith("data:"):
        return base64.b64decode(url.partition(",")[2], validate=True)
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("not an address")
    async with httpx.AsyncClient(trust_env=False, timeout=10, follow_redirects=True) as client:
        answer = await client.get(url)
        answer.raise_for_status()
        return answer.content
