"""What anybody may ask of a gateway costs its neighbours little."""

import asyncio
from pathlib import Path

from silvertalk.app import Status
from silvertalk.database import Database
from silvertalk.media.store import open_media
from silvertalk.settings import Settings
from streaming.bus import Bus
from tests.valkey import Valkey, running_valkey


def pings(redis: Valkey) -> int:
    calls: dict[str, dict[str, int]] = redis.client.info("commandstats")
    return calls.get("cmdstat_ping", {"calls": 0})["calls"]


async def test_many_who_ask_what_is_up_are_one_question(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with running_valkey() as redis:
        async with Bus.open([redis.url], name="status") as bus, open_media(settings) as media:
            database = Database(settings.database)
            status = Status(settings, bus, database, media, parts_seconds=600)
            before = pings(redis)
            told = await asyncio.gather(*(status.parts() for _ in range(20)))
            assert pings(redis) == before + 1
            assert all(parts == told[0] for parts in told)
            assert told[0]["bus"] == "up" and told[0]["database"] == "away"
            careful = Status(settings, bus, database, media, parts_seconds=0)
            for _ in range(3):
                await careful.parts()
            assert pings(redis) == before + 4, "what is old is asked anew"
