"""What was made for somebody is kept for so many days; then a worker's broom takes it and its record."""

from __future__ import annotations

from silvertalk.generation_records import ROOT, GenerationRecords, age_days, output_prefix
from silvertalk.keys import signing_secret
from silvertalk.media.store import MediaStore
from silvertalk.settings import Settings
from streaming.bus import Bus
from streaming.bus.forgetting import value_keys


async def sweep_generations(bus: Bus, media: MediaStore, settings: Settings) -> int:
    """How many generations went. A record outlives what was made by some days, so that this finds it. Raises MediaAway,
    BusUnavailable."""
    records = GenerationRecords(bus, signing_secret(settings), days=settings.generated_days)
    count = 0
    async for key in value_keys(bus, ROOT):
        generation = await records.at(key) if _age(key) >= settings.generated_days else None
        if generation is not None:
            await media.delete_below(output_prefix(generation.user, generation.id))
            await records.remove(generation)
            count += 1
    return count


def _age(key: str) -> float:
    """In days; -1 for what is no generation's record."""
    try:
        return age_days(key.rpartition(":")[2])
    except ValueError:
        return -1
