"""Whether a webhook is Replicate's: signed as Standard Webhooks says, with a secret that only Replicate and we know.

https://replicate.com/docs/topics/webhooks/verify-webhook. Signed is `{id}.{timestamp}.{body}`, the body as its bytes
came. Headers stand there once each and are spelled in one way only, so that no two readings of a webhook differ.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import math
import re
from collections.abc import Callable
from hashlib import sha256

from silvertalk.errors import ReplicateRefused, WebhookRefused
from silvertalk.services.replicate import Replicate
from silvertalk.settings import Settings

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SECRET_PREFIX = "whsec_"
MAX_AGE_SECONDS = 300
"""Also into the future, since clocks differ."""
MAX_SIGNATURES = 5
"""One for each secret while secrets change."""
MIN_SECRET_BYTES = 16
ASK_AGAIN_SECONDS = 60.0
"""The secret may have been changed: a signature that does not fit has it asked for again, but no more often."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)
_TIMESTAMP = re.compile(r"[1-9][0-9]{8,10}", re.ASCII)
_SIGNATURE = re.compile(r"v1,([A-Za-z0-9+/]{43}=)", re.ASCII)


def key_of(secret: str) -> bytes:
    """The key in a `whsec_…`. Raises ValueError for what is none."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not a webhook secret") from None
    if len(key) < MIN_SECRET_BYTES:
        raise ValueError("not a webhook secret")
    return key


def signature_of(key: bytes, name: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(key, b"%b.%b.%b" % (name.encode("ascii"), timestamp.encode("ascii"), body), sha256)


class Webhook:
    """A request that says it is one. Raises WebhookRefused where it cannot be: its form or its time is wrong."""

    def __init__(self, headers: Callable[[str], list[str]], body: bytes, now: float) -> None:
        """`headers(name)`: all headers of that name. `now`: Unix seconds."""
        self.id = _only(headers(ID), _ID)
        self._timestamp = _only(headers(TIMESTAMP), _TIMESTAMP)
        self._body = body
        if abs(now - int(self._timestamp)) > MAX_AGE_SECONDS:
            raise WebhookRefused("not of now")
        given = headers(SIGNATURE)
        signatures = given[0].split(" ") if len(given) == 1 else []
        if not 1 <= len(signatures) <= MAX_SIGNATURES:
            raise WebhookRefused("signatures")
        self._signatures = [base64.b64decode(found[1]) for one in signatures if (found := _SIGNATURE.fullmatch(one))]

    def is_signed_with(self, key: bytes) -> bool:
        """Takes as long whatever is wrong with a signature."""
        expected = signature_of(key, self.id, self._timestamp, self._body)
        # All are compared, whichever fits.
        return sum([hmac.compare_digest(expected, given) for given in self._signatures]) > 0


def _only(values: list[str], pattern: re.Pattern[str]) -> str:
    if len(values) != 1 or not pattern.fullmatch(values[0]):
        raise WebhookRefused("headers")
    return values[0]


class WebhookKeys:
    """The key that webhooks are signed with: of the settings, or asked of Replicate once."""

    def __init__(self, settings: Settings, replicate: Replicate) -> None:
        self._replicate = replicate
        self._secret = settings.replicate_webhook_secret.get_secret_value()
        self._key: bytes | None = None
        self._asked_at = -math.inf
        self._asking = asyncio.Lock()

    async def check(self, webhook: Webhook) -> None:
        """Raises WebhookRefused; ReplicateAway and ReplicateRefused where the secret is not known."""
        key = await self._known(None)
        if webhook.is_signed_with(key):
            return
        if self._secret or not webhook.is_signed_with(await self._known(key)):
            raise WebhookRefused("signature")

    async def _known(self, wrong: bytes | None) -> bytes:
        """The key; asked for anew where it is still the one that did not fit, and it was not just asked for."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            is_old = self._key is None or (self._key == wrong and now - self._asked_at >= ASK_AGAIN_SECONDS)
            if is_old:
                if wrong is not None:
                    self._asked_at = now  # also where it cannot be told: anybody can send what does not fit
                secret = self._secret or await self._replicate.webhook_secret()
                try:
                    self._key, self._asked_at = key_of(secret), now
                except ValueError:
                    raise ReplicateRefused("a secret that is none") from None
            assert self._key is not None
            return self._key
