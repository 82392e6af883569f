"""`/generate/webhooks/replicate`: Replicate says what has become of a prediction.

Open to the world, so nothing is believed that is not signed: raw bytes, one reading of each header, five minutes, once.
What is signed and is none of ours (an account has one secret for all that use it) is answered and has no effect.
"""

from __future__ import annotations

import json
import time
from hashlib import sha256

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from silvertalk.api.problems import documented
from silvertalk.api.services import ServicesOf, our_origin
from silvertalk.errors import (
    BusAway,
    GenerateNotConfigured,
    OriginRefused,
    ReplicateAway,
    ReplicateRefused,
    RequestInvalid,
    WebhookRefused,
)
from silvertalk.services.replicate import prediction_of
from silvertalk.services.replicate_webhooks import MAX_AGE_SECONDS, Webhook
from streaming.logs import logger

log = logger("generations")

router = APIRouter(prefix="/generate/webhooks/replicate", tags=["generate"], dependencies=[Depends(our_origin)])

SEEN_SECONDS = 2 * MAX_AGE_SECONDS + 60
"""Longer than any signature is good for, from five minutes before to five after."""


@router.post(
    "",
    summary="Replicate: what has become of a prediction",
    responses=documented(
        *(WebhookRefused, OriginRefused, RequestInvalid, GenerateNotConfigured),
        *(ReplicateAway, ReplicateRefused, BusAway),
    ),
)
async def told(request: Request, services: ServicesOf, generation: str = Query("", max_length=200)) -> Response:
    services.replicate.check_configured()
    body = await request.body()
    webhook = Webhook(request.headers.getlist, body, time.time())
    await services.webhook_keys.check(webhook)
    values, seen = services.bus.values, f"webhook:{sha256(webhook.id.encode()).hexdigest()[:40]}"
    if not await values.put_new(seen, b"", SEEN_SECONDS):
        return JSONResponse({})
    try:
        await _heard(services, generation, body)
    except BaseException:
        await values.remove(seen)  # Replicate sends it again
        raise
    return JSONResponse({})


async def _heard(services: ServicesOf, token: str, body: bytes) -> None:
    try:
        prediction = prediction_of(json.loads(body))
    except (ValueError, RecursionError):
        prediction = None
    found = await services.generations.records.of_token(token) if prediction is not None else None
    if prediction is None or found is None:
        log.info("webhook_ignored")
        return
    await services.generations.hear(found, prediction)
