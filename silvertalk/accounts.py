"""Accounts: how somebody for whom Kakao vouches comes in, and how a guest who does so keeps what is theirs.

An account is its Kakao id and nothing else: whoever comes with another id is somebody else, with the same e-mail or
not. A guest who comes with an id that is new here becomes that account, under the user id that they had. One whose
account exists already gives it their things (`silvertalk.joining`). Either way the guest id opens nothing any more.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.columns import new_id
from silvertalk.database import Database, refuse_erased, user_hash
from silvertalk.errors import AccountErased, DatabaseAway, DatabaseRefused, GuestRefused
from silvertalk.jobs import Jobs
from silvertalk.joining import join_guest
from silvertalk.logins import LIFE, Begun, Logins
from silvertalk.models import Erasure, Photo, User
from silvertalk.people import new_person
from silvertalk.revocations import Revocations, former_guest_key
from streaming.bus import Bus
from streaming.errors import StreamingError
from streaming.logs import logger

log = logger("accounts")

FORMER_GUEST_SECONDS = 400 * 86_400

_users: Table = User.__table__  # type: ignore[assignment]
_photos: Table = Photo.__table__  # type: ignore[assignment]
_erasures: Table = Erasure.__table__  # type: ignore[assignment]


class KakaoPerson(NamedTuple):
    """Who Kakao says somebody is. Nickname and picture are empty where they did not agree to give them."""

    kakao_id: str
    nickname: str = ""
    profile_image: str = ""


class Arrived(NamedTuple):
    """Somebody who has logged in. `after`: their access tokens must be of a later second (see `Revocations`)."""

    user: User
    is_new: bool
    login: str
    refresh_token: str
    refresh_expires_in: int
    after: int


class _Done(NamedTuple):
    user: User
    is_new: bool
    begun: Begun
    guest_is_over: bool
    jobs: list[str]
    """What is to be done for somebody who was a guest."""


class Accounts:
    """Lets people in; one a process."""

    def __init__(self, database: Database, bus: Bus, jobs: Jobs, logins: Logins, revocations: Revocations) -> None:
        self._database = database
        self._jobs = jobs
        self._bus = bus
        self._logins = logins
        self._revocations = revocations

    async def log_in(self, person: KakaoPerson, guest: str = "") -> Arrived:
        """A new login for this person; `guest`: the user id of the guest they have been so far.

        Raises DatabaseAway, and AccountErased while the account is being deleted.
        """
        try:
            done = await self._written(person, guest)
        except DatabaseRefused as error:
            if type(error) is not DatabaseRefused:
                raise
            done = await self._written(person, guest)  # another login of theirs was faster
        user, begun = done.user, done.begun
        for login in begun.crowded_out:
            await self._revocations.announce(user.id, login)
        if done.guest_is_over:
            await self._remember_former(guest)
            await self._revocations.announce(guest)
        for job in done.jobs:
            await self._jobs.start(job)
        after = await self._revocations.revoked_until(user.id)
        return Arrived(user, done.is_new, begun.login, begun.refresh_token, int(LIFE.total_seconds()), after)

    async def check_guest(self, user: str) -> None:
        """Raises GuestRefused for a guest who has become an account, whose things an account has, or who is deleted.

        While the database is away it is believed what Redis remembers of that.
        """
        try:
            async with self._database.transaction() as connection:
                account = select(_users.c.id).where(_users.c.id == user, _users.c.kakao_id.is_not(None))
                gone = select(_erasures.c.receipt).where(_erasures.c.user_hash == user_hash(user))
                former = (await connection.execute(account.union_all(gone))).first() is not None
        except DatabaseAway:
            try:
                former = await self._bus.values.get(former_guest_key(user)) is not None
            except StreamingError:
                return  # nothing of anybody's can be reached now, and no conversation begun
        if former:
            raise GuestRefused("a guest no more")

    async def user_with(self, kakao_id: str) -> str | None:
        """The user id of this Kakao id's account."""
        async with self._database.transaction() as connection:
            return await _account(connection, kakao_id)

    async def _written(self, person: KakaoPerson, guest: str) -> _Done:
        """All in one transaction."""
        async with self._database.transaction() as connection:
            user = await _account(connection, person.kakao_id)
            is_guests_own = False
            if user is None:
                is_guests_own = bool(guest) and await self._can_become(connection, guest)
                user, is_new = (guest if is_guests_own else new_id()), True
                await self._make(connection, user, person)
            else:
                is_new = False
                await refuse_erased(connection, user)
                await _refresh(connection, user, person)
            joined = bool(guest) and not is_new and await join_guest(self._database, connection, guest, user)
            jobs = await self._to_do(connection, guest, user) if joined else []
            begun = await self._logins.begin(connection, user)
            row = (await connection.execute(select(_users).where(_users.c.id == user))).one()
        return _Done(User(**row._mapping), is_new, begun, is_guests_own or joined, jobs)

    async def _to_do(self, connection: AsyncConnection, guest: str, user: str) -> list[str]:
        """Their objects are moved or deleted, those that no row names among them; and of each picture that is still to
        be looked at there is a job that does so, whatever became of the guest's."""
        processing = select(_photos.c.id).where(_photos.c.user_id == user, _photos.c.status == "processing")
        found = (await connection.execute(processing)).scalars().all()
        pictures = [await self._jobs.record(connection, "thumbnails", user, photo) for photo in found]
        return [await self._jobs.record(connection, "adopt", user, guest), *pictures]

    async def _can_become(self, connection: AsyncConnection, guest: str) -> bool:
        """Not where that id has become another account before: then they begin anew."""
        try:
            await refuse_erased(connection, guest)
        except AccountErased:
            return False
        taken = select(_users.c.id).where(_users.c.id == guest, _users.c.kakao_id.is_not(None))
        return (await connection.execute(taken)).one_or_none() is None

    async def _make(self, connection: AsyncConnection, user: str, person: KakaoPerson) -> None:
        """Raises DatabaseRefused where another login of the same Kakao id has just made one."""
        own = self._database.insert(_users).values(new_person(user, **person._asdict()))
        own = own.on_conflict_do_update(index_elements=["id"], set_=_told(person), where=_users.c.kakao_id.is_(None))
        if (await connection.execute(own)).rowcount != 1:
            raise DatabaseRefused("the guest became an account at this moment")

    async def _remember_former(self, guest: str) -> None:
        try:
            await self._bus.values.put(former_guest_key(guest), b"1", FORMER_GUEST_SECONDS)
        except StreamingError as error:
            log.warning("former_guest_not_remembered", error=type(error).__name__)  # the database knows


async def _account(connection: AsyncConnection, kakao_id: str) -> str | None:
    found = await connection.execute(select(_users.c.id).where(_users.c.kakao_id == kakao_id))
    user: str | None = found.scalar_one_or_none()
    return user


async def _refresh(connection: AsyncConnection, user: str, person: KakaoPerson) -> None:
    await connection.execute(update(_users).where(_users.c.id == user).values(_told(person)))


def _told(person: KakaoPerson) -> dict[str, Any]:
    """What Kakao tells of them now; what it does not tell stays as it was."""
    return {name: value for name, value in person._asdict().items() if value} | {"updated_at": datetime.now(UTC)}
