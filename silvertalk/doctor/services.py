"""What SilverTalk needs from elsewhere: is it reached, within a time limit, and does it do what we count on?"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

import redis.asyncio
from redis.exceptions import AuthenticationError, RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from silvertalk.doctor.finding import Finding
from silvertalk.login import is_loopback
from silvertalk.settings import Settings

LIMIT_SECONDS = 3.0
"""For each service; they are asked at once."""


async def check_bus(url: str, *, ours: bool = False) -> Finding:
    """Does this Redis answer, and keep what it is given? `ours`: the one that `silvertalk up` starts."""
    name, where = "Redis", without_secret(url)
    if ours and not _exists(unquote(urlsplit(url).path)):
        return Finding(name, None, "It is not running; `silvertalk up` starts its own.")
    client = redis.asyncio.from_url(url, socket_connect_timeout=LIMIT_SECONDS, socket_timeout=LIMIT_SECONDS)
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await client.ping()
            memory = await client.info("memory")
    except AuthenticationError as error:
        return Finding(name, False, f"{where} refuses the user or password: {error}.", "Set it right in BUS_URLS.")
    except (RedisError, OSError, TimeoutError) as error:
        said = str(error) or f"no answer within {LIMIT_SECONDS:.0f} s"
        return Finding(name, False, f"{where} cannot be reached: {said}.", "Start it, or set BUS_URLS right.")
    finally:
        await client.aclose()
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return Finding(
            name,
            False,
            f"{where} throws keys away when its memory is full ({policy}): conversations would be lost.",
            "Set its maxmemory-policy to noeviction.",
        )
    return Finding(name, True, f"{where} answers.")


async def check_database(url: str) -> Finding:
    """Does the database answer? `url` is SQLAlchemy's. An SQLite file that is not there yet is made later."""
    name, where = "database", without_secret(url)
    question = "SELECT 1"
    if url.startswith("sqlite"):
        where = url.split(":///", 1)[1].split("?", 1)[0]
        question = "SELECT count(*) FROM sqlite_master"  # SQLite looks into the file only when it has to.
        if not _exists(where):
            return Finding(name, None, f"{where} is not there yet; it is made at the first start.")
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with asyncio.timeout(LIMIT_SECONDS), engine.connect() as connection:
            await connection.execute(text(question))
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()
        return Finding(
            name,
            False,
            f"{where} cannot be used: {said[0] if said else f'no answer within {LIMIT_SECONDS:.0f} s'}.",
            "Start it, or set DATABASE_URL right; talk goes on meanwhile, and turns wait in memory.",
        )
    finally:
        await engine.dispose()
    return Finding(name, True, f"{where} answers.")


async def check_media(settings: Settings) -> Finding:
    """Does the bucket of the settings answer to the keys of the settings?"""
    from silvertalk.media.s3 import open_bucket  # botocore takes long to load

    name = "media store"
    where = f"The bucket {settings.s3_bucket} at {settings.s3_endpoint or f'S3 in {settings.s3_region}'}"
    async with open_bucket(settings) as bucket:
        if await bucket.ready():
            return Finding(name, True, f"{where} answers.")
    return Finding(
        name,
        False,
        f"{where} cannot be used: it is out of reach, not there, or refuses the keys.",
        "Set S3_BUCKET, S3_ENDPOINT, S3_REGION and the keys right; talk goes on meanwhile, photos wait.",
    )


async def check_gateway(url: str) -> Finding:
    """Is this a SilverTalk gateway, and could a person talk to it now?"""
    name = "gateway"
    try:
        status, body = await asyncio.to_thread(_get, url.rstrip("/") + "/readyz")
        answer = json.loads(body)
        parts = dict(answer["parts"])
    except (OSError, TimeoutError) as error:
        said = getattr(error, "reason", error) or "no answer"
        return Finding(name, False, f"{url} cannot be reached: {said}.", "Start it with `silvertalk up`.")
    except (ValueError, KeyError, TypeError):
        return Finding(name, False, f"Something answers at {url}, but it is not SilverTalk.", "Choose another PORT.")
    said = ", ".join(f"{part} {state}" for part, state in parts.items())
    if status != 200:
        return Finding(name, False, f"{url} runs and cannot answer anybody yet: {said}.", "Start what is away.")
    return Finding(name, True, f"{url} is ready: {said}.")


def _exists(path: str) -> bool:
    return Path(path).exists()


def without_secret(url: str) -> str:
    """An address fit to be printed: no user, password or parameters."""
    parts = urlsplit(url)
    if not parts.netloc:
        return f"{parts.scheme}://{unquote(parts.path)}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _get(url: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if is_loopback(url) else None))
    try:
        with opener.open(url, timeout=LIMIT_SECONDS) as response:
            return response.status, response.read(65536)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(65536)
