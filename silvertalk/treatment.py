"""How a person wants to be treated, as far as talk and greetings need to know: names, voice, their own clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.people import PET_NAME, users

HOME_ZONE = ZoneInfo("Asia/Seoul")


@dataclass(frozen=True)
class Treatment:
    """What is known of one person; of a stranger, what holds for everybody."""

    form_of_address: str = ""
    pet_name: str = PET_NAME
    barks: bool = True
    voice: str = ""
    zone: ZoneInfo = field(default=HOME_ZONE)
    quiet_from: str = ""
    quiet_until: str = ""

    def now(self) -> datetime:
        """On the person's own clock."""
        return datetime.now(self.zone)

    def is_quiet(self, at: datetime) -> bool:
        """Whether the person wishes not to be disturbed then; `at` is on any clock."""
        begins, ends = _clock_time(self.quiet_from), _clock_time(self.quiet_until)
        if begins is None or ends is None or begins == ends:
            return False
        now = at.astimezone(self.zone).time()
        return begins <= now < ends if begins < ends else now >= begins or now < ends


async def treatment_of(connection: AsyncConnection, user: str, default_zone: str) -> Treatment:
    """`default_zone`: of people whose own is unknown."""
    asked = select(
        users.c.form_of_address,
        users.c.pet_name,
        users.c.barks,
        users.c.voice,
        users.c.time_zone,
        users.c.quiet_from,
        users.c.quiet_until,
    ).where(users.c.id == user)
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        return Treatment(zone=zone_named(default_zone))
    return Treatment(
        form_of_address=row.form_of_address,
        pet_name=row.pet_name or PET_NAME,
        barks=row.barks,
        voice=row.voice,
        zone=zone_named(row.time_zone, zone_named(default_zone)),
        quiet_from=row.quiet_from,
        quiet_until=row.quiet_until,
    )


def zone_named(name: str, otherwise: ZoneInfo = HOME_ZONE) -> ZoneInfo:
    """The IANA zone of that name; `otherwise` where there is none."""
    try:
        return ZoneInfo(name) if name else otherwise
    except (KeyError, ValueError, OSError):  # not known, not a name, a folder's name
        return otherwise


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When that day begins on this clock, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _clock_time(text: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError:
        return None
