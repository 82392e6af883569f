"""What a person agreed to. Whoever was never asked has not agreed, and what was agreed to can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database
from silvertalk.models import Consent

ConsentName = Literal["keep_voice", "memories", "outside_services", "guardian_notice"]
"""Keep recordings of their voice; remember what they tell; let services abroad see text or pictures; tell the guardian
when they seem in distress."""
CONSENTS: tuple[ConsentName, ...] = get_args(ConsentName)

_consents: Table = Consent.__table__  # type: ignore[assignment]


class Decision(NamedTuple):
    """What somebody said when they were asked; `decided_at` is None for whoever was not."""

    granted: bool = False
    decided_at: datetime | None = None


async def consents_of(connection: AsyncConnection, user: str) -> dict[ConsentName, Decision]:
    """Every consent there is, asked for or not."""
    rows = await connection.execute(
        select(_consents.c.name, _consents.c.granted, _consents.c.decided_at).where(_consents.c.user_id == user)
    )
    said = {row.name: Decision(row.granted, row.decided_at) for row in rows}
    return {name: said.get(name, Decision()) for name in CONSENTS}


async def has_agreed(connection: AsyncConnection, user: str, name: ConsentName) -> bool:
    """Whether this person agrees to this now."""
    asked = select(_consents.c.granted).where(_consents.c.user_id == user, _consents.c.name == name)
    return bool((await connection.execute(asked)).scalar_one_or_none())


async def agreed_since(connection: AsyncConnection, user: str, name: ConsentName) -> datetime | None:
    """Since when this person agrees to this; None for who does not."""
    asked = select(_consents.c.decided_at).where(
        _consents.c.user_id == user, _consents.c.name == name, _consents.c.granted.is_(True)
    )
    since: datetime | None = (await connection.execute(asked)).scalar_one_or_none()
    return since


async def decide(
    database: Database, connection: AsyncConnection, user: str, decisions: Mapping[ConsentName, bool]
) -> None:
    """Note what a person, who has a row, said just now. Who says the same again has decided when they first said it."""
    for name, granted in decisions.items():
        row = database.insert(_consents).values(user_id=user, name=name, granted=granted, decided_at=datetime.now(UTC))
        await connection.execute(
            row.on_conflict_do_update(
                index_elements=["user_id", "name"],
                set_={"granted": row.excluded.granted, "decided_at": row.excluded.decided_at},
                where=_consents.c.granted != row.excluded.granted,
            )
        )
