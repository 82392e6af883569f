"""Generations as they stand in Redis: what somebody asked an outside model to make, and how far it is.

A record for each, sealed like every value there, that expires by itself; the database is not asked for anything. Names
begin alike for one person, with a keyed hash, so that nobody can be read out of them and all of theirs can be deleted.
Beside a record stand two marks that Redis's own clock takes away: one while a webhook is still believed in, and one
while somebody has the generation in hand.
"""

from __future__ import annotations

import base64
import hmac
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from silvertalk.keys import derived_key
from silvertalk.media.store import user_prefix
from streaming.bus import Bus
from streaming.bus.forgetting import value_keys
from streaming.logs import logger

log = logger("generations")

Kind = Literal["image", "video", "full", "clip"]
"""Pictures of a text; a film of a picture; both, one after the other; a film for a slide of a memory video."""
Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
"""As Replicate says it. What Replicate has made is still "processing" here until it lies in our store."""
FINISHED: frozenset[Status] = frozenset({"succeeded", "failed", "canceled", "aborted"})

ROOT = "generation:"
HASH_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
_TOKEN_BYTES = _NONCE_BYTES + HASH_BYTES + 16 + _TAG_BYTES
DAY_SECONDS = 86_400
LEFT_DAYS = 2
"""So much longer than what was made a record lives, so that a sweep finds what it is about."""
CONSENT_SECONDS = 3_600
"""How long it is believed, while the database is away, what somebody had agreed to."""


class Generation(msgspec.Struct, frozen=True):
    """One request of a person's and what has become of it."""

    id: str
    user: str
    kind: Kind
    prompt: str
    status: Status = "starting"
    prediction: str = ""
    """Replicate's id; empty while it is not known."""
    past: tuple[str, ...] = ()
    """Ids of earlier steps, whose late webhooks say nothing any more."""
    keys: tuple[str, ...] = ()
    """What was made, in our store."""
    source: str = ""
    """Key of the picture that a film is made of; empty where there is none yet."""
    error_code: str = ""
    """Why it failed, a word of ours."""
    job: str = ""
    """The job that waits for it."""
    video_prompt: str = ""
    aspect_ratio: str = "1:1"
    num_outputs: int = 1
    loop: bool = False
    looks: int = 0
    """How often Replicate was asked because no webhook came."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def making(self) -> Literal["image", "video"]:
        """What the step at hand makes."""
        return "image" if self.kind == "image" or (self.kind == "full" and not self.source) else "video"


def new_generation_id() -> str:
    """A UUID (version 7, RFC 9562), which begins with the moment in milliseconds."""
    milliseconds = int(time.time() * 1000) & (2**48 - 1)
    random = int.from_bytes(os.urandom(10)) & ~(0xF << 76 | 0x3 << 62)
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | random))


def asked_at(generation: str) -> float:
    """When a generation was asked for, in Unix seconds, by its id. Raises ValueError for what is no id."""
    return (uuid.UUID(generation).int >> 80) / 1000


def age_days(generation: str) -> float:
    """Of a generation's id. Raises ValueError for what is none."""
    return (time.time() - asked_at(generation)) / DAY_SECONDS


def outputs_prefix(user: str) -> str:
    """Where everything that was made so for somebody lies in the media store."""
    return f"{user_prefix(user)}generated/"


def output_prefix(user: str, generation: str) -> str:
    """Where everything that belongs to a generation lies in the media store."""
    return f"{outputs_prefix(user)}{generation}/"


class GenerationRecords:
    """The records of all gateways. All methods raise BusUnavailable while Redis is away."""

    def __init__(self, bus: Bus, secret: bytes, *, days: int) -> None:
        """`days`: how long what was made is kept."""
        self._bus = bus
        self._values = bus.values
        self._key = derived_key(secret, "generations")
        self._cipher = AESGCM(derived_key(secret, "generation tokens"))
        self._ttl = (days + LEFT_DAYS) * DAY_SECONDS

    # --- names -------------------------------------------------------------------------------------------------------

    def prefix(self, user: str) -> str:
        """What the names of everything of one person's here begin with."""
        return f"{ROOT}{self._hash(user).hex()}:"

    def token(self, generation: Generation) -> str:
        """What a webhook's address names a generation by; says nothing to whoever else reads it."""
        nonce = os.urandom(_NONCE_BYTES)
        named = self._hash(generation.user) + uuid.UUID(generation.id).bytes
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, named, None)).decode()

    def _hash(self, user: str) -> bytes:
        return hmac.digest(self._key, user.encode(), sha256)[:HASH_BYTES]

    def _name(self, generation: Generation, mark: str = "") -> str:
        return f"{self.prefix(generation.user)}{generation.id}{mark}"

    # --- records -----------------------------------------------------------------------------------------------------

    async def add(self, generation: Generation) -> None:
        await self._values.put(self._name(generation), _encoded(generation), self._ttl)

    async def of(self, user: str, generation: str) -> Generation | None:
        """One of this person's; None where there is none such."""
        return _decoded(await self._values.get(f"{self.prefix(user)}{generation}"))

    async def at(self, key: str) -> Generation | None:
        """The one that lies there; None where nothing does, or something else."""
        return _decoded(await self._values.get(key))

    async def all_of(self, user: str) -> AsyncIterator[Generation]:
        """Everything of this person's, in no order; one may come twice."""
        async for key in value_keys(self._bus, self.prefix(user)):
            try:
                asked_at(key.rpartition(":")[2])
            except ValueError:
                continue  # a mark, or what was agreed to
            if (generation := await self.at(key)) is not None:
                yield generation

    async def of_token(self, token: str) -> Generation | None:
        """The one that a webhook's address names; None for what is no token of ours, or of one that is gone."""
        try:
            sealed = base64.b64decode(token, altchars=b"-_", validate=True)
            if len(sealed) != _TOKEN_BYTES:
                return None
            named = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (ValueError, InvalidTag):
            return None
        return await self.at(f"{ROOT}{named[:HASH_BYTES].hex()}:{uuid.UUID(bytes=named[HASH_BYTES:])}")

    async def change(
        self, generation: Generation, change: Callable[[Generation], Generation | None]
    ) -> Generation | None:
        """What `change` makes of the record as it is now; None where it is gone or `change` says None."""

        def changed(value: bytes) -> bytes | None:
            now = _decoded(value)
            after = None if now is None else change(now)
            return None if after is None else _encoded(after)

        return _decoded(await self._values.change(self._name(generation), changed, self._ttl))

    async def remove(self, generation: Generation) -> None:
        for mark in ("", ".wait", ".hand"):
            await self._values.remove(self._name(generation, mark))

    # --- marks -------------------------------------------------------------------------------------------------------

    async def wait(self, generation: Generation, seconds: int) -> None:
        """A webhook is believed in for so long."""
        await self._values.put(self._name(generation, ".wait"), b"", seconds)

    async def wait_no_more(self, generation: Generation) -> None:
        await self._values.remove(self._name(generation, ".wait"))

    async def is_waited_for(self, generation: Generation) -> bool:
        return await self._values.get(self._name(generation, ".wait")) is not None

    async def take(self, generation: Generation, seconds: int) -> bool:
        """Have it in hand for so long, unless somebody else has."""
        return await self._values.put_new(self._name(generation, ".hand"), b"", seconds)

    async def let_go(self, generation: Generation) -> None:
        await self._values.remove(self._name(generation, ".hand"))

    # --- what is asked for twice, what was agreed to -----------------------------------------------------------------

    async def claim(self, generation: Generation, purpose: str) -> str | None:
        """The id that was begun for this purpose before; None: it is this one now."""
        name = f"{self.prefix(generation.user)}for:{sha256(purpose.encode()).hexdigest()[:32]}"
        if await self._values.put_new(name, generation.id.encode(), DAY_SECONDS):
            return None
        found = await self._values.get(name)
        return None if found is None else found.decode()

    async def give_up_claim(self, user: str, purpose: str) -> None:
        await self._values.remove(f"{self.prefix(user)}for:{sha256(purpose.encode()).hexdigest()[:32]}")

    async def remember_consent(self, user: str, agreed: bool) -> None:
        await self._values.put(f"{self.prefix(user)}consent", b"1" if agreed else b"0", CONSENT_SECONDS)

    async def remembered_consent(self, user: str) -> bool | None:
        """None where nobody knows."""
        found = await self._values.get(f"{self.prefix(user)}consent")
        return None if found is None else found == b"1"

    async def forget_consent(self, user: str) -> None:
        await self._values.remove(f"{self.prefix(user)}consent")


def _encoded(generation: Generation) -> bytes:
    return msgspec.msgpack.encode(generation)


def _decoded(value: bytes | None) -> Generation | None:
    if value is None:
        return None
    try:
        return msgspec.msgpack.decode(value, type=Generation)
    except msgspec.MsgspecError:  # of another version of ours
        log.warning("record_unreadable")
        return None
