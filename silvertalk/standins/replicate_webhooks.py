"""Webhooks as Replicate signs them, and as somebody does who would like to be Replicate.

https://replicate.com/docs/topics/webhooks/verify-webhook
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha1, sha256, sha512
from typing import Any

import httpx


@dataclass(frozen=True)
class SentWebhook:
    """A request as it goes out."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    async def send(self) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=10, follow_redirects=False) as client:
            return await client.post(self.url, content=self.body, headers=list(self.headers))

    def header(self, name: str) -> str:
        return dict(self.headers)[name]

    def with_headers(self, **changes: str | None) -> SentWebhook:
        """Others in their place; None leaves one out."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        kept = [(name, value) for name, value in self.headers if name not in named]
        return replace(self, headers=(*kept, *((name, value) for name, value in named.items() if value is not None)))


def new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def signed(secret: str, url: str, body: dict[str, Any], *, name: str = "", at: float | None = None) -> SentWebhook:
    """The webhook that says `body`."""
    return signed_raw(secret, url, json.dumps(body).encode(), name=name, at=at)


def signed_raw(secret: str, url: str, raw: bytes, *, name: str = "", at: float | None = None) -> SentWebhook:
    """The webhook of these bytes."""
    name = name or f"msg_{secrets.token_urlsafe(20)}"
    timestamp = str(int(time.time() if at is None else at))
    headers = (
        ("content-type", "application/json"),
        ("webhook-id", name),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", f"v1,{_mac(_key(secret), name, timestamp, raw)}"),
    )
    return SentWebhook(url, headers, raw)


def forgeries(secret: str, true: SentWebhook) -> Iterator[tuple[str, SentWebhook]]:
    """What is made of a true webhook that was seen, or of nothing, without the secret: a name for each, and the
    request. None of them may have an effect."""
    name, timestamp, signature = (true.header(f"webhook-{part}") for part in ("id", "timestamp", "signature"))
    yield from _without_the_key(true, name, timestamp)
    yield from _bits_turned(true, signature)
    yield from _changed_bodies(true)
    yield from _other_times(secret, true, name, timestamp, signature)
    yield from _other_headers(true, name, timestamp, signature)
    yield from _other_signatures(secret, true, name, timestamp, signature)


def _without_the_key(true: SentWebhook, name: str, timestamp: str) -> Iterator[tuple[str, SentWebhook]]:
    guessed = [b"", b"whsec_", b"secret", b"replicate", b"x" * 32, name.encode(), true.body[:24]]
    for number, key in enumerate([*guessed, *(secrets.token_bytes(24) for _ in range(12))]):
        mac = _mac(key, name, timestamp, true.body)
        yield f"key {number}", true.with_headers(webhook_signature=f"v1,{mac}")


def _bits_turned(true: SentWebhook, signature: str) -> Iterator[tuple[str, SentWebhook]]:
    mac = base64.b64decode(signature.removeprefix("v1,"))
    for bit in range(0, len(mac) * 8, 4):
        turned = bytearray(mac)
        turned[bit // 8] ^= 1 << bit % 8
        text = base64.b64encode(bytes(turned)).decode()
        yield f"signature bit {bit}", true.with_headers(webhook_signature=f"v1,{text}")
    for bit in range(0, len(true.body) * 8, max(8, len(true.body) * 8 // 64)):
        body = bytearray(true.body)
        body[bit // 8] ^= 1 << bit % 8
        yield f"body bit {bit}", replace(true, body=bytes(body))


def _changed_bodies(true: SentWebhook) -> Iterator[tuple[str, SentWebhook]]:
    told = json.loads(true.body)
    for what, changes in {
        "another output": {"output": ["https://replicate.delivery/xezq/theirs.png"]},
        "a host of theirs": {"output": ["https://evil.example/a.png"]},
        "another prediction": {"id": "a" * 26},
        "failed": {"status": "failed", "error": "no"},
        "canceled": {"status": "canceled"},
        "aborted": {"status": "aborted"},
        "nothing made": {"output": None, "data_removed": True},
    }.items():
        yield what, replace(true, body=json.dumps(told | changes).encode())
    yield "the same, spelled otherwise", replace(true, body=json.dumps(told, indent=1).encode())
    yield "a space more", replace(true, body=true.body + b" ")
    yield "a byte less", replace(true, body=true.body[:-1])
    yield "nothing", replace(true, body=b"")
    yield "a key twice", replace(true, body=true.body[:-1] + b',"status":"succeeded"}')


def _other_times(
    secret: str, true: SentWebhook, name: str, timestamp: str, signature: str
) -> Iterator[tuple[str, SentWebhook]]:
    now = int(timestamp)
    for seconds in (-86_400, -3_600, -900, -400, -301, 301, 400, 900, 3_600, 86_400, 10**8):
        moved = str(now + seconds)
        yield f"time moved by {seconds}", true.with_headers(webhook_timestamp=moved)
        if abs(seconds) > 330:  # truly signed, and long over or not yet begun: a recording, a broken clock
            mac = _mac(_key(secret), name, moved, true.body)
            yield f"signed {seconds} s off", true.with_headers(webhook_timestamp=moved, webhook_signature=f"v1,{mac}")
    for text in ("0", "-1", "now", f"{now},0", f"{now}.0", f"+{now}", f"0{now}", f"{now}e0", hex(now), "9" * 400):
        yield f"time {text[:12]!r}", true.with_headers(webhook_timestamp=text)


def _other_headers(true: SentWebhook, name: str, timestamp: str, signature: str) -> Iterator[tuple[str, SentWebhook]]:
    for part, value in (("webhook-id", name), ("webhook-timestamp", timestamp), ("webhook-signature", signature)):
        yield f"no {part}", true.with_headers(**{part.replace("-", "_"): None})
        yield f"empty {part}", true.with_headers(**{part.replace("-", "_"): ""})
        yield f"{part} twice", replace(true, headers=(*true.headers, (part, value)))
        yield f"another {part} behind it", replace(true, headers=(*true.headers, (part, "x")))
        yield f"another {part} before it", replace(true, headers=((part, "x"), *true.headers))
    for text in (
        "msg_other",
        name[:-1],
        name + "A",
        name.upper(),
        name.swapcase() + ".",
        f"{name}.{timestamp}",
        "a" * 129,
    ):
        yield f"id {text[:16]!r}", true.with_headers(webhook_id=text)
    # The same bytes are signed if the dots between the parts are moved.
    yield "dots moved", true.with_headers(webhook_id=f"{name}.{timestamp[:3]}", webhook_timestamp=timestamp[3:])
    as_svix = {f"svix-{part}": true.header(f"webhook-{part}") for part in ("id", "timestamp", "signature")}
    bare = true.with_headers(webhook_id=None, webhook_timestamp=None, webhook_signature=None)
    yield "under older names", replace(bare, headers=(*bare.headers, *as_svix.items()))


def _other_signatures(
    secret: str, true: SentWebhook, name: str, timestamp: str, signature: str
) -> Iterator[tuple[str, SentWebhook]]:
    key, mac = _key(secret), signature.removeprefix("v1,")
    digest = base64.b64decode(mac)
    content = b"%b.%b.%b" % (name.encode(), timestamp.encode(), true.body)
    texts = {
        "no version": mac,
        "another version": f"v1a,{mac}",
        "version 2": f"v2,{mac}",
        "version 0": f"v0,{mac}",
        "capital": f"V1,{mac}",
        "equals": f"v1={mac}",
        "sha256=": f"sha256={digest.hex()}",
        "hex": f"v1,{digest.hex()}",
        "no padding": f"v1,{mac.rstrip('=')}",
        "more padding": f"v1,{mac}=",
        "url alphabet": f"v1,{mac.replace('+', '-').replace('/', '_').rstrip('=')}_",
        "half of it": f"v1,{base64.b64encode(digest[:16]).decode()}",
        "none": "v1,",
        "null": "null",
        "comma alone": ",",
        "commas": f"v1,,{mac}",
        "with a comma behind": f"v1,{mac},",
        "two versions in one": f"v1,v1,{mac}",
        "tab": f"v1,\t{mac}",
        "many": " ".join(["v1,AAAA"] * 200),
        "right as the sixth": " ".join([*[f"v1,{base64.b64encode(bytes(32)).decode()}"] * 5, signature]),
        "body alone": f"v1,{base64.b64encode(hmac.digest(key, true.body, sha256)).decode()}",
        "without id": f"v1,{_of(key, timestamp.encode() + b'.' + true.body)}",
        "without time": f"v1,{_of(key, name.encode() + b'.' + true.body)}",
        "without dots": f"v1,{_of(key, name.encode() + timestamp.encode() + true.body)}",
        "sha1": f"v1,{base64.b64encode(hmac.digest(key, content, sha1)).decode()}",
        "sha512": f"v1,{base64.b64encode(hmac.digest(key, content, sha512)).decode()}",
        "not keyed": f"v1,{base64.b64encode(sha256(content).digest()).decode()}",
        "key in front": f"v1,{base64.b64encode(sha256(key + content).digest()).decode()}",
        "key as text": f"v1,{_of(secret.encode(), content)}",
        "key without its prefix": f"v1,{_of(secret.removeprefix('whsec_').encode(), content)}",
        "backwards": f"v1,{base64.b64encode(digest[::-1]).decode()}",
        "zeros": f"v1,{base64.b64encode(bytes(32)).decode()}",
    }
    for what, text in texts.items():
        yield f"signature: {what}", true.with_headers(webhook_signature=text)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def _of(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, sha256)).decode()


def _mac(key: bytes, name: str, timestamp: str, body: bytes) -> str:
    return _of(key, b"%b.%b.%b" % (name.encode(), timestamp.encode(), body))
