"""People: who they are and how they want to be treated."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.columns import new_id
from silvertalk.consents import ConsentName, Decision, consents_of, decide
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import NotFound
from silvertalk.models import Device, User

PET_NAME = "복실이"
MAX_DEVICES = 20
"""Of one person; the one that registered longest ago goes."""

users: Table = User.__table__  # type: ignore[assignment]
_devices: Table = Device.__table__  # type: ignore[assignment]


class Person(NamedTuple):
    """Somebody, and what they agreed to."""

    user: User
    consents: dict[ConsentName, Decision]


async def ensure_person(database: Database, connection: AsyncConnection, user: str) -> None:
    """See to it that `user` has a row, before something is written that hangs on it: a guest has none until then.

    Raises AccountErased for somebody who is deleted.
    """
    await refuse_erased(connection, user)
    await connection.execute(
        database.insert(users).values(new_person(user)).on_conflict_do_nothing(index_elements=["id"])
    )


def new_person(user: str, **known: Any) -> dict[str, Any]:
    """A row of `users` for somebody of whom nothing but this is known."""
    now = datetime.now(UTC)
    return {
        "id": user,
        "kakao_id": None,
        "nickname": "",
        "profile_image": "",
        "form_of_address": "",
        "pet_name": PET_NAME,
        "barks": True,
        "birth_date": None,
        "voice": "",
        "font_scale": 1.0,
        "quiet_from": "",
        "quiet_until": "",
        "time_zone": "",
        "guardian_name": "",
        "guardian_phone": "",
        "created_at": now,
        "updated_at": now,
        **known,
    }


# --- who somebody is -------------------------------------------------------------------------------------------------


async def person_of(database: Database, user: str) -> Person:
    """A person as they are known; a guest of whom nothing is known has no row, and gets none by being looked at."""
    async with database.transaction() as connection:
        return await _person(connection, user)


async def change_person(
    database: Database, user: str, changes: dict[str, Any], consents: dict[ConsentName, bool]
) -> Person:
    """Give a person these values of `users` and note these decisions, in one transaction. Raises AccountErased."""
    async with database.transaction() as connection:
        await ensure_person(database, connection, user)
        if changes:
            now = datetime.now(UTC)
            await connection.execute(update(users).where(users.c.id == user).values(**changes, updated_at=now))
        await decide(database, connection, user, consents)
        return await _person(connection, user)


async def _person(connection: AsyncConnection, user: str) -> Person:
    row = (await connection.execute(select(users).where(users.c.id == user))).one_or_none()
    found = User(**new_person(user) if row is None else row._mapping)
    return Person(found, await consents_of(connection, user))


# --- where they can be reached ---------------------------------------------------------------------------------------


async def add_device(database: Database, user: str, push_token: str, platform: str) -> Device:
    """Have a device notified for this person; whoever's it was before, it is theirs now. Raises AccountErased."""
    fresh = {
        "id": new_id(),
        "user_id": user,
        "push_token": push_token,
        "platform": platform,
        "created_at": datetime.now(UTC),
    }
    changed = {name: fresh[name] for name in ("user_id", "platform", "created_at")}
    newest_first = select(_devices.c.id).where(_devices.c.user_id == user).order_by(_devices.c.created_at.desc())
    async with database.transaction() as connection:
        await ensure_person(database, connection, user)
        row = database.insert(_devices).values(fresh)
        row = row.on_conflict_do_update(index_elements=["push_token"], set_=changed).returning(_devices)
        device = (await connection.execute(row)).one()
        too_many = (await connection.execute(newest_first)).scalars().all()[MAX_DEVICES:]
        if too_many:
            await connection.execute(delete(_devices).where(_devices.c.id.in_(too_many)))
    return Device(**device._mapping)


async def remove_device(database: Database, user: str, push_token: str) -> None:
    """Notify this device of theirs no more. Raises NotFound."""
    async with database.transaction() as connection:
        gone = await connection.execute(
            delete(_devices).where(_devices.c.user_id == user, _devices.c.push_token == push_token)
        )
    if gone.rowcount == 0:
        raise NotFound
